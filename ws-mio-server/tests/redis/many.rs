//! A node with many rooms, on an engine with a small queue.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ws_mio_server::backplane::redis::{Options, Redis};
use ws_mio_server::backplane::wire::{Answer, Engine as _, Event};
use ws_mio_server::backplane::{Act, Node, Now, Out, Settings};
use ws_mio_server::hub::{Effect, Epoch, Hub, Limits, Namespace, Namespaces, Publish};

use crate::engine::{LIMIT, quick};
use crate::server::{Redis as Server, is_installed};

const ROOMS: u32 = 3_000;
/// How many requests may wait: far fewer than there are rooms.
const MOST: usize = 200;

struct One {
    engine: Redis,
    told: Receiver<Vec<Event>>,
    hub: Hub<u32, u32>,
    node: Node<u32, u32>,
    begun: Instant,
    ticked: Instant,
    /// How many were attached since the link was lost.
    attached: usize,
    not_taken: usize,
    accepted: HashSet<u32>,
}

impl One {
    fn start(server: &Server) -> Self {
        let (tell, told) = channel();
        let on_event = Box::new(move |events| {
            let _ = tell.send(events);
        });
        let options = Options { max_requests: MOST, ..quick() };
        let engine = Redis::start(&server.url().parse().unwrap(), &options, on_event).unwrap();
        let namespaces = Arc::new(Namespaces::new(Namespace::default()));
        let hub = Hub::new(namespaces, Limits::default(), Epoch::from_entropy(1), None);
        let node = Node::new(Settings::new("n"), 1, (1, 1));
        let (begun, accepted) = (Instant::now(), HashSet::new());
        let (ticked, attached, not_taken) = (begun, 0, 0);
        Self { engine, told, hub, node, begun, ticked, attached, not_taken, accepted }
    }

    fn act(
        &mut self,
        act: impl FnOnce(&mut Node<u32, u32>, &mut Hub<u32, u32>, Now, &mut Out<u32, u32>),
    ) {
        let steady = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        let (now, mut out) = (Now { unix: steady, steady }, Out::default());
        act(&mut self.node, &mut self.hub, now, &mut out);
        while !out.requests.is_empty() || !out.acts.is_empty() {
            let Out { acts, requests } = std::mem::take(&mut out);
            for act in acts {
                match act {
                    Act::Hub(Effect::Accepted { answer, .. }) => {
                        self.accepted.insert(answer);
                    }
                    Act::Hub(Effect::Refused { answer, why }) => {
                        panic!("{answer} was refused: {why:?}");
                    }
                    _ => {}
                }
            }
            for request in requests {
                if self.engine.request(request.clone()).is_err() {
                    self.not_taken += 1;
                    self.node.not_taken(&mut self.hub, request, now, &mut out);
                }
            }
        }
    }

    /// Takes what is told until something is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < LIMIT, "waited too long until {what}");
            if let Ok(events) = self.told.recv_timeout(Duration::from_millis(100)) {
                for event in events {
                    match &event {
                        Event::Reply { result: Ok(Answer::Attached(_)), .. } => self.attached += 1,
                        Event::Down { .. } => self.attached = 0,
                        _ => {}
                    }
                    self.act(|node, hub, now, out| node.handle(hub, event, now, out));
                }
            }
            if self.ticked.elapsed() >= Duration::from_millis(500) {
                self.ticked = Instant::now();
                self.act(|node, hub, now, out| node.tick(hub, now, out));
            }
        }
    }
}

#[test]
fn rooms_are_attached_anew_without_filling_the_queue() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let mut one = One::start(&server);
    one.until("it is up", |one| one.node.is_up());
    for number in 0..ROOMS {
        one.act(|node, hub, now, out| node.hold(hub, &number.to_string(), now, out));
        // As those who join come: not all at once.
        if number % 100 == 0 {
            one.until("most have come", |one| one.engine.waiting() < MOST / 2);
        }
    }
    let all = usize::try_from(ROOMS).unwrap();
    one.until("all rooms are attached", |one| one.attached == all);
    one.not_taken = 0;
    server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    one.until("the link is lost", |one| !one.node.is_up());
    let mut answer = 0;
    one.until("all rooms are attached again", |one| {
        // What is published meanwhile is taken, and is not behind all of the rooms.
        if one.node.is_up() && one.attached < all && answer < 1_000 {
            answer += 1;
            one.act(|node, hub, now, out| {
                let (user, content, key, except) = ("ada", b"x"[..].into(), None, None);
                let room = &answer.to_string();
                node.publish(hub, Publish { room, user, content, key, except, answer }, now, out);
            });
        }
        if one.accepted.contains(&1) && one.accepted.len() == 1 {
            assert!(one.attached < all / 2, "{} were attached before", one.attached);
        }
        one.attached == all
    });
    assert!(answer > 0);
    one.until("all is accepted", |one| one.accepted.len() == usize::try_from(answer).unwrap());
    assert_eq!(one.not_taken, 0, "the queue was full");
}
