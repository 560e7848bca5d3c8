//! The list of all rooms.

use std::sync::Arc;
use std::time::Duration;

use ws_mio_server::backplane::wire::{Answer, Ask, RoomList};

use crate::engine::Log;
use crate::server::{Cluster, Redis, is_installed};

const LEASE: Duration = Duration::from_secs(60);

impl Log {
    /// Lists rooms of a node: whether what it had told was known, and who has been silent.
    fn list(
        &mut self,
        node: &str,
        lease: Duration,
        rooms: &[(&str, u32)],
    ) -> (bool, Vec<Arc<str>>) {
        let rooms = rooms.iter().map(|(room, n)| (Arc::from(*room), *n)).collect();
        match self.get(Ask::List { node: node.into(), lease, rooms }) {
            Ok(Answer::Listed { is_known, silent }) => (is_known, silent),
            other => panic!("{other:?}"),
        }
    }

    fn listed(&mut self, ask: Ask) -> (usize, Vec<(String, u64)>) {
        match self.get(ask) {
            Ok(Answer::Rooms(RoomList { total, rooms })) => {
                (total, rooms.into_iter().map(|(room, n)| (room.to_string(), n)).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    fn all(&mut self) -> Vec<(String, u64)> {
        let (total, rooms) = self.listed(Ask::Rooms { skip: 0, most: 1000 });
        assert_eq!(total, rooms.len());
        rooms
    }
}

fn is(rooms: &[(&str, u64)]) -> Vec<(String, u64)> {
    rooms.iter().map(|(room, n)| ((*room).to_owned(), *n)).collect()
}

fn check(log: &mut Log) {
    assert_eq!(log.all(), []);
    assert_eq!(log.list("a.1", LEASE, &[("x", 1), ("방 {y}", 3), ("z", 2)]), (false, vec![]));
    assert_eq!(log.list("b.1", LEASE, &[("x", 2), ("w", 3)]), (false, vec![]));
    assert_eq!(log.all(), is(&[("w", 3), ("x", 3), ("방 {y}", 3), ("z", 2)]));
    // The same again changes nothing; others count instead.
    assert!(log.list("a.1", LEASE, &[("x", 1), ("z", 2)]).0);
    log.list("a.1", LEASE, &[("방 {y}", 0), ("z", 9), ("never", 0)]);
    assert_eq!(log.all(), is(&[("z", 9), ("w", 3), ("x", 3)]));
    assert_eq!(log.listed(Ask::Rooms { skip: 1, most: 1 }), (3, is(&[("w", 3)])));
    assert_eq!(log.listed(Ask::Rooms { skip: 7, most: 1 }), (3, is(&[])));
    assert_eq!(log.listed(Ask::Listed { room: "x".into() }), (1, is(&[("x", 3)])));
    assert_eq!(log.listed(Ask::Listed { room: "방 {y}".into() }), (0, is(&[])));
    // One that lives is not taken from it; one that is silent is, a part at a time.
    log.done(Ask::Unlist { node: "b.1".into(), most: 9 });
    log.done(Ask::Unlist { node: "nobody".into(), most: 9 });
    assert_eq!(log.all().len(), 3);
    log.list("b.1", Duration::from_millis(1), &[]);
    let mut silent = Vec::new();
    while silent.is_empty() {
        silent = log.list("a.1", LEASE, &[]).1;
    }
    assert_eq!(silent, [Arc::<str>::from("b.1")]);
    log.done(Ask::Unlist { node: "b.1".into(), most: 1 });
    let left = log.all();
    let (with_x, with_w) = (is(&[("z", 9), ("x", 3)]), is(&[("z", 9), ("w", 3), ("x", 1)]));
    assert!(left == with_x || left == with_w, "one of its two rooms is left: {left:?}");
    // If it comes back it is told that a part may be forgotten.
    assert!(!log.list("b.1", LEASE, &[("x", 2), ("w", 3)]).0);
    assert_eq!(log.all(), is(&[("z", 9), ("w", 3), ("x", 3)]));
    log.list("b.1", Duration::from_millis(1), &[]);
    while !log.list("a.1", LEASE, &[]).1.is_empty() || log.all().len() > 2 {
        log.done(Ask::Unlist { node: "b.1".into(), most: 500 });
    }
    assert_eq!(log.all(), is(&[("z", 9), ("x", 1)]));
}

#[test]
fn rooms_of_all_nodes_are_listed_until_those_are_silent() {
    if !is_installed() {
        return;
    }
    let server = Redis::start();
    check(&mut Log::open(&server.url()));
    // Nothing stays for ever.
    for key in ["{ws:rooms}:all", "{ws:rooms}:nodes", "{ws:rooms}:of:a.1"] {
        assert!(server.number(&["PTTL", key]) > 600_000_000, "{key}");
    }
    assert_eq!(server.number(&["DBSIZE"]), 3);
}

#[test]
fn a_cluster_has_one_list() {
    if !is_installed() {
        return;
    }
    let cluster = Cluster::start();
    check(&mut Log::open(&cluster.url()));
}
