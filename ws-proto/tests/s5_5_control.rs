//! RFC 6455 §5.5: Close, Ping and Pong frames, and what is owed for them.
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
    BINARY, CLOSE, End, FIN, Got, Log, PING, PONG, TEXT, Wire, client_conn, close_frame, ends,
    frame, read, server_conn,
};
use ws_proto::handshake::Agreed;
use ws_proto::{
    CloseCode, Config, Connection, Event, Full, Input, KeyedClient, Pongs, Role, Scratch,
    SendError, State,
};

#[test]
fn vectors_of_control_frames_at_every_chunk_size() {
    vectors::check(vectors::control::vectors);
}

/// Reads without sending anything of what is owed, against the advice, and expects no error.
fn read_only<R: Role>(conn: &mut Connection<R>, bytes: &[u8]) -> Vec<Got> {
    let mut bytes = bytes.to_vec();
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut bytes, &mut scratch);
    let mut got = Vec::new();
    while let Some(event) = conn.next_event(&mut input).expect("the bytes are good") {
        got.push(match event {
            Event::Ping(data) => Got::ping(data),
            Event::Pong(data) => Got::pong(data),
            Event::Close(code, reason) => Got::Close(code.map(Into::into), reason.to_owned()),
            Event::Text(part) => Got::text_part(part.data, part.first, part.last),
            Event::Binary(part) => Got::binary_part(part.data, part.first, part.last),
        });
    }
    got
}

#[test]
fn pings_and_pongs_are_written_up_to_125_bytes() {
    for len in [0, 1, 124, 125] {
        let data = vec![b'p'; len];
        let mut wire = Wire::default();
        server_conn(Config::default()).ping(&data, &mut wire).unwrap();
        assert_eq!(wire.take(), frame(End::Client, PING, &data));
        client_conn(Config::default()).pong(&data, &mut wire).unwrap();
        assert_eq!(wire.take(), frame(End::Server, PONG, &data));
    }
    let mut wire = Wire::default();
    let mut conn = server_conn(Config::default());
    assert_eq!(conn.ping(&[0; 126], &mut wire), Err(SendError::TooLong));
    assert_eq!(conn.pong(&[0; 126], &mut wire), Err(SendError::TooLong));
    assert_eq!(wire.bytes, b"");
}

/// §5.5.3: a pong for the most recent ping is enough.
#[test]
fn only_the_newest_ping_is_owed_a_pong() {
    let pings = [&b"first"[..], b"second", b"", b"the last"];
    let bytes: Vec<u8> = pings.iter().flat_map(|data| frame(End::Server, PING, data)).collect();
    for size in 1..=bytes.len() {
        let mut conn = server_conn(Config::default());
        let got: Vec<Got> =
            bytes.chunks(size).flat_map(|chunk| read_only(&mut conn, chunk)).collect();
        assert_eq!(got, pings.map(Got::ping), "every ping is an event");
        let mut wire = Wire::default();
        conn.poll_transmit(&mut wire).unwrap();
        assert_eq!(wire.take(), frame(End::Client, PONG, b"the last"));
        conn.poll_transmit(&mut wire).unwrap();
        assert_eq!(wire.bytes, b"", "once");
    }
}

#[test]
fn a_flood_of_pings_to_a_peer_that_does_not_read_owes_one_pong() {
    let mut conn = server_conn(Config::default());
    let mut wire = Wire::with_capacity(0);
    for n in 0..10_000u32 {
        read_only(&mut conn, &frame(End::Server, PING, &n.to_be_bytes()));
        assert_eq!(conn.poll_transmit(&mut wire), Err(Full));
    }
    wire.capacity = usize::MAX;
    conn.poll_transmit(&mut wire).unwrap();
    assert_eq!(wire.bytes, frame(End::Client, PONG, &9_999u32.to_be_bytes()));
}

#[test]
fn a_pong_that_finds_no_room_stays_owed() {
    let mut conn = client_conn(Config::default());
    read_only(&mut conn, &frame(End::Client, PING, b"Hello"));
    for room in 0..11 {
        let mut wire = Wire::with_capacity(room);
        assert_eq!(conn.poll_transmit(&mut wire), Err(Full));
        assert_eq!(wire.bytes, b"");
    }
    let mut wire = Wire::with_capacity(11);
    conn.poll_transmit(&mut wire).unwrap();
    assert_eq!(wire.bytes, frame(End::Server, PONG, b"Hello"));
}

