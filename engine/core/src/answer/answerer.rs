//! What is published, and how that changes while queries are being answered.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::counters::{Counters, Role, Totals};
use super::policy::{AnswerPolicy, ZonePolicy};
use super::published::{State, Unavailable, UnknownView};
use super::worker::{Fault, Worker};
use crate::name;
use crate::zone::Zone;

/// How long a change waits for the queries that began before it.
const PATIENCE: Duration = Duration::from_millis(500);
const PATIENCE_STEP: Duration = Duration::from_micros(100);

/// What is to be served at and below a name.
pub struct Publication<'a> {
    /// The name of the view.
    pub view: &'a str,
    /// The name, in any case.
    pub origin: &'a [u8],
    /// The zone, or why there is none.
    pub content: Result<Zone, Unavailable>,
    /// Who may ask for it.
    pub policy: Arc<ZonePolicy>,
}

/// Zones by view, and who may ask for them. Shared by all threads.
///
/// Changes come one after the other, and each takes effect at once and whole: a query sees the state before
/// or after, never a mixture. No query waits for a change, and no change is held up by queries but to see them
/// off: what it replaced is freed by whoever changed it, not by a thread that answers.
pub struct Answerer {
    state: ArcSwap<State>,
    changing: Mutex<()>,
    counters: Mutex<Vec<(Role, Arc<Counters>)>>,
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
        self.publish_all([Publication { view, origin: &origin, content: Ok(zone), policy }])
    }

    /// Answers SERVFAIL at and below `origin`.
    pub fn unavailable(
        &self,
        view: &str,
        origin: &[u8],
        policy: Arc<ZonePolicy>,
        reason: Unavailable,
    ) -> Result<(), UnknownView> {
        self.publish_all([Publication { view, origin, content: Err(reason), policy }])
    }

    /// Serves all of `publications` from now on, in one change; nothing changes where one has an unknown view.
    pub fn publish_all<'a>(
        &self,
        publications: impl IntoIterator<Item = Publication<'a>>,
    ) -> Result<(), UnknownView> {
        self.change(|state| {
            for Publication { view, origin, content, policy } in publications {
                state.zones_of(view)?.put(origin, content, policy);
            }
            Ok(())
        })
    }

    /// Stops serving `origin`.
    pub fn withdraw(&self, view: &str, origin: &[u8]) -> Result<(), UnknownView> {
        self.change(|state| {
            state.zones_of(view)?.remove(&name::key(origin));
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Result<(), UnknownView>) -> Result<(), UnknownView> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = State::clone(&self.state.load());
        let generation = state.generation + 1;
        change(&mut state)?;
        state.generation = generation;
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

    /// Returns what the control plane needs to answer; its counters are part of `totals` from now on.
    pub fn worker(&self) -> Worker {
        self.worker_for(Role::Control, self.fault.clone())
    }

    /// Returns what one more thread needs to answer. `fault` is told of faults of ours on that thread.
    pub fn worker_for(&self, role: Role, fault: Fault) -> Worker {
        let counters = Arc::new(Counters::default());
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).push((role, counters.clone()));
        Worker::new(counters, fault)
    }

    /// Returns the sums of all threads' counters, those that have ended included.
    pub fn totals(&self) -> Totals {
        self.totals_where(|_| true)
    }

    /// Returns the sums of the counters of one role, likewise.
    pub fn totals_of(&self, role: Role) -> Totals {
        self.totals_where(|one| one == role)
    }

    fn totals_where(&self, wanted: impl Fn(Role) -> bool) -> Totals {
        let mut totals = Totals::default();
        for (role, counters) in &*self.counters.lock().unwrap_or_else(PoisonError::into_inner) {
            if wanted(*role) {
                totals.add(counters);
            }
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

#[cfg(test)]
mod tests {
    use super::super::{Outcome, Request, Transport};
    use super::*;
    use crate::rtype;
    use crate::zone::ZoneBuilder;

    const ORIGIN: &[u8] = b"\x07Example\0";

    fn zone(serial: u8) -> Zone {
        let mut builder = ZoneBuilder::new(ORIGIN, rtype::IN);
        let soa = [ORIGIN, ORIGIN, &[0, 0, 0, serial], &[0; 16]].concat();
        builder.add(ORIGIN, rtype::SOA, 60, &soa).unwrap();
        builder.finish().unwrap()
    }

    fn query(qtype: u16) -> Vec<u8> {
        let mut out = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        out.extend_from_slice(ORIGIN);
        out.extend_from_slice(&qtype.to_be_bytes());
        out.extend_from_slice(&rtype::IN.to_be_bytes());
        out
    }

    fn ask(answerer: &Answerer, worker: &mut Worker, qtype: u16) -> Vec<u8> {
        let mut out = Vec::new();
        let address = "192.0.2.1".parse().unwrap();
        let query = query(qtype);
        let request = Request::plain(&query, address, address, Transport::Udp);
        assert_eq!(worker.answer(&answerer.state(), &request, &mut out), Outcome::Answer);
        out
    }

    #[test]
    fn a_panic_is_told_and_counted_and_answered_servfail() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = told.clone();
        let fault: Fault = Arc::new(move |query: &[u8], words: &str| {
            telling.lock().unwrap().push((query.to_vec(), words.to_owned()));
        });
        let answerer = Answerer::new(AnswerPolicy::default(), fault);
        answerer.publish("_default", zone(1), Arc::default()).unwrap();
        let mut worker = answerer.worker();
        worker.panics_at = rtype::TXT;
        assert_eq!(ask(&answerer, &mut worker, rtype::TXT), [1, 2, 0x81, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(ask(&answerer, &mut worker, rtype::SOA)[3], 0, "the next query is answered");
        assert_eq!(*told.lock().unwrap(), [(query(rtype::TXT), "as the test wants it".to_owned())]);
        let totals = answerer.totals();
        assert_eq!((totals.faults, totals.rcodes[2], totals.rcodes[0]), (1, 1, 1));
    }

    #[test]
    fn zones_come_and_go() {
        let answerer = Answerer::new(AnswerPolicy::default(), Arc::new(|_, _| {}));
        let mut worker = answerer.worker();
        let policy = Arc::<ZonePolicy>::default();
        let mut rcode = || ask(&answerer, &mut worker, rtype::SOA)[3];
        assert_eq!(rcode(), 5);
        answerer.publish("_default", zone(1), policy.clone()).unwrap();
        assert_eq!((rcode(), answerer.zone_count()), (0, 1));
        answerer.unavailable("_default", ORIGIN, policy.clone(), Unavailable::Expired).unwrap();
        assert_eq!(rcode(), 2);
        answerer.publish("_default", zone(2), policy.clone()).unwrap();
        assert_eq!(rcode(), 0);
        assert_eq!(answerer.zone_queries("_default", b"\x07EXAMPLE\0"), Some(3));
        answerer.configure(AnswerPolicy::default());
        assert_eq!(rcode(), 0, "zones stay where their view stays");
        answerer.withdraw("_default", b"\x07eXample\0").unwrap();
        assert_eq!((rcode(), answerer.zone_count()), (5, 0));
        assert_eq!(answerer.publish("other", zone(1), policy), Err(UnknownView));
    }

    #[test]
    fn many_zones_are_published_in_one_change_or_not_at_all() {
        let answerer = Answerer::new(AnswerPolicy::default(), Arc::new(|_, _| {}));
        let mut worker = answerer.worker();
        let publication =
            |view, origin, content| Publication { view, origin, content, policy: Arc::default() };
        let other = || publication("_default", b"\x05other\0", Err(Unavailable::NotReady));
        let unknown = publication("nobody's", b"\x05third\0", Err(Unavailable::NotReady));
        assert_eq!(
            answerer.publish_all([publication("_default", ORIGIN, Ok(zone(1))), other(), unknown]),
            Err(UnknownView)
        );
        assert_eq!((ask(&answerer, &mut worker, rtype::SOA)[3], answerer.zone_count()), (5, 0));
        answerer.publish_all([publication("_default", ORIGIN, Ok(zone(1))), other()]).unwrap();
        assert_eq!((ask(&answerer, &mut worker, rtype::SOA)[3], answerer.zone_count()), (0, 2));
        answerer.publish_all([publication("_default", ORIGIN, Err(Unavailable::Expired))]).unwrap();
        assert_eq!(ask(&answerer, &mut worker, rtype::SOA)[3], 2);
        assert_eq!(answerer.zone_queries("_default", b"\x07example\0"), Some(2), "counters go on");
    }

    #[test]
    fn what_is_replaced_is_freed_by_whoever_replaces_it() {
        let answerer = Answerer::new(AnswerPolicy::default(), Arc::new(|_, _| {}));
        answerer.publish("_default", zone(1), Arc::default()).unwrap();
        let held = Arc::clone(&answerer.state());
        let old = Arc::downgrade(&held);
        thread::scope(|scope| {
            let answerer = &answerer;
            scope.spawn(move || {
                // A query that takes until after the swap.
                while Arc::ptr_eq(&answerer.state(), &held) {
                    thread::yield_now();
                }
            });
            answerer.publish("_default", zone(2), Arc::default()).unwrap();
            assert!(old.upgrade().is_none());
        });
    }
}
