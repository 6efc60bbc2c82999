//! Transfers at memory speed: a zone as the messages of an AXFR, and the records of such messages.
//!
//! What a message means, and all that is wrong or rare in one, is `bindpy.xfr`'s affair: this is for the many
//! in the middle of a large transfer.

mod pack;
mod show;
mod take;
mod tsig;

pub use pack::{Packed, Packing, RecordTooLarge, ZoneMessages};
pub use show::show;
pub use take::{Expected, NoRareWire, OpenMessage, RareWire};
pub use tsig::tsig_start;
