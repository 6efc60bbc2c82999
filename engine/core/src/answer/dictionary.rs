//! Name compression: where names stand in a message that is being written (RFC 1035 section 4.1.4).

use super::query::HEADER;
use crate::name::ROOT;

pub const POINTER: u16 = 0xC000;
/// The highest offset that a pointer can hold.
pub const REACH: usize = 0x3FFF;
/// Readers follow a few pointers only (dnspython sixteen), and chains of DNAMEs would make more: a place that is
/// reached over so many is not pointed at.
const TOO_DEEP: u16 = 8;

const HEADS: usize = 128;

/// Where names stand in a message that is being written: the compression dictionary, kept for reuse.
///
/// A hash table whose keys are in the message itself. Names are in it by hash, the newest first.
pub struct Names {
    heads: [u16; HEADS],
    places: Vec<Place>,
    pub knows_question: bool,
    /// The suffixes of the name being written that have to be looked for, the longest first.
    suffixes: Vec<Suffix>,
}

/// Where in a name a suffix begins, and its hash.
#[derive(Clone, Copy)]
struct Suffix {
    start: usize,
    hash: u64,
}

/// A name that stands in the message, as what other names end in: the newest place of it.
#[derive(Clone, Copy)]
pub struct Standing<'n> {
    pub name: &'n [u8],
    hash: u64,
    pub offset: u16,
    depth: u16,
}

/// Where a name stands.
#[derive(Clone, Copy)]
pub struct Place {
    hash: u32,
    pub offset: u16,
    /// How many pointers are passed from there on.
    depth: u16,
    /// The next place of the same head, counted from 1.
    next: u16,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            heads: [0; HEADS],
            places: Vec::with_capacity(64),
            knows_question: false,
            suffixes: Vec::with_capacity(16),
        }
    }
}

/// The hash of the zone's name, so that it need not be worked out.
const ZONE_HASH: u64 = 0x6A09_E667_F3BC_C908;

impl Names {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.knows_question = false;
    }

    /// Begins with the question of the message. Not before a name is written: many answers have none but those
    /// that are known to stand in the question.
    pub fn learn_question(&mut self, qname: &[u8], origin: &[u8]) {
        self.knows_question = true;
        self.heads = [0; HEADS];
        self.places.clear();
        self.split(qname, origin, None);
        for index in 0..self.suffixes.len() {
            let Suffix { start, hash } = self.suffixes[index];
            self.insert(hash, (HEADER + start) as u16, 0);
        }
    }

    /// Takes `name` apart into its suffixes; where it ends in `ending` those that are longer. Returns whether it
    /// ends there: octets that look like it may begin within a label.
    #[inline]
    fn split(&mut self, name: &[u8], origin: &[u8], ending: Option<&Standing<'_>>) -> bool {
        let (until, mut hash) = match ending {
            Some(ending) => (name.len() - ending.name.len(), ending.hash),
            None => (name.len() - 1, 0),
        };
        self.suffixes.clear();
        let mut start = 0;
        while start < until {
            self.suffixes.push(Suffix { start, hash: 0 });
            start += 1 + usize::from(name[start]);
        }
        if start != until {
            return false;
        }
        let mut end = until;
        for suffix in self.suffixes.iter_mut().rev() {
            let is_zone = ending.is_none() && name[suffix.start..] == *origin;
            hash = if is_zone { ZONE_HASH } else { mix_label(hash, &name[suffix.start..end]) };
            suffix.hash = hash;
            end = suffix.start;
        }
        true
    }

    /// Writes `name`, of which `ending` is a suffix if it is given, and ends it in a pointer where a suffix of it
    /// stands already.
    ///
    /// Returns where the whole name stands from now on, if it can be pointed at.
    pub fn put<'n>(
        &mut self,
        out: &mut Vec<u8>,
        name: &'n [u8],
        origin: &[u8],
        ending: Option<Standing<'_>>,
    ) -> Option<Standing<'n>> {
        let base = out.len();
        let ending = ending.filter(|ending| self.split(name, origin, Some(ending)));
        if ending.is_none() {
            self.split(name, origin, None);
        }
        let (mut fresh, mut end, mut found) = (self.suffixes.len(), name.len(), None);
        if let Some(ending) = &ending {
            (end, found) = (name.len() - ending.name.len(), Some((ending.offset, ending.depth)));
        }
        for (index, &Suffix { start, hash }) in self.suffixes.iter().enumerate() {
            let place = self.find(out, hash, &name[start..], ending.as_ref());
            if let Some((offset, depth)) = place.filter(|(_, depth)| *depth < TOO_DEEP) {
                (fresh, end, found) = (index, start, Some((offset, depth)));
                break;
            }
        }
        let hash = self.suffixes.first().map(|longest| longest.hash).or(ending.map(|ending| ending.hash));
        out.extend_from_slice(&name[..end]);
        let hash = hash?; // the root, which has none, is never pointed at
        let mut depth = 0;
        if let Some((offset, its)) = found {
            out.extend_from_slice(&(POINTER | offset).to_be_bytes());
            if end == 0 {
                return Some(Standing { name, hash, offset, depth: its });
            }
            depth = its + 1;
        }
        for index in 0..fresh {
            let Suffix { start, hash } = self.suffixes[index];
            if base + start <= REACH {
                self.insert(hash, (base + start) as u16, depth);
            }
        }
        (depth < TOO_DEEP && base <= REACH).then_some(Standing { name, hash, offset: base as u16, depth })
    }

    fn insert(&mut self, hash: u64, offset: u16, depth: u16) {
        self.insert_place(Place { hash: (hash >> 32) as u32, offset, depth, next: 0 });
    }

    /// Notes a place that is known from another message with the same names, at `place.offset` of this one.
    pub fn insert_place(&mut self, place: Place) {
        let head = &mut self.heads[place.hash as usize % HEADS];
        self.places.push(Place { next: *head, ..place });
        *head = self.places.len() as u16;
    }

    /// The places that were noted, in the order in which they were.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Returns the newest place where `name` stands in `out`, and how many pointers are passed from there on.
    fn find(&self, out: &[u8], hash: u64, name: &[u8], ending: Option<&Standing<'_>>) -> Option<(u16, u16)> {
        let hash = (hash >> 32) as u32;
        let mut at = self.heads[hash as usize % HEADS];
        while at != 0 {
            let place = self.places[usize::from(at) - 1];
            if place.hash == hash && stands_at(out, usize::from(place.offset), name, ending) {
                return Some((place.offset, place.depth));
            }
            at = place.next;
        }
        None
    }
}

/// Returns where the name of the zone, `origin`, stands in the question for `qname`.
#[inline]
pub fn place_in_question<'n>(qname: &[u8], origin: &'n [u8]) -> Option<Standing<'n>> {
    if origin.len() <= ROOT.len() || !qname.ends_with(origin) {
        return None;
    }
    // `qname` is a name of the zone: the octets that are the same are the same labels.
    let offset = (HEADER + qname.len() - origin.len()) as u16;
    Some(Standing { name: origin, hash: ZONE_HASH, offset, depth: 0 })
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

/// Returns whether `name`, which ends in `ending`, stands at `at` in `out`, where only this module wrote.
fn stands_at(out: &[u8], mut at: usize, name: &[u8], ending: Option<&Standing<'_>>) -> bool {
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
        if ending.is_some_and(|ending| at == usize::from(ending.offset) && rest.len() == ending.name.len()) {
            return true;
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
