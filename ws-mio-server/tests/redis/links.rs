//! Links that are lost and come back, passwords, TLS, sentinels.

use std::time::{Duration, Instant};

use ws_mio_server::backplane::redis::Options;
use ws_mio_server::backplane::wire::{Ask, Failure, Push};
use ws_mio_server::hub::{Epoch, Id};

use crate::engine::{EPOCH, LIMIT, Log, contents, message, offsets, quick};
use crate::server::{Redis, Sentinels, is_installed};

#[test]
fn a_redis_that_stands_still_is_noticed_and_nothing_comes_twice() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    let run = log.attach("r", None, 0).run;
    let first = log.say("r", "one");
    log.until_messages("r", 1);
    server.pause();
    let begun = Instant::now();
    // These are on their way, or wait; nobody knows of any what becomes of it.
    let tags: Vec<_> = (0..2000).map(|_| log.ask(Ask::Append(message("r", "two")))).collect();
    log.until_down();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(log.downs[0].contains("in time"), "{:?}", log.downs);
    // It goes on by itself, and as long as it stands still it does not.
    let dropped = log.ask(Ask::Append(message("r", "dropped")));
    server.resume();
    log.until_up();
    let third = log.say("r", "three");
    log.settle();
    assert!(tags.iter().chain([&dropped]).all(|tag| !log.has_reply(*tag)));
    // Subscriptions have ended with the link.
    assert_eq!(log.messages("r").len(), 1);
    let attached = log.attach("r", Some(first), run);
    assert_eq!((attached.run, attached.page.position), (run, third));
    let missed = contents(&attached.page.messages);
    assert!(missed.last().is_some_and(|last| last == "three") || missed.len() == 100);
    assert!(missed.iter().all(|content| content != "dropped"));
    log.say("r", "four");
    log.until_messages("r", 2);
}

#[test]
fn a_redis_that_stands_still_is_noticed_when_nothing_is_asked() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    log.attach("r", None, 0);
    server.pause();
    log.until_down();
    server.resume();
    log.until_up();
    log.say("r", "one");
}

#[test]
fn a_redis_that_comes_back_empty_begins_a_new_epoch() {
    if !is_installed() {
        return;
    }
    let mut server = Redis::start();
    let mut log = Log::open(&server.url());
    let run = log.attach("r", None, 0).run;
    let first = log.say("r", "one");
    server.kill();
    log.until_down();
    server.start_again();
    log.until_up();
    let ask = Ask::Attach { room: "r".into(), after: Some(first), run, most: 9, epoch: 7 };
    let Ok(ws_mio_server::backplane::wire::Answer::Attached(attached)) = log.get(ask) else {
        panic!()
    };
    let epoch = Epoch::from_entropy(7);
    assert_eq!(attached.page.position, Id { epoch, offset: 0 });
    assert_ne!(attached.run, run);
    assert_eq!(log.say("r", "two"), Id { epoch, offset: 1 });
}

/// Redis as it starts from a file that it wrote some time before it ended.
#[test]
fn a_room_that_lost_what_somebody_has_seen_begins_a_new_epoch_and_others_go_on() {
    if !is_installed() {
        return;
    }
    let mut server = Redis::start();
    let (mut log, mut other) = (Log::open(&server.url()), Log::open(&server.url()));
    let runs = ["lost", "whole", "overtaken"].map(|room| log.attach(room, None, 0).run);
    for room in ["lost", "whole", "overtaken"] {
        log.say(room, "saved");
    }
    assert_eq!(server.ask(&["SAVE"]), "+OK\r\n");
    let lost = log.say("lost", "seen, and gone");
    let overtaken = log.say("overtaken", "seen, and gone");
    let whole = Id { offset: 1, ..lost };
    server.restart();
    for log in [&mut other, &mut log] {
        log.until_down();
        log.until_up();
    }
    // Another node is quicker, and the offsets that were seen are given to others.
    for number in 2..5 {
        assert_eq!(other.say("overtaken", "new").offset, number);
    }
    let mut attach = |room: &str, after, run| {
        let ask = Ask::Attach { room: room.into(), after: Some(after), run, most: 9, epoch: 7 };
        match log.get(ask) {
            Ok(ws_mio_server::backplane::wire::Answer::Attached(attached)) => attached.page,
            other => panic!("{other:?}"),
        }
    };
    let new = Epoch::from_entropy(7);
    assert_eq!(attach("lost", lost, runs[0]).position, Id { epoch: new, offset: 0 });
    assert_eq!(attach("overtaken", overtaken, runs[2]).position, Id { epoch: new, offset: 0 });
    let page = attach("whole", whole, runs[1]);
    assert_eq!((page.position, page.messages.len()), (whole, 0));
    assert_eq!(log.say("whole", "more"), Id { offset: 2, ..whole });
    assert_eq!(log.say("lost", "more"), Id { epoch: new, offset: 1 });
}

