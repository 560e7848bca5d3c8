//! What the log costs Redis: messages to rooms on one to three nodes, and rooms by the thousand. Nodes are here what is of
//! them at Redis: their engines, in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use benches::{Result, resident};
use ws_mio_server::backplane::redis::{Options as Settings, Redis as Log};
use ws_mio_server::backplane::wire::{Append, Ask, Engine, Event, Keep, Push, Request};

use super::capacity::Counters;
use super::options::Options;
use super::redis::Redis;

/// Messages that are measured at a time, and how many of them wait for Redis at most.
const MESSAGES: u64 = 30_000;
const WINDOW: u64 = 512;
/// In how many rooms they are.
const ROOMS: u64 = 100;
const KEEP: Keep =
    Keep { count: 1000, bytes: 64 * 1024 * 1024, age: Duration::from_secs(24 * 3600) };

/// An engine, and how often it has told what.
struct Node {
    log: Log,
    replies: Arc<AtomicU64>,
    messages: Arc<AtomicU64>,
}

impl Node {
    fn start(redis: &Redis) -> Result<Self> {
        let (replies, messages) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (up, told) = std::sync::mpsc::channel();
        let counters = (Arc::clone(&replies), Arc::clone(&messages));
        let on_event = Box::new(move |events: Vec<Event>| {
            for event in events {
                match event {
                    Event::Up => drop(up.send(())),
                    Event::Down { why } => eprintln!("the link is lost: {why}"),
                    Event::Reply { result, .. } => {
                        if let Err(error) = result {
                            eprintln!("not done: {error}");
                        }
                        counters.0.fetch_add(1, Ordering::Relaxed);
                    }
                    Event::Push(Push::Message { .. }) => {
                        counters.1.fetch_add(1, Ordering::Relaxed);
                    }
                    Event::Push(_) => {}
                }
            }
        });
        let target = format!("redis://127.0.0.1:{}", redis.port).parse()?;
        let log = Log::start(&target, &Settings::default(), on_event)?;
        told.recv_timeout(Duration::from_secs(10))?;
        Ok(Self { log, replies, messages })
    }

    /// Asks for many things, so many of them at a time, and waits for all answers.
    fn ask(&self, count: u64, mut ask: impl FnMut(u64) -> Ask) -> Result<()> {
        let before = self.replies.load(Ordering::Relaxed);
        for number in 0..count {
            while before + number >= self.replies.load(Ordering::Relaxed) + WINDOW {
                thread::sleep(Duration::from_micros(200));
            }
            self.log.request(Request { tag: number + 1, ask: ask(number) })?;
        }
        until(|| self.replies.load(Ordering::Relaxed) == before + count)
    }

    fn attach(&self, rooms: u64, name: impl Fn(u64) -> String) -> Result<()> {
        self.ask(rooms, |room| {
            let room = name(room).into();
            Ask::Attach { room, after: None, run: 0, most: 20, epoch: 7 }
        })
    }
}

fn until(condition: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("Redis does not answer".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Measures; there is nothing to be found.
pub(super) fn run(options: &Options) -> Result<usize> {
    messages(&Redis::start(&options.redis)?)?;
    rooms(&Redis::start(&options.redis)?, options.attached as u64)?;
    Ok(0)
}

fn messages(redis: &Redis) -> Result<()> {
    let nodes: Vec<_> = (0..3).map(|_| Node::start(redis)).collect::<Result<_>>()?;
    for size in [16, 256, 4096] {
        let content: Arc<[u8]> = vec![b'x'; size].into();
        for on in 1..=nodes.len() {
            let name = |room: u64| format!("room-{size}-{on}-{room}");
            for node in &nodes[..on] {
                node.attach(ROOMS, name)?;
            }
            let heard: Vec<_> =
                nodes.iter().map(|node| node.messages.load(Ordering::Relaxed)).collect();
            let before = Counters::read(redis)?;
            nodes[0].ask(MESSAGES, |number| {
                Ask::Append(Append {
                    room: name(number % ROOMS).into(),
                    user: "somebody".into(),
                    key: Some(format!("{size}-{on}-{number}").into()),
                    name: None,
                    content: Arc::clone(&content),
                    at: 1_800_000_000_000,
                    keep: KEEP,
                    epoch: 7,
                })
            })?;
            let after = Counters::read(redis)?;
            until(|| {
                let mut each = nodes.iter().zip(&heard).take(on);
                each.all(|(node, b)| node.messages.load(Ordering::Relaxed) == b + MESSAGES)
            })?;
            let each = MESSAGES as f64;
            let seconds = after.at.duration_since(before.at).as_secs_f64();
            println!(
                "{size} B, room on {on} nodes: {:.0} messages/s; each: {}; kept {:.0} B",
                each / seconds,
                after.since(&before, each),
                (after.memory - before.memory) / each
            );
        }
    }
    Ok(())
}

fn rooms(redis: &Redis, step: u64) -> Result<()> {
    let node = Node::start(redis)?;
    for turn in 0..5 {
        let (before, own) = (Counters::read(redis)?, resident("self")?);
        node.attach(step, |room| format!("room-{}", turn * step + room))?;
        let after = Counters::read(redis)?;
        let each = step as f64;
        println!(
            "rooms {} to {}, {:.1} s; each: {}; Redis keeps {:.0} B, the engine {:.0} B",
            turn * step,
            (turn + 1) * step,
            after.at.duration_since(before.at).as_secs_f64(),
            after.since(&before, each),
            (after.memory - before.memory) / each,
            (resident("self")? as f64 - own as f64) / each
        );
    }
    Ok(())
}
