//! RFC 6455 §5.2 and §5.3: frame headers and masking, read and written.
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
    BINARY, End, FIN, KEY, Len, PING, TEXT, Wire, client_conn, frame, header, limit, replay,
    server_conn,
};
use ws_proto::handshake::Agreed;
use ws_proto::{
    Client, Config, Connection, Error, Event, Header, Input, Kind, Message, Part, Role, Scratch,
    SendError, Server, mask,
};

#[test]
fn vectors_of_framing_at_every_chunk_size() {
    vectors::check(vectors::framing::vectors);
}

/// What §5.2 says about the first two bytes of a header, at the start of a connection.
fn expected(end: End, first: u8, second: u8) -> Option<Error> {
    let (opcode, masked, len) = (first & 0x0f, second & 0x80 != 0, second & 0x7f);
    match () {
        () if first & 0x70 != 0 => Some(Error::ReservedBits((first & 0x70) >> 4)),
        () if matches!(opcode, 3..=7 | 11..=15) => Some(Error::ReservedOpcode(opcode)),
        () if end == End::Server && !masked => Some(Error::NotMasked),
        () if end == End::Client && masked => Some(Error::Masked),
        () if opcode >= 8 && len > 125 => Some(Error::ControlTooLong),
        () if opcode >= 8 && first & 0x80 == 0 => Some(Error::ControlFragmented),
        () if opcode == 0 && len < 126 => Some(Error::NothingToContinue),
        () => None,
    }
}

#[test]
fn every_pair_of_first_bytes_is_judged_as_soon_as_it_is_there() {
    for end in End::BOTH {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let error = expected(end, first, second);
                let both = [first, second];
                let (whole, ..) = replay(end, Config::default(), [&both[..]]);
                let (split, ..) = replay(end, Config::default(), both.chunks(1));
                assert_eq!(whole.error, error, "{end:?} {first:#x} {second:#x}");
                assert_eq!(split.error, error, "{end:?} {first:#x} {second:#x}, split");
                assert_eq!(whole.sent, split.sent);
                let told = whole.sent.bytes.first() == Some(&0x88);
                let closed = both == [0x88, 0];
                assert_eq!(told, error.is_some() || closed, "{end:?} {first:#x} {second:#x}");
            }
        }
    }
}

#[test]
fn every_16_bit_length_is_minimal_or_refused() {
    for len in 0..=u16::MAX {
        let bytes = header(End::Client, FIN | BINARY, Len::Medium(len));
        let (log, ..) = replay(End::Client, Config::default(), [&bytes[..]]);
        assert_eq!(log.error, (len < 126).then_some(Error::LengthNotMinimal), "{len}");
    }
}

#[test]
fn lengths_are_written_in_their_shortest_form() {
    let mut lens: Vec<u64> = (0..=300).chain(65_400..=65_700).collect();
    lens.extend([1 << 31, u64::from(u32::MAX), 1 << 32, (1 << 32) + 1, (1 << 63) - 1]);
    for len in lens {
        let form = match len {
            0..=125 => Len::Short(len as u8),
            126..=65535 => Len::Medium(len as u16),
            _ => Len::Long(len),
        };
        for (kind, opcode) in [(Kind::Text, TEXT), (Kind::Binary, BINARY)] {
            let mut server = server_conn(Config::default());
            let written = server.send_header(kind, len, true).unwrap();
            assert_eq!(written.as_bytes(), header(End::Client, FIN | opcode, form), "{len}");
            assert_eq!(written.masking_key(), None);
            let mut client = client_conn(Config::default());
            let written = client.send_header(kind, len, false).unwrap();
            assert_eq!(written.as_bytes(), header(End::Server, opcode, form), "{len}");
            assert_eq!(written.masking_key(), Some(KEY));
        }
    }
    for len in [1 << 63, u64::MAX] {
        let mut server = server_conn(Config::default());
        assert_eq!(server.send_header(Kind::Text, len, false), Err(SendError::TooLong));
        // Nothing was begun.
        let header = server.send_header(Kind::Binary, 0, true).unwrap();
        assert_eq!(header.as_bytes(), [FIN | BINARY, 0]);
    }
}

#[test]
fn a_header_for_many_peers_is_the_one_that_each_would_get() {
    for kind in [Kind::Text, Kind::Binary] {
        for len in [0, 125, 126, 65535, 65536, (1 << 63) - 1] {
            let own = server_conn(Config::default()).send_header(kind, len, true).unwrap();
            assert_eq!(Header::broadcast(kind, len), Some(own), "{len}");
        }
        assert_eq!(Header::broadcast(kind, 1 << 63), None);
        assert_eq!(Header::broadcast(kind, u64::MAX), None);
    }
}

