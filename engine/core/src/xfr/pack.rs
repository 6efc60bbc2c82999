//! A zone into the messages of an AXFR (RFC 5936 section 2.2), one message at a time; the specification is
//! `bindpy.xfr.stream`.
//!
//! Every message repeats the question, which the RFC allows: so the zone's name stands at the same place in all
//! of them, and an owner needs no search to be compressed.

use std::fmt;

use crate::name;
use crate::rtype;
use crate::zone::{Node, Zone};

const HEADER: usize = 12;
const POINTER: u16 = 0xc000;
/// The highest offset that a pointer can hold.
const REACH: usize = 0x3fff;
/// Names of a message that later ones may point at; a new one takes the place of an older one.
const KNOWN: usize = 512;

/// What the messages of one transfer look like.
#[derive(Clone, Debug)]
pub struct Packing {
    /// The ID.
    pub id: u16,
    /// The flags, QR and AA among them.
    pub flags: u16,
    /// The question as it was sent: name, type and class.
    pub question: Vec<u8>,
    /// The OPT record that ends each message, or nothing.
    pub opt: Vec<u8>,
    /// The most octets of a message, but for one record that needs more.
    pub limit: usize,
    /// The most octets of a message with one such record.
    pub most: usize,
    /// Exactly one record in each message.
    pub one_answer: bool,
}

/// One message and how many records its answer section has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Its octets.
    pub message: Vec<u8>,
    /// The number of records.
    pub records: usize,
}

/// A record does not fit any message, and so its zone cannot be transferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTooLarge {
    /// Its owner.
    pub owner: Vec<u8>,
    /// Its type.
    pub rtype: u16,
    /// The octets of its RDATA.
    pub rdata_octets: usize,
}

impl fmt::Display for RecordTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = name::to_text(&self.owner);
        let RecordTooLarge { rtype, rdata_octets, .. } = self;
        write!(
            f,
            "the record '{owner}' of type {rtype} with {rdata_octets} octets of data does not fit a message"
        )
    }
}

impl std::error::Error for RecordTooLarge {}

/// Which records come next: from the record `record` of the node `key` on.
enum Next {
    Soa,
    Node { key: Vec<u8>, record: usize },
    LastSoa,
    Nothing,
}

/// The messages of an AXFR of one version of a zone: all records, with the SOA first and once more at the end.
pub struct ZoneMessages {
    zone: Zone,
    packing: Packing,
    next: Next,
}

impl ZoneMessages {
    /// Begins a transfer of `zone`.
    pub fn new(zone: Zone, packing: Packing) -> Self {
        ZoneMessages { zone, packing, next: Next::Soa }
    }
}

impl Iterator for ZoneMessages {
    type Item = Result<Packed, RecordTooLarge>;

    fn next(&mut self) -> Option<Self::Item> {
        let zone = self.zone.clone();
        let mut writer = Writer::new(&zone, &self.packing);
        self.next = match writer.fill(std::mem::replace(&mut self.next, Next::Nothing)) {
            Ok(next) => next,
            Err(error) => return Some(Err(error)),
        };
        (writer.records > 0).then(|| Ok(writer.finish()))
    }
}

/// A message that is being written.
struct Writer<'a> {
    zone: &'a Zone,
    packing: &'a Packing,
    /// The octets that end in the zone's name and are the question's; none where the case of letters differs.
    origin: Option<&'a [u8]>,
    out: Vec<u8>,
    records: usize,
    known: Vec<Option<(&'a [u8], u16)>>,
}

