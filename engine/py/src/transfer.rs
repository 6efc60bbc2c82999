//! Zones as the messages of transfers, and zones of such messages.

use bindpy_core::xfr::{self, Packing, RareWire};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::zone::Zone;

create_exception!(
    bindpy_engine,
    RecordTooLargeError,
    PyValueError,
    "A record does not fit any message, and so its zone cannot be transferred."
);

/// The messages of an AXFR: an iterator of each with the number of its records.
#[pyclass(module = "bindpy_engine")]
pub struct AxfrMessages(xfr::ZoneMessages);

#[pymethods]
impl AxfrMessages {
    /// `limit` is the most octets of a message, `most` that of one with a single record, both with `opt`.
    #[new]
    #[pyo3(signature = (zone, *, id, flags, question, opt, limit, most, one_answer))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn new(
        zone: &Zone,
        id: u16,
        flags: u16,
        question: &[u8],
        opt: &[u8],
        limit: usize,
        most: usize,
        one_answer: bool,
    ) -> Self {
        let (question, opt) = (question.to_vec(), opt.to_vec());
        let packing = Packing { id, flags, question, opt, limit, most, one_answer };
        AxfrMessages(xfr::ZoneMessages::new(zone.0.clone(), packing))
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    // The lock stays: one message takes some microseconds, getting the lock back may take more.
    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<(Bound<'py, PyBytes>, usize)>> {
        match self.0.next() {
            None => Ok(None),
            Some(Ok(packed)) => Ok(Some((PyBytes::new(py, &packed.message), packed.records))),
            Some(Err(error)) => Err(RecordTooLargeError::new_err(error.to_string())),
        }
    }
}

/// Asks Python whether RDATA of rare types is valid.
pub struct AskPython<'a> {
    pub ask: &'a Py<PyAny>,
    pub failure: Option<PyErr>,
}

impl RareWire for AskPython<'_> {
    fn is_valid(&mut self, rtype: u16, rdata: &[u8]) -> bool {
        let answer =
            Python::attach(|py| self.ask.call1(py, (rtype, PyBytes::new(py, rdata)))?.extract::<bool>(py));
        answer.unwrap_or_else(|error| {
            self.failure = Some(error);
            false
        })
    }
}
