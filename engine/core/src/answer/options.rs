//! Which EDNS options of a query are well-formed, by their codes; what BIND refuses is refused.

/// Returns whether `option`, the octets of an option of that `code`, can be one in a query.
pub fn is_well_formed(code: u16, option: &[u8]) -> bool {
    let octets = option.len();
    match code {
        8 => is_client_subnet(option),
        // A cookie: RFC 7873 section 4.
        10 => octets == 8 || (16..=40).contains(&octets),
        // LLQ: RFC 8764 section 3.2.
        1 => octets == 18,
        // EXPIRE: RFC 7314 section 2.
        9 => octets == 0 || octets == 4,
        // Key tags: RFC 8145 section 4.1.
        14 => octets > 0 && octets.is_multiple_of(2),
        // An Extended DNS Error: RFC 8914 section 2.
        15 => octets >= 2,
        // Tags of client and server.
        16 | 17 => octets == 2,
        _ => true,
    }
}

/// RFC 7871 section 6: as many octets as the prefix needs, no bits behind it, and no scope in queries.
///
/// An address family of none, with no octets, is well-formed, too (section 7.1.2).
fn is_client_subnet(option: &[u8]) -> bool {
    let Some((&[high, low, source, scope], address)) = option.split_first_chunk() else { return false };
    let longest = match u16::from_be_bytes([high, low]) {
        0 => 0,
        1 => 32,
        2 => 128,
        _ => return false,
    };
    if source > longest || scope != 0 || address.len() != usize::from(source).div_ceil(8) {
        return false;
    }
    source % 8 == 0 || address.last().is_none_or(|last| last & (0xFF >> (source % 8)) == 0)
}
