//! Domain names as octets: absolute, uncompressed wire form (RFC 1035 section 3.1), case kept.
//!
//! A name is a plain `&[u8]`. Its *key*, all of it in lower case, is what names are compared by (RFC 4343):
//! label lengths are at most 63 and ASCII capitals start at 65, so lowering the whole wire form never
//! touches a length octet.

use std::cmp::Ordering;

use smallvec::SmallVec;

/// The most octets that a name has in wire form, the root label included.
pub const MAX_NAME: usize = 255;
/// The most octets of a label.
pub const MAX_LABEL: usize = 63;
/// The root.
pub const ROOT: &[u8] = b"\0";
/// The most labels that a name has, the root label not counted.
pub const MAX_LABELS: usize = 127;

/// Returns `name` in lower case.
pub fn key(name: &[u8]) -> Vec<u8> {
    name.to_ascii_lowercase()
}

/// Returns whether `name` is one whole valid name.
pub fn is_name(name: &[u8]) -> bool {
    matches!(end(name, 0), Some(at) if at == name.len() && at <= MAX_NAME)
}

/// Returns where the uncompressed name that begins at `at` ends, `None` where it goes on past the octets or
/// has a length octet above 63.
pub fn end(octets: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *octets.get(at)? {
            0 => return Some(at + 1),
            size if size as usize <= MAX_LABEL => at += 1 + size as usize,
            _ => return None,
        }
    }
}

/// Returns `name` without its leftmost label; `None` for the root.
pub fn parent(name: &[u8]) -> Option<&[u8]> {
    match name[0] {
        0 => None,
        size => Some(&name[1 + size as usize..]),
    }
}

/// Yields the labels of `name` from left to right, the root label left out.
pub fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let size = name[at] as usize;
        if size == 0 {
            return None;
        }
        let label = &name[at + 1..at + 1 + size];
        at += 1 + size;
        Some(label)
    })
}

/// Returns the number of labels, the root label not counted.
pub fn label_count(name: &[u8]) -> usize {
    labels(name).count()
}

/// Returns whether `name` is `ancestor` or below it; case counts, so give it keys.
pub fn is_subdomain(name: &[u8], ancestor: &[u8]) -> bool {
    if !name.ends_with(ancestor) {
        return false;
    }
    let cut = name.len() - ancestor.len();
    let mut at = 0;
    while at < cut {
        // a label may hold octets that look like the ancestor: only label borders count
        at += 1 + name[at] as usize;
    }
    at == cut
}