#[test]
fn messages_are_written_as_the_peer_reads_them() {
    for len in [0u32, 1, 7, 8, 9, 125, 126, 127, 65535, 65536] {
        let data: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
        let mut wire = Wire::default();
        server_conn(Config::default()).send(&data[..], true, &mut wire).unwrap();
        assert_eq!(wire.take(), frame(End::Client, FIN | BINARY, &data), "{len}");
        client_conn(Config::default()).send(&data[..], true, &mut wire).unwrap();
        assert_eq!(wire.take(), frame(End::Server, FIN | BINARY, &data), "{len}");
    }
    let mut wire = Wire::default();
    server_conn(Config::default()).send("h\u{e9}", true, &mut wire).unwrap();
    assert_eq!(wire.take(), b"\x81\x03h\xc3\xa9");
}

/// §5.3: a fresh key for each frame, control frames included.
#[test]
fn a_client_takes_a_new_key_for_every_frame() {
    let mut next = 0u8;
    let keys = move || {
        next += 1;
        [next, 0x80 | next, 0, 0xff]
    };
    let mut conn = Connection::new(Client(keys), Config::default(), Agreed::elsewhere());
    let mut wire = Wire::default();
    conn.send(b"abcdef", false, &mut wire).unwrap();
    conn.ping(b"abcdef", &mut wire).unwrap();
    conn.send(b"abcdef", true, &mut wire).unwrap();
    conn.pong(b"abcdef", &mut wire).unwrap();
    let header = conn.send_header(Kind::Text, 6, true).unwrap();
    let mut payload = *b"abcdef";
    mask::apply(&mut payload, header.masking_key().unwrap());
    wire.bytes.extend(header.as_bytes());
    wire.bytes.extend(payload);
    for (n, frame) in (1..).zip(wire.bytes.chunks(12)) {
        let key = [n, 0x80 | n, 0, 0xff];
        assert_eq!(frame[1..6], [&[0x86], &key[..]].concat());
        let plain: Vec<u8> =
            frame[6..].iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        assert_eq!(plain, b"abcdef");
    }
    assert_eq!(wire.bytes.len(), 5 * 12);
}

/// A message that the sink has no room for is not sent in part, and can be sent later.
#[test]
fn a_full_sink_takes_nothing() {
    for room in 0..15 {
        let mut conn = client_conn(Config::default());
        let mut wire = Wire::with_capacity(room);
        assert_eq!(conn.send("Hello, you", true, &mut wire), Err(SendError::Full));
        assert_eq!(conn.ping(b"Hello, you", &mut wire), Err(SendError::Full));
        assert_eq!(wire.bytes, b"");
        wire.capacity = usize::MAX;
        conn.send("Hello, you", true, &mut wire).unwrap();
        conn.ping(b"Hello, you", &mut wire).unwrap();
        let text = frame(End::Server, FIN | TEXT, b"Hello, you");
        assert_eq!(wire.bytes, [text, frame(End::Server, PING, b"Hello, you")].concat());
    }
}

/// A header that comes byte by byte leaves nothing behind that changes the next one.
#[test]
fn headers_of_all_forms_one_after_the_other() {
    for end in End::BOTH {
        let sizes = [65536, 0, 126, 125, 65535, 1, 70000, 2, 127];
        let bytes: Vec<u8> =
            sizes.iter().flat_map(|&len| frame(end, FIN | BINARY, &vec![5; len])).collect();
        for size in [1, 2, 3, 5, 7, 4096, bytes.len()] {
            let (log, ..) = replay(end, limit(70000), bytes.chunks(size));
            let got: Vec<_> =
                sizes.iter().map(|&len| harness::Got::binary(&vec![5; len])).collect();
            assert!(log.got == got && log.error.is_none(), "{end:?}, chunks of {size}");
        }
    }
}

#[test]
fn payload_may_be_read_to_where_the_message_is_to_be() {
    let texts = ["plain", "é€😀", "a😀b"].map(|text| text.repeat(20));
    for (start, message) in texts.iter().flat_map(|text| [(TEXT, text), (BINARY, text)]) {
        for first in 0..message.len() {
            let wire = frame(End::Server, FIN | start, message.as_bytes());
            let head = wire.len() - message.len();
            let mut connection = server_conn(Config::default());
            assert_eq!(connection.payload_left(), 0, "nothing has come");
            let mut scratch = ws_proto::Scratch::new();
            let (mut got, mut at, mut last) = (Vec::new(), head + first, false);
            let mut read = |bytes: &mut [u8], got: &mut Vec<u8>| {
                let mut input = ws_proto::Input::new(bytes, &mut scratch);
                while let Some(event) = connection.next_event(&mut input).unwrap() {
                    let (data, ends) = match event {
                        ws_proto::Event::Text(part) => (part.data.as_bytes(), part.last),
                        ws_proto::Event::Binary(part) => (part.data, part.last),
                        other => panic!("{other:?}"),
                    };
                    got.extend(data);
                    last = ends;
                }
                connection.payload_left()
            };
            let left = read(&mut wire[..at].to_vec(), &mut got);
            let held = at - head - got.len();
            let to_come = if held > 0 { 0 } else { (wire.len() - at) as u64 };
            assert_eq!(left, to_come, "{start} {first}");
            if left > 0 {
                // What is read to the message's own place is there unmasked, up to what is held back.
                let mut place = wire[at..wire.len().min(at + 7)].to_vec();
                let before = got.len();
                at += place.len();
                read(&mut place, &mut got);
                assert_eq!(got[before..], place[..got.len() - before]);
                assert!(got.len() + 3 >= at - head);
            }
            assert_eq!(read(&mut wire[at..].to_vec(), &mut got), 0);
            assert!(last && got == message.as_bytes());
        }
    }
}

