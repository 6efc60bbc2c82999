//! Whether a text means a zone that is there: what was written is read as it will be at the next start.
//!
//! Nothing is built. A zone is written in an order that is known ([`crate::write::ZoneText::file`]), so each
//! record that is read is held against the one that should come.

use std::io::Read;

use smallvec::SmallVec;

use super::{PIECE, RareRdata, Reader, State, Target};
use crate::rtype;
use crate::write::in_file_order;
use crate::zone::{Node, Rdatas, Rrset, Zone};

const OTHER: &str = "another record than the zone's next one";

/// Returns whether `text`, a zone file as [`crate::write::ZoneText::file`] writes it, means exactly `zone`, letter
/// case and order included. `false` for a zone of another class than IN.
pub fn reads_as(text: &mut impl Read, zone: &Zone, rare: &mut dyn RareRdata) -> bool {
    let mut reader = Reader::new(Expected::new(zone), zone.origin(), b"", rare);
    zone.class() == rtype::IN
        && reader.text(text, PIECE as u64, &mut State::new(zone.origin())).is_ok()
        && reader.target.is_at_end()
}

/// The records of a zone that are still to come.
struct Expected<'z> {
    nodes: Box<dyn Iterator<Item = Node<'z>> + 'z>,
    /// How many names have been.
    count: u32,
    rrsets: std::iter::Peekable<smallvec::IntoIter<[Rrset<'z>; 8]>>,
    rdatas: Option<Rdatas<'z>>,
}

impl<'z> Expected<'z> {
    fn new(zone: &'z Zone) -> Self {
        let nodes = Box::new(zone.nodes().filter(|node| !node.is_empty_non_terminal()));
        Expected { nodes, count: 0, rrsets: SmallVec::new().into_iter().peekable(), rdatas: None }
    }

    /// Whether all records of the present name have been.
    fn is_at_name(&mut self) -> bool {
        self.rrsets.peek().is_none()
    }

    fn is_at_end(&mut self) -> bool {
        self.is_at_name() && self.nodes.next().is_none()
    }
}

impl Target for Expected<'_> {
    fn reserve(&mut self, _octets: u64) {}

    fn node_of(&mut self, owner: &[u8]) -> Result<u32, &'static str> {
        let node = self.nodes.next().filter(|node| node.owner() == owner && self.rrsets.peek().is_none());
        self.rrsets = in_file_order(node.ok_or(OTHER)?).into_iter().peekable();
        self.rdatas = None;
        self.count += 1;
        Ok(self.count)
    }

    fn has_records(&self, _node: u32) -> bool {
        false
    }

    fn is_spelled(&self, _node: u32, _owner: &[u8]) -> bool {
        true
    }

    fn add_at(&mut self, _node: u32, rtype: u16, ttl: u32, rdata: &[u8]) -> Result<u32, &'static str> {
        let rrset = self.rrsets.peek().ok_or(OTHER)?;
        let rdatas = self.rdatas.get_or_insert_with(|| rrset.rdatas());
        if (rrset.rtype(), rrset.ttl(), Some(rdata)) != (rtype, ttl, rdatas.next()) {
            return Err(OTHER);
        }
        if rdatas.clone().next().is_none() {
            self.rdatas = None;
            self.rrsets.next();
        }
        Ok(ttl)
    }
}
