//! A connection that hears what is published, and the thread that reads it.
//!
//! A thread that waits for what comes can't be told to subscribe to something else, for there is one connection
//! and nobody else may write to it. So who wants that publishes on a channel of this link's own, to which it has
//! subscribed before anything else: it wakes up, and looks what there is to do. What is published there once in a
//! while shows that the link works, too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::Connection;

use super::connect::reason_of;
use super::decode::{Heard, Outcome, Remedy, heard, pushes, shout};
use super::encode::{Encoder, command};
use super::outlet::Outlet;
use super::queue::{Queue, Subscribed};
use crate::backplane::wire::{Event, Push, Request};

/// How many channels are subscribed at once; the next ones when those are confirmed.
const AT_ONCE: usize = 256;

/// What a link is to subscribe to.
#[derive(Debug)]
pub(super) enum Change {
    /// The room of a request, which comes back when it is.
    Begin(Request, Arc<str>),
    End(Arc<str>),
}

/// What changes, on the way to the thread.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<VecDeque<Change>>);

impl Changes {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; whether the thread must be woken for it.
    pub(super) fn add(&self, change: Change) -> bool {
        let mut all = self.lock();
        all.push_back(change);
        all.len() == 1
    }
}

/// A subscription, or the end of one, that is not confirmed.
#[derive(Debug)]
struct Sent {
    channel: Vec<u8>,
    /// The request that waits for it; none, if it is an end.
    request: Option<(Request, Arc<str>)>,
    /// The number of its command: one that is refused concerns all of its channels.
    command: u64,
}

pub(super) struct Listener {
    connection: Connection,
    encoder: Arc<Encoder>,
    queue: Arc<Queue>,
    outlet: Arc<Outlet>,
    changes: Arc<Changes>,
    session: u64,
    /// The channel by which it is woken.
    own: Vec<u8>,
    all: Vec<u8>,
    rooms: HashMap<Vec<u8>, Arc<str>>,
    due: VecDeque<Change>,
    sent: VecDeque<Sent>,
    commands: u64,
}

impl Listener {
    /// Makes one of a connection, which subscribes to what it needs itself.
    pub(super) fn open(
        mut connection: Connection,
        encoder: &Arc<Encoder>,
        queue: &Arc<Queue>,
        outlet: &Arc<Outlet>,
        changes: &Arc<Changes>,
        (session, number): (u64, u64),
    ) -> Result<Self, String> {
        let (own, all) = (encoder.prefix.link(number), encoder.prefix.all());
        let mut bytes = Vec::new();
        command(&[b"SUBSCRIBE", &own, &all], &mut bytes);
        connection.send_packed_command(&bytes).map_err(|error| reason_of(&error))?;
        for expected in [&own, &all] {
            let value = connection.recv_response().map_err(|error| reason_of(&error))?;
            match heard(value) {
                Heard::Subscribed { channel, ended: false } if channel == *expected => {}
                Heard::Refused(outcome) => return Err(reason(outcome)),
                _ => return Err("it does not confirm subscriptions".to_owned()),
            }
        }
        Ok(Self {
            connection,
            encoder: Arc::clone(encoder),
            queue: Arc::clone(queue),
            outlet: Arc::clone(outlet),
            changes: Arc::clone(changes),
            session,
            own,
            all,
            rooms: HashMap::new(),
            due: VecDeque::new(),
            sent: VecDeque::new(),
            commands: 0,
        })
    }

    /// Reads until the session is over.
    pub(super) fn run(mut self) {
        if let Err(why) = self.listen() {
            self.queue.lost(self.session, why);
        }
    }

    fn listen(&mut self) -> Result<(), String> {
        loop {
            let value = self.connection.recv_response().map_err(|error| reason_of(&error))?;
            match heard(value) {
                Heard::Message { channel, payload } => {
                    if !self.message(&channel, &payload)? {
                        return Ok(());
                    }
                }
                Heard::Subscribed { channel, ended } => self.changed(&channel, ended)?,
                Heard::Refused(outcome) => self.refused(outcome)?,
                Heard::Other => {}
            }
        }
    }

