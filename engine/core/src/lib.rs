//! The machine-code side of bindpy without Python: zone store, zone-file reader, answering.
//!
//! The Python packages `bindpy.zone` and `bindpy.answer` are the specification: whatever is decided here
//! must come out there in the same way, and tests hold the two against each other.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod answer;
pub mod check;
pub mod fault;
pub mod name;
pub mod rdata;
pub mod read;
pub mod rtype;
pub mod serve;
pub mod write;
pub mod xfr;
pub mod zone;
