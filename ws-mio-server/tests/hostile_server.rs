//! Servers that mean harm, against our client role: `ws-mio-server connect` as it runs, and the core. Whatever they
//! answer, the client says what was wrong, ends, and takes little memory.
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

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{BINARY, CLOSE, Client, LIMIT, PING, TEXT, until};
use ws_proto::deflate::{Agreement, Deflater, Settings};
use ws_proto::handshake::{Agreed, Choice, Field, Upgrade};
use ws_proto::{Config, Connection, Event, Input, Scratch, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");
const MIB: usize = 1024 * 1024;

/// What the client came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
}

/// A client that runs; its input stays open.
struct User {
    child: Child,
    begun: Instant,
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl User {
    /// The most memory that it has had, in bytes.
    fn peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }

    fn ended(mut self) -> Ran {
        let mut code = None;
        until("the client ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        let (mut stdout, mut stderr) = (Vec::new(), String::new());
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        Ran { code: code.unwrap().code(), stdout, stderr, took: self.begun.elapsed() }
    }
}

/// Waits for clients.
struct Host(TcpListener);

impl Host {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Starts a client and reads its request: the proof that is due for its key comes with it.
    fn meet(&self, arguments: &[&str]) -> (User, Client, String) {
        let mut command = Command::new(PROGRAM);
        command.arg("connect").arg(format!("ws://{}/a", self.0.local_addr().unwrap()));
        command.args(arguments).stdin(Stdio::piped());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let user = User { child, begun: Instant::now() };
        let mut client = Client::of(self.0.accept().unwrap().0);
        let head = client.head();
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        (user, client, proof(key))
    }

    /// The same, and opens the connection.
    fn open(&self, arguments: &[&str]) -> (User, Client) {
        let (user, mut client, proof) = self.meet(arguments);
        client.write(answer(&proof, "").as_bytes());
        (user, client)
    }
}

/// What proves that the key was read, by the code under test of the other role.
fn proof(key: &str) -> String {
    let fields = [
        Field::new("Host", "a"),
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "Upgrade"),
        Field::new("Sec-WebSocket-Key", key),
        Field::new("Sec-WebSocket-Version", "13"),
    ];
    let mut response = Vec::new();
    Upgrade::parse("GET", &fields).unwrap().accept(Choice::default(), &mut response).unwrap();
    let response = String::from_utf8(response).unwrap();
    let line = response.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Accept: "));
    line.unwrap().to_owned()
}

fn answer(proof: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\n{more}\r\n"
    )
}

