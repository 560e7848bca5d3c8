//! The log that nodes share, on Redis: its Pub/Sub tells of messages, its streams keep them.
//!
//! [`Redis`] is an [`Engine`]: it does what is asked, and decides nothing. Whatever must not come apart is one script
//! of Redis (`scripts/*.lua`): to number a message, keep it, drop what is too much and tell all who have subscribed.
//!
//! | key | what it is |
//! |---|---|
//! | `PREFIX:{ROOM}:room` | hash: epoch, last offset, and what is needed to drop old messages |
//! | `PREFIX:{ROOM}:log` | stream: the messages that are kept, with the id `OFFSET-TIME` |
//! | `PREFIX:{ROOM}:keys`, `…:sent` | hash and list: what users have called their messages |
//! | `PREFIX:{ROOM}:who` | hash: who is in the room, by way of which node |
//! | `{PREFIX:rooms}:all` | sorted set: the rooms that somebody is in, on all nodes, by their connections below zero |
//! | `{PREFIX:rooms}:nodes`, `…:of:NODE` | sorted set and hash: the nodes that have told of rooms, and what each has |
//! | `PREFIX:nodes` | sorted set: the nodes, and when their leases end by Redis's clock |
//!
//! The channel of a room is `PREFIX:{ROOM}`, that of all nodes `PREFIX:all`. In the name of a room, `%`, `{` and `}` are
//! written as `%25`, `%7B` and `%7D`, so all that is of a room is in one slot of a Cluster. There the channels are sharded
//! (`SSUBSCRIBE`), otherwise plain. Channels have no database: whoever shares a Redis needs another prefix.
//!
//! Messages expire with the age that their room keeps, the epoch and the last offset of a room a week later, and who is
//! in a room a week after a node has told of it the last time, which each does once a day. Redis must not evict any of it by itself (`maxmemory-policy
//! noeviction`): when it is full, it refuses, and so does [`Failure::Refused`](crate::backplane::wire::Failure).
//!
//! # Threads
//!
//! One thread connects, writes and reads answers (`session.rs`); each server has another, which hears what is published
//! (`listener.rs`). The queue between those who ask and the first is bounded ([`Options`]). While that one waits and nothing
//! is on its way, who asks for a small message to be published sends it by the same link (`link.rs`), and wakes the thread to
//! read the answer: nobody waits for that either, for the system takes so little at once. The link is lost when a
//! connection ends or nothing is heard for [`Options::timeout`]; then all of it is made anew, also in a Cluster
//! of which one node has failed, for there, by Redis's default (`cluster-require-full-coverage`), the
//! others refuse until its replica has taken over. Slots that move to other nodes are followed.
//!
//! # What Redis may lose
//!
//! Redis writes to disk and to replicas after it has answered. If it starts again, or another one becomes the master,
//! the last messages may be gone, and their offsets be given anew. So each room knows by which process it was numbered
//! (`run_id`) and the offset at which that one began; a node that has seen a higher one of before makes the room begin a
//! new epoch ([`Ask::Attach`](crate::backplane::wire::Ask)), and all clients are told.

mod connect;
pub(crate) mod decode;
mod encode;
mod link;
mod listener;
mod masked;
mod names;
mod outlet;
mod queue;
mod scripts;
mod session;
mod slots;
mod target;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use masked::masked;
pub use names::{Prefix, PrefixError};
pub use target::{Target, TargetError};

use connect::Connector;
use encode::Encoder;
use outlet::Outlet;
use queue::{Limits, Queue};
use session::{Session, Shared};

use super::wire::{Engine, Full, OnEvent, Request};

/// How Redis is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// What keys and channels begin with. Default: `ws`.
    pub prefix: Prefix,
    /// How long Redis may take to connect or to answer until the link is lost. Default: 3 s.
    pub timeout: Duration,
    /// How many requests may wait to be answered. Default: 16,384.
    pub max_requests: usize,
    /// How many bytes of them may. Default: 64 MiB.
    pub max_bytes: usize,
    /// The longest time between two attempts to connect. They begin at a fiftieth of it, and each time it is doubled;
    /// how much of it is waited is drawn at random. Default: 5 s.
    pub max_backoff: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: Prefix::default(),
            timeout: Duration::from_secs(3),
            max_requests: 16_384,
            max_bytes: 64 * 1024 * 1024,
            max_backoff: Duration::from_secs(5),
        }
    }
}

/// A link to Redis, which is made anew whenever it is lost. When this is dropped, requests that it has taken are
/// still sent, and nothing is told any more.
pub struct Redis {
    queue: Arc<Queue>,
    outlet: Arc<Outlet>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("waiting", &self.queue.waiting()).finish()
    }
}

impl Redis {
    /// Begins to connect, and tells what happens.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(target: &Target, options: &Options, on_event: OnEvent) -> io::Result<Self> {
        let limits = Limits { requests: options.max_requests, bytes: options.max_bytes };
        let queue = Arc::new(Queue::new(limits));
        let outlet = Arc::new(Outlet::new(on_event));
        let encoder = Encoder {
            prefix: options.prefix.clone(),
            scripts: scripts::Scripts::default(),
            is_cluster: target.kind == target::Kind::Cluster,
        };
        let shared = Shared {
            encoder: Arc::new(encoder),
            queue: Arc::clone(&queue),
            outlet: Arc::clone(&outlet),
        };
        if target.tls {
            // The crate asks for the one of the process. If it has one, that is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let connector = Connector::new(target.clone(), options.timeout);
        let longest = options.max_backoff;
        thread::Builder::new()
            .name("backplane".to_owned())
            .spawn(move || run(&shared, connector, longest))?;
        Ok(Self { queue, outlet })
    }
}

impl Engine for Redis {
    fn request(&self, request: Request) -> Result<(), Full> {
        self.queue.push(request)
    }

    fn waiting(&self) -> usize {
        self.queue.waiting()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.outlet.close();
        self.queue.stop();
    }
}

/// Connects, and connects again, until it is stopped.
fn run(shared: &Shared, mut connector: Connector, longest: Duration) {
    let Shared { encoder, queue, outlet } = shared;
    let shortest = longest.checked_div(50).unwrap_or_default().max(Duration::from_millis(1));
    let (mut backoff, mut told) = (shortest, String::new());
    for number in 1.. {
        let servers = connector.servers(&encoder.scripts);
        let session =
            servers.and_then(|servers| Session::open(shared, &connector, servers, number));
        let why = match session {
            Ok(session) => {
                queue.up();
                outlet.up(number);
                (backoff, told) = (shortest, String::new());
                let Some(why) = session.run() else { return };
                outlet.end();
                queue.down();
                why
            }
            Err(why) => why,
        };
        // The same is not said twice.
        if why != told {
            outlet.down(&why);
            told = why;
        }
        if queue.pause(random_part(backoff)) {
            return;
        }
        backoff = backoff.saturating_mul(2).min(longest);
    }
}

/// A part of a time, drawn at random, so that nodes don't come back all at once.
fn random_part(time: Duration) -> Duration {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let entropy = getrandom::u64().unwrap_or(u64::MAX);
    Duration::from_millis(entropy.checked_rem(millis).map_or(0, |part| part.saturating_add(1)))
}
