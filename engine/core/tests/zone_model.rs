//! Zones against the plainest model: a sorted map of records, everything worked out by searching.

use std::collections::{BTreeMap, BTreeSet};

use bindpy_core::name;
use bindpy_core::rtype::{A, DNAME, IN, NS, NSEC, NSEC3, NSEC3PARAM, RRSIG, SOA, TXT};
use bindpy_core::zone::{
    ApplyError, BuildError, Delta, Denial, Node, Rr, SEEK_STEPS, Seek, Zone, ZoneBuilder,
};
use proptest::prelude::*;

const ORIGIN: &[u8] = b"\x07Example\0";
const KEY: &[u8] = b"\x07example\0";

/// TTL and RDATAs by type and type covered.
type RrsetsModel = BTreeMap<(u16, u16), (u32, Vec<Vec<u8>>)>;
type Model = BTreeMap<Vec<u8>, RrsetsModel>;

fn soa(serial: u32) -> Rr {
    let mut rdata = b"\x02ns\0\x01h\0".to_vec();
    rdata.extend_from_slice(&serial.to_be_bytes());
    rdata.extend_from_slice(&[0; 16]);
    Rr { owner: ORIGIN.into(), rtype: SOA, ttl: 60, rdata: rdata.into() }
}

fn below(labels: &[&[u8]]) -> Vec<u8> {
    let mut name = Vec::new();
    for label in labels {
        name.push(label.len() as u8);
        name.extend_from_slice(label);
    }
    name.extend_from_slice(KEY);
    name
}

/// Owners that nest, with wildcards, odd octets and capitals.
fn owner() -> impl Strategy<Value = Vec<u8>> {
    let label = prop::sample::select(vec![&b"a"[..], b"B", b"*", b"\0", b"a\x01", b"\xff", b"www", b"a-b"]);
    prop::collection::vec(label, 0..4).prop_map(|labels| below(&labels))
}

fn record() -> impl Strategy<Value = Rr> {
    let kinds = prop::sample::select(vec![A, A, A, TXT, NS, DNAME, RRSIG, NSEC]);
    (owner(), kinds, 0u8..4).prop_map(|(owner, rtype, n)| {
        let rdata: Vec<u8> = match rtype {
            A => vec![192, 0, 2, n],
            TXT => vec![1, b'a' + n],
            NS | DNAME => vec![1, b'a' + n, 0],
            NSEC => vec![1, b'a' + n, 0, 0, 1, 0x40],
            _ => [&[0, n + 1][..], &[8, 1], &[0; 14], &[0, 1]].concat(),
        };
        Rr { owner: owner.into(), rtype, ttl: 300, rdata: rdata.into() }
    })
}

fn covers(rr: &Rr) -> u16 {
    if rr.rtype == RRSIG { u16::from_be_bytes([rr.rdata[0], rr.rdata[1]]) } else { 0 }
}

fn add(model: &mut Model, rr: &Rr) -> bool {
    let rrset = model.entry(name::key(&rr.owner)).or_default().entry((rr.rtype, covers(rr)));
    let (_, rdatas) = rrset.or_insert((rr.ttl, Vec::new()));
    let new = !rdatas.contains(&rr.rdata.to_vec());
    if new {
        rdatas.push(rr.rdata.to_vec());
    }
    new
}

fn remove(model: &mut Model, rr: &Rr) {
    let key = name::key(&rr.owner);
    let node = model.get_mut(&key).unwrap();
    let (_, rdatas) = node.get_mut(&(rr.rtype, covers(rr))).unwrap();
    rdatas.retain(|rdata| rdata[..] != *rr.rdata);
    if rdatas.is_empty() {
        node.remove(&(rr.rtype, covers(rr)));
    }
    if node.is_empty() {
        model.remove(&key);
    }
}

fn model_records(model: &Model) -> Vec<Rr> {
    let mut out = Vec::new();
    for (key, rrsets) in model {
        for (&(rtype, _), (ttl, rdatas)) in rrsets {
            for rdata in rdatas {
                out.push(Rr { owner: key[..].into(), rtype, ttl: *ttl, rdata: rdata[..].into() });
            }
        }
    }
    out
}

