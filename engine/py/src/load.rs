//! Zone files: read, judged, and where their records stand.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bindpy_core::check::{self, Mode};
use bindpy_core::fault::quietly;
use bindpy_core::name;
use bindpy_core::read::{self, FileStamp, NeedsPython, RareRdata, Word};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::fault::{contained, guarded};
use crate::zone::Zone;

create_exception!(
    bindpy_engine,
    NeedsPythonError,
    PyException,
    "Python's reader has to read this file: it is in error, or has something rare in it."
);

/// How strictly a zone's content is judged.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct Checks(pub check::Checks);

#[pymethods]
impl Checks {
    /// Takes over the fields of a `bindpy.config.model.ZoneChecks`.
    #[new]
    fn new(checks: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mode = |field: &str| -> PyResult<Mode> {
            match checks.getattr(field)?.getattr("value")?.extract::<String>()?.as_str() {
                "fail" => Ok(Mode::Fail),
                "warn" => Ok(Mode::Warn),
                "ignore" => Ok(Mode::Ignore),
                other => Err(PyValueError::new_err(format!("{field}: {other}"))),
            }
        };
        let flag = |field: &str| checks.getattr(field)?.extract::<bool>();
        let number = |field: &str| checks.getattr(field)?.extract::<u64>();
        Ok(Checks(check::Checks {
            names: mode("names")?,
            mx: mode("mx")?,
            mx_cname: mode("mx_cname")?,
            srv_cname: mode("srv_cname")?,
            dup_records: mode("dup_records")?,
            spf: mode("spf")?,
            integrity: flag("integrity")?,
            sibling: flag("sibling")?,
            wildcard: flag("wildcard")?,
            max_zone_ttl: checks.getattr("max_zone_ttl")?.extract()?,
            max_records: number("max_records")?,
            max_records_per_type: number("max_records_per_type")?,
            max_types_per_name: number("max_types_per_name")?,
            ns: mode("ns")?,
            primary: flag("primary")?,
        }))
    }
}

/// Asks Python for RDATA of rare types.
pub struct AskForRdata<'a> {
    ask: &'a Py<PyAny>,
    failure: Option<PyErr>,
}

impl<'a> AskForRdata<'a> {
    pub fn new(ask: &'a Py<PyAny>) -> Self {
        AskForRdata { ask, failure: None }
    }

    /// What Python raised, if it did.
    pub fn outcome(self) -> PyResult<()> {
        self.failure.map_or(Ok(()), Err)
    }

