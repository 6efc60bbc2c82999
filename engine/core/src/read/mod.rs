//! The zone-file reader: master files (RFC 1035 section 5) without anything wrong.
//!
//! `bindpy.zone.reader` is the specification, and the judge: where a file is in error, or deserves a warning,
//! [`read_zone`] says [`NeedsPython`] and the Python reader reads it again and reports. So both engines give
//! the same verdict and the same words, and this one only has to be right about what is right. RDATA of rare
//! types goes through [`RareRdata`], record by record. What the zone's checks (`bindpy.zone.checks`) would say is
//! for Python too, but about single owners of the zone that was read here, see [`Suspects`].
//!
//! Why no crate reads the text: `domain` 0.11 (NLnet Labs), scanning alone, takes 0.39 s of CPU for the million
//! records of benchmarks/reader.py, and stops at their CAA records, at $GENERATE, and wherever BIND's grammar is
//! not RFC 1035's; what it takes and refuses would have to be held against Python's reader line by line. Reading,
//! building and checking the zone takes 0.8 s here, of which the text is a quarter.

mod again;
mod compare;
mod generate;
mod layout;
mod lex;
mod places;
mod plain;
mod raw;
mod rdata;
mod text;
mod types;

pub use again::read_again;
pub use compare::reads_as;
pub(crate) use layout::Layout;
pub use places::{Place, Places, read_places};
pub use plain::{Plain, read_plain};
pub use types::{MNEMONICS, mnemonic, parse_ttl, type_from_text};

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::OFlags;

use crate::check::{self, Checks, Suspects};
use crate::rtype;
use crate::zone::{BuildError, Zone, ZoneBuilder};
use generate::Template;
use layout::Recorder;
use lex::{LexError, Token};
use text::NameBuf;

/// What is read of a file at once.
const PIECE: usize = 1 << 18;
/// The longest entry (a line, or lines joined by parentheses).
const MAX_ENTRY: usize = 1 << 20;
const MAX_INCLUDE_DEPTH: usize = 32;
/// Files that one zone may be made of; a file that is included twice counts twice.
const MAX_FILES: usize = 10_000;
/// Records that the $GENERATE lines of one zone may make.
const MAX_GENERATED: i64 = 1 << 22;

/// Turns RDATA of types that are not read here into wire form.
pub trait RareRdata {
    /// Returns the valid, uncompressed RDATA that `words` mean for `rtype`, names relative to `origin`, or `None`
    /// where they are in error.
    fn rdata(&mut self, rtype: u16, words: &[Word<'_>], origin: &[u8]) -> Option<Vec<u8>>;
}

/// One token of rare RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'t> {
    /// Its octets, escapes as written.
    pub text: &'t [u8],
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Nothing stands between this one and the one before (`key="value"`).
    pub glued: bool,
}

/// Knows no rare types: zones that have some are left to Python whole.
pub struct NoRareRdata;

impl RareRdata for NoRareRdata {
    fn rdata(&mut self, _rtype: u16, _words: &[Word<'_>], _origin: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// What the file system said of a file before it was read (`bindpy.files.FileStamp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// The device's number.
    pub device: u64,
    /// The number of the file there.
    pub inode: u64,
    /// Its octets.
    pub size: u64,
    /// When it was written to, in nanoseconds.
    pub mtime_ns: i128,
    /// When it changed in any way, in nanoseconds.
    pub ctime_ns: i128,
}

impl FileStamp {
    fn of(file: &File) -> std::io::Result<Option<Self>> {
        let stat = file.metadata()?;
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let stamp = FileStamp {
            device: stat.dev(),
            inode: stat.ino(),
            size: stat.size(),
            mtime_ns: ns(stat.mtime(), stat.mtime_nsec()),
            ctime_ns: ns(stat.ctime(), stat.ctime_nsec()),
        };
        Ok(stat.is_file().then_some(stamp))
    }
}

/// A record whose TTL is not that of its RRset, which had one before in the same run of lines of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherTtl {
    /// The record's line in the zone file, from 1.
    pub line: u64,
    /// The octet in the line where it begins, from 1.
    pub column: usize,
    /// Its TTL.
    pub ttl: u32,
    /// The RRset's TTL, which the record has got.
    pub prior: u32,
}

/// Such records that are told one by one: as many as Python tells warnings.
const MAX_OTHER_TTLS: usize = 100;

/// A zone whose text has nothing wrong, and the files that it was made of: the zone file first, then those that
/// it includes, each once.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The zone.
    pub zone: Zone,
    /// Paths as Python's reader names them, with what each was like before it was read.
    pub files: Vec<(Vec<u8>, FileStamp)>,
    /// What Python's checks have to look at.
    pub suspects: Suspects,
    /// What is to be warned of: the first ones, and how many there are.
    pub other_ttls: (Vec<OtherTtl>, u64),
}

/// The file has to be read by Python's reader, which decides and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsPython {
    /// Why, for those who wonder about speed.
    pub reason: &'static str,
    /// The file that it is about.
    pub file: Vec<u8>,
    /// The line, from 1, or 0 where it is about no line.
    pub line: u64,
}

