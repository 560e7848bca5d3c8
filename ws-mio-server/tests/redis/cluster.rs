//! A Cluster: slots, their moves, and nodes that fail.

use std::collections::HashSet;

use ws_mio_server::backplane::wire::{Answer, Ask, Push};
use ws_mio_server::hub::Id;

use crate::engine::{Log, contents, message, offsets};
use crate::server::{Cluster, is_installed};

#[test]
fn rooms_are_spread_over_the_nodes_and_their_channels_too() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    let (mut one, mut other) = (Log::open(&cluster.url()), Log::open(&cluster.url()));
    let rooms: Vec<_> = (0..60).map(|room| format!("room {{{room}}}")).collect();
    let tags: Vec<_> = rooms
        .iter()
        .map(|room| {
            let room = room.as_str().into();
            one.ask(Ask::Attach { room, after: None, run: 0, most: 9, epoch: 1 })
        })
        .collect();
    let mut runs = HashSet::new();
    for tag in tags {
        match one.reply(tag) {
            Ok(Answer::Attached(attached)) => runs.insert(attached.run),
            other => panic!("{other:?}"),
        };
    }
    // Each of the three has some.
    assert_eq!(runs.len(), 3);
    for node in &cluster.nodes {
        assert!(node.ask(&["PUBSUB", "SHARDCHANNELS"]).contains("room"));
        assert!(node.number(&["DBSIZE"]) > 5);
    }
    let mut tags = Vec::new();
    for number in 0..10 {
        for room in &rooms {
            tags.push(other.ask(Ask::Append(message(room, &number.to_string()))));
        }
    }
    for tag in tags {
        assert!(other.reply(tag).is_ok());
    }
    for room in &rooms {
        one.until_messages(room, 10);
        assert_eq!(offsets(one.messages(room)), (1..=10).collect::<Vec<_>>());
        assert_eq!(offsets(&other.read(room, 1, 10, 10, false).messages).len(), 10);
    }
    // What is of no room: leases, and shouts.
    let node = "n.1".into();
    let lease = std::time::Duration::from_secs(9);
    assert!(
        matches!(one.get(Ask::Renew { node, lease }), Ok(Answer::Nodes(nodes)) if nodes.len() == 1)
    );
    other.ask(Ask::Shout { from: "n.1".into(), payload: b"x"[..].into() });
    one.until("a shout comes", |log| {
        log.pushes.iter().any(|push| matches!(push, Push::Shout { .. }))
    });
    assert!(one.downs.is_empty() && other.downs.is_empty());
    let shouts = one.pushes.iter().filter(|push| matches!(push, Push::Shout { .. })).count();
    assert_eq!(shouts, 1, "each node of the Cluster tells of it");
}

#[test]
fn a_room_whose_slot_moves_is_followed() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    let (mut one, mut other) = (Log::open(&cluster.url()), Log::open(&cluster.url()));
    let run = one.attach("r", None, 0).run;
    let first = one.say("r", "1");
    one.until_messages("r", 1);
    let slot = cluster.nodes[0].number(&["CLUSTER", "KEYSLOT", "ws:{r}:room"]);
    let slot = u16::try_from(slot).unwrap();
    let from = cluster.owner("ws:{r}:room");
    let to = (from + 1) % 3;
    cluster.move_slot(slot, to);
    // Redis has ended the subscription, and says so.
    one.until("the subscription is lost", |log| {
        log.pushes.contains(&Push::Lost { room: "r".into() })
    });
    // Both ask the wrong node, are sent to the right one, and keep their order.
    let tags: Vec<_> =
        (2..=50).map(|number| other.ask(Ask::Append(message("r", &number.to_string())))).collect();
    for (tag, offset) in tags.into_iter().zip(2..) {
        assert_eq!(other.reply(tag), Ok(Answer::Appended { id: Id { offset, ..first } }));
    }
    let attached = one.attach("r", Some(first), run);
    assert_ne!(attached.run, run);
    assert_eq!(attached.page.position, Id { offset: 50, ..first });
    assert_eq!(offsets(&attached.page.messages), (2..=50).collect::<Vec<_>>());
    assert_eq!(other.say("r", "51").offset, 51);
    one.until_messages("r", 2);
    assert_eq!(contents(one.messages("r")), ["1", "51"]);
    assert!(one.downs.is_empty() && other.downs.is_empty());
    // And back, while somebody writes.
    let tags: Vec<_> = (0..2000).map(|_| other.ask(Ask::Append(message("r", "x")))).collect();
    cluster.move_slot(slot, from);
    let mut seen = 51;
    for tag in tags {
        match other.reply(tag) {
            Ok(Answer::Appended { id }) => {
                assert_eq!(id, Id { offset: seen + 1, ..first });
                seen += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(other.downs.is_empty(), "{:?}", other.downs);
}

#[test]
fn a_slot_that_is_on_its_way_is_asked_for_at_both_ends() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    let mut log = Log::open(&cluster.url());
    log.say("r", "1");
    let (room, node) = ("r".into(), "n.1".into());
    log.done(Ask::Present { room, node, users: vec![("ada".into(), 3)] });
    let slot = cluster.nodes[0].number(&["CLUSTER", "KEYSLOT", "ws:{r}:room"]).to_string();
    let from = cluster.owner("ws:{r}:room");
    let to = (from + 1) % 3;
    let set = |node: usize, how: &str, other: usize| {
        let command = ["CLUSTER", "SETSLOT", &slot, how, &cluster.name(other)];
        assert_eq!(cluster.nodes[node].ask(&command), "+OK\r\n");
    };
    set(to, "IMPORTING", from);
    set(from, "MIGRATING", to);
    let port = cluster.nodes[to].port.to_string();
    let migrate = |key: &str| {
        let answer = cluster.nodes[from].ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        assert_eq!(answer, "+OK\r\n");
    };
    // One key that has gone already is asked for where it is.
    migrate("ws:{r}:who");
    let Ok(Answer::People(people)) = log.get(Ask::People { room: "r".into() }) else { panic!() };
    assert_eq!((people.len(), people[0].connections), (1, 3));
    // What needs several keys waits until all are in one place.
    let tags = [2, 3].map(|number: u64| log.ask(Ask::Append(message("r", &number.to_string()))));
    migrate("ws:{r}:room");
    migrate("ws:{r}:log");
    for node in [to, from] {
        set(node, "NODE", to);
    }
    for (tag, number) in tags.into_iter().zip(2..) {
        let reply = log.reply(tag);
        assert!(matches!(reply, Ok(Answer::Appended { id }) if id.offset == number), "{reply:?}");
    }
    assert_eq!(contents(&log.read("r", 1, 9, 9, false).messages), ["1", "2", "3"]);
    assert!(log.downs.is_empty());
}

#[test]
fn a_node_that_fails_takes_the_link_with_it_until_it_is_back() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    let mut log = Log::open(&cluster.url());
    log.attach("r", None, 0);
    cluster.nodes[1].kill();
    log.until_down();
    cluster.nodes[1].start_again();
    log.until_up();
    log.attach("r", None, 0);
    log.say("r", "1");
    log.until_messages("r", 1);
}
