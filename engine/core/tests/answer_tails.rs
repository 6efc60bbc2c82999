//! Answers of which most is known beforehand are the same as those that are made anew.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bindpy_core::answer::{AnswerPolicy, Answerer, Exchange, Outcome, Request, Transport, Worker};
use bindpy_core::name;
use bindpy_core::rtype::{A, AAAA, DNAME, DS, IN, NS, NSEC, NSEC3, NSEC3PARAM, RRSIG, SOA};
use bindpy_core::zone::{Nsec3Params, Zone, ZoneBuilder};
use proptest::prelude::*;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// One begins as another ends, and one looks like the end of a name.
const ORIGINS: [&[u8]; 5] = [b"\x01z\x04Test\0", b"\x01a\0", b"\x01a\x01a\0", b"\x04test\0", b"\0"];
/// Few, so that names share them, in both cases.
const LABELS: [&[u8]; 9] =
    [b"\x01a", b"\x01A", b"\x01b", b"\x02ns", b"\x02NS", b"\x01*", b"\x01z", b"\x03\x01a\0", b"\x04test"];
/// Of most answers little else is left out.
const PAYLOADS: [u16; 7] = [512, 560, 600, 700, 900, 1232, 4096];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Chain {
    None,
    Nsec,
    Nsec3,
}

/// A name: labels, and whether they are below the origin.
type Given = (Vec<&'static [u8]>, bool);

#[derive(Debug)]
struct Plan {
    origin: &'static [u8],
    chain: Chain,
    soa: (Given, Given),
    /// Owners, types, and what they point at.
    records: Vec<(Vec<&'static [u8]>, u16, Given)>,
    signature_octets: usize,
}

fn labels() -> impl Strategy<Value = Vec<&'static [u8]>> {
    prop::collection::vec(prop::sample::select(LABELS.to_vec()), 0..4)
}

fn given() -> impl Strategy<Value = Given> {
    (labels(), prop::bool::weighted(0.9))
}

fn plan() -> impl Strategy<Value = Plan> {
    let kinds = vec![A, A, AAAA, NS, NS, NS, DS, DNAME];
    let record = (labels(), prop::sample::select(kinds), given());
    (
        prop::sample::select(ORIGINS.to_vec()),
        prop::sample::select(vec![Chain::None, Chain::Nsec, Chain::Nsec3, Chain::Nsec3]),
        (given(), given()),
        prop::collection::vec(record, 0..14),
        prop::sample::select(vec![20, 20, 100, 16_000]),
    )
        .prop_map(|(origin, chain, soa, records, signature_octets)| Plan {
            origin,
            chain,
            soa,
            records,
            signature_octets,
        })
}

impl Plan {
    fn below(&self, labels: &[&[u8]]) -> Vec<u8> {
        [&labels.concat(), self.origin].concat()
    }

    fn name(&self, (labels, below): &Given) -> Vec<u8> {
        if *below { self.below(labels) } else { [&labels.concat(), &b"\0"[..]].concat() }
    }

    /// Returns the zone; `None` where a record cannot be in one.
    fn zone(&self) -> Option<Zone> {
        let mut builder = ZoneBuilder::new(self.origin, IN);
        let mut signed = |owner: &[u8], rtype: u16, rdata: &[u8]| {
            builder.add(owner, rtype, 60, rdata).ok()?;
            if self.chain != Chain::None && !matches!(rtype, NS | A | AAAA) {
                let signature = vec![7; self.signature_octets];
                let head = [&rtype.to_be_bytes()[..], &[8, 2], &[0; 14]].concat();
                builder.add(owner, RRSIG, 60, &[&head, self.origin, &signature].concat()).ok()?;
            }
            Some(())
        };
        let soa = [self.name(&self.soa.0), self.name(&self.soa.1), vec![0, 0, 0, 1], vec![0; 16]].concat();
        signed(self.origin, SOA, &soa)?;
        let mut owners = BTreeSet::from([self.origin.to_vec()]);
        for (owner, rtype, target) in &self.records {
            let owner = self.below(owner);
            let target = self.name(target);
            match *rtype {
                A => signed(&owner, A, &[192, 0, 2, 1])?,
                AAAA => signed(&owner, AAAA, &[1; 16])?,
                DS => signed(&owner, DS, &[5; 24])?,
                other => signed(&owner, other, &target)?,
            }
            owners.insert(owner);
        }
        let params = Nsec3Params { iterations: 1, salt: [9].into() };
        if self.chain == Chain::Nsec3 {
            signed(self.origin, NSEC3PARAM, &[1, 0, 0, 1, 1, 9])?;
        }
        for owner in owners {
            match self.chain {
                Chain::None => {}
                Chain::Nsec => signed(&owner, NSEC, &[&owner[..], &[0, 1, 0x40]].concat())?,
                Chain::Nsec3 => {
                    let hash = params.hash(&name::key(&owner));
                    let rdata = [&[1, 0, 0, 1, 1, 9, 20][..], &[3; 20], &[0, 1, 0x40]].concat();
                    signed(&self.below(&[&base32(&hash)]), NSEC3, &rdata)?;
                }
            }
        }
        builder.finish().ok()
    }
}

/// Returns a label of the digits that RFC 5155 writes a hash with.
fn base32(hash: &[u8; 20]) -> Vec<u8> {
    let bit = |at: usize| hash[at / 8] >> (7 - at % 8) & 1;
    let digit = |at: usize| {
        b"0123456789ABCDEFGHIJKLMNOPQRSTUV"[(0..5).fold(0, |five, i| five << 1 | bit(at + i)) as usize]
    };
    std::iter::once(32).chain((0..160).step_by(5).map(digit)).collect()
}

#[derive(Clone, Debug)]
struct Question {
    labels: Vec<&'static [u8]>,
    qtype: u16,
    /// The origin in capitals.
    loud: bool,
    edns: Option<(u16, bool)>,
    tcp: bool,
}

fn question() -> impl Strategy<Value = Question> {
    let edns =
        prop::option::weighted(0.9, (prop::sample::select(PAYLOADS.to_vec()), prop::bool::weighted(0.8)));
    (
        labels(),
        prop::sample::select(vec![A, A, NS, DS]),
        prop::bool::weighted(0.1),
        edns,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(labels, qtype, loud, edns, tcp)| Question { labels, qtype, loud, edns, tcp })
}

impl Question {
    fn packet(&self, id: u8, origin: &[u8]) -> Vec<u8> {
        let origin = if self.loud { origin.to_ascii_uppercase() } else { origin.to_vec() };
        let mut out = vec![id, 1, id & 1, id << 4 & 0x10, 0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())];
        out.extend(
            [&self.labels.concat(), &origin, &self.qtype.to_be_bytes()[..], &IN.to_be_bytes()].concat(),
        );
        if let Some((payload, dnssec_ok)) = self.edns {
            let flags = if dnssec_ok { 0x80 } else { 0 };
            out.extend([&b"\0\0\x29"[..], &payload.to_be_bytes(), &[0, 0, flags, 0, 0, 0]].concat());
        }
        out
    }

    fn transport(&self) -> Transport {
        if self.tcp { Transport::Tcp } else { Transport::Udp }
    }
}

