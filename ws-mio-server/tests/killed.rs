//! The server is killed at random moments: what it acknowledged, or delivered to anybody, is there when it comes
//! back, under the same ids, and what is sent again is said once.
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

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use common::{TEXT, frame, request};
use program::Program;
use rustix::process::Signal;
use serde_json::{Value, json};

/// So many messages are said in a room, at once, before the server is killed.
const MESSAGES: usize = 300;

/// Of one room, what has been learnt about it.
struct Room {
    path: String,
    /// The last position that was looked at.
    position: String,
    /// What each message of this turn says, by its id for the client.
    said: BTreeMap<String, String>,
    /// Ids that were acknowledged, or stood in a message that somebody got.
    acknowledged: BTreeMap<String, u64>,
    delivered: BTreeMap<u64, Value>,
}

fn split(id: &Value) -> (&str, u64) {
    let (epoch, offset) = id.as_str().unwrap().split_once(':').unwrap();
    (epoch, offset.parse().unwrap())
}

/// All whole messages in what has come behind the head of the answer.
fn messages(bytes: &[u8]) -> Vec<Value> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let (mut rest, mut messages) = (&bytes[head..], Vec::new());
    while let [TEXT, len, behind @ ..] = rest {
        let (len, behind) = match (len, behind) {
            (126, [a, b, behind @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), behind),
            (126.., _) => break,
            (len, behind) => (usize::from(*len), behind),
        };
        let Some((payload, behind)) = behind.split_at_checked(len) else { break };
        messages.push(serde_json::from_slice(payload).unwrap());
        rest = behind;
    }
    messages
}

/// What comes until the connection breaks.
fn all(mut stream: TcpStream) -> Vec<Value> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 65_536]);
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..read]);
    }
    messages(&bytes)
}

impl Room {
    /// Looks at what the room has of what was said before, and says again what was not acknowledged.
    fn check(&mut self, program: &Program, trial: u64) {
        let said = std::mem::take(&mut self.said);
        let mut client =
            program.open(&format!("{}?username=alice&since={}", self.path, self.position));
        let mut next = || -> Value { serde_json::from_slice(&client.frame().payload).unwrap() };
        let joined = next();
        assert_eq!(
            (&joined["type"], &joined["recovered"]),
            (&json!("joined"), &json!(true)),
            "{joined}"
        );
        let (epoch, mut last) = {
            let (epoch, offset) = self.position.split_once(':').unwrap();
            (epoch.to_owned(), offset.parse::<u64>().unwrap())
        };
        let mut kept = BTreeMap::new();
        for _ in 0..joined["missed"].as_u64().unwrap() {
            let message = next();
            let (this, offset) = split(&message["id"]);
            assert_eq!((this, offset), (&*epoch, last + 1), "trial {trial}: a hole");
            last = offset;
            if let Some(delivered) = self.delivered.get(&offset) {
                assert_eq!(*delivered, message, "trial {trial}: an id means two messages");
            }
            let key = message["clientId"].as_str().unwrap().to_owned();
            assert_eq!(message["content"], *said[&key], "trial {trial}");
            assert_eq!(kept.insert(key, offset), None, "trial {trial}: it is there twice");
        }
        assert_eq!(split(&joined["id"]), (&*epoch, last), "trial {trial}");
        for (key, offset) in &self.acknowledged {
            assert_eq!(kept.get(key), Some(offset), "trial {trial}: {key} was acknowledged");
        }
        let furthest = self.delivered.keys().last().copied().unwrap_or_default();
        assert!(furthest <= last, "trial {trial}: {furthest} was delivered, {last} is the last");
        for (key, content) in &said {
            if !self.acknowledged.contains_key(key) {
                let again = json!({"type": "message", "content": content, "clientId": key});
                client.send(TEXT, again.to_string().as_bytes());
            }
        }
        let mut left = said.len() - self.acknowledged.len();
        while left > 0 {
            let message: Value = serde_json::from_slice(&client.frame().payload).unwrap();
            match message["type"].as_str().unwrap() {
                "ack" => {
                    let (_, offset) = split(&message["id"]);
                    match kept.get(message["clientId"].as_str().unwrap()) {
                        Some(kept) => assert_eq!(*kept, offset, "trial {trial}: it is said twice"),
                        None => last += 1,
                    }
                    assert!(offset <= last);
                    left -= 1;
                }
                "message" => {}
                _ => panic!("{message}"),
            }
        }
        self.position = format!("{epoch}:{last}");
        self.acknowledged.clear();
        self.delivered.clear();
    }

    /// Says everything at once. What comes back is read until the server is no more.
    fn say(&mut self, program: &Program, trial: u64) -> thread::JoinHandle<Vec<Value>> {
        let mut stream = TcpStream::connect(program.address()).unwrap();
        let mut bytes = request(&format!("{}?username=alice", self.path)).into_bytes();
        for n in 0..MESSAGES {
            let (key, content) = (format!("{trial}-{n}"), format!("말 {trial} {n}"));
            let message = json!({"type": "message", "content": content, "clientId": key});
            bytes.extend(frame(TEXT, message.to_string().as_bytes()));
            self.said.insert(key, content);
        }
        let reader = stream.try_clone().unwrap();
        // The server may be gone before it has taken all.
        thread::spawn(move || drop(stream.write_all(&bytes)));
        thread::spawn(move || all(reader))
    }
}

/// `WS_KILLS=100 cargo test -p ws-mio-server --test killed -- --nocapture`
#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let trials: u64 = std::env::var("WS_KILLS").map_or(4, |trials| trials.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("ws-mio-server-kills-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let data = folder.to_str().unwrap();
    let start = || Program::with(&["--workers", "2", "--data", data, "--history", "2000"]);
    let mut rooms: Vec<_> = ["/chat/a", "/chat/%EB%B0%A9", "/chat/c"]
        .map(|path| Room {
            path: path.to_owned(),
            position: String::new(),
            said: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            delivered: BTreeMap::new(),
        })
        .into();
    let mut program = start();
    for room in &mut rooms {
        let joined = program.open(&room.path).frame();
        let joined: Value = serde_json::from_slice(&joined.payload).unwrap();
        room.position = joined["id"].as_str().unwrap().to_owned();
    }
    let mut random = 0x005e_ed00_u64 + trials;
    let (mut acknowledged, mut early) = (0, 0);
    for trial in 1..=trials {
        let readers: Vec<_> = rooms.iter_mut().map(|room| room.say(&program, trial)).collect();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_micros((random >> 33) % 100_000));
        program.signal(Signal::KILL);
        drop(program);
        for (room, reader) in rooms.iter_mut().zip(readers) {
            for message in reader.join().unwrap() {
                match message["type"].as_str().unwrap() {
                    "ack" => {
                        let key = message["clientId"].as_str().unwrap().to_owned();
                        room.acknowledged.insert(key, split(&message["id"]).1);
                    }
                    "message" => {
                        room.delivered.insert(split(&message["id"]).1, message);
                    }
                    "joined" | "history" => {}
                    _ => panic!("{message}"),
                }
            }
            acknowledged += room.acknowledged.len();
            early += usize::from(room.acknowledged.len() < MESSAGES);
        }
        program = start();
        for room in &mut rooms {
            room.check(&program, trial);
        }
    }
    println!(
        "{trials} of {trials} trials: {acknowledged} messages were acknowledged, none is lost; \
         {early} of {} rooms were cut off in the middle",
        trials * 3,
    );
    drop(program);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(acknowledged > 0);
}
