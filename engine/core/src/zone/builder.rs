//! From records in any order to a zone.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::record::{RrsetParts, write_node};
use super::{Data, Denial, NodeFlags, Zone};
use crate::{name, rtype};

/// Why records do not make a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// An owner name that is not at or below the origin.
    OutOfZone,
    /// No SOA record at the apex.
    NoSoa,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfZone => "owner is not in the zone",
            Self::NoSoa => "the zone has no SOA record at its apex",
        })
    }
}

impl std::error::Error for BuildError {}

struct GrowingRrset {
    rtype: u16,
    covers: u16,
    ttl: u32,
    rdatas: Vec<Box<[u8]>>,
}

type Growing = (Box<[u8]>, Vec<GrowingRrset>);

/// Collects records and makes a [`Zone`] of them.
pub struct ZoneBuilder {
    origin: Box<[u8]>,
    key: Box<[u8]>,
    class: u16,
    nodes: HashMap<Box<[u8]>, Growing>,
    rr_count: u64,
}

impl ZoneBuilder {
    /// Begins the zone `origin`, a valid name.
    pub fn new(origin: &[u8], class: u16) -> Self {
        ZoneBuilder {
            origin: origin.into(),
            key: name::key(origin).into(),
            class,
            nodes: HashMap::new(),
            rr_count: 0,
        }
    }

    /// Adds one record and returns its RRset's TTL.
    ///
    /// All records of an RRset have the first one's TTL (RFC 2181 section 5.2). A record that is there already
    /// is not added twice. `owner` is a valid name and `rdata` valid for `rtype`, uncompressed.
    pub fn add(&mut self, owner: &[u8], rtype: u16, ttl: u32, rdata: &[u8]) -> Result<u32, BuildError> {
        let key = name::key(owner);
        if !name::is_subdomain(&key, &self.key) {
            return Err(BuildError::OutOfZone);
        }
        let covers = if rtype == rtype::RRSIG { u16::from_be_bytes([rdata[0], rdata[1]]) } else { 0 };
        let (_, rrsets) = self.nodes.entry(key.into()).or_insert_with(|| (owner.into(), Vec::new()));
        let place = rrsets.iter().position(|rrset| (rrset.rtype, rrset.covers) == (rtype, covers));
        let Some(place) = place else {
            rrsets.push(GrowingRrset { rtype, covers, ttl, rdatas: vec![rdata.into()] });
            self.rr_count += 1;
            return Ok(ttl);
        };
        let rrset = &mut rrsets[place];
        if !rrset.rdatas.iter().any(|known| known[..] == *rdata) {
            rrset.rdatas.push(rdata.into());
            self.rr_count += 1;
        }
        Ok(rrset.ttl)
    }

