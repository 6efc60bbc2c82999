//! Reads zone files and prints what was understood, for tests that hold it against Python's reader.
//!
//! Each line of the standard input is `ORIGIN TAB FILE TAB DIRECTORY TAB CHECKS`, the origin in hexadecimal wire
//! form, the checks that are not the defaults as words like `mx=fail integrity=False max_zone_ttl=60`. For
//! each, the output is one line for each file of the zone (`file NAME`), for each owner that checks should look
//! at (`suspect OWNER WHY`, `suspect apex WHY`), and for each record (`OWNER TTL TYPE RDATA`, octets in
//! hexadecimal, owners in canonical order, else in the zone file's order), or the line `needs python: FILE:LINE:
//! REASON`; and then an empty line.
//!
//! RDATA of rare types is asked for: `rare TYPE ORIGIN WORD…`, each word its octets after two letters, `q` for
//! quoted or `w`, `g` for glued or `s`. The next line of the input is the RDATA in hexadecimal, or `wrong`.
//!
//! With the argument `places`, each record's owner, type, file, line and column are printed instead.
//! With the argument `facts` it is for each name what answering has to know: itself, the owners of its cut, its DNAME,
//! its wildcard and its NSEC3 (`-` for none), and the owners of the NSEC and the NSEC3 that cover it.
//! With the argument `digest` it is the zone's digest and octets.
//! With the argument `dump` or `file` it is the zone's canonical dump, or its text as a zone file, of which lines
//! that are blank do not occur; text of rare types is asked for as `text TYPE RDATA`.
//! With the argument `time` nothing but times is printed, and rare types are left to Python.

use std::collections::BTreeSet;
use std::io::{BufRead, Lines, StdinLock, StdoutLock, Write};
use std::time::Instant;

use bindpy_core::check::{Checks, Mode};
use bindpy_core::read::{Loaded, NeedsPython, NoRareRdata, Places, RareRdata, Word, read_places, read_zone};
use bindpy_core::write::{RareText, ZoneText};
use bindpy_core::zone::{Denial, Node, Zone};

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Asks whoever reads the output.
struct Asking<'a> {
    input: &'a mut Lines<StdinLock<'static>>,
    out: &'a mut StdoutLock<'static>,
}

impl RareRdata for Asking<'_> {
    fn rdata(&mut self, rtype: u16, words: &[Word<'_>], origin: &[u8]) -> Option<Vec<u8>> {
        let word = |word: &Word<'_>| {
            let (quoted, glued) = (if word.quoted { 'q' } else { 'w' }, if word.glued { 'g' } else { 's' });
            format!(" {quoted}{glued}{}", hex(word.text))
        };
        let words: String = words.iter().map(word).collect();
        writeln!(self.out, "rare {rtype} {}{words}", hex(origin)).ok()?;
        self.out.flush().ok()?;
        let answer = self.input.next()?.ok()?;
        (answer != "wrong").then(|| from_hex(&answer))
    }
}

fn print(out: &mut impl Write, outcome: Result<Loaded, NeedsPython>) -> std::io::Result<()> {
    match outcome {
        Ok(loaded) => {
            for (file, _) in &loaded.files {
                writeln!(out, "file {}", String::from_utf8_lossy(file))?;
            }
            if let Some(thought) = loaded.suspects.apex {
                writeln!(out, "suspect apex {thought}")?;
            }
            for one in &loaded.other_ttls.0 {
                writeln!(out, "ttl {} {} {} {}", one.line, one.column, one.ttl, one.prior)?;
            }
            for (owner, thought) in &loaded.suspects.owners {
                writeln!(out, "suspect {} {thought}", hex(owner))?;
            }
            for node in loaded.zone.nodes() {
                for rrset in node.rrsets() {
                    for rdata in rrset.rdatas() {
                        let (owner, rdata) = (hex(node.owner()), hex(rdata));
                        writeln!(out, "{owner} {} {} {rdata}", rrset.ttl(), rrset.rtype())?;
                    }
                }
            }
        }
        Err(NeedsPython { reason, file, line }) => {
            writeln!(out, "needs python: {}:{line}: {reason}", String::from_utf8_lossy(&file))?;
        }
    }
    writeln!(out)?;
    out.flush()
}

