//! What a change costs: `change ORIGIN FILE [RECORDS [ROUNDS]]` (the origin in hexadecimal wire form) reads a zone,
//! changes that many records of it in each round, and prints times and memory.

use std::time::Instant;

use bindpy_core::check::Checks;
use bindpy_core::read::{NoRareRdata, read_zone};
use bindpy_core::rtype;
use bindpy_core::zone::{Delta, Rr, Zone};

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Replaces an address at `records / 2` owners here and there.
fn delta(zone: &Zone, owners: &[Vec<u8>], records: usize, round: usize) -> Delta {
    let old_soa = zone.soa_record();
    let mut new_soa = old_soa.clone();
    let at = new_soa.rdata.len() - 20;
    new_soa.rdata[at..at + 4].copy_from_slice(&zone.serial().wrapping_add(1).to_be_bytes());
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for i in 0..records / 2 {
        let number = (round * 7919 + i * 104_729).wrapping_mul(0x9e37_79b9) % owners.len();
        let Some(rrset) = zone.get(&owners[number], rtype::A) else { continue };
        let old = Rr {
            owner: owners[number][..].into(),
            rtype: rtype::A,
            ttl: rrset.ttl(),
            rdata: rrset.first().into(),
        };
        if removed.contains(&old) {
            continue;
        }
        let mut new = old.clone();
        new.rdata = (round as u32 ^ (i as u32) << 24).to_be_bytes().into();
        removed.push(old);
        added.push(new);
    }
    Delta { old_soa, new_soa, removed, added }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("0"), 16).unwrap_or(0);
    let origin: Vec<u8> = arguments[1].as_bytes().chunks(2).map(octet).collect();
    let number = |at: usize, or: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(or);
    let (records, rounds) = (number(3, 10), number(4, 1000));
    let start = Instant::now();
    let loaded = read_zone(arguments[2].as_bytes(), &origin, b"", &Checks::default(), &mut NoRareRdata);
    let mut zone = match loaded {
        Ok(loaded) => loaded.zone,
        Err(refusal) => return println!("{refusal:?}"),
    };
    println!("read: {:?}, {} MiB, {zone:?}", start.elapsed(), memory());
    let has_address = |node: &bindpy_core::zone::Node<'_>| node.rrset(rtype::A).is_some();
    let owners: Vec<Vec<u8>> =
        zone.nodes().filter(has_address).map(|node| node.owner().to_ascii_lowercase()).collect();
    let before = memory();
    let mut times = Vec::new();
    for round in 0..rounds {
        let delta = delta(&zone, &owners, records, round);
        let start = Instant::now();
        let next = match zone.apply(&[delta]) {
            Ok(next) => next,
            Err(error) => return println!("{error}"),
        };
        times.push(start.elapsed());
        zone = next;
    }
    times.sort_unstable();
    println!(
        "{rounds} changes of {records} records: median {:?}, 99 % {:?}, most {:?}; {before} MiB, then {} MiB, {} chunks",
        times[rounds / 2],
        times[rounds * 99 / 100],
        times[rounds - 1],
        memory(),
        zone.chunk_count()
    );
    let start = Instant::now();
    let delta = delta(&zone, &owners, records, rounds);
    let next = zone.apply(&[delta]).expect("a change that fits");
    let found = zone.diff(&next);
    println!("diff: {:?} for {} records", start.elapsed(), found.removed.len() + found.added.len());
}
