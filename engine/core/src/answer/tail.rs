//! What stands behind the question of answers that differ in little but the name asked for.
//!
//! Behind questions for names below one and the same, the *anchor*, most answers are written alike: their names end in
//! pointers into the anchor's place in the question, or into each other. Only where these are in the message differs,
//! unless a question holds more of their names than the anchor: then the answer is made anew.

use smallvec::SmallVec;

use super::dictionary::{POINTER, REACH};
use super::message::compressible;
use super::query::{HEADER, word};
use crate::name::{MAX_NAME, ROOT};
use crate::rtype;
use crate::zone::{Node, Rrset};

/// The records behind a question, as they are written, and where the pointers in them are.
pub struct Tail {
    octets: SmallVec<[u8; 160]>,
    /// Where in `octets` other records may stand between.
    gap: u16,
    /// Where in `octets` pointers are, and what they point at.
    pointers: SmallVec<[(u16, Target); 16]>,
    /// The labels, with their length octets, that names have right above the anchor.
    labels: SmallVec<[u8; 32]>,
    authorities: u16,
    additionals: u16,
}

/// What a pointer points at: so many octets behind the beginning of the anchor, or of the tail.
#[derive(Clone, Copy)]
enum Target {
    Anchor(u16),
    Tail(u16),
}

impl Tail {
    /// Takes the records behind the question off `message`, which has no answers, and ends behind so many `authorities`
    /// and `additionals`. The name asked for is at or below `anchor`. Others may stand between what is before the octet
    /// number `gap` of the message and what follows.
    ///
    /// Returns `None` where it would not be the same behind other questions.
    pub fn of(
        message: &[u8],
        question_end: usize,
        anchor: &[u8],
        gap: usize,
        (authorities, additionals): (u16, u16),
    ) -> Option<Self> {
        let qname = &message[HEADER..question_end - 4];
        let anchor_at = HEADER + qname.len() - anchor.len();
        if message.len() > REACH || anchor == ROOT || !qname.ends_with(anchor) {
            return None; // nothing points at the root
        }
        let mut tail = Self {
            octets: message[question_end..].into(),
            gap: (gap - question_end) as u16,
            pointers: SmallVec::new(),
            labels: SmallVec::new(),
            authorities,
            additionals,
        };
        let mut note = |at: usize| {
            let name = Name::read(message, at);
            if let Some((place, target)) = name.pointer {
                let target = match target.checked_sub(question_end) {
                    Some(behind) => Target::Tail(behind as u16),
                    None => Target::Anchor(target.checked_sub(anchor_at)? as u16),
                };
                tail.pointers.push(((place - question_end) as u16, target));
            }
            if let Some(label) = label_above(&name.octets, anchor) {
                tail.labels.extend_from_slice(label);
            }
            Some(name.end)
        };
        let mut at = question_end;
        for _ in 0..authorities + additionals {
            let fixed = note(at)?;
            let rdata = fixed + 10;
            if let Some((place, number)) = compressible(word(message, fixed)) {
                let mut name = rdata + place;
                for _ in 0..number {
                    name = note(name)?;
                }
            }
            at = rdata + usize::from(word(message, rdata - 2));
        }
        (at == message.len() && tail.anchor_in(qname, anchor).is_some()).then_some(tail)
    }

    /// Returns where in a message the anchor begins with whose question, for `qname`, this is the tail of an answer;
    /// `None` where that question is not for a name below it, or may hold more of the names.
    #[inline]
    pub fn anchor_in(&self, qname: &[u8], anchor: &[u8]) -> Option<u16> {
        let above = qname.len().checked_sub(anchor.len())?;
        let fits =
            qname.ends_with(anchor) && label_above(qname, anchor).is_none_or(|label| !self.has_label(label));
        fits.then_some((HEADER + above) as u16)
    }

    /// Whether a name has `label`, with its length octet, right above the anchor.
    #[inline]
    fn has_label(&self, label: &[u8]) -> bool {
        let mut rest = &self.labels[..];
        while let Some(&size) = rest.first() {
            let (known, others) = rest.split_at(1 + usize::from(size));
            if known == label {
                return true;
            }
            rest = others;
        }
        false
    }
}

/// A name that stands in a message.
struct Name {
    octets: SmallVec<[u8; MAX_NAME]>,
    /// Where it goes on with a pointer first, and what that points at.
    pointer: Option<(usize, usize)>,
    /// Where what follows it begins.
    end: usize,
}

impl Name {
    /// Reads the name at `at` of `message`, which we wrote.
    fn read(message: &[u8], mut at: usize) -> Self {
        let (mut octets, mut pointer) = (SmallVec::new(), None);
        loop {
            let size = usize::from(message[at]);
            if size >= 0xC0 {
                let target = usize::from(word(message, at) & !POINTER);
                pointer = pointer.or(Some((at, target)));
                at = target;
                continue;
            }
            octets.extend_from_slice(&message[at..=at + size]);
            at += 1 + size;
            if size == 0 {
                return Self { octets, pointer, end: pointer.map_or(at, |(place, _)| place + 2) };
            }
        }
    }
}

