//! Zones written out: as text, and in BIND's raw format.

use std::fs::File;
use std::io;
use std::os::fd::RawFd;

use bindpy_core::write::{self, RareText};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::fault::guarded;
use crate::load::{AskForRdata, Checks, suspect_keys};
use crate::zone::Zone;

/// Asks Python for the text of rare types.
pub struct AskForText<'a> {
    ask: &'a Py<PyAny>,
    failure: Option<PyErr>,
}

impl<'a> AskForText<'a> {
    pub fn new(ask: &'a Py<PyAny>) -> Self {
        AskForText { ask, failure: None }
    }

    /// What Python raised, if it did.
    pub fn outcome(self) -> PyResult<()> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl RareText for AskForText<'_> {
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
        let mut asking = AskForText::new(&self.rare);
        let more = guarded(py, || self.text.write(&mut piece, &mut asking))?;
        asking.outcome()?;
        Ok(more.then(|| PyBytes::new(py, &piece)))
    }
}

/// Returns `error` with its number and the C library's words for that, as Python's own functions raise it.
fn os_error(py: Python<'_>, error: &io::Error) -> PyErr {
    let Some(number) = error.raw_os_error() else { return PyOSError::new_err(error.to_string()) };
    let text = || py.import("os")?.call_method1("strerror", (number,))?.extract::<String>();
    text().map_or_else(|failure| failure, |text| PyOSError::new_err((number, text)))
}

/// Writes a zone file to `descriptor`, an empty file that can be read too, behind `comments`, whole lines, flushes
/// it to the disk and reads it back in full. Returns the keys that Python's checks have to look at, and whether
/// they have to look at the zone as a whole; None where what was written does not surely mean `zone`.
///
/// `texts` is as for `ZoneText`, `rdatas` as for `read_zone`. Raises `OSError`, and what these raise.
#[pyfunction]
pub fn write_checked(
    py: Python<'_>,
    zone: &Zone,
    descriptor: RawFd,
    comments: Vec<u8>,
    checks: &Checks,
    texts: Py<PyAny>,
    rdatas: Py<PyAny>,
) -> PyResult<Option<(Vec<Py<PyBytes>>, bool)>> {
    let mut texts = AskForText::new(&texts);
    let mut rdatas = AskForRdata::new(&rdatas);
    let written = guarded(py, || {
        let file = File::from(bindpy_sys::duplicate(descriptor)?);
        write::write_checked(&zone.0, &file, &comments, &checks.0, &mut texts, &mut rdatas)
    })?;
    texts.outcome()?;
    rdatas.outcome()?;
    let suspects = written.map_err(|error| os_error(py, &error))?;
    Ok(suspects.map(|found| (suspect_keys(py, &found), found.apex.is_some())))
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
