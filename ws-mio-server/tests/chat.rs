//! The chat and the relay of the binary: what is on the wire, message by message.
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

use std::process::Command;

use common::{BINARY, Client, TEXT, close, until};
use program::Program;
use rustix::process::Signal;
use serde_json::{Value, json};

/// A client that knows the table of messages.
struct Tab(Client);

impl Tab {
    fn open(program: &Program, target: &str) -> Self {
        Self(program.open(target))
    }

    fn next(&mut self) -> Value {
        let frame = self.0.frame();
        assert_eq!(frame.start, TEXT, "{frame:?}");
        serde_json::from_slice(&frame.payload).unwrap()
    }

    /// The next message, whose type is due, without its timestamp, which must be one.
    fn due(&mut self, kind: &str) -> Value {
        let mut message = self.next();
        assert_eq!(message["type"], kind, "{message}");
        if ["message", "system", "direct"].contains(&kind) {
            check_timestamp(&message["timestamp"]);
            message.as_object_mut().unwrap().remove("timestamp");
        }
        message
    }

    fn joined(&mut self) -> Value {
        self.due("joined")
    }

    fn say(&mut self, message: &Value) {
        self.0.send(TEXT, message.to_string().as_bytes());
    }

    fn post(&mut self, content: &str) {
        self.say(&json!({"type": "message", "content": content}));
    }

    /// Whether nothing has come that was not looked at: what is said now comes next.
    fn is_silent(&mut self, number: usize) {
        let mark = format!("mark {number}");
        self.post(&mark);
        assert_eq!(self.due("message")["content"], mark);
    }

    fn leave(mut self) {
        self.0.write(&close(1000, ""));
        let frame = self.0.frame();
        assert_eq!(frame.code(), 1000);
    }
}

fn check_timestamp(timestamp: &Value) {
    let text = timestamp.as_str().unwrap();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}

#[test]
fn two_tabs_chat() {
    let program = Program::with(&["--workers", "2"]);
    let mut alice =
        Tab::open(&program, "/chat/%EB%B0%A9%F0%9F%90%8B?username=%EC%95%A8%EB%A6%AC%EC%8A%A4");
    let joined = alice.joined();
    let epoch = joined["id"].as_str().unwrap().split_once(':').unwrap().0.to_owned();
    let due = json!({
        "type": "joined", "id": format!("{epoch}:0"), "userCount": 1, "username": "앨리스", "users": ["앨리스"],
    });
    assert_eq!(joined, due);
    // Somebody comes: the others are told, and get no history, for there is none.
    let mut bob = Tab::open(
        &program,
        "/chat/방🐋?username=Bob+B".replace("방🐋", "%EB%B0%A9%F0%9F%90%8B").as_str(),
    );
    let joined = bob.joined();
    let due = json!({
        "type": "joined", "id": format!("{epoch}:0"), "userCount": 2, "username": "Bob B",
        "users": ["Bob B", "앨리스"],
    });
    assert_eq!(joined, due);
    let due = json!({
        "type": "system", "message": "Bob B님이 들어왔습니다.", "userCount": 2, "event": "join",
        "username": "Bob B",
    });
    assert_eq!(alice.due("system"), due);
    // A message goes to all, the sender included.
    alice.post("안녕 <b>\"하세요\"</b>");
    let due = json!({
        "type": "message", "id": format!("{epoch}:1"), "username": "앨리스",
        "content": "안녕 <b>\"하세요\"</b>",
    });
    assert_eq!(alice.due("message"), due);
    assert_eq!(bob.due("message"), due);
    // Who is writing is told to the others.
    bob.say(&json!({"type": "typing", "isTyping": true}));
    bob.say(&json!({"type": "message", "content": "hi", "clientId": "b-1"}));
    let typing = json!({"type": "typing", "username": "Bob B", "isTyping": true});
    assert_eq!(alice.next(), typing);
    let due = json!({
        "type": "message", "id": format!("{epoch}:2"), "username": "Bob B", "content": "hi",
        "clientId": "b-1",
    });
    assert_eq!(alice.due("message"), due);
    let ack = json!({"type": "ack", "clientId": "b-1", "id": format!("{epoch}:2")});
    assert_eq!(bob.next(), ack);
    assert_eq!(bob.due("message"), due);
    // A resend has the same id, and is said once.
    bob.say(&json!({"type": "message", "content": "hi", "clientId": "b-1"}));
    assert_eq!(bob.next(), ack);
    bob.is_silent(3);
    assert_eq!(alice.due("message")["id"], format!("{epoch}:3"));
    bob.say(&json!({"type": "message", "content": "other", "clientId": "b-1"}));
    let error = bob.next();
    assert_eq!((&error["type"], &error["clientId"]), (&json!("error"), &json!("b-1")));
    // A joiner gets what was said.
    let mut carol = Tab::open(&program, "/chat/%EB%B0%A9%F0%9F%90%8B");
    let joined = carol.joined();
    assert_eq!((&joined["username"], &joined["userCount"]), (&json!("익명"), &json!(3)));
    let history = carol.next();
    assert_eq!(history["type"], "history");
    let said: Vec<_> = history["messages"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = said.iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3].map(|offset| format!("{epoch}:{offset}")));
    for message in said {
        check_timestamp(&message["timestamp"]);
        assert!(message["username"].is_string() && message["content"].is_string());
    }
    // Somebody leaves: the others are told.
    assert_eq!(alice.due("system")["userCount"], 3);
    assert_eq!(bob.due("system")["userCount"], 3);
    bob.leave();
    let due = json!({
        "type": "system", "message": "Bob B님이 나갔습니다.", "userCount": 2, "event": "leave",
        "username": "Bob B",
    });
    assert_eq!(alice.due("system"), due);
    assert_eq!(carol.due("system"), due);
    carol.is_silent(4);
}

