//! Where the signature of a message is: only that, as it needs a walk over all records (`bindpy.tsig`).

const HEADER: usize = 12;
const TSIG: u16 = 250;

/// Returns where the last record of `message` begins if that is a TSIG record, and the only one; `None` where it
/// is not, and where the message cannot be walked through.
pub fn tsig_start(message: &[u8]) -> Option<usize> {
    let u16_at = |at: usize| message.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let count = |section: usize| u16_at(4 + 2 * section).map(usize::from);
    let mut at = HEADER;
    for _ in 0..count(0)? {
        at = name_end(message, at)? + 4;
    }
    let records = count(1)? + count(2)? + count(3)?;
    if count(3)? == 0 {
        return None;
    }
    for number in 1..=records {
        let fixed = name_end(message, at)?;
        let end = fixed + 10 + u16_at(fixed + 8)? as usize;
        let is_tsig = u16_at(fixed)? == TSIG;
        if end > message.len() || is_tsig != (number == records) {
            return None;
        }
        if is_tsig {
            return Some(at);
        }
        at = end;
    }
    None
}

/// Returns where the name at `at` ends; pointers are not followed.
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            size @ 1..=63 => at += 1 + size as usize,
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = b"\x01a\0\0\x01\0\x01\0\0\0\x05\0\x02xy";
    const SIGNATURE: &[u8] = b"\x03key\xc0\x0c\0\xfa\0\xff\0\0\0\0\0\x01z";

    fn message(answers: u8, additionals: u8, records: &[&[u8]]) -> Vec<u8> {
        let head = [0, 7, 0x84, 0, 0, 1, 0, answers, 0, 0, 0, additionals];
        [&head[..], b"\x01a\0\0\xfc\0\x01", &records.concat()].concat()
    }

    #[test]
    fn it_is_the_last_record_and_the_only_one() {
        let plain = message(2, 0, &[RECORD, RECORD]);
        assert_eq!(tsig_start(&plain), None);
        assert_eq!(tsig_start(&message(2, 1, &[RECORD, RECORD, SIGNATURE])), Some(plain.len()));
        assert_eq!(tsig_start(&message(0, 1, &[SIGNATURE])), Some(19));
        assert_eq!(tsig_start(&message(1, 1, &[RECORD, RECORD])), None);
        assert_eq!(tsig_start(&message(1, 1, &[SIGNATURE, SIGNATURE])), None);
        assert_eq!(tsig_start(&message(0, 2, &[SIGNATURE, RECORD])), None);
    }

    #[test]
    fn what_cannot_be_walked_through_has_none() {
        let good = message(2, 1, &[RECORD, RECORD, SIGNATURE]);
        for size in 0..good.len() {
            assert_eq!(tsig_start(&good[..size]), None, "{size}");
        }
        let mut bad = good.clone();
        bad[12] = 64;
        assert_eq!(tsig_start(&bad), None);
    }
}
