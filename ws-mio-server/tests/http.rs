//! Plain HTTP requests to services, over raw bytes: bodies, keep-alive, answers that come later, who may ask.
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

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Client, LIMIT, Running, echo, request, serve, until};
use ws_mio_server::{
    Answer, Call, CallId, Denied, Identity, OriginPattern, Reply, Request, Server, Service,
};

/// Tells what it was asked: method, path, who asks, and the body.
#[derive(Clone)]
struct Mirror;

fn mirrored(call: &Call<'_>) -> Answer {
    let body = String::from_utf8_lossy(call.body());
    let (method, path) = (call.method(), call.request().path());
    let user = call.identity().map_or("-", Identity::user);
    Answer::text(200, format!("{method} {path} {user} {body}"))
}

impl Service for Mirror {
    fn methods(&self) -> &[&str] {
        &["GET", "HEAD", "POST"]
    }

    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        Reply::Now(mirrored(call))
    }
}

/// A response with a length.
#[derive(Debug)]
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
}

trait Ask {
    fn response(&mut self) -> Response;
    fn ask(&mut self, request: &str) -> Response;
}

impl Ask for Client {
    fn response(&mut self) -> Response {
        let head = self.head();
        let status = head.strip_prefix("HTTP/1.1 ").expect(&head)[..3].parse().unwrap();
        let mut response = Response { status, head, body: String::new() };
        let length = response.field("Content-Length").map_or(0, |n| n.parse().unwrap());
        response.body = String::from_utf8(self.bytes(length)).unwrap();
        response
    }