fn build(model: &Model) -> Zone {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    for rr in model_records(model) {
        builder.add(&rr.owner, rr.rtype, rr.ttl, &rr.rdata).unwrap();
    }
    builder.finish().unwrap()
}

/// All names from `key` up to the apex, itself left out.
fn above(key: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = key;
    while at != KEY {
        at = &at[1 + at[0] as usize..];
        out.push(at.to_vec());
    }
    out
}

/// Compares everything that a zone says with what the model gives by searching.
fn check(zone: &Zone, model: &Model) {
    let mut names: BTreeSet<Vec<u8>> = model.keys().cloned().collect();
    names.insert(KEY.to_vec());
    names.extend(model.keys().flat_map(|key| above(key)));
    let mut sorted: Vec<Vec<u8>> = names.into_iter().collect();
    sorted.sort_by(|left, right| name::canonical_cmp(left, right));
    let found: Vec<Vec<u8>> = zone.nodes().map(|node| name::key(node.owner())).collect();
    assert_eq!(found, sorted);
    assert_eq!(zone.node_count(), sorted.len());
    assert_eq!(zone.rr_count() as usize, model_records(model).len());
    let has = |key: &[u8], rtype: u16| model.get(key).is_some_and(|node| node.contains_key(&(rtype, 0)));
    for key in &sorted {
        let node = zone.find(key).unwrap();
        check_node(node, model.get(key));
        let ancestors = above(key);
        let cut = ancestors.iter().rev().chain([key]).find(|key| key[..] != *KEY && has(key, NS));
        assert_eq!(node.cut().map(|cut| name::key(cut.owner())), cut.cloned(), "cut of {key:?}");
        let dname = ancestors.iter().rev().find(|key| has(key, DNAME));
        assert_eq!(node.dname().map(|dname| name::key(dname.owner())), dname.cloned(), "dname of {key:?}");
        let star = [b"\x01*", &key[..]].concat();
        let plain = cut.is_none() && dname.is_none() && !has(key, DNAME);
        let wildcard = (plain && sorted.contains(&star)).then_some(star);
        assert_eq!(node.wildcard().map(|node| name::key(node.owner())), wildcard, "wildcard of {key:?}");
        for probe in [key.clone(), [b"\x01b", &key[..]].concat(), [b"\x03zzz", &key[..]].concat()] {
            let before = |key: &&Vec<u8>| name::canonical_cmp(key, &probe).is_le();
            let last = sorted.iter().take_while(before).last().unwrap();
            assert_eq!(name::key(zone.predecessor(&probe).owner()), *last);
            let nsec = sorted.iter().take_while(before).filter(|key| has(key, NSEC)).last();
            let covering = zone.nsec_covering(&probe).map(|node| name::key(node.owner()));
            assert_eq!(covering, nsec.filter(|_| has(KEY, NSEC)).cloned());
            check_look_up(zone, &probe, &sorted);
        }
        for ancestor in &ancestors {
            let found = zone.find(ancestor).unwrap().below(key).map(|node| node.owner());
            assert_eq!(found, Some(node.owner()), "below {ancestor:?}");
        }
    }
    let owner = |node: Option<Node<'_>>| node.map(|node| node.owner().to_vec());
    assert_eq!(owner(zone.denying_apex_wildcard()), owner(zone.nsec_covering(&[b"\x01*", KEY].concat())));
}

/// The closest encloser of `key` is found however many steps were taken beforehand.
fn check_look_up(zone: &Zone, key: &[u8], sorted: &[Vec<u8>]) {
    let mut starts = vec![0];
    while key[starts[starts.len() - 1]..] != *KEY {
        let at = starts[starts.len() - 1];
        starts.push(at + 1 + usize::from(key[at]));
    }
    let depth = starts.iter().position(|&at| sorted.iter().any(|known| *known == key[at..])).unwrap();
    let expected = (key[starts[depth]..].to_vec(), depth.checked_sub(1).map(|above| starts[above]));
    for steps in [0, 1, SEEK_STEPS] {
        let mut seek = Seek::new(zone, key);
        (0..steps).for_each(|_| _ = seek.step(zone, key));
        let (encloser, next_closer) = seek.finish(zone, key);
        assert_eq!((name::key(encloser.owner()), next_closer), expected, "{steps} steps to {key:?}");
    }
}

