//! What is read again is what is read whole.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;
use crate::read::{NoRareRdata, read_zone};

const ORIGIN: &[u8] = b"\x07example\0";

/// All that one can see of a zone.
fn shown(zone: &Zone) -> Vec<String> {
    let head = format!("{zone:?} {:?} {}", zone.denial(), zone.node_count());
    let nodes = zone.nodes().map(|node| {
        let flags = node.flags();
        let marks = [
            flags.is_cut(),
            flags.is_below_cut(),
            flags.is_below_dname(),
            flags.has_dname(),
            flags.has_wildcard_child(),
        ];
        let rrsets: Vec<_> =
            node.rrsets().map(|set| (set.rtype(), set.ttl(), set.rdatas().collect::<Vec<_>>())).collect();
        let owner = match rrsets.is_empty() {
            true => name::key(node.owner()), // how an empty non-terminal is spelled shows nowhere
            false => node.owner().into(),
        };
        format!("{owner:?} {marks:?} {rrsets:?}")
    });
    std::iter::once(head).chain(nodes).collect()
}

/// Returns the first thing in which two zones differ.
fn difference(one: &Zone, two: &Zone) -> Option<(String, String)> {
    let (one, two) = (shown(one), shown(two));
    assert_eq!(one[0], two[0]);
    one.into_iter().zip(two).find(|(one, two)| one != two)
}

struct Edited {
    path: std::path::PathBuf,
}

impl Edited {
    fn new(name: &str) -> Self {
        Edited { path: std::env::temp_dir().join(format!("bindpy-again-{}-{name}", std::process::id())) }
    }

    fn put(&self, lines: &[String]) {
        let mut file = File::create(&self.path).unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
    }

    fn whole(&self) -> Option<Loaded> {
        let path = self.path.as_os_str().as_bytes();
        let loaded = read_zone(path, ORIGIN, b"", &Checks::default(), &mut NoRareRdata).ok()?;
        (loaded.suspects.is_empty() && loaded.other_ttls.1 == 0).then_some(loaded)
    }

