//! Ten messages at once that would inflate to a gibibyte each: the server's memory hardly grows.
//!
//! The server is a process of its own, so that its memory is nobody else's.
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

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{BINARY, Client, PING, PONG, TEXT, frame, request};
use ws_proto::deflate::{Agreement, Deflater, Settings};
use ws_proto::handshake::Agreed;
use ws_proto::{Config, Connection, Server};

const MIB: u64 = 1024 * 1024;
const ATTACKERS: u64 = 10;
const RSV1: u8 = 0x40;
const FIN: u8 = 0x80;

/// The command as it runs; it ends with the test.
struct Program {
    child: Child,
    address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn with(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
        let command = command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut urls = lines.filter_map(|line| Some(line.split_once("ws://")?.1.to_owned()));
        let address = urls.next().expect("a banner").split('/').next().unwrap().to_owned();
        Self { child, address }
    }

    fn open(&self) -> Client {
        let mut client = Client::connect(self.address.parse().unwrap());
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        client.write((request("/echo").trim_end().to_owned() + "\r\n" + offer).as_bytes());
        let head = client.head();
        assert!(head.contains("permessage-deflate"), "{head}");
        client
    }

    /// A line of `/proc`'s status, in bytes.
    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

/// A gibibyte of zeros, compressed: what follows the first mebibyte refers to it, again and again.
fn bomb() -> Vec<u8> {
    let agreed = Agreed::elsewhere().with_deflate(Agreement::default());
    let mut sender = Connection::new(Server, Config::default(), agreed);
    let mut deflater = Deflater::new(&Settings::default(), Agreement::default().sent);
    let mut fragment = || {
        let mut frame = Vec::new();
        let zeros = vec![0u8; MIB as usize];
        sender.send_deflated(&zeros[..], false, &mut deflater, &mut frame).unwrap();
        assert_eq!(frame[1], 126, "what is behind it are two bytes of length, and the data");
        frame.split_off(4)
    };
    let mut data = fragment();
    let more = fragment();
    for _ in 1..1024 {
        data.extend(&more);
    }
    data.truncate(data.len() - 4);
    assert!(data.len() < 2 * MIB as usize);
    data
}

/// The peers agree to send no message that is larger. Each attacker is in the middle of its message when
/// the others are.
fn attack(mode: &str, limit: u64, piece: usize, bomb: &[u8]) {
    let limit_given = limit.to_string();
    let arguments = ["--workers", "2", "--deflate", mode, "--max-message", &limit_given];
    let program = Program::with(&arguments);
    let mut other = program.open();
    let mut attackers = (0..ATTACKERS).map(|_| program.open()).collect::<Vec<_>>();
    for client in attackers.iter_mut().chain([&mut other]) {
        client.echo("a word before");
    }
    let before = program.memory("VmRSS:");

    // As much as inflates to three quarters of what is allowed, or all in one frame.
    let allowed = (limit * 3 / 4 / 1024) as usize;
    for start in (0..bomb.len()).step_by(piece) {
        let end = (start + piece).min(bomb.len());
        let first = if start == 0 { BINARY & !FIN | RSV1 } else { 0 };
        let last = if end == bomb.len() { FIN } else { 0 };
        let piece = frame(first | last, &bomb[start..end]);
        for attacker in &mut attackers {
            attacker.write(&piece);
            if end <= allowed {
                // It has been inflated when the answer comes.
                attacker.send(PING, b"and now?");
                attacker.expect(PONG, b"and now?");
            }
        }
        other.send(TEXT, b"others are served");
        other.expect(TEXT, b"others are served");
        if end > 2 * allowed {
            break;
        }
    }
    for attacker in &mut attackers {
        assert_eq!(attacker.frame().code(), 1009, "{mode}");
    }
    other.echo("and they still are");

    let grown = program.memory("VmHWM:").saturating_sub(before);
    let bound = ATTACKERS * (limit + 64 * 1024) + 16 * MIB;
    println!(
        "{mode}, limit {limit}, frames of {piece}: {grown} bytes more at the worst, of {bound}"
    );
    assert!(grown < bound, "{mode}, limit {limit}: grew by {grown} bytes, {bound} are allowed");
}

#[test]
fn bombs_take_no_more_than_what_is_allowed_of_them() {
    let bomb = bomb();
    for mode in ["shared", "dedicated"] {
        for limit in [MIB, 16 * MIB] {
            for piece in [100, 997, usize::MAX / 2] {
                attack(mode, limit, piece, &bomb);
            }
        }
    }
}
