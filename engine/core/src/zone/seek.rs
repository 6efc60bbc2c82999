//! The look-up of a name, or else of its closest encloser, in steps of one access to memory each.
//!
//! The index of a large zone is in no cache of the processor, and a look-up is several accesses of which each needs
//! what the one before has read. Whoever has many names to look up takes each step for all of them before the next one:
//! then they wait for memory together. What is found does not depend on how many steps were taken.

use super::{APEX, Node, Zone};

/// How many steps take the look-up of a name, or of its parent and what denies it, to its end; further up nothing
/// is prepared.
pub const SEEK_STEPS: usize = 4;

/// How far a look-up is.
#[derive(Clone, Copy, Debug)]
pub struct Seek {
    next: Step,
    /// Where in the key the name begins that is looked for now. Longer ones are not in the zone.
    at: u8,
    /// Where the shortest of those begins.
    next_closer: Option<u8>,
    hash: u32,
    /// The node with that hash, once there is one. That it has the name, too, is still to be seen.
    id: Option<u32>,
    /// It is a zone cut.
    is_cut: bool,
    /// Whether it has to be proved where the name does not exist.
    proves: bool,
    /// The owner of the NSEC or NSEC3 that does, once it was looked for.
    denier: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Scan,
    Node,
    Deny,
    DenyingNode,
    Done,
}

impl Seek {
    /// Begins to look for `key`, which is at or below the apex of `zone`.
    #[inline]
    pub fn new(zone: &Zone, key: &[u8]) -> Self {
        let mut seek = Self {
            next: Step::Scan,
            at: 0,
            next_closer: None,
            hash: 0,
            id: None,
            is_cut: false,
            proves: false,
            denier: None,
        };
        seek.begin(zone, key);
        seek
    }

    /// Looks for what denies the name as well, where `dnssec_ok`.
    #[inline]
    pub fn proving(mut self, dnssec_ok: bool) -> Self {
        self.proves = dnssec_ok;
        self
    }

    /// Returns the owner of the NSEC that covers the name, or of the NSEC3 that covers the next closer one, if that
    /// has been found. It may have been where the name's closest encloser is the apex.
    #[inline]
    pub fn denier<'z>(&self, zone: &'z Zone) -> Option<Node<'z>> {
        self.denier.map(|id| zone.node(id))
    }

    /// Returns the number of the node that seems to be the one, if it is a zone cut.
    #[inline]
    pub fn likely_cut(&self) -> Option<u32> {
        self.id.filter(|_| self.is_cut)
    }

    /// Returns the name that is looked for now.
    #[inline]
    fn name<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        &key[usize::from(self.at)..]
    }

    /// Begins with that name.
    #[inline]
    fn begin(&mut self, zone: &Zone, key: &[u8]) {
        let name = self.name(key);
        if name.len() <= zone.key().len() {
            let next = if self.proves && self.next_closer.is_some() { Step::Deny } else { Step::Done };
            (self.next, self.id) = (next, Some(APEX));
        } else {
            (self.next, self.hash) = (Step::Scan, zone.0.index.hash(name));
            zone.0.index.fetch(self.hash);
        }
    }

    /// Takes the next step; returns whether there is another one.
    #[inline]
    pub fn step(&mut self, zone: &Zone, key: &[u8]) -> bool {
        match self.next {
            Step::Scan => match zone.0.index.first(self.hash) {
                Some(id) => {
                    (self.next, self.id) = (Step::Node, Some(id));
                    zone.0.store.fetch_place(id);
                    true
                }
                None => {
                    self.climb(zone, key);
                    !matches!(self.next, Step::Done)
                }
            },
            Step::Deny => {
                let next_closer = &key[self.next_closer.map_or(0, usize::from)..];
                self.denier = zone.denier_below_apex(key, next_closer);
                if let Some(id) = self.denier {
                    zone.0.store.fetch_place(id);
                }
                self.next = Step::DenyingNode;
                true
            }
            Step::DenyingNode => {
                self.next = Step::Done;
                if let Some(id) = self.denier {
                    zone.0.store.fetch_node(id);
                }
                false
            }
            Step::Node => {
                self.next = Step::Done;
                if let Some(id) = self.id {
                    self.is_cut = zone.0.store.fetch_node(id).is_cut();
                }
                false
            }
            Step::Done => false,
        }
    }

    /// Goes on with the parent of a name that is not in the zone.
    #[inline]
    fn climb(&mut self, zone: &Zone, key: &[u8]) {
        self.next_closer = Some(self.at);
        self.at += 1 + key[usize::from(self.at)];
        self.begin(zone, key);
    }

    /// Returns the node of `key`, or its closest encloser and where in `key` the next closer name begins.
    ///
    /// RFC 4592 section 3.3.1, RFC 5155 section 1.3. The zone and the key are those of all steps before. Owners of
    /// nothing but NSEC3 do not exist (RFC 5155 section 7.2.8).
    pub fn finish<'z>(mut self, zone: &'z Zone, key: &[u8]) -> (Node<'z>, Option<usize>) {
        loop {
            let name = self.name(key);
            let found = match self.id {
                Some(APEX) => Some(zone.apex()),
                Some(id) => Some(zone.node(id)).filter(|node| node.owner().eq_ignore_ascii_case(name)),
                None => None,
            };
            // Another node may have the same hash.
            if let Some(node) = found.or_else(|| zone.find_by(self.hash, name))
                && !node.flags().is_nsec3_only()
            {
                return (node, self.next_closer.map(usize::from));
            }
            self.id = None;
            self.climb(zone, key);
        }
    }
}
