//! The command: what it prints, how it stops, what it refuses, and what it does without descriptors.
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
#[path = "common/program.rs"]
mod program;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Client, TEXT, close, request, until};
use program::{PROGRAM, Program};
use rustix::process::Signal;

/// Runs the command to its end.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_banner_names_addresses_that_can_be_opened() {
    let program = Program::with(&["--workers", "1", "--max-message", "64KiB"]);
    let address = program.address();
    assert_ne!(address.port(), 0);
    assert_eq!(program.url("echo"), format!("ws://{address}/echo"));
    assert_eq!(program.url("relay"), format!("ws://{address}/relay/ROOM"));
    assert_eq!(program.url("health"), format!("http://{address}/healthz"));
    let last = program.banner.last().unwrap();
    assert!(last.contains("1 worker,") && last.contains("65536 bytes"), "{last}");
    assert!(program.get("/").contains("<html"));
    assert!(program.get("/healthz").ends_with("\r\n\r\nok\n"));
    assert!(program.get("/readyz").ends_with("\r\n\r\nready\n"));
    program.open("/echo").echo("Grüße");
    let [mut a, mut b] = [program.open("/relay/room"), program.open("/relay/room")];
    a.send(TEXT, b"to the other");
    b.expect(TEXT, b"to the other");
    // An address that stands for all of the machine's is named by one that can be opened.
    let program = Program::start(Command::new(PROGRAM).args([
        "--listen",
        "0.0.0.0:0",
        "--listen",
        "127.0.0.1:0",
        "--insecure-no-auth",
    ]));
    assert!(program.address().ip().is_loopback());
    program.open("/echo").echo("all addresses");
    assert_eq!(
        program
            .banner
            .iter()
            .filter(|line| line.contains("ws://") && line.contains("/echo"))
            .count(),
        2
    );
}

#[test]
fn a_unix_socket_is_listened_on_instead_of_the_default() {
    let name = format!("ws-mio-server-{}.socket", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut program = Program::start(Command::new(PROGRAM).arg("--listen-unix").arg(&path));
    assert_eq!(program.url("unix"), path.to_str().unwrap());
    assert!(!program.banner.iter().any(|line| line.contains("ws://")), "{:?}", program.banner);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("\r\n\r\nok\n"), "{response}");
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn an_interrupt_closes_connections_at_once_and_the_program_succeeds() {
    let mut program = Program::with(&["--workers", "2", "--close-timeout", "1m"]);
    let mut clients = [(); 4].map(|()| program.open("/echo"));
    program.signal(Signal::INT);
    for client in &mut clients {
        assert_eq!(client.frame().code(), 1001);
        client.write(&close(1001, ""));
        client.ended();
    }
    drop(clients);
    assert_eq!(program.ended().code(), Some(0));
    // Whoever does not answer is not waited for longer than the deadline says.
    let mut program = Program::with(&["--close-timeout", "200ms"]);
    let _silent = program.open("/echo");
    program.signal(Signal::INT);
    assert_eq!(program.ended().code(), Some(0));
    // Or than the operator likes.
    let mut program = Program::with(&["--close-timeout", "1h"]);
    let mut silent = program.open("/echo");
    program.signal(Signal::INT);
    assert_eq!(silent.frame().code(), 1001);
    program.signal(Signal::INT);
    assert_eq!(program.ended().code(), Some(1));
}

#[test]
fn a_refusal_is_logged_in_one_line_with_its_reason() {
    let mut program = Program::with(&[]);
    assert!(program.get("/xyzzy").starts_with("HTTP/1.1 404 "));
    program.signal(Signal::TERM);
    let log = program.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("refused peer")).collect();
    let [line] = lines[..] else { panic!("{log}") };
    for part in ["127.0.0.1:", "404", "nothing is served at this path"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!log.contains("xyzzy"), "what peers send has no place in a log: {log}");
}

#[test]
fn a_foreign_page_is_refused_and_the_log_says_what_would_let_it_in() {
    let from = |program: &Program, origin: &str| {
        let mut client = Client::connect(program.address());
        let origin = format!("\r\nOrigin: {origin}\r\n\r\n");
        client.write(common::request("/echo").trim_end().as_bytes());
        client.write(origin.as_bytes());
        client.head().split(' ').nth(1).unwrap().to_owned()
    };
    let mut program = Program::with(&[]);
    assert_eq!(from(&program, "http://a.example"), "101");
    assert_eq!(from(&program, "https://b.example:8443"), "403");
    program.signal(Signal::TERM);
    let log = program.log();
    let (_, setting) = log.split_once("to allow it: ").unwrap();
    let (name, value) = setting.lines().next().unwrap().split_once(' ').unwrap();
    // What the log says is what works.
    let program = Program::with(&[&format!("--{name}"), value.trim_end_matches('"')]);
    assert_eq!(from(&program, "https://b.example:8443"), "101");
    assert_eq!(from(&program, "https://c.example"), "403");
}

