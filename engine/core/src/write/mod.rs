//! Zones as text: the canonical dump (`bindpy.zone.writer`) and zone files (`bindpy.zone.zonefile`), the same
//! octets as Python's.

mod checked;
mod raw;
mod rdata;

pub use checked::write_checked;
pub use raw::RawBlocks;

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::read::mnemonic;
use crate::rtype;
use crate::zone::{Node, Rrset, Zone};
use crate::{name, zone};

/// Text that is written at once, about.
const PIECE: usize = 1 << 16;

/// Writes RDATA of types that are not written here.
pub trait RareText {
    /// Returns `rdata` in presentation form, names absolute; what `bindpy.zone.writer.RdataText` gives, or
    /// `bindpy.zone.zonefile`'s kind of it, which surely reads back.
    fn text(&mut self, rtype: u16, rdata: &[u8]) -> String;
}

/// Writes rare types as RFC 3597 does unknown ones.
pub struct GenericText;

impl RareText for GenericText {
    fn text(&mut self, _rtype: u16, rdata: &[u8]) -> String {
        let digits: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
        if digits.is_empty() { "\\# 0".to_string() } else { format!("\\# {} {digits}", rdata.len()) }
    }
}

/// What kind of text is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Dump,
    File { default_ttl: u32 },
}

/// A zone's text, in pieces.
pub struct ZoneText {
    zone: Zone,
    style: Style,
    /// The last name that was written.
    after: Option<Vec<u8>>,
    /// The text of types that have been, and the place of the last one in it.
    types: Vec<(u16, String)>,
    last_type: usize,
    class: String,
    /// The owner's text, where it is to be written.
    owner: Vec<u8>,
}

impl ZoneText {
    /// The canonical dump: OWNER, TTL, class, type, RDATA, separated by tabs; names absolute. Owners are in
    /// canonical order, the SOA comes first, then types by number with the RRSIGs by the type that they cover,
    /// then RDATA in wire order.
    pub fn dump(zone: Zone) -> Self {
        ZoneText::new(zone, Style::Dump)
    }

    /// A zone file: owners relative to `$ORIGIN`, where they change; RRSIGs after what they cover; records of an
    /// RRset in the zone's own order; the commonest TTL is `$TTL` and left out.
    pub fn file(zone: Zone) -> Self {
        let mut ttls: HashMap<u32, usize> = HashMap::new();
        let mut run = (0, 0); // most RRsets have the TTL of the one before
        for rrset in zone.nodes().flat_map(|node| node.rrsets()) {
            if rrset.ttl() != run.0 {
                *ttls.entry(run.0).or_default() += run.1;
                run = (rrset.ttl(), 0);
            }
            run.1 += 1;
        }
        *ttls.entry(run.0).or_default() += run.1;
        let default_ttl = ttls.iter().max_by_key(|(ttl, count)| (**count, **ttl)).map_or(0, |(ttl, _)| *ttl);
        ZoneText::new(zone, Style::File { default_ttl })
    }

    fn new(zone: Zone, style: Style) -> Self {
        let class = match zone.class() {
            rtype::IN => "IN".to_string(),
            rtype::CHAOS => "CH".to_string(),
            4 => "HS".to_string(),
            number => format!("CLASS{number}"),
        };
        let (types, owner) = (Vec::new(), Vec::new());
        ZoneText { zone, style, after: None, types, last_type: 0, class, owner }
    }

