//! What is published, and how that changes while queries are being answered.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::counters::{Counters, Totals};
use super::policy::{AnswerPolicy, ZonePolicy};
use super::published::{Served, State, Unavailable, ZoneTable};
use super::worker::{Fault, Worker};
use crate::name;
use crate::zone::Zone;

/// How long a change waits for the queries that began before it.
const PATIENCE: Duration = Duration::from_millis(500);
const PATIENCE_STEP: Duration = Duration::from_micros(100);

/// The policy has no view of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownView;

impl std::fmt::Display for UnknownView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the policy has no view of that name")
    }
}

impl std::error::Error for UnknownView {}

/// Zones by view, and who may ask for them. Shared by all threads.
///
/// Changes come one after the other, and each takes effect at once and whole: a query sees the state before
/// or after, never a mixture. No query waits for a change, and no change is held up by queries but to see them
/// off: what it replaced is freed by whoever changed it, not by a thread that answers.
pub struct Answerer {
    state: ArcSwap<State>,
    changing: Mutex<()>,
    counters: Mutex<Vec<Arc<Counters>>>,
    fault: Fault,
}

impl Answerer {
    /// Returns an answerer without zones. `fault` is told of queries that hit a fault of ours, on the thread
    /// that answers.
    pub fn new(policy: AnswerPolicy, fault: Fault) -> Self {
        Self {
            state: ArcSwap::from_pointee(State::configured(policy, &[])),
            changing: Mutex::new(()),
            counters: Mutex::new(Vec::new()),
            fault,
        }
    }

    /// Replaces the policy. Zones of views that are gone are withdrawn.
    pub fn configure(&self, policy: AnswerPolicy) {
        self.change(|state| {
            *state = State::configured(policy, &state.views);
            Ok(())
        })
        .expect("no view was asked for");
    }

    /// Serves `zone` in `view` from now on.
    pub fn publish(&self, view: &str, zone: Zone, policy: Arc<ZonePolicy>) -> Result<(), UnknownView> {
        let origin = name::key(zone.origin());
        self.put(view, &origin, Ok(zone), policy)
    }

    /// Answers SERVFAIL at and below `origin`.
    pub fn unavailable(
        &self,
        view: &str,
        origin: &[u8],
        policy: Arc<ZonePolicy>,
        reason: Unavailable,
    ) -> Result<(), UnknownView> {
        self.put(view, origin, Err(reason), policy)
    }

    fn put(
        &self,
        view: &str,
        origin: &[u8],
        content: Result<Zone, Unavailable>,
        policy: Arc<ZonePolicy>,
    ) -> Result<(), UnknownView> {
        self.change_zones(view, |zones| {
            let key = name::key(origin);
            let queries = zones.get(&key).map_or_else(Arc::default, |known| known.queries.clone());
            zones.insert(Served::new(origin, content, policy, queries));
        })
    }

    /// Stops serving `origin`.
    pub fn withdraw(&self, view: &str, origin: &[u8]) -> Result<(), UnknownView> {
        self.change_zones(view, |zones| zones.remove(&name::key(origin)))
    }

    fn change_zones(&self, view: &str, change: impl FnOnce(&mut ZoneTable)) -> Result<(), UnknownView> {
        self.change(|state| {
            let found = state.views.iter_mut().find(|known| known.policy.name == view);
            change(&mut found.ok_or(UnknownView)?.zones);
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Result<(), UnknownView>) -> Result<(), UnknownView> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = State::clone(&self.state.load());
        change(&mut state)?;
        let old = self.state.swap(Arc::new(state));
        let mut waited = Duration::ZERO;
        while Arc::strong_count(&old) > 1 && waited < PATIENCE {
            thread::sleep(PATIENCE_STEP);
            waited += PATIENCE_STEP;
        }
        Ok(())
    }

    /// Returns what is served now. Hold it for as long as a few queries take, and not while waiting for some.
    pub fn state(&self) -> Guard<Arc<State>> {
        self.state.load()
    }

    /// Returns the name of the view that serves such requests, `None` where none does.
    pub fn view_of(
        &self,
        client: IpAddr,
        local: IpAddr,
        recursion_desired: bool,
        keys: &[String],
    ) -> Option<String> {
        self.state.load().view_of(client, local, recursion_desired, keys).map(str::to_owned)
    }

    /// Returns what one more thread needs to answer; its counters are part of `totals` from now on.
    pub fn worker(&self) -> Worker {
        Worker::new(self.new_counters(), self.fault.clone())
    }

    fn new_counters(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).push(counters.clone());
        counters
    }

    /// Returns the sums of all threads' counters, those that have ended included.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for counters in &*self.counters.lock().unwrap_or_else(PoisonError::into_inner) {
            totals.add(counters);
        }
        totals
    }

    /// Returns how many queries `origin` was the zone of in `view`, since it was first there.
    pub fn zone_queries(&self, view: &str, origin: &[u8]) -> Option<u64> {
        let state = self.state.load();
        let view = state.views.iter().find(|known| known.policy.name == view)?;
        let served = view.zones.get(&name::key(origin))?;
        Some(AtomicU64::load(&served.queries, Ordering::Relaxed))
    }

    /// Returns the number of zones, in all views together.
    pub fn zone_count(&self) -> usize {
        self.state.load().views.iter().map(|view| view.zones.len()).sum()
    }
}
