//! Reads the entries of a zone file, and of those that it includes, into a [`Target`].

use std::fs::File;
use std::io::Read;

use rustix::fs::OFlags;

use super::generate::Template;
use super::layout::Recorder;
use super::lex::{LexError, Token};
use super::text::NameBuf;
use super::{
    FileStamp, MAX_OTHER_TTLS, NeedsPython, OtherTtl, PIECE, Places, RareRdata, Word, build_reason, generate,
    joined, layout, lex, open, parse_ttl, raw, rdata, type_from_text, types,
};
use crate::rtype;
use crate::zone::ZoneBuilder;

/// The longest entry (a line, or lines joined by parentheses).
const MAX_ENTRY: usize = 1 << 20;
const MAX_INCLUDE_DEPTH: usize = 32;
/// Files that one zone may be made of; a file that is included twice counts twice.
const MAX_FILES: usize = 10_000;
/// Records that the $GENERATE lines of one zone may make.
const MAX_GENERATED: i64 = 1 << 22;

/// What the meaning of a file's next line depends on.
pub(super) struct State {
    pub(super) origin: NameBuf,
    pub(super) owner: NameBuf,
    /// The owner's node, where there is an owner.
    pub(super) node: Option<u32>,
    /// Whether the run of lines of this owner is the first one.
    pub(super) is_first_run: bool,
    pub(super) default_ttl: Option<u32>,
}

impl State {
    pub(super) fn new(origin: &[u8]) -> Self {
        let origin = NameBuf::new(origin);
        State { owner: origin.clone(), origin, node: None, is_first_run: false, default_ttl: None }
    }
}

/// Why Python has to look, and in which line, as soon as that is known.
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) line: Option<u64>,
}

impl From<&'static str> for Refusal {
    fn from(reason: &'static str) -> Self {
        Refusal { reason, line: None }
    }
}

pub(super) type Entry = Result<(), Refusal>;

/// What is made of the records that are read. Errors say why Python has to look.
pub(super) trait Target {
    /// Takes notice that the text has about so many octets.
    fn reserve(&mut self, octets: u64);
    /// Returns the number of the node `owner`, whose records come next.
    fn node_of(&mut self, owner: &[u8]) -> Result<u32, &'static str>;
    /// Whether a node has records already.
    fn has_records(&self, node: u32) -> bool;
    /// Whether a node's name was first written like this.
    fn is_spelled(&self, node: u32, owner: &[u8]) -> bool;
    /// Takes a record and returns the TTL of its RRset.
    fn add_at(&mut self, node: u32, rtype: u16, ttl: u32, rdata: &[u8]) -> Result<u32, &'static str>;
}

impl Target for ZoneBuilder {
    fn reserve(&mut self, octets: u64) {
        ZoneBuilder::reserve(self, octets);
    }

    fn node_of(&mut self, owner: &[u8]) -> Result<u32, &'static str> {
        ZoneBuilder::node_of(self, owner).map_err(build_reason)
    }

    fn has_records(&self, node: u32) -> bool {
        ZoneBuilder::has_records(self, node)
    }

    fn is_spelled(&self, node: u32, owner: &[u8]) -> bool {
        ZoneBuilder::is_spelled(self, node, owner)
    }

    fn add_at(&mut self, node: u32, rtype: u16, ttl: u32, rdata: &[u8]) -> Result<u32, &'static str> {
        ZoneBuilder::add_at(self, node, rtype, ttl, rdata).map_err(build_reason)
    }
}

pub(super) struct Reader<'a, T> {
    pub(super) target: T,
    pub(super) directory: &'a [u8],
    pub(super) rare: &'a mut dyn RareRdata,
    pub(super) apex: Vec<u8>,
    pub(super) files: Vec<(Vec<u8>, FileStamp)>,
    /// The file that is read, after those that include it.
    pub(super) open: Vec<Vec<u8>>,
    pub(super) files_read: usize,
    pub(super) generated: i64,
    pub(super) soa: Vec<u8>,
    pub(super) rdata: Vec<u8>,
    /// The lines before the present piece of the text, and where the present entry begins in that.
    pub(super) lines_before: u64,
    pub(super) entry_at: usize,
    pub(super) other_ttls: (Vec<OtherTtl>, u64),
    /// Where records stand, for a run that is only after places.
    pub(super) places: Option<Places>,
    /// The parts of the text, of a large file that is all there is.
    pub(super) layout: Option<Recorder>,
}

impl<'a, T: Target> Reader<'a, T> {
    pub(super) fn new(target: T, origin: &[u8], directory: &'a [u8], rare: &'a mut dyn RareRdata) -> Self {
        Reader {
            target,
            directory,
            rare,
            apex: origin.to_ascii_lowercase(),
            files: Vec::new(),
            open: Vec::new(),
            files_read: 0,
            generated: 0,
            soa: Vec::new(),
            rdata: Vec::new(),
            lines_before: 0,
            entry_at: 0,
            other_ttls: (Vec::new(), 0),
            places: None,
            layout: None,
        }
    }

