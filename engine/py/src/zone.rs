//! Zones and how they are built.

use bindpy_core::name;
use bindpy_core::xfr::Expected;
use bindpy_core::zone::{self as core, ApplyError, BuildError, Delta, Rr, ZoneDigest};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::fault::{contained, guarded};
use crate::transfer::{AskPython, OpenMessage};

/// A record as Python has it: owner, type, TTL, RDATA.
pub type PyRr<'py> = (Bound<'py, PyBytes>, u16, u32, Bound<'py, PyBytes>);

/// A delta as Python has it: the old SOA, the new one, what goes, what comes.
type PyDelta<'py> = (PyRr<'py>, PyRr<'py>, Vec<PyRr<'py>>, Vec<PyRr<'py>>);

create_exception!(
    bindpy_engine,
    OutOfZoneError,
    PyValueError,
    "An owner name that is not at or below the origin."
);
create_exception!(bindpy_engine, NoSoaError, PyValueError, "The zone has no SOA record at its apex.");
create_exception!(bindpy_engine, ZoneTooLargeError, PyValueError, "A zone has more than a zone can have.");

create_exception!(
    bindpy_engine,
    DeltaDoesNotFitError,
    PyValueError,
    "A delta deletes what is not there, adds what is, or starts from another serial."
);

fn to_python(error: BuildError) -> PyErr {
    match error {
        BuildError::OutOfZone => OutOfZoneError::new_err(error.to_string()),
        BuildError::NoSoa => NoSoaError::new_err(error.to_string()),
        BuildError::TooLarge | BuildError::TooManyRrsets => ZoneTooLargeError::new_err(error.to_string()),
    }
}

/// One immutable version of a zone.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct Zone(pub core::Zone);