#[test]
fn no_answer_but_the_right_one_opens_a_connection() {
    let host = Host::new();
    let accept = "Sec-WebSocket-Accept: PROOF\r\n";
    let good = answer("PROOF", "");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let also = |more: &str| answer("PROOF", more);
    for response in [
        with("101", "200"),
        with("101", "100"),
        with("101", "1010"),
        with("101", "10"),
        with("HTTP/1.1", "HTTP/1.0"),
        with("HTTP/1.1", "HTTP/2.0"),
        with("HTTP/1.1", "ICY"),
        with(accept, ""),
        with("PROOF", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        with("PROOF", "PROOF="),
        with(accept, &accept.repeat(2)),
        with("Upgrade: websocket", "Upgrade: websocket2"),
        with("Upgrade: websocket\r\n", ""),
        with("Connection: Upgrade\r\n", ""),
        with("Connection: Upgrade", "Connection: close"),
        with("Upgrade: websocket", "Upgrade : websocket"),
        with("Upgrade: websocket", "Upgrade: \0websocket"),
        with("Upgrade: websocket", "Upgrade:\r\n websocket"),
        with("\r\nUpgrade", "\nUpgrade"),
        also("Sec-WebSocket-Protocol: chat\r\n"),
        also("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n"),
        also("Sec-WebSocket-Protocol: a, a\r\n"),
        also("Sec-WebSocket-Extensions: x-compress\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=09\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate; unknown\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover=1\r\n"),
        also("Sec-WebSocket-Extensions: permessage-deflate;\r\n"),
        "\x16\x03\x01\x02\0".repeat(10) + "\r\n\r\n",
        "\r\n\r\n".to_owned(),
    ] {
        let (user, mut client, proof) = host.meet(&["-s", "a"]);
        client.write(response.replace("PROOF", &proof).as_bytes());
        // It is not a connection: no message of it is shown.
        let _ = client.stream.write_all(b"\x81\x05never");
        let _ = client.stream.shutdown(Shutdown::Write);
        let ran = user.ended();
        assert!(ran.code == Some(1) && ran.stdout.is_empty(), "{response:?}: {ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{response:?}: {ran:?}");
    }
}

#[test]
fn heads_and_bodies_without_end_are_not_waited_for() {
    let host = Host::new();
    for (begin, more) in [
        ("HTTP/1.1 101 ", "x"),
        ("HTTP/1.1 101 \r\n", "Field: value\r\n"),
        ("HTTP/1.1 101 \r\nField: ", "value "),
        ("HTTP/1.1 403 \r\nContent-Length: 99999999999\r\n\r\n", "no end "),
    ] {
        let (user, mut client, _) = host.meet(&[]);
        client.write(begin.as_bytes());
        // Until it has had enough.
        let more = more.repeat(1000);
        let begun = Instant::now();
        while client.stream.write_all(more.as_bytes()).is_ok() {
            assert!(begun.elapsed() < LIMIT, "{begin:?}: it takes all");
        }
        let ran = user.ended();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.len() < 8 * 1024, "{} bytes are told", ran.stderr.len());
    }
    // By single bytes, for longer than it may take.
    let (user, mut client, _) = host.meet(&["--connect-timeout", "300ms"]);
    client.write(b"HTTP/1.1 101 ");
    while client.stream.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
    let ran = user.ended();
    assert!(ran.stderr.contains("took too long") && ran.took < Duration::from_secs(3), "{ran:?}");
}