/// Reads the zone `origin` of class IN from the file `path`, text or BIND's raw format, and judges it by `checks`.
///
/// Relative paths, those in $INCLUDE too, are relative to `directory`, or to the current one where that is
/// empty.
pub fn read_zone(
    path: &[u8],
    origin: &[u8],
    directory: &[u8],
    checks: &Checks,
    rare: &mut dyn RareRdata,
) -> Result<Loaded, NeedsPython> {
    let path = joined(directory, path);
    let mut reader = Reader::new(ZoneBuilder::new(origin, rtype::IN), origin, directory, rare);
    reader.run(&path, origin)?;
    let (files, other_ttls) = (reader.files, reader.other_ttls);
    let no_zone = |error| NeedsPython { reason: build_reason(error), file: path.clone(), line: 0 };
    let layout = reader.layout.filter(|_| other_ttls.1 == 0);
    let (zone, suspects) = finished(reader.target, layout, checks).map_err(no_zone)?;
    Ok(Loaded { zone, files, suspects, other_ttls })
}

/// Returns the zone, and what the checks say of it; with its layout, if nothing is to be said.
fn finished(
    builder: ZoneBuilder,
    layout: Option<Recorder>,
    checks: &Checks,
) -> Result<(Zone, Suspects), BuildError> {
    let (zone, numbers) = builder.finish_placed(layout.is_some())?;
    let suspects = check::suspects(&zone, checks);
    let zone = match layout.filter(|_| suspects.is_empty()) {
        Some(layout) => zone.laid_out(layout, |node| numbers.get(node as usize).copied()),
        None => zone,
    };
    Ok((zone, suspects))
}

fn build_reason(error: BuildError) -> &'static str {
    match error {
        BuildError::OutOfZone => "out-of-zone data",
        BuildError::NoSoa => "no SOA record",
        BuildError::TooLarge | BuildError::TooManyRrsets => "too large",
    }
}

/// Joins paths as Python's pathlib does where there is a directory, and leaves them alone where there is none.
fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return path.to_vec();
    }
    let whole = if path.starts_with(b"/") { path.to_vec() } else { [directory, b"/", path].concat() };
    let parts: Vec<&[u8]> =
        whole.split(|&octet| octet == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    let root: &[u8] = match &whole[..] {
        [b'/', b'/', third, ..] if *third != b'/' => b"//",
        [b'/', ..] => b"/",
        _ => b"",
    };
    match (root, &parts[..]) {
        (b"", []) => b".".to_vec(),
        _ => [root, &parts.join(&b'/')].concat(),
    }
}

/// What the meaning of a file's next line depends on.
struct State {
    origin: NameBuf,
    owner: NameBuf,
    /// The owner's node, where there is an owner.
    node: Option<u32>,
    /// Whether the run of lines of this owner is the first one.
    is_first_run: bool,
    default_ttl: Option<u32>,
}

impl State {
    fn new(origin: &[u8]) -> Self {
        let origin = NameBuf::new(origin);
        State { owner: origin.clone(), origin, node: None, is_first_run: false, default_ttl: None }
    }
}

/// Why Python has to look, and in which line, as soon as that is known.
struct Refusal {
    reason: &'static str,
    line: Option<u64>,
}

impl From<&'static str> for Refusal {
    fn from(reason: &'static str) -> Self {
        Refusal { reason, line: None }
    }
}

type Entry = Result<(), Refusal>;

