//! Zones as the messages of transfers, and zones of such messages.

use bindpy_core::xfr::{self, Packing, RareWire};
use pyo3::create_exception;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::fault::{contained, guarded};
use crate::text::AskForText;
use crate::zone::{PyRr, Zone};

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
        match contained(|| self.0.next())? {
            None => Ok(None),
            Some(Ok(packed)) => Ok(Some((PyBytes::new(py, &packed.message), packed.records))),
            Some(Err(error)) => Err(RecordTooLargeError::new_err(error.to_string())),
        }
    }
}

/// The records of a message, none of which is in the zone yet.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct OpenMessage(pub xfr::OpenMessage);

#[pymethods]
impl OpenMessage {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Returns owner, type, TTL and RDATA of a record. Raises `IndexError`.
    fn record<'py>(&self, py: Python<'py>, number: usize) -> PyResult<PyRr<'py>> {
        let (owner, rtype, ttl, rdata) = contained(|| self.0.record(number))?
            .ok_or_else(|| PyIndexError::new_err("there are not so many records"))?;
        Ok((PyBytes::new(py, owner), rtype, ttl, PyBytes::new(py, rdata)))
    }

    /// Returns all records in presentation form for Lua's `string.unpack("<s2I2I4I4s4")`: owner, type, TTL,
    /// priority, content. With `apart` owners have no final dot and the priority is not in the content.
    /// `rare(type, RDATA)` returns the text of rare types.
    fn shown<'py>(&self, py: Python<'py>, apart: bool, rare: Py<PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let mut asking = AskForText::new(&rare);
        let shown = guarded(py, || {
            let mut out = Vec::new();
            xfr::show(&self.0, apart, &mut asking, &mut out);
            out
        })?;
        asking.outcome()?;
        Ok(PyBytes::new(py, &shown))
    }
}

/// Returns where the TSIG record of a message begins, if it has one that is in its place, and can be walked
/// through; else None.
#[pyfunction]
pub fn tsig_start(message: &[u8]) -> PyResult<Option<usize>> {
    contained(|| xfr::tsig_start(message))
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
