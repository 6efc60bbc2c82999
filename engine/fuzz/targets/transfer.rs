#![no_main]

use bindpy_engine_fuzz::{plant, transfer};

libfuzzer_sys::fuzz_target!(init: plant(transfer::seeds()), |data: &[u8]| transfer::check(data));
