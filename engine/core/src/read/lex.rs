//! Tokens of master files (RFC 1035 section 5.1), split as `bindpy.zone.lexer` splits them.

/// One word or quoted string: where its text is, escapes as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where the text begins, after the quote of a quoted string.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Nothing stands between this token and the one before (`key="value"`).
    pub glued: bool,
}

impl Token {
    /// The text, escapes as written.
    pub fn text<'t>(&self, entry: &'t [u8]) -> &'t [u8] {
        &entry[self.start..self.end]
    }
}

/// Why no entry could be split off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexError {
    /// It goes on after the end of the text.
    NeedMore,
    /// It is wrong at this place.
    Bad(usize),
}

const WORD: u8 = 0;
const BLANK: u8 = 1;
const OTHER: u8 = 2;

/// What each octet does in a word, between words, or by a rule of its own.
const CLASSES: [u8; 256] = {
    let mut classes = [WORD; 256];
    classes[b' ' as usize] = BLANK;
    classes[b'\t' as usize] = BLANK;
    let others = b"\r\n\"();\\";
    let mut i = 0;
    while i < others.len() {
        classes[others[i] as usize] = OTHER;
        i += 1;
    }
    classes
};

/// Splits the entry that begins at `start`, up to the end of its last line, into `tokens`, and returns where
/// it ends. Newlines count as blanks inside parentheses. An empty line gives an entry without tokens.
pub fn next_entry(text: &[u8], start: usize, tokens: &mut Vec<Token>) -> Result<usize, LexError> {
    tokens.clear();
    let mut at = start;
    let mut glue = usize::MAX;
    let mut depth = 0usize;
    let next = |at: usize| text.get(at).copied().ok_or(LexError::NeedMore);
    loop {
        let octet = next(at)?;
        match CLASSES[octet as usize] {
            BLANK => at += 1,
            WORD => {
                let end = word_end(text, at)?;
                tokens.push(Token { start: at, end, quoted: false, glued: at == glue });
                (at, glue) = (end, end);
            }
            _ => match octet {
                b'\\' => {
                    let end = word_end(text, at)?;
                    if end == at {
                        return Err(LexError::Bad(at));
                    }
                    tokens.push(Token { start: at, end, quoted: false, glued: at == glue });
                    (at, glue) = (end, end);
                }
                b'"' => {
                    let end = string_end(text, at + 1)?;
                    tokens.push(Token { start: at + 1, end, quoted: true, glued: at == glue });
                    (at, glue) = (end + 1, end + 1);
                }
                b';' => at += text[at..].iter().position(|&c| c == b'\n').ok_or(LexError::NeedMore)?,
                b'\n' | b'\r' => {
                    at += if octet == b'\r' && next(at + 1)? == b'\n' { 2 } else { 1 };
                    if depth == 0 {
                        return Ok(at);
                    }
                }
                b'(' => {
                    depth += 1;
                    at += 1;
                }
                _ => {
                    depth = depth.checked_sub(1).ok_or(LexError::Bad(at))?;
                    at += 1;
                }
            },
        }
    }
}

/// Returns where the word ends that goes on at `at`.
fn word_end(text: &[u8], mut at: usize) -> Result<usize, LexError> {
    loop {
        while CLASSES[*text.get(at).ok_or(LexError::NeedMore)? as usize] == WORD {
            at += 1;
        }
        if text[at] != b'\\' {
            return Ok(at);
        }
        match *text.get(at + 1).ok_or(LexError::NeedMore)? {
            b'\r' | b'\n' => return Ok(at),
            _ => at += 2,
        }
    }
}

/// Returns where the closing quote is of the string that goes on at `at`; a newline in it must be escaped.
fn string_end(text: &[u8], mut at: usize) -> Result<usize, LexError> {
    loop {
        match *text.get(at).ok_or(LexError::NeedMore)? {
            b'"' => return Ok(at),
            b'\n' => return Err(LexError::Bad(at)),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<(String, bool, bool)>, LexError> {
        let mut tokens = Vec::new();
        next_entry(text.as_bytes(), 0, &mut tokens)?;
        let show = |t: &Token| (String::from_utf8_lossy(t.text(text.as_bytes())).into(), t.quoted, t.glued);
        Ok(tokens.iter().map(show).collect())
    }

    #[test]
    fn entries_are_split_as_bind_splits_them() {
        let token = |text: &str, quoted, glued| (text.to_string(), quoted, glued);
        assert_eq!(
            words("a ( b ;x\n \"c d\"k=\"v\" ) \\( e\\;f\r\nnext").unwrap(),
            [
                token("a", false, false),
                token("b", false, false),
                token("c d", true, false),
                token("k=", false, true),
                token("v", true, true),
                token("\\(", false, false),
                token("e\\;f", false, false),
            ]
        );
        assert_eq!(words("a )\n"), Err(LexError::Bad(2)));
        assert_eq!(words("a \"b\n"), Err(LexError::Bad(4)));
        assert_eq!(words("a \\\n"), Err(LexError::Bad(2)));
        assert_eq!(words("a b"), Err(LexError::NeedMore));
        assert_eq!(words("a (\n"), Err(LexError::NeedMore));
        assert_eq!(words(" ; only a comment\n").unwrap(), []);
    }
}