    /// Takes a message; whether the session is still on.
    fn message(&mut self, channel: &[u8], payload: &[u8]) -> Result<bool, String> {
        let events: Vec<_> = if let Some(room) = self.rooms.get(channel) {
            pushes(room, payload).into_iter().map(Event::Push).collect()
        } else if channel == self.all {
            shout(payload).map(Event::Push).into_iter().collect()
        } else {
            if channel == self.own {
                self.due.append(&mut self.changes.lock());
                self.subscribe()?;
            }
            Vec::new()
        };
        Ok(self.outlet.tell(self.session, events))
    }

    /// Asks for the next subscriptions, unless some are not confirmed yet.
    fn subscribe(&mut self) -> Result<(), String> {
        if !self.sent.is_empty() || self.due.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let is_end = |change: &Change| matches!(change, Change::End(_));
        let mut left = AT_ONCE;
        // Runs of the same kind, in the order in which they were asked for.
        while let Some(end) = self.due.front().map(is_end).filter(|_| left > 0) {
            let count =
                self.due.iter().take(left).take_while(|change| is_end(change) == end).count();
            left = left.saturating_sub(count);
            let first = self.sent.len();
            for change in self.due.drain(..count) {
                let (channel, request) = match change {
                    Change::Begin(request, room) => {
                        (self.encoder.prefix.room(&room).channel, Some((request, room)))
                    }
                    Change::End(room) => (self.encoder.prefix.room(&room).channel, None),
                };
                if end {
                    self.rooms.remove(&channel);
                }
                self.sent.push_back(Sent { channel, request, command: 0 });
            }
            let new = || self.sent.iter().skip(first);
            let channels: Vec<_> = new().map(|sent| sent.channel.as_slice()).collect();
            let each = self.encoder.subscriptions(&channels, end, &mut bytes) > 1;
            for sent in self.sent.iter_mut().skip(first) {
                sent.command = self.commands;
                self.commands = self.commands.wrapping_add(u64::from(each));
            }
            self.commands = self.commands.wrapping_add(1);
        }
        self.connection.send_packed_command(&bytes).map_err(|error| reason_of(&error))
    }

    /// Something is subscribed, or is not any more.
    fn changed(&mut self, channel: &[u8], ended: bool) -> Result<(), String> {
        let is_expected = self
            .sent
            .front()
            .is_some_and(|sent| sent.channel == channel && sent.request.is_none() == ended);
        if !is_expected {
            if !ended {
                return Err("subscriptions are confirmed that nobody has asked for".to_owned());
            }
            // The slot of the room has gone elsewhere.
            if let Some(room) = self.rooms.remove(channel) {
                self.outlet.tell(self.session, vec![Event::Push(Push::Lost { room })]);
            }
            return Ok(());
        }
        if let Some((request, room)) = self.sent.pop_front().and_then(|sent| sent.request) {
            self.rooms.insert(channel.to_vec(), room);
            self.queue.subscribed(vec![Subscribed { request, moved: None, refused: None }]);
        }
        self.subscribe()
    }

    fn refused(&mut self, outcome: Outcome) -> Result<(), String> {
        let Some(number) = self.sent.front().map(|sent| sent.command) else {
            return Err(reason(outcome));
        };
        let (moved, refused) = match outcome {
            Outcome::Again(Remedy::Moved(rest)) => (Some(rest), None),
            Outcome::Lost(why) => return Err(why),
            other => (None, Some(reason(other))),
        };
        let mut all = Vec::new();
        while self.sent.front().is_some_and(|sent| sent.command == number) {
            if let Some((request, _)) = self.sent.pop_front().and_then(|sent| sent.request) {
                let (moved, refused) = (moved.clone(), refused.clone());
                all.push(Subscribed { request, moved, refused });
            }
        }
        self.queue.subscribed(all);
        self.subscribe()
    }
}

/// Why Redis does not do something.
pub(super) fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Lost(why) => why,
        Outcome::Told(Err(failure)) => failure.to_string(),
        Outcome::Told(Ok(_)) => "it answers something else".to_owned(),
        Outcome::Again(remedy) => format!("it does not take it: {remedy:?}"),
    }
}
