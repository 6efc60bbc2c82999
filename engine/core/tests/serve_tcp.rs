//! The TCP service over loopback.

mod serve_common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bindpy_core::answer::{Answerer, Transport};
use bindpy_core::rtype;
use bindpy_core::serve::{Event, HandedOver, TcpService, TcpSettings, Upcalls};
use serve_common::{WWW, answerer, message, read, wait_for};

const BIG: &[u8] = b"\x03big\x07example\0";
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

struct Served {
    answerer: Arc<Answerer>,
    upcalls: Arc<Upcalls>,
    service: TcpService,
    bound: SocketAddr,
}

fn settings(clients: usize) -> TcpSettings {
    TcpSettings { clients, initial_timeout: LONG, idle_timeout: LONG }
}

fn serve(settings: TcpSettings) -> Served {
    let (answerer, upcalls) = (answerer(), Arc::new(Upcalls::new().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let bound = listener.local_addr().unwrap();
    let service = TcpService::start(&answerer, &upcalls, settings).unwrap();
    service.listen(listener.into(), bound);
    Served { answerer, upcalls, service, bound }
}

fn connect(served: &Served) -> TcpStream {
    let stream = TcpStream::connect(served.bound).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn query(id: u16) -> Vec<u8> {
    framed(&message(id, 0, WWW, rtype::A))
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut size = [0; 2];
    stream.read_exact(&mut size).unwrap();
    let mut response = vec![0; usize::from(u16::from_be_bytes(size))];
    stream.read_exact(&mut response).unwrap();
    response
}

/// Waits for what another thread is about to do.
fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "it has not come to pass");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the server ended the connection, by a FIN or a reset.
fn is_ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn pipelined_queries_are_all_answered() {
    let served = serve(settings(10));
    let mut stream = connect(&served);
    let queries: Vec<u8> = (0..1000).flat_map(query).collect();
    stream.write_all(&queries).unwrap();
    for id in 0..1000 {
        assert_eq!(read(&receive(&mut stream)), (id, 0, 1));
    }
    let totals = served.answerer.totals();
    assert_eq!((totals.tcp_messages, totals.tcp_accepted, totals.truncated), (1000, 1, 0));
}

#[test]
fn a_message_may_come_in_drops() {
    let served = serve(settings(10));
    let mut stream = connect(&served);
    stream.set_nodelay(true).unwrap();
    for octet in [query(1), query(2)].concat() {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(read(&receive(&mut stream)), (1, 0, 1));
    assert_eq!(read(&receive(&mut stream)), (2, 0, 1));
}

#[test]
fn what_is_not_dns_is_disconnected() {
    let served = serve(settings(10));
    let mut stream = connect(&served);
    stream.write_all(b"\0\x04GET /").unwrap();
    assert!(is_ended(&mut stream));
}

#[test]
fn who_shuts_down_its_side_still_gets_answers() {
    let served = serve(settings(10));
    let mut stream = connect(&served);
    stream.write_all(&[query(1), query(2)].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&receive(&mut stream)), (1, 0, 1));
    assert_eq!(read(&receive(&mut stream)), (2, 0, 1));
    assert!(is_ended(&mut stream));
}

#[test]
fn a_transfer_goes_up_with_its_connection() {
    let served = serve(settings(10));
    let mut stream = connect(&served);
    let transfer = framed(&message(2, 0, b"\x07example\0", rtype::AXFR));
    stream.write_all(&[query(1), transfer.clone(), query(3)].concat()).unwrap();
    assert_eq!(read(&receive(&mut stream)), (1, 0, 1));
    let taken = wait_for(&served.upcalls);
    let [ref handed] = taken.handed_over[..] else {
        panic!("one connection, not {}", taken.handed_over.len());
    };
    assert_eq!(handed.client, stream.local_addr().unwrap());
    assert!(handed.unread.starts_with(&transfer));
    let mut taken_over = TcpStream::from(handed.socket.try_clone().unwrap());
    taken_over.set_nonblocking(false).unwrap();
    let mut unread = handed.unread.clone();
    let mut rest = vec![0; transfer.len() + query(3).len() - unread.len()];
    taken_over.read_exact(&mut rest).unwrap();
    unread.append(&mut rest);
    assert_eq!(unread, [transfer, query(3)].concat());
    taken_over.write_all(&framed(&message(2, 0x8000, b"\x07example\0", rtype::AXFR))).unwrap();
    assert_eq!(read(&receive(&mut stream)), (2, 0, 0));
}

#[test]
fn a_connection_that_was_handed_over_counts_until_it_is_closed() {
    let served = serve(settings(1));
    let mut first = connect(&served);
    first.write_all(&framed(&message(2, 0, b"\x07example\0", rtype::AXFR))).unwrap();
    let taken = wait_for(&served.upcalls);
    let mut second = connect(&served);
    assert!(is_ended(&mut second));
    let event = wait_for(&served.upcalls).events.pop();
    let Some(Event::TcpRefused(client, reason)) = event else {
        panic!("refused, not {event:?}");
    };
    assert_eq!(
        (client, &*reason),
        (
            second.local_addr().unwrap(),
            "its 1 TCP connections are the limit for one address, and all are busy"
        )
    );
    served.service.closed(taken.handed_over[0].number);
    wait_until(|| served.service.clients() == 0);
    let mut third = connect(&served);
    third.write_all(&query(3)).unwrap();
    assert_eq!(read(&receive(&mut third)), (3, 0, 1));
}

#[test]
fn an_idle_client_makes_room() {
    let served = serve(settings(2));
    let mut streams: Vec<TcpStream> = (1..=3)
        .map(|id| {
            let mut stream = connect(&served);
            stream.write_all(&query(id)).unwrap();
            assert_eq!(read(&receive(&mut stream)), (id, 0, 1));
            stream
        })
        .collect();
    assert!(is_ended(&mut streams[0]));
    for id in [1, 2] {
        let stream = &mut streams[usize::from(id)];
        stream.write_all(&query(id)).unwrap();
        assert_eq!(read(&receive(stream)), (id, 0, 1));
    }
}

#[test]
fn the_quiet_and_the_slow_are_ended() {
    let served = serve(TcpSettings { clients: 10, initial_timeout: SHORT, idle_timeout: SHORT });
    let mut silent = connect(&served);
    let mut idle = connect(&served);
    idle.write_all(&query(1)).unwrap();
    receive(&mut idle);
    let mut partial = connect(&served);
    partial.write_all(&query(1)[..5]).unwrap();
    for stream in [&mut silent, &mut idle, &mut partial] {
        assert!(is_ended(stream));
    }
    let mut waited_for = Vec::new();
    while waited_for.len() < 3 {
        for event in wait_for(&served.upcalls).events {
            let Event::TcpExpired(_, what) = event else {
                panic!("expired, not {event:?}");
            };
            waited_for.push(what);
        }
    }
    waited_for.sort_unstable();
    assert_eq!(waited_for, ["its first message", "its next message", "the rest of a message"]);
    assert_eq!(served.answerer.totals().tcp_expired, 3);
}

#[test]
fn who_does_not_read_is_not_read_from_and_ended() {
    let served = serve(TcpSettings { clients: 10, initial_timeout: LONG, idle_timeout: SHORT });
    let mut stream = connect(&served);
    stream.set_write_timeout(Some(SHORT)).unwrap();
    // Answers of 50 kB to queries of 31 octets: more than all buffers between us hold.
    let queries: Vec<u8> = (0..10_000).flat_map(|id| framed(&message(id, 0, BIG, rtype::TXT))).collect();
    let _ = stream.write_all(&queries);
    let event = wait_for(&served.upcalls).events.pop();
    assert!(matches!(event, Some(Event::TcpExpired(_, "it to read its answers"))), "expired, not {event:?}");
    let answered = served.answerer.totals().tcp_messages;
    assert!(answered < 10_000, "{answered} queries answered for nothing");
}

#[test]
fn big_answers_arrive_whole_however_slowly_they_are_read() {
    let served = serve(settings(10));
    let mut stream = connect(&served);
    let queries: Vec<u8> = (0..300).flat_map(|id| framed(&message(id, 0, BIG, rtype::TXT))).collect();
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&queries));
    for id in 0..300 {
        assert_eq!(read(&receive(&mut stream)), (id, 0, 200));
    }
    writing.join().unwrap().unwrap();
}

