//! Names, numbers and octets in the text of zone files.

use crate::name::{MAX_LABEL, MAX_NAME};

/// A name being made, on the stack.
#[derive(Clone)]
pub struct NameBuf {
    octets: [u8; MAX_NAME],
    size: usize,
}

impl Default for NameBuf {
    fn default() -> Self {
        NameBuf { octets: [0; MAX_NAME], size: 0 }
    }
}

impl std::ops::Deref for NameBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.octets[..self.size]
    }
}

impl NameBuf {
    /// Makes it of a name.
    pub fn new(name: &[u8]) -> Self {
        let mut buf = NameBuf::default();
        buf.octets[..name.len()].copy_from_slice(name);
        buf.size = name.len();
        buf
    }

    /// Reads the name that `text` means, relative to `origin`; `None` where it means none. Escapes are those of
    /// RFC 1035 section 5.1; `@` alone is the origin.
    pub fn parse(&mut self, text: &[u8], origin: &[u8]) -> Option<()> {
        self.size = 0;
        match text {
            [] => return None,
            b"@" => return self.append(origin),
            b"." => return self.append(b"\0"),
            _ => {}
        }
        // the place of the open label's length, which is filled in when the label ends
        let mut length_at = 0;
        let mut at = 0;
        self.size = 1;
        let mut absolute = false;
        while at < text.len() {
            let mut octet = text[at];
            at += 1;
            if octet == b'.' {
                let size = self.size - length_at - 1;
                if size == 0 || size > MAX_LABEL {
                    return None;
                }
                self.octets[length_at] = size as u8;
                absolute = at == text.len();
                length_at = self.size;
                self.push(0)?;
                continue;
            }
            if octet == b'\\' {
                (octet, at) = unescape(text, at)?;
            }
            self.push(octet)?;
        }
        if absolute {
            return Some(()); // the label that was begun is the root's
        }
        let size = self.size - length_at - 1;
        if size == 0 || size > MAX_LABEL {
            return None;
        }
        self.octets[length_at] = size as u8;
        self.append(origin)
    }

    fn push(&mut self, octet: u8) -> Option<()> {
        *self.octets.get_mut(self.size)? = octet;
        self.size += 1;
        Some(())
    }

    fn append(&mut self, name: &[u8]) -> Option<()> {
        self.octets.get_mut(self.size..self.size + name.len())?.copy_from_slice(name);
        self.size += name.len();
        Some(())
    }
}

/// Returns the octet that the escape means whose backslash stands before `at`, and where the text goes on.
fn unescape(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let first = *text.get(at)?;
    if !first.is_ascii_digit() {
        return Some((first, at + 1));
    }
    let digits = text.get(at..at + 3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0u16, |number, digit| number * 10 + u16::from(digit - b'0'));
    Some((u8::try_from(number).ok()?, at + 3))
}

/// Appends a character-string (RFC 1035 section 3.3): its length and the octets that `text` means.
pub fn push_string(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    out.push(0);
    push_octets(text, out)?;
    let size = out.len() - start - 1;
    out[start] = u8::try_from(size).ok()?;
    Some(())
}

/// Appends the octets that `text` means.
pub fn push_octets(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if !text.contains(&b'\\') {
        out.extend_from_slice(text);
        return Some(());
    }
    let mut at = 0;
    while at < text.len() {
        let mut octet = text[at];
        at += 1;
        if octet == b'\\' {
            (octet, at) = unescape(text, at)?;
        }
        out.push(octet);
    }
    Some(())
}

/// Returns the number that `text`, decimal digits, means, up to `most`.
pub fn number(text: &[u8], most: u32) -> Option<u32> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    let mut number = 0u64;
    for &digit in text {
        number = number * 10 + u64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    u32::try_from(number).ok().filter(|&number| number <= most)
}

const fn digits_of(alphabet: &[u8], fold: bool) -> [u8; 256] {
    let mut digits = [0xff; 256];
    let mut i = 0;
    while i < alphabet.len() {
        digits[alphabet[i] as usize] = i as u8;
        if fold {
            digits[alphabet[i].to_ascii_lowercase() as usize] = i as u8;
        }
        i += 1;
    }
    digits
}

const HEX: [u8; 256] = digits_of(b"0123456789ABCDEF", true);
const BASE32HEX: [u8; 256] = digits_of(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", true);
const BASE64: [u8; 256] =
    digits_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", false);

/// Appends the octets of hexadecimal digits; an octet's two digits stand in one of the texts, or not.
pub fn push_hex<'a>(texts: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) -> Option<()> {
    let mut high = None;
    for &digit in texts.flatten() {
        let value = HEX[digit as usize];
        if value > 15 {
            return None;
        }
        match high.take() {
            None => high = Some(value),
            Some(high) => out.push(high << 4 | value),
        }
    }
    if high.is_none() { Some(()) } else { None }
}

