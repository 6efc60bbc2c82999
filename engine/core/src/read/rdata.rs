//! RDATA of the usual types from text, as `bindpy.zone.rdata` reads it.
//!
//! What is read here is exactly what would come out there. Whatever is not simple, or not right, is `None`:
//! [`super::RareRdata`] decides then, or Python's reader says what is wrong.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::lex::Token;
use super::text::{
    NameBuf, number, push_base64, push_hex, push_octets, push_sha1_base32hex, push_string, signature_time,
};
use super::types::{MAX_TTL, mnemonic, parse_ttl, type_from_text};
use crate::name;
use crate::rtype;

const MAX_RDATA: usize = 65535;
const SHA1_OCTETS: usize = 20;

/// The tokens of one RDATA, taken one after the other.
struct Words<'t> {
    text: &'t [u8],
    tokens: std::slice::Iter<'t, Token>,
    origin: &'t [u8],
}

impl<'t> Words<'t> {
    fn any(&mut self) -> Option<&'t [u8]> {
        self.tokens.next().map(|token| token.text(self.text))
    }

    /// A word that is not in quotes.
    fn word(&mut self) -> Option<&'t [u8]> {
        self.tokens.next().filter(|token| !token.quoted).map(|token| token.text(self.text))
    }

    /// A string of ASCII without escapes: how octets from outside of it go through does not matter then.
    fn plain(&mut self) -> Option<&'t [u8]> {
        self.any().filter(|text| text.iter().all(|&octet| (b' '..=b'~').contains(&octet) && octet != b'\\'))
    }

    fn u8(&mut self, out: &mut Vec<u8>) -> Option<u8> {
        let number = number(self.word()?, 255)? as u8;
        out.push(number);
        Some(number)
    }

    fn u16(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let number = number(self.word()?, 65535)? as u16;
        out.extend_from_slice(&number.to_be_bytes());
        Some(())
    }

    fn u32(&mut self, most: u32, out: &mut Vec<u8>) -> Option<()> {
        let number = number(self.word()?, most)?;
        out.extend_from_slice(&number.to_be_bytes());
        Some(())
    }

    fn name(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let text = self.word()?;
        let mut name = NameBuf::default();
        name.parse(text, self.origin)?;
        out.extend_from_slice(&name);
        Some(())
    }

    /// Times in a SOA: seconds, or numbers with units.
    fn duration(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let seconds = parse_ttl(self.word()?).filter(|&seconds| seconds <= MAX_TTL)?;
        out.extend_from_slice(&seconds.to_be_bytes());
        Some(())
    }

    fn time(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(&signature_time(self.word()?)?.to_be_bytes());
        Some(())
    }

    /// What is left, none of it in quotes.
    fn rest(&mut self) -> Option<impl Iterator<Item = &'t [u8]> + use<'t>> {
        let tokens = std::mem::take(&mut self.tokens);
        let text = self.text;
        let none_quoted = tokens.clone().all(|token| !token.quoted);
        none_quoted.then(|| tokens.map(move |token| token.text(text)))
    }

    fn base64(&mut self, out: &mut Vec<u8>) -> Option<()> {
        push_base64(self.rest()?, out)
    }

    /// Hexadecimal digits for at least one octet.
    fn hex(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let before = out.len();
        push_hex(self.rest()?, out)?;
        (out.len() > before).then_some(())
    }

    /// Length and octets of a salt: hexadecimal digits in one word, or `-`.
    fn salt(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let text = self.word()?;
        let at = out.len();
        out.push(0);
        if text != b"-" {
            push_hex(std::iter::once(text), out)?;
        }
        out[at] = u8::try_from(out.len() - at - 1).ok()?;
        Some(())
    }

    /// The types that are left, at least one where `some`, as bit maps (RFC 4034 section 4.1.2).
    fn bitmaps(&mut self, some: bool, out: &mut Vec<u8>) -> Option<()> {
        let before = out.len();
        let mut types: smallvec::SmallVec<[u16; 16]> = smallvec::SmallVec::new();
        for text in self.rest()? {
            types.push(type_from_text(text).filter(|&rtype| rtype > 0)?);
        }
        types.sort_unstable();
        let mut types = &types[..];
        while let Some(&first) = types.first() {
            let [window, _] = first.to_be_bytes();
            let next = types.partition_point(|rtype| rtype.to_be_bytes()[0] == window);
            let last = types[next - 1].to_be_bytes()[1] as usize;
            let at = out.len();
            out.extend_from_slice(&[window, (last / 8 + 1) as u8]);
            out.resize(at + 3 + last / 8, 0);
            for rtype in &types[..next] {
                let bit = rtype.to_be_bytes()[1] as usize;
                out[at + 2 + bit / 8] |= 0x80 >> (bit % 8);
            }
            types = &types[next..];
        }
        (out.len() > before || !some).then_some(())
    }
}

/// Whether the RDATA is octets in the form of RFC 3597 section 5; in TXT, `\#` without a number is text.
fn is_generic(rtype: u16, text: &[u8], tokens: &[Token]) -> bool {
    match tokens {
        [first, rest @ ..] if first.text(text) == b"\\#" && !first.quoted => {
            !is_text_type(rtype)
                || rest.first().is_some_and(|length| length.text(text).iter().all(u8::is_ascii_digit))
        }
        _ => false,
    }
}

/// TXT and the types of the same form.
fn is_text_type(rtype: u16) -> bool {
    matches!(rtype, rtype::TXT | rtype::NINFO | rtype::SPF | rtype::AVC | rtype::RESINFO | rtype::WALLET)
}

