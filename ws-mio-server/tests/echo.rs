//! Messages and closing handshakes over a socket: what is sent comes back, and nothing is lost at the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::thread;

use common::{BINARY, CLOSE, Client, PING, PONG, TEXT, close, echo, frame, serve};

const CONTINUATION: u8 = 0x80;

/// The same first byte without FIN.
const fn begun(start: u8) -> u8 {
    start & 0x7f
}

/// Bytes in which a lost or doubled piece would show.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Text of code points of every length.
fn text(len: usize) -> String {
    let mut text: String = "aé€😀".chars().cycle().take(len / 3).collect();
    text.extend(std::iter::repeat_n('.', len - text.len()));
    text
}

#[test]
fn messages_of_every_size_come_back() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    for len in [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 65_537, 200_000, 1024 * 1024] {
        client.send(BINARY, &pattern(len));
        client.expect(BINARY, &pattern(len));
        client.send(TEXT, text(len).as_bytes());
        client.expect(TEXT, text(len).as_bytes());
    }
    assert_eq!(server.handle.stats().messages, 22);
}

#[test]
fn large_text_that_goes_wrong_is_refused_wherever_it_does() {
    let server = serve(echo());
    for wrong in [10, 70_000, 150_000, 299_999] {
        let mut client = server.open("/echo");
        let mut bytes = vec![b'a'; 300_000];
        bytes[wrong] = 0xff;
        client.send(TEXT, &bytes);
        client.closed(1007);
    }
    // Others are not disturbed, and what was begun is forgotten.
    server.open("/echo").echo(&text(300_000));
    server.until_empty();
}

#[test]
fn fragments_become_one_message_and_pings_between_them_are_answered_at_once() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    let text = text(300);
    let pieces = text.as_bytes().chunks(7).collect::<Vec<_>>();
    for (i, piece) in pieces.iter().enumerate() {
        let start = if i == 0 { TEXT } else { CONTINUATION };
        client.send(if i + 1 == pieces.len() { start } else { begun(start) }, piece);
        client.send(PING, piece);
        // The message is complete before the last ping is.
        if i + 1 == pieces.len() {
            client.expect(TEXT, text.as_bytes());
        }
        client.expect(PONG, piece);
    }
    client.send(begun(BINARY), &[]);
    client.send(begun(CONTINUATION), &[]);
    client.send(PONG, b"nobody asked for it");
    client.send(CONTINUATION, &[]);
    client.expect(BINARY, &[]);
}

#[test]
fn bytes_may_come_one_by_one() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    let text = text(300);
    let pieces = [
        frame(TEXT, text.as_bytes()),
        frame(begun(BINARY), &pattern(130)),
        frame(PING, b"still there?"),
        frame(CONTINUATION, b""),
        close(4321, "enough"),
    ];
    for byte in pieces.concat() {
        client.write(&[byte]);
    }
    client.expect(TEXT, text.as_bytes());
    client.expect(PONG, b"still there?");
    client.expect(BINARY, &pattern(130));
    client.closed(4321);
}

#[test]
fn the_limit_of_a_message_is_exact() {
    let server = serve(echo().max_message(1000));
    let mut client = server.open("/echo");
    client.send(BINARY, &pattern(1000));
    client.expect(BINARY, &pattern(1000));
    client.send(begun(BINARY), &pattern(999));
    client.send(begun(CONTINUATION), &[]);
    client.send(CONTINUATION, &[9]);
    assert_eq!(client.frame().payload.len(), 1000);
    // Over it by one: found at the header, before any payload.
    client.write(&frame(BINARY, &pattern(1001))[..8]);
    client.closed(1009);
    let mut client = server.open("/echo");
    client.send(begun(BINARY), &pattern(1000));
    client.write(&frame(CONTINUATION, &[9])[..6]);
    client.closed(1009);
    // Whatever a header declares.
    for len in [1 << 31, 1 << 32, u64::MAX >> 1] {
        let mut client = server.open("/echo");
        client.write(&[&[BINARY, 0xff][..], &len.to_be_bytes(), &[0; 4]].concat());
        client.closed(1009);
    }
}

