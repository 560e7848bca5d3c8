//! What each script does.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ws_mio_server::backplane::wire::{
    Answer, Append, Ask, Engine as _, Entry, Failure, Keep, Push,
};
use ws_mio_server::hub::{Epoch, Id};

use crate::engine::{EPOCH, KEEP, Log, contents, message, offsets, quick};
use crate::server::{Redis, is_installed};

fn range(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}

fn keyed(room: &str, key: &str, content: &str) -> Append {
    Append { key: Some(key.into()), ..message(room, content) }
}

#[test]
fn messages_are_numbered_kept_and_told_of() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let (mut one, mut other) = (Log::open(&server.url()), Log::open(&server.url()));
    let attached = one.attach("a {b} %c", None, 0);
    let epoch = Epoch::from_entropy(EPOCH);
    assert_eq!(attached.page.position, Id { epoch, offset: 0 });
    assert_eq!((attached.page.first, attached.page.messages.len()), (1, 0));
    assert_ne!(attached.run, 0);
    let sent = Append { user: "émile".into(), ..keyed("a {b} %c", "k", "one\0two") };
    assert_eq!(other.append(sent.clone()), Ok(Id { epoch, offset: 1 }));
    assert_eq!(other.say("a {b} %c", "").offset, 2);
    other.say("elsewhere", "not for those");
    one.until_messages("a {b} %c", 2);
    one.settle();
    let told = one.messages("a {b} %c");
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].id.offset, &*told[0].user, told[0].at), (1, "émile", sent.at));
    assert_eq!((told[0].key.as_deref(), &*told[0].content), (Some("k"), &b"one\0two"[..]));
    assert_eq!((told[1].id.offset, &told[1].key, &*told[1].content), (2, &None, &b""[..]));
    // What is kept is what was told.
    let told: Vec<_> = told.into_iter().cloned().collect();
    let attached = other.attach("a {b} %c", None, 0);
    assert_eq!(attached.page.messages, told);
    assert_eq!(other.read("a {b} %c", 0, u64::MAX, 9, false).messages, told);
    // Nobody else hears it, and no more after the end.
    assert_eq!(one.messages("elsewhere").len(), 0);
    one.done(Ask::Detach { room: "a {b} %c".into() });
    one.settle();
    other.say("a {b} %c", "three");
    one.settle();
    assert_eq!(one.messages("a {b} %c").len(), 2);
}

/// The first of each burst finds nothing on its way, and leaves by the thread that asks.
#[test]
fn bursts_of_small_and_large_messages_keep_their_order() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    let mut said = Vec::new();
    for burst in 0..120_usize {
        let mut tags = Vec::new();
        for at in 0..=burst % 5 {
            let size = if (burst + at) % 3 == 0 { 5000 } else { 10 };
            let content = format!("{:0>size$}", said.len());
            tags.push(log.ask(Ask::Append(message("r", &content))));
            said.push(content);
        }
        for tag in tags {
            log.reply(tag).unwrap();
        }
    }
    let mut read = Vec::new();
    while read.len() < said.len() {
        let page = log.read("r", read.len() as u64 + 1, u64::MAX, 100, false);
        assert_ne!(page.messages.len(), 0);
        read.extend(contents(&page.messages));
    }
    assert_eq!(read, said);
}

#[test]
fn what_is_sent_again_has_the_same_id() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    log.attach("r", None, 0);
    let first = log.append(keyed("r", "k", "one")).unwrap();
    let named = Append { name: Some("k".into()), ..message("r", "named") };
    let second = log.append(named.clone()).unwrap();
    assert_eq!((first.offset, second.offset), (1, 2));
    assert_eq!(log.append(keyed("r", "k", "one")), Ok(first));
    assert_eq!(log.append(keyed("r", "k", "other")), Err(Failure::KeyReused));
    assert_eq!(log.append(named), Ok(second));
    // Keys are of their users and rooms.
    let other = Append { user: "grace".into(), ..keyed("r", "k", "other") };
    assert_eq!(log.append(other).unwrap().offset, 3);
    assert_eq!(log.append(keyed("s", "k", "other")).unwrap().offset, 1);
    log.settle();
    assert_eq!(contents(log.messages("r")), ["one", "named", "other"]);
    assert_eq!(log.messages("r")[1].key, None);
}

