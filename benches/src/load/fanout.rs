//! One connection that sends bursts, and many that wait for them.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt::set_tcp_quickack;

use super::frames::Burst;
use super::{Check, Inbound, PATIENCE, register, write};
use crate::Result;
use crate::point::Point;

/// Members of a room of one server, to which one more sends a burst, waits until each has got all of it,
/// and sends it again.
#[derive(Debug)]
pub(super) struct FanOut {
    poll: Poll,
    events: Events,
    publisher: TcpStream,
    subscribers: Vec<(TcpStream, Inbound)>,
    burst: Burst,
    depth: usize,
    buffer: Vec<u8>,
}

impl FanOut {
    pub(super) fn open(address: &str, point: Point, check: Check) -> Result<Self> {
        let poll = Poll::new()?;
        let open = |token, interest| register(&poll, address, "/relay/r", Token(token), interest);
        let subscribers = (0..point.connections)
            .map(|token| Ok((open(token, Interest::READABLE)?, Inbound::new(check))));
        let subscribers = subscribers.collect::<Result<_>>()?;
        Ok(Self {
            publisher: open(point.connections, Interest::WRITABLE)?,
            subscribers,
            poll,
            events: Events::with_capacity(1024),
            burst: Burst::new(point.depth, point.size),
            depth: point.depth,
            buffer: vec![0; super::BUFFER],
        })
    }

    /// Bursts for so long, until the last has arrived. How many messages were delivered.
    pub(super) fn run(&mut self, slice: Duration) -> Result<u64> {
        let Self { poll, events, publisher, subscribers, burst, depth, buffer } = self;
        // Who has got nothing for a while acknowledges at once, some twenty times, at a cost of a quarter
        // to who sends. So all begin as they go on.
        for (socket, _) in &*subscribers {
            set_tcp_quickack(socket, false)?;
        }
        let started = Instant::now();
        let mut bursts = 0;
        while started.elapsed() < slice {
            for (_, received) in subscribers.iter_mut() {
                received.restart();
            }
            let mut sent = write(publisher, &burst.sent)?;
            let mut waiting = subscribers.len();
            while waiting > 0 {
                match poll.poll(events, Some(Duration::ZERO)) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    other => other?,
                }
                if started.elapsed() > slice + PATIENCE {
                    return Err(format!("{waiting} subscribers have not got a burst").into());
                }
                for event in &*events {
                    match subscribers.get_mut(event.token().0) {
                        None => sent += write(publisher, &burst.sent[sent..])?,
                        Some((socket, received)) => {
                            waiting -= usize::from(received.read(socket, &burst.due, buffer)?);
                        }
                    }
                }
            }
            bursts += 1;
        }
        Ok(bursts * (*depth * subscribers.len()) as u64)
    }
}
