//! A server that was held up itself takes no peer for dead that has answered meanwhile.
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

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{PING, PONG, TEXT, frame, serve, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use ws_mio_server::{Handler, Message, Peer, Server};

/// More than an event loop takes at a time.
const PEERS: usize = 1500;

/// Tells that it has a message, and blocks until it is let go on.
#[derive(Clone)]
struct Blocking(Sender<()>, Arc<Mutex<Receiver<()>>>);

impl Handler for Blocking {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        self.0.send(()).unwrap();
        self.1.lock().unwrap().recv().unwrap();
        peer.send(message);
    }
}

#[test]
fn who_has_answered_while_the_server_was_held_up_lives() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let (told, blocks) = channel();
    let (go_on, wait) = channel();
    let pong = Duration::from_secs(2);
    let builder = Server::builder().workers(1).ping_interval(Some(2 * pong)).pong_timeout(pong);
    let server = serve(builder.route("/", Blocking(told, Arc::new(Mutex::new(wait)))));
    let mut blocker = server.open("/");
    let mut peers: Vec<_> = (0..PEERS).map(|_| server.open("/")).collect();
    // The first to be pinged is not the first whose answer is read.
    for peer in &mut peers {
        peer.expect(PING, b"");
    }
    blocker.expect(PING, b"");
    blocker.send(TEXT, b"block");
    blocks.recv().unwrap();
    let begun = Instant::now();
    for peer in &mut peers {
        peer.write(&frame(PONG, b""));
    }
    until("their time to answer is over", || begun.elapsed() > 2 * pong);
    go_on.send(()).unwrap();
    blocker.expect(TEXT, b"block");
    for peer in &mut peers {
        // Each one is served as before.
        peer.send(TEXT, b"x");
        go_on.send(()).unwrap();
        peer.expect(TEXT, b"x");
    }
    assert_eq!(server.handle.stats().connections, PEERS + 1);
    assert!(server.handle.metrics().contains("\nwsmio_held_up_total 1\n"));
}