#[test]
fn a_second_tab_is_not_a_second_person() {
    let program = Program::with(&[]);
    let mut bob = Tab::open(&program, "/chat/a?username=bob");
    assert_eq!(bob.joined()["userCount"], 1);
    let mut first = Tab::open(&program, "/chat/a?username=alice");
    assert_eq!(first.joined()["userCount"], 2);
    assert_eq!(bob.due("system")["userCount"], 2);
    let mut second = Tab::open(&program, "/chat/a?username=alice");
    assert_eq!(second.joined()["userCount"], 2);
    second.post("from the second");
    for tab in [&mut bob, &mut first, &mut second] {
        assert_eq!(tab.due("message")["content"], "from the second");
    }
    first.leave();
    second.is_silent(2);
    assert_eq!(bob.due("message")["content"], "mark 2");
    second.leave();
    assert_eq!(bob.due("system")["userCount"], 1);
}

#[test]
fn rooms_and_names_have_defaults() {
    let program = Program::with(&["--default-name", "손님", "--chat-language", "en"]);
    let mut tabs = Vec::new();
    for (target, count) in [
        ("/chat", 1),
        ("/chat/?username=", 1),
        ("/chat/general?username=%20%20", 1),
        ("/chat/general?username=eve", 2),
    ] {
        let mut tab = Tab::open(&program, target);
        assert_eq!(tab.joined()["userCount"], count, "{target}");
        tabs.push(tab);
    }
    let joined = tabs[0].due("system");
    assert_eq!(
        (&joined["message"], &joined["username"]),
        (&json!("eve has joined."), &json!("eve"))
    );
    tabs[0].post("hi");
    for tab in &mut tabs[1..] {
        while tab.next()["type"] != "message" {}
    }
    assert_eq!(tabs[0].due("message")["username"], "손님");
}

