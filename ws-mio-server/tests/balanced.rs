//! Three nodes over Redis behind the real nginx and haproxy: whoever is cut off comes back to any of them, and has
//! missed nothing.
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

#[path = "common/balancer.rs"]
mod balancer;
mod common;
#[path = "common/redis.rs"]
mod redis;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Instant;

use balancer::{Folder, LIMIT, Proxy, Server, free};
use common::{CLOSE, Client, TEXT};
use redis::Redis;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const ROOM: &str = "hall";

/// A member of the room, by way of the proxy.
struct Member {
    name: String,
    client: Client,
    /// The last id that it saw.
    last: String,
    /// What it says and was not acknowledged.
    saying: Option<String>,
}

impl Member {
    fn join(name: String, proxy: SocketAddr) -> Self {
        let (client, joined) = enter(&name, "", proxy);
        let last = joined["id"].as_str().unwrap().to_owned();
        Self { name, client, last, saying: None }
    }

    /// Comes back, and is told how many messages it has missed, which come. It says again what was not acknowledged.
    fn come_back(&mut self, proxy: SocketAddr) -> u64 {
        let (client, joined) = enter(&self.name, &format!("&since={}", self.last), proxy);
        self.client = client;
        assert_eq!(joined["recovered"], true, "{} was at {}: {joined}", self.name, self.last);
        if let Some(content) = self.saying.clone() {
            self.say(&content);
        }
        joined["missed"].as_u64().unwrap()
    }

    fn say(&mut self, content: &str) {
        let text = json!({"type": "message", "content": content, "clientId": content});
        self.client.send(TEXT, text.to_string().as_bytes());
        self.saying = Some(content.to_owned());
    }

    /// Hears what is said up to this, each message behind the one before, and that it was acknowledged, if it has said it
    /// itself. How often it was closed meanwhile, and came back.
    fn hear(&mut self, content: &str, proxy: SocketAddr) -> usize {
        let (mut closed, mut is_heard) = (0, false);
        while !is_heard || self.saying.as_deref() == Some(content) {
            let frame = self.client.frame();
            if frame.start == CLOSE {
                assert_eq!(frame.code(), 1012, "{}", self.name);
                self.client.write(&common::close(1012, ""));
                self.come_back(proxy);
                closed += 1;
                continue;
            }
            let text: Value = serde_json::from_slice(&frame.payload).unwrap();
            match text["type"].as_str().unwrap() {
                "ack" => self.saying = None,
                "message" => {
                    let (epoch, offset) = self.last.rsplit_once(':').unwrap();
                    let next = format!("{epoch}:{}", offset.parse::<u64>().unwrap() + 1);
                    assert_eq!(text["id"], *next, "{} is at {}: {text}", self.name, self.last);
                    self.last = next;
                    is_heard |= text["content"] == content;
                }
                "system" | "history" => {}
                _ => panic!("{}: {text}", self.name),
            }
        }
        closed
    }

