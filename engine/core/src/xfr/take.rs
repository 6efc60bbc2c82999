//! The records of a message of a transfer into a zone that is being built: a message whole, or not at all.
//!
//! What is taken here is what `bindpy.xfr.wire` and `wire_rdata` take, byte by byte. A message with anything
//! wrong, or rare, is left to them: nothing of it is taken then.

use std::ops::Range;

use crate::name::{self, MAX_NAME};
use crate::zone::ZoneBuilder;
use crate::{rdata, rtype};

const HEADER: usize = 12;
const MAX_TTL: u32 = 0x7fff_ffff;
/// Pointers in one name: as many as it can have labels.
const MAX_POINTERS: usize = 127;

/// What a message has to be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The ID of the query.
    pub id: u16,
    /// The type that was asked for: AXFR or IXFR.
    pub qtype: u16,
    /// The most records that the zone may have, 0 for any number.
    pub max_records: u64,
}

/// Checks RDATA of types that are not checked here.
pub trait RareWire {
    /// Whether `rdata`, in which no name is compressed, is valid for `rtype` in class IN.
    fn is_valid(&mut self, rtype: u16, rdata: &[u8]) -> bool;
}

/// Knows no rare types: messages that have some are left alone.
pub struct NoRareWire;

impl RareWire for NoRareWire {
    fn is_valid(&mut self, _rtype: u16, _rdata: &[u8]) -> bool {
        false
    }
}

/// One record of a message: where its owner and RDATA are in the octets that were made of it.
struct Taken {
    owner: (u32, u8),
    rtype: u16,
    ttl: u32,
    rdata: (u32, u16),
}

/// The records of a message, uncompressed, valid and in the zone; none is added to it yet.
pub struct OpenMessage {
    octets: Vec<u8>,
    records: Vec<Taken>,
}

impl OpenMessage {
    /// The number of records, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a message without records is not opened")]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Owner, type, TTL and RDATA of the record `number`, if there are so many.
    pub fn record(&self, number: usize) -> Option<(&[u8], u16, u32, &[u8])> {
        let Taken { owner, rtype, ttl, rdata } = self.records.get(number)?;
        let octets = |at: u32, size: usize| &self.octets[at as usize..][..size];
        Some((octets(owner.0, owner.1.into()), *rtype, *ttl, octets(rdata.0, rdata.1.into())))
    }

    /// Yields the records of `numbers`, as far as there are any.
    pub fn records(&self, numbers: Range<usize>) -> impl Iterator<Item = (&[u8], u16, u32, &[u8])> {
        numbers.map_while(|number| self.record(number))
    }
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

impl ZoneBuilder {
    /// Adds the records of `message`, one from the middle of an AXFR in class IN (its signature checked and
    /// removed), and returns their number; `None` where `bindpy.xfr` has to look at it, and then none is added.
    pub fn take_message(
        &mut self,
        message: &[u8],
        expected: &Expected,
        rare: &mut dyn RareWire,
    ) -> Option<usize> {
        let open = self.open_message(message, expected, rare)?;
        for (owner, rtype, ttl, rdata) in open.records(0..open.len()) {
            // they are in the zone; of one that gets too large Python finds out at which record
            self.add(owner, rtype, ttl, rdata).ok()?;
        }
        Some(open.len())
    }

    /// Returns the records of a message as [`Self::take_message`] takes it, for somebody who wants to look at
    /// them first.
    pub fn open_message(
        &self,
        message: &[u8],
        expected: &Expected,
        rare: &mut dyn RareWire,
    ) -> Option<OpenMessage> {
        let (start, count) = self.head(message, expected)?;
        let mut reader = Reader { message, names: Vec::new(), taken: Vec::with_capacity(count), rare };
        let mut at = start;
        for _ in 0..count {
            at = reader.record(at)?;
        }
        let room = match expected.max_records {
            0 => u64::MAX,
            most => most.saturating_sub(self.rr_count()),
        };
        if at != message.len() || self.class() != rtype::IN || count as u64 > room {
            return None;
        }
        let open = OpenMessage { octets: reader.names, records: reader.taken };
        let mut lower = [0; MAX_NAME];
        let apex = name::key(self.origin());
        let mut last: &[u8] = &[];
        for (owner, ..) in open.records(0..count) {
            if owner != last {
                let key = &mut lower[..owner.len()];
                key.copy_from_slice(owner);
                key.make_ascii_lowercase();
                name::is_subdomain(key, &apex).then_some(())?;
                last = owner;
            }
        }
        Some(open)
    }

