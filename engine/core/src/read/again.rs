//! An edited file is read again: only the parts of it that are not as they were.
//!
//! The zone that is served knows the parts of a text that means it ([`super::layout`]). Where the file's text has the
//! same parts, nothing is read but their hashes; what stands between them is read, and the owners of the records there,
//! and of those that stood there before, get the records that the new text has of them. Whatever is not plainly right is
//! left to [`super::read_zone`]: both come to the same zone.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashSet;
use rustix::fs::OFlags;

use super::ahead::Ahead;
use super::layout::{HEAD, Layout, Part, Recorder, Start};
use super::window::Window;
use super::{FileStamp, Loaded, RareRdata, Reader, Refusal, joined};
use crate::check::{self, Checks, Suspects};
use crate::name;
use crate::rtype;
use crate::zone::{BuildError, Zone, ZoneBuilder};

/// How many parts in a row may be gone.
const MAX_GONE: usize = 16;
/// How many octets more than were there before may stand in one place.
const MAX_MOVED: usize = 1 << 17;
/// How many octets may be new in all.
const MAX_NEW: usize = 1 << 20;
/// How many parts that are as they were may have records of the owners in question.
const MAX_SHARED: usize = 64;

/// Why the file has to be read whole.
struct Whole;

impl From<Refusal> for Whole {
    fn from(_: Refusal) -> Self {
        Whole
    }
}

impl From<&'static str> for Whole {
    fn from(_: &'static str) -> Self {
        Whole
    }
}

impl From<BuildError> for Whole {
    fn from(_: BuildError) -> Self {
        Whole
    }
}

impl From<std::io::Error> for Whole {
    fn from(_: std::io::Error) -> Self {
        Whole
    }
}

/// Reads the file `path` as [`super::read_zone`] does, by what `served`, an earlier version of the zone, is known to be
/// made of; `None` where the file has to be read whole. A zone that is the same is `served` itself.
pub fn read_again(
    path: &[u8],
    directory: &[u8],
    checks: &Checks,
    rare: &mut dyn RareRdata,
    served: &Zone,
) -> Option<Loaded> {
    let layout = served.layout()?;
    let path = joined(directory, path);
    let file = super::open(&path, OFlags::empty()).ok()?;
    let stamp = FileStamp::of(&file).ok()??;
    let zone = Again { file: &file, octets: stamp.size, layout, served, checks, rare }.zone().ok()?;
    Some(Loaded {
        zone,
        files: vec![(path, stamp)],
        suspects: Suspects::default(),
        other_ttls: (Vec::new(), 0),
    })
}

/// A stretch of the new text.
enum Stretch {
    /// A part that is as it was, by its number, and where it is now.
    Old(usize, u64),
    /// New text, in place of some parts.
    New(Range<u64>, Range<usize>),
}

struct Again<'a> {
    file: &'a File,
    octets: u64,
    layout: &'a Layout,
    served: &'a Zone,
    checks: &'a Checks,
    rare: &'a mut dyn RareRdata,
}