#[test]
fn queries_are_copied_while_somebody_wants_them() {
    let served = serve(settings(10));
    served.upcalls.set_tapping(true);
    let mut stream = connect(&served);
    stream.write_all(&query(1)).unwrap();
    receive(&mut stream);
    let taken = wait_for(&served.upcalls);
    assert_eq!((taken.tapped.len(), taken.tapped[0].transport), (1, Transport::Tcp));
}

#[test]
fn a_listener_that_goes_ends_its_own_connections_only() {
    let served = serve(settings(10));
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let elsewhere = other.local_addr().unwrap();
    served.service.listen(other.into(), elsewhere);
    let mut stays = connect(&served);
    let mut goes = TcpStream::connect(elsewhere).unwrap();
    for stream in [&mut stays, &mut goes] {
        stream.write_all(&query(1)).unwrap();
        assert_eq!(read(&receive(stream)), (1, 0, 1));
    }
    served.service.unlisten(elsewhere);
    assert!(is_ended(&mut goes));
    stays.write_all(&query(2)).unwrap();
    assert_eq!(read(&receive(&mut stays)), (2, 0, 1));
}

#[test]
fn a_stop_ends_all() {
    let mut served = serve(settings(10));
    let mut stream = connect(&served);
    stream.write_all(&query(1)).unwrap();
    assert_eq!(read(&receive(&mut stream)), (1, 0, 1));
    assert!(served.service.stop());
    assert!(is_ended(&mut stream));
    TcpStream::connect(served.bound).expect_err("nobody listens");
}

#[test]
fn a_connection_that_is_given_back_goes_on() {
    let served = serve(settings(1));
    let mut stream = connect(&served);
    stream.write_all(&framed(&message(2, 0, b"\x07example\0", rtype::AXFR))).unwrap();
    let taken = wait_for(&served.upcalls).handed_over.pop().unwrap();
    let HandedOver { socket, client, local, listener, number, .. } = taken;
    assert_eq!((listener, served.service.clients()), (served.bound, 1));
    served.service.take_back(number, socket, client, local, listener);
    stream.write_all(&query(3)).unwrap();
    assert_eq!(read(&receive(&mut stream)), (3, 0, 1));
    // It is idle now, and makes room.
    let mut next = connect(&served);
    next.write_all(&query(4)).unwrap();
    assert_eq!(read(&receive(&mut next)), (4, 0, 1));
    assert!(is_ended(&mut stream));
    assert_eq!(served.service.high_water(), 1);
}
