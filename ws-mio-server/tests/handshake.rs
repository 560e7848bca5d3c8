//! The opening handshake over raw bytes: every row of the policy, however the bytes are sliced.
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

use std::time::{Duration, Instant};

use common::{CLOSE, Client, PING, PONG, Running, TEXT, close, echo, frame, request, serve};
use ws_mio_server::{Handler, Message, Page, Peer};

const PAGE: Page = Page {
    content_type: "text/html; charset=utf-8",
    fields: &[
        ("Content-Security-Policy", "default-src 'none'"),
        ("X-Content-Type-Options", "nosniff"),
    ],
    body: b"<h1>It works</h1>",
};
const HEALTH: Page = Page { content_type: "text/plain; charset=utf-8", fields: &[], body: b"ok\n" };

/// Speaks two subprotocols, and says in its first message that it is there.
#[derive(Clone)]
struct Chat;

impl Handler for Chat {
    fn subprotocols(&self) -> &[&str] {
        &["chat.v2", "chat.v1"]
    }

    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.send("welcome");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
    }
}

fn server() -> Running {
    serve(echo().page("/", PAGE).page("/healthz", HEALTH).route("/chat/{room}", Chat))
}

/// A complete response, up to the end of the stream.
struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn read(client: &mut Client) -> Self {
        let response = String::from_utf8(client.rest()).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect(&response);
        let status = head.strip_prefix("HTTP/1.1 ").expect(head)[..3].parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// What every refusal has.
    fn check_refusal(&self, asked: &str) {
        let body = &self.body;
        assert_eq!(
            self.field("Content-Length"),
            Some(body.len().to_string().as_str()),
            "{asked:?}"
        );
        assert_eq!(body.matches('\n').count(), 1, "one line: {body:?}");
        assert!(body.ends_with('\n') && body.len() > 10, "a readable line: {body:?}");
        let connection = self.field("Connection").expect("Connection");
        assert!(connection.split(", ").any(|token| token == "close"), "{connection}");
        assert!(!body.contains("xyzzy") && !self.head.contains("xyzzy"), "an echo: {body:?}");
    }
}

/// Sends a request and reads to the end of the stream, which the server closes.
fn ask(server: &Running, asked: &str) -> Response {
    let mut client = server.connect();
    client.write(asked.as_bytes());
    Response::read(&mut client)
}

/// A good request, with one line replaced or left out, or one more.
fn with(from: &str, to: &str) -> String {
    let good = request("/echo");
    assert!(good.contains(from), "{from:?}");
    good.replacen(from, to, 1)
}

const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";
const HOST: &str = "Host: a.example\r\n";

