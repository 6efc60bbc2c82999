//! What answers cost, without a network: `cost ORIGIN FILE QUERIES [do]` (the origin in hexadecimal wire form) reads
//! a zone and a file of queries as dnsperf takes it (`NAME TYPE`; names without escapes), answers each as if it came over
//! UDP, and prints the time of the fastest of some rounds. For instructions instead of times:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='cost::answer_all' cost ORIGIN FILE QUERIES
//! ```
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bindpy_core::answer::{AnswerPolicy, Answerer, Exchange, Outcome, Request, Transport, Worker};
use bindpy_core::check::Checks;
use bindpy_core::read::{NoRareRdata, read_zone};
use bindpy_core::rtype;

const ROUNDS: usize = 5;
const BATCH: usize = 16;
const VIEW: &str = "_default";

/// Returns the message for a line of a file of queries.
fn query(line: &str, dnssec_ok: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut words = line.split_whitespace();
    let (name, rtype) = (words.next().ok_or("no name")?, words.next().ok_or("no type")?);
    let rtype = match rtype {
        "A" => rtype::A,
        "AAAA" => rtype::AAAA,
        "NS" => rtype::NS,
        other => other.strip_prefix("TYPE").ok_or("which type?")?.parse()?,
    };
    // As dnsperf makes it: with RD, and for DO an OPT record that says 4096 octets.
    let mut out = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(dnssec_ok)];
    for label in name.trim_end_matches('.').split('.') {
        out.push(u8::try_from(label.len())?);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&rtype.to_be_bytes());
    out.extend_from_slice(&rtype::IN.to_be_bytes());
    if dnssec_ok {
        out.extend_from_slice(b"\0\0\x29\x10\0\0\0\x80\0\0\0");
    }
    Ok(out)
}

/// Answers all of `queries`; returns how many octets the answers have.
#[inline(never)]
fn answer_all(
    answerer: &Answerer,
    worker: &mut Worker,
    queries: &[Vec<u8>],
    answers: &mut [Vec<u8>],
) -> usize {
    let (address, mut octets) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    for queries in queries.chunks(BATCH) {
        let mut exchanges = Vec::with_capacity(BATCH);
        for (packet, answer) in queries.iter().zip(&mut *answers) {
            let request = Request::plain(packet, address, address, Transport::Udp);
            exchanges.push(Exchange { request, answer, outcome: Outcome::Drop });
        }
        worker.answer_all(&answerer.state(), &mut exchanges);
        octets += exchanges.iter().map(|exchange| exchange.answer.len()).sum::<usize>();
    }
    octets
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, origin, file, queries, rest @ ..] = &arguments[..] else {
        return Err("usage: cost ORIGIN FILE QUERIES [do]".into());
    };
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("0"), 16).unwrap_or(0);
    let origin: Vec<u8> = origin.as_bytes().chunks(2).map(octet).collect();
    let loaded = read_zone(file.as_bytes(), &origin, b"", &Checks::default(), &mut NoRareRdata);
    let zone = loaded.map_err(|refusal| format!("{refusal:?}"))?.zone;
    let text = fs::read_to_string(queries)?;
    let queries: Result<Vec<_>, _> = text.lines().map(|line| query(line, !rest.is_empty())).collect();
    let queries = queries?;
    let report = Arc::new(|query: &[u8], words: &str| eprintln!("{query:02x?}: {words}"));
    let answerer = Answerer::new(AnswerPolicy::default(), report);
    answerer.publish(VIEW, zone, Arc::default()).map_err(|error| error.to_string())?;
    let mut worker = answerer.worker();
    let (mut answers, mut octets, mut best) = (vec![Vec::new(); BATCH], 0, Duration::MAX);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        octets = answer_all(&answerer, &mut worker, &queries, &mut answers);
        best = best.min(start.elapsed());
    }
    let count = queries.len();
    println!(
        "{:.1} ns, {:.1} octets an answer",
        best.as_nanos() as f64 / count as f64,
        octets as f64 / count as f64
    );
    println!("by RCODE: {:?}", answerer.totals().rcodes);
    Ok(())
}
