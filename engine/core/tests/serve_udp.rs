//! The UDP service over loopback.

mod serve_common;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use bindpy_core::answer::{Answerer, Transport};
use bindpy_core::rtype;
use bindpy_core::serve::{self, UdpService, Upcalls};
use serve_common::{NOTIFY, ORIGIN, WWW, answerer, message, read, wait_for};

struct Served {
    answerer: Arc<Answerer>,
    upcalls: Arc<Upcalls>,
    service: UdpService,
    client: UdpSocket,
}

fn serve(address: &str) -> Served {
    let (answerer, upcalls) = (answerer(), Arc::new(Upcalls::new().unwrap()));
    let socket = UdpSocket::bind((address, 0)).unwrap();
    let bound = socket.local_addr().unwrap();
    let sockets = vec![serve::UdpSocket { socket: socket.into(), bound, is_shared: false }];
    let service = UdpService::start(&answerer, &upcalls, sockets).unwrap();
    let client = UdpSocket::bind((address, 0)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.connect(bound).unwrap();
    Served { answerer, upcalls, service, client }
}

fn exchange(client: &UdpSocket, query: &[u8]) -> Vec<u8> {
    client.send(query).unwrap();
    receive(client)
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut response = vec![0; 65535];
    let size = client.recv(&mut response).unwrap();
    response.truncate(size);
    response
}

#[test]
fn answers_over_both_families() {
    for address in ["127.0.0.1", "::1"] {
        let served = serve(address);
        let response = exchange(&served.client, &message(7, 0, WWW, rtype::A));
        assert_eq!(read(&response), (7, 0, 1));
        let totals = served.answerer.totals();
        assert_eq!((totals.udp_messages, totals.qtypes[1], totals.rcodes[0]), (1, 1, 1));
    }
}

#[test]
fn nothing_is_said_to_what_is_no_query() {
    let served = serve("127.0.0.1");
    served.client.send(&[]).unwrap();
    served.client.send(b"short").unwrap();
    served.client.send(&message(1, 0x8000, WWW, rtype::A)).unwrap();
    let response = exchange(&served.client, &message(2, 0, WWW, rtype::A));
    assert_eq!(read(&response), (2, 0, 1));
    assert_eq!(served.answerer.totals().dropped, 2);
}

#[test]
fn requests_are_passed_up_and_replied_to() {
    let served = serve("127.0.0.1");
    let notify = message(3, NOTIFY, ORIGIN, rtype::SOA);
    served.client.send(&notify).unwrap();
    let taken = wait_for(&served.upcalls);
    let [request] = &taken.requests[..] else {
        panic!("one request, not {}", taken.requests.len());
    };
    assert_eq!((&request.packet, request.client), (&notify, served.client.local_addr().unwrap()));
    request.reply(&message(3, NOTIFY | 0x8000, ORIGIN, rtype::SOA)).unwrap();
    assert_eq!(read(&receive(&served.client)), (3, 0, 0));
    drop(served.service);
    request.reply(b"too late").unwrap();
}

#[test]
fn a_flood_for_the_control_plane_does_not_hurt_answers() {
    let served = serve("127.0.0.1");
    let mut answered = 0u16;
    for _ in 0..100 {
        for _ in 0..10 {
            served.client.send(&message(0, NOTIFY, ORIGIN, rtype::SOA)).unwrap();
        }
        answered += 1;
        let response = exchange(&served.client, &message(answered, 0, WWW, rtype::A));
        assert_eq!(read(&response), (answered, 0, 1));
    }
    let waiting = served.upcalls.take().requests.len() as u64;
    let lost = served.upcalls.lost().requests;
    assert_eq!((waiting + lost, served.answerer.totals().control_requests), (1000, 1000));
    assert!(waiting < 1000, "the queue is bounded");
}

#[test]
fn queries_are_copied_while_somebody_wants_them() {
    let served = serve("127.0.0.1");
    exchange(&served.client, &message(1, 0, WWW, rtype::A));
    served.upcalls.set_tapping(true);
    let query = message(2, 0, WWW, rtype::TXT);
    exchange(&served.client, &query);
    let taken = wait_for(&served.upcalls);
    let [tapped] = &taken.tapped[..] else {
        panic!("one copy, not {}", taken.tapped.len());
    };
    assert_eq!((&tapped.packet, tapped.transport), (&query, Transport::Udp));
    assert_eq!(tapped.local.to_string(), "127.0.0.1");
}

#[test]
fn a_stop_ends_the_threads_and_frees_the_port() {
    let mut served = serve("127.0.0.1");
    let bound = served.client.peer_addr().unwrap();
    exchange(&served.client, &message(1, 0, WWW, rtype::A));
    assert!(served.service.stop());
    UdpSocket::bind(bound).expect("the port is free");
}

#[test]
fn published_zones_are_seen_by_the_next_query() {
    let served = serve("127.0.0.1");
    assert_eq!(read(&exchange(&served.client, &message(1, 0, WWW, rtype::A))), (1, 0, 1));
    served.answerer.withdraw("_default", ORIGIN).unwrap();
    assert_eq!(read(&exchange(&served.client, &message(2, 0, WWW, rtype::A))), (2, 5, 0));
}