/// Returns whether the leftmost label is the asterisk label (RFC 4592 section 2.1.1).
pub fn is_wildcard(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

/// Compares two names in canonical order (RFC 4034 section 6.1); case does not count.
pub fn canonical_cmp(left: &[u8], right: &[u8]) -> Ordering {
    let (mut left_at, mut right_at) = ([0u8; MAX_LABELS + 1], [0u8; MAX_LABELS + 1]);
    let mut left_count = label_starts(left, &mut left_at);
    let mut right_count = label_starts(right, &mut right_at);
    while left_count > 0 && right_count > 0 {
        left_count -= 1;
        right_count -= 1;
        let one = label_at(left, left_at[left_count] as usize);
        let other = label_at(right, right_at[right_count] as usize);
        match label_cmp(one, other) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
    left_count.cmp(&right_count)
}

/// Writes where each label of `name` begins (at its length octet) and returns their number.
fn label_starts(name: &[u8], starts: &mut [u8; MAX_LABELS + 1]) -> usize {
    let mut at = 0;
    let mut count = 0;
    while name[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += 1 + name[at] as usize;
    }
    count
}

fn label_at(name: &[u8], at: usize) -> &[u8] {
    &name[at + 1..at + 1 + name[at] as usize]
}

fn label_cmp(left: &[u8], right: &[u8]) -> Ordering {
    for (l, r) in left.iter().zip(right) {
        let (l, r) = (l.to_ascii_lowercase(), r.to_ascii_lowercase());
        if l != r {
            return l.cmp(&r);
        }
    }
    left.len().cmp(&right.len())
}

/// Octets that sort as RFC 4034 section 6.1 orders names; on the stack, because look-ups make them.
///
/// They are the labels of a name from the right, in lower case, each closed by a 0 octet. The octets 0 and 1
/// inside a label are written as 1 1 and 1 2, so that order is kept. Ancestors sort before descendants.
pub struct SortKey(SmallVec<[u8; 2 * MAX_NAME + 2]>);

impl SortKey {
    /// Makes that of `name` without what begins at its octet number `until`: where its zone's name begins, or
    /// where the root label is.
    pub fn new(name: &[u8], until: usize) -> Self {
        let mut starts = [0u8; MAX_LABELS + 1];
        let count = label_starts(name, &mut starts);
        let mut key = SortKey(SmallVec::new());
        for &start in starts[..count].iter().rev().skip_while(|&&start| start as usize >= until) {
            let label = label_at(name, start as usize);
            // All octets are looked at, without a branch for each.
            if label.iter().fold(false, |any, &octet| any | (octet <= 1)) {
                key.escape(label);
            } else {
                let at = key.0.len();
                key.0.extend_from_slice(label);
                key.0[at..].make_ascii_lowercase();
            }
            key.0.push(0);
        }
        key
    }

    /// Makes that of a name which is one label of digits and small letters, and its zone's name.
    pub fn of_digits(label: &[u8]) -> Self {
        let mut key = SortKey(SmallVec::from_slice(label));
        key.0.push(0);
        key
    }

    /// Appends a label with octets that have to be written as two.
    #[cold]
    fn escape(&mut self, label: &[u8]) {
        for &octet in label {
            if octet > 1 {
                self.0.push(octet.to_ascii_lowercase());
            } else {
                self.0.extend_from_slice(&[1, octet + 1]);
            }
        }
    }
}

impl std::ops::Deref for SortKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Appends `name` in presentation form, absolute, with the escapes that BIND writes.
pub fn write_text(name: &[u8], out: &mut Vec<u8>) {
    if name == ROOT {
        out.push(b'.');
        return;
    }
    labels(name).for_each(|label| write_label(label, out));
}

/// Appends the labels of `name` down to `octets` from its end on in presentation form, with dots between them.
pub fn write_text_above(name: &[u8], octets: usize, out: &mut Vec<u8>) {
    let mut at = 0;
    while at + octets < name.len() {
        let size = name[at] as usize;
        write_label(&name[at + 1..at + 1 + size], out);
        at += 1 + size;
    }
    if at > 0 {
        out.pop();
    }
}

/// Octets that stand for themselves in a name: printable, and without a meaning in zone files.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut octet = 0x21;
    while octet <= 0x7e {
        plain[octet] = !matches!(octet as u8, b'"' | b'$' | b'(' | b')' | b'.' | b';' | b'@' | b'\\');
        octet += 1;
    }
    plain
};

/// Appends a label and a dot.
fn write_label(label: &[u8], out: &mut Vec<u8>) {
    // All octets are looked at, without a branch for each.
    if label.iter().fold(true, |all, &octet| all & PLAIN[octet as usize]) {
        out.extend_from_slice(label);
    } else {
        for &octet in label {
            match octet {
                _ if PLAIN[octet as usize] => out.push(octet),
                0x21..=0x7e => out.extend_from_slice(&[b'\\', octet]),
                _ => out.extend_from_slice(&[
                    b'\\',
                    b'0' + octet / 100,
                    b'0' + octet / 10 % 10,
                    b'0' + octet % 10,
                ]),
            }
        }
    }
    out.push(b'.');
}

/// Returns `name` in presentation form, see [`write_text`].
pub fn to_text(name: &[u8]) -> String {
    let mut out = Vec::with_capacity(name.len() + 8);
    write_text(name, &mut out);
    out.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_order_is_that_of_rfc_4034_section_6_1() {
        let names: [&[u8]; 9] = [
            b"\x07example\0",
            b"\x01a\x07example\0",
            b"\x08yljkjljk\x01a\x07example\0",
            b"\x01Z\x01a\x07example\0",
            b"\x04zABC\x01a\x07EXAMPLE\0",
            b"\x01z\x07example\0",
            b"\x01\x01\x01z\x07example\0",
            b"\x01*\x01z\x07example\0",
            b"\x01\xc8\x01z\x07example\0",
        ];
        for pair in names.windows(2) {
            assert_eq!(canonical_cmp(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            let left = SortKey::new(pair[0], pair[0].len() - 1);
            let right = SortKey::new(pair[1], pair[1].len() - 1);
            assert!(*left < *right, "{pair:?}");
        }
    }

    #[test]
    fn text_has_binds_escapes() {
        assert_eq!(to_text(b"\x03a.b\x02\x07$\0"), "a\\.b.\\007\\$.");
        assert_eq!(to_text(ROOT), ".");
    }

    #[test]
    fn only_label_borders_make_a_subdomain() {
        assert!(is_subdomain(b"\x01a\x01b\0", b"\x01b\0"));
        assert!(!is_subdomain(b"\x03a\x01b\0", b"\x01b\0"));
    }
}
