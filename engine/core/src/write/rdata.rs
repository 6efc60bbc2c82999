//! RDATA of the usual types as text, octet by octet what Python writes; `None` leaves it to Python.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::number;
use crate::name;
use crate::read::mnemonic;
use crate::rtype;

/// Digits of base64 between two blanks.
const BASE64_CHUNK: usize = 32;
/// Hexadecimal digits between two blanks.
const HEX_CHUNK: usize = 128;
const SHA1_OCTETS: u8 = 20;

/// RDATA that is read from its beginning on.
struct Fields<'r> {
    rest: &'r [u8],
}

impl<'r> Fields<'r> {
    fn take(&mut self, octets: usize) -> Option<&'r [u8]> {
        let (taken, rest) = self.rest.split_at_checked(octets)?;
        self.rest = rest;
        Some(taken)
    }

    fn value(&mut self, octets: usize) -> Option<u32> {
        Some(self.take(octets)?.iter().fold(0, |value, &octet| value << 8 | u32::from(octet)))
    }

    /// Appends a number and a blank.
    fn number(&mut self, octets: usize, out: &mut Vec<u8>) -> Option<u32> {
        let value = self.value(octets)?;
        number(value, out);
        out.push(b' ');
        Some(value)
    }

    fn name(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let end = name::end(self.rest, 0)?;
        name::write_text(self.take(end).filter(|name| name.len() <= name::MAX_NAME)?, out);
        Some(())
    }

    fn string(&mut self) -> Option<&'r [u8]> {
        let size = self.value(1)?;
        self.take(size as usize)
    }

    fn rest(&mut self) -> &'r [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// Appends the presentation form of `rdata` of class IN, names absolute.
pub fn write(rtype: u16, rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut fields = Fields { rest: rdata };
    match rtype {
        rtype::A => {
            for octet in fields.take(4)? {
                number(u32::from(*octet), out);
                out.push(b'.');
            }
            out.pop();
        }
        rtype::AAAA => ipv6(fields.take(16)?.try_into().ok()?, out),
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME => fields.name(out)?,
        rtype::MX => {
            fields.number(2, out)?;
            fields.name(out)?;
        }
        rtype::SRV => {
            for _ in 0..3 {
                fields.number(2, out)?;
            }
            fields.name(out)?;
        }
        rtype::TXT => {
            quoted(fields.string()?, out);
            while !fields.rest.is_empty() {
                out.push(b' ');
                quoted(fields.string()?, out);
            }
        }
        rtype::SOA => {
            fields.name(out)?;
            out.push(b' ');
            fields.name(out)?;
            for _ in 0..5 {
                out.push(b' ');
                number(fields.value(4)?, out);
            }
        }
        rtype::DS | rtype::CDS => {
            fields.number(2, out)?;
            fields.number(1, out)?;
            let digest = match fields.number(1, out)? {
                1 => 20,
                2 => 32,
                4 => 48,
                _ => return None,
            };
            hex(fields.take(digest)?, b"0123456789abcdef", out);
        }
        rtype::DNSKEY | rtype::CDNSKEY => {
            fields.number(2, out)?;
            fields.number(1, out)?;
            fields.number(1, out)?;
            base64(fields.rest(), out)?;
        }
        rtype::RRSIG => {
            type_text(fields.value(2)? as u16, out)?;
            out.push(b' ');
            fields.number(1, out)?;
            fields.number(1, out)?;
            fields.number(4, out)?;
            time(fields.value(4)?, out);
            time(fields.value(4)?, out);
            fields.number(2, out)?;
            fields.name(out)?;
            out.push(b' ');
            base64(fields.rest(), out)?;
        }
        rtype::NSEC => {
            fields.name(out)?;
            (!fields.rest.is_empty()).then_some(())?;
            bitmaps(fields.rest(), out)?;
        }
        rtype::NSEC3 => {
            fields.number(1, out)?;
            fields.number(1, out)?;
            fields.number(2, out)?;
            match fields.string()? {
                [] => out.push(b'-'),
                salt if salt.len() * 2 <= HEX_CHUNK => hex(salt, b"0123456789abcdef", out),
                _ => return None,
            }
            out.push(b' ');
            base32hex(fields.string().filter(|hash| hash.len() == SHA1_OCTETS as usize)?, out);
            bitmaps(fields.rest(), out)?;
        }
        rtype::TLSA | rtype::SMIMEA => {
            fields.number(1, out)?;
            fields.number(1, out)?;
            fields.number(1, out)?;
            let octets = fields.rest();
            (!octets.is_empty()).then_some(())?;
            for octet in octets {
                out.extend_from_slice(format!("{octet:02X}").as_bytes());
            }
        }
        rtype::CAA => {
            fields.number(1, out)?;
            let tag = fields.string()?;
            (!tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric)).then_some(())?;
            let value = fields.rest();
            let is_plain = |octet: &u8| (b' '..=b'~').contains(octet) && !b"\"\\".contains(octet);
            value.iter().all(is_plain).then_some(())?;
            out.extend_from_slice(tag);
            out.extend_from_slice(b" \"");
            out.extend_from_slice(value);
            out.push(b'"');
        }
        _ => return None,
    }
    fields.rest.is_empty().then_some(())
}

