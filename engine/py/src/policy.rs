//! Policies as plain Python values: strings, numbers, and tuples of them.

use std::net::IpAddr;
use std::sync::Arc;

use bindpy_core::answer::{
    AnswerPolicy, LocalNetwork, Match, MatchElement, MatchList, MinimalResponses, OrderRule, RrsetOrder,
    ViewPolicy, ZonePolicy,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// One element of an address match list: `(kind, value, negated)`.
///
/// | kind | value |
/// | --- | --- |
/// | `"network"` | `(address, length of the prefix)` |
/// | `"key"` | the key's name |
/// | `"nested"` | a list of elements |
/// | `"any"`, `"localhost"`, `"localnets"` | `None` |
struct Element(MatchElement);

impl<'a, 'py> FromPyObject<'a, 'py> for Element {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let (kind, value, negated): (String, Bound<'py, PyAny>, bool) = object.extract()?;
        let what = match kind.as_str() {
            "network" => {
                let (address, length): (IpAddr, u8) = value.extract()?;
                Match::Network(address, length)
            }
            "key" => Match::Key(value.extract()?),
            "nested" => Match::Nested(match_list(value.extract()?)),
            "any" => Match::Any,
            "localhost" => Match::Localhost,
            "localnets" => Match::Localnets,
            _ => return Err(unknown("kind of element", &kind)),
        };
        Ok(Element(MatchElement { negated, what }))
    }
}

fn match_list(elements: Vec<Element>) -> MatchList {
    MatchList(elements.into_iter().map(|element| element.0).collect())
}

/// An address match list.
#[derive(Default)]
pub struct Elements(MatchList);

impl<'a, 'py> FromPyObject<'a, 'py> for Elements {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Elements(match_list(object.extract()?)))
    }
}

/// Returns who may ask for a zone's data.
pub fn zone_policy((allow_query, allow_query_on): (Elements, Elements)) -> Arc<ZonePolicy> {
    Arc::new(ZonePolicy { allow_query: allow_query.0, allow_query_on: allow_query_on.0 })
}

/// A view, as a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct View {
    name: String,
    match_clients: Elements,
    match_destinations: Elements,
    match_recursive_only: bool,
    minimal_responses: String,
    minimal_any: bool,
    rrset_order: Vec<Rule>,
}

impl View {
    fn into_policy(self) -> PyResult<ViewPolicy> {
        Ok(ViewPolicy {
            name: self.name,
            match_clients: self.match_clients.0,
            match_destinations: self.match_destinations.0,
            match_recursive_only: self.match_recursive_only,
            minimal_responses: match self.minimal_responses.as_str() {
                "no" => MinimalResponses::No,
                "yes" => MinimalResponses::Yes,
                "no-auth" => MinimalResponses::NoAuth,
                "no-auth-recursive" => MinimalResponses::NoAuthRecursive,
                other => return Err(unknown("minimal-responses", other)),
            },
            minimal_any: self.minimal_any,
            rrset_order: self.rrset_order.into_iter().map(order_rule).collect::<PyResult<_>>()?,
        })
    }
}

/// A rule of `rrset-order`: the order, and the type and the name in lower case that it is for.
type Rule = (String, Option<u16>, Option<Vec<u8>>);

fn order_rule((order, rtype, name): Rule) -> PyResult<OrderRule> {
    let order = match order.as_str() {
        "none" => RrsetOrder::None,
        "cyclic" => RrsetOrder::Cyclic,
        "random" => RrsetOrder::Random,
        other => return Err(unknown("rrset-order", other)),
    };
    Ok(OrderRule { order, rtype, name: name.map(Into::into) })
}

/// All that shapes answers besides the zones' data, as a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Policy {
    views: Vec<View>,
    max_udp_size: u16,
    edns_udp_size: u16,
    version: Option<String>,
    hostname: Option<String>,
    server_id: Option<String>,
    blackhole: Elements,
    local_hosts: Vec<IpAddr>,
    local_nets: Vec<(IpAddr, u8)>,
}

impl Policy {
    pub fn into_policy(self) -> PyResult<AnswerPolicy> {
        Ok(AnswerPolicy {
            views: self.views.into_iter().map(View::into_policy).collect::<PyResult<_>>()?,
            max_udp_size: self.max_udp_size,
            edns_udp_size: self.edns_udp_size,
            version: self.version,
            hostname: self.hostname,
            server_id: self.server_id,
            blackhole: self.blackhole.0,
            local: LocalNetwork { hosts: self.local_hosts, nets: self.local_nets },
        })
    }
}

fn unknown(what: &str, word: &str) -> PyErr {
    PyValueError::new_err(format!("unknown {what}: {word}"))
}