#[test]
fn scripts_that_redis_has_forgotten_are_given_to_it_again() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    log.attach("r", None, 0);
    assert_eq!(server.ask(&["SCRIPT", "FLUSH"]), "+OK\r\n");
    let tags: Vec<_> =
        (0..1000).map(|number| log.ask(Ask::Append(message("r", &number.to_string())))).collect();
    let ids: Vec<_> = tags
        .into_iter()
        .map(|tag| match log.reply(tag) {
            Ok(ws_mio_server::backplane::wire::Answer::Appended { id }) => id.offset,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, (1..=1000).collect::<Vec<_>>());
    log.until_messages("r", 1000);
    let told = contents(log.messages("r"));
    assert_eq!(told, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(log.is_up && log.downs.is_empty());
}

#[test]
fn a_connection_that_is_cut_takes_the_link_with_it() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    for kind in ["normal", "pubsub"] {
        let mut log = Log::open(&server.url());
        log.attach("r", None, 0);
        server.ask(&["CLIENT", "KILL", "TYPE", kind]);
        log.until_down();
        log.until_up();
        log.attach("r", None, 0);
        log.say("r", "one");
        log.until_messages("r", 1);
    }
}

#[test]
fn what_redis_refuses_is_told_and_the_link_stays() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    log.attach("r", None, 0);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = log.append(message("r", "one"));
    assert!(matches!(&refused, Err(Failure::Refused(why)) if why.contains("OOM")), "{refused:?}");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(log.say("r", "two").offset, 1);
    // Something else has the key.
    server.ask(&["SET", "ws:{other}:room", "x"]);
    let refused = log.append(message("other", "one"));
    assert!(
        matches!(&refused, Err(Failure::Refused(why)) if why.contains("WRONGTYPE")),
        "{refused:?}"
    );
    server.ask(&["HSET", "ws:{strange}:room", "e", "no epoch"]);
    let unknown = log.append(message("strange", "one"));
    assert!(matches!(unknown, Err(Failure::Unknown(_))), "{unknown:?}");
    assert!(log.downs.is_empty());
}

#[test]
fn passwords_are_used_and_never_told() {
    if !is_installed() {
        return;
    }
    let server = Redis::with(&["--requirepass", "open:sesame"]);
    let port = server.port;
    let mut log = Log::open(&format!("redis://:open%3Asesame@127.0.0.1:{port}/3"));
    log.say("r", "one");
    assert!(server.ask(&["CLIENT", "LIST"]).contains("db=3"));
    // Or in a file, which is read when it is needed.
    let file = std::env::temp_dir().join(format!("backplane-password-{port}"));
    let url = format!("redis://127.0.0.1:{port}/3?password-file={}", file.display());
    let mut by_file = Log::start(&url, &quick());
    by_file.until("the file is not there", |log| !log.downs.is_empty());
    assert!(by_file.downs[0].contains(&file.display().to_string()), "{:?}", by_file.downs);
    std::fs::write(&file, "open:sesame\n").unwrap();
    by_file.until_up();
    std::fs::remove_file(&file).unwrap();
    for (url, expected) in [
        (format!("redis://:shibboleth@127.0.0.1:{port}"), "WRONGPASS"),
        (format!("redis://somebody:shibboleth@127.0.0.1:{port}"), "WRONGPASS"),
        (format!("redis://127.0.0.1:{port}"), "NOAUTH"),
    ] {
        let mut log = Log::start(&url, &quick());
        log.until("it is told why", |log| !log.downs.is_empty());
        let why = &log.downs[0];
        assert!(why.contains(&format!("127.0.0.1:{port}")), "{why}");
        assert!(!why.contains("shibboleth") && !format!("{:?}", log.redis).contains("shibboleth"));
        assert!(why.to_uppercase().contains(expected) || why.contains("authenticat"), "{why}");
    }
}

