//! Several servers that have the same rooms by a Redis, each a process of its own.
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
#[path = "common/redis.rs"]
mod redis;
#[path = "common/schema.rs"]
mod schema;

use std::process::{Child, Command, Stdio};

use common::{Client, TEXT, until};
use program::Program;
use redis::{Redis, is_installed};
use schema::{OF_NODES, Schema};
use serde_json::{Value, json};

struct Tab(Client);

impl Tab {
    fn next(&mut self) -> Value {
        let frame = self.0.frame();
        assert_eq!(frame.start, TEXT, "{frame:?}");
        let message = serde_json::from_slice(&frame.payload).unwrap();
        Schema::read().check("server", &message);
        message
    }

    /// The next message of this type; others before it are not looked at.
    fn due(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next();
            if message["type"] == kind {
                return message;
            }
        }
    }

    fn event(&mut self, event: &str) -> Value {
        loop {
            let message = self.due("system");
            if message["event"] == event {
                return message;
            }
        }
    }

    fn post(&mut self, content: &str, id: &str) {
        let message = json!({"type": "message", "content": content, "clientId": id});
        self.0.send(TEXT, message.to_string().as_bytes());
    }
}

fn node(redis: &Redis, more: &[&str]) -> Program {
    let url = redis.url();
    let mut arguments = vec!["--backplane", &url, "--presence-lease", "2s", "--workers", "2"];
    arguments.extend(more);
    let program = Program::with(&arguments);
    // Not by `/readyz`: who may go on without it is ready without it.
    until("the backplane is there", || program.get("/metrics").contains("wsmio_backplane_up 1"));
    program
}

fn join(program: &Program, target: &str) -> (Tab, Value) {
    let mut tab = Tab(program.open(target));
    let joined = tab.next();
    assert_eq!(joined["type"], "joined", "{joined}");
    (tab, joined)
}

/// The key of the API, as the banner has it.
fn key(program: &Program) -> &str {
    let api = program.banner.iter().find(|line| line.contains("Authorization")).unwrap();
    api.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap()
}

fn api(program: &Program, path: &str) -> Value {
    let key = key(program);
    let mut client = Client::connect(program.address());
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    );
    client.write(head.as_bytes());
    let answer = String::from_utf8(client.rest()).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

#[test]
fn rooms_are_the_same_on_all_nodes() {
    if !is_installed() {
        return;
    }
    let redis = Redis::start();
    let (one, other) = (node(&redis, &[]), node(&redis, &["--node-name", "other"]));
    let (mut alice, _) = join(&one, "/chat/r?username=alice");
    let (mut bob, joined) = join(&other, "/chat/r?username=bob");
    assert_eq!(joined["userCount"], 2, "{joined}");
    assert_eq!(alice.event("join")["username"], "bob");
    alice.post("hello", "a1");
    let id = alice.due("ack")["id"].as_str().unwrap().to_owned();
    let heard = bob.due("message");
    assert_eq!((&heard["content"], &heard["username"]), (&json!("hello"), &json!("alice")));
    assert_eq!(heard["id"], *id);
    bob.post("hi", "b1");
    while alice.due("message")["content"] != "hi" {}
    // Whoever was cut off comes back on another node, also to a room that it does not know.
    let third = node(&redis, &[]);
    let (mut back, joined) = join(&third, &format!("/chat/r?username=carol&since={id}"));
    assert_eq!((&joined["recovered"], &joined["missed"]), (&json!(true), &json!(1)), "{joined}");
    assert_eq!(back.due("message")["content"], "hi");
    assert_eq!(joined["userCount"], 3);
    // What was sent already has the id that it had, on any node.
    let (mut again, _) = join(&third, "/chat/r?username=alice");
    again.post("hello", "a1");
    assert_eq!(again.due("ack")["id"], *id);
    // The API, on a node without members.
    let fourth = node(&redis, &[]);
    let history = api(&fourth, "/api/rooms/r/messages");
    assert_eq!(history["messages"].as_array().unwrap().len(), 2, "{history}");
    until("all nodes have told who is there", || {
        let presence = api(&fourth, "/api/rooms/r/presence");
        (&presence["userCount"], &presence["connections"]) == (&json!(3), &json!(4))
    });
    let mut client = Client::connect(fourth.address());
    let head = "Host: a\r\nConnection: close\r\n\r\n";
    client.write(format!("GET /poll/r?since={id}&wait=5 HTTP/1.1\r\n{head}").as_bytes());
    let poll = String::from_utf8(client.rest()).unwrap();
    assert!(poll.contains("\"hi\"") && poll.contains("\"recovered\":true"), "{poll}");
    // The relay.
    let (mut from, mut to) = (one.open("/relay/x"), other.open("/relay/x"));
    until("both nodes listen", || {
        from.send(TEXT, b"ping");
        let channels = redis.ask(&["PUBSUB", "CHANNELS"]);
        let relay = channels.lines().find(|line| line.contains("\u{1}x"));
        relay.is_some_and(|relay| redis.ask(&["PUBSUB", "NUMSUB", relay]).contains("\n:2"))
    });
    from.send(TEXT, b"last");
    while to.frame().payload != b"last" {}
}

