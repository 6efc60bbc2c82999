//! A zone file that is written, flushed to the disk and read back in full: all at the same time, as far as that
//! goes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{RareText, ZoneText};
use crate::check::{self, Checks, Suspects};
use crate::read::{RareRdata, reads_as};
use crate::zone::Zone;

/// From so many records on, a thread of its own reads what has been written so far.
const LARGE: u64 = 10_000;

/// Writes `zone` to `file`, which is empty, as a zone file behind `comments` (whole lines), and flushes it to the
/// disk. Returns what Python's checks would have to look at, or `None` where what was written does not surely mean
/// `zone`: then Python has to read it.
///
/// `texts` and `rdatas` are for rare types, and are asked by different threads.
pub fn write_checked(
    zone: &Zone,
    file: &File,
    comments: &[u8],
    checks: &Checks,
    texts: &mut (impl RareText + Send),
    rdatas: &mut (impl RareRdata + Send),
) -> io::Result<Option<Suspects>> {
    let (told, heard) = channel();
    let read_back = move || {
        let mut written = Written { file, at: 0, end: 0, heard };
        reads_as(&mut written, zone, rdatas).then(|| check::suspects(zone, checks))
    };
    if zone.rr_count() < LARGE {
        write(zone, file, comments, texts, told)?;
        return Ok(read_back());
    }
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().spawn_scoped(scope, read_back)?;
        let written = write(zone, file, comments, texts, told);
        let read = reading.join().unwrap_or_else(|panic| resume_unwind(panic));
        written.map(|()| read)
    })
}

/// Writes it all, tells how many octets there are so far, and flushes them.
fn write(
    zone: &Zone,
    mut file: &File,
    comments: &[u8],
    texts: &mut dyn RareText,
    told: Sender<u64>,
) -> io::Result<()> {
    let mut piece = comments.to_vec();
    let mut octets = 0;
    let mut text = ZoneText::file(zone.clone());
    while text.write(&mut piece, texts) {
        file.write_all(&piece)?;
        octets += piece.len() as u64;
        piece.clear();
        let _ = told.send(octets); // who found a difference does not listen any more
    }
    drop(told);
    file.sync_all()
}

/// What has been written so far; whoever reads on waits for more.
struct Written<'f> {
    file: &'f File,
    at: u64,
    end: u64,
    heard: Receiver<u64>,
}

impl Read for Written<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.end {
            match self.heard.recv() {
                Ok(end) => self.end = end,
                Err(_) => return Ok(0),
            }
        }
        let most = (self.end - self.at).min(buffer.len() as u64) as usize;
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
