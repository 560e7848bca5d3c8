//! Connections that send bursts and wait for them to come back.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::frames::Burst;
use super::{Check, Inbound, PATIENCE, register, write};
use crate::Result;
use crate::point::Point;

/// Connections to one server, each of which sends a burst, waits for all of it, and sends it again.
#[derive(Debug)]
pub(super) struct Echo {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    burst: Burst,
    depth: usize,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    /// Bytes of the burst that have left.
    sent: usize,
    received: Inbound,
}

impl Echo {
    pub(super) fn open(address: &str, point: Point, check: Check) -> Result<Self> {
        let poll = Poll::new()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        let connections = (0..point.connections).map(|token| {
            let socket = register(&poll, address, "/echo", Token(token), both)?;
            Ok(Connection { socket, sent: 0, received: Inbound::new(check) })
        });
        Ok(Self {
            connections: connections.collect::<Result<_>>()?,
            poll,
            events: Events::with_capacity(1024),
            burst: Burst::new(point.depth, point.size),
            depth: point.depth,
            buffer: vec![0; super::BUFFER],
        })
    }

    /// Bursts for so long, until the last is back. How many messages that was.
    pub(super) fn run(&mut self, slice: Duration) -> Result<u64> {
        let Self { poll, events, connections, burst, depth, buffer } = self;
        let started = Instant::now();
        let (mut bursts, mut waiting) = (0, connections.len());
        for connection in connections.iter_mut() {
            connection.start(burst)?;
        }
        while waiting > 0 {
            // Not to sleep spares the server the work of waking the generator.
            match poll.poll(events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let passed = started.elapsed();
            if passed > slice + PATIENCE {
                return Err(format!("{waiting} bursts have not come back").into());
            }
            for event in &*events {
                let connection = &mut connections[event.token().0];
                if event.is_writable() && connection.sent < burst.sent.len() {
                    connection.send(burst)?;
                }
                if !event.is_readable() || !connection.receive(burst, buffer)? {
                    continue;
                }
                bursts += 1;
                if passed < slice {
                    connection.start(burst)?;
                } else {
                    waiting -= 1;
                }
            }
        }
        Ok(bursts * *depth as u64)
    }
}

impl Connection {
    fn start(&mut self, burst: &Burst) -> Result<()> {
        self.sent = 0;
        self.received.restart();
        self.send(burst)
    }

    fn send(&mut self, burst: &Burst) -> Result<()> {
        self.sent += write(&mut self.socket, &burst.sent[self.sent..])?;
        Ok(())
    }

    /// Whether all of the burst is back.
    fn receive(&mut self, burst: &Burst, buffer: &mut [u8]) -> Result<bool> {
        self.received.read(&mut self.socket, &burst.due, buffer)
    }
}
