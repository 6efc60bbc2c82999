//! Zones of which nobody needs to know more than that they are there: nearly all, where there are very many.

use rustix::fs::OFlags;

use super::{FileStamp, RareRdata, Reader, State, finished, open};
use crate::check::Checks;
use crate::rtype;
use crate::zone::{Zone, ZoneBuilder};

/// A zone that was read from one file, without anything to say of it.
#[derive(Clone, Debug)]
pub struct Plain {
    /// The zone.
    pub zone: Zone,
    /// What its file was like, before it was read and afterwards.
    pub stamp: FileStamp,
    /// Whether the last part of the file's path is a symbolic link.
    pub is_link: bool,
}

/// Reads a zone as [`super::read_zone`] does. `None` where that has more to say, or would have to be asked again.
///
/// That the file is as it was is asked of the open file: one that was replaced has lost a name, which its time of
/// change tells. Where a directory on the way has become another one, the path leads elsewhere and this does not
/// tell: whoever watches it has to.
pub fn read_plain(path: &[u8], origin: &[u8], checks: &Checks, rare: &mut dyn RareRdata) -> Option<Plain> {
    let as_file = open(path, OFlags::NOFOLLOW);
    let is_link = matches!(&as_file, Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()));
    let mut file = if is_link { open(path, OFlags::empty()) } else { as_file }.ok()?;
    let stamp = FileStamp::of(&file).ok()??;
    let mut reader = Reader::new(ZoneBuilder::new(origin, rtype::IN), origin, b"", rare);
    reader.files_read = 1;
    reader.opened(path.to_vec(), &mut file, stamp, &mut State::new(origin)).ok()?;
    let is_told = reader.files.len() > 1 || reader.other_ttls.1 > 0;
    let (zone, suspects) = finished(reader.target, reader.layout.filter(|_| !is_told), checks).ok()?;
    let is_plain = !is_told && suspects.owners.is_empty() && suspects.apex.is_none();
    (is_plain && FileStamp::of(&file).ok()?? == stamp).then_some(Plain { zone, stamp, is_link })
}
