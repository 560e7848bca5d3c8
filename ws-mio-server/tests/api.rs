//! The rooms by plain HTTP, with curl and `EventSource`: what is sent is what the reference has, and streams and polls
//! go on where they were cut.
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

#[path = "common/chromium.rs"]
mod chromium;
mod common;
#[path = "common/program.rs"]
mod program;
#[path = "common/schema.rs"]
mod schema;
#[path = "common/wire.rs"]
mod wire;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use chromium::Chromium;
use common::{Client, TEXT, close};
use program::{Program, has_curl};
use schema::Schema;
use serde_json::{Value, json};
use wire::Wire;

const KEY: &str = "a-key-of-the-tests-0001";

/// A folder with a file of keys, which goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-api-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.keys(), format!("# of the tests\n\n{KEY}\nanother-key-of-the-tests\n"))
            .unwrap();
        folder
    }

    fn keys(&self) -> String {
        self.0.join("keys").to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn server(folder: &Folder, more: &[&str]) -> Program {
    let mut command = Command::new(program::PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--workers", "2", "--api-keys", &folder.keys()]);
    Program::start(command.args(more))
}

/// What curl gets: the status, and the body.
fn curl(url: &str, arguments: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "-w", "\n%{http_code}", url])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// A server, and what is asked of it.
struct Asking {
    program: Program,
    schema: Schema,
}

impl Asking {
    fn ask(&mut self, (path, arguments): (&str, &[&str]), status: u16, name: &str) -> Value {
        let url = match path.strip_prefix("/admin") {
            Some(_) => format!("{}{path}", self.program.url("admin").rsplit_once('/').unwrap().0),
            None => format!("http://{}{path}", self.program.address()),
        };
        let (found, body) = curl(&url, arguments);
        assert_eq!(found, status, "{path}: {body}");
        let value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}"));
        self.schema.check(name, &value);
        value
    }

    /// Asks the API with a key; with a body, which is as the definition says.
    fn api(&mut self, path: &str, body: Option<(&str, Value)>, status: u16, name: &str) -> Value {
        let key = format!("Authorization: Bearer {KEY}");
        match body {
            None => self.ask((path, &["-H", &key]), status, name),
            Some((of, body)) => {
                if status == 200 {
                    self.schema.check(of, &body);
                }
                self.ask((path, &["-H", &key, "-d", &body.to_string()]), status, name)
            }
        }
    }

    fn admin(&mut self, path: &str, body: Option<(&str, Value)>, status: u16, name: &str) -> Value {
        match body {
            None => self.ask((path, &[]), status, name),
            Some((of, body)) => {
                if status < 300 {
                    self.schema.check(of, &body);
                }
                let (kind, body) = ("Content-Type: application/json", body.to_string());
                self.ask((path, &["-H", kind, "-d", &body]), status, name)
            }
        }
    }
}

/// A member by WebSocket.
struct Tab(Client);

impl Tab {
    fn next(&mut self, schema: &mut Schema, kind: &str) -> Value {
        let frame = self.0.frame();
        assert_eq!(frame.start, TEXT, "{frame:?}");
        let value: Value = serde_json::from_slice(&frame.payload).unwrap();
        schema.check("server", &value);
        assert_eq!(value["type"], kind, "{value}");
        value
    }

    fn say(&mut self, schema: &mut Schema, value: &Value) {
        schema.check("client", value);
        self.0.send(TEXT, value.to_string().as_bytes());
    }
}

/// An event of a stream.
#[derive(Debug, Default)]
struct Event {
    id: Option<String>,
    kind: Option<String>,
    data: String,
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// A stream of events that curl reads.
struct Stream {
    curl: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.curl.kill();
        let _ = self.curl.wait();
    }
}

impl Stream {
    fn open(url: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("curl");
        command.args(["-sSN", "--max-time", "20", url]).args(arguments);
        let mut curl = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(curl.stdout.take().unwrap()).lines().map_while(Result::ok);
        Self { curl, lines: Box::new(lines) }
    }

    /// The next event; `None` at the end.
    fn try_next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.lines.next()?;
            match line.split_once(": ") {
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("event", kind)) => event.kind = Some(kind.to_owned()),
                Some(("data", data)) => event.data.push_str(data),
                None if line.is_empty() && !event.data.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Event {
        self.try_next().expect("the stream has ended")
    }
}

