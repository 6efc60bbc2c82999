//! From a collected response to octets: name compression, EDNS and, here only, truncation.
//!
//! RFC 1035 section 4.1, RFC 3597 section 4 (which RDATA may hold compressed names), RFC 6891 section 6.

use smallvec::SmallVec;

use super::policy::RrsetOrder;
use super::query::{Edns, HEADER, OPCODE_MASK, OPTION_NSID, Query, Rcode, Refusal};
use super::response::{Ede, Entry, Response};
use crate::rtype;

const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
/// RD and CD are copied (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2).
const PRESERVED_FLAGS: u16 = 0x0110;
const DNSSEC_OK: u32 = 0x8000;

const OPTION_EDE: u16 = 15;

const POINTER: u16 = 0xC000;
/// The highest offset that a pointer can hold.
const REACH: usize = 0x3FFF;
/// The first name of the message, the question's.
const TO_QUESTION: u16 = POINTER | HEADER as u16;

/// Readers follow a few pointers only (dnspython sixteen), and chains of DNAMEs would make more: a place that is
/// reached over so many is not pointed at.
const TOO_DEEP: u16 = 8;

/// How RDATAs are to be ordered, and what that takes.
pub struct Ordering<'a> {
    pub order: RrsetOrder,
    /// Counts the RRsets that were ordered.
    pub turns: &'a mut u64,
}

/// What an answer holds besides the response.
pub struct Extras<'a> {
    /// The payload size that we advertise.
    pub edns_octets: u16,
    /// Our identity for those who ask (RFC 5001).
    pub nsid: Option<&'a [u8]>,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// TC is set.
    pub truncated: bool,
}

