//! RFC 6455 §5.4 and §10.4: messages in fragments, read and written; their limit; whole messages again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]
mod harness;
mod vectors;

use harness::{
    BINARY, CONT, End, FIN, Got, Log, PING, TEXT, Wire, client_conn, frame, read, replay,
    server_conn,
};
use ws_proto::{Assembler, Config, Event, Full, Kind, Message, Part, SendError, Slice, State};

#[test]
fn vectors_of_fragmentation_at_every_chunk_size() {
    vectors::check(vectors::fragmentation::vectors);
}

#[test]
fn vectors_of_the_message_limit_at_every_chunk_size() {
    vectors::check(vectors::limit::vectors);
}

#[test]
fn the_default_limit_is_a_mebibyte() {
    assert_eq!(Config::default().max_message, 1024 * 1024);
}

#[test]
fn a_message_may_begin_behind_the_last_byte_of_one_and_of_a_control_frame() {
    let part = |first, payload: &[u8]| frame(End::Server, first, payload);
    let message = [part(TEXT, b"a"), part(FIN | PING, b"p"), part(FIN | CONT, b"")].concat();
    let (mut conn, mut log) = (server_conn(Config::default()), Log::default());
    assert!(conn.is_between_messages());
    for bytes in [&message, &part(FIN | PING, b""), &message] {
        for (left, byte) in (0..bytes.len()).rev().zip(bytes) {
            read(&mut conn, &[*byte], &mut log);
            assert_eq!(conn.is_between_messages(), left == 0, "{left} bytes are left");
        }
    }
}

#[test]
fn fragments_are_written_with_one_opcode_and_one_end() {
    let mut conn = server_conn(Config::default());
    let mut wire = Wire::default();
    conn.send("a", false, &mut wire).unwrap();
    conn.ping(b"p", &mut wire).unwrap();
    conn.send("", false, &mut wire).unwrap();
    let header = conn.send_header(Kind::Text, 1, false).unwrap();
    wire.bytes.extend([header.as_bytes(), b"b"].concat());
    conn.send("c", true, &mut wire).unwrap();
    conn.send(b"d", false, &mut wire).unwrap();
    let header = conn.send_header(Kind::Binary, 0, true).unwrap();
    wire.bytes.extend(header.as_bytes());
    conn.send("e", true, &mut wire).unwrap();
    let frames: [(u8, &[u8]); 8] = [
        (TEXT, b"a"),
        (PING, b"p"),
        (CONT, b""),
        (CONT, b"b"),
        (FIN | CONT, b"c"),
        (BINARY, b"d"),
        (FIN | CONT, b""),
        (FIN | TEXT, b"e"),
    ];
    let expected: Vec<u8> =
        frames.iter().flat_map(|(first, data)| frame(End::Client, *first, data)).collect();
    assert_eq!(wire.bytes, expected);
}

#[test]
fn a_message_is_not_begun_inside_another() {
    let mut wire = Wire::default();
    let mut conn = client_conn(Config::default());
    conn.send("a", false, &mut wire).unwrap();
    wire.take();
    assert_eq!(conn.send(b"b", true, &mut wire), Err(SendError::MessageUnfinished));
    assert_eq!(conn.send(b"b", false, &mut wire), Err(SendError::MessageUnfinished));
    assert_eq!(conn.send_header(Kind::Binary, 1, true), Err(SendError::MessageUnfinished));
    assert_eq!(wire.bytes, b"");
    conn.send("b", true, &mut wire).unwrap();
    assert_eq!(wire.take(), frame(End::Server, FIN | CONT, b"b"));
    conn.send(b"c", true, &mut wire).unwrap();
    assert_eq!(wire.take(), frame(End::Server, FIN | BINARY, b"c"));
}

#[test]
fn a_fragment_that_found_no_room_was_not_sent() {
    let mut conn = server_conn(Config::default());
    let mut full = Wire::with_capacity(2);
    let mut wire = Wire::default();
    assert_eq!(conn.send("abc", false, &mut full), Err(SendError::Full));
    // Neither did it begin a message of text,
    conn.send(b"x", false, &mut wire).unwrap();
    assert_eq!(conn.send(b"abc", true, &mut full), Err(SendError::Full));
    // nor did it end one.
    conn.send(b"y", true, &mut wire).unwrap();
    conn.send("z", true, &mut wire).unwrap();
    let expected = [
        frame(End::Client, BINARY, b"x"),
        frame(End::Client, FIN | CONT, b"y"),
        frame(End::Client, FIN | TEXT, b"z"),
    ];
    assert_eq!(wire.bytes, expected.concat());
}

