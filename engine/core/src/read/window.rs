//! What is looked at of a file, from its beginning to its end.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What is read at once.
const PIECE: usize = 1 << 18;

/// A stretch of a file that has been read.
pub struct Window<'a> {
    file: &'a File,
    buffer: Vec<u8>,
    /// What of the buffer has been read.
    held: Range<usize>,
    /// Where in the file that is.
    start: u64,
    is_at_end: bool,
}

impl<'a> Window<'a> {
    /// Begins where the file does.
    pub fn new(file: &'a File) -> Self {
        Window { file, buffer: Vec::new(), held: 0..0, start: 0, is_at_end: false }
    }

    /// Returns up to `octets` of the text from `at` on, fewer at the end only; what is before `at` is let go.
    pub fn get(&mut self, at: u64, octets: usize) -> std::io::Result<&[u8]> {
        let mut from = self.held.end.min(self.held.start + (at - self.start) as usize);
        if from + octets > self.held.end && !self.is_at_end {
            self.buffer.copy_within(from..self.held.end, 0);
            (self.held, self.start, from) = (0..self.held.end - from, at, 0);
            if self.buffer.len() < octets + PIECE {
                self.buffer.resize(octets + PIECE, 0);
            }
            while self.held.end < octets && !self.is_at_end {
                let from = self.start + self.held.end as u64;
                let read = self.file.read_at(&mut self.buffer[self.held.end..], from)?;
                self.held.end += read;
                self.is_at_end = read == 0;
            }
        }
        Ok(&self.buffer[from..self.held.end.min(from + octets)])
    }

    /// Returns where the text ends, `None` where that is more than `octets` after `at`.
    pub fn end(&mut self, at: u64, octets: usize) -> std::io::Result<Option<u64>> {
        let rest = self.get(at, octets + 1)?.len();
        Ok((rest <= octets).then_some(at + rest as u64))
    }
}