    /// Appends the next piece to `out`; returns false, and appends nothing, at the end.
    pub fn write(&mut self, out: &mut Vec<u8>, rare: &mut dyn RareText) -> bool {
        let start = out.len();
        let zone = self.zone.clone();
        let mut last = None;
        let after = self.after.take();
        let nodes: Box<dyn Iterator<Item = Node<'_>>> = match &after {
            None => {
                self.head(out);
                Box::new(zone.nodes())
            }
            Some(after) => Box::new(zone.nodes_after(after)),
        };
        for node in nodes {
            self.node(node, out, rare);
            last = Some(node);
            if out.len() - start >= PIECE {
                break;
            }
        }
        let more = last.is_some();
        self.after = last.map(|node| name::key(node.owner())).or(after);
        more
    }

    fn head(&self, out: &mut Vec<u8>) {
        if let Style::File { default_ttl } = self.style {
            out.extend_from_slice(b"$ORIGIN ");
            name::write_text(self.zone.origin(), out);
            out.extend_from_slice(format!("\n$TTL {default_ttl}\n").as_bytes());
        }
    }

    fn node(&mut self, node: Node<'_>, out: &mut Vec<u8>, rare: &mut dyn RareText) {
        let mut owner = std::mem::take(&mut self.owner);
        owner.clear();
        let rrsets = match self.style {
            Style::Dump => {
                name::write_text(node.owner(), &mut owner);
                let mut rrsets: SmallVec<[Rrset<'_>; 8]> = node.rrsets().collect();
                rrsets.sort_by_key(|rrset| (rrset.rtype() != rtype::SOA, rrset.rtype(), rrset.covers()));
                rrsets
            }
            Style::File { .. } => {
                name::write_text_above(node.owner(), self.zone.origin().len(), &mut owner);
                if node.is_apex() {
                    owner.push(b'@');
                }
                in_file_order(node)
            }
        };
        for rrset in rrsets {
            let mut rdatas: SmallVec<[&[u8]; 8]> = rrset.rdatas().collect();
            if self.style == Style::Dump {
                rdatas.sort_unstable();
            }
            for rdata in rdatas {
                out.extend_from_slice(&owner);
                out.push(b'\t');
                match self.style {
                    Style::File { default_ttl } => {
                        owner.clear();
                        if rrset.ttl() != default_ttl {
                            number(rrset.ttl(), out);
                            out.push(b'\t');
                        }
                    }
                    Style::Dump => {
                        number(rrset.ttl(), out);
                        out.push(b'\t');
                    }
                }
                self.record(&rrset, rdata, out, rare);
            }
        }
        self.owner = owner;
    }

    /// Appends class, type and RDATA.
    fn record(&mut self, rrset: &zone::Rrset<'_>, octets: &[u8], out: &mut Vec<u8>, rare: &mut dyn RareText) {
        let rtype = rrset.rtype();
        out.extend_from_slice(self.class.as_bytes());
        out.push(b'\t');
        if self.types.get(self.last_type).is_none_or(|(known, _)| *known != rtype) {
            self.last_type = self.types.iter().position(|(known, _)| *known == rtype).unwrap_or_else(|| {
                let text = mnemonic(rtype).map_or_else(|| format!("TYPE{rtype}"), str::to_string);
                self.types.push((rtype, text));
                self.types.len() - 1
            });
        }
        out.extend_from_slice(self.types[self.last_type].1.as_bytes());
        out.push(b'\t');
        match self.zone.class() {
            rtype::IN => rdata_text(rtype, octets, out, rare),
            _ => out.extend_from_slice(rare.text(rtype, octets).as_bytes()),
        }
        out.push(b'\n');
    }
}

/// Appends RDATA of class IN in presentation form, names absolute.
pub(crate) fn rdata_text(rtype: u16, rdata: &[u8], out: &mut Vec<u8>, rare: &mut dyn RareText) {
    let start = out.len();
    if rdata::write(rtype, rdata, out).is_none() {
        out.truncate(start);
        out.extend_from_slice(rare.text(rtype, rdata).as_bytes());
    }
}

/// Returns the RRsets of `node` as a zone file has them: the SOA first, signatures after what they cover.
pub(crate) fn in_file_order(node: Node<'_>) -> SmallVec<[Rrset<'_>; 8]> {
    let mut rrsets: SmallVec<[Rrset<'_>; 8]> = node.rrsets().collect();
    if rrsets.len() == 1 {
        return rrsets;
    }
    rrsets.sort_by_key(|rrset| {
        let (covers, own) = (rrset.covers(), rrset.rtype());
        let place = if covers != 0 { covers } else { own };
        (place != rtype::SOA, place, covers != 0)
    });
    rrsets
}

/// Appends `number` in decimal digits.
fn number(mut number: u32, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}
