//! Reads zone files and prints what was understood, for tests that hold it against Python's reader.
//!
//! Each line of the standard input is `ORIGIN TAB FILE TAB DIRECTORY`, the origin in hexadecimal wire form. For
//! each, the output is one line for each file of the zone (`file NAME`), for each owner that checks should look
//! at (`suspect OWNER WHY`, `suspect apex WHY`), and for each record (`OWNER TTL TYPE RDATA`, octets in
//! hexadecimal, owners in canonical order, else in the zone file's order), or the line `needs python: FILE:LINE:
//! REASON`; and then an empty line. With the argument `time` nothing but times is printed.

use std::io::{BufRead, Write};
use std::time::Instant;

use bindpy_core::check::Checks;
use bindpy_core::read::{Loaded, NeedsPython, NoRareRdata, read_zone};

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
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

/// Resident memory in MiB, of this process.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() -> std::io::Result<()> {
    let time = std::env::args().nth(1).is_some_and(|argument| argument == "time");
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (origin, path, directory) = (from_hex(next()), next(), next());
        let checks = Checks::default();
        let start = Instant::now();
        let outcome = read_zone(path.as_bytes(), &origin, directory.as_bytes(), &checks, &mut NoRareRdata);
        if time {
            let seconds = start.elapsed().as_secs_f64();
            let zone = outcome.map(|loaded| loaded.zone);
            writeln!(out, "{seconds:.3} s, {} MiB, {zone:?}", memory())?;
            continue;
        }
        print(&mut out, outcome)?;
    }
    Ok(())
}
