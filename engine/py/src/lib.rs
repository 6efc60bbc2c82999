//! The Python module `bindpy_engine`: the engine's types as Python sees them, and nothing else.
//!
//! Names and RDATA pass as `bytes` in uncompressed wire form, as everywhere in bindpy. What may take long runs
//! without the interpreter's lock.
#![forbid(unsafe_code)]

mod answer;
mod fault;
mod load;
mod policy;
mod serve;
mod text;
mod transfer;
mod zone;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod bindpy_engine {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::answer::Answerer;
    #[pymodule_export]
    use crate::fault::FaultError;
    #[pymodule_export]
    use crate::load::{
        Checks, Loaded, NeedsPythonError, Places, read_again, read_places, read_zone, read_zones,
    };
    #[pymodule_export]
    use crate::serve::{Datagram, Service, UdpThreads};
    #[pymodule_export]
    use crate::text::{RawBlocks, ZoneText, write_checked};
    #[pymodule_export]
    use crate::transfer::{AxfrMessages, OpenMessage, RecordTooLargeError, tsig_start};
    #[pymodule_export]
    use crate::zone::{
        DeltaDoesNotFitError, NoSoaError, OutOfZoneError, Zone, ZoneBuilder, ZoneTooLargeError,
    };

    /// The version of the engine.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        bindpy_core::fault::install();
        Ok(())
    }
}