/// Records of one owner, which is in the zone, that stand in the gap of a tail.
pub struct Between<'a> {
    /// The owner without the name of the zone.
    labels: &'a [u8],
    rrset: Rrset<'a>,
    signatures: Option<Rrset<'a>>,
}

impl<'a> Between<'a> {
    /// Takes the RRset of `rtype` at `node`, a name below that of the zone, `origin`, and its signatures.
    ///
    /// Returns `None` where the owner may share more with the name asked for, or with one in `tail`, than `origin`.
    #[inline]
    pub fn of(node: Node<'a>, rtype: u16, origin: &[u8], qname: &[u8], tail: &Tail) -> Option<Self> {
        let owner = node.owner();
        let label = label_above(owner, origin)?;
        if tail.has_label(label) || label_above(qname, origin) == Some(label) {
            return None;
        }
        let rrset = node.rrset(rtype)?;
        let labels = &owner[..owner.len() - origin.len()];
        Some(Self { labels, rrset, signatures: rrset.signatures() })
    }

    fn rrsets(&self) -> impl Iterator<Item = Rrset<'a>> {
        std::iter::once(self.rrset).chain(self.signatures)
    }

    /// How many records these are.
    fn count(&self) -> usize {
        self.rrsets().map(|rrset| rrset.len()).sum()
    }

    /// How many octets they are. An RRset counts the two of each RDATA's length with its own.
    fn octets(&self) -> usize {
        self.labels.len() + self.rrsets().map(|rrset| rrset.body_len() + 10 * rrset.len()).sum::<usize>()
    }

    /// Writes them to the end of `out`, a message in which the zone's name stands at `zone`.
    fn write(&self, out: &mut Vec<u8>, zone: u16) {
        let owner = POINTER | out.len() as u16;
        out.extend_from_slice(self.labels);
        let mut pointer = POINTER | zone;
        for rrset in self.rrsets() {
            let mut head = [0; 12];
            head[2..4].copy_from_slice(&rrset.rtype().to_be_bytes());
            head[4..6].copy_from_slice(&rtype::IN.to_be_bytes());
            head[6..10].copy_from_slice(&rrset.ttl().to_be_bytes());
            for rdata in rrset.rdatas() {
                head[..2].copy_from_slice(&pointer.to_be_bytes());
                head[10..].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
                out.extend_from_slice(&head);
                out.extend_from_slice(rdata);
                pointer = owner;
            }
        }
    }
}

/// A tail behind a question that it fits.
pub struct Fitted<'a> {
    tail: &'a Tail,
    /// Where in the message the anchor begins.
    anchor: u16,
    between: Option<Between<'a>>,
}

impl<'a> Fitted<'a> {
    /// Puts `between` into the gap of `tail`, in a message with the anchor at `anchor`; `None` where there are more than
    /// `room` octets behind the question then.
    #[inline]
    pub fn new(tail: &'a Tail, anchor: u16, between: Option<Between<'a>>, room: usize) -> Option<Self> {
        let octets = tail.octets.len() + between.as_ref().map_or(0, Between::octets);
        (octets <= room).then_some(Self { tail, anchor, between })
    }

    /// How many records of the authority section and of the additional one these are.
    pub fn counts(&self) -> (u16, u16) {
        let between = self.between.as_ref().map_or(0, Between::count);
        (self.tail.authorities + between as u16, self.tail.additionals)
    }

    /// Writes it to the end of `out`, which ends behind the question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (start, gap) = (out.len(), usize::from(self.tail.gap));
        let (front, back) = self.tail.octets.split_at(gap);
        out.extend_from_slice(front);
        if let Some(between) = &self.between {
            between.write(out, self.anchor);
        }
        let shift = out.len() - start - gap;
        out.extend_from_slice(back);
        let place =
            |behind: u16| start + usize::from(behind) + if usize::from(behind) < gap { 0 } else { shift };
        for &(at, target) in &self.tail.pointers {
            let target = match target {
                Target::Anchor(behind) => self.anchor + behind,
                Target::Tail(behind) => place(behind) as u16,
            };
            let at = place(at);
            out[at..at + 2].copy_from_slice(&(POINTER | target).to_be_bytes());
        }
    }
}

/// Returns the label of `name` right above `anchor`, with its length octet, where `name` is below that.
#[inline]
pub fn label_above<'n>(name: &'n [u8], anchor: &[u8]) -> Option<&'n [u8]> {
    let until = name.len().checked_sub(anchor.len())?;
    if name[until..] != *anchor {
        return None;
    }
    let mut start = 0;
    while start < until {
        let end = start + 1 + usize::from(name[start]);
        if end == until {
            return Some(&name[start..end]);
        }
        start = end;
    }
    None
}
