//! What crosses threads: bounded queues of commands, one a worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ws_proto::CloseCode;

use crate::census::Census;
use crate::context::Settings;
use crate::frame::Frame;
use crate::http::Answer;
use crate::id::{Key, PeerId};
use crate::outbox::Worth;
use crate::system::Wake;

/// A message to all subscribers of a topic, encoded once.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) topic: Arc<str>,
    pub(crate) frame: Arc<Frame>,
    /// The subscriber that does not get it: the one that sent it.
    pub(crate) except: Option<PeerId>,
    /// When it was published: how long the server had run.
    pub(crate) at: Duration,
}

impl Publication {
    /// Whether it is for the same subscribers.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        self.topic == other.topic && self.except == other.except
    }
}

/// What one thread asks of a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// To the worker that owns the topic: put it in order and send it on to all.
    Publish(Publication),
    /// From the owner of the topic, or from whoever puts it in order: deliver it to subscribers of this worker.
    Deliver(Publication),
    Send(Key, Arc<Frame>, Worth),
    Subscribe(Key, Arc<str>),
    Unsubscribe(Key, Arc<str>),
    Close(Key, CloseCode, String),
    /// The answer to a call of a service: that of this number.
    Answer(Key, u32, Box<Answer>),
    /// Close connections one after the other, within that time, then stop.
    Drain(Duration),
    /// Tell of the worker's connections.
    Census(Arc<Census>),
    /// Serve connections by these settings from here on.
    Reload(Arc<Settings>),
    Shutdown,
}

impl Command {
    /// Roughly the memory that the command keeps. What a frame is compressed to does not count: that is for
    /// all mailboxes together, smaller than the message, and mostly made when the command has been taken.
    fn size(&self) -> usize {
        let payload = match self {
            Self::Publish(publication) | Self::Deliver(publication) => publication.frame.len(),
            Self::Send(_, frame, _) => frame.len(),
            Self::Subscribe(_, topic) | Self::Unsubscribe(_, topic) => topic.len(),
            Self::Answer(_, _, answer) => answer.body().len(),
            Self::Close(..)
            | Self::Census(_)
            | Self::Drain(_)
            | Self::Reload(_)
            | Self::Shutdown => 0,
        };
        payload.saturating_add(size_of::<Self>())
    }
}

/// The queue of one worker, bounded in bytes.
///
/// Orders to publish have a lane of their own: a worker that can't pass them on leaves them, and its
/// lane fills up, which holds back those who post. Deliveries ask for nothing further, so they are
/// always taken, and workers that wait for each other never wait for good.
#[derive(Debug)]
pub(crate) struct Mailbox {
    lanes: Mutex<Lanes>,
    /// Whether the worker has been woken and has not looked yet.
    woken: AtomicBool,
    waker: Box<dyn Wake>,
}

#[derive(Debug, Default)]
struct Lanes {
    orders: Lane,
    deliveries: Lane,
    /// Whether the worker is gone.
    closed: bool,
}

#[derive(Debug, Default)]
struct Lane {
    commands: VecDeque<Command>,
    bytes: usize,
}

impl Lane {
    fn take(&mut self) -> VecDeque<Command> {
        std::mem::take(self).commands
    }
}

/// A lane with this many bytes is full; one command fits over it.
const LIMIT: usize = 4 * 1024 * 1024;

impl Mailbox {
    pub(crate) fn new(waker: Box<dyn Wake>) -> Self {
        Self { lanes: Mutex::default(), woken: AtomicBool::new(false), waker }
    }

    /// Queues a command and wakes the worker, or gives the command back if its lane is full. For a
    /// worker that is gone, it does nothing.
    pub(crate) fn post(&self, command: Command) -> Result<(), Command> {
        self.put(command, false)
    }

    /// Queues a command and wakes the worker, even if the lane is full.
    pub(crate) fn insist(&self, command: Command) {
        // Nothing is given back.
        let _ = self.put(command, true);
    }

    /// Whether what is not urgent would be taken, too.
    pub(crate) fn has_room(&self) -> bool {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.deliveries.bytes < LIMIT
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.deliveries.bytes.saturating_add(lanes.orders.bytes)
    }

    fn put(&self, command: Command, insists: bool) -> Result<(), Command> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.closed {
            return Ok(());
        }
        let (lane, urgent) = match command {
            Command::Publish(_) => (&mut lanes.orders, insists),
            Command::Deliver(_)
            | Command::Send(..)
            | Command::Subscribe(..)
            | Command::Unsubscribe(..) => (&mut lanes.deliveries, insists),
            Command::Close(..)
            | Command::Answer(..)
            | Command::Census(_)
            | Command::Drain(_)
            | Command::Reload(_)
            | Command::Shutdown => (&mut lanes.deliveries, true),
        };
        if lane.bytes >= LIMIT && !urgent {
            return Err(command);
        }
        lane.bytes = lane.bytes.saturating_add(command.size());
        lane.commands.push_back(command);
        drop(lanes);
        if !self.woken.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a worker could not be woken");
        }
        Ok(())
    }

    /// What is queued, in order; with `orders`, those to publish behind the others.
    pub(crate) fn take(&self, orders: bool) -> VecDeque<Command> {
        // Before the lanes are read: what is posted after that wakes the worker again.
        self.woken.store(false, Ordering::SeqCst);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut commands = lanes.deliveries.take();
        if orders {
            commands.append(&mut lanes.orders.take());
        }
        commands
    }

    /// The worker is gone, so nobody will take anything: nothing is kept, and nobody held back.
    pub(crate) fn close(&self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        *lanes = Lanes { closed: true, ..Lanes::default() };
    }
}
