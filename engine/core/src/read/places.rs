//! Where the records of a zone stand in its text, for messages: the files are read once more for it.

use super::{NeedsPython, RareRdata, Reader, joined, newlines};
use crate::rtype;
use crate::zone::ZoneBuilder;

/// A place in the text of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the file in [`Places::files`].
    pub file: u32,
    /// The line, from 1.
    pub line: u32,
    /// The octet in the line, from 1, up to 65535.
    pub column: u16,
}

struct Entry {
    node: u32,
    rtype: u16,
    place: Place,
}

/// What is being read of one file: its number, and the place in the present piece up to where lines are counted.
struct Counted {
    file: u32,
    at: usize,
    line: u64,
    place: Place,
}

/// Where the records of a zone stand.
#[derive(Default)]
pub struct Places {
    /// The files, as [`super::Loaded`] names them.
    pub files: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    open: Vec<Counted>,
    find: Option<ZoneBuilder>,
}

impl Places {
    /// Returns the places of the records of `key` (in lower case) and `rtype`, in the order of the text.
    pub fn find(&self, key: &[u8], rtype: u16) -> Vec<Place> {
        let Some(node) = self.number(key) else { return Vec::new() };
        let start = self.entries.partition_point(|entry| (entry.node, entry.rtype) < (node, rtype));
        let here =
            self.entries[start..].iter().take_while(|entry| (entry.node, entry.rtype) == (node, rtype));
        here.map(|entry| entry.place).collect()
    }

    /// Returns a number by which owners sort as they come first in the text, the apex before all; `None` for a
    /// name that owns nothing.
    pub fn number(&self, key: &[u8]) -> Option<u32> {
        self.find.as_ref()?.number(key)
    }

    pub(super) fn enter(&mut self, file: usize) {
        let file = file as u32;
        self.open.push(Counted { file, at: 0, line: 1, place: Place { file, line: 1, column: 1 } });
    }

    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    /// Takes notice that another piece of the text begins, after so many lines.
    pub(super) fn next_piece(&mut self, lines_before: u64) {
        if let Some(counted) = self.open.last_mut() {
            (counted.at, counted.line) = (0, lines_before + 1);
        }
    }

    /// Takes notice of an entry whose first token is at `at` of `text`.
    pub(super) fn note(&mut self, text: &[u8], at: usize) {
        let Some(counted) = self.open.last_mut() else { return };
        counted.line += newlines(&text[counted.at..at]);
        counted.at = at;
        let line_start =
            text[..at].iter().rposition(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
        let line = u32::try_from(counted.line).unwrap_or(u32::MAX);
        let column = u16::try_from(at - line_start + 1).unwrap_or(u16::MAX);
        counted.place = Place { file: counted.file, line, column };
    }

    /// Notes a record of the present entry.
    pub(super) fn add(&mut self, node: u32, rtype: u16) {
        let Some(counted) = self.open.last() else { return };
        self.entries.push(Entry { node, rtype, place: counted.place });
    }
}

/// Reads the zone `origin` from `path` again, as [`super::read_zone`] does, for the places of its records.
pub fn read_places(
    path: &[u8],
    origin: &[u8],
    directory: &[u8],
    rare: &mut dyn RareRdata,
) -> Result<Places, NeedsPython> {
    let builder = ZoneBuilder::new(origin, rtype::IN);
    let mut reader = Reader::new(builder, origin, directory, rare);
    reader.places = Some(Places::default());
    reader.run(&joined(directory, path), origin)?;
    let mut places = reader.places.unwrap_or_default();
    places.files = reader.files.into_iter().map(|(file, _)| file).collect();
    // stable: records of one owner and type stay in the order of the text
    places.entries.sort_by_key(|entry| (entry.node, entry.rtype));
    places.find = Some(reader.target);
    Ok(places)
}