#[test]
fn everything_that_is_sent_is_as_the_reference_says() {
    if !has_curl() {
        return;
    }
    let folder = Folder::new("reference");
    let program = server(&folder, &["--admin-listen", "127.0.0.1:0"]);
    let mut asking = Asking { program, schema: Schema::read() };

    let (_, served) = curl(&format!("http://{}/schema.json", asking.program.address()), &["-f"]);
    assert_eq!(served, include_str!("../schema.json"));

    // By WebSocket: a joiner, what it says, what it does wrong, who comes and goes.
    let mut a = Tab(asking.program.open("/chat/r?username=a"));
    let schema = &mut asking.schema;
    let joined = a.next(schema, "joined");
    a.say(schema, &json!({"type": "message", "content": "one", "clientId": "c1"}));
    assert_eq!(a.next(schema, "ack")["clientId"], "c1");
    let one = a.next(schema, "message")["id"].as_str().unwrap().to_owned();
    a.0.send(TEXT, b"{}");
    a.next(schema, "error");
    let since = joined["id"].as_str().unwrap();
    let mut b = Tab(asking.program.open(&format!("/chat/r?username=b&since={since}")));
    assert_eq!(b.next(schema, "joined")["recovered"], true);
    b.next(schema, "message");
    assert_eq!(a.next(schema, "system")["event"], "join");
    b.say(schema, &json!({"type": "typing", "isTyping": true}));
    assert_eq!(a.next(schema, "typing")["username"], "b");
    let mut c = Tab(asking.program.open("/chat/r?username=c&since=nonsense"));
    assert_eq!(c.next(schema, "joined")["gap"], Value::Null);
    c.next(schema, "history");
    for tab in [&mut a, &mut b] {
        tab.next(schema, "system");
    }
    c.0.write(&close(1000, ""));
    for tab in [&mut a, &mut b] {
        assert_eq!(tab.next(schema, "system")["event"], "leave");
    }

    // The API.
    let publish = |content: &str| Some(("api.publish", json!({"content": content})));
    let said = Some(("api.publish", json!({"content": "two", "username": "봇", "clientId": "k"})));
    let two = asking.api("/api/rooms/r/messages", said.clone(), 200, "api.published");
    assert_eq!(asking.api("/api/rooms/r/messages", said, 200, "api.published"), two);
    assert_eq!(a.next(&mut asking.schema, "message")["username"], "봇");
    let page = asking.api("/api/rooms/r/messages?limit=1", None, 200, "api.page");
    assert_eq!((&page["messages"][0]["content"], &page["more"]), (&json!("two"), &json!(true)));
    let before = format!("/api/rooms/r/messages?before={}", two["id"].as_str().unwrap());
    let page = asking.api(&before, None, 200, "api.page");
    assert_eq!((&page["messages"][0]["id"], &page["more"]), (&json!(one), &json!(false)));
    let page = asking.api(&format!("/api/rooms/r/messages?after={one}"), None, 200, "api.page");
    assert_eq!(page["messages"][0]["id"], two["id"]);
    let there = asking.api("/api/rooms/r/presence", None, 200, "api.presence");
    assert_eq!(
        there["users"],
        json!([{"username": "a", "connections": 1}, {"username": "b", "connections": 1}])
    );
    assert_eq!(asking.api("/api/rooms/r", None, 200, "api.room")["userCount"], 2);
    assert_eq!(asking.api("/api/rooms", None, 200, "api.rooms")["total"], 1);
    assert_eq!(
        asking.api("/api/users/b/messages", publish("psst"), 200, "api.delivered")["delivered"],
        1
    );
    let of_b = |b: &mut Tab, schema: &mut Schema, kind: &str| loop {
        let value: Value = serde_json::from_slice(&b.0.frame().payload).unwrap();
        schema.check("server", &value);
        if value["type"] == kind {
            return value;
        }
    };
    assert_eq!(of_b(&mut b, &mut asking.schema, "direct")["content"], "psst");
    let batch = json!({"messages": [
        {"room": "r", "content": "three"},
        {"user": "b", "content": "four", "username": "x"},
        {"room": "r", "content": "another", "username": "봇", "clientId": "k"},
        {"user": "nobody", "content": "five"},
    ]});
    let results = asking.api("/api/batch", Some(("api.batch", batch)), 200, "api.results");
    let results = &results["results"];
    assert!(results[0]["id"].is_string() && results[1]["delivered"] == 1, "{results}");
    assert!(results[2]["code"] == "clientid-reused" && results[3]["delivered"] == 0, "{results}");

    // Events and polls.
    let address = asking.program.address();
    let mut stream = Stream::open(&format!("http://{address}/sse/r?username=s"), &[]);
    for kind in ["joined", "history"] {
        let value = stream.next().json();
        asking.schema.check("server", &value);
        assert_eq!(value["type"], kind);
    }
    let said = json!({"type": "message", "content": "by POST", "clientId": "p"}).to_string();
    let ack = asking.ask(("/sse/r?username=s", &["-d", &said]), 200, "ack");
    assert_eq!(
        (&ack["clientId"], stream.next().json()["id"].clone()),
        (&json!("p"), ack["id"].clone())
    );
    let typing = json!({"type": "typing", "isTyping": false}).to_string();
    asking.ask(("/sse/r?username=s", &["-d", &typing]), 200, "nothing");
    asking.ask(("/sse/r?username=s", &["-d", "{}"]), 400, "error");
    let poll = asking.ask(("/poll/r", &[]), 200, "poll");
    assert_eq!(poll["id"], ack["id"]);
    let poll = asking.ask((&format!("/poll/r?since={one}"), &[]), 200, "poll");
    assert_eq!((&poll["recovered"], &poll["gap"]), (&json!(true), &json!(0)));
    let last = ack["id"].as_str().unwrap();
    let poll = asking.ask((&format!("/poll/r?since={last}&wait=100ms"), &[]), 200, "poll");
    assert_eq!((&poll["id"], &poll["messages"]), (&ack["id"], &json!([])));
    asking.ask(("/poll/r?since=x:1", &[]), 200, "poll");

    // Those who run the server.
    let state = asking.admin("/admin/api/state", None, 200, "admin.state");
    assert_eq!((&state["rooms"], &state["draining"]), (&json!(1), &json!(false)));
    assert_eq!(asking.admin("/admin/api/rooms", None, 200, "admin.rooms")["rooms"][0]["users"], 3);
    let all = asking.admin("/admin/api/connections", None, 200, "admin.connections");
    let transports: Vec<_> =
        all["connections"].as_array().unwrap().iter().map(|c| &c["transport"]).collect();
    assert!(
        transports.contains(&&json!("sse")) && transports.contains(&&json!("websocket")),
        "{all}"
    );
    let of_room = asking.admin("/admin/api/connections?room=r", None, 200, "admin.connections");
    assert_eq!((&of_room["total"], &of_room["connections"][0]["room"]), (&json!(3), &json!("r")));
    let note = json!({"room": "r", "message": "공지"});
    assert_eq!(
        asking.admin("/admin/api/notify", Some(("admin.notify", note)), 200, "api.delivered")["delivered"],
        3
    );
    let note = json!({"user": "a", "message": "to you"});
    asking.admin("/admin/api/notify", Some(("admin.notify", note)), 200, "api.delivered");
    let told = loop {
        let value = of_b(&mut b, &mut asking.schema, "system");
        if value["event"] == "notification" {
            break value;
        }
    };
    assert_eq!(told["message"], "공지");
    let kick = json!({"user": "s", "reason": "out"});
    asking.admin("/admin/api/kick", Some(("admin.kick", kick)), 200, "api.closed");
    let end = loop {
        let event = stream.next();
        if event.kind.as_deref() == Some("close") {
            break event.json();
        }
        asking.schema.check("server", &event.json());
    };
    asking.schema.check("close", &end);
    assert_eq!(end, json!({"code": 4403, "reason": "out"}));
    let id = all["connections"].as_array().unwrap().iter().find(|c| c["username"] == "b").unwrap();
    let kick = json!({"connection": id["connection"]});
    asking.admin("/admin/api/kick", Some(("admin.kick", kick)), 200, "api.closed");
    let disconnect = Some(("api.disconnect", json!({"reason": "bye"})));
    assert_eq!(asking.api("/api/users/a/disconnect", disconnect, 200, "api.closed")["closed"], 1);
    common::until("all of them are told of", || {
        let closes = asking.admin("/admin/api/closes", None, 200, "admin.closes");
        closes["closes"].as_array().unwrap().len() >= 3
    });

    // What is refused.
    for (path, body, status) in [
        ("/api/rooms/r/messages", json!({"content": 7}), 400),
        ("/api/rooms/r/messages", json!({}), 400),
        ("/api/rooms/r/messages", json!({"content": "x", "colour": "red"}), 400),
        ("/api/rooms/r/messages", json!({"content": "x", "clientId": ""}), 400),
        ("/api/rooms/r/messages", json!([]), 400),
        ("/api/rooms/r/messages", json!({"content": "x".repeat(65 * 1024)}), 413),
        ("/api/rooms/r/messages", json!({"content": "y", "username": "봇", "clientId": "k"}), 409),
        ("/api/rooms/%01/messages", json!({"content": "x"}), 400),
        ("/api/users/a/messages", json!({"content": "x".repeat(65 * 1024)}), 413),
        ("/api/users/a/disconnect", json!({"why": "x"}), 400),
        ("/api/batch", json!({"messages": []}), 400),
        ("/api/batch", json!({"messages": [{"content": "x"}]}), 400),
        ("/api/batch", json!({"messages": [{"room": "r", "user": "u", "content": "x"}]}), 400),
        ("/api/batch", json!({"messages": vec![json!({"room": "r", "content": "x"}); 1001]}), 400),
    ] {
        asking.api(path, Some(("", body)), status, "error");
    }
    for (path, status) in [
        ("/api/rooms/nowhere", 404),
        ("/api/rooms/r/messages?limit=0", 400),
        ("/api/rooms/r/messages?limit=x", 400),
        ("/api/rooms/r/messages?before=x", 400),
        ("/api/rooms/r/messages?before=a:1&after=a:1", 400),
        ("/api/rooms/r/messages?before=%ff", 400),
    ] {
        asking.api(path, None, status, "error");
    }
    for (path, body) in [
        ("/admin/api/kick", json!({})),
        ("/admin/api/kick", json!({"connection": "x"})),
        ("/admin/api/notify", json!({"message": "x"})),
        ("/admin/api/notify", json!({"room": "r"})),
        ("/admin/api/drain", json!({"seconds": "1"})),
    ] {
        asking.admin(path, Some(("", body)), 400, "admin.error");
    }
    asking.ask(("/admin/api/drain", &["-d", "{}"]), 415, "admin.error");
    let drain = Some(("admin.drain", json!({"seconds": 0})));
    asking.admin("/admin/api/drain", drain, 202, "admin.draining");
    asking.program.ended();

    // What several nodes send is held against it in `cluster.rs`.
    let mut used = asking.schema.used.clone();
    used.extend(schema::OF_NODES.map(str::to_owned));
    let unused: Vec<_> = asking.schema.names().difference(&used).cloned().collect();
    assert!(unused.is_empty(), "nothing was held against {unused:?}");
}