    /// Whether its connection has ended; nothing else may have come.
    fn is_gone(&self) -> bool {
        self.client.stream.set_nonblocking(true).unwrap();
        let peeked = self.client.stream.peek(&mut [0]);
        self.client.stream.set_nonblocking(false).unwrap();
        match peeked {
            Ok(0) => true,
            Ok(_) => panic!("{}: something has come", self.name),
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn enter(name: &str, since: &str, proxy: SocketAddr) -> (Client, Value) {
    let mut client = Client::connect(proxy);
    client.write(common::request(&format!("/chat/{ROOM}?username={name}{since}")).as_bytes());
    // Proxies write the head anew.
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let joined: Value = serde_json::from_slice(&client.frame().payload).unwrap();
    assert_eq!(joined["type"], "joined", "{joined}");
    (client, joined)
}

fn node(redis: &Redis, number: usize, more: &[&str]) -> Server {
    let (url, name) = (redis.url(), format!("node-{number}"));
    let common = ["--workers", "1", "--drain", "2s", "--close-timeout", "1s"];
    let own = ["--backplane", &url, "--node-name", &name];
    let node = Server::start(&[&common[..], &own, more].concat());
    common::until("the node is ready", || ask(node.address, "/readyz").contains(" 200 "));
    node
}

/// The answer to a request.
fn ask(to: SocketAddr, path: &str) -> String {
    let mut client = Client::connect(to);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.write(request.as_bytes());
    String::from_utf8(client.rest()).unwrap()
}

fn check(proxy: Proxy) {
    let Some(program) = proxy.program() else { return };
    if !redis::is_installed() {
        return;
    }
    let redis = Redis::start();
    let folder = Folder::new(&format!("balanced-{}", proxy.name()));
    let mut nodes: Vec<_> = (0..3).map(|number| node(&redis, number, &[])).collect();
    let backends: Vec<_> = nodes.iter().map(|node| node.address.to_string()).collect();
    let arguments: Vec<_> = backends.iter().flat_map(|backend| ["--backend", backend]).collect();
    let listen = free();
    let _proxy = proxy.start(&program, &folder, listen, &arguments);

    // Both balance by connections: four members on each node.
    let mut members: Vec<_> =
        (0..12).map(|n| Member::join(format!("member-{n}"), listen)).collect();
    members[0].say("to all");
    for member in &mut members {
        member.hear("to all", listen);
    }

    // A node is killed, and things are said before those who were there come back.
    let process = &mut nodes[0].process;
    kill_process(Pid::from_child(&process.0), Signal::KILL).unwrap();
    process.0.wait().unwrap();
    common::until("the members of the node are cut off", || {
        members.iter().filter(|member| member.is_gone()).count() >= 4
    });
    let (mut gone, mut here): (Vec<_>, Vec<_>) = members.into_iter().partition(Member::is_gone);
    assert_eq!(gone.len(), 4, "{proxy:?}");
    for said in ["one", "two", "three"] {
        here[0].say(said);
        for member in &mut here {
            member.hear(said, listen);
        }
    }
    for member in &mut gone {
        assert_eq!(member.come_back(listen), 3, "{proxy:?}");
        member.hear("three", listen);
    }
    let mut members = [gone, here].into_iter().flatten().collect::<Vec<_>>();

    // Whoever polls asks another node each time, and is told the same.
    let since = members[0].last.rsplit_once(':').unwrap().0.to_owned() + ":1";
    for _ in 0..4 {
        let answer = ask(listen, &format!("/poll/{ROOM}?since={since}&wait=0"));
        let contents = ["one", "two", "three"].map(|said| answer.find(&format!("\"{said}\"")));
        assert!(contents[0].is_some() && contents.is_sorted(), "{proxy:?}: {answer}");
        assert!(!answer.contains("to all"), "{proxy:?}: {answer}");
    }

    // The node is back; another one drains while somebody talks.
    nodes[0] = node(&redis, 0, &["--listen", &backends[0]]);
    kill_process(Pid::from_child(&nodes[1].process.0), Signal::TERM).unwrap();
    let begun = Instant::now();
    let (mut said, mut closed) = (0, 0);
    let status = loop {
        assert!(begun.elapsed() < LIMIT, "{proxy:?}: it does not stop");
        said += 1;
        let content = format!("while it drains, {said}");
        // Who talks may be closed before it is heard, and says it again as it comes back.
        members.rotate_left(1);
        members[0].say(&content);
        for member in &mut members {
            closed += member.hear(&content, listen);
        }
        if let Some(status) = nodes[1].process.0.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(status.code(), Some(0), "{proxy:?}");
    assert!(closed >= 4, "{proxy:?}: {closed} were closed");
}

#[test]
fn rooms_go_on_behind_nginx() {
    check(Proxy::Nginx);
}

#[test]
fn rooms_go_on_behind_haproxy() {
    check(Proxy::Haproxy);
}