    /// Checks the header and the question; returns where the answer section begins and how many records it has.
    fn head(&self, message: &[u8], expected: &Expected) -> Option<(usize, usize)> {
        let field = |number: usize| u16_at(message, 2 * number);
        let is_answer = field(1)? & !0x05b0 == 0x8000; // QR; AA, RD, RA, AD and CD do not matter
        if field(0)? != expected.id || !is_answer || field(4)? != 0 || field(5)? != 0 {
            return None;
        }
        let count = field(3)? as usize;
        let start = match field(2)? {
            0 => HEADER,
            1 => {
                let end = name::end(message, HEADER)?;
                let same = message[HEADER..end].eq_ignore_ascii_case(self.origin());
                let kind = (u16_at(message, end)?, u16_at(message, end + 2)?);
                (same && kind == (expected.qtype, self.class())).then_some(end + 4)?
            }
            _ => return None,
        };
        (count > 0).then_some((start, count))
    }
}

struct Reader<'m> {
    message: &'m [u8],
    /// Owners and RDATA, uncompressed, one after the other.
    names: Vec<u8>,
    taken: Vec<Taken>,
    rare: &'m mut dyn RareWire,
}

impl Reader<'_> {
    /// Reads the record at `at` and returns where it ends.
    fn record(&mut self, at: usize) -> Option<usize> {
        let owner_at = self.names.len();
        let at = self.name(at, self.message.len())?;
        let mut owner = (owner_at as u32, (self.names.len() - owner_at) as u8);
        if let Some(last) = self.taken.last() {
            let known = &self.names[last.owner.0 as usize..][..last.owner.1 as usize];
            if *known == self.names[owner_at..] {
                owner = last.owner;
                self.names.truncate(owner_at);
            }
        }
        let rtype = u16_at(self.message, at)?;
        let class = u16_at(self.message, at + 2)?;
        let ttl = u32_at(self.message, at + 4)?;
        let start = at + 10;
        let end = start + u16_at(self.message, at + 8)? as usize;
        if class != rtype::IN || rtype == rtype::SOA || rtype::is_meta(rtype) || end > self.message.len() {
            return None;
        }
        let rdata_at = self.names.len();
        self.rdata(rtype, start, end)?;
        let size = u16::try_from(self.names.len() - rdata_at).ok()?;
        let ttl = if ttl > MAX_TTL { 0 } else { ttl };
        self.taken.push(Taken { owner, rtype, ttl, rdata: (rdata_at as u32, size) });
        Some(end)
    }

    /// Appends the name at `at`, uncompressed, and returns where it ends in the message, at most at `end`.
    fn name(&mut self, at: usize, end: usize) -> Option<usize> {
        let begin = self.names.len();
        let (mut at, mut start, mut after) = (at, at, None);
        let mut pointers = 0;
        loop {
            let size = *self.message.get(at)? as usize;
            match size {
                0 => {
                    self.names.push(0);
                    let after = after.unwrap_or(at + 1);
                    let fits = self.names.len() - begin <= MAX_NAME && after <= end;
                    return fits.then_some(after);
                }
                1..=63 => {
                    self.names.extend_from_slice(self.message.get(at..at + 1 + size)?);
                    at += 1 + size;
                    (self.names.len() - begin < MAX_NAME).then_some(())?;
                }
                0xc0.. => {
                    let target = u16_at(self.message, at)? as usize & 0x3fff;
                    pointers += 1;
                    // backwards only, so that no name goes in circles
                    (target < start && pointers <= MAX_POINTERS).then_some(())?;
                    after = after.or(Some(at + 2));
                    (at, start) = (target, target);
                }
                _ => return None,
            }
        }
    }

    /// Appends the RDATA between two places, uncompressed, if it is valid.
    fn rdata(&mut self, rtype: u16, at: usize, end: usize) -> Option<()> {
        let octets = &self.message[at..end];
        let name_after = match rtype {
            rtype::NS | rtype::CNAME | rtype::PTR | rtype::MB | rtype::MG | rtype::MR => Some(0),
            rtype::MX => Some(2),
            rtype::SRV => Some(6),
            _ => None,
        };
        if let Some(head) = name_after {
            self.names.extend_from_slice(octets.get(..head)?);
            return (self.name(at + head, end)? == end).then_some(());
        }
        let is_valid = match rtype {
            // names in these may come compressed
            rtype::MD | rtype::MF | rtype::MINFO | rtype::RP | rtype::AFSDB | rtype::RT => return None,
            rtype::SIG | rtype::PX | rtype::NXT | rtype::NAPTR => return None,
            _ => rdata::is_valid(rtype, octets).unwrap_or_else(|| self.rare.is_valid(rtype, octets)),
        };
        self.names.extend_from_slice(octets);
        is_valid.then_some(())
    }
}