    /// Returns the zone.
    pub fn finish(mut self) -> Result<Zone, BuildError> {
        let apex = self.nodes.entry(self.key.clone()).or_insert_with(|| (self.origin.clone(), Vec::new()));
        apex.0 = self.origin.clone();
        let mut sorted: BTreeMap<Vec<u8>, Growing> = BTreeMap::new();
        let until = self.key.len();
        for (key, (owner, rrsets)) in self.nodes {
            let mut at = 0;
            while key.len() - at > until {
                at += 1 + key[at] as usize;
                let mut above = Vec::new();
                name::sort_key(&key[at..], key.len() - at - 1, &mut above);
                sorted.entry(above).or_insert_with(|| (owner[at..].into(), Vec::new()));
            }
            let mut place = Vec::new();
            name::sort_key(&key, key.len() - 1, &mut place);
            sorted.insert(place, (owner, rrsets));
        }
        let mut chunk = Vec::new();
        let mut table: Vec<(u32, NodeFlags)> = Vec::new();
        let mut order = Vec::new();
        let mut hash: HashMap<Box<[u8]>, u32> = HashMap::new();
        let mut has_dname = Vec::new();
        for (owner, rrsets) in sorted.values() {
            let id = table.len() as u32;
            let rdatas: Vec<Vec<&[u8]>> =
                rrsets.iter().map(|r| r.rdatas.iter().map(|rdata| &**rdata).collect()).collect();
            let parts: Vec<RrsetParts<'_>> = rrsets
                .iter()
                .zip(&rdatas)
                .map(|(r, rdatas)| RrsetParts { rtype: r.rtype, covers: r.covers, ttl: r.ttl, rdatas })
                .collect();
            let (at, _) = write_node(&mut chunk, id, owner, &parts);
            let key = name::key(owner);
            let mut flags = 0;
            if id > 0 {
                let above = hash[&key[1 + key[0] as usize..]];
                let above_flags = table[above as usize].1.0;
                if above_flags & NodeFlags::BELOW_DNAME != 0 || has_dname[above as usize] {
                    flags |= NodeFlags::BELOW_DNAME;
                }
                if above_flags & (NodeFlags::CUT | NodeFlags::BELOW_CUT) != 0 {
                    flags |= NodeFlags::BELOW_CUT;
                } else if rrsets.iter().any(|r| r.rtype == rtype::NS) {
                    flags |= NodeFlags::CUT;
                }
                if flags & (NodeFlags::BELOW_CUT | NodeFlags::BELOW_DNAME) == 0 && name::is_wildcard(&key) {
                    table[above as usize].1.0 |= NodeFlags::WILDCARD_CHILD;
                }
            }
            has_dname.push(rrsets.iter().any(|r| r.rtype == rtype::DNAME));
            table.push((at as u32, NodeFlags(flags)));
            order.push(id);
            hash.insert(key.into(), id);
        }
        let apex = super::Record::at(&chunk, 0);
        let soa = apex.get(rtype::SOA).ok_or(BuildError::NoSoa)?.first();
        let serial = soa_serial(soa);
        let denial = if apex.get(rtype::NSEC).is_some() { Denial::Nsec } else { Denial::None };
        Ok(Zone(Arc::new(Data {
            origin: self.origin,
            key: self.key,
            class: self.class,
            serial,
            rr_count: self.rr_count,
            apex: 0,
            chunk,
            table,
            order,
            hash,
            denial,
        })))
    }
}

/// The serial in SOA RDATA: the first of the five numbers that it ends with.
fn soa_serial(rdata: &[u8]) -> u32 {
    let at = rdata.len() - 20;
    u32::from_be_bytes([rdata[at], rdata[at + 1], rdata[at + 2], rdata[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOA: &[u8] = b"\x02ns\0\x01h\0\0\0\0\x07\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01";

    #[test]
    fn nodes_know_cuts_dnames_wildcards_and_empty_non_terminals() {
        let mut builder = ZoneBuilder::new(b"\x07Example\0", rtype::IN);
        builder.add(b"\x07example\0", rtype::SOA, 60, SOA).unwrap();
        builder.add(b"\x01*\x01e\x07example\0", rtype::A, 60, b"\x01\x02\x03\x04").unwrap();
        builder.add(b"\x03Cut\x07example\0", rtype::NS, 60, b"\x02ns\0").unwrap();
        builder.add(b"\x02ns\x03cut\x07example\0", rtype::A, 60, b"\x01\x02\x03\x04").unwrap();
        builder.add(b"\x01d\x07example\0", rtype::DNAME, 60, b"\x01x\0").unwrap();
        builder.add(b"\x01a\x01b\x01d\x07example\0", rtype::A, 60, b"\x01\x02\x03\x04").unwrap();
        assert_eq!(builder.add(b"\x02ns\0", rtype::A, 60, b"\0\0\0\0"), Err(BuildError::OutOfZone));
        let zone = builder.finish().unwrap();
        assert_eq!((zone.serial(), zone.rr_count(), zone.node_count()), (7, 6, 8));
        assert_eq!(zone.apex().owner(), b"\x07Example\0");
        let empty = zone.find(b"\x01e\x07example\0").unwrap();
        assert!(empty.is_empty_non_terminal());
        assert_eq!(empty.wildcard().unwrap().owner(), b"\x01*\x01e\x07example\0");
        let glue = zone.find(b"\x02ns\x03cut\x07example\0").unwrap();
        assert_eq!(glue.cut().unwrap().owner(), b"\x03Cut\x07example\0");
        let occluded = zone.find(b"\x01a\x01b\x01d\x07example\0").unwrap();
        assert_eq!(occluded.dname().unwrap().owner(), b"\x01d\x07example\0");
        assert_eq!(zone.predecessor(b"\x01f\x07example\0").owner(), b"\x01*\x01e\x07example\0");
    }
}