/// What a server may not say, and the code with which it is closed.
fn violations() -> Vec<(u16, Vec<u8>)> {
    vec![
        (1002, vec![TEXT, 0x81, 0, 0, 0, 0, b'x']),
        (1002, vec![PING, 0x80, 0, 0, 0, 0]),
        (1002, vec![0x83, 0]),
        (1002, vec![0x8b, 0]),
        (1002, vec![TEXT | 0x40, 0]),
        (1002, vec![TEXT | 0x10, 0]),
        (1002, vec![BINARY, 126, 0, 125]),
        (1002, vec![BINARY, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        (1002, vec![BINARY, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (1002, vec![PING, 126, 0, 126]),
        (1002, vec![PING & 0x7f, 0]),
        (1002, vec![0x80, 0]),
        (1002, vec![TEXT & 0x7f, 1, b'a', TEXT, 1, b'b']),
        (1002, vec![CLOSE, 1, 3]),
        (1002, vec![CLOSE, 2, 0x03, 0xee]),
        (1002, vec![CLOSE, 2, 0x13, 0x88]),
        (1007, vec![TEXT, 2, 0xc0, 0x80]),
        (1007, vec![TEXT & 0x7f, 1, 0xe2, 0x80, 0]),
        (1007, vec![CLOSE, 3, 0x03, 0xe8, 0xff]),
        (1009, vec![BINARY, 127, 0, 0, 0, 0, 0x40, 0, 0, 0]),
        (1009, vec![BINARY, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ]
}

#[test]
fn violations_are_answered_by_their_code() {
    let host = Host::new();
    for (code, bytes) in violations() {
        let (user, mut client) = host.open(&["--no-deflate"]);
        client.write(&[b"\x81\x06before", &bytes[..], b"\x81\x06behind"].concat());
        let (start, payload) = read_masked(&mut client);
        assert_eq!(start, CLOSE, "{bytes:x?}");
        assert_eq!(payload[..2], code.to_be_bytes(), "{bytes:x?}");
        client.finish_sending();
        let ran = user.ended();
        assert_eq!((ran.code, &*ran.stdout), (Some(1), "before\n"), "{bytes:x?}: {ran:?}");
        assert!(ran.stderr.contains(&code.to_string()), "{bytes:x?}: {ran:?}");
    }
}

#[test]
fn the_core_finds_them_wherever_they_are_cut() {
    for (code, bytes) in violations() {
        let bytes = [b"\x81\x06before", &bytes[..], b"\x81\x06behind"].concat();
        for at in 0..bytes.len() {
            let key: fn() -> [u8; 4] = || [1, 2, 3, 4];
            let config = Config { max_message: 1 << 20, ..Config::default() };
            let mut connection =
                Connection::new(ws_proto::Client(key), config, Agreed::elsewhere());
            let (mut scratch, mut found, mut texts) = (Scratch::new(), Vec::new(), String::new());
            for part in [&bytes[..at], &bytes[at..]] {
                let mut part = part.to_vec();
                let mut input = Input::new(&mut part, &mut scratch);
                loop {
                    match connection.next_event(&mut input) {
                        Ok(None) => break,
                        Ok(Some(Event::Text(part))) => texts.push_str(part.data),
                        Ok(Some(_)) => {}
                        Err(error) => found.push(error.close_code().get()),
                    }
                }
            }
            assert_eq!(found, [code], "{bytes:x?} cut at {at}");
            assert!(texts.starts_with("before") && !texts.contains("behind"), "{texts}");
        }
    }
}

#[test]
fn masks_and_nonces_are_new_each_time() {
    let host = Host::new();
    let (mut keys, mut masks) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..5 {
        let (mut user, mut client, proof) = host.meet(&["--no-deflate"]);
        client.write(answer(&proof, "").as_bytes());
        keys.insert(proof);
        let mut stdin = user.child.stdin.take().unwrap();
        stdin.write_all(&b"0123456789\n".repeat(20)).unwrap();
        for _ in 0..20 {
            let mut frame = [0; 16];
            client.stream.read_exact(&mut frame).unwrap();
            assert_eq!(frame[..2], [TEXT, 0x80 | 10]);
            masks.insert(frame[2..6].to_vec());
        }
    }
    assert_eq!(keys.len(), 5);
    // Two of a hundred may be the same, once in a million runs.
    assert!(masks.len() > 98, "{}", masks.len());
}

/// A client's frame of less than 126 bytes, unmasked.
fn read_masked(client: &mut Client) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    client.stream.read_exact(&mut head).unwrap();
    let [start, len, key @ ..] = head;
    assert!((0x80..0x80 + 126).contains(&len), "{len:#x}");
    let mut payload = vec![0; usize::from(len & 0x7f)];
    client.stream.read_exact(&mut payload).unwrap();
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    (start, payload)
}

/// Writes until so much is written or nobody has taken any for some time.
fn pour(client: &mut Client, bytes: &[u8], most: usize) -> usize {
    client.stream.set_nonblocking(true).unwrap();
    let (mut written, mut since) = (0, Instant::now());
    while written < most && since.elapsed() < Duration::from_millis(300) {
        match client.stream.write(&bytes[written % bytes.len()..]) {
            Ok(n) => (written, since) = (written + n, Instant::now()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(_) => break,
        }
    }
    client.stream.set_nonblocking(false).unwrap();
    written
}

#[test]
fn pings_of_a_server_that_never_reads_take_no_memory() {
    let host = Host::new();
    let (user, mut client) = host.open(&["--no-deflate"]);
    until("it has started", || user.peak() > 0);
    let ping = [&[PING, 125][..], &[b'p'; 125]].concat().repeat(500);
    let poured = pour(&mut client, &ping, 32 * MIB);
    assert!(poured > 8 * MIB, "{poured}: it was never tried");
    let peak = user.peak();
    assert!(peak < 24 * MIB, "{peak} bytes");
    // The newest ping is answered at last, when all that the kernel holds is read.
    let begun = poured % 127;
    client.write(if begun > 0 { &ping[begun..127] } else { b"" });
    client.write(&[PING, 4, b'l', b'a', b's', b't']);
    loop {
        let (start, payload) = read_masked(&mut client);
        assert_eq!(start, common::PONG);
        if payload == b"last" {
            break;
        }
    }
}

#[test]
fn messages_without_end_and_bombs_stop_at_the_limit() {
    let host = Host::new();
    let arguments = ["--max-message", "1MiB", "--no-deflate"];
    // Fragments of some bytes, and of none.
    for fragment in [&[0, 100][..], &[0, 0]] {
        let (user, mut client) = host.open(&arguments);
        client.write(&[BINARY & 0x7f, 0]);
        let bytes = [fragment, &vec![b'x'; usize::from(fragment[1])]].concat().repeat(1000);
        let limit = if fragment[1] == 0 { MIB / 4 } else { 4 * MIB };
        pour(&mut client, &bytes, limit);
        assert!(user.peak() < 24 * MIB, "{} bytes", user.peak());
        if fragment[1] > 0 {
            let (_, payload) = read_masked(&mut client);
            assert_eq!(payload[..2], 1009_u16.to_be_bytes());
            drop(client);
            let ran = user.ended();
            assert!(ran.code == Some(1) && ran.stderr.contains("1009"), "{ran:?}");
        } else {
            // It may go on for ever, for it takes nothing.
            client.write(&[0x80, 0, CLOSE, 2, 3, 232]);
            drop(client);
            assert_eq!(user.ended().code, Some(0));
        }
    }
    let agreed = Agreed::elsewhere().with_deflate(Agreement::default());
    let mut sender = Connection::new(Server, Config::default(), agreed);
    let mut deflater = Deflater::new(&Settings::default(), Agreement::default().sent);
    let mut bomb = Vec::new();
    sender.send_deflated(&vec![0_u8; 16 * MIB][..], true, &mut deflater, &mut bomb).unwrap();
    assert!(bomb.len() < MIB / 8);
    let (user, mut client, proof) = host.meet(&["--max-message", "1MiB"]);
    client.write(answer(&proof, "Sec-WebSocket-Extensions: permessage-deflate\r\n").as_bytes());
    client.write(&bomb);
    let (_, payload) = read_masked(&mut client);
    assert_eq!(payload[..2], 1009_u16.to_be_bytes());
    assert!(user.peak() < 24 * MIB, "{} bytes", user.peak());
    drop(client);
    assert!(user.ended().stderr.contains("1009"));
}

#[test]
fn however_a_server_closes_the_client_ends() {
    let host = Host::new();
    let close = [CLOSE, 2, 3, 232];
    // It closes, and says more, and never ends the stream.
    let (user, mut client) = host.open(&[]);
    client.write(&[&close[..], b"\x81\x06behind", &close].concat());
    assert_eq!(read_masked(&mut client), (CLOSE, vec![3, 232]));
    let ran = user.ended();
    assert_eq!((ran.code, &*ran.stdout), (Some(0), ""), "{ran:?}");
    assert!(ran.took < Duration::from_secs(5), "{ran:?}");
    // It closes, and pours.
    let (user, mut client) = host.open(&[]);
    client.write(&close);
    pour(&mut client, &b"\x81\x06behind".repeat(1000), 16 * MIB);
    let ran = user.ended();
    assert_eq!((ran.code, &*ran.stdout), (Some(0), ""), "{ran:?}");
    // Both close at the same time.
    let (mut user, mut client) = host.open(&[]);
    client.write(&close);
    drop(user.child.stdin.take());
    assert_eq!(read_masked(&mut client).0, CLOSE);
    drop(client);
    assert_eq!(user.ended().code, Some(0));
    // It goes in the middle of a frame, or of everything, or breaks off.
    for bytes in [&b"\x82\x7f\0\0"[..], b"\x81\x05he", b"", b"\x01\x02he"] {
        for resets in [false, true] {
            let (user, mut client) = host.open(&[]);
            client.write(bytes);
            if resets {
                client.reset();
            } else {
                drop(client);
            }
            let ran = user.ended();
            assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{bytes:x?}: {ran:?}");
            assert!(ran.stderr.contains("1006"), "{bytes:x?}: {ran:?}");
        }
    }
}