/// Appends the octets of base64 (RFC 4648 section 4), at least one: padded, and with unused bits zero.
pub fn push_base64<'a>(texts: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let (mut bits, mut digits, mut padding) = (0u32, 0, 0);
    for text in texts {
        for &digit in text {
            if digit == b'=' {
                padding += 1;
                continue;
            }
            let value = BASE64[digit as usize];
            if value > 63 || padding > 0 {
                return None;
            }
            bits = bits << 6 | u32::from(value);
            digits += 1;
            if digits == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, digits) = (0, 0);
            }
        }
    }
    match (digits, padding) {
        (0, 0) => {}
        (2, 2) if bits & 0xf == 0 => out.push((bits >> 4) as u8),
        (3, 1) if bits & 3 == 0 => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return None,
    }
    (out.len() > start).then_some(())
}

/// Appends the 20 octets of a SHA-1 hash in base32hex (RFC 4648 section 7).
pub fn push_sha1_base32hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text: &[u8; 32] = text.try_into().ok()?;
    for eight in text.chunks_exact(8) {
        let mut bits = 0u64;
        for &digit in eight {
            let value = BASE32HEX[digit as usize];
            if value > 31 {
                return None;
            }
            bits = bits << 5 | u64::from(value);
        }
        out.extend_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(())
}

/// Returns the time that `text` means in a signature: `YYYYMMDDHHMMSS` or seconds (RFC 4034 section 3.2),
/// modulo 2^32.
pub fn signature_time(text: &[u8]) -> Option<u32> {
    if text.len() <= 10 {
        return number(text, u32::MAX);
    }
    if text.len() != 14 {
        return None;
    }
    let field = |from: usize, to: usize| number(&text[from..to], 9999).map(u64::from);
    let (year, month, day) = (field(0, 4)?, field(4, 6)?, field(6, 8)?);
    let (hour, minute, second) = (field(8, 10)?, field(10, 12)?, field(12, 14)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let this = month as usize;
    let days = before[this] - before[this - 1] + u64::from(leap && month == 2);
    if !(1..=days).contains(&day) {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let leap_days = leaps(year - 1) - leaps(1969) + u64::from(leap && month > 2);
    let all_days = (year - 1970) * 365 + leap_days + before[this - 1] + day - 1;
    Some((all_days * 86400 + hour * 3600 + minute * 60 + second) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &[u8]) -> Option<Vec<u8>> {
        let mut buf = NameBuf::default();
        buf.parse(text, b"\x07example\0").map(|()| buf.to_vec())
    }

    #[test]
    fn names_are_relative_or_absolute_and_have_escapes() {
        assert_eq!(name(b"www").unwrap(), b"\x03www\x07example\0");
        assert_eq!(name(b"a\\.b.C.").unwrap(), b"\x03a.b\x01C\0");
        assert_eq!(name(b"\\065\\@").unwrap(), b"\x02A@\x07example\0");
        assert_eq!(name(b"@").unwrap(), b"\x07example\0");
        assert_eq!(name(b".").unwrap(), b"\0");
        for bad in
            [&b""[..], b"a..", b".a", b"a..b", b"\\256", b"\\25", b"a\\", &[b'a'; 64], &b"a.".repeat(128)]
        {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        assert_eq!(name(&b"a.".repeat(127)).unwrap().len(), 255);
        assert_eq!(name(&[&[b'a'; 63][..]; 3].join(&b'.')).unwrap().len(), 201);
        assert_eq!(name(&[&[b'a'; 63][..]; 4].join(&b'.')), None);
    }

    #[test]
    fn base64_has_one_spelling() {
        let read = |text: &[u8]| {
            let mut out = Vec::new();
            push_base64(text.split(|&c| c == b' '), &mut out).map(|()| out)
        };
        assert_eq!(read(b"Y W J j").unwrap(), b"abc");
        assert_eq!(read(b"YWI=").unwrap(), b"ab");
        assert_eq!(read(b"YQ==").unwrap(), b"a");
        for bad in [&b""[..], b"YWJ", b"YWK=", b"YQ=", b"YR==", b"YWJj=", b"=", b"YW=I", b"YWJ_"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn signature_times_are_dates_or_seconds() {
        assert_eq!(signature_time(b"20361101000000"), Some(2_109_110_400));
        assert_eq!(signature_time(b"20000229235959"), Some(951_868_799));
        assert_eq!(signature_time(b"21060207062816"), Some(0));
        assert_eq!(signature_time(b"4294967295"), Some(u32::MAX));
        for bad in [
            &b"20010229000000"[..],
            b"19691231235959",
            b"20361301000000",
            b"4294967296",
            b"",
            b"2036110100000",
        ] {
            assert_eq!(signature_time(bad), None, "{bad:?}");
        }
    }
}
