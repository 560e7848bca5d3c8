//! What the server tells of itself: numbers that are true, in a format that others read.
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

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use common::{BINARY, Client, PING, PONG, TEXT, close, frame, request, until};
use program::Program;

/// The metrics of a server, as text.
fn scrape(program: &Program, path: &str) -> String {
    let response = program.get(path);
    let (head, text) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    text.to_owned()
}

/// The value of a metric; those without a line are zero.
fn value(text: &str, name: &str) -> f64 {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.map(|value| value.parse::<f64>().unwrap()).sum()
}

#[test]
fn what_happens_is_counted() {
    let arguments = ["--workers", "1", "--log-level", "error", "--deflate", "off"];
    let program = Program::with(&arguments);
    let mut client = program.open("/echo");
    client.echo("hello");
    client.send(PING, b"x");
    client.expect(PONG, b"x");
    client.write(&close(1000, ""));
    client.closed(1000);
    let mut violating = program.open("/echo");
    violating.write(&frame(0xf3, b""));
    violating.closed(1002);
    let mut gone = program.open("/echo");
    gone.echo("and away");
    gone.reset();
    assert!(program.get("/nothing").starts_with("HTTP/1.1 404 "));
    drop((client, violating));
    let mut room: Vec<_> = (0..5).map(|_| program.open("/relay/room")).collect();
    room[0].send(TEXT, b"news");
    for peer in &mut room[1..] {
        peer.expect(TEXT, b"news");
    }
    let mut text = String::new();
    until("all is counted", || {
        text = scrape(&program, "/metrics");
        // This request comes by a connection, too.
        value(&text, "wsmio_connections{worker=\"0\"}") == 6.0
    });
    for (name, due) in [
        ("wsmio_websockets", 5.0),
        ("wsmio_handshakes_accepted_total", 8.0),
        ("wsmio_requests_refused_total{status=\"404\"}", 1.0),
        ("wsmio_closed_total{by=\"peer\",code=\"1000\"}", 1.0),
        ("wsmio_closed_total{by=\"server\",code=\"1002\"}", 1.0),
        ("wsmio_closed_total{by=\"network\",code=\"1006\"}", 1.0),
        ("wsmio_messages_received_total", 3.0),
        ("wsmio_messages_published_total", 1.0),
        ("wsmio_messages_delivered_total", 4.0),
        ("wsmio_delivery_seconds_count", 1.0),
        ("wsmio_queued_bytes", 0.0),
        ("wsmio_deflate_reserved_bytes", 0.0),
    ] {
        assert_eq!(value(&text, name), due, "{name}:\n{text}");
    }
    assert!(value(&text, "wsmio_bytes_received_total") > 8.0 * request("/echo").len() as f64);
    assert!(value(&text, "wsmio_bytes_sent_total") > 1000.0, "{text}");
    let turns = value(&text, "wsmio_turn_seconds_count");
    assert!(turns >= 10.0 && value(&text, "wsmio_turn_seconds_sum") > 0.0, "{text}");
    assert_eq!(value(&text, "wsmio_turn_seconds_bucket{le=\"+Inf\"}"), turns);
}

#[test]
fn what_waits_is_told_and_forgotten_when_it_goes_or_is_dropped() {
    let program = Program::with(&["--workers", "1", "--log-level", "error", "--deflate", "off"]);
    for resets in [false, true] {
        let mut deaf = program.open("/relay/room");
        let mut loud = program.open("/relay/room");
        let message = vec![b'x'; 100_000];
        let mut sent = 0;
        // So much that the kernel does not take it all the same.
        while value(&scrape(&program, "/metrics"), "wsmio_queued_bytes") < 500_000.0 {
            loud.send(BINARY, &message);
            sent += 1;
            assert!(sent < 1000, "the kernel takes all");
        }
        let dropped =
            value(&scrape(&program, "/metrics"), "wsmio_dropped_bytes_total{cause=\"ended\"}");
        if resets {
            deaf.reset();
        } else {
            for _ in 0..sent {
                deaf.expect(BINARY, &message);
            }
        }
        let mut text = String::new();
        until("nothing waits", || {
            text = scrape(&program, "/metrics");
            value(&text, "wsmio_queued_bytes") == 0.0
        });
        assert_eq!(
            value(&text, "wsmio_dropped_bytes_total{cause=\"ended\"}") > dropped,
            resets,
            "{text}"
        );
    }
}

