//! The zones that are asked: with everything in them that answering treats in a way of its own.

use std::sync::{Arc, LazyLock};

use bindpy_core::answer::{
    AnswerPolicy, Answerer, Match, MatchElement, MatchList, MinimalResponses, OrderRule, RrsetOrder,
    Unavailable, ViewPolicy, ZonePolicy,
};
use bindpy_core::name;
use bindpy_core::read::NoRareRdata;
use bindpy_core::rtype::{DNSKEY, DS, IN, NS, NSEC, NSEC3, NSEC3PARAM, RRSIG, SOA};
use bindpy_core::zone::{Denial, Nsec3Params, Zone, ZoneBuilder};

use crate::zone_text;

/// The client that the second view is for.
pub const OTHER_CLIENT: [u8; 4] = [198, 51, 100, 1];
/// The most octets of an answer over UDP.
pub const MAX_UDP: u16 = 1232;

const TEXT: &str = "\
$TTL 300
@ SOA ns host 1 2 3 4 60
@ NS ns
@ NS ns.other.
@ MX 10 mail
@ TXT \"v\"
ns A 192.0.2.1
ns AAAA 2001:db8::1
mail A 192.0.2.2
mail A 192.0.2.3
www CNAME mail
loop CNAME pool
pool CNAME loop
out CNAME a.other.
*.w TXT \"wild\"
*.w MX 1 ns
*.c CNAME x.w
a.b.ent A 192.0.2.4
d DNAME w
dd DNAME dd.dd
sub NS ns.sub
sub NS ns
sub DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.sub A 192.0.2.5
plain NS ns.plain
ns.plain A 192.0.2.6
_s._tcp SRV 1 2 3 mail
n NAPTR 1 2 \"s\" \"\" \"\" _s._tcp
h SPF \"v\"
$GENERATE 1-40 many TXT text-of-record-number-$-which-makes-it-long
";

/// What answers, made once.
pub static ANSWERER: LazyLock<Answerer> = LazyLock::new(|| {
    let fault = Arc::new(|query: &[u8], words: &str| panic!("{words}: {query:02x?}"));
    let answerer = Answerer::new(policy(), fault);
    let publish = |view: &str, zone: Zone| answerer.publish(view, zone, Arc::default()).expect("a view");
    for view in ["other", "_default"] {
        publish(view, plain(b"\x07example\0"));
        publish(view, signed(&plain(b"\x04nsec\0"), None));
        publish(view, signed(&plain(b"\x05nsec3\0"), Some(b"\xaa")));
        publish(view, plain(b"\x03own\x07example\0"));
    }
    let nobody = ZonePolicy { allow_query: MatchList::default(), ..ZonePolicy::default() };
    answerer.publish("_default", plain(b"\x06secret\0"), Arc::new(nobody)).expect("a view");
    answerer.unavailable("_default", b"\x07expired\0", Arc::default(), Unavailable::Expired).expect("a view");
    answerer
});

fn policy() -> AnswerPolicy {
    let what = Match::Network(OTHER_CLIENT.into(), 32);
    let other = ViewPolicy {
        match_clients: MatchList(vec![MatchElement { negated: false, what }]),
        minimal_responses: MinimalResponses::No,
        minimal_any: true,
        rrset_order: vec![OrderRule { order: RrsetOrder::Cyclic, rtype: None, name: None }],
        ..ViewPolicy::named("other")
    };
    AnswerPolicy {
        views: vec![other, ViewPolicy::named("_default")],
        max_udp_size: MAX_UDP,
        version: Some("version".to_owned()),
        hostname: Some("host".to_owned()),
        server_id: Some("id".to_owned()),
        ..AnswerPolicy::default()
    }
}

/// Returns the zone of `TEXT` under another name, given in wire form.
pub fn plain(origin: &[u8]) -> Zone {
    zone_text::read(TEXT.as_bytes(), origin, &mut NoRareRdata).expect("the text is right")
}

