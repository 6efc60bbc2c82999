//! Panics stop here: Python sees a `FaultError`, which is an ordinary exception.

use bindpy_core::fault::quietly;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(bindpy_engine, FaultError, PyException, "A fault in the engine.");

/// Runs what may take long without the interpreter's lock.
pub fn guarded<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| quietly(work)).map_err(FaultError::new_err)
}

/// Runs what is done at once, and what makes Python's values.
pub fn contained<T>(work: impl FnOnce() -> T) -> PyResult<T> {
    quietly(work).map_err(FaultError::new_err)
}
