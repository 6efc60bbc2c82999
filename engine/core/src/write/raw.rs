//! Zones in BIND's raw format (`bindpy.zone.raw`), but for the header, which holds the time.

use super::PIECE;
use crate::name;
use crate::rtype;
use crate::zone::{Node, Rrset, Zone};

/// A zone's blocks, one for each RRset, in pieces.
pub struct RawBlocks {
    zone: Zone,
    /// The last name that was written.
    after: Option<Vec<u8>>,
}

impl RawBlocks {
    /// Begins with the zone's own name.
    pub fn new(zone: Zone) -> Self {
        RawBlocks { zone, after: None }
    }

    /// Appends the next piece to `out`; returns false, and appends nothing, at the end.
    pub fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut last = None;
        let nodes: Box<dyn Iterator<Item = Node<'_>>> = match &self.after {
            None => Box::new(self.zone.nodes()),
            Some(after) => Box::new(self.zone.nodes_after(after)),
        };
        for node in nodes {
            let mut rrsets: smallvec::SmallVec<[Rrset<'_>; 8]> = node.rrsets().collect();
            rrsets.sort_by_key(|rrset| (rrset.rtype() != rtype::SOA, rrset.rtype()));
            rrsets.iter().for_each(|rrset| block(self.zone.class(), node.owner(), rrset, out));
            last = Some(name::key(node.owner()));
            if out.len() - start >= PIECE {
                break;
            }
        }
        let more = last.is_some();
        self.after = last.or(self.after.take());
        more
    }
}

/// Appends length, class, type, covered type, TTL and number of records, then the owner and each RDATA behind
/// its length.
fn block(class: u16, owner: &[u8], rrset: &Rrset<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    for number in [class, rrset.rtype(), rrset.covers()] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&rrset.ttl().to_be_bytes());
    out.extend_from_slice(&(rrset.len() as u32).to_be_bytes());
    for octets in std::iter::once(owner).chain(rrset.rdatas()) {
        out.extend_from_slice(&(octets.len() as u16).to_be_bytes());
        out.extend_from_slice(octets);
    }
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}