#[test]
fn requests_that_are_accepted() {
    let server = server();
    let accepted = [
        request("/echo"),
        request("/echo?token=xyzzy"),
        request("http://a.example/echo"),
        with(UPGRADE, "uPGRADE: , h2c ,WebSocket,\r\n"),
        with(UPGRADE, "Upgrade: h2c\r\nUpgrade:\r\nUpgrade:\twebsocket \r\n"),
        with(CONNECTION, "Connection: keep-alive\r\nCONNECTION: ,,UPGRADE\r\n"),
        with(HOST, "Host: [::1]:8080\r\nOrigin: http://[::1]:8080\r\nCookie: a=b\r\n"),
        with(KEY, "sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\t \r\n"),
        with(
            VERSION,
            &format!("{VERSION}Sec-WebSocket-Extensions: xyzzy; a=1, permessage-foo\r\n"),
        ),
        with(VERSION, &format!("{VERSION}Sec-WebSocket-Protocol: unknown\r\n")),
        with(VERSION, &format!("{VERSION}Content-Length: 0\r\n")),
        format!("\r\n\r\n{}", request("/echo")),
    ];
    for asked in &accepted {
        let mut client = server.connect();
        client.write(asked.as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{asked:?}: {head}");
        assert!(!head.contains("Sec-WebSocket-Extensions"), "{head}");
        assert!(!head.contains("Sec-WebSocket-Protocol"), "{head}");
        client.echo("Grüße");
    }
    assert_eq!(server.handle.stats().accepted, accepted.len() as u64);
    assert_eq!(server.handle.stats().refused, 0);
}

#[test]
fn requests_that_are_refused() {
    let server = server();
    let refused = [
        // The version, and no upgrade at all.
        (426, with(VERSION, "Sec-WebSocket-Version: 8\r\n")),
        (426, with(VERSION, "Sec-WebSocket-Version: 13, 8\r\n")),
        (426, with(VERSION, "Sec-WebSocket-Version: 013\r\n")),
        (426, format!("GET /echo HTTP/1.1\r\n{HOST}\r\n")),
        (426, format!("GET /echo?xyzzy HTTP/1.1\r\n{HOST}Connection: keep-alive\r\n\r\n")),
        // Fields that are missing, double or malformed.
        (400, with(HOST, "")),
        (400, with(HOST, "Host: a.example\r\nHost: a.example\r\n")),
        (400, with(HOST, "Host: xyzzy/\r\n")),
        (400, with(HOST, "Host:\r\n")),
        (400, with(UPGRADE, "")),
        (400, with(UPGRADE, "Upgrade: websocket2\r\n")),
        (400, with(CONNECTION, "")),
        (400, with(CONNECTION, "Connection: close\r\n")),
        (400, with(KEY, "")),
        (400, with(KEY, &KEY.repeat(2))),
        (400, with(KEY, "Sec-WebSocket-Key: xyzzy\r\n")),
        (400, with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n")),
        (400, with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n")),
        (400, with(VERSION, "")),
        (400, with(VERSION, &VERSION.repeat(2))),
        (400, with(VERSION, &format!("{VERSION}Sec-WebSocket-Protocol: a b\r\n"))),
        // A body.
        (400, with(VERSION, &format!("{VERSION}Content-Length: 5\r\n"))),
        (400, with(VERSION, &format!("{VERSION}Content-Length: -0\r\n"))),
        (400, with(VERSION, &format!("{VERSION}Transfer-Encoding: chunked\r\n"))),
        // What is not HTTP.
        (400, with("Host: ", "Host : ")),
        (400, with("Host: a", "Host: \0")),
        (400, with("Host: a", "Host: a\rb")),
        (400, with(HOST, "Host: a.example\r\n folded\r\n")),
        (400, with(HOST, "Host: a.example\r\n: empty\r\n")),
        (400, with(HOST, "Host: a.example\r\nxyz(zy: 1\r\n")),
        (400, with(HOST, "Host: a.example\r\nno colon\r\n")),
        (400, with(HOST, "Host: a.example\n")),
        (400, with("GET /echo", "GET echo")),
        (400, with("GET /echo", "GET  /echo")),
        (400, with("GET /echo", "GET /echo#xyzzy")),
        (400, with("GET /echo", "GET /chat/%ff")),
        (400, with("GET /echo", "GET /chat/%4")),
        (400, "\x16\x03\x01\x02\0\x01\0".to_owned()),
        // Methods, versions, paths.
        (405, with("GET", "POST")),
        (405, with("GET", "get")),
        (405, with("GET", "XYZZY")),
        (405, format!("PUT / HTTP/1.1\r\n{HOST}\r\n")),
        (505, with("HTTP/1.1", "HTTP/1.0")),
        (505, with("HTTP/1.1", "HTTP/2.0")),
        (505, with("HTTP/1.1", "HTTP/0.9")),
        (400, with("HTTP/1.1", "XYZZY/1.1")),
        (404, request("/xyzzy")),
        (404, request("/echo/")),
        (404, request("/Echo")),
        (404, format!("GET /xyzzy HTTP/1.1\r\n{HOST}\r\n")),
        (404, request("/")),
    ];
    for (status, asked) in &refused {
        let response = ask(&server, asked);
        assert_eq!(response.status, *status, "{asked:?}: {}", response.head);
        response.check_refusal(asked);
        match status {
            426 => {
                assert_eq!(response.field("Sec-WebSocket-Version"), Some("13"));
                assert_eq!(response.field("Upgrade"), Some("websocket"));
                assert_eq!(response.field("Connection"), Some("close, upgrade"));
            }
            405 => assert!(response.field("Allow").is_some_and(|allow| allow.starts_with("GET"))),
            _ => {}
        }
    }
    assert_eq!(server.handle.stats().refused, refused.len() as u64);
    assert_eq!(server.handle.stats().accepted, 0);
    server.until_empty();
}

#[test]
fn heads_over_a_limit_are_refused_ended_or_not() {
    let server = server();
    let target = |n: usize| format!("GET /echo?{}", "x".repeat(n - 6));
    let fields = |n: usize| format!("{VERSION}{}", "A: b\r\n".repeat(n - 5));
    let filler = |n: usize| {
        let bare = with(VERSION, &format!("{VERSION}Filler: \r\n")).len();
        with(VERSION, &format!("{VERSION}Filler: {}\r\n", "x".repeat(n - bare)))
    };
    let of_target = |n: usize| with("GET /echo", &target(n));
    let of_fields = |n: usize| with(VERSION, &fields(n));
    for (status, asked) in [
        (101, of_target(8 * 1024)),
        (414, of_target(8 * 1024 + 1)),
        (101, of_fields(100)),
        (431, of_fields(101)),
        (101, filler(16 * 1024)),
        (431, filler(16 * 1024 + 1)),
        (414, target(8 * 1024 + 1)),
        (431, of_fields(101)[..of_fields(101).len() - 5].to_owned()),
        (431, filler(20_000)[..16 * 1024 + 1].to_owned()),
        (431, "\r\n".repeat(8 * 1024 + 1)),
    ] {
        let shown = (asked.len(), &asked[..20]);
        let mut client = server.connect();
        client.write(asked.as_bytes());
        if status == 101 {
            client.accepted();
            continue;
        }
        let response = Response::read(&mut client);
        assert_eq!(response.status, status, "{shown:?}: {}", response.head);
        response.check_refusal(&asked[..20]);
    }
}

#[test]
fn a_refusal_arrives_though_the_peer_goes_on_sending() {
    let server = server();
    let mut client = server.connect();
    client.write(request("/xyzzy").as_bytes());
    // More than the server's receive buffer holds: it must be read, or a RST destroys the answer.
    for _ in 0..100 {
        client.write(&[b'x'; 64 * 1024]);
    }
    let response = Response::read(&mut client);
    assert_eq!(response.status, 404);
    drop(client);
    server.until_empty();
}

#[test]
fn a_request_may_be_split_anywhere() {
    let server = server();
    let asked = request("/echo");
    for at in 1..asked.len() {
        let mut client = server.connect();
        client.write(&asked.as_bytes()[..at]);
        // The first part is read before the second is sent, at least now and then.
        if at % 8 == 0 {
            server.connect().write(b"x\n");
        }
        client.write(&asked.as_bytes()[at..]);
        client.accepted();
    }
    let mut client = server.connect();
    for byte in asked.as_bytes() {
        client.write(&[*byte]);
    }
    client.accepted();
    client.echo("in order");
}

#[test]
fn frames_in_the_segment_of_the_request_are_answered_in_order() {
    let server = server();
    let messages =
        [frame(TEXT, b"one"), frame(PING, b"two"), frame(TEXT, b"three"), close(1000, "")];
    let all = [request("/echo").into_bytes(), messages.concat()].concat();
    // Whole, and split at every byte.
    for at in (1..all.len()).chain([all.len()]) {
        let mut client = server.connect();
        client.write(&all[..at]);
        client.write(&all[at..]);
        client.accepted();
        client.expect(TEXT, b"one");
        client.expect(PONG, b"two");
        client.expect(TEXT, b"three");
        client.expect(CLOSE, &1000u16.to_be_bytes());
        client.ended();
    }
}

#[test]
fn what_on_open_sends_comes_behind_the_101_and_before_replies() {
    let server = server();
    let mut client = server.connect();
    let asked = request("/chat/a")
        .replace(VERSION, &format!("{VERSION}Sec-WebSocket-Protocol: x, chat.v1\r\n"));
    client.write(&[asked.as_bytes(), &frame(TEXT, b"hi")].concat());
    let head = client.head();
    assert!(head.contains("\r\nSec-WebSocket-Protocol: chat.v1\r\n"), "{head}");
    client.expect(TEXT, b"welcome");
    client.expect(TEXT, b"hi");
    let mut client = server.connect();
    client.write(asked.replace("x, chat.v1", "chat.v1, chat.v2").as_bytes());
    let head = client.head();
    assert!(head.contains("\r\nSec-WebSocket-Protocol: chat.v2\r\n"), "the server's order: {head}");
}

#[test]
fn pages() {
    let server = server();
    for (asked, body) in [
        (format!("GET / HTTP/1.1\r\n{HOST}\r\n"), "<h1>It works</h1>"),
        (format!("HEAD / HTTP/1.1\r\n{HOST}\r\n"), ""),
        (
            format!("GET /?a=b HTTP/1.1\r\n{HOST}Connection: keep-alive\r\n\r\n"),
            "<h1>It works</h1>",
        ),
        (format!("GET /healthz HTTP/1.1\r\n{HOST}\r\n"), "ok\n"),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), "ok\n"),
        ("HEAD /healthz HTTP/1.0\r\n\r\n".to_owned(), ""),
    ] {
        let response = ask(&server, &asked);
        assert_eq!((response.status, response.body.as_str()), (200, body), "{asked:?}");
        let full = if asked.contains("healthz") { 3 } else { 17 };
        assert_eq!(response.field("Content-Length"), Some(full.to_string().as_str()));
        assert_eq!(response.field("Connection"), Some("close"));
        let kind = response.field("Content-Type").unwrap();
        assert!(kind.starts_with("text/") && kind.ends_with("; charset=utf-8"), "{kind}");
        let policy = (!asked.contains("healthz")).then_some("default-src 'none'");
        assert_eq!(response.field("Content-Security-Policy"), policy, "{asked:?}");
        let sniff = policy.map(|_| "nosniff");
        assert_eq!(response.field("X-Content-Type-Options"), sniff, "{asked:?}");
    }
    // Refusals of HEAD have no body either (RFC 9110 §9.3.2).
    for asked in
        ["HEAD /xyzzy HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        let response = ask(&server, asked);
        assert_eq!(response.body, "", "{asked:?}");
        assert!(response.status == 404 || response.status == 405);
    }
}

#[test]
fn a_request_that_takes_too_long_is_refused_even_if_it_trickles() {
    let deadline = Duration::from_millis(400);
    let server = serve(echo().handshake_timeout(deadline));
    let begun = Instant::now();
    let mut silent = server.connect();
    let mut trickling = server.connect();
    trickling.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut asked = b"GET /echo HTTP/1.1\r\nFiller: ".iter().copied();
    // Each wait for an answer, while there is none, is the pause before the next byte.
    let mut first = [0];
    while trickling.stream.peek(&mut first).is_err() {
        assert!(begun.elapsed() < common::LIMIT, "trickling has extended the deadline");
        trickling.write(&[asked.next().unwrap_or(b'x')]);
    }
    for client in [&mut trickling, &mut silent] {
        client.stream.set_read_timeout(Some(common::LIMIT)).unwrap();
        let response = Response::read(client);
        assert_eq!(response.status, 408);
        response.check_refusal("");
    }
    assert!(begun.elapsed() >= deadline, "before the deadline");
}

/// Tells what it reads in the query, as a connection opens and later.
#[derive(Clone)]
struct Asks;

impl ws_mio_server::Handler for Asks {
    fn on_open(&mut self, peer: &mut ws_mio_server::Peer<'_>) {
        let told = format!("{:?}", peer.query("name"));
        peer.send(told.as_str());
    }

    fn on_message(&mut self, peer: &mut ws_mio_server::Peer<'_>, _: ws_mio_server::Message<'_>) {
        let told = format!("{:?}", peer.query("name"));
        peer.send(told.as_str());
    }
}

#[test]
fn the_query_is_told_as_a_connection_opens() {
    let server = common::serve(ws_mio_server::Server::builder().workers(1).route("/ask", Asks));
    for (target, told) in [
        ("/ask?a=b&name=%EC%95%A8+%20", "Ok(Some(\"앨  \"))"),
        ("/ask", "Ok(None)"),
        ("/ask?name=%ff", "Err(QueryError)"),
    ] {
        let mut client = server.open(target);
        assert_eq!(client.frame().payload, told.as_bytes());
        // What was asked then is not kept.
        client.write(&common::frame(common::TEXT, b"again"));
        assert_eq!(client.frame().payload, b"Ok(None)");
    }
}