#[pymethods]
impl Zone {
    /// The zone's name, case kept.
    #[getter]
    fn origin<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.origin())
    }

    /// The zone's name in lower case.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.key())
    }

    #[getter]
    fn rdclass(&self) -> u16 {
        self.0.class()
    }

    #[getter]
    fn serial(&self) -> u32 {
        self.0.serial()
    }

    #[getter]
    fn rr_count(&self) -> u64 {
        self.0.rr_count()
    }

    /// Whether `read_again` can tell what an edit of its file changes.
    #[getter]
    fn is_laid_out(&self) -> bool {
        self.0.is_laid_out()
    }

    /// How many names exist in the zone, empty non-terminals included.
    #[getter]
    fn node_count(&self) -> usize {
        self.0.node_count()
    }

    /// Returns `(type, TTL, RDATAs, RDATAs of its RRSIGs, their TTL)` of the RRset at a key, or None.
    fn get<'py>(&self, py: Python<'py>, key: &[u8], rtype: u16) -> PyResult<Option<Bound<'py, PyTuple>>> {
        contained(|| self.0.get(key, rtype).map(|rrset| rrset_tuple(py, rrset)).transpose())?
    }

    /// Returns up to `count` names in canonical order, from the zone's own or the one after `after` on, each
    /// with its RRsets: `(owner, [(type, TTL, RDATAs, RDATAs of its RRSIGs, their TTL), …])`. Empty at the end.
    fn names<'py>(
        &self,
        py: Python<'py>,
        after: Option<&[u8]>,
        count: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(py);
        let mut put = |node: core::Node<'_>| {
            let rrsets = PyList::empty(py);
            for rrset in node.rrsets() {
                rrsets.append(rrset_tuple(py, rrset)?)?;
            }
            out.append((PyBytes::new(py, node.owner()), rrsets))
        };
        contained(|| match after {
            None => self.0.nodes().take(count).try_for_each(&mut put),
            Some(key) => self.0.nodes_after(key).take(count).try_for_each(&mut put),
        })??;
        Ok(out)
    }

    /// Returns what a name's place in the zone is, or None where there is no such name: `(owner, RRsets as those
    /// of `names`, keys of the cut, the DNAME and the wildcard that matter there, or None)`.
    fn node<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
        contained(|| self.node_tuple(py, key))?
    }

    /// Returns the digest of the zone's data: the sum of the records' hashes in big-endian order, and their
    /// octets in wire form.
    fn digest<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, u64)> {
        let ZoneDigest { value, octets } = guarded(py, || self.0.digest())?;
        Ok((PyBytes::new(py, &value.to_be_bytes()), octets))
    }

    /// Returns whether another zone holds the same records, whatever their order and the case of owners.
    fn same_data(&self, py: Python<'_>, other: &Zone) -> PyResult<bool> {
        guarded(py, || self.0.same_data(&other.0))
    }

    /// Returns what leads from this version to another.
    fn diff<'py>(&self, py: Python<'py>, new: &Zone) -> PyResult<PyDelta<'py>> {
        let Delta { old_soa, new_soa, removed, added } = guarded(py, || self.0.diff(&new.0))?;
        let many = |rrs: &[Rr]| rrs.iter().map(|rr| from_rr(py, rr)).collect();
        Ok((from_rr(py, &old_soa), from_rr(py, &new_soa), many(&removed), many(&added)))
    }

    /// Returns the version after `deltas`. Raises `DeltaDoesNotFitError`. `may_repeat`: a delta may add a
    /// record that is there already, if it is exactly that.
    fn apply(&self, py: Python<'_>, deltas: Vec<PyDelta<'_>>, may_repeat: bool) -> PyResult<Zone> {
        let deltas: Vec<Delta> = deltas.iter().map(to_delta).collect();
        let apply = if may_repeat { core::Zone::apply_repeating } else { core::Zone::apply };
        guarded(py, || apply(&self.0, &deltas))?.map(Zone).map_err(|error| match error {
            ApplyError::Build(error) => to_python(error),
            _ => DeltaDoesNotFitError::new_err(error.to_string()),
        })
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl Zone {
    fn node_tuple<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(node) = self.0.find(key) else { return Ok(None) };
        let rrsets = node.rrsets().map(|rrset| rrset_tuple(py, rrset)).collect::<PyResult<Vec<_>>>()?;
        let key_of =
            |node: Option<core::Node<'_>>| node.map(|node| PyBytes::new(py, &name::key(node.owner())));
        let owner = PyBytes::new(py, node.owner());
        let (cut, dname, wildcard) = (key_of(node.cut()), key_of(node.dname()), key_of(node.wildcard()));
        (owner, rrsets, cut, dname, wildcard).into_pyobject(py).map(Some)
    }
}

fn rrset_tuple<'py>(py: Python<'py>, rrset: core::Rrset<'_>) -> PyResult<Bound<'py, PyTuple>> {
    let signatures = rrset.signatures();
    let sigs = signatures.map_or_else(|| Ok(PyTuple::empty(py)), |rrset| rdata_tuple(py, rrset))?;
    let sigs_ttl = signatures.map_or(0, |rrset| rrset.ttl());
    (rrset.rtype(), rrset.ttl(), rdata_tuple(py, rrset)?, sigs, sigs_ttl).into_pyobject(py)
}

fn rdata_tuple<'py>(py: Python<'py>, rrset: core::Rrset<'_>) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, rrset.rdatas().map(|rdata| PyBytes::new(py, rdata)).collect::<Vec<_>>())
}

fn from_rr<'py>(py: Python<'py>, rr: &Rr) -> PyRr<'py> {
    (PyBytes::new(py, &rr.owner), rr.rtype, rr.ttl, PyBytes::new(py, &rr.rdata))
}

fn to_rr((owner, rtype, ttl, rdata): &PyRr<'_>) -> Rr {
    Rr { owner: owner.as_bytes().into(), rtype: *rtype, ttl: *ttl, rdata: rdata.as_bytes().into() }
}

fn to_delta((old_soa, new_soa, removed, added): &PyDelta<'_>) -> Delta {
    Delta {
        old_soa: to_rr(old_soa),
        new_soa: to_rr(new_soa),
        removed: removed.iter().map(to_rr).collect(),
        added: added.iter().map(to_rr).collect(),
    }
}