impl Again<'_> {
    fn zone(&mut self) -> Result<Zone, Whole> {
        let stretches = self.stretches()?;
        if stretches.iter().all(|stretch| matches!(stretch, Stretch::Old(..))) {
            return Ok(self.served.clone());
        }
        let (builder, parts) = self.read(&stretches, &[])?;
        let mut keys: HashSet<Vec<u8>, foldhash::fast::RandomState> = HashSet::default();
        keys.extend(builder.owners().map(|(owner, _)| name::key(owner)));
        for stretch in &stretches {
            if let Stretch::New(_, gone) = stretch {
                let ids = self.layout.parts[gone.clone()].iter().flat_map(|part| &part.owners);
                keys.extend(ids.map(|&id| name::key(self.served.node(id).owner())));
            }
        }
        let shared = self.shared(&stretches, &keys)?;
        let (builder, parts) =
            if shared.is_empty() { (builder, parts) } else { self.read(&stretches, &shared)? };
        let changed: Vec<Vec<u8>> = keys.into_iter().filter(|key| !self.is_same(key, &builder)).collect();
        if changed.is_empty() {
            return Ok(self.served.clone()); // it keeps its layout: that is of a text that means it, too
        }
        let zone = self.served.with_owners(&changed, &builder)?.ok_or(Whole)?;
        if !check::is_clean_still(self.served, &zone, self.checks, &changed) {
            return Err(Whole);
        }
        self.laid_out(zone, &stretches, &builder, parts)
    }

    /// Finds the parts in the new text.
    fn stretches(&self) -> Result<Vec<Stretch>, Whole> {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let ahead = Ahead::begin(scope, self.file, &self.layout.parts, self.octets, &is_over);
            let found = self.stretches_by(ahead);
            is_over.store(true, Ordering::Relaxed);
            found
        })
    }

    fn stretches_by(&self, mut ahead: Ahead<'_>) -> Result<Vec<Stretch>, Whole> {
        let parts = &self.layout.parts;
        let mut window = Window::new(self.file);
        let (mut stretches, mut new) = (Vec::with_capacity(parts.len()), 0);
        let (mut at, mut number) = (0, 0);
        while number < parts.len() {
            let part = &parts[number];
            if ahead.place_of(number) == Some(at) || part.is(window.get(at, part.octets)?) {
                stretches.push(Stretch::Old(number, at));
                at += part.octets as u64;
                number += 1;
                continue;
            }
            let (next, end) = match self.find_next(&mut window, number, at)? {
                Some((next, end)) => (next, end),
                None if parts.len() - number <= MAX_GONE => {
                    (parts.len(), window.end(at, MAX_NEW)?.ok_or(Whole)?)
                }
                None => return Err(Whole),
            };
            new += (end - at) as usize;
            stretches.push(Stretch::New(at..end, number..next));
            (at, number) = (end, next);
        }
        let end = window.end(at, MAX_NEW)?.ok_or(Whole)?;
        if end > at {
            new += (end - at) as usize;
            stretches.push(Stretch::New(at..end, number..number));
        }
        if new > MAX_NEW { Err(Whole) } else { Ok(stretches) }
    }

    /// Finds one of the next parts after `number` that follows in the text from `at` on, and where.
    fn find_next(
        &self,
        window: &mut Window<'_>,
        number: usize,
        at: u64,
    ) -> Result<Option<(usize, u64)>, Whole> {
        let parts = &self.layout.parts;
        let mut gone = 0;
        for next in number + 1..parts.len().min(number + 1 + MAX_GONE) {
            gone += parts[next - 1].octets;
            let part = &parts[next];
            if part.inherits {
                continue; // the owner before it may be another now
            }
            let text = window.get(at, gone + MAX_MOVED + part.octets)?;
            let mut from = 0;
            while let Some(found) = find(&text[from..], &part.head).map(|found| from + found) {
                let is_line = found == 0 || text[found - 1] == b'\n';
                if is_line && text.get(found..found + part.octets).is_some_and(|text| part.is(text)) {
                    return Ok(Some((next, at + found as u64)));
                }
                from = found + 1;
            }
        }
        Ok(None)
    }

    /// Reads what is new, and the parts `shared`, in the order of the text; also returns the parts of what is new.
    fn read(
        &mut self,
        stretches: &[Stretch],
        shared: &[usize],
    ) -> Result<(ZoneBuilder, Vec<Recorded>), Whole> {
        let parts = &self.layout.parts;
        let origin = self.served.origin();
        let mut reader = Reader::new(ZoneBuilder::new(origin, rtype::IN), origin, b"", self.rare);
        let mut recorded = Vec::new();
        for stretch in stretches {
            match stretch {
                Stretch::Old(number, at) => {
                    if shared.binary_search(number).is_ok() {
                        let part = &parts[*number];
                        let mut state = part.state(&mut reader.target)?;
                        reader.layout = None;
                        read_text(&mut reader, &text_at(self.file, *at, part.octets)?, &mut state)?;
                    }
                }
                Stretch::New(range, gone) => {
                    let start = parts.get(gone.start).map_or(&self.layout.end, |part| &part.start);
                    let mut state = start.state(&mut reader.target)?;
                    reader.layout = Some(Recorder::new(&state));
                    let text = text_at(self.file, range.start, (range.end - range.start) as usize)?;
                    if range.start == 0 && text.starts_with(b"\xef\xbb\xbf") {
                        return Err(Whole);
                    }
                    read_text(&mut reader, &text, &mut state)?;
                    let end = Start::of(&state);
                    if parts.get(gone.end).is_some_and(|next| !end.leads_on_as(&next.start)) {
                        return Err(Whole);
                    }
                    recorded.push(Recorded { recorder: reader.layout.take().ok_or(Whole)?, end });
                }
            }
        }
        if reader.other_ttls.1 > 0 || reader.files_read > 0 || reader.generated > 0 {
            return Err(Whole);
        }
        Ok((reader.target, recorded))
    }

    /// Returns the parts that are as they were and have records of `keys`, too.
    fn shared(
        &self,
        stretches: &[Stretch],
        keys: &HashSet<Vec<u8>, foldhash::fast::RandomState>,
    ) -> Result<Vec<usize>, Whole> {
        let known = keys.iter().filter_map(|key| Some(self.served.find(key)?.id()));
        let mut ids: Vec<u32> = known.collect();
        ids.sort_unstable();
        let mut shared = Vec::new();
        for stretch in stretches {
            if let Stretch::Old(number, _) = stretch
                && has_common(&self.layout.parts[*number].owners, &ids)
            {
                shared.push(*number);
            }
        }
        if shared.len() > MAX_SHARED { Err(Whole) } else { Ok(shared) }
    }

    /// Whether `builder` has the same records of `key` as the zone that is served, in the same order.
    fn is_same(&self, key: &[u8], builder: &ZoneBuilder) -> bool {
        let node = self.served.find(key);
        let number = builder.number(key).filter(|&number| builder.has_records(number));
        match (node, number) {
            (Some(node), Some(number)) => {
                let old = node
                    .rrsets()
                    .flat_map(|rrset| rrset.rdatas().map(move |rdata| (rrset.rtype(), rrset.ttl(), rdata)));
                (node.is_apex() || node.owner() == builder.name(number)) && old.eq(builder.records_of(number))
            }
            (Some(node), None) => node.is_empty_non_terminal(),
            (None, number) => number.is_none(),
        }
    }

    /// Returns `zone` with the layout of the new text.
    fn laid_out(
        &self,
        zone: Zone,
        stretches: &[Stretch],
        builder: &ZoneBuilder,
        recorded: Vec<Recorded>,
    ) -> Result<Zone, Whole> {
        let number = |node: u32| Some(zone.find(&name::key(builder.name(node)))?.id());
        let mut recorded = recorded.into_iter();
        let mut parts: Vec<Arc<Part>> = Vec::with_capacity(self.layout.parts.len());
        let mut changed: Option<Start> = None;
        for stretch in stretches {
            match stretch {
                Stretch::Old(number, _) => {
                    let part = &self.layout.parts[*number];
                    // the owner before it may be another now, which matters to what is put there next
                    parts.push(match changed.take() {
                        Some(start) if start != part.start => Arc::new(part.begun(start)),
                        _ => part.clone(),
                    });
                }
                Stretch::New(..) => {
                    let new = recorded.next().ok_or(Whole)?;
                    changed = Some(new.end);
                    parts.extend(new.recorder.finish(number).ok_or(Whole)?.0);
                }
            }
        }
        let end = changed.unwrap_or_else(|| self.layout.end.clone());
        Ok(zone.with_layout(Arc::new(Layout { parts, end })))
    }
}