/// A shortcut that took what begins like the message before it must not take the first frame for one.
#[test]
fn nothing_is_taken_for_granted_of_the_first_frame() {
    for first in 0..=u8::MAX {
        for second in [0, 0x80, 0x81] {
            let bytes = [first, second, 0, 0, 0, 0, 0, 0, 0, 0];
            let (mut by_events, mut by_frames, mut alone) = (bytes, bytes, bytes);
            let (mut scratch, mut other) = (Scratch::new(), Scratch::new());
            let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
            let mut input = Input::new(&mut by_events, &mut other);
            let event = conn.next_event(&mut input);
            let is_message = matches!(event, Ok(Some(Event::Text(_) | Event::Binary(_))));
            // An empty part that is not the last is none.
            let is_due = match first {
                1 | 2 => second == 0x81,
                0x81 | 0x82 => second != 0,
                _ => false,
            };
            assert_eq!(is_message, is_due, "{bytes:x?}");
            let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
            let mut input = Input::new(&mut by_frames, &mut scratch);
            let is_framed = conn.next_framed(&mut input).is_some();
            assert_eq!(is_framed, matches!(first, 0x81 | 0x82) && second != 0, "{bytes:x?}");
            for len in 0..=bytes.len() {
                let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
                let is_lone = conn.lone_framed(&mut alone[..len]).is_ok();
                let is_all = len == 6 + usize::from(second & 1);
                assert_eq!(is_lone, is_framed && is_all, "{bytes:x?}, {len} of them");
            }
        }
    }
}

/// Each message of a read by the shortcut for events.
fn takes<R: Role>(mut conn: Connection<R>, frames: &[u8], payload: &[u8]) {
    let (mut read, mut scratch) = (frames.to_vec(), Scratch::new());
    let mut input = Input::new(&mut read, &mut scratch);
    while !input.is_empty() {
        let due = Event::Binary(Part { data: payload, first: true, last: true });
        assert_eq!(conn.next_unfragmented(&mut input), Some(due));
    }
}

/// Not only that nothing goes wrong with them: they are for all of these, the largest that is allowed included.
#[test]
fn shortcuts_take_every_message_whose_length_has_one_of_the_shorter_forms() {
    for len in [0, 1, 16, 20, 40, 64, 125, 126, 300, 65_535] {
        let (payload, limit) = (vec![b'a'; len], limit(len as u64));
        takes(client_conn(limit), &frame(End::Client, FIN | BINARY, &payload).repeat(3), &payload);
        let one = frame(End::Server, FIN | BINARY, &payload);
        takes(server_conn(limit), &one.repeat(3), &payload);
        assert!(server_conn(limit).lone_framed(&mut one.clone()).is_ok());
        let (mut read, mut scratch) = (one.clone(), Scratch::new());
        let masked = &mut Input::new(&mut read, &mut scratch);
        assert_eq!(client_conn(limit).next_unfragmented(masked), None, "a client reads none");
        let (mut read, mut conn) = (one.clone(), server_conn(limit));
        let mut input = Input::new(&mut read, &mut scratch);
        assert!(conn.next_framed(&mut input).is_some() && input.is_empty());
        // What was found with the first, as short messages are, is an event all the same.
        let mut read = one.repeat(5);
        let mut input = Input::new(&mut read, &mut scratch);
        let framed = |conn: &mut Connection<_>, input: &mut Input<'_>| {
            let framed = conn.next_framed(input).unwrap();
            assert_eq!(framed.message, Message::Binary(&payload));
        };
        framed(&mut conn, &mut input);
        match conn.next_alike(&mut input) {
            Some(second) => assert_eq!(second.message, Message::Binary(&payload)),
            None => assert!(len > 125, "{len} bytes"),
        }
        let due = Event::Binary(Part { data: &payload, first: true, last: true });
        assert_eq!(conn.next_event(&mut input), Ok(Some(due)));
        while !input.is_empty() {
            framed(&mut conn, &mut input);
        }
    }
}
