//! What is sent, masking, keepalive, and messages put together, through the functions of the header.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests may panic, and pass what the contract asks for"
)]

mod both;

use std::mem::zeroed;
use std::ptr::null;
use std::slice;

use both::{Conn, Step, garbage};
use ws_proto::{Config, Event, Part};
use ws_proto_c::wsp_result::*;
use ws_proto_c::*;

const BINARY: u8 = wsp_kind::WSP_BINARY as u8;

fn open_client() -> Box<wsp_client> {
    let mut client = garbage();
    assert_eq!(unsafe { wsp_client_open(&raw mut *client, null()) }, WSP_OK);
    client
}

#[test]
fn the_example_of_rfc_6455_section_5_7() {
    let mut sent = Vec::new();
    assert_eq!(
        Conn::client(Config::default()).send(wsp_kind::WSP_TEXT, b"Hello", true, &mut sent),
        WSP_OK
    );
    assert_eq!(sent, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    sent.clear();
    assert_eq!(
        Conn::server(Config::default()).send(wsp_kind::WSP_TEXT, b"Hello", true, &mut sent),
        WSP_OK
    );
    assert_eq!(sent, b"\x81\x05Hello");
}

#[test]
fn fragments_of_one_end_are_one_message_at_the_other() {
    for kind in [wsp_kind::WSP_TEXT, wsp_kind::WSP_BINARY] {
        let (mut client, mut server) =
            (Conn::client(Config::default()), Conn::server(Config::default()));
        let mut sent = Vec::new();
        for (piece, last) in [("ab", false), ("", false), ("\u{20ac}", false), ("d", true)] {
            assert_eq!(client.send(kind, piece.as_bytes(), last, &mut sent), WSP_OK);
        }
        let mut got = Vec::<u8>::new();
        for chunk in sent.chunks_mut(3) {
            let mut input = Conn::input(chunk);
            loop {
                match server.next_event(&mut input) {
                    Step::None => break,
                    Step::Event(Event::Text(Part { data, .. })) => got.extend(data.as_bytes()),
                    Step::Event(Event::Binary(Part { data, .. })) => got.extend(data),
                    _ => panic!("neither text nor binary"),
                }
            }
        }
        assert_eq!(got, "ab\u{20ac}d".as_bytes());
    }
}

/// A frame longer than every buffer: its header, and then its payload in pieces.
#[test]
fn a_header_and_a_payload_that_is_masked_by_hand() {
    let mut client = open_client();
    let mut wire = Vec::new();
    let key = 0x0102_0304;
    let result = Conn::sending(&mut wire, 14, |out| unsafe {
        wsp_client_send_header(&raw mut *client, BINARY, 70_000, 1, key, out)
    });
    assert_eq!(result, WSP_OK);
    let payload: Vec<u8> = (0..70_000u32).map(|i| i as u8).collect();
    let mut offset = 0;
    for piece in payload.chunks(1001) {
        let mut piece = piece.to_vec();
        assert_eq!(unsafe { wsp_mask(piece.as_mut_ptr(), piece.len(), key, offset) }, WSP_OK);
        offset += piece.len() as u64;
        wire.extend(piece);
    }
    let mut server = Conn::server(Config::default());
    let mut input = Conn::input(&mut wire);
    match server.next_event(&mut input) {
        Step::Event(Event::Binary(part)) => {
            assert!(part.first && part.last && part.data == payload);
        }
        _ => panic!("not the message"),
    }
}

/// §5.3: a fresh key for each frame, also for the two that one call sends.
#[test]
fn the_second_key_is_for_the_second_frame() {
    let mut client = open_client();
    let mut ping = *b"\x89\x01x";
    let mut input = Conn::input(&mut ping);
    let mut event = unsafe { zeroed::<wsp_event>() };
    assert_eq!(unsafe { wsp_client_next_event(&raw mut *client, &mut input, &mut event) }, WSP_OK);
    assert_eq!(event.kind, wsp_kind::WSP_PING);
    let mut sent = Vec::new();
    let result = Conn::sending(&mut sent, 64, |out| unsafe {
        let reason = c"bye".as_ptr().cast();
        wsp_client_close(&raw mut *client, 1000, reason, 3, 0x0101_0101, 0x0202_0202, out)
    });
    assert_eq!(result, WSP_OK);
    assert_eq!(sent, b"\x8a\x81\x01\x01\x01\x01y\x88\x85\x02\x02\x02\x02\x01\xea`{g");
}

#[test]
fn a_key_of_one_call_is_not_left_for_the_next() {
    let mut client = open_client();
    let mut sent = Vec::new();
    let result = Conn::sending(&mut sent, 64, |out| unsafe {
        wsp_client_poll_transmit(&raw mut *client, 0x0101_0101, 0x0202_0202, out)
    });
    assert_eq!((result, sent.len()), (WSP_OK, 0));
    let result = Conn::sending(&mut sent, 64, |out| unsafe {
        wsp_client_ping(&raw mut *client, c"a".as_ptr().cast(), 1, 0x0404_0404, out)
    });
    assert_eq!(result, WSP_OK);
    assert_eq!(sent, b"\x89\x81\x04\x04\x04\x04e");
}

#[test]
fn with_manual_pongs_the_caller_answers() {
    let config = wsp_config { max_message: 10, manual_pongs: 7 };
    let mut server = garbage::<wsp_server>();
    assert_eq!(unsafe { wsp_server_open(&raw mut *server, &config) }, WSP_OK);
    let mut ping = *b"\x89\x81\0\0\0\0x";
    let mut input = Conn::input(&mut ping);
    let mut event = unsafe { zeroed::<wsp_event>() };
    assert_eq!(unsafe { wsp_server_next_event(&raw mut *server, &mut input, &mut event) }, WSP_OK);
    let mut sent = Vec::new();
    Conn::sending(&mut sent, 64, |out| unsafe { wsp_server_poll_transmit(&raw mut *server, out) });
    assert_eq!(sent, b"");
    let result = Conn::sending(&mut sent, 64, |out| unsafe {
        wsp_server_pong(&raw mut *server, event.data.cast(), event.len, out)
    });
    assert_eq!((result, &sent[..]), (WSP_OK, &b"\x8a\x01x"[..]));
    let result = Conn::sending(&mut sent, 64, |out| unsafe {
        wsp_server_close(&raw mut *server, 1001, null(), 0, out)
    });
    assert_eq!((result, &sent[3..]), (WSP_OK, &b"\x88\x02\x03\xe9"[..]));
    assert_eq!(unsafe { wsp_server_state(&raw const *server) }, wsp_state::WSP_STATE_CLOSE_SENT);
    assert_eq!(unsafe { wsp_server_peer_eof(&raw mut *server) }, wsp_closed::WSP_CLOSED_ABNORMAL);
}

#[test]
fn keepalive_pings_and_gives_up() {
    let mut keepalive = garbage::<wsp_keepalive>();
    let keepalive = &raw mut *keepalive;
    let timing = wsp_timing { ping_after: 100, pong_within: 50, close_within: 20 };
    let poll = |now| {
        let (mut due, mut next) = (wsp_due::WSP_DUE_DEAD, 0);
        let result = unsafe { wsp_keepalive_poll(keepalive, &timing, now, &mut due, &mut next) };
        assert_eq!(result, WSP_OK);
        (due, next)
    };
    unsafe {
        assert_eq!(wsp_keepalive_start(keepalive, 1000), WSP_OK);
        assert_eq!(poll(1099), (wsp_due::WSP_DUE_NOTHING, 1100));
        assert_eq!(poll(1100).0, wsp_due::WSP_DUE_PING);
        assert_eq!(poll(1100), (wsp_due::WSP_DUE_NOTHING, 1150));
        assert_eq!(wsp_keepalive_heard(keepalive, 1120), WSP_OK);
        assert_eq!(poll(1219), (wsp_due::WSP_DUE_NOTHING, 1220));
        assert_eq!(poll(1220).0, wsp_due::WSP_DUE_PING);
        assert_eq!(poll(1270).0, wsp_due::WSP_DUE_DEAD);
        assert_eq!(wsp_keepalive_closing(keepalive, 1300), WSP_OK);
        assert_eq!(poll(1320).0, wsp_due::WSP_DUE_CLOSE_EXPIRED);
        let never = wsp_timing { ping_after: 0, ..timing };
        assert_eq!(wsp_keepalive_start(keepalive, 0), WSP_OK);
        let (mut due, mut next) = (wsp_due::WSP_DUE_DEAD, 0);
        assert_eq!(wsp_keepalive_poll(keepalive, &never, 9, &mut due, &mut next), WSP_OK);
        assert_eq!((due, next), (wsp_due::WSP_DUE_NOTHING, u64::MAX));
        let none = std::ptr::null_mut();
        assert_eq!(wsp_keepalive_poll(keepalive, &never, 9, &mut due, none), WSP_OK);
    }
}

#[test]
fn messages_are_put_together_if_they_fit() {
    let mut buffer = [0xa5; 8];
    let mut message = wsp_message { data: buffer.as_mut_ptr(), size: 8, len: 0, overflown: 0 };
    let mut push = |data: &[u8], first, last| {
        let event = wsp_event {
            kind: wsp_kind::WSP_BINARY,
            first,
            last,
            data: data.as_ptr(),
            len: data.len(),
            ..unsafe { zeroed() }
        };
        let result = unsafe { wsp_message_push(&mut message, &event) };
        (result, unsafe { slice::from_raw_parts(message.data, message.len) }.to_vec())
    };
    assert_eq!(push(b"abc", true, false), (WSP_MORE, b"abc".to_vec()));
    assert_eq!(push(b"", false, false), (WSP_MORE, b"abc".to_vec()));
    assert_eq!(push(b"defgh", false, true), (WSP_OK, b"abcdefgh".to_vec()));
    assert_eq!(push(b"123456789", true, false).0, WSP_FULL);
    assert_eq!(push(b"1", false, true).0, WSP_FULL, "the rest of it does not fit either");
    assert_eq!(push(b"x", true, true), (WSP_OK, b"x".to_vec()));
    let ping = wsp_event { kind: wsp_kind::WSP_PING, ..unsafe { zeroed() } };
    let mut message = wsp_message { data: buffer.as_mut_ptr(), size: 8, len: 9, overflown: 0 };
    assert_eq!(unsafe { wsp_message_push(&mut message, &ping) }, WSP_MORE);
    let piece = wsp_event { kind: wsp_kind::WSP_TEXT, ..ping };
    assert_eq!(unsafe { wsp_message_push(&mut message, &piece) }, WSP_LENGTH);
}