#[test]
fn an_error_keeps_the_connection() {
    let program = Program::with(&["--max-content", "10"]);
    let mut tab = Tab::open(&program, "/chat/a?username=alice");
    let mut other = Tab::open(&program, "/chat/a?username=bob");
    tab.joined();
    tab.due("system");
    other.joined();
    for (text, code) in [
        ("{", "malformed"),
        ("hello", "malformed"),
        ("[1]", "malformed"),
        (r#"{"type":"nonsense"}"#, "unknown-type"),
        (r#"{"type":"message","content":7}"#, "malformed"),
        (r#"{"type":"message"}"#, "malformed"),
        (r#"{"type":"typing","isTyping":1}"#, "malformed"),
        (r#"{"type":"message","content":"01234567890"}"#, "too-long"),
    ] {
        tab.0.send(TEXT, text.as_bytes());
        let error = tab.next();
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{text}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    tab.0.send(BINARY, b"{}");
    assert_eq!(tab.next()["type"], "error");
    tab.post("0123456789");
    assert_eq!(tab.due("message")["content"], "0123456789");
    // Nobody else has heard of it.
    assert_eq!(other.due("message")["content"], "0123456789");
}

#[test]
fn who_comes_back_gets_what_it_missed() {
    let program = Program::with(&["--history", "30", "--workers", "2"]);
    let mut alice = Tab::open(&program, "/chat/a?username=alice");
    let first = alice.joined()["id"].as_str().unwrap().to_owned();
    let post = |tab: &mut Tab, from: usize, to: usize| {
        for n in from..=to {
            tab.post(&format!("{n}"));
            tab.due("message");
        }
    };
    post(&mut alice, 1, 25);
    let epoch = first.strip_suffix(":0").unwrap();
    let come = |since: &str| {
        let mut tab = Tab::open(&program, &format!("/chat/a?username=bob&since={since}"));
        let joined = tab.joined();
        alice_told(&joined);
        let missed = joined["missed"].as_u64().unwrap();
        let ids: Vec<_> = (0..missed).map(|_| tab.due("message")["id"].clone()).collect();
        let told = (joined["recovered"].clone(), missed, joined["gap"].clone());
        if missed == 0 && joined["recovered"] == false {
            let history = tab.next();
            assert_eq!(history["type"], "history");
            assert_eq!(history["messages"].as_array().unwrap().len(), 20);
        }
        (tab, told, ids)
    };
    fn alice_told(joined: &Value) {
        assert!(joined["id"].as_str().unwrap().contains(':'), "{joined}");
    }
    let ids = |from: u64, to: u64| -> Vec<Value> {
        (from..=to).map(|offset| json!(format!("{epoch}:{offset}"))).collect()
    };
    // All of it, from the position of the empty room on.
    let (tab, told, got) = come(&first);
    assert_eq!((told, got), ((json!(true), 25, json!(0)), ids(1, 25)));
    drop(tab);
    let (tab, told, got) = come(&format!("{epoch}:23"));
    assert_eq!((told, got), ((json!(true), 2, json!(0)), ids(24, 25)));
    drop(tab);
    // Nothing was missed.
    let (mut tab, told, _) = come(&format!("{epoch}:25"));
    assert_eq!(told, (json!(true), 0, json!(0)));
    tab.is_silent(26);
    drop(tab);
    // What can't be understood, was never given, or is of another epoch.
    for since in
        ["", "7", "0000000x:1", &format!("{epoch}:27"), &format!("{epoch}:-1"), "%EC%95%A8"]
    {
        let (_, told, _) = come(since);
        assert_eq!(told, (json!(false), 0, json!(null)), "{since}");
    }
    // Some of it is gone.
    for n in 27..=45 {
        alice.post(&format!("{n}"));
    }
    until("all is said", || alice.next()["content"] == "45");
    let (mut tab, told, got) = come(&format!("{epoch}:5"));
    assert_eq!((told, got), ((json!(false), 30, json!(10)), ids(16, 45)));
    tab.is_silent(46);
}

#[test]
fn relays_carry_frames_as_they_are_and_nothing_else() {
    let program = Program::with(&["--workers", "2"]);
    let mut chat = Tab::open(&program, "/chat/a?username=alice");
    chat.joined();
    let mut relays =
        ["/relay/a", "/relay?room=a", "/relay/a?room=b"].map(|target| program.open(target));
    let mut elsewhere = program.open("/relay/b");
    // Until all are subscribed, on whatever worker.
    for sender in 0..3 {
        relays[sender].send(BINARY, &[sender as u8, 0xff]);
        relays[sender].send(TEXT, b"{\"type\":\"message\"}");
        for (number, relay) in relays.iter_mut().enumerate() {
            if number != sender {
                relay.expect(BINARY, &[sender as u8, 0xff]);
                relay.expect(TEXT, b"{\"type\":\"message\"}");
            }
        }
    }
    chat.is_silent(1);
    elsewhere.send(TEXT, b"to nobody");
    relays[0].send(TEXT, b"last");
    relays[1].expect(TEXT, b"last");
}

#[test]
fn requests_that_make_no_sense_are_told_so_and_closed() {
    let program = Program::with(&[]);
    for (target, names) in [
        ("/chat/a%0Ab", "room"),
        (&format!("/chat/{}", "x".repeat(257)), "256"),
        ("/chat/a?username=%07", "user"),
        (&format!("/chat/a?username={}", "x".repeat(257)), "256"),
        ("/chat/a?username=%ff", "UTF-8"),
        ("/chat/a?since=%zz", "percent"),
    ] {
        let mut tab = Tab::open(&program, target);
        let error = tab.next();
        assert_eq!(error["type"], "error");
        assert!(error["message"].as_str().unwrap().contains(names), "{target}: {error}");
        let frame = tab.0.frame();
        assert_eq!(frame.code(), 4400, "{target}");
    }
    for target in ["/relay/a%00", "/relay?room=%ff"] {
        assert_eq!(program.open(target).frame().code(), 4400, "{target}");
    }
    let mut tab = Tab::open(&program, "/chat/a");
    assert_eq!(tab.joined()["userCount"], 1);
}

#[test]
fn namespaces_say_who_may_and_what_is_told() {
    let folder = std::env::temp_dir().join(format!("ws-mio-server-chat-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = file(
        "ws.toml",
        r#"
            listen = ["127.0.0.1:0"]
            [[namespace]]
            rooms = "news:*"
            may-publish = ["role=editor"]
            presence = "count"
            join-history = 1
            [[namespace]]
            rooms = "quiet"
            presence = "off"
            history = 0
            [[namespace]]
            rooms = "small"
            max-members = 1
            [[namespace]]
            rooms = "mine:*"
            may-join = ["rooms={room}"]
        "#,
    );
    let jwks = folder.join("keys.json").to_str().unwrap().to_owned();
    let token = |user: &str, claims: &[&str]| {
        let mut command = Command::new(program::PROGRAM);
        command.args(["token", "--jwks", &jwks, "--generate", "--user", user]);
        for claim in claims {
            command.args(["--claim", claim]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let alice = token("alice", &["role=editor"]);
    let bob = token("bob", &["rooms=[\"mine:1\"]"]);
    let mut command = Command::new(program::PROGRAM);
    let program = Program::start(command.args(["--config", &config, "--auth-jwks", &jwks]));
    let open = |room: &str, token: &str| {
        Tab::open(&program, &format!("/chat/{room}?username=mallory&token={token}"))
    };
    let (mut editor, mut reader) = (open("news:1", &alice), open("news:1", &bob));
    // Who it is says the token; how many there are is told, and not who.
    let joined = editor.joined();
    assert_eq!((&joined["username"], &joined["users"]), (&json!("alice"), &json!(null)));
    assert_eq!(reader.joined()["userCount"], 2);
    reader.say(&json!({"type": "message", "content": "a", "clientId": "x"}));
    let error = reader.next();
    assert_eq!((&error["code"], &error["clientId"]), (&json!("forbidden"), &json!("x")));
    reader.say(&json!({"type": "typing", "isTyping": true}));
    assert_eq!(reader.next()["code"], "forbidden");
    for n in [1, 2] {
        editor.post(&format!("news {n}"));
        let message = reader.due("message");
        assert_eq!(message["username"], "alice");
        editor.due("message");
    }
    let mut second = open("news:1", &bob);
    second.joined();
    assert_eq!(second.next()["messages"].as_array().unwrap().len(), 1);
    // Where nothing is told, the number is 0, and nobody hears of joins; nothing is kept.
    let (mut one, mut two) = (open("quiet", &alice), open("quiet", &bob));
    for tab in [&mut one, &mut two] {
        let joined = tab.joined();
        assert_eq!((&joined["userCount"], &joined["users"]), (&json!(0), &json!(null)));
    }
    one.post("gone");
    two.due("message");
    one.due("message");
    let mut three = open("quiet", &alice);
    three.joined();
    three.is_silent(1);
    // A room is full.
    let mut first = open("small", &alice);
    first.joined();
    let mut late = open("small", &bob);
    assert_eq!(late.next()["code"], "room-full");
    assert_eq!(late.0.frame().code(), 1013);
    // Who may not join is told so.
    assert_eq!(open("mine:1", &bob).joined()["userCount"], 1);
    let mut other = open("mine:2", &bob);
    assert_eq!(other.next()["code"], "forbidden");
    assert_eq!(other.0.frame().code(), 4403);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn when_the_server_stops_nobody_hears_of_others_leaving() {
    let mut program = Program::with(&["--workers", "2"]);
    let mut tabs: Vec<_> =
        (0..4).map(|n| Tab::open(&program, &format!("/chat/a?username={n}"))).collect();
    for (n, tab) in tabs.iter_mut().enumerate() {
        tab.joined();
        for _ in n..3 {
            tab.due("system");
        }
    }
    program.signal(Signal::INT);
    for tab in &mut tabs {
        assert_eq!(tab.0.frame().code(), 1001);
        tab.0.write(&close(1001, ""));
    }
    drop(tabs);
    assert_eq!(program.ended().code(), Some(0));
}

/// A folder that is gone with the test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_acknowledged_is_there_after_a_kill_and_offsets_go_on() {
    let folder = Folder::new("kill");
    let start = || Program::with(&["--workers", "2", "--data", folder.path()]);
    let program = start();
    let mut tab = Tab::open(&program, "/chat/a?username=alice");
    let position = tab.joined()["id"].as_str().unwrap().to_owned();
    let epoch = position.strip_suffix(":0").unwrap();
    let message = |n: u64| json!({"type": "message", "content": format!("말 {n}"), "clientId": format!("{n}")});
    for n in 1..=40 {
        tab.say(&message(n));
        assert_eq!(
            tab.next(),
            json!({"type": "ack", "clientId": format!("{n}"), "id": format!("{epoch}:{n}")})
        );
        assert_eq!(tab.due("message")["id"], format!("{epoch}:{n}"));
    }
    program.signal(Signal::KILL);
    drop(program);
    let program = start();
    let target = format!("/chat/a?username=alice&since={epoch}:10");
    let mut tab = Tab::open(&program, &target);
    let joined = tab.joined();
    assert_eq!(
        (&joined["recovered"], &joined["missed"], &joined["gap"]),
        (&json!(true), &json!(30), &json!(0))
    );
    for n in 11..=40 {
        let message = tab.due("message");
        assert_eq!(
            (&message["id"], &message["content"]),
            (&json!(format!("{epoch}:{n}")), &json!(format!("말 {n}")))
        );
    }
    // What was sent is known, and what comes next goes on.
    tab.say(&message(40));
    assert_eq!(tab.next()["id"], format!("{epoch}:40"));
    tab.say(&message(41));
    assert_eq!(tab.next()["id"], format!("{epoch}:41"));
    assert_eq!(tab.due("message")["id"], format!("{epoch}:41"));
    // A second server does not take the same directory.
    let second = Command::new(program::PROGRAM)
        .args(["--listen", "127.0.0.1:0", "--data", folder.path()])
        .output()
        .unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("in use by another server"), "{told}");
}

#[test]
fn rooms_that_do_not_persist_begin_anew() {
    let folder = Folder::new("anew");
    std::fs::create_dir_all(&folder.0).unwrap();
    let config = folder.0.join("ws.toml");
    let text = "listen = [\"127.0.0.1:0\"]\n[[namespace]]\nrooms = \"brief\"\npersist = false\n";
    std::fs::write(&config, text).unwrap();
    let data = folder.0.join("data");
    let start = || {
        let mut command = Command::new(program::PROGRAM);
        Program::start(command.arg("--config").arg(&config).arg("--data").arg(&data))
    };
    let ids = |program: &Program| {
        ["brief", "kept"].map(|room| {
            let mut tab = Tab::open(program, &format!("/chat/{room}?username=alice"));
            let joined = tab.joined()["id"].clone();
            tab.post("hi");
            while tab.next()["type"] != "message" {}
            joined.as_str().unwrap().to_owned()
        })
    };
    let program = start();
    assert!(program.url("data").ends_with("/data"));
    let [brief, kept] = ids(&program);
    assert!(brief.ends_with(":0") && kept.ends_with(":0"));
    assert_ne!(brief[..8], kept[..8]);
    program.signal(Signal::KILL);
    drop(program);
    let program = start();
    let [brief_again, kept_again] = ids(&program);
    assert!(brief_again.ends_with(":0") && kept_again.ends_with(":1"));
    assert_ne!(brief[..8], brief_again[..8], "no id is given twice");
    assert_eq!(kept[..8], kept_again[..8]);
}

#[test]
fn settings_that_store_nowhere_are_refused() {
    for (arguments, due) in [
        (&["--persist", "true"][..], "name a directory by data"),
        (&["--data", "/proc/nowhere"], "/proc/nowhere"),
        (&["--data", "x", "--history", "0"], "`history` 0"),
        (&["--default-name", "a\nb"], "control character"),
        (&["--may-join", "everyone"], "role=admin"),
    ] {
        let output = Command::new(program::PROGRAM)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(due), "{arguments:?}: {told}");
    }
}

#[test]
fn a_disk_that_is_full_refuses_with_an_error_and_the_rest_goes_on() {
    let folder = Folder::new("full");
    // No file may have more than 200 KiB.
    let script = "trap '' XFSZ; ulimit -f 400; exec \"$0\" --listen 127.0.0.1:0 --data \"$1\" \
                  --history 1000 --log-level error";
    let mut command = Command::new("sh");
    let mut program = Program::start(command.args(["-c", script, program::PROGRAM, folder.path()]));
    let mut tab = Tab::open(&program, "/chat/a?username=alice");
    let mut other = Tab::open(&program, "/chat/a?username=bob");
    tab.joined();
    tab.due("system");
    other.joined();
    let (mut stored, mut refused) = (Vec::new(), 0);
    for n in 0..12 {
        let content = format!("{n}{}", "x".repeat(60_000));
        tab.say(&json!({"type": "message", "content": content, "clientId": format!("{n}")}));
        let answer = tab.next();
        assert_eq!(answer["clientId"], format!("{n}"));
        if answer["type"] == "ack" {
            let message = tab.due("message");
            assert_eq!(answer["id"], message["id"]);
            stored.push(message);
        } else {
            assert_eq!(
                (&answer["type"], &answer["code"]),
                (&json!("error"), &json!("busy")),
                "{answer}"
            );
            assert_eq!(answer["retryAfter"], 1);
            refused += 1;
        }
    }
    assert!(!stored.is_empty() && refused > 0, "{} stored, {refused} refused", stored.len());
    // Nobody has got what was refused, and offsets have no gap.
    for (n, message) in stored.iter().enumerate() {
        assert_eq!(other.due("message")["id"], message["id"]);
        assert!(message["id"].as_str().unwrap().ends_with(&format!(":{}", n + 1)));
    }
    tab.say(&json!({"type": "typing", "isTyping": true}));
    assert_eq!(other.due("typing")["isTyping"], true);
    program.signal(Signal::INT);
    drop((tab, other));
    assert!(program.log().contains("could not be stored"));
}
