//! How a server is emptied before it stops, and how it takes over other settings while it runs.
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
#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, LIMIT, TEXT, close, echo, frame, request, serve, until};
use program::Program;
use rustix::process::Signal;

/// The answer to the request for a WebSocket.
fn upgrade(program: &Program) -> String {
    let mut client = Client::connect(program.address());
    client.write(request("/echo").as_bytes());
    client.head()
}

#[test]
fn a_server_that_drains_tells_so_and_serves_who_is_left() {
    let mut server = serve(echo().workers(2).readiness("/readyz").close_timeout(LIMIT));
    let get = |path: &str| {
        let mut client = server.connect();
        client.write(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        String::from_utf8(client.rest()).unwrap()
    };
    assert!(get("/readyz").starts_with("HTTP/1.1 200 ") && get("/readyz").ends_with("\nready\n"));
    let mut clients: Vec<_> = (0..8).map(|_| server.open("/echo")).collect();
    server.handle.drain(6 * LIMIT);
    // Nobody has answered yet, so it goes on.
    let firsts: Vec<_> = clients.iter_mut().map(|client| client.frame().code()).collect();
    assert_eq!(firsts, [1012; 8]);
    for _ in 0..8 {
        // Either worker may be asked.
        let ready = get("/readyz");
        assert!(ready.starts_with("HTTP/1.1 503 ") && ready.ends_with("\ndraining\n"), "{ready}");
    }
    let mut late = server.connect();
    late.write(request("/echo").as_bytes());
    let head = late.head();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nRetry-After: "), "{head}");
    for client in &mut clients {
        client.send(TEXT, b"too late");
        client.write(&close(1012, ""));
        client.ended();
    }
    drop((clients, late));
    server.join();
    let stats = server.handle.stats();
    assert_eq!((stats.drained, stats.abandoned, stats.connections), (8, 0, 0));
}

#[test]
fn who_does_not_answer_is_dropped_when_the_time_is_over() {
    for within in [600, 0] {
        let mut server = serve(echo().workers(2).close_timeout(Duration::from_millis(300)));
        let clients: Vec<_> = (0..8).map(|_| server.open("/echo")).collect();
        let begun = Instant::now();
        server.handle.drain(Duration::from_millis(within));
        server.handle.drain(Duration::ZERO);
        server.join();
        assert!(begun.elapsed() >= Duration::from_millis(250), "they had no time to answer");
        let stats = server.handle.stats();
        assert_eq!((stats.drained, stats.connections), (8, 0), "{within}");
        drop(clients);
    }
}

#[test]
fn a_server_without_connections_drains_at_once() {
    let mut server = serve(echo().workers(3));
    server.handle.drain(100 * LIMIT);
    server.join();
}

/// A client that echoes without end, and what became of it.
struct Busy {
    stream: TcpStream,
    received: Vec<u8>,
    /// When it was closed, and by which bytes.
    closed: Option<(Instant, Vec<u8>)>,
}

impl Busy {
    /// Takes what has come; whether that was the end.
    fn look(&mut self, message: &[u8]) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(n) => self.received.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
        while let [start, len, rest @ ..] = self.received.as_slice()
            && rest.len() >= usize::from(*len)
        {
            if *start == common::CLOSE {
                self.closed = Some((Instant::now(), rest.to_vec()));
                self.stream.write_all(&close(1012, "")).unwrap();
            } else if self.closed.is_none() {
                self.stream.write_all(message).unwrap();
            }
            self.received.drain(..2 + usize::from(self.received[1]));
        }
        false
    }
}

#[test]
fn a_thousand_busy_connections_are_closed_at_the_pace_and_in_time() {
    const CONNECTIONS: usize = 1000;
    let arguments = ["--workers", "2", "--drain", "5s", "--close-timeout", "1s"];
    let mut program = Program::with(&arguments);
    let message = frame(TEXT, b"busy");
    let mut clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = program.open("/echo").stream;
            stream.write_all(&message).unwrap();
            stream.set_nonblocking(true).unwrap();
            Busy { stream, received: Vec::new(), closed: None }
        })
        .collect();
    let begun = Instant::now();
    program.signal(Signal::TERM);
    let mut moments = Vec::new();
    while !clients.is_empty() {
        assert!(begun.elapsed() < LIMIT, "{} are left", clients.len());
        clients.retain_mut(|client| {
            let ended = client.look(&message);
            if ended {
                let (at, body) = client.closed.take().expect("a Close came before the end");
                assert_eq!(body[..2], 1012_u16.to_be_bytes(), "a restart");
                assert!(body.len() > 2, "the reason is told");
                moments.push(at);
            }
            !ended
        });
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(program.ended().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(begun.elapsed() > Duration::from_millis(3500), "{:?}", begun.elapsed());
    moments.sort_unstable();
    assert_eq!(moments.len(), CONNECTIONS);
    // 250 a second; when they are seen is not as exact as when they are closed.
    for (i, from) in moments.iter().enumerate() {
        let until = *from + Duration::from_secs(1);
        let within = moments[i..].iter().take_while(|at| **at < until).count();
        assert!(within <= 300, "{within} in a second");
    }
    let log = program.log();
    let summary = log.lines().find(|line| line.contains("stopped")).expect(&log);
    for part in ["served=1000", "drained=1000", "abandoned=0"] {
        assert!(summary.contains(part), "{summary}");
    }
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let mut program = Program::with(&["--drain", "1h", "--close-timeout", "1h"]);
    let mut silent = program.open("/echo");
    program.signal(Signal::TERM);
    assert_eq!(silent.frame().code(), 1012);
    assert!(upgrade(&program).starts_with("HTTP/1.1 503 "));
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(1));
}

