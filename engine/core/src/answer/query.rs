//! From octets to a query: header, question and EDNS (RFC 1035 section 4.1, RFC 6891 section 6).
//!
//! Nothing here fails, whatever the octets: the outcome is a query, a refusal to answer with, or an outcome
//! without an answer.

use super::options::is_well_formed;
use super::policy::Outcome;
use crate::name::{MAX_LABEL, MAX_NAME};
use crate::rtype;

/// The octets of a message's header.
pub const HEADER: usize = 12;
/// What every client takes over UDP.
pub const MIN_UDP: u16 = 512;
/// The bits of the flags that hold the opcode.
pub const OPCODE_MASK: u16 = 0x7800;
/// RFC 9824: a type that exists only in NSEC bitmaps.
const NXNAME: u16 = 128;
/// The EDNS option by which a client asks who we are (RFC 5001).
pub const OPTION_NSID: u16 = 3;
/// The EDNS option by which a secondary asks for how long our copy of the zone is good (RFC 7314).
const OPTION_EXPIRE: u16 = 9;

const OPCODE_QUERY: u8 = 0;
const OPCODE_NOTIFY: u8 = 4;
const OPCODE_UPDATE: u8 = 5;

/// The RCODEs that are answered; from 16 on the upper bits travel in the OPT record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Rcode {
    #[default]
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    BadVers = 16,
}

/// What the OPT record of a query says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// The most octets that the client takes over UDP, 512 or more.
    pub payload: u16,
    /// Its EDNS version.
    pub version: u8,
    /// The DO bit.
    pub dnssec_ok: bool,
    /// Whether NSID was asked for.
    pub nsid: bool,
    /// Whether EXPIRE was asked for.
    pub expire: bool,
}

/// One well-formed query.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The whole message.
    pub data: &'a [u8],
    /// The header's second word.
    pub flags: u16,
    /// Where the question section ends in `data`.
    pub question_end: usize,
    /// The number of labels of the name asked for, the root label not counted.
    pub labels: usize,
    /// The type asked for.
    pub qtype: u16,
    /// The class asked for.
    pub qclass: u16,
    /// The OPT record, if there is one.
    pub edns: Option<Edns>,
}

impl<'a> Query<'a> {
    /// The name asked for, in the case it came in.
    pub fn qname(&self) -> &'a [u8] {
        &self.data[HEADER..self.question_end - 4]
    }

    /// The RD bit.
    pub fn recursion_desired(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// The DO bit.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// The most octets that the client takes over UDP.
    pub fn payload(&self) -> u16 {
        self.edns.map_or(MIN_UDP, |edns| edns.payload)
    }
}

/// A query that is answered with `rcode` alone.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// Why.
    pub rcode: Rcode,
    /// The query's flags.
    pub flags: u16,
    /// The question is repeated up to here; `HEADER` where it was not read.
    pub question_end: usize,
    /// Where the query's OPT record was read, the answer has one, too.
    pub edns: Option<Edns>,
}

impl Refusal {
    /// Returns the refusal of a message of which no more than the header's flags is used.
    pub fn bare(rcode: Rcode, flags: u16) -> Self {
        Self { rcode, flags, question_end: HEADER, edns: None }
    }
}

/// Why a message is no query to look up.
#[derive(Clone, Copy, Debug)]
pub enum Other {
    /// It is answered with an RCODE.
    Refused(Refusal),
    /// It is not answered, or not here.
    Outcome(Outcome),
}

/// Reads `data` as a query.
///
/// Octets behind the last record are ignored, as BIND does. A compressed name in the question is refused:
/// nothing stands before it that it could point at.
pub fn parse(data: &[u8]) -> Result<Query<'_>, Other> {
    if data.len() < HEADER || data[2] & 0x80 != 0 {
        return Err(Other::Outcome(Outcome::Drop));
    }
    let opcode = data[2] >> 3 & 0xF;
    if opcode == OPCODE_NOTIFY || opcode == OPCODE_UPDATE {
        return Err(Other::Outcome(Outcome::NotMine));
    }
    let flags = word(data, 2);
    let query = read_query(data, flags);
    if opcode != OPCODE_QUERY {
        if let Err(Other::Outcome(Outcome::NotMine)) = query {
            return Err(Other::Outcome(Outcome::NotMine)); // the answer has to be signed
        }
        // What the message means is not known: only its EDNS version is looked at (RFC 6891 section 6.1.3).
        let edns = match query {
            Ok(query) => query.edns,
            Err(Other::Refused(refusal)) => refusal.edns,
            Err(Other::Outcome(_)) => None,
        };
        let bad_version = edns.is_some_and(|edns| edns.version > 0);
        let rcode = if bad_version { Rcode::BadVers } else { Rcode::NotImp };
        return Err(Other::Refused(Refusal { edns, ..Refusal::bare(rcode, flags) }));
    }
    judge(query?)
}

/// Reads `data`, at least a header, as a message of one question, whatever it asks for.
fn read_query(data: &[u8], flags: u16) -> Result<Query<'_>, Other> {
    if word(data, 4) != 1 {
        return Err(Other::Refused(refuse_questions(data, flags)));
    }
    let Some((end, labels)) = question_end(data) else {
        return Err(Other::Refused(Refusal::bare(Rcode::FormErr, flags)));
    };
    let mut query = Query {
        data,
        flags,
        question_end: end,
        labels,
        qtype: word(data, end - 4),
        qclass: word(data, end - 2),
        edns: None,
    };
    if data[6..HEADER] != [0; 6] {
        read_records(&mut query)?;
    }
    Ok(query)
}