/// Collects records and makes a zone of them.
#[pyclass(module = "bindpy_engine")]
pub struct ZoneBuilder {
    builder: Option<core::ZoneBuilder>,
}

#[pymethods]
impl ZoneBuilder {
    #[new]
    fn new(origin: &[u8], rdclass: u16) -> PyResult<Self> {
        contained(|| ZoneBuilder { builder: Some(core::ZoneBuilder::new(origin, rdclass)) })
    }

    /// How many different records there are so far.
    #[getter]
    fn rr_count(&self) -> PyResult<u64> {
        self.builder.as_ref().map(core::ZoneBuilder::rr_count).ok_or_else(used)
    }

    /// Adds one record with valid RDATA and returns its RRset's TTL. Raises `OutOfZoneError`.
    fn add(&mut self, owner: &[u8], rtype: u16, ttl: u32, rdata: &[u8]) -> PyResult<u32> {
        let builder = self.builder.as_mut().ok_or_else(used)?;
        contained(|| builder.add(owner, rtype, ttl, rdata))?.map_err(to_python)
    }

    /// Returns the zone; the builder cannot be used again. Raises `NoSoaError`.
    fn finish(&mut self, py: Python<'_>) -> PyResult<Zone> {
        let builder = self.builder.take().ok_or_else(used)?;
        guarded(py, || builder.finish())?.map(Zone).map_err(to_python)
    }

    /// Adds the records of messages from the middle of an AXFR in class IN; returns how many messages that were,
    /// and how many records. It ends before the first message that has anything in it that is not plainly right.
    /// `rare(type, RDATA)` says whether RDATA of rare types, uncompressed, is valid. `max_records`: 0 for any.
    fn take_messages(
        &mut self,
        py: Python<'_>,
        messages: Vec<PyBackedBytes>,
        id: u16,
        qtype: u16,
        max_records: u64,
        rare: Py<PyAny>,
    ) -> PyResult<(usize, usize)> {
        let builder = self.builder.as_mut().ok_or_else(used)?;
        let expected = Expected { id, qtype, max_records };
        let mut asking = AskPython { ask: &rare, failure: None };
        let taken = guarded(py, || {
            let records = messages.iter().map_while(|one| builder.take_message(one, &expected, &mut asking));
            records.fold((0, 0), |(messages, sum), records| (messages + 1, sum + records))
        })?;
        match asking.failure {
            Some(failure) => Err(failure),
            None => Ok(taken),
        }
    }

    /// Returns the records of a message as `take_messages` takes it; None where that would not.
    fn open_message(
        &self,
        py: Python<'_>,
        message: PyBackedBytes,
        id: u16,
        qtype: u16,
        max_records: u64,
        rare: Py<PyAny>,
    ) -> PyResult<Option<OpenMessage>> {
        let builder = self.builder.as_ref().ok_or_else(used)?;
        let expected = Expected { id, qtype, max_records };
        let mut asking = AskPython { ask: &rare, failure: None };
        let opened = guarded(py, || builder.open_message(&message, &expected, &mut asking))?;
        match asking.failure {
            Some(failure) => Err(failure),
            None => Ok(opened.map(OpenMessage)),
        }
    }

    /// Adds the records of `message` from number `start` to before `end`. Raises `ZoneTooLargeError`.
    fn keep(&mut self, py: Python<'_>, message: &OpenMessage, start: usize, end: usize) -> PyResult<()> {
        let builder = self.builder.as_mut().ok_or_else(used)?;
        let kept = guarded(py, || {
            let mut records = message.0.records(start..end);
            records
                .try_for_each(|(owner, rtype, ttl, rdata)| builder.add(owner, rtype, ttl, rdata).map(|_| ()))
        })?;
        kept.map_err(to_python)
    }
}

fn used() -> PyErr {
    PyValueError::new_err("the builder has been used")
}
