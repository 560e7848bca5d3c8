//! Ten thousand connections come and go, one way or another, and nothing is left of them. It is alone
//! in its process, for it counts the process's descriptors.
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

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{BINARY, Client, TEXT, close, frame, request, serve, until};
use ws_mio_server::{Ending, Handler, Message, Peer, Server};

const CONNECTIONS: u64 = 10_000;
/// How many there are at a time.
const BATCH: u64 = 20;

/// Echoes, and counts who comes and goes.
#[derive(Clone, Default)]
struct Counting(Arc<[AtomicU64; 2]>);

impl Handler for Counting {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("all");
        self.0[0].fetch_add(1, Ordering::Relaxed);
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
        peer.publish("all", message);
    }

    fn on_close(&mut self, peer: &mut Peer<'_>, _: Ending<'_>) {
        peer.publish("all", "gone");
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Comes and goes in one of many ways; returns whether it was let in for sure.
fn visit(mut client: Client, way: u64) -> bool {
    match way {
        0 => {
            client.upgrade("/");
            client.send(TEXT, b"Hello");
            while client.frame().payload != b"Hello" {}
            client.write(&close(1000, ""));
            while client.next().is_some() {}
        }
        1 => client.upgrade("/"),
        2 => {
            client.upgrade("/");
            client.reset();
        }
        3 => {
            client.upgrade("/");
            client.write(&frame(BINARY, &[0; 1000])[..700]);
            client.finish_sending();
            while client.next().is_some() {}
        }
        4 => {
            client.upgrade("/");
            client.write(&frame(0x83, b"no such opcode"));
        }
        5 => {
            client.upgrade("/");
            // It goes with replies on the way.
            client.write(&frame(TEXT, b"x").repeat(10));
        }
        6 => {
            client.write(&request("/").as_bytes()[..50]);
            return false;
        }
        7 => {
            client.write(&request("/").as_bytes()[..50]);
            client.reset();
            return false;
        }
        8 => {
            client.write(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
            return false;
        }
        _ => {
            client.reset();
            return false;
        }
    }
    true
}

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    let counting = Counting::default();
    let server = serve(Server::builder().workers(2).route("/", counting.clone()));
    drop(server.open("/"));
    server.until_empty();
    let before = descriptors();
    let mut let_in = 1;
    for batch in 0..CONNECTIONS / BATCH {
        let clients: Vec<_> = (0..BATCH).map(|_| server.connect()).collect();
        for (i, client) in clients.into_iter().enumerate() {
            // In another order each time.
            let way = (i as u64 * 7 + batch) % 10;
            let_in += u64::from(visit(client, way));
        }
    }
    server.until_empty();
    assert_eq!(server.handle.stats().accepted, let_in);
    let [opened, closed] = &*counting.0;
    assert_eq!(opened.load(Ordering::Relaxed), let_in);
    until("all are told gone", || closed.load(Ordering::Relaxed) == let_in);
    assert_eq!(descriptors(), before);
    // It still serves. Word of the last to go may come by way of the other worker, behind the subscription.
    let mut client = server.open("/");
    client.send(TEXT, b"still here");
    while client.frame().payload != b"still here" {}
}
