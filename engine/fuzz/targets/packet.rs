#![no_main]

use bindpy_engine_fuzz::{packet, plant};

libfuzzer_sys::fuzz_target!(init: plant(packet::seeds()), |data: &[u8]| packet::check(data));
