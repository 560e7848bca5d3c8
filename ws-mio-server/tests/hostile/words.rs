//! Attacks by what is said.

use crate::common::{BINARY, CLOSE, Client, PING, TEXT, close, frame, request};
use crate::{MIB, Target};

/// Violations among the members of a room: each is told its code, the others hear nothing of it.
pub(crate) fn violations(target: &Target) {
    const CONTINUATION: u8 = 0x80;
    let begun = |start: u8| start & 0x7f;
    let table: Vec<(u16, Vec<u8>)> = vec![
        (1002, vec![TEXT, 0x01, b'x']),
        (1002, frame(0x83, b"")),
        (1002, frame(0x8f, b"")),
        (1002, frame(TEXT | 0x40, b"x")),
        (1002, frame(BINARY | 0x10, b"x")),
        (1002, vec![BINARY, 0xfe, 0, 125]),
        (1002, vec![BINARY, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (1002, vec![PING, 0xfe]),
        (1002, vec![begun(CLOSE), 0x80]),
        (1002, frame(CONTINUATION, b"x")),
        (1002, [frame(begun(TEXT), b"x"), frame(TEXT, b"x")].concat()),
        (1002, frame(CLOSE, b"x")),
        (1002, close(1006, "")),
        (1002, close(1015, "")),
        (1002, close(65535, "")),
        (1007, frame(TEXT, b"\xed\xa0\x80")),
        (1007, frame(TEXT, b"\xf4\x90")),
        (1007, [frame(begun(TEXT), b"\xe2\x82"), frame(CONTINUATION, b"")].concat()),
        (1007, frame(CLOSE, b"\x03\xe8\xc3")),
        (1009, [&[TEXT, 0xff][..], &(1_u64 << 40).to_be_bytes()].concat()),
    ];
    let mut relay = target.open("/relay/violations");
    let mut chat = target.open("/chat/violations?username=witness");
    for (code, bytes) in &table {
        for path in ["/relay/violations", "/chat/violations?username=witness"] {
            let mut client = target.open(path);
            client.write(bytes);
            let last = std::iter::from_fn(|| client.next()).last().expect("a Close");
            assert_eq!(last.code(), *code, "{path}: {bytes:x?}");
        }
    }
    // The first thing of all that they hear. The server asks whether they live, too.
    target.open("/relay/violations").send(BINARY, b"only this");
    assert!(heard(&mut relay, b"only this").is_empty());
    let mut other = target.open("/chat/violations?username=other");
    other.send(TEXT, br#"{"type":"message","content":"only this"}"#);
    let heard = heard(&mut chat, b"\"content\":\"only this\"");
    // It has joined, and so has the other.
    assert_eq!(heard.len(), 2, "{heard:?}");
}

/// What a member gets until a message that contains `last`.
fn heard(member: &mut Client, last: &[u8]) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let frame = member.frame();
        if frame.start == PING {
            member.send(0x8a, &frame.payload);
        } else if frame.payload.windows(last.len()).any(|part| part == last) {
            return heard;
        } else {
            heard.push(String::from_utf8_lossy(&frame.payload).into_owned());
        }
    }
}

/// Each is told an error, or ignored, and the connection stays; nothing overflows a stack.
pub(crate) fn json(target: &Target) {
    let deep = |open: &str, close: &str| open.repeat(MIB / 8) + &close.repeat(MIB / 8);
    let table = [
        String::new(),
        deep("[", ""),
        deep("[", "]"),
        deep("{\"a\":", ""),
        format!(r#"{{"type":"message","content":{}"#, deep("[", "]")),
        r#"{"type":"message","content":1e999}"#.to_owned(),
        format!(r#"{{"type":"message","content":{}}}"#, "9".repeat(MIB / 2)),
        r#"{"type":"message","content":"\ud800"}"#.to_owned(),
        r#"{"type":"message","content":"\u0000"#.to_owned(),
        r#"{"type":"message","content":"a","content":7}"#.to_owned(),
        r#"{"type":"message","type":"typing"}"#.to_owned(),
        r#"{"type":{"type":"message"},"content":"a"}"#.to_owned(),
        format!(r#"{{"type":"message","content":"a","clientId":"{}"}}"#, "x".repeat(129)),
        r#"{"type":"message","content":"a","clientId":""}"#.to_owned(),
        r#"{"type":"message","content":"a"} {}"#.to_owned(),
        "\u{feff}{\"type\":\"message\",\"content\":\"a\"}".to_owned(),
        format!("{{{}\"type\":\"message\"}}", "\"x\":1,".repeat(100_000)),
        "\\".repeat(1000),
        "\0".repeat(1000),
    ];
    let mut client = target.open("/chat/json?username=a");
    for text in &table {
        client.send(TEXT, text.as_bytes());
        let shown = &text[..text.len().min(60)];
        let answer = next(&mut client);
        assert!(answer.starts_with(r#"{"type":"error""#), "{shown}: {answer}");
        assert!(answer.len() < 1000, "{shown}: it is echoed");
    }
    client.send(TEXT, br#"{"type":"message","content":"still here"}"#);
    assert!(next(&mut client).contains("still here"));
    // The same by plain requests: refused by a status.
    for text in &table {
        let mut client = target.connect();
        let length = text.len();
        let head = format!(
            "POST /sse/json?username=a HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        );
        client.write((head + text).as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 4"), "{}: {head}", &text[..text.len().min(60)]);
    }
}

/// The next that is not about who comes, or a ping.
fn next(client: &mut Client) -> String {
    loop {
        let frame = client.frame();
        let text = String::from_utf8_lossy(&frame.payload).into_owned();
        if frame.start == PING {
            client.send(0x8a, &frame.payload);
        } else if !text.starts_with(r#"{"type":"joined""#) {
            return text;
        }
    }
}

/// Nothing is agreed that was not offered, or can't be kept; a list that is none is refused or ignored.
pub(crate) fn offers(target: &Target) {
    let many = vec!["permessage-deflate; server_max_window_bits=7"; 250].join(", ");
    let parameters = "permessage-deflate".to_owned() + &"; client_no_context_takeover".repeat(300);
    let table: &[(&[u16], bool, &str)] = &[
        (&[101], true, "permessage-deflate; server_max_window_bits=10"),
        (&[101], true, "permessage-deflate; server_max_window_bits=\"10\""),
        (&[101], true, "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits"),
        (&[101], true, "permessage-deflate; unknown, permessage-deflate"),
        (&[101], false, "permessage-deflate; server_max_window_bits=8"),
        (&[101], false, "permessage-deflate; server_max_window_bits=16"),
        (&[101], false, "permessage-deflate; server_max_window_bits=010"),
        (&[101], false, "permessage-deflate; server_max_window_bits=+9"),
        (&[101], false, "permessage-deflate; server_max_window_bits"),
        (&[101], false, "permessage-deflate; server_no_context_takeover=1"),
        (
            &[101],
            false,
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        ),
        (&[101], false, &parameters),
        (&[101], false, &many),
        (&[101, 400], false, "permessage-deflate; server_max_window_bits=\"10"),
        (&[101, 400], false, "permessage-deflate;;"),
        (&[101, 400], false, "=, ;, permessage-deflate="),
        (&[101, 400], false, "\"permessage-deflate\""),
    ];
    for (statuses, is_agreed, offer) in table {
        let mut client = target.connect();
        let asked = request("/echo").trim_end().to_owned();
        client.write(format!("{asked}\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n").as_bytes());
        let head = client.head();
        let status: u16 = head[9..12].parse().unwrap();
        let shown = &offer[..offer.len().min(80)];
        assert!(statuses.contains(&status), "{shown}: {head}");
        let agreed = head.matches("permessage-deflate").count();
        assert_eq!(agreed, usize::from(*is_agreed), "{shown}: {head}");
        if status == 101 && !is_agreed {
            // Then nothing may be compressed.
            client.send(TEXT | 0x40, &[0x00]);
            client.closed(1002);
        }
    }
}

/// Bytes without sense, where HTTP, TLS and frames are due.
pub(crate) fn noise(target: &Target) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = || {
        let bytes = (0..40).flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        bytes.collect::<Vec<_>>()
    };
    for turn in 0..200 {
        let mut client = match turn % 5 {
            0 => target.connect(),
            1 => Client::connect(target.tls),
            2 => target.open("/echo"),
            3 => target.open("/relay/noise"),
            _ => target.open("/chat/noise"),
        };
        let mut bytes = noise();
        if turn % 5 == 1 && turn % 2 == 0 {
            // A record of a handshake, as far as its header goes.
            bytes[..5].copy_from_slice(&[0x16, 0x03, 0x01, 0x01, 0x00]);
        }
        if turn % 5 > 1 && turn % 2 == 0 {
            // A frame of some kind, with noise in it.
            bytes[0] &= 0x8f;
            bytes[1] = 0xfd;
        }
        client.write(&bytes);
        client.finish_sending();
        client.stream.set_nonblocking(false).unwrap();
        crate::common::until("it is gone", || client.is_gone());
    }
}
