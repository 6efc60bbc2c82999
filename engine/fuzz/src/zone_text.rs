//! Zone-file text to a zone, and back: what is read can be written, and is the same when it is read again.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::LazyLock;

use bindpy_core::check::Checks;
use bindpy_core::name;
use bindpy_core::read::{NoRareRdata, RareRdata, Word, read_places, read_zone};
use bindpy_core::rtype::IN;
use bindpy_core::write::{GenericText, RawBlocks, ZoneText, write_checked};
use bindpy_core::zone::{Zone, ZoneBuilder};

use crate::message::word;

/// The zone's name.
pub const ORIGIN: &[u8] = b"\x07example\0";

/// What is read is a file, one for each process, in memory where the system has such files.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let shared = PathBuf::from("/dev/shm");
    let directory = if shared.is_dir() { shared } else { std::env::temp_dir() };
    directory.join(format!("bindpy-fuzz-{}.zone", std::process::id()))
});

/// Takes what `GenericText` writes: the octets of what was read before.
struct GenericRdata;

impl RareRdata for GenericRdata {
    fn rdata(&mut self, _rtype: u16, words: &[Word<'_>], _origin: &[u8]) -> Option<Vec<u8>> {
        let [mark, length, digits @ ..] = words else { return None };
        let text = std::str::from_utf8(digits.first().map_or(b"", |word| word.text)).ok()?;
        let octet = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let octets: Option<Vec<u8>> = (0..text.len()).step_by(2).map(octet).collect();
        octets.filter(|octets| mark.text == b"\\#" && length.text == octets.len().to_string().as_bytes())
    }
}

/// `text`: a zone file.
pub fn check(text: &[u8]) {
    if generates_much(text) {
        return;
    }
    if let Some(zone) = read(text, ORIGIN, &mut NoRareRdata) {
        reads_back(&zone);
    }
}

/// Whether `text` may ask for so many records by $GENERATE, up to millions, that it only takes time.
fn generates_much(text: &[u8]) -> bool {
    let generates = text.windows(9).any(|word| word.eq_ignore_ascii_case(b"$GENERATE"));
    generates && text.split(|octet| !octet.is_ascii_digit()).any(|digits| digits.len() > 4)
}

/// How a raw file begins, and a whole header of one of version 1.
const RAW: &[u8] = b"\0\0\0\x02\0\0\0";
const RAW_HEADER: [u8; 24] = [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Reads `text` as the zone `origin`, and once more for the places of its records, which a raw file has none of.
pub fn read(text: &[u8], origin: &[u8], rare: &mut dyn RareRdata) -> Option<Zone> {
    fs::write(&*FILE, text).expect("room for a file");
    let path = FILE.as_os_str().as_encoded_bytes();
    let loaded = read_zone(path, origin, b"", &Checks::default(), rare);
    let places = read_places(path, origin, b"", rare);
    fs::remove_file(&*FILE).expect("the file is there");
    let zone = loaded.ok()?.zone;
    if text.starts_with(RAW) {
        assert!(places.is_err());
        return Some(zone);
    }
    let places = places.unwrap_or_else(|error| panic!("what is read has places: {error:?}"));
    for node in zone.nodes() {
        for rrset in node.rrsets() {
            let key = name::key(node.owner());
            assert!(places.find(&key, rrset.rtype()).len() >= rrset.len(), "a record without a place");
        }
    }
    Some(zone)
}

/// Writes `zone` in all ways, reads all of them again, and compares.
pub fn reads_back(zone: &Zone) {
    for (mut text, keeps_order) in
        [(ZoneText::file(zone.clone()), true), (ZoneText::dump(zone.clone()), false)]
    {
        let mut written = Vec::new();
        while text.write(&mut written, &mut GenericText) {}
        let again = read(&written, zone.origin(), &mut GenericRdata);
        let again = again.unwrap_or_else(|| panic!("cannot be read: {}", String::from_utf8_lossy(&written)));
        same(zone, &again);
        if keeps_order {
            assert_eq!(in_order(zone), in_order(&again), "an order of records got lost");
        }
    }
    same(zone, &from_raw(zone, &raw(zone)));
    let file = [&RAW_HEADER, &raw(zone)[..]].concat();
    if let Some(again) = read(&file, zone.origin(), &mut GenericRdata) {
        same(zone, &again); // what is not surely right is Python's affair
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&*FILE).expect("a new file");
    let checks = Checks::default();
    let written = write_checked(zone, &file, b"; a comment\n", &checks, &mut GenericText, &mut GenericRdata);
    fs::remove_file(&*FILE).expect("the file is there");
    // The zone's part of owners is not written, so that another case of it gets lost, and Python has to say.
    let is_spelled_alike = zone.nodes().all(|node| node.owner().ends_with(zone.origin()));
    let is_surely_the_same = written.expect("room for a file").is_some();
    assert!(is_surely_the_same || !is_spelled_alike, "what was written is not found to mean the same");
}

/// Compares two zones in all ways that there are.
pub fn same(one: &Zone, two: &Zone) {
    assert!(one.same_data(two), "other data");
    assert_eq!(one.digest(), two.digest());
    assert_eq!(one.rr_count(), two.rr_count());
    let delta = one.diff(two);
    assert!(delta.removed.is_empty() && delta.added.is_empty(), "{delta:?}");
}

/// Returns the RRsets by owner and type, each in its own order; the zone's part of their owners may lose its case.
fn in_order(zone: &Zone) -> Vec<(Vec<u8>, u16, u32, Vec<&[u8]>)> {
    let mut records = Vec::new();
    for node in zone.nodes() {
        for rrset in node.rrsets() {
            records.push((name::key(node.owner()), rrset.rtype(), rrset.ttl(), rrset.rdatas().collect()));
        }
    }
    records.sort_by_key(|(key, rtype, ..)| (key.clone(), *rtype));
    records
}

fn raw(zone: &Zone) -> Vec<u8> {
    let (mut blocks, mut out) = (RawBlocks::new(zone.clone()), Vec::new());
    while blocks.write(&mut out) {}
    out
}

/// Reads raw blocks in the plainest way: of each its length, class, type, covered type, TTL and number of
/// records, then the owner and each RDATA behind its length.
fn from_raw(zone: &Zone, mut blocks: &[u8]) -> Zone {
    let mut builder = ZoneBuilder::new(zone.origin(), IN);
    let long = |octets: &[u8], at: usize| {
        usize::from(word(octets, at).expect("four octets")) << 16
            | usize::from(word(octets, at + 2).expect("four octets"))
    };
    while !blocks.is_empty() {
        let (block, rest) = blocks.split_at(long(blocks, 0));
        blocks = rest;
        let (rtype, ttl) = (word(block, 6).expect("a type"), long(block, 10) as u32);
        let mut at = 18;
        let mut counted = || {
            let start = at + 2;
            at = start + usize::from(word(block, at).expect("a length"));
            &block[start..at]
        };
        let owner = counted();
        for _ in 0..long(block, 14) {
            builder.add(owner, rtype, ttl, counted()).expect("it is in the zone");
        }
        assert_eq!(at, block.len());
    }
    builder.finish().expect("a zone")
}

const HEAD: &str = "$TTL 1h\n@ IN SOA ns1 host\\.master ( 1 1h 15m ; (\n 1w 300 )\n";
const ENTRIES: [&str; 30] = [
    " NS ns1\n NS ns.sub\n",
    "ns1 A 192.0.2.1\n AAAA 2001:db8::1\n AAAA ::ffff:192.0.2.1\n",
    "sub NS ns.sub\nns.sub 60 A 192.0.2.2\n",
    "*.w CNAME www\n",
    "www IN 5 TXT \"a b\" c\\\"d \"\\000\\255\" (\n x )\n",
    "x DNAME \\@.example.net.\n",
    "_sip._tcp SRV 1 2 3 www\n",
    "mail MX 10 ns1\nmail 1h MX 20 .\n",
    "c CAA 0 issue \"ca.example\"\n",
    "n NAPTR 1 2 \"u\" \"sip\" \"!^.*$!sip:x@y!\" .\n",
    "s SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    "t TLSA 3 1 1 00 11\n",
    "d DS 1 8 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n",
    "k DNSKEY 257 3 13 YWJj\n",
    "k RRSIG DNSKEY 13 2 300 20361101000000 20261122020431 1 example. YW Jj\n",
    "k NSEC www.k A TYPE65400 RRSIG\n",
    "0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM NSEC3 1 0 1 AB 35MTHGPGCU1QG68FAB165KLNSNK3DPVL A\n",
    "@ NSEC3PARAM 1 0 1 -\n",
    "u TYPE65400 \\# 3 01 0203\nv A \\# 4 01020304\n",
    "$ORIGIN sub2\n$GENERATE 1-3 g${0,2,x} A 192.0.2.$\n",
    "q URI 1 2 \"https://example/\"\n",
    "h HINFO a \"b c\"\n",
    "$TTL 2w3d4h5m6s\n\\000\\.a\\255 PTR A.b\n",
    "o OPENPGPKEY YWJj\ne SMIMEA 3 1 1 00\n",
    "r RP a b\nf AFSDB 1 a\nx X25 \"1\"\ni ISDN \"1\" \"2\"\n",
    "m MINFO a b\nmb MB a\n",
    "cds CDS 0 0 0 00\nck CDNSKEY 0 3 0 AA==\n",
    "$INCLUDE /dev/null\n",
    "spf SPF \"v=spf1\"\nkx KX 1 a\n",
    "EXAMPLE.example. TXT a\nexample.EXAMPLE. TXT b\n",
];

/// A zone for each kind of entry, and one with all of them.
pub fn seeds() -> Vec<Vec<u8>> {
    let single = ENTRIES.iter().map(|entry| format!("{HEAD}{entry}").into_bytes());
    single.chain([format!("{HEAD}{}", ENTRIES.concat()).into_bytes()]).collect()
}
