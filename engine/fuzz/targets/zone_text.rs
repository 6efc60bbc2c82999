#![no_main]

use bindpy_engine_fuzz::{plant, zone_text};

libfuzzer_sys::fuzz_target!(init: plant(zone_text::seeds()), |data: &[u8]| zone_text::check(data));
