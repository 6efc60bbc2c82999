//! What was answered before is answered as if it had not been.

use std::net::IpAddr;
use std::sync::Arc;

use bindpy_core::answer::{
    AnswerPolicy, Answerer, Exchange, Match, MatchElement, MatchList, OrderRule, Outcome, Request,
    RrsetOrder, Transport, ViewPolicy, Worker, ZonePolicy,
};
use bindpy_core::rtype;
use bindpy_core::zone::{Zone, ZoneBuilder};

const APEX: &[u8] = b"\x07example\0";
const ONE: [u8; 4] = [192, 0, 2, 1];
const OTHER: [u8; 4] = [192, 0, 2, 2];
const ROUNDS: u8 = 4;

fn zone(address: u8) -> Zone {
    let mut builder = ZoneBuilder::new(APEX, rtype::IN);
    let below = |labels: &[u8]| [labels, APEX].concat();
    let mut add = |labels: &[u8], rtype: u16, rdata: &[u8]| {
        builder.add(&below(labels), rtype, 60, rdata).unwrap();
    };
    add(b"", rtype::SOA, &[APEX, APEX, &[0; 20]].concat());
    add(b"", rtype::NS, &below(b"\x01a"));
    add(b"\x01a", rtype::A, &[192, 0, 2, address]);
    add(b"\x01a", rtype::A, &[198, 51, 100, address]);
    add(b"\x01t", rtype::TXT, &[7; 8]);
    add(b"\x01l", rtype::TXT, &[&[255; 256][..], &[255; 256], &[255; 256]].concat());
    add(b"\x01c", rtype::CNAME, &below(b"\x01a"));
    add(b"\x01d", rtype::NS, &below(b"\x01a\x01d"));
    add(b"\x01a\x01d", rtype::A, &[192, 0, 2, 9]);
    builder.finish().unwrap()
}

fn answerer(policy: AnswerPolicy) -> Answerer {
    Answerer::new(policy, Arc::new(|query: &[u8], words: &str| panic!("{words}: {query:02x?}")))
}

fn query(id: u8, labels: &[u8], qtype: u16, with_opt: bool) -> Vec<u8> {
    let head = [id, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(with_opt)];
    let opt: &[u8] = if with_opt { b"\0\0\x29\x04\xd0\0\0\x80\0\0\0" } else { b"" };
    [&head[..], labels, APEX, &qtype.to_be_bytes(), &rtype::IN.to_be_bytes(), opt].concat()
}

fn queries(id: u8) -> Vec<Vec<u8>> {
    let names: [&[u8]; 9] =
        [b"", b"\x01a", b"\x01A", b"\x01t", b"\x01l", b"\x01c", b"\x01d", b"\x01x\x01d", b"\x01x"];
    let qtypes = [rtype::A, rtype::TXT, rtype::NS, rtype::ANY];
    let all = names.iter().flat_map(|name| qtypes.map(|qtype| (name, qtype)));
    all.flat_map(|(name, qtype)| [false, true].map(|with_opt| query(id, name, qtype, with_opt))).collect()
}

/// Asks all of `packets` at once.
fn ask(answerer: &Answerer, worker: &mut Worker, packets: &[Vec<u8>], client: IpAddr) -> Vec<Vec<u8>> {
    let mut answers = vec![vec![1, 2, 3]; packets.len()];
    let mut exchanges: Vec<Exchange<'_>> = packets
        .iter()
        .zip(&mut answers)
        .map(|(packet, answer)| Exchange {
            request: Request::plain(packet, client, client, Transport::Udp),
            answer,
            outcome: Outcome::Drop,
        })
        .collect();
    worker.answer_all(&answerer.state(), &mut exchanges);
    assert!(exchanges.iter().all(|exchange| exchange.outcome == Outcome::Answer));
    answers
}

/// Asks each of `packets` by itself.
fn ask_alone(answerer: &Answerer, packets: &[Vec<u8>], client: IpAddr) -> Vec<Vec<u8>> {
    let mut worker = answerer.worker();
    let answer = |packet: &Vec<u8>| {
        let mut out = Vec::new();
        let request = Request::plain(packet, client, client, Transport::Udp);
        assert_eq!(worker.answer(&answerer.state(), &request, &mut out), Outcome::Answer);
        out
    };
    packets.iter().map(answer).collect()
}