/// The place for control frames is shared between the pong that is owed and a frame that comes in
/// pieces: neither may turn into the other, wherever the cut is and whenever the pong is sent.
#[test]
fn a_control_frame_that_is_split_while_a_pong_is_owed() {
    let lens = [0, 1, 2, 5, 60, 62, 63, 65, 120, 124, 125];
    for (owed, len) in lens.iter().flat_map(|owed| lens.iter().map(move |len| (*owed, *len))) {
        let (ping, data) = (vec![b'o'; owed], (0..len as u8).collect::<Vec<u8>>());
        for (first, event) in [(PONG, Got::pong(&data)), (PING, Got::ping(&data))] {
            let mut bytes = frame(End::Server, PING, &ping);
            let start = bytes.len();
            bytes.extend(frame(End::Server, first, &data));
            for cut in start..bytes.len() {
                split_while_owed(&bytes, cut, &ping, &event, true);
                split_while_owed(&bytes, cut, &ping, &event, false);
            }
        }
    }
}

fn split_while_owed(bytes: &[u8], cut: usize, ping: &[u8], event: &Got, sends_between: bool) {
    let what = format!("{} owed, {event:?}, cut at {cut}, sends: {sends_between}", ping.len());
    let mut conn = server_conn(Config::default());
    let mut wire = Wire::default();
    assert_eq!(read_only(&mut conn, &bytes[..cut]), [Got::ping(ping)], "{what}");
    if sends_between {
        conn.poll_transmit(&mut wire).unwrap();
    }
    assert_eq!(read_only(&mut conn, &bytes[cut..]), std::slice::from_ref(event), "{what}");
    conn.poll_transmit(&mut wire).unwrap();

    let pong = frame(End::Client, PONG, ping);
    let (Got::Ping(data) | Got::Pong(data)) = event else { panic!("{what}") };
    // It gives way only to bytes of the other frame that are there and leave no room for it.
    let come = cut - (ping.len() + 6);
    let gives_way = come > 6 && ping.len() + data.len() > 125;
    let mut expected = Vec::new();
    if !gives_way && (sends_between || matches!(event, Got::Pong(_))) {
        expected.extend(pong);
    }
    if matches!(event, Got::Ping(_)) {
        expected.extend(frame(End::Client, PONG, data));
    }
    assert_eq!(wire.bytes, expected, "{what}");
}

/// Three reads, a pong sent after any of them.
#[test]
fn a_control_frame_in_three_pieces_while_a_pong_is_owed() {
    let mut bytes = frame(End::Client, PING, b"owed");
    let start = bytes.len();
    bytes.extend(frame(End::Client, PONG, b"in three pieces"));
    for a in start..bytes.len() {
        for b in a..bytes.len() {
            for sends in 0..3 {
                let mut conn = client_conn(Config::default());
                let mut wire = Wire::default();
                let mut got = Vec::new();
                for (n, piece) in [&bytes[..a], &bytes[a..b], &bytes[b..]].into_iter().enumerate() {
                    got.extend(read_only(&mut conn, piece));
                    if n == sends {
                        conn.poll_transmit(&mut wire).unwrap();
                    }
                }
                assert_eq!(got, [Got::ping(b"owed"), Got::pong(b"in three pieces")], "{a} {b}");
                assert_eq!(wire.bytes, frame(End::Server, PONG, b"owed"), "{a} {b} {sends}");
            }
        }
    }
}

#[test]
fn with_the_automatic_off_the_caller_answers() {
    let mut conn = server_conn(Config { pongs: Pongs::Manual, ..Config::default() });
    let mut log = Log::default();
    read(&mut conn, &frame(End::Server, PING, b"Hello"), &mut log);
    assert_eq!(log.sent.bytes, b"");
    conn.pong(b"Hello", &mut log.sent).unwrap();
    assert_eq!(log.sent.bytes, frame(End::Client, PONG, b"Hello"));
}

/// What is owed goes out in order: first the pong, then whatever Close frame there is.
#[test]
fn a_pong_that_is_owed_goes_before_the_close() {
    for (end, to) in ends() {
        let ping = to(PING, b"p");
        let pong = frame(end.peer(), PONG, b"p");
        let cases = [
            (close_frame(end, 1000, "bye"), close_frame(end.peer(), 1000, "")),
            (to(CLOSE, b"x"), close_frame(end.peer(), 1002, "close frame with half a status code")),
        ];
        for (second, answer) in cases {
            let expected = [pong.clone(), answer].concat();
            let bytes = [ping.clone(), second].concat();
            let sent = match end {
                End::Server => at_the_end(server_conn(Config::default()), &bytes),
                End::Client => at_the_end(client_conn(Config::default()), &bytes),
            };
            assert_eq!(sent, expected, "{end:?}");
        }
    }
    let mut conn = server_conn(Config::default());
    let mut wire = Wire::default();
    read_only(&mut conn, &frame(End::Server, PING, b"p"));
    conn.close(CloseCode::NORMAL, "bye", &mut wire).unwrap();
    let expected = [frame(End::Client, PONG, b"p"), close_frame(End::Client, 1000, "bye")];
    assert_eq!(wire.bytes, expected.concat());
}

/// What `conn` sends after it has read everything.
fn at_the_end<R: Role>(mut conn: Connection<R>, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut bytes, &mut scratch);
    while !matches!(conn.next_event(&mut input), Ok(None)) {}
    let mut wire = Wire::default();
    conn.poll_transmit(&mut wire).unwrap();
    wire.bytes
}

