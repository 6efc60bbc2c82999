//! The answerer: what is published, and one query at a time for what Python receives itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bindpy_core::answer::{self as core, Outcome, Publication, Request, Transport, Unavailable, Worker};
use pyo3::exceptions::{PyIndexError, PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

use crate::fault::{contained, guarded};
use crate::policy::{Elements, Policy, zone_policy};
use crate::zone::Zone;

/// Turns one query into one response, from zones by view.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct Answerer {
    answerer: Arc<core::Answerer>,
    idle: Mutex<Vec<Worker>>,
}

#[pymethods]
impl Answerer {
    /// `on_fault` is called with a query and what went wrong, should there be a fault of ours.
    #[new]
    fn new(on_fault: Py<PyAny>) -> Self {
        let fault = move |query: &[u8], what: &str| {
            Python::attach(|py| {
                if let Err(error) = on_fault.call1(py, (PyBytes::new(py, query), what)) {
                    error.write_unraisable(py, None);
                }
            });
        };
        let policy = core::AnswerPolicy::default();
        Answerer {
            answerer: Arc::new(core::Answerer::new(policy, Arc::new(fault))),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Replaces the policy. Zones of views that are gone are withdrawn.
    fn configure(&self, py: Python<'_>, policy: Policy) -> PyResult<()> {
        let policy = policy.into_policy()?;
        guarded(py, || self.answerer.configure(policy))
    }

    /// Serves zones from now on, all at once. Raises `KeyError` where the policy does not have a view; then
    /// nothing is changed.
    ///
    /// Each is `(view, origin, content, number of its policy)`; what stands for the content of a zone without
    /// data is whether it is expired. A policy is `(allow_query, allow_query_on)`.
    fn publish(
        &self,
        py: Python<'_>,
        policies: Vec<(Elements, Elements)>,
        publications: Vec<(PyBackedStr, PyBackedBytes, Content<'_>, usize)>,
    ) -> PyResult<()> {
        let policies: Vec<_> = policies.into_iter().map(zone_policy).collect();
        let mut plain = Vec::with_capacity(publications.len());
        for (view, origin, content, number) in &publications {
            let content = match content {
                Content::Zone(zone) => Ok(zone.0.clone()),
                Content::Expired(true) => Err(Unavailable::Expired),
                Content::Expired(false) => Err(Unavailable::NotReady),
            };
            let policy =
                policies.get(*number).ok_or_else(|| PyIndexError::new_err("no such policy"))?.clone();
            plain.push(Publication { view, origin, content, policy });
        }
        guarded(py, || self.answerer.publish_all(plain))?
            .map_err(|_| PyKeyError::new_err("a view that the policy does not have"))
    }

    /// Stops serving a zone.
    fn withdraw(&self, py: Python<'_>, view: &str, origin: &[u8]) -> PyResult<()> {
        guarded(py, || self.answerer.withdraw(view, origin))?.map_err(|_| unknown_view(view))
    }

    /// Returns the response to `query`, None where nothing is to be sent, and True where it is the control
    /// plane's.
    #[expect(clippy::too_many_arguments, reason = "they are Python's, and have names there")]
    fn answer<'py>(
        &self,
        py: Python<'py>,
        query: &[u8],
        client: &str,
        local: &str,
        tcp: bool,
        keys: Vec<String>,
        reserved_octets: usize,
    ) -> PyResult<Answer<'py>> {
        let request = Request {
            packet: query,
            client: address(client)?,
            local: address(local)?,
            transport: if tcp { Transport::Tcp } else { Transport::Udp },
            keys: &keys,
            reserved_octets,
        };
        let known = self.idle().pop();
        let mut worker = known.unwrap_or_else(|| self.answerer.worker());
        let mut out = Vec::new();
        let outcome = contained(|| worker.answer(&self.answerer.state(), &request, &mut out))?;
        self.idle().push(worker);
        Ok(match outcome {
            Outcome::Answer => Answer::Response(PyBytes::new(py, &out)),
            Outcome::Drop => Answer::Word(None),
            Outcome::NotMine => Answer::Word(Some(true)),
        })
    }

    /// Returns the name of the view that serves such requests, None where none does.
    fn view_of(
        &self,
        client: &str,
        local: &str,
        recursion_desired: bool,
        keys: Vec<String>,
    ) -> PyResult<Option<String>> {
        let (client, local) = (address(client)?, address(local)?);
        contained(|| self.answerer.view_of(client, local, recursion_desired, &keys))
    }

    /// Returns how many queries a zone has had since it was first there, None where there is no such zone.
    fn zone_queries(&self, view: &str, origin: &[u8]) -> PyResult<Option<u64>> {
        contained(|| self.answerer.zone_queries(view, origin))
    }
}

impl Answerer {
    /// What threads that serve share.
    pub fn shared(&self) -> Arc<core::Answerer> {
        self.answerer.clone()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be served: a zone, or why there is none.
#[derive(FromPyObject)]
enum Content<'py> {
    Zone(PyRef<'py, Zone>),
    Expired(bool),
}

/// What Python sees of an outcome.
#[derive(IntoPyObject)]
enum Answer<'py> {
    Response(Bound<'py, PyBytes>),
    Word(Option<bool>),
}

fn address(text: &str) -> PyResult<IpAddr> {
    let text = text.split_once('%').map_or(text, |(address, _scope)| address);
    text.parse().map_err(|_| PyValueError::new_err(format!("no address: {text}")))
}

fn unknown_view(view: &str) -> PyErr {
    PyKeyError::new_err(view.to_owned())
}
