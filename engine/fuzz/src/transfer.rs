//! Messages of a transfer to a zone, the zone to messages and text, and from one version to the next.

use bindpy_core::name;
use bindpy_core::rtype::{AXFR, IN, SOA};
use bindpy_core::write::GenericText;
use bindpy_core::xfr::{Expected, NoRareWire, OpenMessage, Packing, ZoneMessages, show, tsig_start};
use bindpy_core::zone::{Node, Zone, ZoneBuilder};

use crate::Input;
use crate::message::{self, HEADER};
use crate::world::{plain, signed};
use crate::zone_text::{ORIGIN, same};

const ID: u16 = 0x1234;
const EXPECTED: Expected = Expected { id: ID, qtype: AXFR, max_records: 0 };
const LIMITS: [usize; 4] = [80, 600, 16384, 65535];

/// `data`: how large messages of ours are, then messages, each behind its length as in TCP. Those before the first
/// empty one make one version of a zone, those after it another.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let how = input.octet();
    let (old, taken) = zone(&mut input, 1);
    let (new, _) = zone(&mut input, 2);
    all_messages(&old, LIMITS[usize::from(how % 4)], how & 4 != 0, taken);
    changes(&old, &new);
}

/// Takes messages until one is empty; returns their zone and how many records were taken.
fn zone(input: &mut Input<'_>, serial: u8) -> (Zone, usize) {
    let mut builder = ZoneBuilder::new(ORIGIN, IN);
    let soa = [b"\x02ns\x07example\0\x01h\0", &[0, 0, 0, serial][..], &[0; 16]].concat();
    builder.add(ORIGIN, SOA, 300, &soa).expect("it is the zone's");
    let mut taken = 0;
    loop {
        let message = input.counted();
        if message.is_empty() {
            return (builder.finish().expect("it has a SOA"), taken);
        }
        let before = builder.rr_count();
        let open = builder.open_message(message, &EXPECTED, &mut NoRareWire);
        open.iter().for_each(shown);
        if let Some(at) = tsig_start(message) {
            assert!((HEADER..message.len()).contains(&at));
        }
        match builder.take_message(message, &EXPECTED, &mut NoRareWire) {
            Some(count) => {
                assert_eq!(open.map(|open| open.len()), Some(count));
                // Peers' pointers may lead into the header, as with BIND.
                let read = message::read_with(message, 0).map(|read| read.sections[0].len());
                assert_eq!(read, Some(count));
                assert!(builder.rr_count() <= before + count as u64);
                taken += count;
            }
            None => {
                assert!(open.is_none());
                assert_eq!(builder.rr_count(), before, "some of a message was taken");
            }
        }
    }
}

/// Reads what a Lua filter gets of a message, in both kinds: as many records, with all that belongs to each.
fn shown(message: &OpenMessage) {
    for apart in [false, true] {
        let mut out = Vec::new();
        show(message, apart, &mut GenericText, &mut out);
        let mut input = Input(&out);
        for number in 0..message.len() {
            let (owner, rtype, ttl, _) = message.record(number).expect("so many records");
            let size = u16::from_le_bytes([input.octet(), input.octet()]);
            let text = input.octets(size.into());
            assert!(apart && owner.len() > 1 || name::to_text(owner).as_bytes() == text);
            let head = input.octets(14);
            assert_eq!(
                (head[..2].to_vec(), head[2..6].to_vec()),
                (rtype.to_le_bytes().into(), ttl.to_le_bytes().into())
            );
            let size = u32::from_le_bytes(*head.last_chunk().expect("four octets"));
            assert_eq!(input.octets(size as usize).len(), size as usize);
        }
        assert!(input.0.is_empty());
    }
}

fn packing(zone: &Zone, limit: usize, one_answer: bool) -> Packing {
    let question = [zone.origin(), &AXFR.to_be_bytes(), &IN.to_be_bytes()].concat();
    Packing { id: ID, flags: 0x8400, question, opt: Vec::new(), limit, most: 65535, one_answer }
}

