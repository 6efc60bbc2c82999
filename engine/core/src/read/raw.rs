//! BIND's raw format (`bindpy.zone.raw`): read where nothing in it is wrong.

use std::io::Read;

use super::{Entry, RareRdata, Refusal, Target, Word};
use crate::{name, rdata, rtype};

/// How a raw file begins: the format's number, then the first octets of its version.
pub(super) const MAGIC: &[u8] = b"\0\0\0\x02\0\0\0";
/// Octets of a header of the versions 0 and 1.
const HEADERS: [usize; 2] = [12, 24];
const BLOCK: usize = 18;
const MAX_TTL: u32 = 0x7fff_ffff;

/// Reads `octets`, which begin with [`MAGIC`], and what follows in `file`.
pub(super) fn read(
    mut octets: Vec<u8>,
    file: &mut impl Read,
    target: &mut impl Target,
    rare: &mut dyn RareRdata,
) -> Entry {
    file.read_to_end(&mut octets).map_err(|_| "a file that cannot be read")?;
    let version = octets.get(MAGIC.len()).map_or(usize::MAX, |&version| version.into());
    let header = *HEADERS.get(version).ok_or("a raw file of another version")?;
    let mut rest = octets.get(header..).ok_or("a raw file without a whole header")?;
    while !rest.is_empty() {
        rest = block(rest, target, rare)?;
    }
    Ok(())
}

/// Reads one block, the records of one RRset, and returns what follows.
fn block<'o>(
    octets: &'o [u8],
    target: &mut impl Target,
    rare: &mut dyn RareRdata,
) -> Result<&'o [u8], Refusal> {
    const DAMAGED: &str = "a damaged raw file";
    let number = |at: usize, size: usize| {
        let field = octets.get(at..at + size).ok_or(DAMAGED)?;
        Ok::<u32, Refusal>(field.iter().fold(0, |number, &octet| number << 8 | u32::from(octet)))
    };
    let length = number(0, 4)? as usize;
    let (class, rtype) = (number(4, 2)? as u16, number(6, 2)? as u16);
    let (ttl, count) = (number(10, 4)?, number(14, 4)?);
    if length < BLOCK || length > octets.len() || class != rtype::IN || rtype::is_meta(rtype) || count == 0 {
        return Err(DAMAGED.into());
    }
    let (block, following) = octets.split_at(length);
    let mut at = BLOCK;
    let mut piece = || {
        let size = u16::from_be_bytes([*block.get(at)?, *block.get(at + 1)?]) as usize;
        let piece = block.get(at + 2..at + 2 + size)?;
        at += 2 + size;
        Some(piece)
    };
    let owner = piece().filter(|owner| name::is_name(owner)).ok_or(DAMAGED)?;
    let node = target.node_of(owner)?;
    for _ in 0..count {
        let rdata = piece().ok_or(DAMAGED)?;
        if !rdata::is_valid(rtype, rdata).unwrap_or_else(|| is_valid_rare(rtype, rdata, rare)) {
            return Err("RDATA that is wrong, or of a rare kind".into());
        }
        target.add_at(node, rtype, ttl & MAX_TTL, rdata)?;
    }
    if at == length { Ok(following) } else { Err(DAMAGED.into()) }
}

/// Has `rdata` read in RFC 3597's form.
fn is_valid_rare(rtype: u16, rdata: &[u8], rare: &mut dyn RareRdata) -> bool {
    let size = rdata.len().to_string();
    let digits: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
    let word = |text| Word { text, quoted: false, glued: false };
    let mut words = vec![word(b"\\#"), word(size.as_bytes())];
    if !rdata.is_empty() {
        words.push(word(digits.as_bytes()));
    }
    rare.rdata(rtype, &words, name::ROOT).is_some_and(|read| read == rdata)
}
