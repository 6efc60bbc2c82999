//! Records as the Lua filter gets them (`bindpy.filter`): in presentation form, many at a time.

use super::OpenMessage;
use crate::name;
use crate::rtype;
use crate::write::{RareText, rdata_text};

/// Appends the records of `message`, of class IN, for `string.unpack("<s2I2I4I4s4")` of Lua: owner, type, TTL,
/// priority, content.
///
/// With `apart`, as PowerDNS' older scripts want it, owners have no final dot and the content of MX and SRV has no
/// priority; else the priority is 0.
pub fn show(message: &OpenMessage, apart: bool, rare: &mut dyn RareText, out: &mut Vec<u8>) {
    let (mut last, mut owner_text): (&[u8], Vec<u8>) = (&[], Vec::new());
    for (owner, rtype, ttl, rdata) in message.records(0..message.len()) {
        if owner != last {
            owner_text.clear();
            name::write_text(owner, &mut owner_text);
            if apart && owner_text.len() > 1 {
                owner_text.pop();
            }
            last = owner;
        }
        out.extend_from_slice(&(owner_text.len() as u16).to_le_bytes());
        out.extend_from_slice(&owner_text);
        out.extend_from_slice(&rtype.to_le_bytes());
        out.extend_from_slice(&ttl.to_le_bytes());
        let head = out.len();
        out.extend_from_slice(&[0; 8]);
        let start = out.len();
        rdata_text(rtype, rdata, out, rare);
        if apart && matches!(rtype, rtype::MX | rtype::SRV) {
            let priority = take_priority(out, start);
            out[head..head + 4].copy_from_slice(&priority.to_le_bytes());
        }
        let size = (out.len() - start) as u32;
        out[head + 4..start].copy_from_slice(&size.to_le_bytes());
    }
}

/// Takes the number that the text from `start` on begins with, and the blank after it, out; 0 where there is none,
/// as in RFC 3597's form.
fn take_priority(out: &mut Vec<u8>, start: usize) -> u32 {
    let digits = out[start..].iter().take_while(|octet| octet.is_ascii_digit()).count();
    if digits == 0 || out.get(start + digits) != Some(&b' ') {
        return 0;
    }
    let priority =
        out[start..start + digits].iter().fold(0, |number, &digit| number * 10 + u32::from(digit - b'0'));
    out.drain(start..=start + digits);
    priority
}