/// Makes messages of `zone` and takes them again.
fn all_messages(zone: &Zone, limit: usize, one_answer: bool, taken: usize) {
    let mut by_record = ZoneBuilder::new(ORIGIN, IN);
    let mut by_message = ZoneBuilder::new(ORIGIN, IN);
    let mut soas = 0;
    for packed in ZoneMessages::new(zone.clone(), packing(zone, limit, one_answer)) {
        let Ok(packed) = packed else { return }; // a record that fits no message
        let message = message::read(&packed.message);
        let message = message.unwrap_or_else(|| panic!("cannot be read: {:02x?}", packed.message));
        let [answer, ..] = &message.sections;
        assert_eq!((message.id, message.flags, answer.len()), (ID, 0x8400, packed.records));
        assert!(packed.message.len() <= limit || packed.records == 1);
        for rr in answer {
            by_record.add(&rr.owner, rr.rtype, rr.ttl, &rr.rdata).expect("it is the zone's");
        }
        let here = answer.iter().filter(|rr| rr.rtype == SOA).count();
        soas += here;
        match here {
            0 => {
                let count = by_message.take_message(&packed.message, &EXPECTED, &mut NoRareWire);
                assert_eq!(count, Some(packed.records), "ours is not taken");
            }
            _ => {
                for rr in answer {
                    by_message.add(&rr.owner, rr.rtype, rr.ttl, &rr.rdata).expect("it is the zone's");
                }
            }
        }
    }
    assert_eq!(soas, 2);
    assert!(zone.rr_count() <= 1 + taken as u64);
    same(zone, &by_record.finish().expect("a zone"));
    same(zone, &by_message.finish().expect("a zone"));
}

/// Goes from `old` to `new` and back by what differs, and refuses what does not fit.
fn changes(old: &Zone, new: &Zone) {
    let delta = old.diff(new);
    let changed = old.apply(std::slice::from_ref(&delta)).expect("what differs can be applied");
    same(&changed, new);
    made_alike(&changed, new);
    let back = new.diff(old);
    same(&old.apply(&[delta.clone(), back.clone()]).expect("there and back"), old);
    assert!(old.apply(&[back]).is_err(), "it begins with another serial");
    let repeated = old.apply_repeating(std::slice::from_ref(&delta)).expect("nothing is repeated");
    same(&repeated, new);
}

/// Compares what two versions with the same records know about their names: one was changed, one built.
fn made_alike(changed: &Zone, built: &Zone) {
    assert_eq!(changed.denial(), built.denial());
    let known = |zone: &Zone| -> Vec<_> {
        let owner = |node: Node<'_>| name::key(node.owner());
        let node = |node: Node<'_>| {
            let flags = node.flags();
            let flags = [flags.is_cut(), flags.is_below_cut(), flags.is_below_dname(), flags.has_dname()];
            let names = [node.cut(), node.dname(), node.wildcard(), node.nsec3()].map(|node| node.map(owner));
            (owner(node), flags, node.flags().is_nsec3_only(), names, node.is_empty_non_terminal())
        };
        zone.nodes().map(node).collect()
    };
    assert_eq!(known(changed), known(built));
}

/// The messages of zones of ours: by themselves, and as two versions.
pub fn seeds() -> Vec<Vec<u8>> {
    let plain = plain(ORIGIN);
    let zones = [plain.clone(), signed(&plain, None), signed(&plain, Some(b""))];
    let mut seeds = vec![vec![]];
    for (how, limit) in [(0, 80), (1, 600), (6, 200)] {
        for (at, zone) in zones.iter().enumerate() {
            let one = stream(zone, limit);
            let other = stream(&zones[(at + 1) % 3], limit);
            seeds.push([&[how][..], &one].concat());
            seeds.push([&[how][..], &one, &[0, 0], &other].concat());
            seeds.push([&[how][..], &[0, 0], &other[..other.len().min(900)]].concat());
        }
    }
    seeds
}

/// Returns the messages of `zone` but those with its SOA, each behind its length.
fn stream(zone: &Zone, limit: usize) -> Vec<u8> {
    let messages = ZoneMessages::new(zone.clone(), packing(zone, limit, limit == LIMITS[0]));
    let messages = messages.map(|packed| packed.expect("all records fit").message);
    let has_soa = |octets: &Vec<u8>| {
        let message = message::read(octets).expect("ours can be read");
        message.sections[0].iter().any(|rr| rr.rtype == SOA)
    };
    let messages = messages.filter(|message| !has_soa(message));
    messages.flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], &message].concat()).collect()
}
