//! From a collected response to octets: name compression, EDNS and, here only, truncation.
//!
//! RFC 1035 section 4.1, RFC 3597 section 4 (which RDATA may hold compressed names), RFC 6891 section 6.

use smallvec::SmallVec;

use super::dictionary::{Names, POINTER, Place, REACH, Standing, place_in_question};
use super::query::{Edns, HEADER, OPCODE_MASK, OPTION_NSID, Query, Rcode, Refusal};
use super::response::{Data, Ede, Entry, Response};
use super::soa::CompressedSoa;
use crate::name::ROOT;
use crate::rtype;

const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
/// RD and CD are copied (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2).
const PRESERVED_FLAGS: u16 = 0x0110;
const DNSSEC_OK: u32 = 0x8000;

const OPTION_EDE: u16 = 15;

/// So many names in RDATA are remembered; other owners of glue are looked for.
const HOSTS: usize = 4;

/// What an answer holds besides the response.
pub struct Extras<'a> {
    /// The payload size that we advertise.
    pub edns_octets: u16,
    /// Our identity for those who ask (RFC 5001).
    pub nsid: Option<&'a [u8]>,
}

impl<'a> Extras<'a> {
    /// Returns our identity, where `query` asks for it and there is one.
    fn nsid_for(&self, query: &Query<'_>) -> Option<&'a [u8]> {
        self.nsid.filter(|_| query.edns.is_some_and(|edns| edns.nsid))
    }

    /// Returns how many octets the three sections of an answer to `query` may have in a message of at most `limit`, where
    /// the names in them can be pointed at wherever they are. The answer has no EDE.
    pub fn room_in(&self, limit: usize, query: &Query<'_>) -> usize {
        let opt_octets = if query.edns.is_some() { opt_octets(self.nsid_for(query), None) } else { 0 };
        limit.min(REACH).saturating_sub(query.question_end + opt_octets)
    }
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    answers: u16,
    pub authorities: u16,
    /// Without OPT.
    pub additionals: u16,
    /// Where the records end, OPT not counted.
    pub end: usize,
    /// TC is set.
    pub truncated: bool,
    /// Nothing was left out.
    pub whole: bool,
}

/// Writes `response` to `out` as a message of at most `limit` octets.
///
/// An RRset goes in whole or not at all. One of the answer or authority section, or required glue, that
/// does not fit sets TC and ends the message (RFC 2181 section 9, RFC 9471 section 3); what does not fit of
/// the rest of the additional section is left out silently.
pub fn encode(
    query: &Query<'_>,
    response: &Response<'_>,
    limit: usize,
    extras: &Extras<'_>,
    names: &mut Names,
    out: &mut Vec<u8>,
) -> Written {
    let nsid = extras.nsid_for(query);
    let opt_octets = if query.edns.is_some() { opt_octets(nsid, response.ede) } else { 0 };
    out.clear();
    out.extend_from_slice(&query.data[..query.question_end]);
    let written = match &response.tail {
        Some(tail) => {
            tail.write(out);
            let (authorities, additionals) = tail.counts();
            Written { answers: 0, authorities, additionals, end: out.len(), truncated: false, whole: true }
        }
        None => put_sections(query, response, limit.saturating_sub(opt_octets), names, out),
    };
    let mut flags = QR | (query.flags & PRESERVED_FLAGS) | (response.rcode as u16 & 0xF);
    if written.truncated {
        flags |= TC;
    }
    // RFC 1035 section 6.2: what is asked of all classes is never answered with authority.
    if response.authoritative && query.qclass != rtype::ANY_CLASS {
        flags |= AA;
    }
    let mut additionals = written.additionals;
    if let Some(edns) = &query.edns {
        put_opt(out, extras.edns_octets, response.rcode, edns.dnssec_ok, nsid, response.ede);
        additionals += 1;
    }
    put_header(out, flags, 1, written.answers, written.authorities, additionals);
    written
}

/// Writes the three sections of `response` behind the question, up to `room` octets of the message.
fn put_sections(
    query: &Query<'_>,
    response: &Response<'_>,
    room: usize,
    names: &mut Names,
    out: &mut Vec<u8>,
) -> Written {
    names.clear();
    let mut message = Message::new(out, names, query.qname(), response.origin);
    message.room = room;
    if query.qclass == rtype::CHAOS {
        message.rdclass = rtype::CHAOS;
    }
    let answers = message.put(&response.answer);
    let authorities = message.put(&response.authority);
    let (required, rest) = response.additional.split_at(response.required);
    let mut additionals = message.put(required);
    let truncated = message.full;
    if !truncated {
        additionals += message.put(rest);
    }
    let (whole, end) = (!message.full, message.out.len());
    Written { answers, authorities, additionals, end, truncated, whole }
}

/// Writes the answer to a query that was not taken: header, the question if it was read, and OPT.
pub fn encode_refusal(data: &[u8], refusal: &Refusal, edns_octets: u16, out: &mut Vec<u8>) {
    let flags = QR | (refusal.flags & (PRESERVED_FLAGS | OPCODE_MASK)) | (refusal.rcode as u16 & 0xF);
    out.clear();
    out.extend_from_slice(&data[..refusal.question_end]);
    if let Some(Edns { dnssec_ok, .. }) = refusal.edns {
        put_opt(out, edns_octets, refusal.rcode, dnssec_ok, None, None);
    }
    let questions = u16::from(refusal.question_end > HEADER);
    put_header(out, flags, questions, 0, 0, u16::from(refusal.edns.is_some()));
}

/// Writes all of the header but the ID.
fn put_header(out: &mut [u8], flags: u16, questions: u16, answers: u16, authorities: u16, additionals: u16) {
    let words = [flags, questions, answers, authorities, additionals];
    for (octets, word) in out[2..HEADER].chunks_exact_mut(2).zip(words) {
        octets.copy_from_slice(&word.to_be_bytes());
    }
}

fn opt_octets(nsid: Option<&[u8]>, ede: Option<Ede>) -> usize {
    11 + nsid.map_or(0, |nsid| 4 + nsid.len()) + ede.map_or(0, |_| 6)
}

/// Writes an OPT record; it holds the upper bits of `rcode`.
fn put_opt(
    out: &mut Vec<u8>,
    edns_octets: u16,
    rcode: Rcode,
    dnssec_ok: bool,
    nsid: Option<&[u8]>,
    ede: Option<Ede>,
) {
    let ttl = (rcode as u32 >> 4) << 24 | if dnssec_ok { DNSSEC_OK } else { 0 };
    let options = (opt_octets(nsid, ede) - 11) as u16;
    out.push(0);
    put_words(out, &[rtype::OPT, edns_octets]);
    out.extend_from_slice(&ttl.to_be_bytes());
    put_words(out, &[options]);
    if let Some(nsid) = nsid {
        put_words(out, &[OPTION_NSID, nsid.len() as u16]);
        out.extend_from_slice(nsid);
    }
    if let Some(ede) = ede {
        put_words(out, &[OPTION_EDE, 2, ede as u16]);
    }
}

fn put_words(out: &mut Vec<u8>, words: &[u16]) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

/// Where the names start that RDATA may hold compressed, and how many follow one another there: the types
/// of RFC 1035 (RFC 3597 section 4).
pub fn compressible(rtype: u16) -> Option<(usize, usize)> {
    match rtype {
        rtype::NS | rtype::CNAME | rtype::PTR => Some((0, 1)),
        rtype::MB | rtype::MD | rtype::MF | rtype::MG | rtype::MR => Some((0, 1)),
        rtype::MX => Some((2, 1)),
        rtype::SOA | rtype::MINFO => Some((0, 2)),
        _ => None,
    }
}

/// A message being written.
struct Message<'m> {
    out: &'m mut Vec<u8>,
    names: &'m mut Names,
    qname: &'m [u8],
    origin: &'m [u8],
    room: usize,
    full: bool,
    rdclass: u16,
    /// The zone's name where it stands in the question, which most names of the message end in.
    zone: Option<Standing<'m>>,
    /// The owner that was written last: the next one is often the same, and names in RDATA end in it.
    latest: Option<Standing<'m>>,
    /// The first names in RDATA, but those in SOA: in a referral they are the owners of the glue.
    hosts: SmallVec<[Standing<'m>; HOSTS]>,
    /// The RDATA that was written as it was compressed beforehand, and where that is.
    soa: Option<(usize, &'m CompressedSoa)>,
}

impl<'m> Message<'m> {
    /// Goes on with `out`, which ends behind the question for `qname`, about the zone `origin`.
    #[inline]
    fn new(out: &'m mut Vec<u8>, names: &'m mut Names, qname: &'m [u8], origin: &'m [u8]) -> Self {
        Self {
            out,
            names,
            qname,
            origin,
            room: usize::MAX,
            full: false,
            rdclass: rtype::IN,
            zone: place_in_question(qname, origin),
            latest: None,
            hosts: SmallVec::new(),
            soa: None,
        }
    }

    /// Writes RRsets until one does not fit: it is taken out again, `full` is set, and nothing follows.
    ///
    /// Returns the number of records written.
    fn put(&mut self, entries: &[Entry<'m>]) -> u16 {
        let mut count = 0u16;
        if self.full {
            return count;
        }
        for entry in entries {
            let start = self.out.len();
            let written = match &entry.data {
                Data::Rrset(rdatas) => self.put_all(entry, rdatas.clone()),
                Data::One(rdata) => self.put_all(entry, std::iter::once(*rdata)),
                Data::Soa(rdata, compressed) => self.put_soa(entry, rdata, compressed),
            };
            match written {
                Some(written) => count += written,
                None => {
                    self.out.truncate(start);
                    self.full = true;
                    return count;
                }
            }
        }
        count
    }

    /// Writes one RRset; `None` when it does not fit.
    fn put_all(&mut self, entry: &Entry<'m>, rdatas: impl Iterator<Item = &'m [u8]>) -> Option<u16> {
        let mut count = 0;
        let names = compressible(entry.rtype);
        let mut head = [0; 12];
        head[2..4].copy_from_slice(&entry.rtype.to_be_bytes());
        head[4..6].copy_from_slice(&self.rdclass.to_be_bytes());
        head[6..10].copy_from_slice(&entry.ttl.to_be_bytes());
        for rdata in rdatas {
            head[10..].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
            match self.pointer_to(entry.owner) {
                Some(pointer) => {
                    head[..2].copy_from_slice(&pointer.to_be_bytes());
                    self.out.extend_from_slice(&head);
                }
                None => {
                    self.latest = self.put_name(entry.owner);
                    self.out.extend_from_slice(&head[2..]);
                }
            }
            match names {
                None => self.out.extend_from_slice(rdata),
                Some((at, number)) => self.put_compressed(rdata, at, number),
            }
            if self.out.len() > self.room {
                return None;
            }
            count += 1;
        }
        Some(count)
    }

    /// Writes the SOA of the zone, as it was compressed beforehand where that is what compressing it now would make.
    fn put_soa(&mut self, entry: &Entry<'m>, rdata: &'m [u8], compressed: &'m CompressedSoa) -> Option<u16> {
        let is_first = self.out.len() == HEADER + self.qname.len() + 4;
        let fits = |zone: &Standing<'_>| {
            is_first && zone.name == entry.owner && compressed.fits_behind(self.qname, zone.name)
        };
        let Some(zone) = self.zone.filter(fits) else {
            return self.put_all(entry, std::iter::once(rdata));
        };
        self.latest = Some(zone);
        put_words(self.out, &[POINTER | zone.offset, entry.rtype, self.rdclass]);
        self.out.extend_from_slice(&entry.ttl.to_be_bytes());
        put_words(self.out, &[compressed.size() as u16]);
        self.soa = Some((self.out.len(), compressed));
        compressed.write(self.out, zone.offset);
        (self.out.len() <= self.room).then_some(1)
    }

    /// Returns the pointer to `owner` where it is one of those that are known without looking, and notes it as
    /// the latest.
    ///
    /// Compression keeps case: a name of the zone in another case than the question's is written out.
    #[inline]
    fn pointer_to(&mut self, owner: &'m [u8]) -> Option<u16> {
        let is_it = |standing: &Standing<'_>| standing.name == owner;
        if !self.latest.as_ref().is_some_and(is_it) {
            if owner == self.qname && owner != ROOT {
                return Some(POINTER | HEADER as u16);
            }
            let hosts = self.hosts.iter().copied();
            self.latest = Some(self.zone.into_iter().chain(hosts).find(is_it)?);
        }
        self.latest.map(|latest| POINTER | latest.offset)
    }

    /// Writes `name`; returns where it stands from now on, if it can be pointed at.
    fn put_name<'n>(&mut self, name: &'n [u8]) -> Option<Standing<'n>> {
        if !self.names.knows_question {
            self.names.learn_question(self.qname, self.origin);
            if let Some((at, compressed)) = self.soa {
                compressed.places(at).for_each(|place| self.names.insert_place(place));
            }
        }
        let ends = |standing: &Standing<'_>| name.ends_with(standing.name);
        let ending = self.latest.filter(ends).or_else(|| self.zone.filter(ends));
        self.names.put(self.out, name, self.origin, ending)
    }

