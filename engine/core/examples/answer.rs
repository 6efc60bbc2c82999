//! Answers queries that are given as text: one command a line on standard input, for tests and for looking
//! at a single query. What is hexadecimal is wire form; a LIST is an address match list without spaces.
//!
//! ```text
//! set max-udp-size|edns-udp-size|version|hostname|server-id VALUE
//! blackhole LIST
//! localhost ADDRESS          localnet ADDRESS/LENGTH
//! view NAME MINIMAL-RESPONSES MINIMAL-ANY RRSET-ORDER RECURSIVE-ONLY CLIENTS DESTINATIONS
//! configure                                      (what was set since the last time)
//! zone VIEW ORIGIN(hex) ALLOW-QUERY ALLOW-QUERY-ON
//! rr OWNER(hex) TYPE TTL RDATA(hex)              (of the zone begun last)
//! publish                                        (the zone begun last)
//! unavailable expired|not-ready                  (the zone begun last)
//! withdraw VIEW ORIGIN(hex)
//! query udp|tcp CLIENT LOCAL KEYS RESERVED-OCTETS MESSAGE(hex)
//! view-of CLIENT LOCAL RD KEYS
//! listen ADDRESS:PORT THREADS                    (over UDP and TCP, until the program is killed)
//! ```
//!
//! `query` prints the response in hexadecimal, `drop` or `not-mine`, and `view-of` the view, or `-`. KEYS are
//! names with commas between them, `-` for none. What is not for the sockets of `listen` is not answered.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bindpy_core::answer::{
    AnswerPolicy, Answerer, Exchange, Match, MatchElement, MatchList, MinimalResponses, OrderRule, Outcome,
    Request, RrsetOrder, Transport, Unavailable, ViewPolicy, ZonePolicy,
};
use bindpy_core::rtype;
use bindpy_core::serve::{TcpService, TcpSettings, UdpService, UdpSocket, Upcalls};
use bindpy_core::zone::ZoneBuilder;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let report = Arc::new(|query: &[u8], words: &str| eprintln!("{query:02x?}: {words}"));
    let answerer = Arc::new(Answerer::new(AnswerPolicy::default(), report));
    let mut services = Vec::new();
    let mut worker = answerer.worker();
    let mut policy = AnswerPolicy { views: Vec::new(), ..AnswerPolicy::default() };
    let mut zone: Option<(String, ZoneBuilder, Vec<u8>, Arc<ZonePolicy>)> = None;
    let mut response = Vec::new();
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["set", what, ref value @ ..] => set(&mut policy, what, value.join(" "))?,
            ["blackhole", list] => policy.blackhole = match_list(list)?,
            ["localhost", address] => policy.local.hosts.push(address.parse()?),
            ["localnet", net] => policy.local.nets.push(network(net)?),
            ["view", name, minimal, minimal_any, order, recursive_only, clients, destinations] => {
                policy.views.push(ViewPolicy {
                    match_clients: match_list(clients)?,
                    match_destinations: match_list(destinations)?,
                    match_recursive_only: recursive_only.parse()?,
                    minimal_responses: minimal_responses(minimal)?,
                    minimal_any: minimal_any.parse()?,
                    rrset_order: rrset_order(order)?,
                    ..ViewPolicy::named(name)
                });
            }
            ["configure"] => {
                let fresh = AnswerPolicy { views: Vec::new(), ..AnswerPolicy::default() };
                answerer.configure(std::mem::replace(&mut policy, fresh));
            }
            ["zone", view, origin, allow, on] => {
                let origin = hex(origin)?;
                let policy = ZonePolicy { allow_query: match_list(allow)?, allow_query_on: match_list(on)? };
                let builder = ZoneBuilder::new(&origin, rtype::IN);
                zone = Some((view.to_owned(), builder, origin, Arc::new(policy)));
            }
            ["rr", owner, rtype, ttl, ref rdata @ ..] => {
                let (_, builder, ..) = zone.as_mut().ok_or("no zone was begun")?;
                builder.add(&hex(owner)?, rtype.parse()?, ttl.parse()?, &hex(&rdata.concat())?)?;
            }
            ["publish"] => {
                let (view, builder, _, policy) = zone.take().ok_or("no zone was begun")?;
                answerer.publish(&view, builder.finish()?, policy)?;
            }
            ["unavailable", reason] => {
                let (view, _, origin, policy) = zone.take().ok_or("no zone was begun")?;
                let expired = reason == "expired";
                let reason = if expired { Unavailable::Expired } else { Unavailable::NotReady };
                answerer.unavailable(&view, &origin, policy, reason)?;
            }
            ["withdraw", view, origin] => answerer.withdraw(view, &hex(origin)?)?,
            ["query", transport, client, local, names, reserved, packet] => {
                let (packet, keys) = (hex(packet)?, keys(names));
                let transport = if transport == "tcp" { Transport::Tcp } else { Transport::Udp };
                let request = Request {
                    keys: &keys,
                    reserved_octets: reserved.parse()?,
                    ..Request::plain(&packet, client.parse()?, local.parse()?, transport)
                };
                let state = answerer.state();
                // As the threads do that serve UDP: answers to single requests are made in another way.
                let outcome = match transport {
                    Transport::Udp => {
                        let mut exchanges =
                            [Exchange { request, answer: &mut response, outcome: Outcome::Drop }];
                        worker.answer_all(&state, &mut exchanges);
                        exchanges[0].outcome
                    }
                    Transport::Tcp => worker.answer(&state, &request, &mut response),
                };
                match outcome {
                    Outcome::Answer => write_hex(&mut out, &response)?,
                    Outcome::Drop => writeln!(out, "drop")?,
                    Outcome::NotMine => writeln!(out, "not-mine")?,
                }
            }
            ["view-of", client, local, recursion_desired, names] => {
                let view = answerer.view_of(
                    client.parse()?,
                    local.parse()?,
                    recursion_desired.parse()?,
                    &keys(names),
                );
                writeln!(out, "{}", view.as_deref().unwrap_or("-"))?;
            }
            ["listen", address, threads] => {
                services.push(serve(&answerer, address.parse()?, threads.parse()?)?);
            }
            _ => return Err(format!("what is {line:?}?").into()),
        }
    }
    out.flush()?;
    while !services.is_empty() {
        thread::park();
    }
    Ok(())
}

