//! What is written is read back, and anything else is told from it.

use bindpy_core::check::Checks;
use bindpy_core::read::{NoRareRdata, reads_as};
use bindpy_core::rtype::{A, IN, NS, RRSIG, SOA, TXT};
use bindpy_core::write::{GenericText, ZoneText, write_checked};
use bindpy_core::zone::{Zone, ZoneBuilder};
use proptest::prelude::*;

const ORIGIN: &[u8] = b"\x07Example\0";

fn zone(names: u32, ttl: u32) -> Zone {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    let soa = [&b"\x02ns\x07Example\0\x01h\x03net\0"[..], &[0, 0, 0, 1], &[0; 16]].concat();
    builder.add(ORIGIN, NS, 300, b"\x02ns\x07Example\0").unwrap();
    builder.add(ORIGIN, SOA, 60, &soa).unwrap();
    for number in 0..names {
        let label = format!("Host-{}", number.wrapping_mul(0x9e37_79b1));
        let owner = [&[label.len() as u8], label.as_bytes(), b"\x01b", ORIGIN].concat();
        let signature = [&[0, 16, 13, 2][..], &[0; 14], ORIGIN, b"octets"].concat();
        builder.add(&owner, RRSIG, 300, &signature).unwrap();
        builder.add(&owner, TXT, ttl, b"\x05te\"x;").unwrap();
        builder.add(&owner, TXT, ttl, b"\x01\xff").unwrap();
        builder.add(&owner, A, 300, &number.to_be_bytes()).unwrap();
    }
    builder.finish().unwrap()
}

fn text(zone: &Zone) -> Vec<u8> {
    let (mut text, mut out) = (ZoneText::file(zone.clone()), Vec::new());
    while text.write(&mut out, &mut GenericText) {}
    out
}

fn is_of(zone: &Zone, text: &[u8]) -> bool {
    reads_as(&mut &text[..], zone, &mut NoRareRdata)
}

proptest! {
    #[test]
    fn a_text_with_other_lines_is_of_another_zone(
        names in 1u32..30, first in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
    ) {
        let zone = zone(names, 7);
        let text = text(&zone);
        prop_assert!(is_of(&zone, &text));
        let lines: Vec<&[u8]> = text.split_inclusive(|&octet| octet == b'\n').collect();
        let (at, to) = (first.index(lines.len() - 2) + 2, other.index(lines.len() - 2) + 2);
        let mut fewer = lines.clone();
        fewer.remove(at);
        prop_assert!(!is_of(&zone, &fewer.concat()));
        let mut more = lines.clone();
        more.insert(to, lines[at]);
        prop_assert!(lines[at].starts_with(b"@") || !is_of(&zone, &more.concat()));
        let mut swapped = lines.clone();
        swapped.swap(at, to);
        prop_assert_eq!(is_of(&zone, &swapped.concat()), swapped == lines);
        prop_assert!(!is_of(&zone, &text[..text.len() - 1]));
    }
}

#[test]
fn letter_case_and_ttls_count() {
    let zone_7 = zone(3, 7);
    let text = String::from_utf8(text(&zone_7)).unwrap();
    assert!(!is_of(&zone(3, 8), text.as_bytes()));
    assert!(!is_of(&zone(4, 7), text.as_bytes()));
    assert!(!is_of(&zone(2, 7), text.as_bytes()));
    assert!(!is_of(&zone_7, text.replace("Host", "host").as_bytes()));
    assert!(is_of(&zone_7, text.replace("\tIN\t", " IN  ").replace('\n', " ; comment\n").as_bytes()));
}

#[test]
fn small_and_large_zones_are_written_and_read_back() {
    for names in [0, 10, 5_000] {
        let zone = zone(names, 7);
        let path = std::env::temp_dir().join(format!("bindpy-written-{}-{names}", std::process::id()));
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let checks = Checks::default();
        let found =
            write_checked(&zone, &file, b"; comment\n", &checks, &mut GenericText, &mut NoRareRdata).unwrap();
        assert!(found.is_some());
        assert_eq!(file.metadata().unwrap().len(), text(&zone).len() as u64 + 10);
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let file = std::fs::File::options().write(true).open("/dev/full").unwrap();
    for names in [0, 5_000] {
        let error = write_checked(
            &zone(names, 7),
            &file,
            b"",
            &Checks::default(),
            &mut GenericText,
            &mut NoRareRdata,
        )
        .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(28));
    }
}