#[test]
fn a_violation_is_answered_with_its_code_behind_earlier_replies() {
    let server = serve(echo());
    for (code, violation) in [
        (1002, vec![TEXT, 0x01, b'x']),
        (1002, frame(0x83, b"")),
        (1002, frame(0x8b, b"")),
        (1002, frame(TEXT | 0x40, b"x")),
        (1002, frame(TEXT | 0x20, b"x")),
        (1002, frame(PING | 0x10, b"x")),
        (1002, vec![BINARY, 0xfe, 0, 125]),
        (1002, [&[BINARY, 0xff][..], &0xffff_u64.to_be_bytes()].concat()),
        (1002, [&[BINARY, 0xff][..], &(1_u64 << 63).to_be_bytes()].concat()),
        (1002, vec![PING, 0xfe]),
        (1002, vec![begun(PING), 0x80]),
        (1002, frame(CONTINUATION, b"x")),
        (1002, [frame(begun(TEXT), b"x"), frame(TEXT, b"x")].concat()),
        (1002, frame(CLOSE, b"x")),
        (1002, close(999, "")),
        (1002, close(1005, "")),
        (1002, close(1006, "")),
        (1002, close(2999, "")),
        (1002, close(5000, "")),
        (1007, frame(TEXT, b"\xc0\x80")),
        (1007, frame(TEXT, "é".as_bytes().split_last().unwrap().1)),
        (1007, [frame(begun(TEXT), b"\xf0\x9f"), frame(CONTINUATION, b"")].concat()),
        // Found at the first bad byte: the rest of the frame has not come.
        (1007, frame(TEXT, b"ab\xff....")[..9].to_vec()),
        (1007, frame(CLOSE, b"\x03\xe8\xff")),
    ] {
        let mut client = server.open("/echo");
        client.write(
            &[frame(TEXT, b"before"), frame(PING, b"p"), violation, frame(TEXT, b"behind")]
                .concat(),
        );
        client.expect(TEXT, b"before");
        client.expect(PONG, b"p");
        client.closed(code);
    }
    assert_eq!(server.handle.stats().messages, 24);
    server.until_empty();
}

#[test]
fn a_close_is_answered_with_its_code_and_the_server_closes_tcp_first() {
    let server = serve(echo());
    for (body, code) in [
        (&b""[..], 1005),
        (b"\x03\xe8", 1000),
        (b"\x03\xe9going", 1001),
        (b"\x0b\xb8", 3000),
        (b"\x13\x87", 4999),
    ] {
        let mut client = server.open("/echo");
        client.write(&[frame(TEXT, b"last"), frame(CLOSE, body), frame(TEXT, b"late")].concat());
        client.expect(TEXT, b"last");
        // This side has not closed: the end comes from the server.
        client.closed(code);
    }
    server.until_empty();
}

#[test]
fn replies_and_close_arrive_though_the_peer_goes_on_sending() {
    let server = serve(echo());
    let violation = frame(0x83, b"");
    for (last, code) in [(close(1000, "bye"), 1000), (violation, 1002)] {
        let mut client = server.open("/echo");
        for i in 0..100 {
            client.send(TEXT, format!("{i}").as_bytes());
        }
        client.write(&last);
        // Were any of this not read, a RST would overtake the replies.
        for _ in 0..100 {
            client.write(&frame(BINARY, &pattern(64 * 1024)));
        }
        for i in 0..100 {
            client.expect(TEXT, format!("{i}").as_bytes());
        }
        client.closed(code);
    }
}

#[test]
fn replies_reach_a_peer_that_has_closed_its_sending_side() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    client.write(&[frame(TEXT, b"one"), frame(TEXT, b"two")].concat());
    client.finish_sending();
    client.expect(TEXT, b"one");
    client.expect(TEXT, b"two");
    client.ended();

    // More than all buffers on the way hold: the rest waits in the server, and so does the end.
    let mut client = server.open("/echo");
    let mut writer = Client::of(client.stream.try_clone().unwrap());
    let sending = thread::spawn(move || {
        for i in 0..=255 {
            writer.send(BINARY, &[i; 64 * 1024]);
        }
        writer.finish_sending();
    });
    for i in 0..=255 {
        client.expect(BINARY, &[i; 64 * 1024]);
    }
    client.ended();
    sending.join().unwrap();
    server.until_empty();
}

#[test]
fn a_reset_inside_of_a_message_harms_nobody_else() {
    let server = serve(echo());
    let mut other = server.open("/echo");
    for part in [&frame(TEXT, b"Hello")[..8], &frame(BINARY, &pattern(100_000))[..70_000]] {
        let mut client = server.open("/echo");
        client.write(part);
        client.reset();
        other.echo("undisturbed");
    }
    let mut client = server.open("/echo");
    client.send(begun(BINARY), &pattern(70_000));
    client.reset();
    drop(other);
    server.until_empty();
}
