//! `Vec<u8>` as a sink and a store.
#![cfg(feature = "alloc")]

use ws_proto::handshake::Agreed;
use ws_proto::{Assembler, Config, Connection, Event, Message, Part, Server, Sink, Store};

#[test]
fn a_vec_keeps_what_it_holds_and_grows() {
    let mut sink = b"before".to_vec();
    let body = sink.put(b"head", b"body").unwrap();
    assert_eq!(body, b"body");
    body[0] = b'B';
    assert_eq!(sink.stored(), b"beforeheadBody");
    assert_eq!(sink.put(b"x", b"").unwrap(), b"");
    assert_eq!(sink.stored(), b"beforeheadBodyx");
    assert_eq!(sink.room(), usize::MAX);
    let capacity = sink.capacity();
    Store::clear(&mut sink);
    assert_eq!((sink.stored(), sink.capacity()), (&b""[..], capacity));
}

#[test]
fn a_connection_writes_to_a_vec() {
    let mut out = Vec::new();
    let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
    conn.send("Hello", false, &mut out).unwrap();
    conn.ping(b"?", &mut out).unwrap();
    assert_eq!(out, b"\x01\x05Hello\x89\x01?");
}

#[test]
fn an_assembler_over_a_vec_holds_what_came_and_no_more() {
    let mut whole = Assembler::new(Vec::new());
    let data = [7; 1000];
    let part = |first, last| Event::Binary(Part { data: &data[..], first, last });
    for n in 0..100 {
        assert_eq!(whole.push(part(n == 0, false)), Ok(None));
    }
    assert_eq!(whole.stored(), 100_000);
    let expected = vec![7; 101_000];
    assert_eq!(whole.push(part(false, true)), Ok(Some(Message::Binary(&expected))));
    let store = whole.into_store();
    assert!(store.capacity() <= 2 * 101_000, "{} bytes for a message", store.capacity());
}
