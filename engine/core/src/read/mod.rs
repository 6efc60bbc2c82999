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
mod ahead;
mod compare;
mod generate;
mod layout;
mod lex;
mod places;
mod plain;
mod raw;
mod rdata;
mod reader;
mod text;
mod types;
mod window;

pub use again::read_again;
pub use compare::reads_as;
pub(crate) use layout::Layout;
pub use places::{Place, Places, read_places};
pub use plain::{Plain, read_plain};
pub use types::{MNEMONICS, mnemonic, parse_ttl, type_from_text};

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::OFlags;

use crate::check::{self, Checks, Suspects};
use crate::rtype;
use crate::zone::{BuildError, Zone, ZoneBuilder};
use layout::Recorder;
use reader::{Entry, Reader, Refusal, State, Target, newlines};

/// What is read of a file at once.
const PIECE: usize = 1 << 18;

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

/// Opens a file to be read; one that is none, and may block, is opened at once, too.
fn open(path: &[u8], flags: OFlags) -> std::io::Result<File> {
    let flags = (flags | OFlags::NONBLOCK).bits() as i32;
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(OsStr::from_bytes(path))
}