    pub(super) fn run(&mut self, path: &[u8], origin: &[u8]) -> Result<(), NeedsPython> {
        let outcome = self.file(path.to_vec(), &mut State::new(origin));
        outcome.map_err(|Refusal { reason, line }| {
            let file = self.open.last().map_or(path, |file| &file[..]).to_vec();
            NeedsPython { reason, file, line: line.unwrap_or(0) }
        })
    }

    pub(super) fn file(&mut self, path: Vec<u8>, state: &mut State) -> Entry {
        self.files_read += 1;
        if self.open.contains(&path) || self.open.len() > MAX_INCLUDE_DEPTH || self.files_read > MAX_FILES {
            return Err("too many files, or one that includes itself".into());
        }
        let mut file = open(&path, OFlags::empty()).map_err(|_| "a file that cannot be opened")?;
        let stamp = FileStamp::of(&file).ok().flatten().ok_or("not a regular file")?;
        self.opened(path, &mut file, stamp, state)
    }

    /// Reads a file that is open.
    pub(super) fn opened(
        &mut self,
        path: Vec<u8>,
        file: &mut File,
        stamp: FileStamp,
        state: &mut State,
    ) -> Entry {
        if self.files.is_empty() {
            self.target.reserve(stamp.size);
            if stamp.size >= layout::LEAST_OCTETS && self.places.is_none() {
                self.layout = Some(Recorder::new(state));
            }
        }
        let number = self.files.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
            self.files.push((path.clone(), stamp));
            self.files.len() - 1
        });
        self.open.push(path);
        if let Some(places) = &mut self.places {
            places.enter(number);
        }
        self.text(file, stamp.size, state)?;
        if let Some(places) = &mut self.places {
            places.leave();
        }
        self.open.pop(); // after a refusal it says which file that was about
        Ok(())
    }

    pub(super) fn text(&mut self, file: &mut impl Read, octets: u64, state: &mut State) -> Entry {
        // A large one would cost more than reading a small file does; with some room left its end is found at once.
        let mut text: Vec<u8> = Vec::with_capacity(2 * PIECE.min(octets as usize + 32));
        let mut tokens = Vec::new();
        let mut lines_before = 0;
        let mut last = b'\n';
        loop {
            // what is not read yet stays, and the next piece goes after it
            let old = text.len();
            let read = file.by_ref().take(PIECE as u64).read_to_end(&mut text);
            read.map_err(|_| "a file that cannot be read")?;
            if text.starts_with(raw::MAGIC) && self.files_read == 1 && self.places.is_none() {
                self.layout = None;
                return raw::read(text, file, &mut self.target, self.rare);
            }
            let new = &text[old..];
            if new.contains(&0) {
                return Err("a NUL octet".into());
            }
            if new.is_empty() {
                break;
            }
            let is_end = new.len() < PIECE;
            last = new[new.len() - 1];
            if lines_before == 0 && text.starts_with(b"\xef\xbb\xbf") {
                return Err("a byte order mark".into());
            }
            let mut at = 0;
            self.lines_before = lines_before;
            let outcome = self.entries(&text, &mut at, &mut tokens, state);
            outcome.map_err(|Refusal { reason, line }| {
                let here = lines_before + 1 + newlines(&text[..at]);
                Refusal { reason, line: line.or(Some(here)) }
            })?;
            let lines = newlines(&text[..at]);
            lines_before += lines;
            if let Some(places) = &mut self.places {
                places.next_piece(lines_before);
            }
            if let Some(layout) = &mut self.layout {
                layout.piece(&text, at, state);
            }
            text.drain(..at);
            if text.len() > MAX_ENTRY {
                return Err(Refusal { reason: "an entry without an end", line: Some(lines_before + 1) });
            }
            if is_end {
                break;
            }
        }
        if !text.is_empty() || !matches!(last, b'\n') {
            let reason = "the file does not end with a newline, or an entry does not end";
            return Err(Refusal { reason, line: Some(lines_before + 1) });
        }
        Ok(())
    }

    /// Reads entries from `at` on, which it moves, until one goes on after the end of the text.
    pub(super) fn entries(
        &mut self,
        text: &[u8],
        at: &mut usize,
        tokens: &mut Vec<Token>,
        state: &mut State,
    ) -> Entry {
        loop {
            match lex::next_entry(text, *at, tokens) {
                Ok(end) => {
                    if !tokens.is_empty() {
                        if let Some(places) = &mut self.places {
                            places.note(text, tokens[0].start);
                        }
                        let inherits = matches!(text[*at], b' ' | b'\t');
                        if let (Some(layout), false) = (&mut self.layout, inherits) {
                            layout.owner_at(text, *at, state);
                        }
                        self.entry(text, tokens, inherits, state)?;
                    }
                    *at = end;
                }
                Err(LexError::NeedMore) => return Ok(()),
                Err(LexError::Bad(_)) => return Err("bad syntax".into()),
            }
        }
    }

    pub(super) fn entry(
        &mut self,
        text: &[u8],
        tokens: &[Token],
        inherits: bool,
        state: &mut State,
    ) -> Entry {
        self.entry_at = tokens[0].start;
        if inherits {
            self.note_owner(state, true);
            return self.record(text, tokens, state);
        }
        let first = tokens[0];
        if first.quoted {
            return Err("an owner name in quotes".into());
        }
        let owner = first.text(text);
        if owner.first() == Some(&b'$') {
            return self.directive(text, tokens, state);
        }
        state.owner.parse(owner, &state.origin).ok_or("a bad owner name")?;
        let node = self.target.node_of(&state.owner)?;
        if state.node != Some(node) {
            state.node = Some(node);
            state.is_first_run = !self.target.has_records(node);
        } else if !self.target.is_spelled(node, &state.owner) {
            state.is_first_run = false;
        }
        self.note_owner(state, false);
        self.record(text, &tokens[1..], state)
    }

    pub(super) fn note_owner(&mut self, state: &State, inherits: bool) {
        if let (Some(layout), Some(node)) = (&mut self.layout, state.node) {
            layout.record(node, inherits);
        }
    }

    /// Reads `[TTL] [CLASS] TYPE` from the beginning of `tokens`: the TTL when given, the type, and how many
    /// tokens that was.
    pub(super) fn head(
        &self,
        text: &[u8],
        tokens: &[Token],
    ) -> Result<(Option<u32>, u16, usize), &'static str> {
        let (mut ttl, mut class) = (None, false);
        for (at, token) in tokens.iter().enumerate() {
            if token.quoted {
                return Err("a record type in quotes");
            }
            let word = token.text(text);
            if ttl.is_none() && word[0].is_ascii_digit() {
                if let Some(seconds) = parse_ttl(word) {
                    ttl = Some(seconds);
                    continue;
                }
            } else if !class && types::is_class_in(word) {
                class = true;
                continue;
            }
            let rtype = type_from_text(word).ok_or("an unknown record type")?;
            if rtype::is_meta(rtype) || matches!(rtype, rtype::MD | rtype::MF) {
                return Err("a type that cannot be in a zone");
            }
            if ttl.is_some_and(|ttl| ttl > types::MAX_TTL) {
                return Err("a TTL that is too large");
            }
            return Ok((ttl, rtype, at + 1));
        }
        Err("a record without a type")
    }

    /// Reads `[TTL] [CLASS] TYPE RDATA`, TTL and class in either order.
    pub(super) fn record(&mut self, text: &[u8], tokens: &[Token], state: &mut State) -> Entry {
        let node = state.node.ok_or("no current owner name")?;
        let (ttl, rtype, at) = self.head(text, tokens)?;
        self.read_rdata(rtype, text, &tokens[at..], &state.origin)?;
        let ttl = ttl.or(state.default_ttl).ok_or("a record without a TTL")?;
        if rtype == rtype::SOA && !self.is_first_soa(&state.owner)? {
            return Ok(());
        }
        let used = self.add(node, rtype, ttl)?;
        if used == ttl { Ok(()) } else { self.other_ttl(text, ttl, used, state) }
    }

    /// Takes notice of a record whose TTL is not that of its RRset. In a later run of lines of its owner it would
    /// replace that: Python knows.
    pub(super) fn other_ttl(&mut self, text: &[u8], ttl: u32, prior: u32, state: &State) -> Entry {
        if !state.is_first_run || self.files_read > 1 || self.generated > 0 {
            return Err("an RRset with different TTLs".into());
        }
        let (told, count) = &mut self.other_ttls;
        *count += 1;
        if told.len() < MAX_OTHER_TTLS {
            let before = &text[..self.entry_at];
            let line_start =
                before.iter().rposition(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
            let line = self.lines_before + 1 + newlines(before);
            told.push(OtherTtl { line, column: self.entry_at - line_start + 1, ttl, prior });
        }
        Ok(())
    }

    /// Adds a record and returns the TTL of its RRset.
    pub(super) fn add(&mut self, node: u32, rtype: u16, ttl: u32) -> Result<u32, Refusal> {
        if let Some(places) = &mut self.places {
            places.add(node, rtype);
            return Ok(ttl);
        }
        Ok(self.target.add_at(node, rtype, ttl, &self.rdata)?)
    }

    pub(super) fn read_rdata(&mut self, rtype: u16, text: &[u8], tokens: &[Token], origin: &[u8]) -> Entry {
        self.rdata.clear();
        if rdata::parse(rtype, text, tokens, origin, &mut self.rdata).is_some() {
            return Ok(());
        }
        let word = |token: &Token| Word { text: token.text(text), quoted: token.quoted, glued: token.glued };
        let words: Vec<Word<'_>> = tokens.iter().map(word).collect();
        self.rdata =
            self.rare.rdata(rtype, &words, origin).ok_or("RDATA that is wrong, or of a rare kind")?;
        Ok(())
    }

    /// Returns whether this is the zone's first SOA record; the same one again does not count.
    pub(super) fn is_first_soa(&mut self, owner: &[u8]) -> Result<bool, &'static str> {
        if !owner.eq_ignore_ascii_case(&self.apex) {
            return Err("a SOA record that is not at the top of the zone");
        }
        if self.soa.is_empty() {
            self.soa.clone_from(&self.rdata);
            return Ok(true);
        }
        if self.soa == self.rdata { Ok(false) } else { Err("a second SOA record") }
    }

    // Directives --------------------------------------------------------------------------------------------

    pub(super) fn directive(&mut self, text: &[u8], tokens: &[Token], state: &mut State) -> Entry {
        let word = |at: usize| tokens.get(at).map_or(&[][..], |token| token.text(text));
        let quoted = tokens.iter().take(3).any(|token| token.quoted);
        let name = tokens[0].text(text);
        if name.eq_ignore_ascii_case(b"$INCLUDE") && matches!(tokens.len(), 2 | 3) {
            self.layout = None;
            let mut inner = State { origin: state.origin.clone(), ..State::new(&state.origin) };
            if tokens.len() == 3 {
                inner.origin.parse(word(2), &state.origin).ok_or("a bad name")?;
            }
            (inner.owner, inner.node) = (state.owner.clone(), state.node);
            inner.default_ttl = state.default_ttl;
            let path = joined(self.directory, word(1));
            self.file(path, &mut inner)?;
            state.default_ttl = inner.default_ttl;
            return Ok(());
        }
        if quoted {
            return Err("a directive with quotes".into());
        }
        match tokens.len() {
            2 if name.eq_ignore_ascii_case(b"$TTL") => {
                let ttl = parse_ttl(word(1)).filter(|&ttl| ttl <= types::MAX_TTL);
                state.default_ttl = Some(ttl.ok_or("a bad TTL")?);
                Ok(())
            }
            2 if name.eq_ignore_ascii_case(b"$ORIGIN") => {
                let outer = state.origin.clone();
                Ok(state.origin.parse(word(1), &outer).ok_or("a bad name")?)
            }
            5..=7 if name.eq_ignore_ascii_case(b"$GENERATE") => self.generate(text, tokens, state),
            _ => Err("a directive that is wrong, or of a rare kind".into()),
        }
    }

    pub(super) fn generate(&mut self, text: &[u8], tokens: &[Token], state: &State) -> Entry {
        self.layout = None;
        const WRONG: &str = "a $GENERATE line that is wrong, or of a rare kind";
        let (ttl, rtype, at) = self.head(text, &tokens[3..])?;
        let right = match &tokens[3 + at..] {
            [right] => right.text(text),
            _ => return Err(WRONG.into()),
        };
        let (start, stop, step) = generate::parse_range(tokens[1].text(text)).ok_or(WRONG)?;
        let left = Template::parse(tokens[2].text(text)).ok_or(WRONG)?;
        let right = Template::parse(right).ok_or(WRONG)?;
        let ttl = ttl.or(state.default_ttl).ok_or("a record without a TTL")?;
        self.generated += (stop - start) / step + 1;
        if self.generated > MAX_GENERATED || rtype == rtype::SOA {
            return Err(WRONG.into());
        }
        let (mut owner, mut line, mut words) = (NameBuf::default(), Vec::new(), Vec::new());
        let mut number = start;
        while number <= stop {
            line.clear();
            left.render(number, &mut line).ok_or(WRONG)?;
            owner.parse(&line, &state.origin).ok_or("a bad owner name")?;
            let node = self.target.node_of(&owner)?;
            line.clear();
            right.render(number, &mut line).ok_or(WRONG)?;
            line.push(b'\n');
            match lex::next_entry(&line, 0, &mut words) {
                Ok(end) if end == line.len() => {}
                _ => return Err(WRONG.into()),
            }
            self.read_rdata(rtype, &line, &words, &state.origin)?;
            if self.add(node, rtype, ttl)? != ttl {
                return Err("an RRset with different TTLs".into());
            }
            number += step;
        }
        Ok(())
    }
}

pub(super) fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|&&octet| octet == b'\n').count() as u64
}