#[test]
fn an_address_for_those_who_run_the_server_is_the_only_one_with_metrics() {
    let program = Program::with(&["--admin-listen", "127.0.0.1:0", "--workers", "2"]);
    let admin = program.url("admin").strip_prefix("http://").unwrap();
    let admin = admin.strip_suffix("/admin").unwrap().parse().unwrap();
    let get = |path: &str| {
        let mut client = Client::connect(admin);
        client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        String::from_utf8(client.rest()).unwrap()
    };
    program.open("/echo").echo("hello");
    assert!(get("/metrics").contains("\nwsmio_handshakes_accepted_total 1\n"));
    assert!(get("/healthz").starts_with("HTTP/1.1 200 "));
    assert!(get("/readyz").starts_with("HTTP/1.1 200 "));
    assert!(program.get("/metrics").starts_with("HTTP/1.1 404 "));
    assert!(program.get("/readyz").starts_with("HTTP/1.1 200 "));
    for path in ["/echo", "/"] {
        let mut client = Client::connect(admin);
        client.write(request(path).as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 404 "));
    }
    // Proxies stand before the others.
    let program = Program::with(&[
        "--admin-listen",
        "127.0.0.1:0",
        "--proxy-protocol",
        "--trusted-proxy",
        "127.0.0.1",
    ]);
    let admin = program.url("admin").strip_prefix("http://").unwrap();
    let mut client = Client::connect(admin.strip_suffix("/admin").unwrap().parse().unwrap());
    client.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 200 "));
}

/// Metrics as the official client of Prometheus reads them, if Python has it.
fn read(text: &str) -> Option<serde_json::Value> {
    let python = std::env::var_os("INTEROP_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let probe = Command::new(&python).args(["-c", "import prometheus_client"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "Python's prometheus_client is missing");
        eprintln!("skipped: no Python with prometheus_client");
        return None;
    }
    let script = format!("{}/tests/interop/prometheus.py", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    let command = command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn sockets(program: &Program) -> usize {
    let folder = format!("/proc/{}/fd", program.child.id());
    let links =
        fs::read_dir(folder).unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// Comes and goes in one of many ways.
fn visit(mut client: Client, way: usize) {
    match way {
        0 => client.write(&close(1000, "")),
        1 => client.reset(),
        2 => client.write(&frame(BINARY, &[0; 1000])[..700]),
        3 => client.write(&frame(0x83, b"no such opcode")),
        4 => client.write(&frame(TEXT, b"x").repeat(10)),
        _ => {}
    }
}

#[test]
fn after_ten_thousand_connections_the_gauge_is_the_number_of_sockets() {
    const OPEN: usize = 37;
    let program = Program::with(&["--workers", "2", "--log-level", "error"]);
    let before = sockets(&program);
    for batch in 0..500 {
        let clients: Vec<_> = (0..20).map(|_| program.open("/echo")).collect();
        for (i, client) in clients.into_iter().enumerate() {
            visit(client, (i * 7 + batch) % 6);
        }
    }
    let _open: Vec<_> = (0..OPEN).map(|_| program.open("/echo")).collect();
    until("all others are gone", || sockets(&program) == before + OPEN);
    let text = scrape(&program, "/metrics");
    until("that of the request is gone", || sockets(&program) == before + OPEN);
    let Some(read) = read(&text) else { return };
    let sample =
        |name: &str| read["samples"][name].as_f64().unwrap_or_else(|| panic!("{name}: {text}"));
    let gauge = sample("wsmio_connections{worker=0}") + sample("wsmio_connections{worker=1}");
    // The request for the metrics comes by a connection, too.
    assert_eq!(gauge, OPEN as f64 + 1.0, "{text}");
    assert_eq!(sample("wsmio_websockets"), OPEN as f64, "{text}");
    assert_eq!(sample("wsmio_handshakes_accepted_total"), (10_000 + OPEN) as f64, "{text}");
    let samples = read["samples"].as_object().unwrap();
    let closed = samples.iter().filter(|(name, _)| name.starts_with("wsmio_closed_total{"));
    let closed: f64 = closed.map(|(_, count)| count.as_f64().unwrap()).sum();
    assert_eq!(closed, 10_000.0, "{text}");
    for (name, kind) in [
        ("wsmio_connections", "gauge"),
        ("wsmio_messages_received", "counter"),
        ("wsmio_turn_seconds", "histogram"),
    ] {
        assert_eq!(read["kinds"][name], kind, "{text}");
    }
}