/// What is asked by those who run the server.
fn admin(program: &Program, path: &str, body: Option<Value>) -> Value {
    let url = program.url("admin").strip_prefix("http://").unwrap();
    let mut client = Client::connect(url.split('/').next().unwrap().parse().unwrap());
    let host = "Host: 127.0.0.1\r\nConnection: close\r\n";
    client.write(
        match body.map(|body| body.to_string()) {
            None => format!("GET {path} HTTP/1.1\r\n{host}\r\n").into_bytes(),
            Some(body) => {
                let head =
                    format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
                format!("POST {path} HTTP/1.1\r\n{host}{head}\r\n\r\n{body}").into_bytes()
            }
        }
        .as_slice(),
    );
    let answer = String::from_utf8(client.rest()).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

#[test]
fn every_node_knows_the_rooms_of_all() {
    if !is_installed() {
        return;
    }
    let mut redis = Redis::start();
    let (one, mut other) = (node(&redis, &[]), node(&redis, &[]));
    let (url, at) = (redis.url(), "127.0.0.1:0");
    let third =
        Program::with(&["--backplane", &url, "--presence-lease", "2s", "--admin-listen", at]);
    until("it is ready", || third.get("/readyz").contains("200 OK"));
    let (mut alice, _) = join(&one, "/chat/busy?username=alice");
    let (_bob, _) = join(&other, "/chat/busy?username=bob");
    let (_carol, _) = join(&other, "/chat/calm?username=carol");
    let (dave, _) = join(&third, "/chat/here?username=dave");
    alice.post("hello", "a1");
    let id = alice.due("ack")["id"].clone();
    let rooms = |program: &Program, query: &str| {
        let list = api(program, &format!("/api/rooms{query}"));
        Schema::read().check("api.rooms", &list);
        list
    };
    let is = |list: &Value, due: &[(&str, u64)]| {
        let rooms = list["rooms"].as_array().unwrap().iter();
        rooms
            .map(|room| (room["room"].as_str().unwrap(), room["connections"].as_u64().unwrap()))
            .eq(due.iter().copied())
    };
    for program in [&one, &other, &third] {
        until("all rooms are known", || {
            is(&rooms(program, ""), &[("busy", 2), ("calm", 1), ("here", 1)])
        });
    }
    let list = rooms(&third, "?offset=1&limit=1");
    assert!(is(&list, &[("calm", 1)]), "{list}");
    assert_eq!((&list["total"], &list["consistency"]), (&json!(3), &json!("eventual")));
    assert_eq!(list["rooms"][0]["userCount"], Value::Null, "it has not attached the room");
    assert_eq!(rooms(&third, "?offset=2")["rooms"][0]["userCount"], 1);
    // One of them, by a node that nobody is on, and one that is nowhere.
    let busy = api(&third, "/api/rooms/busy");
    Schema::read().check("api.room", &busy);
    assert_eq!((&busy["userCount"], &busy["id"], &busy["history"]), (&json!(2), &id, &json!(1)));
    assert_eq!(api(&third, "/api/rooms/nowhere")["code"], "not-found");
    assert_eq!(api(&third, "/api/rooms?limit=1001")["code"], "malformed");
    // By such a node, too, members are told how many are there.
    admin(&third, "/admin/api/notify", Some(json!({"room": "busy", "message": "hear"})));
    let notice = alice.event("notification");
    assert_eq!((&notice["message"], &notice["userCount"]), (&json!("hear"), &json!(2)));
    let all = admin(&third, "/admin/api/rooms", None);
    Schema::read().check("admin.rooms", &all);
    assert_eq!((&all["scope"], &all["total"]), (&json!("cluster"), &json!(3)));
    assert_eq!((&all["rooms"][0]["here"], &all["rooms"][2]["here"]), (&json!(0), &json!(1)));
    // Whoever leaves, and a node that is killed, are in it no more.
    drop(dave);
    other.child.kill().unwrap();
    until("the rooms of the others are left", || is(&rooms(&third, ""), &[("busy", 1)]));
    // Redis forgets it, and is told again.
    redis.restart();
    until("it is known again", || {
        let list = api(&third, "/api/rooms");
        list["rooms"].is_array() && is(&list, &[("busy", 1)])
    });
    redis.kill();
    until("it is away", || third.get("/readyz").contains("503"));
    assert_eq!(api(&third, "/api/rooms")["code"], "busy");
    assert_eq!(api(&third, "/api/rooms/busy")["code"], "busy");
    let here = admin(&third, "/admin/api/rooms", None);
    Schema::read().check("admin.rooms", &here);
    assert_eq!(here["scope"], "node");
}

#[test]
fn members_of_a_node_that_is_killed_are_gone_within_the_lease() {
    if !is_installed() {
        return;
    }
    let redis = Redis::start();
    let (one, mut other) = (node(&redis, &[]), node(&redis, &[]));
    let (mut alice, _) = join(&one, "/chat/r?username=alice");
    let (_bob, _) = join(&other, "/chat/r?username=bob");
    assert_eq!(alice.event("join")["userCount"], 2);
    // The lease of this node must be known to be in time.
    std::thread::sleep(std::time::Duration::from_secs(2));
    other.child.kill().unwrap();
    let killed = std::time::Instant::now();
    let left = alice.event("leave");
    assert_eq!((&left["username"], &left["userCount"]), (&json!("bob"), &json!(1)));
    assert!(killed.elapsed().as_millis() <= 2_200, "{:?}", killed.elapsed());
    assert_eq!(api(&one, "/api/rooms/r/presence")["userCount"], 1);
}

#[test]
fn without_redis_members_are_told_and_then_begin_anew() {
    if !is_installed() {
        return;
    }
    let mut redis = Redis::start();
    let (one, other) = (node(&redis, &[]), node(&redis, &["--backplane-policy", "degrade"]));
    let (mut alice, joined) = join(&one, "/chat/r?username=alice");
    let (mut bob, _) = join(&other, "/chat/r?username=bob");
    let before = joined["id"].as_str().unwrap().split(':').next().unwrap().to_owned();
    alice.post("one", "a1");
    while bob.due("message")["content"] != "one" {}
    redis.kill();
    until("it is away", || one.get("/readyz").contains("503"));
    alice.post("two", "a2");
    let error = alice.due("error");
    assert_eq!((&error["code"], &error["clientId"]), (&json!("busy"), &json!("a2")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("backplane"), "{error}");
    until("the other knows it, too", || other.get("/metrics").contains("wsmio_backplane_up 0"));
    bob.post("three", "b1");
    let ack = bob.due("ack");
    let mut schema = Schema::read();
    schema.check("ack.transient", &ack);
    assert_eq!(ack, json!({"type": "ack", "clientId": "b1", "transient": true}));
    let message = bob.due("message");
    assert_eq!((&message["transient"], &message["id"]), (&json!(true), &Value::Null));
    schema.check("message.transient", &message);
    // It has kept nothing.
    redis.start_again();
    for tab in [&mut alice, &mut bob] {
        let joined = tab.due("joined");
        assert_eq!((&joined["recovered"], &joined["gap"]), (&json!(false), &Value::Null));
        assert_ne!(joined["id"].as_str().unwrap().split(':').next().unwrap(), before);
    }
    alice.post("two", "a2");
    while bob.due("message")["content"] != "two" {}
    until("it is ready", || one.get("/readyz").contains("200 OK"));
    schema.check("api.presence", &api(&one, "/api/rooms/r/presence"));
    for name in OF_NODES {
        assert!(schema.used.contains(name), "nothing was held against {name}");
    }
}

/// A process that ends with the test.
struct Typed(Child);

impl Drop for Typed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_commands_of_the_document_work_as_they_are() {
    if !is_installed() || !program::has_curl() {
        return;
    }
    let mut text = include_str!("../CLUSTER.md").to_owned();
    let mut ports = Vec::new();
    for port in ["6379", "8081", "8082"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let free = listener.local_addr().unwrap().port().to_string();
        text = text.replace(port, &free);
        ports.push(listener);
    }
    drop(ports);
    let folder = std::path::Path::new(program::PROGRAM).parent().unwrap().to_str().unwrap();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let run = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]).env("PATH", &path);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let started: Vec<_> = blocks.next().unwrap().lines().collect();
    let asked: Vec<_> = blocks.next().unwrap().lines().collect();
    assert_eq!((started.len(), asked.len()), (3, 2));
    let start = |line: &&str| {
        let line = line.strip_suffix(" &").unwrap();
        Typed(run(line).stdout(Stdio::null()).spawn().unwrap())
    };
    let _started: Vec<_> = started.iter().map(start).collect();
    let output = |line: &str| {
        String::from_utf8(run(line).stdout(Stdio::piped()).output().unwrap().stdout).unwrap()
    };
    until("it is said", || output(asked[0]).contains("\"type\":\"ack\""));
    until("it is heard", || output(asked[1]).contains("\"content\":\"hello\""));
}

#[test]
fn a_message_to_a_user_that_is_sent_again_is_known_to_the_node_that_was_asked() {
    if !is_installed() {
        return;
    }
    let redis = Redis::start();
    let (one, other) = (node(&redis, &[]), node(&redis, &[]));
    let (mut alice, _) = join(&one, "/chat/r?username=alice");
    let send = |program: &Program, content: &str| {
        let body = json!({"content": content, "clientId": "k"}).to_string();
        let mut client = Client::connect(program.address());
        let head = format!("Host: a\r\nContent-Length: {}\r\nConnection: close", body.len());
        let head = format!("{head}\r\nAuthorization: Bearer {}", key(program));
        let path = "/api/users/alice/messages";
        client.write(format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n{body}").as_bytes());
        String::from_utf8(client.rest()).unwrap()
    };
    for _ in 0..2 {
        assert!(send(&one, "once").contains("\"delivered\":1"));
    }
    // As the documents say: it reaches the tabs of all nodes, and each node has its own memory.
    assert!(send(&other, "again").contains("\"delivered\":0"));
    assert_eq!(alice.due("direct")["content"], "once");
    assert_eq!(alice.due("direct")["content"], "again");
}
