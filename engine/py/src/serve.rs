//! The threads that serve, and what they pass up. None of them ever takes the interpreter's lock: what is for
//! Python waits in bounded queues, of which `Service.take` empties all.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bindpy_core::answer::{self as core, Role, Totals, Transport};
use bindpy_core::serve::{
    ControlRequest, Event, HandedOver, TcpService, TcpSettings, ThreadState, UdpService, UdpSocket, Upcalls,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::answer::Answerer;

/// An address as Python has it: address, port, scope (an interface's number; 0 for none).
type Address = (IpAddr, u16, u32);

/// The same on its way to Python, where addresses are texts.
type AddressText = (String, u16, u32);

/// How a thread is: whether it has ended, and for how many seconds it has been busy.
type State = (bool, f64);

/// A copy of a query: packet, client, our address, whether it came over TCP.
type Tapped<'py> = (Bound<'py, PyBytes>, AddressText, String, bool);

/// A connection to be taken over: descriptor, client, our address, listener, unread octets, number.
type Connection<'py> = (RawFd, AddressText, String, AddressText, Bound<'py, PyBytes>, u64);

/// News: kind, address, packet, errno or 0, words.
type News<'py> = (&'static str, Option<AddressText>, Bound<'py, PyBytes>, i32, String);

type Taken<'py> = (Vec<Datagram>, Vec<Tapped<'py>>, Vec<Connection<'py>>, Vec<News<'py>>);

/// Threads that serve what an `Answerer` has: one for TCP, and those that `serve_udp` starts.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct Service {
    answerer: Arc<core::Answerer>,
    upcalls: Arc<Upcalls>,
    tcp: Mutex<TcpService>,
}

#[pymethods]
impl Service {
    #[new]
    fn new(answerer: &Answerer, clients: usize, initial_timeout: f64, idle_timeout: f64) -> PyResult<Self> {
        let answerer = answerer.shared();
        let upcalls = Arc::new(Upcalls::new()?);
        let settings = settings(clients, initial_timeout, idle_timeout)?;
        let tcp = Mutex::new(TcpService::start(&answerer, &upcalls, settings)?);
        Ok(Service { answerer, upcalls, tcp })
    }

    /// Returns the descriptor that is readable while something waits to be taken.
    fn fileno(&self) -> RawFd {
        self.upcalls.descriptor().as_raw_fd()
    }

    /// Takes all that waits: requests, copies of queries, connections, news.
    fn take<'py>(&self, py: Python<'py>) -> Taken<'py> {
        let taken = self.upcalls.take();
        let tapped = taken.tapped.iter().map(|one| {
            let is_tcp = one.transport == Transport::Tcp;
            (PyBytes::new(py, &one.packet), address(one.client), one.local.to_string(), is_tcp)
        });
        (
            taken.requests.into_iter().map(Datagram).collect(),
            tapped.collect(),
            taken.handed_over.into_iter().map(|one| connection(py, one)).collect(),
            taken.events.into_iter().map(|one| news(py, one)).collect(),
        )
    }

    /// Returns how much found no room: requests, copies of queries, news.
    fn lost(&self) -> (u64, u64, u64) {
        let lost = self.upcalls.lost();
        (lost.requests, lost.tapped, lost.events)
    }

    /// Begins or ends the copying of each query.
    fn set_tapping(&self, tapping: bool) {
        self.upcalls.set_tapping(tapping);
    }

    /// Serves UDP sockets that are bound to one address, each with a thread and a descriptor of its own.
    fn serve_udp(&self, bound: Address, descriptors: Vec<RawFd>, is_shared: bool) -> PyResult<UdpThreads> {
        let bound = socket_address(bound);
        let duplicate = |fd| Ok(UdpSocket { socket: bindpy_sys::duplicate(fd)?, bound, is_shared });
        let sockets = descriptors.into_iter().map(duplicate).collect::<io::Result<_>>()?;
        let service = UdpService::start(&self.answerer, &self.upcalls, sockets)?;
        Ok(UdpThreads(Mutex::new(service)))
    }

    /// Accepts connections on a listening socket, by a descriptor of its own.
    fn listen(&self, bound: Address, descriptor: RawFd) -> PyResult<()> {
        self.tcp().listen(bindpy_sys::duplicate(descriptor)?, socket_address(bound));
        Ok(())
    }

    /// Accepts no more connections there; returns whether the socket was closed in time.
    fn unlisten(&self, py: Python<'_>, bound: Address) -> bool {
        py.detach(|| self.tcp().unlisten(socket_address(bound)))
    }

    /// Sets other limits of TCP.
    fn set_limits(&self, clients: usize, initial_timeout: f64, idle_timeout: f64) -> PyResult<()> {
        self.tcp().set_settings(settings(clients, initial_timeout, idle_timeout)?);
        Ok(())
    }

    /// Tells that a connection that was taken over has ended.
    fn closed(&self, number: u64) {
        self.tcp().closed(number);
    }

    /// Serves a connection again that was taken over, by a descriptor of its own.
    fn take_back(
        &self,
        number: u64,
        descriptor: RawFd,
        client: Address,
        local: IpAddr,
        listener: Address,
    ) -> PyResult<()> {
        let socket = bindpy_sys::duplicate(descriptor)?;
        self.tcp().take_back(number, socket, socket_address(client), local, socket_address(listener));
        Ok(())
    }

    /// Returns how many connections there are, and the most that there have been.
    fn tcp_clients(&self) -> (usize, usize) {
        let tcp = self.tcp();
        (tcp.clients(), tcp.high_water())
    }

    /// Returns how the thread for TCP is.
    fn threads(&self) -> Vec<State> {
        states(self.tcp().threads())
    }

    /// Returns what was counted: over UDP, over TCP, and in all, queries that Python asked included.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<[Bound<'py, PyDict>; 3]> {
        Ok([
            totals(py, &self.answerer.totals_of(Role::Udp))?,
            totals(py, &self.answerer.totals_of(Role::Tcp))?,
            totals(py, &self.answerer.totals())?,
        ])
    }

    /// Tells the thread for TCP to end; clients have a moment to take the answers that are due.
    fn request_stop(&self) {
        self.tcp().request_stop();
    }

    /// Ends the thread for TCP; returns whether it ended in time.
    fn stop(&self, py: Python<'_>) -> bool {
        py.detach(|| self.tcp().stop())
    }
}