/// What is sent and what is received don't mix.
#[test]
fn messages_of_both_directions_are_independent() {
    let mut conn = server_conn(Config::default());
    let mut log = harness::Log::default();
    conn.send("out", false, &mut log.sent).unwrap();
    read(&mut conn, &frame(End::Server, BINARY, b"in"), &mut log);
    conn.send("", true, &mut log.sent).unwrap();
    read(&mut conn, &frame(End::Server, FIN | CONT, b"in"), &mut log);
    assert_eq!(log.got, [Got::binary(b"inin")]);
    assert_eq!((log.error, conn.state()), (None, State::Open));
}

/// No cap on fragments: the state of a connection does not grow with them.
#[test]
fn a_hundred_thousand_fragments() {
    let mut bytes = frame(End::Server, TEXT, b"a");
    bytes.extend(frame(End::Server, CONT, b"b").repeat(100_000));
    bytes.extend(frame(End::Server, FIN, b""));
    let (log, state, _) = replay(End::Server, Config::default(), bytes.chunks(16 * 1024));
    assert_eq!((log.error, state, log.got.len()), (None, State::Open, 1));
    assert_eq!(log.got[0], Got::text(&format!("a{}", "b".repeat(100_000))));
}

fn text(data: &str, first: bool, last: bool) -> Event<'_> {
    Event::Text(Part { data, first, last })
}

fn binary(data: &[u8], first: bool, last: bool) -> Event<'_> {
    Event::Binary(Part { data, first, last })
}

#[test]
fn an_assembler_puts_parts_together() {
    let mut buffer = [0; 6];
    let mut whole = Assembler::new(Slice::new(&mut buffer));
    assert_eq!(whole.push(text("abc", true, false)), Ok(None));
    assert_eq!(whole.push(Event::Ping(b"p")), Ok(None));
    assert_eq!(whole.push(text("", false, false)), Ok(None));
    assert_eq!(whole.stored(), 3);
    // Exactly what there is room for.
    assert_eq!(whole.push(text("d\u{e9}", false, true)), Ok(Some(Message::Text("abcd\u{e9}"))));
    assert_eq!(whole.push(binary(b"x", true, false)), Ok(None));
    assert_eq!(whole.push(Event::Pong(b"p")), Ok(None));
    assert_eq!(whole.push(binary(b"", false, true)), Ok(Some(Message::Binary(b"x"))));
    assert_eq!(whole.push(text("", true, true)), Ok(Some(Message::Text(""))));
}

#[test]
fn an_assembler_passes_on_what_came_whole_whatever_its_size() {
    let mut whole = Assembler::new(Slice::new(&mut []));
    assert_eq!(whole.push(text("long", true, true)), Ok(Some(Message::Text("long"))));
    assert_eq!(whole.push(binary(b"long", true, true)), Ok(Some(Message::Binary(b"long"))));
    assert_eq!(whole.stored(), 0);
}

#[test]
fn an_assembler_that_overflew_refuses_the_rest_of_that_message_only() {
    let mut buffer = [0; 4];
    let mut whole = Assembler::new(Slice::new(&mut buffer));
    assert_eq!(whole.push(binary(b"abc", true, false)), Ok(None));
    assert_eq!(whole.push(binary(b"de", false, false)), Err(Full));
    // It would fit, but a message with a hole is none.
    assert_eq!(whole.push(binary(b"f", false, false)), Err(Full));
    assert_eq!(whole.push(binary(b"", false, true)), Err(Full));
    assert_eq!(whole.push(binary(b"ab", true, false)), Ok(None));
    assert_eq!(whole.push(binary(b"cd", false, true)), Ok(Some(Message::Binary(b"abcd"))));
    assert_eq!(whole.push(text("abcde", true, false)), Err(Full), "already the first part");
    assert_eq!(whole.push(text("x", false, true)), Err(Full));
}
