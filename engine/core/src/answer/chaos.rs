//! Class CHAOS: what a server tells about itself (RFC 4892 and BIND's `version.bind` and its kin).

use super::policy::AnswerPolicy;
use super::query::{Query, Rcode};
use super::response::{Addition, Response};
use crate::rtype;

const VERSION: &[u8] = b"\x07version\x04bind\0";
const HOSTNAME: &[u8] = b"\x08hostname\x04bind\0";
const ID: &[u8] = b"\x02id\x06server\0";

const SOA_NUMBERS: [u32; 5] = [0, 28800, 7200, 604_800, 86400];
const SOA_TTL: u32 = 86400;
const MAX_STRING: usize = 255;

/// The names of class CHAOS that are answered: each a zone of its own, as in BIND.
///
/// A text that is not set has no zone, so that asking for it is refused.
pub struct ChaosZones(Vec<ChaosZone>);

struct ChaosZone {
    name: &'static [u8],
    txt: Vec<u8>,
    soa: Vec<u8>,
}

impl ChaosZones {
    pub fn new(policy: &AnswerPolicy) -> Self {
        let texts = [(VERSION, &policy.version), (HOSTNAME, &policy.hostname), (ID, &policy.server_id)];
        let zones = texts.into_iter().filter_map(|(name, text)| {
            let text = text.as_ref()?.as_bytes();
            Some(ChaosZone { name, txt: character_strings(text), soa: soa(name) })
        });
        Self(zones.collect())
    }

    /// Collects the response to `query`, of class CHAOS.
    pub fn respond<'a>(&'a self, query: &Query<'a>, response: &mut Response<'a>) {
        response.dnssec_ok = false;
        let qname = query.qname();
        let Some(zone) = self.0.iter().find(|zone| zone.name.eq_ignore_ascii_case(qname)) else {
            response.rcode = Rcode::Refused;
            return;
        };
        response.authoritative = true;
        let rrsets = [
            Addition::one(rtype::TXT, 0, &zone.txt),
            Addition::one(rtype::NS, 0, zone.name),
            Addition::one(rtype::SOA, SOA_TTL, &zone.soa),
        ];
        let asked = |rrset: &Addition<'_>| query.qtype == rtype::ANY || query.qtype == rrset.rtype;
        for rrset in rrsets.iter().filter(|rrset| asked(rrset)) {
            response.add_answer(qname, rrset.clone());
        }
        if response.answer.is_empty() {
            let [.., soa] = rrsets;
            response.add_authority(zone.name, soa);
        }
    }
}

fn character_strings(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for string in text.chunks(MAX_STRING) {
        out.push(string.len() as u8);
        out.extend_from_slice(string);
    }
    if out.is_empty() {
        out.push(0);
    }
    out
}

fn soa(name: &[u8]) -> Vec<u8> {
    let mut out = [name, b"\x0ahostmaster", name].concat();
    for number in SOA_NUMBERS {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out
}