    fn again(&self, zone: &Zone) -> Option<Loaded> {
        read_again(self.path.as_os_str().as_bytes(), b"", &Checks::default(), &mut NoRareRdata, zone)
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn soa(serial: u32) -> String {
    format!("@ 300 SOA ns host {serial} 3600 900 604800 60\n")
}

fn zone_lines() -> Vec<String> {
    let mut lines = vec!["$TTL 300\n".into(), soa(1), "\tNS ns\nns A 192.0.2.1\nmail A 192.0.2.2\n".into()];
    for number in 0..200 {
        lines.push(format!("host{number} A 10.0.0.{number}\n\tMX 10 mail\n"));
    }
    lines
}

#[test]
fn an_edit_is_found_where_it_is() {
    let file = Edited::new("one");
    let mut lines = zone_lines();
    file.put(&lines);
    let mut zone = file.whole().unwrap().zone;
    lines[1] = soa(20);
    lines[100] = "host97 A 10.1.1.1\n\tA 10.1.1.2\nnew TXT \"(\" (\n ; a comment\n)\n".into();
    lines.remove(150);
    lines.push("last TXT x\n".into());
    for expected in 0..2 {
        file.put(&lines);
        let again = file.again(&zone).unwrap();
        assert_eq!(again.zone.is(&zone), expected == 1);
        zone = again.zone;
        assert_eq!(difference(&zone, &file.whole().unwrap().zone), None);
    }
    lines[120] = "no record at all\n".into();
    file.put(&lines);
    assert!(file.again(&zone).is_none());
    lines[120] = "host117 MX 10 nowhere\n".into();
    file.put(&lines);
    assert!(file.again(&zone).is_none());
}

#[test]
fn other_threads_see_what_stands_behind_edits() {
    let file = Edited::new("ahead");
    let mut lines = zone_lines();
    file.put(&lines);
    let zone = file.whole().unwrap().zone;
    let parts = &zone.layout().unwrap().parts;
    for (at, line) in [(1, soa(1)), (1, soa(2)), (1, soa(2000)), (100, "new A 192.0.2.9\n".into())] {
        lines[at] = line;
        file.put(&lines);
        let text = std::fs::read(&file.path).unwrap();
        let opened = File::open(&file.path).unwrap();
        let is_over = AtomicBool::new(false);
        let seen: Vec<_> = std::thread::scope(|scope| {
            let mut ahead = Ahead::begin(scope, &opened, parts, text.len() as u64, &is_over);
            (0..parts.len()).map(|number| ahead.place_of(number)).collect()
        });
        for (part, place) in parts.iter().zip(&seen) {
            assert!(place.is_none_or(|at| part.is(&text[at as usize..at as usize + part.octets])));
        }
        let own = seen.iter().take_while(|place| place.is_none()).count();
        assert!(own < parts.len() / 2);
        assert!(seen[own..].iter().filter(|place| place.is_none()).count() <= 2);
    }
    let is_over = AtomicBool::new(true);
    let opened = File::open(&file.path).unwrap();
    std::thread::scope(|scope| {
        let mut ahead = Ahead::begin(scope, &opened, parts, 1 << 16, &is_over);
        assert!((0..parts.len()).all(|number| ahead.place_of(number).is_none()));
    });
}

#[test]
fn what_others_point_at_may_not_go() {
    let file = Edited::new("targets");
    let mut lines = zone_lines();
    file.put(&lines);
    let zone = file.whole().unwrap().zone;
    lines[2] = "\tNS ns\nns A 192.0.2.1\n".into();
    file.put(&lines);
    assert!(file.whole().is_none(), "MX records point at nothing");
    assert!(file.again(&zone).is_none());
}

#[test]
fn a_record_without_owner_belongs_to_the_line_before_it_as_it_is_now() {
    let file = Edited::new("inherited");
    for at in 150..154 {
        let mut lines = zone_lines();
        file.put(&lines);
        let mut zone = file.whole().unwrap().zone;
        lines.remove(at);
        file.put(&lines);
        zone = file.again(&zone).unwrap().zone;
        lines.insert(at, "\tAAAA 2001:db8::1\n".into());
        file.put(&lines);
        assert_eq!(difference(&file.again(&zone).unwrap().zone, &file.whole().unwrap().zone), None);
    }
}

#[test]
fn an_owner_is_spelled_as_where_it_stands_first_now() {
    let file = Edited::new("spelled");
    let mut lines = zone_lines();
    lines[37] = "HOST35 A 10.8.8.0\n".into();
    file.put(&lines);
    let zone = file.whole().unwrap().zone;
    let line = lines.remove(37);
    lines.insert(40, line);
    file.put(&lines);
    assert_eq!(difference(&file.again(&zone).unwrap().zone, &file.whole().unwrap().zone), None);
}

/// Lines that an edit may put anywhere.
fn line() -> impl Strategy<Value = String> {
    let host = 0..220u32;
    prop_oneof![
        (host.clone(), any::<u8>()).prop_map(|(host, n)| format!("host{host} A 10.9.9.{n}\n")),
        (host.clone(), any::<u8>()).prop_map(|(host, n)| format!("HOST{host} A 10.8.8.{n}\n")),
        host.clone().prop_map(|host| format!("a.host{host} TXT \"one\" (\n two\n)\n")),
        host.clone().prop_map(|host| format!("\tAAAA 2001:db8::{host:x}\n")),
        host.clone().prop_map(|host| format!("host{host} 60 A 10.7.7.7\n")),
        host.clone().prop_map(|host| format!("host{host} CNAME elsewhere.test.\n")),
        host.clone().prop_map(|host| format!("sub{host} NS ns.elsewhere.test.\n")),
        host.clone().prop_map(|host| format!("*.host{host} TXT wild\n")),
        host.clone().prop_map(|host| format!("host{host} DNAME elsewhere.test.\n")),
        (1..100u32).prop_map(soa),
        prop::sample::select(vec![
            "; a comment\n",
            "\n",
            "$TTL 300\n",
            "$TTL 60\n",
            "$ORIGIN example.\n",
            "$ORIGIN host3.example.\n",
            "mail MX 0 .\n",
            "\tTXT (\n",
            "$GENERATE 1-3 g$ A 10.6.6.$\n",
            "@ TXT apex\n",
            "x TXT \"",
        ])
        .prop_map(String::from),
    ]
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, String),
    Replace(usize, String),
    Remove(usize),
    Move(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(200));
    prop_oneof![
        (at(), line()).prop_map(|(at, line)| Edit::Insert(at, line)),
        (at(), line()).prop_map(|(at, line)| Edit::Replace(at, line)),
        at().prop_map(Edit::Remove),
        (at(), at()).prop_map(|(from, to)| Edit::Move(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn what_is_read_again_is_what_is_read_whole(
        rounds in prop::collection::vec(prop::collection::vec(edit(), 1..4), 1..6)
    ) {
        let file = Edited::new("random");
        let mut lines = zone_lines();
        file.put(&lines);
        let mut zone = file.whole().unwrap().zone;
        for edits in rounds {
            let before = lines.clone();
            for edit in edits {
                let size = lines.len();
                match edit {
                    Edit::Insert(at, line) => lines.insert(at % size, line),
                    Edit::Replace(at, line) => lines[at % size] = line,
                    Edit::Remove(at) => drop(lines.remove(at % size)),
                    Edit::Move(from, to) => {
                        let line = lines.remove(from % size);
                        lines.insert(to % (size - 1), line);
                    }
                }
            }
            file.put(&lines);
            match (file.again(&zone), file.whole()) {
                (Some(again), Some(whole)) => {
                    prop_assert_eq!(difference(&again.zone, &whole.zone), None);
                    zone = again.zone;
                }
                (Some(_), None) => prop_assert!(false, "taken, though there is something to say of it"),
                (None, Some(whole)) => zone = whole.zone,
                (None, None) => lines = before,
            }
        }
    }
}