fn ask(answerer: &Answerer, worker: &mut Worker, packets: &[(Vec<u8>, Transport)]) -> Vec<Vec<u8>> {
    let mut answers = vec![Vec::new(); packets.len()];
    let mut exchanges: Vec<Exchange<'_>> = packets
        .iter()
        .zip(&mut answers)
        .map(|((packet, transport), answer)| {
            let request = Request::plain(packet, ADDRESS, ADDRESS, *transport);
            Exchange { request, answer, outcome: Outcome::Drop }
        })
        .collect();
    worker.answer_all(&answerer.state(), &mut exchanges);
    answers
}

/// Asks one thing alone of a worker that has not been asked anything.
fn ask_alone(answerer: &Answerer, (packet, transport): &(Vec<u8>, Transport)) -> Vec<u8> {
    let mut out = Vec::new();
    let request = Request::plain(packet, ADDRESS, ADDRESS, *transport);
    answerer.worker().answer(&answerer.state(), &request, &mut out);
    out
}

proptest! {
    #[test]
    fn octets_are_the_same(plan in plan(), questions in prop::collection::vec(question(), 1..24)) {
        let Some(zone) = plan.zone() else { return Ok(()) };
        let fault = Arc::new(|query: &[u8], words: &str| panic!("{words}: {query:02x?}"));
        let answerer = Answerer::new(AnswerPolicy::default(), fault);
        answerer.publish("_default", zone, Arc::default()).unwrap();
        let mut worker = answerer.worker();
        for round in 0..4 { // with other flags, so that no answer is given again
            let packets: Vec<_> = questions
                .iter()
                .map(|question| (question.packet(round, plan.origin), question.transport()))
                .collect();
            for (answer, packet) in ask(&answerer, &mut worker, &packets).iter().zip(&packets) {
                prop_assert_eq!(answer, &ask_alone(&answerer, packet), "{:02x?}", packet);
            }
        }
    }
}