/// A file that is gone with the test.
struct Config(PathBuf);

impl Drop for Config {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_log_tells_more_or_less_once_it_is_set_to() {
    let name = format!("ws-mio-server-log-{}.toml", std::process::id());
    let config = Config(std::env::temp_dir().join(name));
    let set = |level: &str, format: &str| {
        let text = format!("log-level = \"{level}\"\nlog-format = \"{format}\"\n");
        fs::write(&config.0, text).unwrap();
    };
    set("warn", "json");
    let mut program = Program::with(&["--config", config.0.to_str().unwrap()]);
    let end = |program: &Program, code| {
        let mut client = program.open("/echo");
        client.write(&close(code, ""));
        client.closed(code);
    };
    end(&program, 4001);
    set("debug", "human");
    program.signal(Signal::HUP);
    let mut log = std::io::BufRead::lines(program.stderr.take().unwrap()).map(Result::unwrap);
    let mut next = || {
        let line = log.next().unwrap();
        serde_json::from_str::<serde_json::Value>(&line).expect(&line)
    };
    let changed = next();
    assert_eq!(
        (&changed["message"], &changed["changed"]),
        (&"settings are read again".into(), &"log-level".into())
    );
    let fixed = next();
    assert_eq!(
        (&fixed["message"], &fixed["changed"]),
        (&"these settings need a restart".into(), &"log-format".into())
    );
    // One that ended well is told of now, still as JSON.
    end(&program, 1000);
    assert_eq!(next()["code"], 1000);
    set("error", "json");
    program.signal(Signal::HUP);
    assert_eq!(next()["message"], "settings are read again");
    // That line is told by the level before, so the first of these may be, too.
    (4002..4100).for_each(|code| end(&program, code));
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
    let told = log.map(|line| line.contains("\"code\":4099"));
    assert_eq!(told.filter(|is_last| *is_last).count(), 0);
}

#[test]
fn settings_are_read_again_while_connections_stay() {
    let name = format!("ws-mio-server-reload-{}.toml", std::process::id());
    let config = Config(std::env::temp_dir().join(name));
    let arguments = ["--config", config.0.to_str().unwrap(), "--pong-timeout", "1m"];
    fs::write(&config.0, "ping-interval = \"1h\"\n").unwrap();
    let mut program = Program::with(&arguments);
    let mut client = program.open("/echo");
    let address = program.address();
    let from = |origin: &str| {
        let mut client = Client::connect(address);
        client.write(request("/echo").trim_end().as_bytes());
        client.write(format!("\r\nOrigin: {origin}\r\n\r\n").as_bytes());
        client.head().split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(from("https://b.example"), "403");
    // What is wrong changes nothing, and what is right in the same file neither.
    fs::write(&config.0, "allow-origin = \"*\"\nworkers = \"many\"\n").unwrap();
    program.signal(Signal::HUP);
    let mut log = program.stderr.take().unwrap();
    let mut told = String::new();
    let mut until_told = |due: &str| {
        while !told.lines().any(|line| line.contains(due)) {
            std::io::BufRead::read_line(&mut log, &mut told).unwrap();
        }
    };
    until_told("settings stay as they are");
    assert_eq!(from("https://b.example"), "403");
    // An open connection has its deadlines by the new settings, too.
    let new = "allow-origin = [\"https://b.example\"]\nping-interval = \"200ms\"\nworkers = 7\n";
    fs::write(&config.0, new).unwrap();
    program.signal(Signal::HUP);
    until_told("need a restart");
    client.expect(common::PING, b"");
    client.echo("still here");
    until("the new setting holds", || from("https://b.example") == "101");
    program.signal(Signal::TERM);
    program.ended();
    assert!(told.contains("changed=\"ping-interval, allow-origin\""), "{told}");
    assert!(told.contains("changed=\"workers\""), "{told}");
    assert!(told.contains(":2: workers: "), "{told}");
}
