//! The log: one record for each connection that ends, as JSON, and a log that nobody takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use common::{Client, TEXT, close, frame};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A server that runs, until it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
        command.args(["--listen", "127.0.0.1:0", "--workers", "1"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let page =
            lines.find_map(|line| line.trim().strip_prefix("page    http://").map(str::to_owned));
        lines.find(|line| line.contains("Ctrl-C")).unwrap();
        Self { child, address: page.unwrap().trim_end_matches('/').parse().unwrap() }
    }

    fn open(&self) -> Client {
        let mut client = Client::connect(self.address);
        client.upgrade("/echo");
        client
    }

    fn tell_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Stops the server; what it logged.
    fn stop(self) -> String {
        self.tell_to_stop();
        self.log()
    }

    /// What it has logged when it has stopped.
    fn log(mut self) -> String {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

/// The records of closed connections, in order.
fn records(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter(|line| line["message"] == "closed").collect()
}

/// Ends connections in every way, one after the other.
fn end_all(server: &Server) {
    // The peer closes, well and badly.
    for code in [1000, 4321] {
        let mut client = server.open();
        client.write(&close(code, "my reason"));
        client.closed(code);
    }
    // The peer breaks the protocol.
    let mut client = server.open();
    client.write(&frame(0xf1, b""));
    client.closed(1002);
    // The peer goes without a word.
    let mut client = server.open();
    client.echo("hello");
    drop(client);
    // The peer is silent when it is pinged.
    let mut silent = server.open();
    assert_eq!(silent.frame().start, common::PING);
    silent.ended();
}

#[test]
fn each_connection_has_one_record_that_says_who_ended_it_and_why() {
    let arguments = ["--log-format", "json", "--ping-interval", "200ms", "--pong-timeout", "200ms"];
    let server = Server::start(&[&arguments[..], &["--log-level", "debug"]].concat());
    end_all(&server);
    let mut last = server.open();
    server.tell_to_stop();
    assert_eq!(last.frame().code(), 1012);
    last.write(&close(1001, "my reason"));
    last.ended();
    let log = server.log();
    let records = records(&log);
    let got: Vec<_> = records
        .iter()
        .map(|r| {
            (
                r["level"].as_str().unwrap(),
                r["by"].as_str().unwrap(),
                r["code"].as_u64().unwrap(),
                r["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let unanswered = "the peer did not answer a ping";
    let expected = [
        ("DEBUG", "peer", 1000, ""),
        ("INFO", "peer", 4321, ""),
        ("INFO", "server", 1002, "reserved bit set"),
        ("INFO", "network", 1006, ""),
        ("INFO", "network", 1006, unanswered),
        ("DEBUG", "server", 1012, "the server restarts; connect again"),
    ];
    assert_eq!(got.len(), expected.len(), "{log}");
    for (got, due) in got.iter().zip(&expected) {
        assert_eq!((got.0, got.1, got.2), (due.0, due.1, due.2), "{log}");
    }
    assert_eq!((got[1].3, got[4].3, got[5].3), ("", unanswered, expected[5].3), "{log}");
    assert!(!got[2].3.is_empty(), "{log}");
    for record in &records {
        assert!(record["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{record}");
        assert!(record["age"].as_f64().unwrap() < 60.0 && record["queued"] == 0, "{record}");
    }
    let last: Vec<_> = records.iter().map(|record| record["last"].as_str().unwrap()).collect();
    assert_eq!(last, ["close", "close", "violation", "message", "none", "close"], "{log}");
    assert!(records[4]["age"].as_f64().unwrap() >= 0.3, "{log}");
    assert!(!log.contains("my reason"), "what peers send has no place in a log: {log}");
}

#[test]
fn a_refusal_names_the_client_of_its_own_connection() {
    let arguments =
        ["--log-format", "json", "--trusted-proxy", "127.0.0.1", "--handshake-timeout", "200ms"];
    let refused = |log: &str| {
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        let lines = lines.filter(|line| line["message"] == "refused");
        lines
            .map(|line| (line["status"].as_u64().unwrap(), line["client"].clone()))
            .collect::<Vec<_>>()
    };
    let server = Server::start(&arguments);
    let mut slow = Client::connect(server.address);
    slow.write(b"GET ");
    // This one's client is not that of the other.
    let mut proxied = Client::connect(server.address);
    let request = common::request("/echo");
    let request = request.strip_suffix("\r\n").unwrap();
    proxied.write(format!("{request}X-Forwarded-For: 192.0.2.1\r\n\r\n").as_bytes());
    proxied.accepted();
    assert!(slow.head().starts_with("HTTP/1.1 408 "));
    assert_eq!(refused(&server.stop()), [(408, Value::Null)]);

    let server = Server::start(&[&arguments[..], &["--proxy-protocol"]].concat());
    for request in ["GET ", "GET / HTTP/1.1\n"] {
        let mut client = Client::connect(server.address);
        client.write(format!("PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n{request}").as_bytes());
        client.head();
    }
    let due = Value::from("192.0.2.7");
    assert_eq!(refused(&server.stop()), [(408, due.clone()), (400, due)]);
}

#[test]
fn only_what_is_asked_for_is_told() {
    for (level, count) in [("info", 4), ("warn", 0)] {
        let arguments =
            ["--log-format", "json", "--ping-interval", "100ms", "--pong-timeout", "100ms"];
        let server = Server::start(&[&arguments[..], &["--log-level", level]].concat());
        end_all(&server);
        let log = server.stop();
        assert_eq!(records(&log).len(), count, "{log}");
    }
    let server = Server::start(&["--log-level", "debug"]);
    server.open().echo("hello");
    let log = server.stop();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("closed")).collect();
    assert!(lines.len() == 1 && lines[0].contains("by=\"network\""), "{log}");
}

#[test]
fn a_log_that_nobody_takes_holds_up_nobody() {
    let server = Server::start(&["--log-level", "debug"]);
    // Far more than a pipe holds, and than lines wait.
    for _ in 0..6000 {
        let mut client = Client::connect(server.address);
        client.write(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.head().starts_with("HTTP/1.1 404 "));
    }
    let mut client = server.open();
    client.send(TEXT, b"still served");
    client.expect(TEXT, b"still served");
    client.write(&close(1000, ""));
    client.closed(1000);
    let log = server.stop();
    assert!(log.contains("lines were dropped") && log.contains("lost="), "{} bytes", log.len());
}