fn slot(name: &[u8]) -> usize {
    let mut mixed = name.len() as u64;
    for octets in name.chunks(8) {
        let number = octets.iter().fold(0u64, |number, &octet| number << 8 | u64::from(octet));
        mixed = (mixed ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 29;
    }
    (mixed >> 32) as usize % KNOWN
}

impl<'a> Writer<'a> {
    fn new(zone: &'a Zone, packing: &'a Packing) -> Self {
        let mut out = Vec::with_capacity(packing.limit.clamp(512, 65535));
        out.resize(HEADER, 0);
        out.extend_from_slice(&packing.question);
        let question_name = packing.question.get(..packing.question.len().saturating_sub(4)).unwrap_or(&[]);
        let same_case = question_name == zone.origin() && zone.origin() != name::ROOT;
        let origin = same_case.then(|| zone.origin());
        Writer { zone, packing, origin, out, records: 0, known: vec![None; KNOWN] }
    }

    /// Writes records from `next` on, and returns what does not fit any more.
    fn fill(&mut self, mut next: Next) -> Result<Next, RecordTooLarge> {
        let zone = self.zone;
        loop {
            next = match next {
                Next::Nothing => return Ok(Next::Nothing),
                Next::Soa | Next::LastSoa => {
                    let soa = zone.soa();
                    if !self.put(zone.origin(), rtype::SOA, soa.ttl(), soa.first())? {
                        return Ok(next);
                    }
                    match next {
                        Next::Soa => Next::Node { key: zone.key().to_vec(), record: 0 },
                        _ => Next::Nothing,
                    }
                }
                Next::Node { key, record } => {
                    let start = zone.find(&key).into_iter();
                    let mut skip = record;
                    let mut left = None;
                    for node in start.chain(zone.nodes_after(&key)) {
                        if let Some(record) = self.node(node, skip)? {
                            left = Some(Next::Node { key: name::key(node.owner()), record });
                            break;
                        }
                        skip = 0;
                    }
                    match left {
                        Some(left) => return Ok(left),
                        None => Next::LastSoa,
                    }
                }
            };
        }
    }

    /// Writes the records of `node` from number `skip` on; returns the number of the first that does not fit.
    fn node(&mut self, node: Node<'a>, skip: usize) -> Result<Option<usize>, RecordTooLarge> {
        let mut number = 0;
        for rrset in node.rrsets() {
            let rtype = rrset.rtype();
            if node.is_apex() && rtype == rtype::SOA {
                continue;
            }
            for rdata in rrset.rdatas() {
                if number >= skip && !self.put(node.owner(), rtype, rrset.ttl(), rdata)? {
                    return Ok(Some(number));
                }
                number += 1;
            }
        }
        Ok(None)
    }

    /// Writes one record; returns false where that has to go into the next message.
    fn put(
        &mut self,
        owner: &'a [u8],
        rtype: u16,
        ttl: u32,
        rdata: &'a [u8],
    ) -> Result<bool, RecordTooLarge> {
        let before = self.out.len();
        self.name(owner);
        self.out.extend_from_slice(&rtype.to_be_bytes());
        self.out.extend_from_slice(&self.zone.class().to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        match rtype {
            // the types of RFC 1035 (RFC 3597 section 4)
            rtype::NS | rtype::CNAME | rtype::PTR | rtype::MB | rtype::MD | rtype::MF => self.name(rdata),
            rtype::MG | rtype::MR => self.name(rdata),
            rtype::MX if rdata.len() > 2 => {
                self.out.extend_from_slice(&rdata[..2]);
                self.name(&rdata[2..]);
            }
            rtype::SOA | rtype::MINFO => match name::end(rdata, 0) {
                Some(end) => {
                    self.name(&rdata[..end]);
                    let second = name::end(rdata, end).unwrap_or(end);
                    self.name(&rdata[end..second]);
                    self.out.extend_from_slice(&rdata[second..]);
                }
                None => self.out.extend_from_slice(rdata),
            },
            _ => self.out.extend_from_slice(rdata),
        }
        let length = (self.out.len() - length_at - 2) as u16;
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        let size = self.out.len() + self.packing.opt.len();
        let first = self.records == 0;
        let fits = if first { size <= self.packing.most } else { size <= self.packing.limit };
        if fits && (first || !self.packing.one_answer) {
            self.records += 1;
            return Ok(true);
        }
        if first {
            return Err(RecordTooLarge { owner: owner.to_vec(), rtype, rdata_octets: rdata.len() });
        }
        self.out.truncate(before);
        Ok(false)
    }

    /// Writes a name, in two octets where it is known in this message already.
    fn name(&mut self, name: &'a [u8]) {
        let place = &mut self.known[slot(name)];
        if let Some((_, at)) = place.filter(|(known, _)| *known == name) {
            self.out.extend_from_slice(&(POINTER | at).to_be_bytes());
            return;
        }
        if self.out.len() <= REACH {
            *place = Some((name, self.out.len() as u16));
        }
        match self.origin {
            Some(origin) if name::is_subdomain(name, origin) => {
                self.out.extend_from_slice(&name[..name.len() - origin.len()]);
                self.out.extend_from_slice(&(POINTER | HEADER as u16).to_be_bytes());
            }
            _ => self.out.extend_from_slice(name),
        }
    }

    fn finish(self) -> Packed {
        let Writer { mut out, records, packing, .. } = self;
        let counts = [packing.id, packing.flags, 1, records as u16, 0, u16::from(!packing.opt.is_empty())];
        for (at, count) in counts.iter().enumerate() {
            out[2 * at..2 * at + 2].copy_from_slice(&count.to_be_bytes());
        }
        out.extend_from_slice(&packing.opt);
        Packed { message: out, records }
    }
}