fn publish(program: &Program, room: &str, content: &str) -> String {
    let url = format!("http://{}/api/rooms/{room}/messages", program.address());
    let (key, body) =
        (format!("Authorization: Bearer {KEY}"), json!({"content": content}).to_string());
    let (status, body) = curl(&url, &["-H", &key, "-d", &body]);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_stream_that_curl_reads_goes_on_where_it_was_cut() {
    if !has_curl() {
        return;
    }
    let folder = Folder::new("stream");
    let program = server(&folder, &[]);
    let wire = Wire::to(program.address());
    let url = format!("http://{}/sse/r?username=me", wire.address);
    let mut stream = Stream::open(&url, &[]);
    let joined = stream.next();
    assert_eq!(joined.id.as_deref(), joined.json()["id"].as_str(), "an empty room has a position");
    let seen = publish(&program, "r", "one");
    assert_eq!(stream.next().id, Some(seen.clone()));
    wire.cut();
    assert!(stream.try_next().is_none(), "it was cut");
    let missed = ["two", "세 번째", "four"].map(|content| publish(&program, "r", content));
    wire.mend();
    // By the field that browsers send, which is newer than what the URL says, and by the URL alone.
    let field = format!("Last-Event-ID: {seen}");
    for (url, arguments) in [
        (format!("{url}&since={}", joined.id.as_deref().unwrap()), vec!["-H", &field]),
        (format!("{url}&since={seen}"), vec![]),
    ] {
        let mut stream = Stream::open(&url, &arguments);
        let joined = stream.next();
        assert_eq!(joined.id, None, "were it cut here, the next would miss what follows");
        assert_eq!(
            (&joined.json()["recovered"], &joined.json()["missed"]),
            (&json!(true), &json!(3))
        );
        for id in &missed {
            assert_eq!(stream.next().id.as_ref(), Some(id));
        }
    }
    let mut stream = Stream::open(&format!("{url}&since=0000000:1"), &[]);
    assert_eq!(stream.next().json()["recovered"], false);
    let history = stream.next();
    assert_eq!(
        (history.json()["type"].as_str(), history.id.as_ref()),
        (Some("history"), missed.last())
    );
}

#[test]
fn a_poll_by_curl_goes_on_where_it_was_cut() {
    if !has_curl() {
        return;
    }
    let folder = Folder::new("poll");
    let program = server(&folder, &[]);
    let wire = Wire::to(program.address());
    let poll = |since: &str| {
        let (status, body) = curl(&format!("http://{}/poll/r?since={since}", wire.address), &[]);
        (status, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    let (_, first) = poll("");
    let mut since = first["id"].as_str().unwrap().to_owned();
    // One that waits is answered by what is said, whenever that is.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| poll(&since));
        common::until("it waits", || {
            program.get("/metrics").contains("wsmio_connections{") && {
                let metrics = program.get("/metrics");
                let open = metrics.lines().filter(|line| line.starts_with("wsmio_connections{"));
                let open =
                    open.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
                open.sum::<u32>() >= 2
            }
        });
        let id = publish(&program, "r", "one");
        let (status, said) = waits.join().unwrap();
        assert_eq!(
            (status, &said["id"], &said["messages"][0]["content"]),
            (200, &json!(id), &json!("one"))
        );
        assert_eq!(said["recovered"], true);
    });
    since = poll(&since).1["id"].as_str().unwrap().to_owned();
    wire.cut();
    assert_eq!(poll(&since).0, 0, "nothing is answered");
    let ids = ["two", "three"].map(|content| publish(&program, "r", content));
    wire.mend();
    let (_, said) = poll(&since);
    assert_eq!(
        (&said["recovered"], &said["missed"], &said["id"]),
        (&json!(true), &json!(2), &json!(ids[1]))
    );
    let found: Vec<_> = said["messages"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(found, [&json!(ids[0]), &json!(ids[1])]);
}

#[test]
fn an_event_source_goes_on_where_it_was_cut() {
    let Some(chromium) = Chromium::open("about:blank") else { return };
    let folder = Folder::new("source");
    let program = server(&folder, &[]);
    let wire = Wire::to(program.address());
    let mut page = chromium.window();
    page.go(&format!("http://{}/", wire.address));
    page.text(
        "(window.got = [], window.source = new EventSource('/sse/r?username=me'), \
         source.onmessage = event => got.push(JSON.parse(event.data)), 'ok')",
    );
    page.wait("got.length === 1 && got[0].type === 'joined'");
    publish(&program, "r", "one");
    page.wait("got.length === 2 && got[1].content === 'one'");
    wire.cut();
    page.wait("source.readyState === EventSource.CONNECTING");
    publish(&program, "r", "둘");
    publish(&program, "r", "three");
    wire.mend();
    page.wait("got.length === 5");
    publish(&program, "r", "four");
    page.wait("got.length === 6");
    let got = page.text(
        "got.filter(m => m.type === 'message').map(m => m.content).join() + ' ' + got[2].recovered + got[2].missed",
    );
    assert_eq!(got, "one,둘,three,four true2");
}

/// Runs a command as somebody would who has copied it.
fn shell(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_examples_of_the_banner_work_as_they_are() {
    if !has_curl() {
        return;
    }
    // Without keys, one is made where no other machine reaches the server.
    let program = Program::with(&["--workers", "1"]);
    let command = |word: &str| {
        let line = program.banner.iter().find_map(|line| line.trim().strip_prefix(word));
        line.unwrap_or_else(|| panic!("{word} is due: {:?}", program.banner)).trim().to_owned()
    };
    assert!(shell(&command("api ")).starts_with("{\"id\":\""));
    assert!(shell(&command("poll ")).contains("\"content\":\"hello\""));
    let events = command("events ").replace("curl", "timeout 2 curl -s") + " | grep -m 1 history";
    assert!(shell(&events).contains("\"content\":\"hello\""));
}

#[test]
fn the_examples_of_the_readme_work_as_they_are() {
    if !has_curl() {
        return;
    }
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## Without WebSockets").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let folder = Folder::new("readme");
    let program = server(&folder, &[]);
    let mut run = 0;
    for line in section.lines().filter(|line| line.starts_with("curl ")) {
        let line = line.replace("http://127.0.0.1:8080", &format!("http://{}", program.address()));
        let line = line.replace("$(cat api.keys)", KEY);
        let line = match line.contains(" -N ") {
            true => format!("timeout 2 {line} -s | head -c 20"),
            false => format!("{line} -sSf"),
        };
        assert!(!shell(&line).is_empty(), "{line}");
        run += 1;
    }
    assert!(run >= 5, "{run} examples");
}

#[test]
fn nobody_uses_the_api_without_a_key() {
    if !has_curl() {
        return;
    }
    let folder = Folder::new("keys");
    let status = |program: &Program, path: &str, arguments: &[&str]| {
        let port = program.address().port();
        curl(&format!("http://127.0.0.1:{port}{path}"), arguments).0
    };
    let program = server(&folder, &[]);
    let field = |key: &str| format!("Authorization: Bearer {key}");
    for (key, due) in [
        (KEY, 200),
        ("another-key-of-the-tests", 200),
        ("a-key-of-the-tests-0002", 401),
        ("a-key-of-the-tests-000", 401),
        ("# of the tests", 401),
        ("", 401),
    ] {
        assert_eq!(status(&program, "/api/rooms", &["-H", &field(key)]), due, "{key}");
    }
    assert_eq!(status(&program, "/api/rooms", &[]), 401);
    assert_eq!(
        status(&program, "/api/rooms", &["-H", &format!("Authorization: Basic {KEY}")]),
        401
    );
    assert_eq!(status(&program, &format!("/api/rooms?token={KEY}"), &[]), 401, "a URL is no place");
    assert_eq!(
        status(&program, "/api/rooms", &["-H", &field(KEY), "-H", "Origin: http://foe.example"]),
        403
    );
    let shown = program.banner.join("\n");
    assert!(!shown.contains(KEY) && shown.contains("Bearer KEY"), "{shown}");
    // SIGHUP reads the file again.
    fs::write(folder.keys(), "quite-another-key-of-the-tests").unwrap();
    program.signal(rustix::process::Signal::HUP);
    let new = field("quite-another-key-of-the-tests");
    common::until("the new key is known", || status(&program, "/api/rooms", &["-H", &new]) == 200);
    assert_eq!(status(&program, "/api/rooms", &["-H", &field(KEY)]), 401);
    drop(program);
    // Where others may reach the server, there is no API without keys.
    let program = Program::with(&["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(status(&program, "/api/rooms", &[]), 404);
    assert!(!program.banner.join("\n").contains("Bearer"));
    // A file that is no good is refused.
    for (keys, names) in [("short\n", ":1: a key is due"), ("# none\n", "there is no key")] {
        fs::write(folder.keys(), keys).unwrap();
        let command = ["check-config", "--api-keys", &folder.keys()];
        let output = Command::new(program::PROGRAM).args(command).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(names), "{said}");
        assert!(!said.contains("short"), "the key is not shown: {said}");
    }
}

#[test]
fn a_stream_is_refused_by_a_status() {
    if !has_curl() {
        return;
    }
    let folder = Folder::new("refused");
    let program = server(&folder, &["--may-join", "nobody"]);
    let mut asking = Asking { program, schema: Schema::read() };
    for (path, status, code) in [
        ("/sse/r?username=me", 403, "forbidden"),
        ("/poll/r", 403, "forbidden"),
        ("/sse/%07", 400, "malformed"),
        ("/sse/r?username=%ff", 400, "malformed"),
        ("/poll/r?wait=61s&username=a", 403, "forbidden"),
    ] {
        assert_eq!(asking.ask((path, &[]), status, "error")["code"], code, "{path}");
    }
}