#[test]
fn why_there_is_no_link_is_told_once() {
    if !is_installed() {
        return;
    }
    let mut server = Redis::start();
    server.kill();
    let options = Options { max_backoff: Duration::from_millis(50), ..quick() };
    let mut log = Log::start(&server.url(), &options);
    log.until("it is told why", |log| !log.downs.is_empty());
    std::thread::sleep(Duration::from_millis(300));
    server.start_again();
    log.until_up();
    assert_eq!(log.downs.len(), 1, "{:?}", log.downs);
    assert!(log.downs[0].contains("refused"), "{:?}", log.downs);
}

#[test]
fn a_replica_is_not_taken() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let replica = Redis::with(&["--replicaof", &format!("127.0.0.1 {}", server.port)]);
    let mut log = Log::start(&replica.url(), &quick());
    log.until("it is told why", |log| !log.downs.is_empty());
    assert!(log.downs[0].contains("replica"), "{:?}", log.downs);
    // A master that becomes one is left.
    let mut log = Log::open(&server.url());
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let _ = log.ask(Ask::Append(message("r", "one")));
    log.until_down();
    assert!(!log.is_up);
}

#[test]
fn tls_is_spoken_with_those_whose_certificate_is_signed_well() {
    if !is_installed() {
        return;
    }
    let made =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])
            .unwrap();
    let server = Redis::with_tls(&made.cert.pem(), &made.signing_key.serialize_pem(), &[]);
    let port = server.tls_port.unwrap();
    let file =
        std::env::temp_dir().join(format!("ws-mio-server-redis-ca-{}.pem", std::process::id()));
    std::fs::write(&file, made.cert.pem()).unwrap();
    let mut log = Log::open(&format!("rediss://127.0.0.1:{port}/?ca={}", file.display()));
    log.attach("r", None, 0);
    let large = "x".repeat(300_000);
    for number in 1..=20 {
        assert_eq!(log.say("r", &large).offset, number);
    }
    log.until_messages("r", 20);
    assert!(contents(log.messages("r")).iter().all(|content| *content == large));
    // The system knows nothing of this one, and this one not of another name.
    for url in [format!("rediss://127.0.0.1:{port}"), format!("redis://127.0.0.1:{port}")] {
        let mut log = Log::start(&url, &quick());
        log.until("it is told why", |log| !log.downs.is_empty());
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn sentinels_name_the_next_master() {
    if !is_installed() {
        return;
    }
    let mut all = Sentinels::start();
    let mut log = Log::open(&all.url());
    let run = log.attach("r", None, 0).run;
    let first = log.say("r", "one");
    log.until_messages("r", 1);
    all.until_replicated();
    all.redis[0].kill();
    log.until_down();
    let begun = Instant::now();
    log.until_up();
    assert!(begun.elapsed() < LIMIT);
    assert_eq!(all.master_port(), all.redis[1].port);
    // Nothing was lost, so it goes on as before.
    let attached = log.attach("r", Some(first), run);
    assert_eq!(attached.page.position, first);
    assert_ne!(attached.run, run);
    assert_eq!(log.say("r", "two"), Id { offset: 2, ..first });
    log.until_messages("r", 2);
    assert_eq!(first.epoch, Epoch::from_entropy(EPOCH));
    assert_eq!(offsets(log.messages("r")), [1, 2]);
}

#[test]
fn after_a_link_was_lost_nothing_of_before_is_told() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    let mut log = Log::open(&server.url());
    log.attach("r", None, 0);
    for _ in 0..5 {
        // `Log` panics if anything is told while there is no link.
        for _ in 0..500 {
            log.ask(Ask::Append(message("r", "x")));
        }
        server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        log.until_down();
        log.until_up();
        log.pushes.clear();
        log.settle();
        assert!(log.pushes.iter().all(|push| matches!(push, Push::Shout { .. })));
        log.attach("r", None, 0);
    }
}