#[test]
fn a_port_that_is_taken_is_one_line_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for workers in ["1", "4"] {
        let (code, stdout, stderr) = run(&["--listen", &address, "--workers", workers]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("ws-mio-server: "), "{stderr}");
        assert!(stderr.contains(&address) && stderr.contains("--listen"), "{stderr}");
    }
    let (code, _, stderr) = run(&["--listen", "192.0.2.1:0", "--insecure-no-auth"]);
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains("192.0.2.1") && stderr.contains("0.0.0.0"), "{stderr}");
}

#[test]
fn values_that_make_no_sense_are_refused_with_what_is_due() {
    for (arguments, due) in [
        (["--listen", "8080"], "127.0.0.1:8080"),
        (["--listen", "localhost:8080"], "127.0.0.1:8080"),
        (["--workers", "0"], "1..=1024"),
        (["--workers", "many"], "--workers"),
        (["--max-message", "big"], "64KiB"),
        (["--max-message", "-1"], "'-1'"),
        (["--handshake-timeout", "5"], "500ms"),
        (["--handshake-timeout", "0s"], "5s"),
        (["--close-timeout", "soon"], "500ms"),
        (["--pong-timeout", "0s"], "5s"),
        (["--ping-interval", "-1s"], "'-1'"),
        (["--ping-intervall", "1s"], "--ping-interval"),
        (["--listen", ""], "127.0.0.1:8080"),
        (["--allow-origin", "https://a.example/b"], "https://*.example.com"),
    ] {
        let (code, stdout, stderr) = run(&arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(due), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_teaches() {
    let (code, help, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for part in [
        "/echo",
        "/relay/ROOM",
        "/healthz",
        "/readyz",
        "--drain",
        "SIGHUP",
        "64KiB",
        "500ms",
        "--listen",
        "127.0.0.1:8080",
        "[default: 1MiB]",
        "1001",
        "SIGTERM",
        "0s: never",
        "Examples:",
    ] {
        assert!(help.contains(part), "{part} is not in:\n{help}");
    }
    let (code, version, _) = run(&["--version"]);
    assert_eq!((code, version), (0, format!("ws-mio-server {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn without_descriptors_it_refuses_and_recovers() {
    let script = "ulimit -n 256; exec \"$0\" --listen 127.0.0.1:0 --workers 2 --log-level warn --handshake-timeout 1m";
    let mut program = Program::start(Command::new("sh").args(["-c", script, PROGRAM]));
    let mut served = Vec::new();
    let mut refused = 0;
    let clients: Vec<_> = (0..400).map(|_| Client::connect(program.address())).collect();
    for mut client in clients {
        // Whoever is refused may be told before it has asked.
        let _ = std::io::Write::write_all(&mut client.stream, request("/echo").as_bytes());
        let head = client.head();
        if head.starts_with("HTTP/1.1 101 ") {
            served.push(client);
        } else {
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
            assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
            let body = "the server is full; try again later\r\n";
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
            refused += 1;
        }
    }
    assert!((200..256).contains(&served.len()), "{} served, {refused} refused", served.len());
    // It goes on to serve, and does not spin while it has none.
    let (begun, before) = (Instant::now(), program.processor_time());
    until("a second has passed", || begun.elapsed() > Duration::from_secs(1));
    let used = program.processor_time() - before;
    assert!(used <= 5, "{used} % of a processor for nothing");
    for client in &mut served {
        client.echo("still served");
    }
    let mut late = Client::connect(program.address());
    assert!(late.head().starts_with("HTTP/1.1 503 "));
    // When some leave, others are served.
    served.truncate(100);
    until("there is room again", || {
        let mut client = Client::connect(program.address());
        let _ = std::io::Write::write_all(&mut client.stream, request("/echo").as_bytes());
        client.head().starts_with("HTTP/1.1 101 ")
    });
    for _ in 0..50 {
        served.push(program.open("/echo"));
    }
    program.signal(Signal::INT);
    drop(served);
    let log = program.log();
    let told = log.lines().filter(|line| line.contains("no connection can be accepted")).count();
    assert!((1..=6).contains(&told), "{told} lines: {log}");
}