/// Appends an address as `inet_ntop` of the C library writes it.
fn ipv6(octets: [u8; 16], out: &mut Vec<u8>) {
    let address = Ipv6Addr::from(octets);
    let _ = match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high > 0 => {
            write!(out, "::{}", Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => write!(out, "{address}"),
    }; // into memory, which never fails
}

/// Appends a quoted string that means `octets`, in printable ASCII.
fn quoted(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let is_plain = |octet: u8| (b' '..=b'~').contains(&octet) & (octet != b'"') & (octet != b'\\');
    if octets.iter().fold(true, |all, &octet| all & is_plain(octet)) {
        out.extend_from_slice(octets);
        out.push(b'"');
        return;
    }
    for &octet in octets {
        match octet {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', octet]),
            b' '..=b'~' => out.push(octet),
            _ => out.extend_from_slice(format!("\\{octet:03}").as_bytes()),
        }
    }
    out.push(b'"');
}

fn hex(octets: &[u8], digits: &[u8; 16], out: &mut Vec<u8>) {
    for (i, &octet) in octets.iter().enumerate() {
        if i > 0 && (2 * i).is_multiple_of(HEX_CHUNK) {
            out.push(b' ');
        }
        out.extend_from_slice(&[digits[octet as usize >> 4], digits[octet as usize & 15]]);
    }
}

fn base64(octets: &[u8], out: &mut Vec<u8>) -> Option<()> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (i, three) in octets.chunks(3).enumerate() {
        if i > 0 && (4 * i).is_multiple_of(BASE64_CHUNK) {
            out.push(b' ');
        }
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = DIGITS[(bits >> (18 - 6 * digit)) as usize & 63];
            out.push(if digit <= three.len() { value } else { b'=' });
        }
    }
    (!octets.is_empty()).then_some(())
}

fn base32hex(octets: &[u8], out: &mut Vec<u8>) {
    for five in octets.chunks(5) {
        let bits = five.iter().fold(0u64, |bits, &octet| bits << 8 | u64::from(octet));
        for digit in 0..8 {
            out.push(b"0123456789abcdefghijklmnopqrstuv"[(bits >> (35 - 5 * digit)) as usize & 31]);
        }
    }
}

/// Appends a time as `YYYYMMDDHHMMSS`, and a blank.
fn time(seconds: u32, out: &mut Vec<u8>) {
    // days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
    let days = u64::from(seconds / 86400) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let rest = seconds % 86400;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02} ");
    out.extend_from_slice(text.as_bytes());
}

/// Appends a type in a list of types. Of some that have a mnemonic, Python's library knows another or none.
fn type_text(rtype: u16, out: &mut Vec<u8>) -> Option<()> {
    use rtype::*;
    match rtype {
        A | NS | CNAME | SOA | PTR | HINFO | MX | TXT | RP | AFSDB | AAAA | LOC | SRV | NAPTR | DNAME
        | DS | SSHFP | RRSIG | NSEC | DNSKEY | NSEC3 | NSEC3PARAM | TLSA | SMIMEA | CDS | CDNSKEY | SVCB
        | HTTPS | SPF | URI | CAA => out.extend_from_slice(mnemonic(rtype)?.as_bytes()),
        0 => return None,
        _ if mnemonic(rtype).is_some() => return None,
        _ => {
            out.extend_from_slice(b"TYPE");
            number(u32::from(rtype), out);
        }
    }
    Some(())
}

/// Appends the types of bit maps (RFC 4034 section 4.1.2), each after a blank.
fn bitmaps(mut octets: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let [window, size, rest @ ..] = octets {
        let (bits, rest) = rest.split_at_checked(*size as usize)?;
        for (i, &octet) in bits.iter().enumerate() {
            for bit in 0..8 {
                if octet & (0x80 >> bit) != 0 {
                    out.push(b' ');
                    type_text(u16::from(*window) << 8 | (8 * i + bit) as u16, out)?;
                }
            }
        }
        octets = rest;
    }
    octets.is_empty().then_some(())
}
