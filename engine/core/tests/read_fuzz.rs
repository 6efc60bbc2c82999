//! Zone files of any octets: reading never panics, and what is read can be written and read again.

use std::fs;
use std::path::PathBuf;

use bindpy_core::check::Checks;
use bindpy_core::read::{NoRareRdata, RareRdata, Word, read_places, read_zone};
use bindpy_core::rtype::LOC;
use bindpy_core::write::{GenericText, ZoneText};
use bindpy_core::zone::Zone;
use proptest::prelude::*;

const ORIGIN: &[u8] = b"\x07example\0";
const SEED: &str = r#"$TTL 1h
@ IN SOA ns1 host\.master ( 1 1h 15m ; (
 1w 300 )
 NS ns1
 NS ns.sub
ns1 A 192.0.2.1
 AAAA 2001:db8::1
sub NS ns.sub
ns.sub 60 A 192.0.2.2
*.w CNAME www
www IN 5 TXT "a b" c\"d "\000\255" (
 x )
x DNAME \@.example.net.
_sip._tcp SRV 1 2 3 www
mail MX 10 ns1
c CAA 0 issue "ca.example"
n NAPTR 1 2 "u" "sip" "!^.*$!sip:x@y!" .
s SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
t TLSA 3 1 1 00 11
d DS 1 8 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
k DNSKEY 257 3 13 YWJj
k RRSIG DNSKEY 13 2 300 20361101000000 20261122020431 1 example. YW Jj
k NSEC www.k A TYPE65400 RRSIG
0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM NSEC3 1 0 1 AB 35MTHGPGCU1QG68FAB165KLNSNK3DPVL A
u TYPE65400 \# 3 01 0203
$ORIGIN sub2
$GENERATE 1-3 g${0,2,x} A 192.0.2.$
q URI 1 2 "https://example/"
h HINFO a "b c"
l LOC 1 2 3 N
"#;

/// Takes LOC, whose octets nothing here looks into, as what its words are; what is refused of other types is wrong.
struct AnyRdata;

impl RareRdata for AnyRdata {
    fn rdata(&mut self, rtype: u16, words: &[Word<'_>], _origin: &[u8]) -> Option<Vec<u8>> {
        let octets = words.iter().flat_map(|word| word.text.iter().copied());
        (rtype == LOC).then(|| octets.take(65535).collect())
    }
}

fn file(name: &str, text: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("bindpy-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

fn read(name: &str, text: &[u8], rare: &mut dyn RareRdata) -> Option<Zone> {
    let path = file(name, text);
    let octets = path.as_os_str().as_encoded_bytes();
    let loaded = read_zone(octets, ORIGIN, b"", &Checks::default(), rare);
    let places = read_places(octets, ORIGIN, b"", rare);
    fs::remove_file(&path).unwrap();
    assert!(loaded.is_err() || places.is_ok(), "what is read has places");
    loaded.ok().map(|loaded| loaded.zone)
}

fn written(zone: &Zone) -> Vec<u8> {
    let (mut text, mut out) = (ZoneText::file(zone.clone()), Vec::new());
    while text.write(&mut out, &mut GenericText) {}
    out
}

#[test]
fn the_seed_is_read_whole() {
    let without_rare =
        SEED.lines().filter(|line| !line.starts_with("l ")).collect::<Vec<_>>().join("\n") + "\n";
    let zone = read("seed", without_rare.as_bytes(), &mut NoRareRdata).expect("a zone");
    assert_eq!(zone.rr_count(), 27);
    assert!(read("rare", SEED.as_bytes(), &mut NoRareRdata).is_none());
    assert_eq!(read("any", SEED.as_bytes(), &mut AnyRdata).unwrap().rr_count(), 28);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_text_never_panics_and_what_is_read_reads_back(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&b" \n\t;()\"\\$@.*0123456789aAzZ_-\x00\xff"[..])),
            0..5,
        ),
        removed in prop::option::of((any::<prop::sample::Index>(), 0usize..60)),
    ) {
        let mut text = SEED.as_bytes().to_vec();
        for (at, octet) in changes {
            let at = at.index(text.len());
            text[at] = octet;
        }
        if let Some((at, count)) = removed {
            let at = at.index(text.len());
            text.drain(at..(at + count).min(text.len()));
        }
        if let Some(zone) = read("spoilt", &text, &mut NoRareRdata) {
            let again = read("again", &written(&zone), &mut NoRareRdata);
            prop_assert!(again.is_none_or(|again| again.same_data(&zone)));
        }
        // with RDATA that others vouch for
        if let Some(zone) = read("any-rdata", &text, &mut AnyRdata) {
            prop_assert!(zone.same_data(&zone.apply(&[]).unwrap()));
            written(&zone);
        }
    }

    #[test]
    fn octets_of_any_kind_never_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
        read("octets", &text, &mut AnyRdata);
    }
}