/// Returns `zone` with signatures, which nobody could verify, and proofs by NSEC, or by NSEC3 with that salt.
pub fn signed(zone: &Zone, salt: Option<&[u8]>) -> Zone {
    let mut builder = ZoneBuilder::new(zone.origin(), IN);
    let mut add = |owner: &[u8], rtype: u16, rdata: &[u8], is_signed: bool| {
        builder.add(owner, rtype, 300, rdata).expect("it is in the zone");
        if is_signed {
            builder.add(owner, RRSIG, 300, &signature(zone, owner, rtype)).expect("it is in the zone");
        }
    };
    let params = salt.map(|salt| Nsec3Params { iterations: 1, salt: salt.into() });
    if let Some(params) = &params {
        add(zone.origin(), NSEC3PARAM, &params_rdata(params), true);
    }
    add(zone.origin(), DNSKEY, b"\x01\x01\x03\x0dabc", true);
    let mut chain = Vec::new();
    for node in zone.nodes() {
        let is_cut = node.flags().is_cut();
        for rrset in node.rrsets() {
            let is_signed = !node.flags().is_below_cut() && (!is_cut || rrset.rtype() == DS);
            rrset.rdatas().for_each(|rdata| add(node.owner(), rrset.rtype(), rdata, is_signed));
        }
        if !node.flags().is_below_cut() && (params.is_some() || !node.is_empty_non_terminal()) {
            let mut types: Vec<u16> = node.rrsets().map(|rrset| rrset.rtype()).collect();
            if node.is_apex() {
                types.extend(params.as_ref().map(|_| NSEC3PARAM).into_iter().chain([DNSKEY]));
            }
            if types.iter().any(|rtype| *rtype != NS) {
                types.push(RRSIG);
            }
            chain.push((node.owner().to_vec(), types));
        }
    }
    match &params {
        None => {
            for (at, (owner, types)) in chain.iter().enumerate() {
                let (next, _) = &chain[(at + 1) % chain.len()];
                add(
                    owner,
                    NSEC,
                    &[&next[..], &bitmap(types.iter().copied().chain([NSEC, RRSIG]))].concat(),
                    true,
                );
            }
        }
        Some(params) => {
            let hashed = |(owner, types): (Vec<u8>, Vec<u16>)| (params.hash(&name::key(&owner)), types);
            let mut hashes: Vec<_> = chain.into_iter().map(hashed).collect();
            hashes.sort();
            for (at, (hash, types)) in hashes.iter().enumerate() {
                let (next, _) = &hashes[(at + 1) % hashes.len()];
                let owner = [&[32], &base32hex(hash)[..], zone.origin()].concat();
                let rdata = [&params_rdata(params), &[20][..], next, &bitmap(types.iter().copied())].concat();
                add(&owner, NSEC3, &rdata, true);
            }
        }
    }
    let signed = builder.finish().expect("it has a SOA");
    assert_eq!(*signed.denial(), params.map_or(Denial::Nsec, Denial::Nsec3), "the chain is recognised");
    signed
}

fn params_rdata(params: &Nsec3Params) -> Vec<u8> {
    [&[1, 0], &params.iterations.to_be_bytes()[..], &[params.salt.len() as u8], &params.salt].concat()
}

fn signature(zone: &Zone, owner: &[u8], covers: u16) -> Vec<u8> {
    let labels = name::label_count(owner) - usize::from(name::is_wildcard(owner));
    let head = [&covers.to_be_bytes()[..], &[13, labels as u8], &[0; 14]];
    [&head.concat(), zone.key(), &[7; 64][..]].concat()
}

fn bitmap(types: impl Iterator<Item = u16>) -> Vec<u8> {
    // Every type of `TEXT` and of signatures is in the first window.
    let mut bits = [0u8; 32];
    for rtype in types {
        bits[usize::from(rtype / 8)] |= 0x80 >> (rtype % 8);
    }
    let used = bits.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    if used == 0 { Vec::new() } else { [&[0, used as u8], &bits[..used]].concat() }
}

fn base32hex(hash: &[u8; 20]) -> Vec<u8> {
    let five = |five: &[u8]| five.iter().fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
    let digit =
        |bits: u64, at: usize| b"0123456789abcdefghijklmnopqrstuv"[(bits >> (35 - 5 * at)) as usize & 31];
    hash.chunks_exact(5).flat_map(|octets| (0..8).map(move |at| digit(five(octets), at))).collect()
}

/// Names to ask for, without their zone: there, not there, and on the way to either.
pub const BELOW: [&[u8]; 20] = [
    b"",
    b"\x02ns",
    b"\x04MAIL",
    b"\x03www",
    b"\x04loop",
    b"\x03out",
    b"\x01x\x01w",
    b"\x01*\x01w",
    b"\x01y\x01c",
    b"\x03ent",
    b"\x01b\x03ent",
    b"\x03a\0b\x03ent",
    b"\x01x\x01d",
    b"\x01x\x02dd",
    b"\x03sub",
    b"\x01a\x03sub",
    b"\x01a\x05plain",
    b"\x01z",
    b"\x04many",
    b"\x02_s\x04_tcp",
];

/// The zones to ask, and some that are not here.
pub const ORIGINS: [&[u8]; 8] = [
    b"\x07example\0",
    b"\x04nsec\0",
    b"\x05nsec3\0",
    b"\x03own\x07eXample\0",
    b"\x06secret\0",
    b"\x07expired\0",
    b"\x05other\0",
    b"\0",
];

/// Types to ask for.
pub const QTYPES: [u16; 10] = [SOA, NS, DS, NSEC, RRSIG, DNSKEY, 1, 15, 16, 255];