/// Refuses a message of no question or several (RFC 9619); with OPT if it has one (RFC 6891 section 6.1.1).
#[cold]
fn refuse_questions(data: &[u8], flags: u16) -> Refusal {
    let bare = Refusal::bare(Rcode::FormErr, flags);
    let mut at = HEADER;
    for _ in 0..word(data, 4) {
        at = match name_end(data, at) {
            Some(name_end) if name_end + 4 <= data.len() => name_end + 4,
            _ => return bare,
        };
    }
    let mut query = Query { data, flags, question_end: at, labels: 0, qtype: 0, qclass: 0, edns: None };
    let edns = match read_records(&mut query) {
        Ok(()) => query.edns,
        Err(Other::Refused(refusal)) => refusal.edns,
        Err(Other::Outcome(_)) => None,
    };
    let bad_version = edns.is_some_and(|edns| edns.version > 0);
    Refusal { rcode: if bad_version { Rcode::BadVers } else { Rcode::FormErr }, edns, ..bare }
}

/// Returns where the first question ends and how many labels its name has, `None` when it is no whole,
/// uncompressed question.
fn question_end(data: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut labels) = (HEADER, 0);
    loop {
        match usize::from(*data.get(at)?) {
            0 => break,
            size if size <= MAX_LABEL => (at, labels) = (at + 1 + size, labels + 1),
            _ => return None,
        }
    }
    let (name_end, end) = (at + 1, at + 5);
    (end <= data.len() && name_end - HEADER <= MAX_NAME).then_some((end, labels))
}

/// Passes on what secondaries ask, and refuses what cannot be answered whatever the data.
fn judge(query: Query<'_>) -> Result<Query<'_>, Other> {
    let bad_version = query.edns.is_some_and(|edns| edns.version > 0);
    // Types that no data has, and BIND's verdict on questions for them.
    let rcode = match query.qtype {
        _ if bad_version => Rcode::BadVers,
        rtype::OPT | NXNAME | rtype::TKEY | rtype::TSIG => Rcode::FormErr,
        rtype::MAILA | rtype::MAILB => Rcode::NotImp,
        rtype::AXFR | rtype::IXFR => return Err(Other::Outcome(Outcome::NotMine)),
        // How much is left of the zone's life is not known here.
        rtype::SOA if query.edns.is_some_and(|edns| edns.expire) => {
            return Err(Other::Outcome(Outcome::NotMine));
        }
        _ => return Ok(query),
    };
    Err(Other::Refused(Refusal {
        rcode,
        flags: query.flags,
        question_end: query.question_end,
        edns: query.edns,
    }))
}

/// Walks over the records behind the question, looks at OPT, and leaves signed queries to others.
fn read_records(query: &mut Query<'_>) -> Result<(), Other> {
    let data = query.data;
    let bare = Other::Refused(Refusal::bare(Rcode::FormErr, query.flags));
    let refusal = Refusal { question_end: query.question_end, ..Refusal::bare(Rcode::FormErr, query.flags) };
    let with_question = Other::Refused(refusal);
    let mut at = query.question_end;
    let leading = usize::from(word(data, 6)) + usize::from(word(data, 8));
    let count = leading + usize::from(word(data, 10));
    for index in 0..count {
        let root_owner = data.get(at) == Some(&0);
        at = name_end(data, at).ok_or(bare)?;
        if at + 10 > data.len() {
            return Err(bare);
        }
        let rtype = word(data, at);
        let end = at + 10 + usize::from(word(data, at + 8));
        if end > data.len() {
            return Err(bare);
        }
        match rtype {
            rtype::OPT => {
                // RFC 6891 section 6.1.1: one OPT, owned by the root, in the additional section.
                if query.edns.is_some() || !root_owner || index < leading {
                    return Err(with_question);
                }
                let edns = read_opt(data, at, end);
                query.edns = Some(edns.map_err(|edns| Other::Refused(Refusal { edns, ..refusal }))?);
            }
            rtype::TSIG | rtype::SIG if index >= leading && index == count - 1 => {
                return Err(Other::Outcome(Outcome::NotMine));
            }
            // RFC 8945 section 5.1: it is the last record, in the additional section.
            rtype::TSIG => return Err(with_question),
            _ => {}
        }
        at = end;
    }
    Ok(())
}

/// Returns where the name at `at` ends, `None` when it runs out of the message. Pointers are not followed.
fn name_end(data: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match *data.get(at)? {
            0 => return Some(at + 1),
            size @ 0xC0.. => {
                // A pointer goes backwards (RFC 1035 section 4.1.4), and not into the header.
                let target = usize::from(size & 0x3F) << 8 | usize::from(*data.get(at + 1)?);
                return (HEADER..start).contains(&target).then_some(at + 2);
            }
            size @ ..64 => at += 1 + usize::from(size),
            _ => return None,
        }
    }
}

/// Reads the OPT record whose type is at `at`.
///
/// Fails when its options are not well-formed, with what the answer's OPT record is to be made of: nothing where
/// they cannot even be told apart.
fn read_opt(data: &[u8], at: usize, end: usize) -> Result<Edns, Option<Edns>> {
    let mut edns = Edns {
        payload: word(data, at + 2).max(MIN_UDP),
        version: data[at + 5],
        dnssec_ok: data[at + 6] >= 0x80,
        nsid: false,
        expire: false,
    };
    let mut at = at + 10;
    while at < end {
        if at + 4 > end {
            return Err(None);
        }
        let code = word(data, at);
        let start = at + 4;
        at = start + usize::from(word(data, at + 2));
        if at > end {
            return Err(None);
        }
        if !is_well_formed(code, &data[start..at]) {
            return Err(Some(edns));
        }
        edns.nsid |= code == OPTION_NSID;
        edns.expire |= code == OPTION_EXPIRE;
    }
    Ok(edns)
}

/// Returns the 16-bit number at `at`, which is there.
pub(crate) fn word(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([data[at], data[at + 1]])
}