/// Writes `response` to `out` as a message of at most `limit` octets.
///
/// An RRset goes in whole or not at all. One of the answer or authority section, or required glue, that
/// does not fit sets TC and ends the message (RFC 2181 section 9, RFC 9471 section 3); what does not fit of
/// the rest of the additional section is left out silently.
pub fn encode<'m>(
    query: &Query<'m>,
    response: &Response<'m>,
    limit: usize,
    extras: &Extras<'_>,
    ordering: &mut Ordering<'_>,
    names: &'m mut Names,
    out: &'m mut Vec<u8>,
) -> Written {
    let nsid = extras.nsid.filter(|_| query.edns.is_some_and(|edns| edns.nsid));
    let opt_octets = if query.edns.is_some() { opt_octets(nsid, response.ede) } else { 0 };
    out.clear();
    out.extend_from_slice(&query.data[..query.question_end]);
    names.clear();
    let mut message = Message {
        out,
        names,
        qname: query.qname(),
        origin: response.origin,
        room: limit.saturating_sub(opt_octets),
        full: false,
        rdclass: if query.qclass == rtype::CHAOS { rtype::CHAOS } else { rtype::IN },
        latest: None,
    };
    let answers = message.put(&response.answer, Some(ordering));
    let authorities = message.put(&response.authority, None);
    let (required, rest) = response.additional.split_at(response.required);
    let mut additionals = message.put(required, None);
    let mut flags = QR | (query.flags & PRESERVED_FLAGS) | (response.rcode as u16 & 0xF);
    let truncated = message.full;
    if truncated {
        flags |= TC;
    } else {
        additionals += message.put(rest, None);
    }
    // RFC 1035 section 6.2: what is asked of all classes is never answered with authority.
    if response.authoritative && query.qclass != rtype::ANY_CLASS {
        flags |= AA;
    }
    if let Some(edns) = &query.edns {
        put_opt(out, extras.edns_octets, response.rcode, edns.dnssec_ok, nsid, response.ede);
        additionals += 1;
    }
    put_header(out, flags, 1, answers, authorities, additionals);
    Written { truncated }
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
fn compressible(rtype: u16) -> Option<(usize, usize)> {
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
    /// The owner that was written last, and the pointer to it: the next one is often the same.
    latest: Option<(&'m [u8], u16)>,
}

impl<'m> Message<'m> {
    /// Writes RRsets until one does not fit: it is taken out again, `full` is set, and nothing follows.
    ///
    /// Returns the number of records written.
    fn put(&mut self, entries: &[Entry<'m>], ordering: Option<&mut Ordering<'_>>) -> u16 {
        let mut count = 0u16;
        if self.full {
            return count;
        }
        let mut ordering = ordering.filter(|ordering| ordering.order != RrsetOrder::None);
        for (index, entry) in entries.iter().enumerate() {
            let start = self.out.len();
            let written = match ordering.as_deref_mut() {
                Some(ordering) if entry.data.is_many() => self.put_all(entry, arranged(entry, ordering)),
                _ => self.put_all(entry, entry.data.iter()),
            };
            match written {
                Some(written) => count += written,
                None => {
                    self.out.truncate(start);
                    self.full = true;
                    if let Some(ordering) = ordering {
                        // Every RRset of the response has its turn, also where there is no room for it.
                        let rest = entries[index + 1..].iter().filter(|entry| entry.data.is_many());
                        *ordering.turns = ordering.turns.wrapping_add(rest.count() as u64);
                    }
                    return count;
                }
            }
        }
        count
    }

    /// Writes one RRset; `None` when it does not fit.
    fn put_all<'d>(&mut self, entry: &Entry<'m>, rdatas: impl Iterator<Item = &'d [u8]>) -> Option<u16> {
        let mut count = 0;
        let names = compressible(entry.rtype);
        for rdata in rdatas {
            self.put_owner(entry.owner);
            let mut head = [0; 10];
            head[..2].copy_from_slice(&entry.rtype.to_be_bytes());
            head[2..4].copy_from_slice(&self.rdclass.to_be_bytes());
            head[4..8].copy_from_slice(&entry.ttl.to_be_bytes());
            head[8..].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
            self.out.extend_from_slice(&head);
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

    fn put_name(&mut self, name: &[u8]) -> Option<u16> {
        if !self.names.knows_question {
            self.names.learn_question(self.qname, self.origin);
        }
        self.names.put(self.out, name, self.origin)
    }

    fn put_owner(&mut self, owner: &'m [u8]) {
        // Compression keeps case: a name of the zone in another case than the question's is written out.
        let place = match &self.latest {
            Some((latest, place)) if *latest == owner => Some(*place),
            _ if owner == self.qname && owner[0] != 0 => Some(TO_QUESTION),
            _ => None,
        };
        match place {
            Some(place) => self.out.extend_from_slice(&place.to_be_bytes()),
            None => {
                let place = self.put_name(owner);
                self.latest = place.map(|place| (owner, place));
            }
        }
    }

    /// Writes RDATA that holds names which may be compressed, and its length into the two octets before it.
    fn put_compressed(&mut self, rdata: &[u8], mut at: usize, number: usize) {
        let start = self.out.len();
        self.out.extend_from_slice(&rdata[..at]);
        for _ in 0..number {
            let end = crate::name::end(rdata, at).expect("a zone's RDATA is well-formed");
            self.put_name(&rdata[at..end]);
            at = end;
        }
        self.out.extend_from_slice(&rdata[at..]);
        let octets = (self.out.len() - start) as u16;
        self.out[start - 2..start].copy_from_slice(&octets.to_be_bytes());
    }
}

/// Returns the RDATAs of `entry`, which has several, in the order that is due.
fn arranged<'d>(entry: &Entry<'d>, ordering: &mut Ordering<'_>) -> impl Iterator<Item = &'d [u8]> + use<'d> {
    let mut rdatas: SmallVec<[&[u8]; 16]> = entry.data.iter().collect();
    let turn = *ordering.turns;
    *ordering.turns = turn.wrapping_add(1);
    if ordering.order == RrsetOrder::Cyclic {
        let start = turn % rdatas.len() as u64;
        rdatas.rotate_left(start as usize);
    } else {
        let mut random = turn;
        for last in (1..rdatas.len()).rev() {
            rdatas.swap(last, (split_mix(&mut random) % (last as u64 + 1)) as usize);
        }
    }
    rdatas.into_iter()
}

/// The next number of the sequence SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

const HEADS: usize = 128;

/// Where names stand in a message that is being written: the compression dictionary, kept for reuse.
///
/// A hash table whose keys are in the message itself. Names are in it by hash, the newest first.
pub struct Names {
    heads: [u16; HEADS],
    places: Vec<Place>,
    knows_question: bool,
    /// Where the zone's name stands in the question, and its hash, if it does.
    origin: Option<(u16, u64)>,
}

#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    offset: u16,
    /// How many pointers are passed from there on.
    depth: u16,
    /// The next place of the same head, counted from 1.
    next: u16,
}

impl Default for Names {
    fn default() -> Self {
        Self { heads: [0; HEADS], places: Vec::with_capacity(64), knows_question: false, origin: None }
    }
}

/// The suffixes of a name, the longest first: where each begins, and its hash.
type Suffixes = SmallVec<[(u8, u64); 8]>;

impl Names {
    /// Forgets everything.
    fn clear(&mut self) {
        self.knows_question = false;
    }

    /// Begins with the question of the message `out`. Not before a name is written: many answers have none but
    /// the question's.
    fn learn_question(&mut self, qname: &[u8], origin: &[u8]) {
        self.knows_question = true;
        self.heads = [0; HEADS];
        self.places.clear();
        self.origin = None;
        let suffixes = suffixes(qname, qname.len() - 1, 0).unwrap_or_default();
        for &(start, hash) in &suffixes {
            let offset = HEADER as u16 + u16::from(start);
            self.insert(hash, offset, 0);
            if qname[usize::from(start)..] == *origin {
                self.origin = Some((offset, hash));
            }
        }
    }

    /// Writes `name`, ending in a pointer where a suffix of it stands already.
    ///
    /// Returns the pointer that stands for the whole name from now on, if there is one. The zone's name,
    /// `origin`, is what most names end in: it is not looked for again.
    fn put(&mut self, out: &mut Vec<u8>, name: &[u8], origin: &[u8]) -> Option<u16> {
        let base = out.len();
        let in_zone = self.origin.filter(|_| name.ends_with(origin)).and_then(|(offset, hash)| {
            let until = name.len() - origin.len();
            Some((suffixes(name, until, hash)?, Some((offset, until))))
        });
        let (suffixes, known) = in_zone.or_else(|| Some((suffixes(name, name.len() - 1, 0)?, None)))?;
        let (mut fresh, mut end, mut found) = (suffixes.len(), name.len(), None);
        for (index, &(start, hash)) in suffixes.iter().enumerate() {
            let start = usize::from(start);
            let place = self.find(out, hash, &name[start..]);
            if let Some((offset, depth)) = place.filter(|(_, depth)| *depth < TOO_DEEP) {
                (fresh, end, found) = (index, start, Some((offset, depth)));
                break;
            }
        }
        if let (None, Some((offset, until))) = (found, known) {
            (end, found) = (until, Some((offset, 0)));
        }
        out.extend_from_slice(&name[..end]);
        let mut depth = 0;
        if let Some((offset, its)) = found {
            out.extend_from_slice(&(POINTER | offset).to_be_bytes());
            if end == 0 {
                return Some(POINTER | offset);
            }
            depth = its + 1;
        }
        for &(start, hash) in &suffixes[..fresh] {
            let offset = base + usize::from(start);
            if offset <= REACH {
                self.insert(hash, offset as u16, depth);
            }
        }
        (depth < TOO_DEEP && base <= REACH && fresh > 0).then_some(POINTER | base as u16)
    }

    fn insert(&mut self, hash: u64, offset: u16, depth: u16) {
        let hash = (hash >> 32) as u32;
        let head = &mut self.heads[hash as usize % HEADS];
        self.places.push(Place { hash, offset, depth, next: *head });
        *head = self.places.len() as u16;
    }

    /// Returns the newest place where `name` stands in `out`, and how many pointers are passed from there on.
    fn find(&self, out: &[u8], hash: u64, name: &[u8]) -> Option<(u16, u16)> {
        let hash = (hash >> 32) as u32;
        let mut at = self.heads[hash as usize % HEADS];
        while at != 0 {
            let place = self.places[usize::from(at) - 1];
            if place.hash == hash && stands_at(out, usize::from(place.offset), name) {
                return Some((place.offset, place.depth));
            }
            at = place.next;
        }
        None
    }
}

/// Returns the suffixes of `name` that begin before its octet number `until`, where a name begins whose hash is
/// `hash`; `None` where no label ends there.
#[inline]
fn suffixes(name: &[u8], until: usize, mut hash: u64) -> Option<Suffixes> {
    let mut suffixes = Suffixes::new();
    let mut at = 0;
    while at < until {
        suffixes.push((at as u8, 0));
        at += 1 + usize::from(name[at]);
    }
    if at != until {
        return None;
    }
    let mut end = until;
    for (start, its) in suffixes.iter_mut().rev() {
        let start = usize::from(*start);
        hash = mix_label(hash, &name[start..end]);
        *its = hash;
        end = start;
    }
    Some(suffixes)
}

/// Mixes a label, with its length octet, into a hash.
#[inline]
fn mix_label(hash: u64, label: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, octets: u64| (hash.rotate_left(23) ^ octets).wrapping_mul(FACTOR);
    let mut hash = hash;
    let mut rest = label;
    while let Some((octets, behind)) = rest.split_first_chunk() {
        hash = mix(hash, u64::from_le_bytes(*octets));
        rest = behind;
    }
    // Fewer than eight octets are left: two reads that overlap see all of them.
    let last = match (rest.first_chunk(), rest.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => rest.iter().fold(0, |octets, octet| octets << 8 | u64::from(*octet)),
    };
    mix(hash, last)
}

/// Returns whether `name` stands at `at` in `out`, where only this module wrote.
fn stands_at(out: &[u8], mut at: usize, name: &[u8]) -> bool {
    if out[at..].starts_with(name) {
        return true; // written out, as the question is
    }
    let mut rest = name;
    loop {
        let size = usize::from(out[at]);
        if size >= 0xC0 {
            at = (size & 0x3F) << 8 | usize::from(out[at + 1]);
            continue;
        }
        if rest.get(..1 + size) != out.get(at..=at + size) {
            return false;
        }
        if size == 0 {
            return true;
        }
        rest = &rest[1 + size..];
        at += 1 + size;
    }
}