#[test]
fn keys_are_known_as_long_as_messages_and_the_newest_for_five_minutes() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    let minute = 60_000;
    let keep = Keep { count: 3, ..KEEP };
    let at = |key: String, minutes: u64| {
        let mut sent = keyed("r", &key, "x");
        (sent.keep, sent.at) = (keep, sent.at + minutes * minute);
        sent
    };
    for number in 1..=200 {
        assert_eq!(log.append(at(number.to_string(), 0)).unwrap().offset, number);
    }
    // The newest 128 are known, and some more, for they are dropped many at a time; the others are new.
    assert_eq!(log.append(at("74".into(), 5)).unwrap().offset, 74);
    assert_eq!(log.append(at("50".into(), 5)).unwrap().offset, 201);
    // After that time, those that are kept, and no others.
    assert_eq!(log.append(at("late".into(), 6)).unwrap().offset, 202);
    assert_eq!(log.append(at("200".into(), 6)).unwrap().offset, 200);
    for number in 203..400 {
        let id = log.append(at(format!("late {number}"), 6)).unwrap();
        assert_eq!(id.offset, number);
    }
    assert_eq!(log.append(at("150".into(), 6)).unwrap().offset, 400);
    // Nothing is left of what is not known.
    let count = server.number(&["HLEN", "ws:{r}:keys"]);
    let order = server.number(&["LLEN", "ws:{r}:sent"]);
    assert_eq!(count, order);
    assert!(count <= 128 + 16, "{count}");
}

#[test]
fn rooms_keep_so_many_messages_and_bytes_for_so_long() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    let mut kept = |room: &str, keep: Keep, sent: &[(u64, usize)]| {
        for (at, bytes) in sent {
            let mut sent = message(room, &"x".repeat(*bytes));
            (sent.keep, sent.at) = (keep, *at);
            log.append(sent).unwrap();
        }
        let page = log.read(room, 0, u64::MAX, 1000, false);
        assert_eq!(page.position.offset, sent.len() as u64);
        let first = page.messages.first().map_or(page.position.offset + 1, |first| first.id.offset);
        assert_eq!(page.first, first, "{room}");
        offsets(&page.messages)
    };
    let many: Vec<_> = (0..10).map(|_| (1, 1)).collect();
    assert_eq!(kept("count", Keep { count: 3, ..KEEP }, &many), [8, 9, 10]);
    // Larger numbers with some more, which are dropped together.
    let hundreds: Vec<_> = (0..300).map(|_| (1, 1)).collect();
    let some = kept("some more", Keep { count: 100, ..KEEP }, &hundreds).len();
    assert!((100..=112).contains(&some), "{some}");
    assert_eq!(kept("none", Keep { count: 0, ..KEEP }, &many), range(1, 0));
    assert_eq!(kept("no time", Keep { age: Duration::ZERO, ..KEEP }, &many), range(1, 0));
    // Each has 8 bytes beside its content.
    let bytes = Keep { bytes: 300, ..KEEP };
    assert_eq!(kept("bytes", bytes, &[(1, 100), (1, 100), (1, 100)]), [2, 3]);
    assert_eq!(kept("large", bytes, &[(1, 100), (1, 5000)]), [2]);
    assert_eq!(kept("large, then small", bytes, &[(1, 100), (1, 5000), (1, 1)]), [3]);
    let age = Keep { age: Duration::from_secs(10), ..KEEP };
    let sent = [(1000, 1), (5000, 1), (11_000, 1), (15_000, 1), (15_001, 1)];
    assert_eq!(kept("age", age, &sent), [3, 4, 5]);
    assert_eq!(kept("all of an age", age, &[(1, 1), (1, 1), (20_000, 1)]), [3]);
    // Fewer than before: they go bit by bit.
    kept("less", KEEP, &many);
    let less = |count| Append { keep: Keep { count, ..KEEP }, at: 2, ..message("less", "x") };
    log.append(less(2)).unwrap();
    assert_eq!(offsets(&log.read("less", 0, u64::MAX, 9, false).messages), [10, 11]);
    log.append(less(0)).unwrap();
    assert_eq!(log.read("less", 0, u64::MAX, 9, false).messages, []);
    log.append(less(2)).unwrap();
    assert_eq!(offsets(&log.read("less", 0, u64::MAX, 9, false).messages), [13]);
    // All of it expires.
    for part in ["log", "room"] {
        let left = server.number(&["PTTL", &format!("ws:{{age}}:{part}")]);
        assert!(left > 0, "{part}: {left}");
    }
    server.ask(&["DEL", "ws:{count}:log"]);
    log.append(Append { at: 10 * KEEP.age.as_millis() as u64, ..message("count", "x") }).unwrap();
    let page = log.read("count", 0, u64::MAX, 9, false);
    assert_eq!((page.first, offsets(&page.messages)), (11, vec![11]));
}