impl Service {
    fn tcp(&self) -> MutexGuard<'_, TcpService> {
        self.tcp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that serve UDP on one address.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct UdpThreads(Mutex<UdpService>);

#[pymethods]
impl UdpThreads {
    /// Tells the threads to end.
    fn request_stop(&self) {
        self.udp().request_stop();
    }

    /// Ends the threads and closes their sockets; returns whether all ended in time.
    fn stop(&self, py: Python<'_>) -> bool {
        py.detach(|| self.udp().stop())
    }

    /// Returns how the threads are.
    fn threads(&self) -> Vec<State> {
        states(self.udp().threads())
    }
}

impl UdpThreads {
    fn udp(&self) -> MutexGuard<'_, UdpService> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message over UDP that is not for the engine to answer.
#[pyclass(frozen, module = "bindpy_engine")]
pub struct Datagram(ControlRequest);

#[pymethods]
impl Datagram {
    #[getter]
    fn packet<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.packet)
    }

    #[getter]
    fn client(&self) -> AddressText {
        address(self.0.client)
    }

    /// The address of ours that it came to.
    #[getter]
    fn local(&self) -> String {
        self.0.local.to_string()
    }

    /// The port of ours that it came to; 0 once the service has been stopped.
    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    /// Sends the reply, without waiting for room, from the address that was asked. Raises `OSError`.
    fn reply(&self, message: &[u8]) -> PyResult<()> {
        Ok(self.0.reply(message)?)
    }
}

fn address(address: SocketAddr) -> AddressText {
    let scope = match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(six) => six.scope_id(),
    };
    (address.ip().to_string(), address.port(), scope)
}

fn socket_address((ip, port, scope): Address) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(six) => SocketAddrV6::new(six, port, 0, scope).into(),
    }
}

fn settings(clients: usize, initial_timeout: f64, idle_timeout: f64) -> PyResult<TcpSettings> {
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value).map_err(|error| PyValueError::new_err(error.to_string()))
    };
    Ok(TcpSettings {
        clients,
        initial_timeout: seconds(initial_timeout)?,
        idle_timeout: seconds(idle_timeout)?,
    })
}

fn states(threads: Vec<ThreadState>) -> Vec<State> {
    threads.into_iter().map(|thread| (thread.ended, thread.busy_for.as_secs_f64())).collect()
}

fn connection(py: Python<'_>, one: HandedOver) -> Connection<'_> {
    let unread = PyBytes::new(py, &one.unread);
    let (client, listener) = (address(one.client), address(one.listener));
    (one.socket.into_raw_fd(), client, one.local.to_string(), listener, unread, one.number)
}

fn news(py: Python<'_>, event: Event) -> News<'_> {
    let (kind, place, packet, error, words) = match event {
        Event::Fault(packet, words) => ("fault", None, packet, None, words),
        Event::ReceiveError(place, error) => {
            ("receive-error", Some(place), vec![], Some(error), String::new())
        }
        Event::SendError(place, error) => ("send-error", Some(place), vec![], Some(error), String::new()),
        Event::TcpRefused(place, words) => ("tcp-refused", Some(place), vec![], None, words),
        Event::TcpExhausted(error) => ("tcp-exhausted", None, vec![], Some(error), String::new()),
        Event::TcpExpired(place, words) => ("tcp-expired", Some(place), vec![], None, words.to_owned()),
        Event::Ended(place, words) => ("ended", Some(place), vec![], None, words),
    };
    let errno = error.as_ref().and_then(io::Error::raw_os_error).unwrap_or(0);
    let words = error.map_or(words, |error| error.to_string());
    (kind, place.map(address), PyBytes::new(py, &packet), errno, words)
}

/// Returns counters by their names; `qtypes` and `rcodes` by number, without those that are zero.
fn totals<'py>(py: Python<'py>, totals: &Totals) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    for (name, value) in totals.named() {
        out.set_item(name, value)?;
    }
    let counted = |numbers: &[u64]| {
        let dict = PyDict::new(py);
        for (number, &value) in numbers.iter().enumerate().filter(|(_, value)| **value > 0) {
            dict.set_item(number, value)?;
        }
        PyResult::Ok(dict)
    };
    out.set_item("qtypes", counted(&totals.qtypes)?)?;
    out.set_item("rcodes", counted(&totals.rcodes)?)?;
    out.set_item("latencies", totals.latencies.to_vec())?;
    Ok(out)
}
