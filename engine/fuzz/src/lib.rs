//! What the fuzz targets check, and the inputs that they begin with.
//!
//! Each module has a `check`, which panics where an input shows a fault, and `seeds`. A panic that the engine
//! catches itself is a fault as well: libFuzzer ends the process at every panic, caught or not.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::fs;
use std::path::PathBuf;

pub mod message;
pub mod packet;
pub mod transfer;
pub mod world;
pub mod zone_text;

/// Octets that are used up from the front; zeros once there are no more.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// Takes one octet.
    pub fn octet(&mut self) -> u8 {
        self.octets(1).first().copied().unwrap_or(0)
    }

    /// Takes `count` octets, or those that are left.
    pub fn octets(&mut self, count: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(count.min(self.0.len()));
        self.0 = left;
        taken
    }

    /// Takes octets that stand behind their number, in two octets as before a message over TCP.
    pub fn counted(&mut self) -> &'a [u8] {
        let count = u16::from_be_bytes([self.octet(), self.octet()]);
        self.octets(usize::from(count))
    }
}

/// Writes `seeds` into the directory that `BINDPY_FUZZ_SEEDS` names, one file each; nothing where it is not set.
///
/// A target does so before it reads its corpus: so what it begins with is made by the engine of the day.
pub fn plant(seeds: Vec<Vec<u8>>) {
    if let Some(directory) = std::env::var_os("BINDPY_FUZZ_SEEDS").map(PathBuf::from) {
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{number:03}")), seed).expect("the directory is there");
        }
    }
}