    fn ask(&mut self, request: &str) -> Response {
        self.write(request.as_bytes());
        self.response()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /mirror/x HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n{body}")
}

fn with_length(body: &str) -> String {
    post(&format!("Content-Length: {}\r\n", body.len()), body)
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

fn mirror() -> Running {
    serve(echo().service("/mirror/{name}", Mirror).max_body(1000))
}

#[test]
fn bodies_come_in_whole_however_they_are_framed_and_sliced() {
    let server = mirror();
    let all = [
        with_length("hello"),
        post(CHUNKED, "5\r\nhello\r\n0\r\n\r\n"),
        post(CHUNKED, "2;a=b\r\nhe\r\n03\r\nllo\r\n0\r\nTrailer: x\r\n\r\n"),
    ];
    let mut client = server.connect();
    for asked in &all {
        for at in 0..asked.len() {
            client.write(&asked.as_bytes()[..at]);
            // The first part is read before the second is sent, at least now and then.
            if at % 8 == 0 {
                server.connect().write(b"x\n");
            }
            client.write(&asked.as_bytes()[at..]);
            let response = client.response();
            assert_eq!(response.body, "POST /mirror/x - hello", "cut at {at}: {asked:?}");
            assert_eq!(response.field("Connection"), None, "it is kept");
        }
    }
    let largest = "x".repeat(1000);
    assert_eq!(client.ask(&with_length(&largest)).body.len(), "POST /mirror/x - ".len() + 1000);
}

#[test]
fn what_is_refused_is_answered_and_ends_the_connection() {
    let server = mirror();
    let refused = [
        // What two readers could take for different requests.
        (400, post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        (400, post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
        (400, post("Content-Length: 5, 5\r\n", "hello")),
        (400, post("Content-Length: +5\r\n", "hello")),
        (400, post("Content-Length: \r\n", "hello")),
        (400, post("Content-Length : 5\r\n", "hello")),
        (501, post("Transfer-Encoding: gzip, chunked\r\n", "")),
        (501, post("Transfer-Encoding: xchunked\r\n", "")),
        (501, post(&CHUNKED.repeat(2), "")),
        (400, post(CHUNKED, "xyzzy\r\n")),
        (400, post(CHUNKED, "5\r\nhello0\r\n\r\n")),
        (400, post(CHUNKED, "5\nhello\r\n0\r\n\r\n")),
        (400, post(CHUNKED, "0\r\n folded\r\n\r\n")),
        (400, post(CHUNKED, "5\r\nhello\r\n0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0")),
        // Too large: by its length, or at the chunk that exceeds it.
        (413, post("Content-Length: 1001\r\n", "")),
        (413, post("Content-Length: 18446744073709551615\r\n", "")),
        (413, post(CHUNKED, "3e9\r\n")),
        (413, post(CHUNKED, &format!("3e8\r\n{}\r\n1\r\n", "x".repeat(1000)))),
        (417, post("Content-Length: 5\r\nExpect: xyzzy\r\n", "")),
        (405, get("/mirror/x").replacen("GET", "DELETE", 1)),
        (405, get("/mirror/x").replacen("GET", "get", 1)),
        (404, request("/mirror/x")),
        (404, get("/mirror/")),
        (400, get("/mirror/%ff")),
        (400, get("/mirror/x").replace("Host: a.example\r\n", "")),
        (403, get("/mirror/x").replace("\r\n\r\n", "\r\nOrigin: https://xyzzy\r\n\r\n")),
        (505, get("/mirror/x").replace("HTTP/1.1", "HTTP/2.0")),
        // No request to HEAD, so that the answer has a body: only empty lines may stand in front of one.
        (400, get("/mirror/x").replacen("GET", "\t\x0cHEAD", 1)),
        (400, get("/mirror/x").replacen("GET", "\r\n HEAD", 1)),
    ];
    for (status, asked) in &refused {
        let mut client = server.connect();
        let response = client.ask(asked);
        assert_eq!(response.status, *status, "{asked:?}: {response:?}");
        assert_eq!(response.field("Connection"), Some("close"), "{asked:?}");
        assert!(!format!("{response:?}").contains("xyzzy"), "an echo: {response:?}");
        assert!(client.rest().is_empty(), "nothing further comes: {asked:?}");
        if *status == 405 {
            assert_eq!(response.field("Allow"), Some("GET, HEAD, POST"));
        }
    }
    assert_eq!(server.handle.stats().refused, refused.len() as u64);
    server.until_empty();
}

#[test]
fn a_connection_serves_request_after_request_and_then_a_websocket() {
    let server = mirror();
    let mut client = server.connect();
    let requests = [get("/mirror/a"), with_length("b"), post(CHUNKED, "1\r\nc\r\n0\r\n\r\n")];
    let all = requests.concat() + &request("/echo");
    for at in 0..all.len() {
        let mut client = server.connect();
        client.write(&all.as_bytes()[..at]);
        client.write(&all.as_bytes()[at..]);
        for due in ["GET /mirror/a - ", "POST /mirror/x - b", "POST /mirror/x - c"] {
            assert_eq!(client.response().body, due, "cut at {at}");
        }
        client.accepted();
        client.echo("and on");
    }
    for last in [
        get("/mirror/a").replace("\r\n\r\n", "\r\nConnection: x, Close\r\n\r\n"),
        get("/mirror/a").replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let response = client.ask(&(last + "GET /more"));
        assert_eq!((response.status, response.field("Connection")), (200, Some("close")));
        assert!(client.rest().is_empty());
        client = server.connect();
    }
    let response = {
        client.write(get("/mirror/a").replacen("GET", "HEAD", 1).as_bytes());
        client.head()
    };
    assert!(response.contains("\r\nContent-Length: 17\r\n"), "{response}");
    assert_eq!(client.ask(&get("/mirror/a")).body, "GET /mirror/a - ", "no body came before");
}

#[test]
fn answers_that_are_not_taken_are_not_gathered_without_end() {
    #[derive(Clone)]
    struct Large;
    impl Service for Large {
        fn on_call(&mut self, _: &Call<'_>) -> Reply {
            Reply::Now(Answer::text(200, vec![b'x'; 30_000]))
        }
    }
    let server = serve(Server::builder().workers(1).service("/", Large));
    let mut client = server.connect();
    client.write(get("/").repeat(1000).as_bytes());
    let answers = client.rest();
    let count = answers.windows(12).filter(|bytes| *bytes == b"HTTP/1.1 200").count();
    assert!((1..200).contains(&count), "{count} of a thousand");
    drop(client);
    server.until_empty();
}

#[test]
fn a_client_that_waits_to_send_its_body_is_told_to() {
    let server = mirror();
    let mut client = server.connect();
    let asked = post("Content-Length: 5\r\nExpect: 100-Continue\r\n", "");
    client.write(asked.as_bytes());
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.ask("hello").body, "POST /mirror/x - hello");
    // One that does not wait need not be told, nor one that is refused.
    assert_eq!(client.ask(&(asked.clone() + "again")).body, "POST /mirror/x - again");
    let asked = post("Content-Length: 5000\r\nExpect: 100-continue\r\n", "");
    assert_eq!(client.ask(&asked).status, 413);
}

#[test]
fn bodies_have_their_time_and_so_have_connections_that_are_kept() {
    let short = Duration::from_millis(200);
    let server = mirror_with(|builder| builder.body_timeout(short).keep_alive(short));
    let mut client = server.connect();
    client.write(&with_length("hello").as_bytes()[..with_length("hello").len() - 1]);
    assert_eq!(client.response().status, 408);
    let mut client = server.connect();
    assert_eq!(client.ask(&get("/mirror/a")).status, 200);
    assert!(client.rest().is_empty(), "it ends without a word");
    let server = mirror_with(|builder| builder.keep_alive(Duration::ZERO));
    assert_eq!(server.connect().ask(&get("/mirror/a")).field("Connection"), Some("close"));
    // The next request has the time that any has.
    let server = mirror_with(|builder| builder.handshake_timeout(short).keep_alive(6 * LIMIT));
    let mut client = server.connect();
    assert_eq!(client.ask(&get("/mirror/a")).status, 200);
    assert_eq!(client.ask("GET /mi").status, 408);
}

#[test]
fn bodies_of_all_connections_together_are_bounded() {
    const MIB: usize = 1024 * 1024;
    let server = mirror_with(|builder| builder.max_body(40 * MIB));
    let fields = format!("Content-Length: {}\r\n", 40 * MIB);
    let chunk = vec![b'x'; MIB];
    let mut clients = [(); 2].map(|()| {
        let mut client = server.connect();
        client.write(post(&fields, "").as_bytes());
        for _ in 0..39 {
            client.write(&chunk);
        }
        client
    });
    let [first, second] = &mut clients;
    let response = second.response();
    assert_eq!((response.status, response.field("Retry-After")), (503, Some("1")));
    first.write(&chunk);
    assert_eq!(first.response().body.len(), "POST /mirror/x - ".len() + 40 * MIB);
    // Their memory is free again.
    assert_eq!(server.connect().ask(&with_length("hello")).status, 200);
}

fn mirror_with(set: impl FnOnce(ws_mio_server::Builder) -> ws_mio_server::Builder) -> Running {
    serve(set(echo().service("/mirror/{name}", Mirror)))
}

/// Answers nothing itself: the test does.
#[derive(Clone)]
struct Later(Sender<Told>, Duration);

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Called(CallId, String),
    Ended(CallId),
}

impl Service for Later {
    fn methods(&self) -> &[&str] {
        &["GET", "POST"]
    }

    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        let _ = self.0.send(Told::Called(call.id(), call.request().path().to_owned()));
        Reply::Later { within: self.1, otherwise: Answer::text(204, "") }
    }

    fn on_end(&mut self, call: CallId) {
        let _ = self.0.send(Told::Ended(call));
    }
}

fn later(within: Duration) -> (Running, Receiver<Told>) {
    let (send, told) = channel();
    (serve(echo().service("/{name}", Later(send, within))), told)
}

fn called(told: &Receiver<Told>) -> CallId {
    match told.recv_timeout(LIMIT).expect("the service was told nothing") {
        Told::Called(id, _) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_may_come_later_and_from_another_thread() {
    let (server, told) = later(6 * LIMIT);
    let mut client = server.connect();
    let mut ids = Vec::new();
    for number in 0..3 {
        // The next request comes while this one waits.
        client.write(get(&format!("/{number}")).as_bytes());
        if number == 0 {
            client.write(&get("/1").as_bytes()[..20]);
        }
        let id = called(&told);
        // Those that were answered before change nothing.
        for id in &ids {
            server.handle.answer(*id, Answer::text(500, "late"));
        }
        ids.push(id);
        server.handle.answer(id, Answer::text(200, number.to_string()));
        server.handle.answer(id, Answer::text(500, "twice"));
        let response = client.response();
        assert_eq!(told.recv_timeout(LIMIT), Ok(Told::Ended(id)));
        assert_eq!((response.status, response.body), (200, number.to_string()));
        if number == 0 {
            client.write(&get("/1").as_bytes()[20..]);
            ids.push(called(&told));
            server.handle.answer(ids[1], Answer::new(200));
            assert_eq!(client.response().status, 200);
            assert_eq!(told.recv_timeout(LIMIT), Ok(Told::Ended(ids[1])));
        }
    }
    assert!(told.try_recv().is_err(), "each is told once");
}

#[test]
fn what_nobody_answers_ends_by_itself_and_is_told() {
    let (server, told) = later(Duration::from_millis(100));
    let mut client = server.connect();
    for _ in 0..2 {
        client.write(get("/a").as_bytes());
        let id = called(&told);
        assert_eq!(client.response().status, 204);
        assert_eq!(told.recv_timeout(LIMIT), Ok(Told::Ended(id)));
    }
    let (server, told) = later(6 * LIMIT);
    for reset in [false, true] {
        let mut client = server.connect();
        client.write(get("/a").as_bytes());
        let id = called(&told);
        if reset {
            client.reset()
        } else {
            client.finish_sending()
        }
        assert_eq!(told.recv_timeout(LIMIT), Ok(Told::Ended(id)));
        server.handle.answer(id, Answer::new(200));
    }
    server.until_empty();
    // A server that stops answers what waits.
    let mut client = server.connect();
    client.write(get("/a").as_bytes());
    let id = called(&told);
    server.handle.shutdown();
    let response = client.response();
    assert_eq!((response.status, response.field("Retry-After")), (503, Some("1")));
    assert_eq!(told.recv_timeout(LIMIT), Ok(Told::Ended(id)));
}

#[test]
fn few_bytes_are_kept_while_an_answer_is_due() {
    let (server, told) = later(6 * LIMIT);
    let mut client = server.connect();
    client.write(get("/a").as_bytes());
    let id = called(&told);
    for _ in 0..100 {
        client.write(get(&format!("/{}", "x".repeat(4000))).as_bytes());
    }
    until("all is read", || server.handle.metrics().contains("wsmio_bytes_received_total 40"));
    server.handle.answer(id, Answer::text(200, "one"));
    let response = client.response();
    assert_eq!((response.body.as_str(), response.field("Connection")), ("one", Some("close")));
    assert!(client.rest().is_empty());
    assert_eq!(told.try_recv(), Ok(Told::Ended(id)));
    assert!(told.try_recv().is_err(), "no other was called");
}

fn alice(request: &Request<'_>) -> Result<Identity, Denied> {
    match request.token()?.as_ref() {
        "swordfish" => Ok(Identity::new("alice")),
        _ => Err(Denied::new("unknown")),
    }
}

#[test]
fn who_may_ask_is_found_out_before_the_body_is_read() {
    let builder = Server::builder().workers(1).service("/mirror/{name}", Mirror);
    let server = serve(builder.authenticate(alice).guarded_service(
        "/api/{name}",
        |_: &Request<'_>| Err(Denied::missing()),
        Mirror,
    ));
    let with = |path: &str, token: &str| {
        let field = format!("Authorization: Bearer {token}\r\n");
        post(&format!("{field}Content-Length: 5\r\n"), "").replace("/mirror/x", path)
    };
    let mut client = server.connect();
    assert_eq!(
        client.ask(&(with("/mirror/x", "swordfish") + "hello")).body,
        "POST /mirror/x alice hello"
    );
    for (path, token, challenge) in [
        ("/mirror/x", "xyzzy", "Bearer error=\"invalid_token\""),
        ("/api/x", "swordfish", "Bearer"),
    ] {
        let mut client = server.connect();
        let response = client.ask(&with(path, token));
        assert_eq!(response.status, 401);
        assert_eq!(response.field("WWW-Authenticate"), Some(challenge));
    }
}

#[test]
fn requests_count_for_the_limits_while_they_are_served() {
    let (send, told) = channel();
    let builder = echo().service("/later/{name}", Later(send, 6 * LIMIT)).max_connections(Some(1));
    let server = serve(builder);
    let mut waits = server.connect();
    waits.write(get("/later/a").as_bytes());
    let id = called(&told);
    assert_eq!(server.connect().ask(&request("/echo")).status, 503);
    assert_eq!(server.connect().ask(&get("/later/b")).status, 503);
    server.handle.answer(id, Answer::new(200));
    assert_eq!(waits.response().status, 200);
    server.open("/echo").echo("there is room");
}

#[test]
fn pages_of_allowed_origins_are_shown_the_answers_and_no_others() {
    let pattern: OriginPattern = "https://friend.example".parse().unwrap();
    let server = mirror_with(|builder| builder.allow_origin(pattern));
    let with = |method: &str, origin: &str| {
        let asked = get("/mirror/x").replacen("GET", method, 1);
        asked.replace(
            "\r\n\r\n",
            &format!("\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n"),
        )
    };
    for (method, status) in [("GET", 200), ("OPTIONS", 204), ("DELETE", 405)] {
        let mut client = server.connect();
        let response = client.ask(&with(method, "https://friend.example"));
        assert_eq!(response.status, status);
        let allowed = response.field("Access-Control-Allow-Origin");
        assert_eq!(allowed, Some("https://friend.example"), "{response:?}");
        assert_eq!(response.field("Vary"), Some("Origin"));
        if method == "OPTIONS" {
            let methods = response.field("Access-Control-Allow-Methods");
            assert_eq!(methods, Some("GET, HEAD, POST"));
            let fields = response.field("Access-Control-Allow-Headers").unwrap();
            assert!(fields.contains("Authorization") && fields.contains("Idempotency-Key"));
        }
        let response = server.connect().ask(&with(method, "https://foe.example"));
        assert_eq!(response.status, 403);
        assert_eq!(response.field("Access-Control-Allow-Origin"), None);
    }
    let response = server.connect().ask(&with("GET", "http://a.example"));
    assert_eq!(response.status, 200, "the same host");
}

#[test]
fn operators_are_not_asked_who_they_are_but_pages_elsewhere_may_not_act_for_them() {
    let builder = Server::builder().workers(1).admin("127.0.0.1:0".parse().unwrap());
    let pattern: OriginPattern = "*".parse().unwrap();
    let builder =
        builder.allow_origin(pattern).authenticate(alice).admin_service("/mirror/{name}", Mirror);
    let server = builder.bind("127.0.0.1:0").unwrap();
    let (address, handle) = (server.admin_addr().unwrap(), server.handle());
    let local = server.local_addrs()[0];
    let running = std::thread::spawn(|| server.run());
    let with = |host: &str, origin: &str| {
        get("/mirror/x")
            .replace("a.example", host)
            .replace("\r\n\r\n", &format!("\r\n{origin}\r\n"))
    };
    for (status, host, origin) in [
        (200, "localhost", ""),
        (200, "LOCALHOST:80", "Origin: http://localhost\r\n"),
        (200, "[::1]:9090", ""),
        (200, "127.0.0.1:9090", "Origin: http://127.0.0.1:9090\r\n"),
        (403, "127.0.0.1:9090", "Origin: http://127.0.0.1:8080\r\n"),
        (403, "127.0.0.1", "Origin: https://foe.example\r\n"),
        (403, "127.0.0.1", "Origin: null\r\n"),
        // A name of the page's own that leads to this machine.
        (403, "foe.example", "Origin: http://foe.example\r\n"),
        (403, "foe.example", ""),
        (403, "localhost.foe.example", ""),
    ] {
        let response = Client::connect(address).ask(&with(host, origin));
        assert_eq!(response.status, status, "{host} {origin}: {response:?}");
        assert_eq!(response.field("Access-Control-Allow-Origin"), None);
    }
    assert_eq!(Client::connect(local).ask(&with("localhost", "")).status, 404);
    handle.shutdown();
    running.join().unwrap().unwrap();
}

#[test]
fn answers_are_counted() {
    let server = mirror();
    assert_eq!(server.connect().ask(&get("/mirror/x")).status, 200);
    until("the answer is counted", || {
        server.handle.metrics().contains("wsmio_requests_answered_total{status=\"2xx\"} 1\n")
    });
    assert_eq!(server.handle.stats().accepted, 0, "no WebSocket was");
}