fn check_node(node: Node<'_>, wanted: Option<&RrsetsModel>) {
    let empty = BTreeMap::new();
    let wanted = wanted.unwrap_or(&empty);
    assert_eq!(node.rrsets().count(), wanted.len());
    assert_eq!(node.is_empty_non_terminal(), wanted.is_empty());
    for rrset in node.rrsets() {
        let (ttl, rdatas) = &wanted[&(rrset.rtype(), rrset.covers())];
        assert_eq!((rrset.ttl(), rrset.len()), (*ttl, rdatas.len()));
        let found: BTreeSet<&[u8]> = rrset.rdatas().collect();
        assert_eq!(found, rdatas.iter().map(|rdata| &rdata[..]).collect());
        let signed = wanted.get(&(RRSIG, rrset.rtype())).is_some() && rrset.rtype() != RRSIG;
        assert_eq!(rrset.signatures().is_some(), signed);
        assert!(rrset.signatures().is_none_or(|signatures| signatures.covers() == rrset.rtype()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_zone_and_its_changes_are_what_the_model_says(
        first in prop::collection::vec(record(), 0..60),
        changes in prop::collection::vec(prop::collection::vec((any::<bool>(), record()), 0..12), 0..12),
    ) {
        let mut model = Model::new();
        add(&mut model, &soa(1));
        first.iter().for_each(|rr| { add(&mut model, rr); });
        let mut zone = build(&model);
        check(&zone, &model);
        let mut versions = vec![(zone.clone(), model.clone())];
        for (number, change) in changes.iter().enumerate() {
            let mut delta = Delta {
                old_soa: zone.soa_record(),
                new_soa: soa(number as u32 + 2),
                removed: Vec::new(),
                added: Vec::new(),
            };
            let before = model.clone();
            for (adds, rr) in change {
                let has = |model: &Model| {
                    let node = model.get(&name::key(&rr.owner));
                    let rrset = node.and_then(|node| node.get(&(rr.rtype, covers(rr))));
                    rrset.is_some_and(|(_, rdatas)| rdatas.contains(&rr.rdata.to_vec()))
                };
                if *adds && !has(&before) && add(&mut model, rr) {
                    delta.added.push(rr.clone());
                } else if !adds && has(&before) && has(&model) {
                    remove(&mut model, rr);
                    delta.removed.push(rr.clone());
                }
            }
            remove(&mut model, &zone.soa_record());
            add(&mut model, &delta.new_soa);
            let next = zone.apply(&[delta]).unwrap();
            check(&next, &model);
            prop_assert!(next.same_data(&build(&model)));
            let diff = zone.diff(&next);
            prop_assert!(zone.apply(&[diff]).unwrap().same_data(&next));
            zone = next;
            versions.push((zone.clone(), model.clone()));
        }
        for (zone, model) in &versions {
            check(zone, model);
        }
        let (first, _) = &versions[0];
        let at_once = first.apply(&[first.diff(&zone)]).unwrap();
        prop_assert!(at_once.same_data(&zone) && at_once.serial() == zone.serial());
        let octets: usize = build(&model).octets();
        prop_assert!(zone.octets() <= 2 * octets + 64, "{} octets of garbage", zone.octets() - octets);
    }
}

/// Returns a zone with the same records that shares nothing with `zone`.
fn apart(zone: &Zone) -> Zone {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    for node in zone.nodes() {
        for rrset in node.rrsets() {
            for rdata in rrset.rdatas() {
                builder.add(node.owner(), rrset.rtype(), rrset.ttl(), rdata).unwrap();
            }
        }
    }
    builder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// In a zone that is large enough for its versions to have something in common.
    #[test]
    fn a_difference_is_the_same_whatever_versions_share(
        changes in prop::collection::vec(prop::collection::vec((0u32..250, 0u8..4), 0..30), 1..5),
        far in 0u32..4000,
    ) {
        let label = |number: u32| format!("host{number:04}");
        let host = |number: u32| below(&[label(number).as_bytes()]);
        let mut builder = ZoneBuilder::new(ORIGIN, IN);
        builder.add(ORIGIN, SOA, 60, &soa(1).rdata).unwrap();
        for number in 0..4000 {
            builder.add(&host(number), A, 60, &number.to_be_bytes()).unwrap();
        }
        let mut versions = vec![builder.finish().unwrap()];
        for (number, change) in changes.iter().enumerate() {
            let zone = &versions[number];
            let (old_soa, new_soa) = (zone.soa_record(), soa(number as u32 + 2));
            let mut delta = Delta { old_soa, new_soa, removed: Vec::new(), added: Vec::new() };
            let touched: BTreeMap<u32, u8> = change.iter().copied().chain([(far, number as u8 % 2)]).collect();
            for (at, kind) in touched {
                let deep = below(&[b"deep", label(at).as_bytes()]);
                let owner = if kind == 3 { deep } else { host(at) };
                let there: Vec<Rr> = zone.get(&owner, A).into_iter().flat_map(|rrset| {
                    let rdatas: Vec<Box<[u8]>> = rrset.rdatas().map(Box::from).collect();
                    let owner = owner.clone();
                    rdatas.into_iter().map(move |rdata| Rr { owner: owner[..].into(), rtype: A, ttl: 60, rdata })
                }).collect();
                if kind == 2 || there.is_empty() {
                    let rdata = [10, number as u8, 0, kind].into();
                    delta.added.push(Rr { owner: owner[..].into(), rtype: A, ttl: 60, rdata });
                } else {
                    delta.removed.extend(there);
                }
            }
            let next = zone.apply(&[delta]).unwrap();
            versions.push(next);
        }
        let others: Vec<Zone> = versions.iter().map(apart).collect();
        for (number, old) in versions.iter().enumerate() {
            for (new, other) in versions.iter().zip(&others).skip(number) {
                prop_assert_eq!(old.diff(new), old.diff(other));
                prop_assert_eq!(new.diff(old), other.diff(old));
                prop_assert_eq!(old.same_data(new), old.same_data(other));
            }
        }
    }
}

#[test]
fn deltas_that_do_not_fit_are_refused() {
    let mut model = Model::new();
    add(&mut model, &soa(1));
    let zone = build(&model);
    let rr = |owner: &[u8]| Rr { owner: owner.into(), rtype: A, ttl: 1, rdata: [1, 2, 3, 4].into() };
    let delta = |removed: &[Rr], added: &[Rr]| Delta {
        old_soa: soa(1),
        new_soa: soa(2),
        removed: removed.to_vec(),
        added: added.to_vec(),
    };
    let apply = |deltas: &[Delta]| zone.apply(deltas).err();
    assert_eq!(apply(&[delta(&[rr(KEY)], &[])]), Some(ApplyError::NotThere(A)));
    assert_eq!(apply(&[delta(&[], &[rr(KEY), rr(KEY)])]), Some(ApplyError::ThereAlready(A)));
    assert_eq!(apply(&[delta(&[], &[rr(b"\0")])]), Some(ApplyError::Build(BuildError::OutOfZone)));
    let again = [delta(&[], &[]), delta(&[], &[])];
    assert_eq!(apply(&again), Some(ApplyError::Serial { delta: 1, zone: 2 }));
    assert_eq!(ZoneBuilder::new(ORIGIN, IN).finish().err(), Some(BuildError::NoSoa));
}

#[test]
fn thousands_of_types_at_one_name_are_too_many() {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    let outcome = (256..20_000).try_for_each(|rtype| builder.add(ORIGIN, rtype, 1, b"x").map(|_| ()));
    assert_eq!(outcome, Err(BuildError::TooManyRrsets));
}

#[test]
fn large_rrsets_have_no_duplicates() {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    builder.add(ORIGIN, SOA, 60, &soa(1).rdata).unwrap();
    for n in (0..10_000u32).chain(5_000..12_000) {
        builder.add(ORIGIN, A, 60, &n.to_be_bytes()).unwrap();
    }
    for n in 0..100u8 {
        builder.add(ORIGIN, NS, 60, &[2, b'a' + n % 26, b'A' + n / 52, 0]).unwrap();
    }
    let zone = builder.finish().unwrap();
    assert_eq!(zone.get(KEY, A).unwrap().len(), 12_000);
    assert_eq!(zone.get(KEY, NS).unwrap().len(), 52); // the case of names does not count
    assert_eq!(zone.rr_count(), 12_053);
}

/// The hashes of the apex, of `a` and of `ns1` in RFC 5155 appendix A.
const HASHED: [&[u8]; 3] = [
    b"\x200P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM\x07example\0",
    b"\x2035mthgpgcu1qg68fab165klnsnk3dpvl\x07example\0",
    b"\x202t7b4g4vsa5smi47k61mv5bv1a22bojr\x07example\0",
];

fn nsec3() -> Rr {
    let head = b"\x01\x01\x00\x0c\x04\xaa\xbb\xcc\xdd\x14";
    let rdata = [&head[..], &[0; 20], &[0, 1, 0x40]].concat();
    Rr { owner: HASHED[0].into(), rtype: NSEC3, ttl: 60, rdata: rdata.into() }
}

#[test]
fn the_nsec3_chain_of_rfc_5155_appendix_a_is_followed_through_changes() {
    let params: &[u8] = b"\x01\0\0\x0c\x04\xaa\xbb\xcc\xdd";
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    builder.add(ORIGIN, SOA, 60, &soa(1).rdata).unwrap();
    builder.add(ORIGIN, NSEC3PARAM, 0, params).unwrap();
    builder.add(HASHED[0], NSEC3, 60, &nsec3().rdata).unwrap();
    builder.add(b"\x01a\x07example\0", NS, 60, b"\0").unwrap();
    let zone = builder.finish().unwrap();
    assert!(matches!(zone.denial(), Denial::Nsec3(params) if params.iterations == 12));
    let owner = |node: Option<Node<'_>>| node.map(|node| node.owner().to_vec());
    let find = |zone: &Zone, key: &[u8]| owner(zone.find(key).unwrap().nsec3());
    assert_eq!(find(&zone, KEY).unwrap(), HASHED[0]);
    assert_eq!(find(&zone, b"\x01a\x07example\0"), None);
    assert!(zone.find(&name::key(HASHED[0])).unwrap().flags().is_nsec3_only());
    assert_eq!(owner(zone.nsec3_covering(&[0; 20])).unwrap(), HASHED[0]); // round to the last one
    assert_eq!(owner(zone.denying_apex_wildcard()).unwrap(), HASHED[0]);
    let (encloser, next_closer) = Seek::new(&zone, HASHED[0]).finish(&zone, HASHED[0]);
    assert_eq!((encloser.is_apex(), next_closer), (true, Some(0)), "as a name it does not exist");

    let others = [1, 2].map(|i| Rr { owner: HASHED[i].into(), ..nsec3() });
    let glue = Rr { owner: b"\x03ns1\x07example\0"[..].into(), rtype: A, ttl: 1, rdata: [1, 2, 3, 4].into() };
    let added = vec![others[0].clone(), others[1].clone(), glue];
    let delta = Delta { old_soa: soa(1), new_soa: soa(2), removed: Vec::new(), added };
    let signed = zone.apply(&[delta]).unwrap();
    assert_eq!(find(&signed, b"\x01a\x07example\0").unwrap(), HASHED[1]);
    assert_eq!(find(&signed, b"\x03ns1\x07example\0").unwrap(), HASHED[2]);
    assert_eq!(owner(signed.nsec3_covering(&[0; 20])).unwrap(), HASHED[1]);
    let Denial::Nsec3(hashing) = signed.denial() else { panic!("it is as it was") };
    let wildcard = hashing.hash(b"\x01*\x07example\0");
    assert_eq!(owner(signed.denying_apex_wildcard()), owner(signed.nsec3_covering(&wildcard)));
    assert_eq!(owner(signed.nsec3_covering(&[0x18; 20])).unwrap(), HASHED[2]);
    assert_eq!(find(&zone, b"\x01a\x07example\0"), None);

    let mut param = soa(2);
    param.rtype = NSEC3PARAM;
    param.ttl = 0;
    param.rdata = params.into();
    let delta = Delta { old_soa: soa(2), new_soa: soa(3), removed: vec![param], added: Vec::new() };
    let unsigned = signed.apply(&[delta]).unwrap();
    assert_eq!((unsigned.denial(), unsigned.rr_count()), (&Denial::None, 6));
    assert!(!unsigned.find(&name::key(HASHED[0])).unwrap().flags().is_nsec3_only());
    assert_eq!(find(&unsigned, KEY), None);
}
