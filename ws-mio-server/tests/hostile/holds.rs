//! Attacks by holding on to something.

use std::time::Instant;

use crate::common::{BINARY, Client, LIMIT, TEXT, close, frame, until};
use crate::{MIB, Target, pour};

/// For a length that is declared nothing is allocated but for what comes.
pub(crate) fn giants(target: &Target) {
    let clients: Vec<_> = (0..150_u64)
        .map(|number| {
            let mut client = target.open(["/echo", "/relay/giants"][number as usize % 2]);
            let len = (MIB as u64).to_be_bytes();
            client.write(&[&[BINARY, 0xff][..], &len, &[0; 4], b"and a few bytes"].concat());
            client
        })
        .collect();
    target.is_calm();
    assert!(target.metric("wsmio_websockets") > 0);
    drop(clients);
    // Too much is found at the header.
    for len in [MIB as u64 + 1, 1 << 32, u64::MAX >> 1] {
        for path in ["/echo", "/relay/giants", "/chat/giants"] {
            let mut client = target.open(path);
            client.write(&[&[BINARY, 0xff][..], &len.to_be_bytes(), &[0; 4]].concat());
            while client.frame().start != 0x88 {}
        }
    }
}

/// Neither is it for a body's.
pub(crate) fn bodies(target: &Target) {
    let clients: Vec<_> = (0..150)
        .map(|number| {
            let path = ["/sse/bodies", "/api/rooms/a/messages"][number % 2];
            let mut client = target.connect();
            let key = key(target);
            client.write(
                format!(
                    "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\
                     Content-Length: 1048576\r\n\r\n{{"
                )
                .as_bytes(),
            );
            client
        })
        .collect();
    target.is_calm();
    drop(clients);
}

/// The key of this run's API.
fn key(target: &Target) -> String {
    let line = target.program.banner.iter().find(|line| line.contains("Bearer")).unwrap();
    line.split_once("Bearer ").unwrap().1.split('\'').next().unwrap().to_owned()
}

/// Streams of events that nobody reads while much is said, and members of the room who don't either.
pub(crate) fn streams(target: &Target) {
    let mut deaf: Vec<Client> = (0..20)
        .map(|number| {
            let mut client = target.narrow();
            let path = format!("/sse/streams?username=deaf-{number}");
            client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
            assert!(client.head().starts_with("HTTP/1.1 200 "));
            client
        })
        .collect();
    deaf.extend((0..10).map(|number| {
        let mut client = target.narrow();
        client.upgrade(&format!("/chat/streams?username=dumb-{number}"));
        client
    }));
    let mut loud = target.open("/chat/streams?username=loud");
    let content = "x".repeat(15_000);
    let message = frame(TEXT, format!(r#"{{"type":"message","content":"{content}"}}"#).as_bytes());
    let begun = Instant::now();
    // Until all of them are cut off.
    while target.metric("wsmio_websockets") + target.metric("wsmio_event_streams") > 1 {
        for _ in 0..10 {
            loud.write(&message);
            while !loud.frame().payload.ends_with(br#"Z"}"#) {}
        }
        let queued = target.metric("wsmio_queued_bytes");
        assert!(queued <= deaf.len() * (MIB + MIB / 4), "{queued} bytes wait");
        assert!(begun.elapsed() < LIMIT, "they are not cut off");
    }
}

/// Polls that wait for a room in which nothing is said, from clients that are gone.
pub(crate) fn polls(target: &Target) {
    for _ in 0..3 {
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let mut client = target.connect();
                // There is nothing since a position of another life.
                client.write(b"GET /poll/silence?since=x:0&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
                client.write(b"GET /poll/silence?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
                client
            })
            .collect();
        target.is_calm();
        clients.into_iter().for_each(Client::reset);
    }
}

/// Nobody answers pings: the network has lost them.
pub(crate) fn silent(target: &Target) {
    let paths = ["/echo", "/relay/silent", "/chat/silent"];
    let clients: Vec<_> = (0..60).map(|number| target.open(paths[number % 3])).collect();
    until("all are found out", || target.metric("wsmio_websockets") == 0);
    drop(clients);
}

/// Half a closing handshake, in either direction, and much behind it.
pub(crate) fn closing(target: &Target) {
    let mut clients = Vec::new();
    for number in 0..60 {
        let mut client = target.open(["/echo", "/relay/closing"][number % 2]);
        match number % 6 {
            // The Close is answered, and then nothing is said, or much.
            0 | 1 => client.write(&close(1000, "")),
            2 => client.write(&[close(1000, ""), frame(TEXT, b"x").repeat(1000)].concat()),
            3 => client.write(&close(1000, "again").repeat(1000)),
            // The server's Close is not answered.
            4 => client.write(&[0x83, 0x80, 0, 0, 0, 0]),
            _ => {
                client.write(&[0x83, 0x80, 0, 0, 0, 0]);
                pour(&mut client, &frame(TEXT, &[b'x'; 10_000]), 100);
            }
        }
        clients.push(client);
    }
    until("all have had their time", || target.metric("wsmio_connections") == 1);
    for (number, client) in clients.iter_mut().enumerate() {
        // It may have been reset: it was still sending when its time was over.
        if number % 6 != 5 {
            assert_eq!(client.frame().code(), if number % 6 < 4 { 1000 } else { 1002 });
            client.ended();
        }
    }
}