fn serve(answerer: &Arc<Answerer>, bound: SocketAddr, threads: usize) -> Result<(UdpService, TcpService)> {
    let upcalls = Arc::new(Upcalls::new()?);
    let family = if bound.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let mut sockets = Vec::new();
    for _ in 0..threads {
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        sockopt::set_socket_recv_buffer_size(&socket, 1 << 20)?;
        bind(&socket, &bound)?;
        sockets.push(UdpSocket { socket, bound, is_shared: false });
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener: OwnedFd = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    bind(&listener, &bound)?;
    listen(&listener, 64)?;
    let minute = Duration::from_secs(60);
    let settings = TcpSettings { clients: 150, initial_timeout: minute, idle_timeout: minute };
    let tcp = TcpService::start(answerer, &upcalls, settings)?;
    tcp.listen(listener, bound);
    Ok((UdpService::start(answerer, &upcalls, sockets)?, tcp))
}

fn set(policy: &mut AnswerPolicy, what: &str, value: String) -> Result<()> {
    match what {
        "max-udp-size" => policy.max_udp_size = value.parse()?,
        "edns-udp-size" => policy.edns_udp_size = value.parse()?,
        "version" => policy.version = Some(value),
        "hostname" => policy.hostname = Some(value),
        "server-id" => policy.server_id = Some(value),
        _ => return Err(format!("{what} cannot be set").into()),
    }
    Ok(())
}

fn minimal_responses(word: &str) -> Result<MinimalResponses> {
    Ok(match word {
        "no" => MinimalResponses::No,
        "yes" => MinimalResponses::Yes,
        "no-auth" => MinimalResponses::NoAuth,
        "no-auth-recursive" => MinimalResponses::NoAuthRecursive,
        _ => return Err(format!("minimal-responses {word}?").into()),
    })
}

/// Reads rules with commas between them, `-` where there are none: ORDER/TYPE/NAME, the name in hexadecimal, a
/// dash for every type and every name.
fn rrset_order(text: &str) -> Result<Vec<OrderRule>> {
    if text == "-" { Ok(Vec::new()) } else { text.split(',').map(order_rule).collect() }
}

fn order_rule(text: &str) -> Result<OrderRule> {
    let wrong = || format!("rrset-order {text}?");
    let [order, rtype, name] = *text.split('/').collect::<Vec<_>>() else { return Err(wrong().into()) };
    let order = match order {
        "none" => RrsetOrder::None,
        "cyclic" => RrsetOrder::Cyclic,
        "random" => RrsetOrder::Random,
        _ => return Err(wrong().into()),
    };
    let rtype = if rtype == "-" { None } else { Some(rtype.parse()?) };
    let name = if name == "-" { None } else { Some(hex(name)?.into()) };
    Ok(OrderRule { order, rtype, name })
}

fn keys(names: &str) -> Vec<String> {
    if names == "-" { Vec::new() } else { names.split(',').map(str::to_owned).collect() }
}

fn network(text: &str) -> Result<(IpAddr, u8)> {
    let (address, length) = text.split_once('/').ok_or("a network has a length")?;
    Ok((address.parse()?, length.parse()?))
}

/// Reads elements with commas between them: any, localhost, localnets, key:NAME, ADDRESS/LENGTH, or a
/// list in braces; each with an exclamation mark before it to negate it.
fn match_list(text: &str) -> Result<MatchList> {
    let (list, rest) = elements(text)?;
    if rest.is_empty() { Ok(list) } else { Err(format!("{rest:?} is left of {text:?}").into()) }
}

fn elements(mut text: &str) -> Result<(MatchList, &str)> {
    let mut list = Vec::new();
    loop {
        let (negated, word) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let what;
        if let Some(inner) = word.strip_prefix('{') {
            let (nested, rest) = elements(inner)?;
            what = Match::Nested(nested);
            text = rest.strip_prefix('}').ok_or("a brace is not closed")?;
        } else {
            let end = word.find([',', '}']).unwrap_or(word.len());
            what = match &word[..end] {
                "any" => Match::Any,
                "localhost" => Match::Localhost,
                "localnets" => Match::Localnets,
                other => match other.strip_prefix("key:") {
                    Some(name) => Match::Key(name.to_owned()),
                    None => network(other).map(|(address, length)| Match::Network(address, length))?,
                },
            };
            text = &word[end..];
        }
        list.push(MatchElement { negated, what });
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return Ok((MatchList(list), text)),
        }
    }
}

fn hex(text: &str) -> Result<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).ok_or("not hexadecimal");
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => Ok((digit(high)? << 4 | digit(low)?) as u8),
            _ => Err("half an octet".into()),
        })
        .collect()
}

fn write_hex(out: &mut impl Write, octets: &[u8]) -> io::Result<()> {
    for octet in octets {
        write!(out, "{octet:02x}")?;
    }
    writeln!(out)
}