fn checks(words: &str) -> Checks {
    let mut checks = Checks::default();
    for (name, value) in words.split(' ').filter_map(|word| word.split_once('=')) {
        let mode = match value {
            "fail" => Mode::Fail,
            "warn" => Mode::Warn,
            _ => Mode::Ignore,
        };
        let (flag, number) = (value == "True", value.parse().unwrap_or(0));
        match name {
            "names" => checks.names = mode,
            "mx" => checks.mx = mode,
            "mx_cname" => checks.mx_cname = mode,
            "srv_cname" => checks.srv_cname = mode,
            "dup_records" => checks.dup_records = mode,
            "spf" => checks.spf = mode,
            "ns" => checks.ns = mode,
            "integrity" => checks.integrity = flag,
            "sibling" => checks.sibling = flag,
            "wildcard" => checks.wildcard = flag,
            "primary" => checks.primary = flag,
            "max_zone_ttl" => checks.max_zone_ttl = value.parse().ok(),
            "max_records" => checks.max_records = number,
            "max_records_per_type" => checks.max_records_per_type = number,
            "max_types_per_name" => checks.max_types_per_name = number,
            _ => panic!("no check is called {name}"),
        }
    }
    checks
}

/// Resident memory in MiB, of this process.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

impl RareText for Asking<'_> {
    fn text(&mut self, rtype: u16, rdata: &[u8]) -> String {
        let asked = writeln!(self.out, "text {rtype} {}", hex(rdata)).and_then(|()| self.out.flush());
        let answer = asked.ok().and_then(|()| self.input.next()?.ok());
        answer.unwrap_or_default()
    }
}

/// Prints the zone in one of the forms of text, once that is complete: questions come before.
fn print_text(zone: Zone, file: bool, rare: &mut Asking<'_>) -> std::io::Result<()> {
    let mut text = if file { ZoneText::file(zone) } else { ZoneText::dump(zone) };
    let mut whole = Vec::new();
    while text.write(&mut whole, rare) {}
    rare.out.write_all(&whole)?;
    writeln!(rare.out)?;
    rare.out.flush()
}

fn show_facts(zone: &Zone) -> String {
    let mut out = String::new();
    let owner = |node: Option<Node<'_>>| node.map_or("-".to_string(), |node| hex(node.owner()));
    for node in zone.nodes() {
        let key = node.owner().to_ascii_lowercase();
        let hash = match zone.denial() {
            Denial::Nsec3(params) => params.hash(&key),
            _ => [0; 20],
        };
        let facts = [Some(node), node.cut(), node.dname(), node.wildcard(), node.nsec3()];
        let covering = [zone.nsec_covering(&key), zone.nsec3_covering(&hash)];
        let facts: Vec<String> = facts.into_iter().chain(covering).map(owner).collect();
        out += &format!("{}\n", facts.join(" "));
    }
    out
}

fn show_places(zone: &Zone, places: &Places) -> String {
    let mut out = String::new();
    for node in zone.nodes() {
        let key = node.owner().to_ascii_lowercase();
        let types: BTreeSet<u16> = node.rrsets().map(|rrset| rrset.rtype()).collect();
        for rtype in types {
            for place in places.find(&key, rtype) {
                let file = String::from_utf8_lossy(&places.files[place.file as usize]);
                out += &format!("{} {rtype} {file} {} {}\n", hex(&key), place.line, place.column);
            }
        }
    }
    out
}

fn main() -> std::io::Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    let mut input = std::io::stdin().lock().lines();
    while let Some(line) = input.next().transpose()? {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (origin, path, directory) = (from_hex(next()), next().as_bytes(), next().as_bytes());
        let checks = checks(next());
        if argument == "time" {
            let start = Instant::now();
            let outcome = read_zone(path, &origin, directory, &checks, &mut NoRareRdata);
            let seconds = start.elapsed().as_secs_f64();
            let zone = outcome.map(|loaded| loaded.zone);
            writeln!(out, "{seconds:.3} s, {} MiB, {zone:?}", memory())?;
            continue;
        }
        let mut rare = Asking { input: &mut input, out: &mut out };
        let outcome = read_zone(path, &origin, directory, &checks, &mut rare);
        if argument == "places" {
            let places = read_places(path, &origin, directory, &mut rare).map(|places| {
                let zone = outcome.map(|loaded| loaded.zone);
                zone.map_or_else(|_| String::new(), |zone| show_places(&zone, &places))
            });
            writeln!(rare.out, "{}", places.unwrap_or_default())?;
            rare.out.flush()?;
            continue;
        }
        if let ("facts", Ok(loaded)) = (&argument[..], &outcome) {
            writeln!(rare.out, "{}", show_facts(&loaded.zone))?;
            rare.out.flush()?;
            continue;
        }
        if let ("digest", Ok(loaded)) = (&argument[..], &outcome) {
            let digest = loaded.zone.digest();
            writeln!(rare.out, "{:032x} {}\n", digest.value, digest.octets)?;
            rare.out.flush()?;
            continue;
        }
        if let (true, Ok(loaded)) = (argument == "dump" || argument == "file", &outcome) {
            print_text(loaded.zone.clone(), argument == "file", &mut rare)?;
            continue;
        }
        print(&mut out, outcome)?;
    }
    Ok(())
}
