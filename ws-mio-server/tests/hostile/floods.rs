//! Attacks by doing much.

use std::io::Write as _;
use std::time::Duration;

use ws_proto::deflate::{Agreement, Deflater, Settings};
use ws_proto::handshake::Agreed;
use ws_proto::{Config, Connection, Server};

use crate::common::{BINARY, Client, PING, TEXT, close, frame, request};
use crate::{MIB, Target, pour};

const CONTINUATION: u8 = 0x80;
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;

/// Only the newest ping is owed a pong to a peer that does not read.
pub(crate) fn pings(target: &Target) {
    for path in ["/echo", "/relay/pings", "/chat/pings"] {
        let mut client = target.narrow();
        client.upgrade(path);
        let pings = frame(PING, &[b'p'; 125]).repeat(500);
        let poured = pour(&mut client, &pings, 8 * MIB / pings.len());
        assert!(poured > MIB / 8, "{poured}: it was never tried");
        target.is_calm();
    }
}

/// Fragments have no header in memory, and those of no byte nothing at all.
pub(crate) fn fragments(target: &Target) {
    let mut client = target.open("/echo");
    client.send(BINARY & !FIN, b"");
    let bytes = frame(0, b"x").repeat(1000);
    let none = frame(0, b"").repeat(1000);
    for _ in 0..200 {
        client.write(&bytes);
        client.write(&none);
    }
    client.send(CONTINUATION, b"");
    client.expect(BINARY, &[b'x'; 200_000]);
    client.write(&close(1000, ""));
    client.closed(1000);
}

fn deflating(target: &Target, mut client: Client, path: &str) -> Client {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    client.write((request(path).trim_end().to_owned() + "\r\n" + offer).as_bytes());
    let head = client.head();
    assert!(head.contains("permessage-deflate"), "{head}, {}", target.program.banner.len());
    client
}

/// A megabyte of blocks that hold nothing is a message of no byte, which takes no longer than its bytes.
pub(crate) fn empty_blocks(target: &Target) {
    // An uncompressed block of no byte, and the last without what is left out of each message.
    let block = [0x00, 0x00, 0x00, 0xff, 0xff];
    let mut data = block.repeat(200_000);
    data.push(0x00);
    for path in ["/echo", "/relay/blocks"] {
        let mut client = deflating(target, target.connect(), path);
        client.send(BINARY | RSV1, &data);
        // Many messages of next to nothing.
        client.write(&frame(TEXT | RSV1, &[0x00]).repeat(20_000));
        if path == "/echo" {
            assert!(client.frame().payload.len() < 16);
            for _ in 0..20_000 {
                assert!(client.frame().payload.len() < 16);
            }
        }
        client.write(&close(1000, ""));
        client.closed(1000);
    }
}

/// Half a mebibyte of zeros in some hundred bytes, whose replies nobody reads.
pub(crate) fn amplified(target: &Target) {
    let agreed = Agreed::elsewhere().with_deflate(Agreement::default());
    let mut sender = Connection::new(Server, Config::default(), agreed);
    let mut deflater = Deflater::new(&Settings::default(), Agreement::default().sent);
    let mut sent = Vec::new();
    sender.send_deflated(&vec![0_u8; MIB / 2][..], true, &mut deflater, &mut sent).unwrap();
    assert_eq!(sent[1], 126, "two bytes of length, and the data");
    let message = frame(BINARY | RSV1, &sent[4..]);
    assert!(message.len() < 2048);
    let mut clients: Vec<_> = (0..8).map(|_| deflating(target, target.narrow(), "/echo")).collect();
    // As much as is taken of them at once, and others each time.
    for client in &mut clients {
        client.stream.set_nonblocking(true).unwrap();
        let _ = client.stream.write(&message.repeat(20));
        target.serves();
    }
}

/// Whoever does not take answers gets no more of them.
pub(crate) fn requests(target: &Target) {
    for path in ["/healthz", "/client.js", "/nothing", "/poll/a?wait=0"] {
        let mut client = target.narrow();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(100);
        pour(&mut client, request.as_bytes(), 200);
        target.is_calm();
    }
}

/// Time linear in the bytes of a head, however they come.
pub(crate) fn slow_heads(target: &Target) {
    let head = request("/echo");
    let filler = format!("X: {}\r\n\r\n", "y".repeat(14_000));
    let head = head.trim_end().to_owned() + "\r\n" + &filler;
    let mut client = target.connect();
    let (last, first) = head.as_bytes().split_last().unwrap();
    for byte in first {
        client.write(&[*byte]);
    }
    client.write(&[*last]);
    // It is too late, or was quick enough.
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 ") || head.starts_with("HTTP/1.1 408 "), "{head}");
}

/// A body in 50,000 chunks, and one with much behind the length of a chunk.
pub(crate) fn chunks(target: &Target) {
    let post =
        "POST /sse/chunks?username=a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = target.connect();
    client.write(post.as_bytes());
    let body = r#"{"type":"message","content":""#.to_owned() + &"x".repeat(50_000) + r#""}"#;
    let chunks: String = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    client.write((chunks + "0\r\n\r\n").as_bytes());
    assert!(client.head().starts_with("HTTP/1.1 "));
    let mut client = target.connect();
    client.write(post.as_bytes());
    pour(&mut client, b"1;extension=", 200_000);
    let mut client = target.connect();
    client.write((post.to_owned() + "1\r\nx\r\n0\r\n").as_bytes());
    pour(&mut client, b"Trailer: and no end\r\n", 100_000);
}

/// Wrong keys are refused, one as the other, and names of requests are not remembered without end.
pub(crate) fn guesses(target: &Target) {
    for number in 0..300 {
        let mut client = target.connect();
        let field = format!("Authorization: Bearer {number:032x}");
        client.write(
            format!(
                "POST /api/rooms/a/messages HTTP/1.1\r\nHost: a\r\n{field}\r\nContent-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        );
        assert!(client.head().starts_with("HTTP/1.1 401 "));
    }
}

/// A room that is left and has nothing to tell is forgotten; what is said is kept within a limit for all.
pub(crate) fn rooms(target: &Target) {
    let content = "x".repeat(1000);
    for number in 0..400 {
        let mut client = target.open(&format!("/chat/room-{number}?username=guest-{number}"));
        let message = format!(r#"{{"type":"message","content":"{content}"}}"#);
        client.send(TEXT, message.as_bytes());
        while !client.frame().payload.starts_with(br#"{"type":"message""#) {}
    }
}

/// Resets at every place of a connection's life, on every kind of path.
pub(crate) fn resets(target: &Target) {
    let paths =
        ["/echo", "/relay/resets", "/chat/resets?username=a", "/sse/resets", "/poll/resets", "/"];
    let websockets = 3;
    for turn in 0..300_usize {
        let (kind, path) = (turn % paths.len(), paths[turn % paths.len()]);
        let mut client = target.connect();
        if turn % 7 == 0 {
            client.reset();
            continue;
        }
        if kind >= websockets {
            client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        } else if turn % 5 == 0 {
            client.write(&request(path).as_bytes()[..40 + turn % 80]);
        } else {
            client.upgrade(path);
            let message = frame(TEXT, &[b'x'; 3000]);
            client.write(&message[..message.len() - turn % 3 * 1000]);
        }
        match turn % 4 {
            0 => client.finish_sending(),
            1 => drop(client),
            _ => client.reset(),
        }
    }
    std::thread::sleep(Duration::from_millis(1));
}