#[test]
fn messages_are_read_from_where_one_likes() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    for number in 1..=150 {
        log.say("r", &number.to_string());
    }
    assert_eq!(offsets(&log.read("r", 5, 8, 9, false).messages), range(5, 8));
    assert_eq!(offsets(&log.read("r", 5, 50, 9, false).messages), range(5, 13));
    assert_eq!(offsets(&log.read("r", 5, 50, 9, true).messages), range(42, 50));
    assert_eq!(offsets(&log.read("r", 149, 500, 9, false).messages), range(149, 150));
    assert_eq!(log.read("r", 151, 500, 9, false).messages, []);
    let epoch = Epoch::from_entropy(EPOCH);
    let mut attach = |after: Option<Id>| offsets(&log.attach("r", after, 0).page.messages);
    assert_eq!(attach(None), range(51, 150));
    assert_eq!(attach(Some(Id { epoch, offset: 10 })), range(11, 110));
    assert_eq!(attach(Some(Id { epoch, offset: 140 })), range(141, 150));
    assert_eq!(attach(Some(Id { epoch, offset: 150 })), range(1, 0));
    let other = Epoch::from_entropy(77);
    assert_eq!(attach(Some(Id { epoch: other, offset: 10 })), range(51, 150));
    // Large ones come one by one rather than not at all.
    let large = "x".repeat(5 << 20);
    for _ in 0..2 {
        let keep = Keep { bytes: 1 << 30, ..KEEP };
        log.append(Append { keep, ..message("large", &large) }).unwrap();
    }
    assert_eq!(offsets(&log.read("large", 1, 2, 9, false).messages), [1]);
    assert_eq!(offsets(&log.read("large", 1, 2, 9, true).messages), [2]);
    // A room that nobody knew has a position from then on.
    let position = log.read("new", 1, 2, 9, false).position;
    assert_eq!(position, Id { epoch, offset: 0 });
    let sent = Append { epoch: 99, ..message("new", "x") };
    assert_eq!(log.append(sent), Ok(Id { epoch, offset: 1 }));
}

#[test]
fn eight_who_write_at_once_leave_no_hole_and_all_hear_the_same_order() {
    if !is_installed() {
        return;
    }
    const EACH: u64 = 500;
    let server = Redis::start();
    let mut hears: Vec<_> = (0..2).map(|_| Log::open(&server.url())).collect();
    hears.iter_mut().for_each(|log| drop(log.attach("r", None, 0)));
    let url: Arc<str> = server.url().into();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let url = Arc::clone(&url);
            thread::spawn(move || {
                let mut log = Log::open(&url);
                let mut ids = Vec::new();
                let mut tags = Vec::new();
                for number in 0..EACH {
                    // Each pair of writers says the same, and every second message twice.
                    let key = format!("{} {number}", writer / 2);
                    for _ in 0..=number % 2 {
                        // All are kept, so that no key is forgotten by the time of the slowest.
                        let keep = Keep { count: 10_000, ..KEEP };
                        let append = Append { keep, ..keyed("r", &key, &key) };
                        tags.push((number, log.ask(Ask::Append(append))));
                    }
                }
                for (number, tag) in tags {
                    match log.reply(tag) {
                        Ok(Answer::Appended { id }) => ids.push((writer / 2, number, id)),
                        other => panic!("{other:?}"),
                    }
                }
                ids
            })
        })
        .collect();
    let ids: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    // One id for each key, whoever asked and however often.
    let distinct: HashSet<_> = ids.iter().map(|(who, number, _)| (*who, *number)).collect();
    let known: HashSet<_> =
        ids.iter().map(|(who, number, id)| (*who, *number, id.offset)).collect();
    let all: Vec<_> = (1..=4 * EACH).collect();
    assert_eq!((distinct.len() as u64, known.len() as u64), (4 * EACH, 4 * EACH));
    let mut numbers: Vec<_> = known.iter().map(|(_, _, offset)| *offset).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, all);
    // Subscribers hear them in the order of the stream, which is that of the numbers.
    let mut kept = Vec::new();
    while kept.len() < 1000 {
        let from = 4 * EACH - 999 + kept.len() as u64;
        kept.extend(hears[0].read("r", from, u64::MAX, 100, false).messages);
    }
    for log in &mut hears {
        log.until_messages("r", 4 * EACH as usize);
        log.settle();
        let told: Vec<_> = log.messages("r").into_iter().cloned().collect();
        assert_eq!(offsets(&told), all);
        assert_eq!(told[told.len() - 1000..], kept);
    }
    // A writer's own messages are in the order in which it sent them.
    for who in 0..4 {
        let mut own: Vec<_> = known.iter().filter(|(other, _, _)| *other == who).collect();
        own.sort_unstable_by_key(|(_, number, _)| *number);
        assert!(own.is_sorted_by_key(|(_, _, offset)| *offset));
    }
}