    fn ask(&mut self, rtype: u16, words: &[Word<'_>], origin: &[u8]) -> PyResult<Option<Vec<u8>>> {
        Python::attach(|py| {
            let words: Vec<_> =
                words.iter().map(|word| (PyBytes::new(py, word.text), word.quoted, word.glued)).collect();
            self.ask.call1(py, (rtype, words, PyBytes::new(py, origin)))?.extract(py)
        })
    }
}

impl RareRdata for AskForRdata<'_> {
    fn rdata(&mut self, rtype: u16, words: &[Word<'_>], origin: &[u8]) -> Option<Vec<u8>> {
        match self.ask(rtype, words, origin) {
            Ok(rdata) => rdata,
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }
}

fn to_python(needs: NeedsPython) -> PyErr {
    let NeedsPython { reason, file, line } = needs;
    NeedsPythonError::new_err(format!("{}:{line}: {reason}", String::from_utf8_lossy(&file)))
}

/// Device, inode, size, and the times of the last write and change in nanoseconds.
type Stamp = (u64, u64, u64, i128, i128);

/// A zone whose text has nothing wrong.
#[pyclass(frozen, get_all, module = "bindpy_engine")]
pub struct Loaded {
    zone: Py<Zone>,
    files: Vec<(Py<PyBytes>, Stamp)>,
    suspects: Vec<Py<PyBytes>>,
    suspect_apex: bool,
    /// Line, column, TTL and the TTL of the RRset of records whose own is another: the first ones.
    other_ttls: Vec<(u64, usize, u32, u32)>,
    /// How many of them there are.
    other_ttl_count: u64,
}

/// Reads a zone of class IN. `rare(type, [(text, quoted, glued), …], origin)` returns RDATA of rare types, or
/// None where it is in error. Raises `NeedsPythonError`, and what `rare` raises.
#[pyfunction]
pub fn read_zone(
    py: Python<'_>,
    path: &[u8],
    origin: &[u8],
    directory: &[u8],
    checks: &Checks,
    rare: Py<PyAny>,
) -> PyResult<Loaded> {
    let mut asking = AskForRdata::new(&rare);
    let outcome = guarded(py, || read::read_zone(path, origin, directory, &checks.0, &mut asking))?;
    asking.outcome()?;
    let read::Loaded { zone, files, suspects, other_ttls } = outcome.map_err(to_python)?;
    let files = files.iter().map(|(file, stamp)| (PyBytes::new(py, file).unbind(), to_stamp(*stamp)));
    Ok(Loaded {
        zone: Py::new(py, Zone(zone))?,
        files: files.collect(),
        suspects: suspect_keys(py, &suspects),
        suspect_apex: suspects.apex.is_some(),
        other_ttls: other_ttls.0.iter().map(|one| (one.line, one.column, one.ttl, one.prior)).collect(),
        other_ttl_count: other_ttls.1,
    })
}

/// A zone, unless it is as it was, the name of its only file, and that file's stamp.
type Again = (Option<Zone>, Py<PyBytes>, Stamp);

/// Reads a zone of class IN again, an earlier version of which is `served`, of which nothing was to be said. None
/// where it has to be read whole.
#[pyfunction]
pub fn read_again(
    py: Python<'_>,
    path: &[u8],
    directory: &[u8],
    checks: &Checks,
    rare: Py<PyAny>,
    served: &Zone,
) -> PyResult<Option<Again>> {
    let mut asking = AskForRdata::new(&rare);
    let outcome = guarded(py, || read::read_again(path, directory, &checks.0, &mut asking, &served.0))?;
    asking.outcome()?;
    Ok(outcome.map(|read::Loaded { zone, files, .. }| {
        let (file, stamp) = &files[0];
        let zone = (!zone.is(&served.0)).then_some(Zone(zone));
        (zone, PyBytes::new(py, file).unbind(), to_stamp(*stamp))
    }))
}

/// The keys of the owners that are suspects.
pub fn suspect_keys(py: Python<'_>, suspects: &check::Suspects) -> Vec<Py<PyBytes>> {
    suspects.owners.iter().map(|(owner, _)| PyBytes::new(py, &name::key(owner)).unbind()).collect()
}

/// What there is to say of a zone of which there is nothing else to say: the zone, the stamp of its only file,
/// the seconds that it took, whether the file is a symbolic link, and whether a journal of BIND's is beside it.
type Plain = (Zone, Stamp, f64, bool, bool);

/// Reads zones of class IN, `(path, origin)` each, one after the other until `seconds` have passed, one at least.
/// Stands None for a zone that [`read_zone`] has more to say of, and for one whose file changed meanwhile.
#[pyfunction]
pub fn read_zones(
    py: Python<'_>,
    zones: Vec<(PyBackedBytes, PyBackedBytes)>,
    checks: &Checks,
    seconds: f64,
    rare: Py<PyAny>,
) -> Vec<Option<Plain>> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    py.detach(|| {
        let mut found = Vec::with_capacity(zones.len());
        for (path, origin) in &zones {
            // A fault is told of when the zone is read by itself.
            found.push(quietly(|| read_plain(path, origin, checks, &rare)).unwrap_or(None));
            if Instant::now() > end {
                break;
            }
        }
        found
    })
}

fn read_plain(path: &[u8], origin: &[u8], checks: &Checks, rare: &Py<PyAny>) -> Option<Plain> {
    let began = Instant::now();
    let mut asking = AskForRdata::new(rare);
    let read::Plain { zone, stamp, is_link } = read::read_plain(path, origin, &checks.0, &mut asking)?;
    let journal = [path, b".jnl"].concat();
    let has_journal = Path::new(OsStr::from_bytes(&journal)).exists();
    Some((Zone(zone), to_stamp(stamp), began.elapsed().as_secs_f64(), is_link, has_journal))
}

fn to_stamp(stamp: FileStamp) -> Stamp {
    (stamp.device, stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns)
}

/// File, line and column.
type Found<'py> = (Bound<'py, PyBytes>, u32, u16);

/// Where the records of a zone stand in its text.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct Places(read::Places);

#[pymethods]
impl Places {
    /// Returns file, line and column of the records of a key and type, in the order of the text.
    fn find<'py>(&self, py: Python<'py>, key: &[u8], rtype: u16) -> PyResult<Vec<Found<'py>>> {
        let file = |number: u32| PyBytes::new(py, &self.0.files[number as usize]);
        contained(|| {
            let found = self.0.find(key, rtype).into_iter();
            found.map(|place| (file(place.file), place.line, place.column)).collect()
        })
    }

    /// Returns something by which keys sort as Python's zones hold their names: a name is there from its first
    /// record on, or the first one below it.
    fn rank(&self, zone: &Zone, key: &[u8]) -> PyResult<(u32, usize)> {
        contained(|| self.rank_of(zone, key))
    }
}

impl Places {
    fn rank_of(&self, zone: &Zone, key: &[u8]) -> (u32, usize) {
        let below = zone.0.nodes_after(key).map(|node| name::key(node.owner()));
        let below = below.take_while(|owner| name::is_subdomain(owner, key));
        let numbers = below.filter_map(|owner| self.0.number(&owner)).chain(self.0.number(key));
        (numbers.min().unwrap_or(u32::MAX), name::label_count(key))
    }
}

/// Reads a zone again, for the places of its records. Raises as `read_zone` does.
#[pyfunction]
pub fn read_places(
    py: Python<'_>,
    path: &[u8],
    origin: &[u8],
    directory: &[u8],
    rare: Py<PyAny>,
) -> PyResult<Places> {
    let mut asking = AskForRdata::new(&rare);
    let outcome = guarded(py, || read::read_places(path, origin, directory, &mut asking))?;
    asking.outcome()?;
    outcome.map(Places).map_err(to_python)
}