/// §5.5.1: after a Close frame nothing is sent, pongs included.
#[test]
fn a_ping_behind_a_close_frame_that_was_sent_is_not_answered() {
    let mut conn = server_conn(Config::default());
    let mut log = Log::default();
    conn.close(CloseCode::NORMAL, "", &mut log.sent).unwrap();
    log.sent.take();
    read(&mut conn, &frame(End::Server, PING, b"p"), &mut log);
    assert_eq!(log.got, [Got::ping(b"p")]);
    assert_eq!(log.sent.bytes, b"");
    assert_eq!(conn.ping(b"", &mut log.sent), Err(SendError::Closing));
    assert_eq!(conn.pong(b"", &mut log.sent), Err(SendError::Closing));
    assert_eq!(log.sent.bytes, b"");
    assert_eq!(conn.state(), State::CloseSent);
}

/// Parking keeps what has come of a frame, or says that it can't.
#[test]
fn a_parked_connection_goes_on_where_it_was() {
    let bytes = [
        frame(End::Server, TEXT, "h\u{e9}".as_bytes()),
        frame(End::Server, PONG, b"between"),
        frame(End::Server, FIN, "\u{1f600}".as_bytes()),
        frame(End::Server, FIN | BINARY, &[3; 300]),
    ]
    .concat();
    let mut conn = server_conn(Config::default());
    let mut log = Log::default();
    conn.send("fragment", false, &mut Wire::default()).unwrap();
    let mut parked = 0;
    for byte in bytes.chunks(1) {
        if let Some(resting) = conn.park() {
            assert_eq!(resting.state(), State::Open);
            let mut place = server_conn(Config::default()).park().unwrap();
            assert!(place.renew(&conn));
            conn = place.resume();
            parked += 1;
        }
        read(&mut conn, byte, &mut log);
    }
    let expected = [
        Got::text_part("h\u{e9}", true, false),
        Got::pong(b"between"),
        Got::text_part("\u{1f600}", false, true),
        Got::binary(&[3; 300]),
    ];
    assert_eq!(log.got, expected);
    assert_eq!(conn.send(b"x", true, &mut log.sent), Err(SendError::MessageUnfinished));
    // All the time but between the bytes of the pong.
    assert_eq!(parked, bytes.len() - (b"between".len() - 1));
}

#[test]
fn a_connection_that_owes_something_is_not_parked() {
    let mut conn = server_conn(Config::default());
    assert!(conn.park().is_some());
    read_only(&mut conn, &frame(End::Server, PING, b""));
    assert!(conn.park().is_none(), "a pong, be it empty");
    let mut place = server_conn(Config::default()).park().unwrap();
    assert!(!place.renew(&conn) && place.state() == State::Open);
    conn.poll_transmit(&mut Wire::default()).unwrap();
    assert!(conn.park().is_some());
    read_only(&mut conn, &close_frame(End::Server, 1000, ""));
    assert!(conn.park().is_none(), "the answer to a Close");
    conn.poll_transmit(&mut Wire::default()).unwrap();
    assert!(conn.park().is_some());

    let mut conn = server_conn(Config::default());
    let mut bad = frame(End::Server, TEXT, b"good\xff");
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut bad, &mut scratch);
    assert!(matches!(conn.next_event(&mut input), Ok(Some(Event::Text(_)))));
    assert!(conn.park().is_none(), "an error that was not reported");
    assert!(conn.next_event(&mut input).is_err());
    assert!(conn.park().is_none(), "a Close for that error");
    conn.poll_transmit(&mut Wire::default()).unwrap();
    let parked = conn.park().map(ws_proto::Parked::resume);
    assert_eq!(parked.map(|conn| conn.state()), Some(State::Closed));
}

/// §5.3: each frame has a fresh key, also when a pong and a Close frame leave in one call.
#[test]
fn a_keyed_client_masks_each_frame_with_its_own_key() {
    let role = KeyedClient::default();
    let mut conn = Connection::new(role, Config::default(), Agreed::elsewhere());
    let (first, second) = ([1, 2, 3, 4], [5, 6, 7, 8]);
    let mut wire = Wire::default();
    read_only(&mut conn, &frame(End::Client, PING, b"are you there?"));
    conn.role_mut().set_keys([first, second]);
    conn.close(CloseCode::NORMAL, "done", &mut wire).unwrap();
    let mut expected = vec![PONG, 0x80 | 14];
    expected.extend(first);
    expected.extend(b"are you there?".iter().zip(first.iter().cycle()).map(|(b, k)| b ^ k));
    expected.extend([CLOSE, 0x80 | 6]);
    expected.extend(second);
    expected.extend(b"\x03\xe8done".iter().zip(second.iter().cycle()).map(|(b, k)| b ^ k));
    assert_eq!(wire.take(), expected);
}