#[test]
fn who_is_there_is_told_and_known() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let (mut one, mut other) = (Log::open(&server.url()), Log::open(&server.url()));
    let mut versions = vec![one.attach("r", None, 0).version];
    let present = |node: &str, users: &[(&str, u32)]| Ask::Present {
        room: "r".into(),
        node: node.into(),
        users: users.iter().map(|(user, count)| ((*user).into(), *count)).collect(),
    };
    other.done(present("n.2", &[("ada", 1), ("grace", 2), ("gone", 0)]));
    other.done(present("n.2", &[("ada", 1), ("grace", 3)]));
    one.done(present("n.1", &[("ada", 1)]));
    one.done(present("n.1", &[("ada", 0)]));
    one.done(present("n.1", &[("ada", 0)]));
    one.settle();
    let told: Vec<_> = one
        .pushes
        .iter()
        .filter_map(|push| match push {
            Push::Present { room, node, user, connections, version } => {
                assert_eq!(&**room, "r");
                versions.push(*version);
                Some((&**node, &**user, *connections))
            }
            _ => None,
        })
        .collect();
    let expected = [
        ("n.2", "ada", 1),
        ("n.2", "grace", 2),
        ("n.2", "gone", 0),
        ("n.2", "ada", 1),
        ("n.2", "grace", 3),
        ("n.1", "ada", 1),
        ("n.1", "ada", 0),
        ("n.1", "ada", 0),
    ];
    assert_eq!(told, expected);
    // Each call has a version of its own, higher than that of what was there before.
    versions.dedup();
    assert_eq!(versions.len(), 6, "{versions:?}");
    assert!(versions.is_sorted(), "{versions:?}");
    let attached = other.attach("r", None, 0);
    assert_eq!(Some(&attached.version), versions.last());
    one.done(present("n.1", &[("joan", 7)]));
    one.done(present("n.10", &[("joan", 8)]));
    let people = |log: &mut Log| {
        let Ok(Answer::People(mut people)) = log.get(Ask::People { room: "r".into() }) else {
            panic!()
        };
        people.sort_unstable_by(|a, b| (&a.node, &a.user).cmp(&(&b.node, &b.user)));
        people
    };
    let entry = |node: &str, user: &str, connections| Entry {
        node: node.into(),
        user: user.into(),
        connections,
    };
    let all = [
        entry("n.1", "joan", 7),
        entry("n.10", "joan", 8),
        entry("n.2", "ada", 1),
        entry("n.2", "grace", 3),
    ];
    assert_eq!(people(&mut one), all);
    assert_eq!(other.attach("r", None, 0).people.len(), 4);
    // A node is swept without a word, and no other.
    one.settle();
    let before = one.pushes.len();
    one.done(Ask::Sweep { room: "r".into(), node: "n.2".into() });
    one.done(Ask::Sweep { room: "r".into(), node: "n.1".into() });
    assert_eq!(people(&mut one), [entry("n.10", "joan", 8)]);
    one.settle();
    assert_eq!(one.pushes.len(), before + 1);
}