/// The parts of a new stretch, and what comes after it.
struct Recorded {
    recorder: Recorder,
    end: Start,
}

/// Reads `text`, which must end where an entry does.
fn read_text(
    reader: &mut Reader<'_, ZoneBuilder>,
    text: &[u8],
    state: &mut super::State,
) -> Result<(), Whole> {
    if text.contains(&0) {
        return Err(Whole);
    }
    let mut at = 0;
    reader.entries(text, &mut at, &mut Vec::new(), state)?;
    if let Some(layout) = &mut reader.layout {
        layout.piece(text, at, state);
    }
    if at == text.len() && text.last().is_none_or(|&last| last == b'\n') { Ok(()) } else { Err(Whole) }
}

fn text_at(file: &File, at: u64, octets: usize) -> Result<Vec<u8>, Whole> {
    let mut text = vec![0; octets];
    file.read_exact_at(&mut text, at)?;
    Ok(text)
}

/// Whether two sorted runs have a number in common.
fn has_common(owners: &[u32], ids: &[u32]) -> bool {
    let (Some(first), Some(last)) = (owners.first(), owners.last()) else { return false };
    let start = ids.partition_point(|id| id < first);
    ids[start..].iter().take_while(|&id| id <= last).any(|id| owners.binary_search(id).is_ok())
}

/// Returns where `head` is in `text`.
fn find(text: &[u8], head: &[u8; HEAD]) -> Option<usize> {
    text.windows(HEAD).position(|window| window == head)
}

#[cfg(test)]
mod tests;
