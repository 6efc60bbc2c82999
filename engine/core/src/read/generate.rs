//! `$GENERATE`: BIND's templates that make many records of one line, as `bindpy.zone.generate` reads them.

const MAX_NUMBER: i64 = 0x7fff_ffff;
const MAX_WIDTH: usize = 127;

/// Returns the first number, the last one and the step that `START-STOP[/STEP]` means.
pub fn parse_range(text: &[u8]) -> Option<(i64, i64, i64)> {
    let number = |text: &[u8]| {
        let digits = text.strip_prefix(b"+").unwrap_or(text);
        super::text::number(digits, MAX_NUMBER as u32).map(i64::from)
    };
    let (range, step) = match text.iter().position(|&octet| octet == b'/') {
        Some(at) => (&text[..at], number(&text[at + 1..])?),
        None => (text, 1),
    };
    let dash = range.iter().position(|&octet| octet == b'-')?;
    let (start, stop) = (number(&range[..dash])?, number(&range[dash + 1..])?);
    (start <= stop && step >= 1).then_some((start, stop, step))
}

enum Part {
    Text(Vec<u8>),
    Number { offset: i64, width: usize, base: u8 },
}

/// One side of a `$GENERATE` line.
///
/// `$` is the number, `${OFFSET[,WIDTH[,BASE]]}` the number plus OFFSET, padded with zeros to WIDTH, in base d,
/// o, x, X, or as reversed nibbles n, N. `$$` and `\$` are a dollar sign; other escapes stay.
pub struct Template(Vec<Part>);

impl Template {
    /// Reads a template; `None` for a bad modifier.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut at = 0;
        while at < text.len() {
            match &text[at..] {
                [b'\\', rest @ ..] => {
                    plain.extend_from_slice(&text[at..(at + 2).min(text.len())]);
                    at += 1 + rest.len().min(1);
                }
                [b'$', b'$', ..] => {
                    plain.extend_from_slice(b"\\$");
                    at += 2;
                }
                [b'$', rest @ ..] => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    at += 1;
                    if rest.first() == Some(&b'{') {
                        let end = rest.iter().position(|&octet| octet == b'}')?;
                        parts.push(modifier(&rest[1..end])?);
                        at += end + 1;
                    } else {
                        parts.push(Part::Number { offset: 0, width: 0, base: b'd' });
                    }
                }
                _ => {
                    plain.push(text[at]);
                    at += 1;
                }
            }
        }
        parts.push(Part::Text(plain));
        Some(Template(parts))
    }

    /// Appends the text for `number`; `None` when a result cannot be printed.
    pub fn render(&self, number: i64, out: &mut Vec<u8>) -> Option<()> {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Number { offset, width, base } => format(number + offset, *width, *base, out)?,
            }
        }
        Some(())
    }
}

/// Reads what stands between the braces: `OFFSET[,WIDTH[,BASE]]`.
fn modifier(text: &[u8]) -> Option<Part> {
    let unblank = |text: &'_ [u8]| -> Vec<u8> {
        text.iter().copied().skip_while(|octet| matches!(octet, b' ' | b'\t')).collect()
    };
    let mut fields = text.split(|&octet| octet == b',');
    let offset = unblank(fields.next()?);
    let (sign, digits) = match offset.split_first()? {
        (b'-', digits) => (-1, digits),
        (b'+', digits) => (1, digits),
        _ => (1, &offset[..]),
    };
    let offset = sign * i64::from(super::text::number(digits, u32::MAX)?);
    let width = match fields.next() {
        Some(width) => {
            let width = unblank(width);
            (width.len() <= 4).then_some(())?;
            super::text::number(&width, MAX_WIDTH as u32)? as usize
        }
        None => 0,
    };
    let base = match fields.next() {
        Some([base @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')]) => *base,
        None => b'd',
        _ => return None,
    };
    fields.next().is_none().then_some(Part::Number { offset, width, base })
}

fn format(value: i64, width: usize, base: u8, out: &mut Vec<u8>) -> Option<()> {
    if !(-MAX_NUMBER - 1..=MAX_NUMBER).contains(&value) {
        return None;
    }
    let unsigned = value as u32;
    let text = match base {
        b'd' => format!("{value:0width$}"),
        b'o' => format!("{unsigned:0width$o}"),
        b'x' => format!("{unsigned:0width$x}"),
        b'X' => format!("{unsigned:0width$X}"),
        b'n' => nibbles(u32::try_from(value).ok()?, width, b"0123456789abcdef"),
        _ => nibbles(u32::try_from(value).ok()?, width, b"0123456789ABCDEF"),
    };
    out.extend_from_slice(text.as_bytes());
    Some(())
}

/// Returns the hexadecimal digits from the lowest up, dots between them, `width` characters at least.
fn nibbles(mut value: u32, width: usize, digits: &[u8; 16]) -> String {
    let mut width = width as isize;
    let mut out = String::new();
    loop {
        out.push(char::from(digits[(value & 15) as usize]));
        value >>= 4;
        width -= 1;
        if width <= 0 && value == 0 {
            return out;
        }
        out.push('.');
        width -= 1;
        if width <= 0 && value == 0 {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, number: i64) -> Option<String> {
        let mut out = Vec::new();
        Template::parse(template.as_bytes())?.render(number, &mut out)?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn templates_are_binds() {
        assert_eq!(render("a$b${1}c${-1,3}d${0,2,x}", 11).unwrap(), "a11b12c010d0b");
        assert_eq!(render("\\$$$\\065", 1).unwrap(), "\\$\\$\\065");
        assert_eq!(render("${0,0,n}", 0x1a).unwrap(), "a.1");
        assert_eq!(render("${0,8,N}", 0x1a).unwrap(), "A.1.0.0.");
        assert_eq!(render("${-5}", 3).unwrap(), "-2");
        for bad in ["${", "${}", "${x}", "${0,128}", "${0,1,d,}", "${0,1,q}", "${-5,0,n}"] {
            assert_eq!(render(bad, 3), None, "{bad}");
        }
    }

    #[test]
    fn ranges_may_have_steps() {
        assert_eq!(parse_range(b"1-+5/2"), Some((1, 5, 2)));
        assert_eq!(parse_range(b"0-0"), Some((0, 0, 1)));
        for bad in [&b"5-1"[..], b"1-5/0", b"1-5/", b"1", b"-1-5", b"1-2147483648"] {
            assert_eq!(parse_range(bad), None, "{bad:?}");
        }
    }
}