#[test]
fn whispers_reach_those_who_listen_and_shouts_everybody() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let (mut one, mut other) = (Log::open(&server.url()), Log::open(&server.url()));
    one.done(Ask::Listen { room: "\u{1}r".into() });
    one.attach("r", None, 0);
    let large: Arc<[u8]> = vec![0; 3 << 20].into();
    for (room, payload) in
        [("\u{1}r", b"a\0b"[..].into()), ("r", large.clone()), ("s", large.clone())]
    {
        other.done(Ask::Whisper { room: room.into(), from: "n.2".into(), payload });
    }
    other.settle();
    one.settle();
    let whisper = |room: &str, payload: Arc<[u8]>| Push::Whisper {
        room: room.into(),
        from: "n.2".into(),
        payload,
    };
    assert_eq!(one.pushes[0], whisper("\u{1}r", b"a\0b"[..].into()));
    assert!(one.pushes[1] == whisper("r", large));
    let is_shout = |push: &Push| matches!(push, Push::Shout { .. });
    assert!(one.pushes[2..].iter().all(is_shout) && other.pushes.iter().all(is_shout));
    assert_eq!(one.pushes.len(), 4);
}

#[test]
fn leases_end_by_the_clock_of_redis() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    let mut renew = |node: &str, millis| {
        let lease = Duration::from_millis(millis);
        match log.get(Ask::Renew { node: node.into(), lease }) {
            Ok(Answer::Nodes(nodes)) => nodes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(renew("n.1", 60_000), [("n.1".into(), Duration::from_secs(60))]);
    let nodes = renew("n.2", 50);
    assert_eq!(nodes.len(), 2);
    let left = |nodes: &[(Arc<str>, Duration)], name| {
        nodes.iter().find(|node| &*node.0 == name).map(|node| node.1)
    };
    assert!(left(&nodes, "n.1").unwrap() > Duration::from_secs(50));
    let mut nodes = nodes;
    while !left(&nodes, "n.2").unwrap().is_zero() {
        nodes = renew("n.1", 60_000);
    }
    log.done(Ask::Resign { node: "n.2".into() });
    let Ok(Answer::Nodes(nodes)) =
        log.get(Ask::Renew { node: "n.1".into(), lease: Duration::from_secs(1) })
    else {
        panic!()
    };
    assert_eq!(left(&nodes, "n.2"), None);
}

#[test]
fn prefixes_are_apart() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut one = Log::open(&server.url());
    let mut options = quick();
    options.prefix = "other".parse().unwrap();
    let mut other = Log::start(&server.url(), &options);
    other.until_up();
    one.attach("r", None, 0);
    other.attach("r", None, 0);
    assert_eq!(one.say("r", "one").offset, 1);
    assert_eq!(other.say("r", "two").offset, 1);
    one.settle();
    other.settle();
    assert_eq!(contents(one.messages("r")), ["one"]);
    assert_eq!(contents(other.messages("r")), ["two"]);
    assert_eq!((one.pushes.len(), other.pushes.len()), (2, 2));
}

#[test]
fn requests_are_taken_up_to_a_limit_and_no_reply_comes_for_tag_0() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut options = quick();
    options.max_requests = 10;
    options.timeout = Duration::from_secs(20);
    let mut log = Log::start(&server.url(), &options);
    log.until_up();
    server.pause();
    let request = |tag| {
        let ask = Ask::Whisper { room: "r".into(), from: "n".into(), payload: b"x"[..].into() };
        ws_mio_server::backplane::wire::Request { tag, ask }
    };
    let taken = (0..20).filter(|_| log.redis.request(request(0)).is_ok()).count();
    assert_eq!((taken, log.redis.waiting()), (10, 10));
    server.resume();
    log.settle_after_full();
    assert_eq!(log.redis.waiting(), 0);
}

impl Log {
    /// Asks until there is room again.
    fn settle_after_full(&mut self) {
        while self.redis.waiting() > 5 {
            thread::sleep(Duration::from_millis(1));
        }
        self.settle();
        let tag = self.ask(Ask::People { room: "r".into() });
        assert!(self.reply(tag).is_ok());
        while self.redis.waiting() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