/// What is made of the records that are read. Errors say why Python has to look.
trait Target {
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

struct Reader<'a, T> {
    target: T,
    directory: &'a [u8],
    rare: &'a mut dyn RareRdata,
    apex: Vec<u8>,
    files: Vec<(Vec<u8>, FileStamp)>,
    /// The file that is read, after those that include it.
    open: Vec<Vec<u8>>,
    files_read: usize,
    generated: i64,
    soa: Vec<u8>,
    rdata: Vec<u8>,
    /// The lines before the present piece of the text, and where the present entry begins in that.
    lines_before: u64,
    entry_at: usize,
    other_ttls: (Vec<OtherTtl>, u64),
    /// Where records stand, for a run that is only after places.
    places: Option<Places>,
    /// The parts of the text, of a large file that is all there is.
    layout: Option<Recorder>,
}

impl<'a, T: Target> Reader<'a, T> {
    fn new(target: T, origin: &[u8], directory: &'a [u8], rare: &'a mut dyn RareRdata) -> Self {
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

    fn run(&mut self, path: &[u8], origin: &[u8]) -> Result<(), NeedsPython> {
        let outcome = self.file(path.to_vec(), &mut State::new(origin));
        outcome.map_err(|Refusal { reason, line }| {
            let file = self.open.last().map_or(path, |file| &file[..]).to_vec();
            NeedsPython { reason, file, line: line.unwrap_or(0) }
        })
    }

    fn file(&mut self, path: Vec<u8>, state: &mut State) -> Entry {
        self.files_read += 1;
        if self.open.contains(&path) || self.open.len() > MAX_INCLUDE_DEPTH || self.files_read > MAX_FILES {
            return Err("too many files, or one that includes itself".into());
        }
        let mut file = open(&path, OFlags::empty()).map_err(|_| "a file that cannot be opened")?;
        let stamp = FileStamp::of(&file).ok().flatten().ok_or("not a regular file")?;
        self.opened(path, &mut file, stamp, state)
    }

    /// Reads a file that is open.
    fn opened(&mut self, path: Vec<u8>, file: &mut File, stamp: FileStamp, state: &mut State) -> Entry {
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

    fn text(&mut self, file: &mut impl Read, octets: u64, state: &mut State) -> Entry {
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
    fn entries(&mut self, text: &[u8], at: &mut usize, tokens: &mut Vec<Token>, state: &mut State) -> Entry {
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

    fn entry(&mut self, text: &[u8], tokens: &[Token], inherits: bool, state: &mut State) -> Entry {
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

    fn note_owner(&mut self, state: &State, inherits: bool) {
        if let (Some(layout), Some(node)) = (&mut self.layout, state.node) {
            layout.record(node, inherits);
        }
    }

    /// Reads `[TTL] [CLASS] TYPE` from the beginning of `tokens`: the TTL when given, the type, and how many
    /// tokens that was.
    fn head(&self, text: &[u8], tokens: &[Token]) -> Result<(Option<u32>, u16, usize), &'static str> {
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
    fn record(&mut self, text: &[u8], tokens: &[Token], state: &mut State) -> Entry {
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
    fn other_ttl(&mut self, text: &[u8], ttl: u32, prior: u32, state: &State) -> Entry {
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
    fn add(&mut self, node: u32, rtype: u16, ttl: u32) -> Result<u32, Refusal> {
        if let Some(places) = &mut self.places {
            places.add(node, rtype);
            return Ok(ttl);
        }
        Ok(self.target.add_at(node, rtype, ttl, &self.rdata)?)
    }

    fn read_rdata(&mut self, rtype: u16, text: &[u8], tokens: &[Token], origin: &[u8]) -> Entry {
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
    fn is_first_soa(&mut self, owner: &[u8]) -> Result<bool, &'static str> {
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

    fn directive(&mut self, text: &[u8], tokens: &[Token], state: &mut State) -> Entry {
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

    fn generate(&mut self, text: &[u8], tokens: &[Token], state: &State) -> Entry {
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

/// Opens a file to be read; one that is none, and may block, is opened at once, too.
fn open(path: &[u8], flags: OFlags) -> std::io::Result<File> {
    let flags = (flags | OFlags::NONBLOCK).bits() as i32;
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(OsStr::from_bytes(path))
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|&&octet| octet == b'\n').count() as u64
}