fn only(address: [u8; 4]) -> MatchList {
    MatchList(vec![MatchElement { negated: false, what: Match::Network(address.into(), 32) }])
}

#[test]
fn octets_and_counters_are_the_same() {
    let (answerer, other) = (answerer(AnswerPolicy::default()), answerer(AnswerPolicy::default()));
    let mut worker = answerer.worker();
    answerer.publish("_default", zone(1), Arc::default()).unwrap();
    other.publish("_default", zone(1), Arc::default()).unwrap();
    for id in 0..ROUNDS {
        let packets = queries(id);
        assert_eq!(
            ask(&answerer, &mut worker, &packets, ONE.into()),
            ask_alone(&other, &packets, ONE.into())
        );
    }
    let (mut totals, expected) = (answerer.totals(), other.totals());
    let asked = queries(0).len() as u64;
    assert!(totals.recent > asked, "two rounds but for what is too long: {}", totals.recent);
    assert!(totals.truncated > 0 && totals.recent <= 2 * asked);
    totals.recent = 0;
    assert_eq!(totals, expected);
    let counts = [answerer, other].map(|answerer| answerer.zone_queries("_default", APEX));
    assert_eq!(counts, [Some(asked * u64::from(ROUNDS)); 2]);
}

#[test]
fn what_is_published_is_answered_at_once() {
    let answerer = answerer(AnswerPolicy::default());
    let mut worker = answerer.worker();
    for version in 1..5 {
        answerer.publish("_default", zone(version), Arc::default()).unwrap();
        for id in 0..ROUNDS {
            let packets = queries(id);
            assert_eq!(
                ask(&answerer, &mut worker, &packets, ONE.into()),
                ask_alone(&answerer, &packets, ONE.into())
            );
        }
    }
    answerer.withdraw("_default", APEX).unwrap();
    let refused = ask(&answerer, &mut worker, &queries(9), ONE.into());
    assert!(refused.iter().all(|answer| answer[3] & 0xF == 5));
}

#[test]
fn nobody_gets_what_another_may_have() {
    let of_a_zone = |answerer: &Answerer| {
        let policy = ZonePolicy { allow_query: only(ONE), ..ZonePolicy::default() };
        answerer.publish("_default", zone(1), Arc::new(policy)).unwrap();
    };
    let of_a_view = |answerer: &Answerer| {
        let ours = ViewPolicy { match_clients: only(ONE), ..ViewPolicy::named("ours") };
        answerer.configure(AnswerPolicy { views: vec![ours], ..AnswerPolicy::default() });
        answerer.publish("ours", zone(1), Arc::default()).unwrap();
    };
    for prepare in [&of_a_zone as &dyn Fn(&Answerer), &of_a_view] {
        let answerer = answerer(AnswerPolicy::default());
        prepare(&answerer);
        let mut worker = answerer.worker();
        for id in 0..ROUNDS {
            for client in [ONE, OTHER] {
                let answers = ask(&answerer, &mut worker, &queries(id), client.into());
                assert!(answers.iter().all(|answer| (answer[3] & 0xF == 5) == (client == OTHER)));
            }
        }
        assert_eq!(answerer.totals().recent, 0);
    }
}

#[test]
fn rdatas_go_on_taking_turns() {
    let order = OrderRule { order: RrsetOrder::Cyclic, rtype: None, name: None };
    let view = ViewPolicy { rrset_order: vec![order], ..ViewPolicy::named("_default") };
    let answerer = answerer(AnswerPolicy { views: vec![view], ..AnswerPolicy::default() });
    answerer.publish("_default", zone(1), Arc::default()).unwrap();
    let mut worker = answerer.worker();
    let packets = [query(1, b"\x01a", rtype::A, false)];
    let answers: Vec<_> =
        (0..2 * ROUNDS).map(|_| ask(&answerer, &mut worker, &packets, ONE.into())).collect();
    assert!(answers.windows(2).all(|pair| pair[0] != pair[1]));
}
