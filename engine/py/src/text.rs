//! Zones written out: as text, and in BIND's raw format.

use bindpy_core::write::{self, RareText};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::load::guarded;
use crate::zone::Zone;

/// Asks Python for the text of rare types.
struct AskPython<'a> {
    ask: &'a Py<PyAny>,
    failure: Option<PyErr>,
}

impl RareText for AskPython<'_> {
    fn text(&mut self, rtype: u16, rdata: &[u8]) -> String {
        let answer =
            Python::attach(|py| self.ask.call1(py, (rtype, PyBytes::new(py, rdata)))?.extract::<String>(py));
        answer.unwrap_or_else(|error| {
            self.failure = Some(error);
            String::new()
        })
    }
}

/// A zone as the text of a zone file, in pieces: an iterator of `bytes`.
#[pyclass(module = "bindpy_engine")]
pub struct ZoneText {
    text: write::ZoneText,
    rare: Py<PyAny>,
}

#[pymethods]
impl ZoneText {
    /// `rare(type, RDATA)` returns the text of rare types.
    #[new]
    fn new(py: Python<'_>, zone: &Zone, rare: Py<PyAny>) -> PyResult<Self> {
        Ok(ZoneText { text: guarded(py, || write::ZoneText::file(zone.0.clone()))?, rare })
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut piece = Vec::new();
        let mut asking = AskPython { ask: &self.rare, failure: None };
        let more = guarded(py, || self.text.write(&mut piece, &mut asking))?;
        match asking.failure {
            Some(failure) => Err(failure),
            None => Ok(more.then(|| PyBytes::new(py, &piece))),
        }
    }
}

/// The blocks of a zone in BIND's raw format, in pieces: an iterator of `bytes`. The header is not among them.
#[pyclass(module = "bindpy_engine")]
pub struct RawBlocks(write::RawBlocks);

#[pymethods]
impl RawBlocks {
    #[new]
    fn new(zone: &Zone) -> Self {
        RawBlocks(write::RawBlocks::new(zone.0.clone()))
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut piece = Vec::new();
        let more = guarded(py, || self.0.write(&mut piece))?;
        Ok(more.then(|| PyBytes::new(py, &piece)))
    }
}