/// Appends the RDATA that `tokens` of `text` mean for `rtype` in class IN, names relative to `origin`.
pub fn parse(rtype: u16, text: &[u8], tokens: &[Token], origin: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut words = Words { text, tokens: tokens.iter(), origin };
    if tokens.is_empty() {
        return None;
    }
    if is_generic(rtype, text, tokens) {
        // a type that is known has rules for what the octets may be
        return if mnemonic(rtype).is_none() { generic(words, out) } else { None };
    }
    match rtype {
        rtype::A => {
            let address = Ipv4Addr::from_str(std::str::from_utf8(words.word()?).ok()?).ok()?;
            out.extend_from_slice(&address.octets());
        }
        rtype::AAAA => {
            let address = Ipv6Addr::from_str(std::str::from_utf8(words.word()?).ok()?).ok()?;
            out.extend_from_slice(&address.octets());
        }
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME => words.name(out)?,
        rtype::MX | rtype::AFSDB => {
            words.u16(out)?;
            words.name(out)?;
        }
        rtype::RP => {
            words.name(out)?;
            words.name(out)?;
        }
        rtype::SRV => {
            (0..3).try_for_each(|_| words.u16(out))?;
            words.name(out)?;
        }
        _ if is_text_type(rtype) => {
            while let Some(string) = words.any() {
                push_string(string, out)?;
            }
        }
        rtype::SOA => {
            words.name(out)?;
            words.name(out)?;
            words.u32(u32::MAX, out)?;
            (0..4).try_for_each(|_| words.duration(out))?;
        }
        rtype::DS | rtype::CDS => {
            words.u16(out)?;
            words.u8(out)?;
            let size = match words.u8(out)? {
                1 => SHA1_OCTETS,
                2 => 32,
                4 => 48,
                _ => return None,
            };
            words.hex(out)?;
            if out.len() - start != 4 + size {
                return None;
            }
        }
        rtype::DNSKEY | rtype::CDNSKEY => {
            words.u16(out)?;
            words.u8(out)?;
            words.u8(out)?;
            words.base64(out)?;
        }
        rtype::RRSIG => {
            out.extend_from_slice(&type_from_text(words.word()?)?.to_be_bytes());
            words.u8(out)?;
            let labels = words.u8(out)?;
            words.u32(MAX_TTL, out)?;
            words.time(out)?;
            words.time(out)?;
            words.u16(out)?;
            let signer = out.len();
            words.name(out)?;
            if name::label_count(&out[signer..]) > labels as usize {
                return None;
            }
            words.base64(out)?;
        }
        rtype::NSEC => {
            words.name(out)?;
            words.bitmaps(true, out)?;
        }
        rtype::NSEC3 => {
            words.u8(out)?;
            words.u8(out)?;
            words.u16(out)?;
            words.salt(out)?;
            out.push(SHA1_OCTETS as u8);
            push_sha1_base32hex(words.word()?, out)?;
            words.bitmaps(false, out)?;
        }
        rtype::NSEC3PARAM => {
            words.u8(out)?;
            words.u8(out)?;
            words.u16(out)?;
            words.salt(out)?;
        }
        rtype::TLSA | rtype::SMIMEA => {
            (0..3).try_for_each(|_| words.u8(out).map(|_| ()))?;
            words.hex(out)?;
        }
        rtype::SSHFP => {
            words.u8(out)?;
            let size = match words.u8(out)? {
                1 => SHA1_OCTETS,
                2 => 32,
                _ => return None,
            };
            words.hex(out)?;
            if out.len() - start != 2 + size {
                return None;
            }
        }
        rtype::CAA => {
            words.u8(out)?;
            let tag = words.word()?;
            if tag.is_empty() || tag.len() > 255 || !tag.iter().all(u8::is_ascii_alphanumeric) {
                return None;
            }
            out.push(tag.len() as u8);
            out.extend_from_slice(tag);
            out.extend_from_slice(words.plain()?);
        }
        rtype::HINFO => {
            push_string(words.plain()?, out)?;
            push_string(words.plain()?, out)?;
        }
        rtype::NAPTR => {
            words.u16(out)?;
            words.u16(out)?;
            push_string(words.plain()?, out)?;
            push_string(words.plain()?, out)?;
            let expression = words.plain()?;
            if !is_simple_expression(expression) {
                return None;
            }
            push_string(expression, out)?;
            words.name(out)?;
        }
        rtype::URI => {
            words.u16(out)?;
            words.u16(out)?;
            let target = words.tokens.next().filter(|token| token.quoted)?;
            push_octets(target.text(text), out)?;
        }
        _ => return None,
    }
    (words.tokens.next().is_none() && out.len() - start <= MAX_RDATA).then_some(())
}

/// Whether a NAPTR's expression (RFC 3402 section 3.2) is none, or right and without any escapes.
fn is_simple_expression(text: &[u8]) -> bool {
    let Some((&delimiter, rest)) = text.split_first() else { return true };
    if delimiter.is_ascii_digit() || delimiter == b'i' {
        return false;
    }
    let mut parts = rest.split(|&octet| octet == delimiter);
    let (Some(expression), Some(_), Some(flags)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    !expression.is_empty() && flags.iter().all(|&flag| flag == b'i') && parts.next().is_none()
}

/// Appends octets in the form of RFC 3597 section 5: `\# LENGTH HEX`.
fn generic(mut words: Words<'_>, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    words.word()?;
    let length = words.word().filter(|text| text.len() <= 5)?;
    let length = number(length, MAX_RDATA as u32)? as usize;
    push_hex(words.rest()?, out)?;
    (out.len() - start == length).then_some(())
}