    /// Writes RDATA that holds names which may be compressed, and its length into the two octets before it.
    fn put_compressed(&mut self, rdata: &'m [u8], mut at: usize, number: usize) {
        let start = self.out.len();
        self.out.extend_from_slice(&rdata[..at]);
        for _ in 0..number {
            let end = crate::name::end(rdata, at).expect("a zone's RDATA is well-formed");
            let host = self.put_name(&rdata[at..end]);
            if number == 1 && self.hosts.len() < HOSTS {
                self.hosts.extend(host);
            }
            at = end;
        }
        self.out.extend_from_slice(&rdata[at..]);
        let octets = (self.out.len() - start) as u16;
        self.out[start - 2..start].copy_from_slice(&octets.to_be_bytes());
    }
}

/// Compresses the names of the SOA's `rdata` behind a question for `origin`, the name of its zone.
///
/// Returns what is written, where in the message that begins, and where the names in it stand.
pub fn compress_soa(origin: &[u8], rdata: &[u8]) -> (Vec<u8>, usize, Vec<Place>) {
    let mut out = question(origin);
    put_words(&mut out, &[0]);
    let start = out.len();
    let mut names = Names::default();
    names.learn_question(origin, origin);
    let known = names.places().len();
    let mut message = Message::new(&mut out, &mut names, origin, origin);
    message.put_compressed(rdata, 0, 2);
    drop(message); // what it borrows of `out`
    (out.split_off(start), start, names.places()[known..].to_vec())
}

/// Writes `entries` behind a question for `origin`, the name of their zone; returns the message, whose header is left out,
/// and how many records these are.
pub fn write_behind(origin: &[u8], entries: &[Entry<'_>]) -> (Vec<u8>, u16) {
    let (mut out, mut names) = (question(origin), Names::default());
    let mut message = Message::new(&mut out, &mut names, origin, origin);
    let records = message.put(entries);
    drop(message); // what it borrows of `out`
    (out, records)
}

/// Returns the beginning of a message, whose header is left out: the question for `origin`.
fn question(origin: &[u8]) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    out.extend_from_slice(origin);
    put_words(&mut out, &[rtype::SOA, rtype::IN]);
    out
}
