//! Messages read in the plainest way, and whole: `None` where that cannot be done.

use bindpy_core::name::{MAX_LABEL, MAX_NAME};
use bindpy_core::rtype;
use bindpy_core::zone::Rr;

/// The octets of a header.
pub const HEADER: usize = 12;

/// A message whose every octet belongs to something.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The ID.
    pub id: u16,
    /// The second word.
    pub flags: u16,
    /// The questions as they came, name, type and class.
    pub questions: Vec<Vec<u8>>,
    /// The records of the answer, authority and additional sections.
    pub sections: [Vec<Rr>; 3],
}

/// Reads `message`, in which names begin behind the header, wherever a pointer leads.
pub fn read(message: &[u8]) -> Option<Message> {
    read_with(message, HEADER)
}

/// Reads `message`, in which pointers lead anywhere at or behind `first`.
pub fn read_with(message: &[u8], first: usize) -> Option<Message> {
    let mut at = HEADER;
    let mut questions = Vec::new();
    for _ in 0..word(message, 4)? {
        let (mut question, end) = name(message, at, first)?;
        question.extend_from_slice(message.get(end..end + 4)?);
        questions.push(question);
        at = end + 4;
    }
    let mut sections = [Vec::new(), Vec::new(), Vec::new()];
    for (number, section) in sections.iter_mut().enumerate() {
        for _ in 0..word(message, 6 + 2 * number)? {
            let (rr, end) = record(message, at, first)?;
            section.push(rr);
            at = end;
        }
    }
    let whole = Message { id: word(message, 0)?, flags: word(message, 2)?, questions, sections };
    (at == message.len()).then_some(whole)
}

/// Returns the 16-bit number at `at`.
pub fn word(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

/// Returns the record at `at`, whatever its class, with no name compressed, and where it ends.
fn record(message: &[u8], at: usize, first: usize) -> Option<(Rr, usize)> {
    let (owner, fixed) = name(message, at, first)?;
    let rtype = word(message, fixed)?;
    let ttl = u32::from(word(message, fixed + 4)?) << 16 | u32::from(word(message, fixed + 6)?);
    let start = fixed + 10;
    let end = start + usize::from(word(message, fixed + 8)?);
    let octets = message.get(start..end)?;
    // Octets before the names of the types of RFC 1035, and the number of these.
    let (before, names) = match rtype {
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::MB | rtype::MD | rtype::MF => (0, 1),
        rtype::MG | rtype::MR => (0, 1),
        rtype::MX => (2, 1),
        rtype::SOA | rtype::MINFO => (0, 2),
        _ => (octets.len(), 0),
    };
    let mut rdata = octets.get(..before)?.to_vec();
    let mut next = start + before;
    for _ in 0..names {
        let (target, after) = name(message, next, first)?;
        rdata.extend(target);
        next = after;
    }
    rdata.extend_from_slice(message.get(next..end)?);
    Some((Rr { owner: owner.into(), rtype, ttl, rdata: rdata.into() }, end))
}

/// Returns the name at `at`, uncompressed, and where it ends. Pointers go backwards, but not before `first`.
fn name(message: &[u8], mut at: usize, first: usize) -> Option<(Vec<u8>, usize)> {
    let (mut name, mut end) = (Vec::new(), None);
    loop {
        match *message.get(at)? {
            0 => {
                name.push(0);
                return (name.len() <= MAX_NAME).then_some((name, end.unwrap_or(at + 1)));
            }
            high @ 0xC0.. => {
                let target = usize::from(high & 0x3F) << 8 | usize::from(*message.get(at + 1)?);
                end = end.or(Some(at + 2));
                (first..at).contains(&target).then_some(())?;
                at = target;
            }
            size => {
                let octets = 1 + usize::from(size);
                (octets <= 1 + MAX_LABEL && name.len() < MAX_NAME).then_some(())?;
                name.extend_from_slice(message.get(at..at + octets)?);
                at += octets;
            }
        }
    }
}
