//! Mnemonics of RRtypes and TTLs in text.

use std::sync::LazyLock;

/// Every mnemonic that `bindpy.zone.rdata` knows, in the order of numbers; a test holds the two together.
#[rustfmt::skip]
pub const MNEMONICS: &[(&str, u16)] = &[
    ("A", 1), ("NS", 2), ("MD", 3), ("MF", 4), ("CNAME", 5), ("SOA", 6), ("MB", 7), ("MG", 8),
    ("MR", 9), ("NULL", 10), ("WKS", 11), ("PTR", 12), ("HINFO", 13), ("MINFO", 14), ("MX", 15),
    ("TXT", 16), ("RP", 17), ("AFSDB", 18), ("X25", 19), ("ISDN", 20), ("RT", 21), ("NSAP", 22),
    ("NSAP-PTR", 23), ("SIG", 24), ("KEY", 25), ("PX", 26), ("GPOS", 27), ("AAAA", 28), ("LOC", 29),
    ("NXT", 30), ("EID", 31), ("NIMLOC", 32), ("SRV", 33), ("ATMA", 34), ("NAPTR", 35), ("KX", 36),
    ("CERT", 37), ("A6", 38), ("DNAME", 39), ("SINK", 40), ("OPT", 41), ("APL", 42), ("DS", 43),
    ("SSHFP", 44), ("IPSECKEY", 45), ("RRSIG", 46), ("NSEC", 47), ("DNSKEY", 48), ("DHCID", 49),
    ("NSEC3", 50), ("NSEC3PARAM", 51), ("TLSA", 52), ("SMIMEA", 53), ("HIP", 55), ("NINFO", 56),
    ("RKEY", 57), ("TALINK", 58), ("CDS", 59), ("CDNSKEY", 60), ("OPENPGPKEY", 61), ("CSYNC", 62),
    ("ZONEMD", 63), ("SVCB", 64), ("HTTPS", 65), ("DSYNC", 66), ("HHIT", 67), ("BRID", 68), ("SPF", 99),
    ("UINFO", 100), ("UID", 101), ("GID", 102), ("UNSPEC", 103), ("NID", 104), ("L32", 105),
    ("L64", 106), ("LP", 107), ("EUI48", 108), ("EUI64", 109), ("NXNAME", 128), ("TKEY", 249),
    ("TSIG", 250), ("IXFR", 251), ("AXFR", 252), ("MAILB", 253), ("MAILA", 254), ("ANY", 255),
    ("URI", 256), ("CAA", 257), ("AVC", 258), ("DOA", 259), ("AMTRELAY", 260), ("RESINFO", 261),
    ("WALLET", 262), ("TA", 32768), ("DLV", 32769), ("KEYDATA", 65533),
];

/// The mnemonics of up to eight letters as numbers, sorted.
static SHORT: LazyLock<Vec<(u64, u16)>> = LazyLock::new(|| {
    let short = |(mnemonic, number): &(&str, u16)| Some((packed(mnemonic.as_bytes())?, *number));
    let mut short: Vec<(u64, u16)> = MNEMONICS.iter().filter_map(short).collect();
    short.sort_unstable();
    short
});

/// Returns up to eight letters, in upper case, as one number.
fn packed(text: &[u8]) -> Option<u64> {
    let upper = |number: u64, octet: &u8| number << 8 | u64::from(octet.to_ascii_uppercase());
    (text.len() <= 8).then(|| text.iter().fold(0, upper))
}

/// Returns the RRtype that `text` names, in any case, `TYPEnnn` too (RFC 3597 section 5).
pub fn type_from_text(text: &[u8]) -> Option<u16> {
    if let Some(wanted) = packed(text) {
        let found = SHORT.binary_search_by_key(&wanted, |(packed, _)| *packed);
        if let Ok(at) = found {
            return Some(SHORT[at].1);
        }
    } else if let Some(found) = MNEMONICS.iter().find(|(m, _)| m.as_bytes().eq_ignore_ascii_case(text)) {
        return Some(found.1);
    }
    numbered(text, b"TYPE")
}

/// Returns the mnemonic of `rtype`.
pub fn mnemonic(rtype: u16) -> Option<&'static str> {
    let found = MNEMONICS.binary_search_by_key(&rtype, |(_, number)| *number);
    found.ok().map(|at| MNEMONICS[at].0)
}

fn numbered(text: &[u8], prefix: &[u8]) -> Option<u16> {
    let (head, digits) = text.split_at_checked(prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) || digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut number = 0u64;
    for &digit in digits {
        number = number * 10 + u64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    u16::try_from(number).ok()
}

/// Returns whether `text` is the class IN, in any of its spellings.
pub fn is_class_in(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"IN") || numbered(text, b"CLASS") == Some(crate::rtype::IN)
}

/// The largest TTL (RFC 2181 section 8), in seconds.
pub const MAX_TTL: u32 = 0x7fff_ffff;

/// Returns the seconds that `text` means: `3600`, `1h30m`, `2W`; see `bindpy.zone.ttl`.
pub fn parse_ttl(text: &[u8]) -> Option<u32> {
    if text.len() > 64 || !text.first()?.is_ascii_digit() {
        return None;
    }
    let (mut total, mut number) = (0u128, 0u128);
    let mut digits = 0;
    let mut has_units = false;
    for &octet in text {
        if octet.is_ascii_digit() {
            number = number.checked_mul(10)?.checked_add(u128::from(octet - b'0'))?;
            digits += 1;
            continue;
        }
        let unit_s = match octet.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86400,
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if digits == 0 {
            return None;
        }
        total = total.checked_add(number.checked_mul(unit_s)?)?;
        (number, digits, has_units) = (0, 0, true);
    }
    if has_units && digits > 0 {
        return None; // a number without a unit after one with a unit
    }
    u32::try_from(total + number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_mnemonics_and_numbers() {
        assert!(MNEMONICS.is_sorted_by_key(|(_, number)| *number));
        assert_eq!(type_from_text(b"nsec3Param"), Some(51));
        assert_eq!(type_from_text(b"type0065535"), Some(65535));
        assert_eq!(type_from_text(b"TYPE65536"), None);
        assert_eq!(type_from_text(b"TYPE"), None);
        assert_eq!(type_from_text(b"TYPE+1"), None);
        assert_eq!(mnemonic(257), Some("CAA"));
        assert!(is_class_in(b"class1") && is_class_in(b"in") && !is_class_in(b"CH"));
    }

    #[test]
    fn ttls_have_units() {
        assert_eq!(parse_ttl(b"1h30m"), Some(5400));
        assert_eq!(parse_ttl(b"2W"), Some(1_209_600));
        assert_eq!(parse_ttl(b"4294967295"), Some(u32::MAX));
        for text in [&b""[..], b"4294967296", b"1h30", b"h", b"1x", b"+1", b"1hh", &[b'9'; 64]] {
            assert_eq!(parse_ttl(text), None, "{text:?}");
        }
        assert_eq!(parse_ttl(&[b'0'; 64]), Some(0));
    }
}
