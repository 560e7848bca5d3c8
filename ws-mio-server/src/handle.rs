//! A running server, as other threads see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ws_proto::{CloseCode, Message};

use crate::builder::Builder;
use crate::census::{Census, Wanted};
use crate::clock::Clock;
use crate::frame::Frame;
use crate::mailbox::{Command, Mailbox, Publication};
use crate::metrics::Metrics;
use crate::outbox::Worth;
use crate::worker::owner;
use crate::{Answer, CallId, ConnectionInfo, EndedConnection, PeerId, Shared};

/// A server, to be reached from any thread: publish, send, count, stop. Clones reach the same server.
///
/// ```
/// use ws_mio_server::{Handler, Message, Peer, Server};
/// # #[derive(Clone)] struct Quiet;
/// # impl Handler for Quiet { fn on_message(&mut self, _: &mut Peer<'_>, _: Message<'_>) {} }
/// let server = Server::builder().route("/news", Quiet).bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// let running = std::thread::spawn(|| server.run());
/// handle.publish("news", "nothing new")?;
/// handle.shutdown();
/// running.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) mailboxes: Arc<[Mailbox]>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
}

/// A worker has too much to do: the call had no effect. Try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the worker's mailbox is full; try again later")
    }
}

impl std::error::Error for Busy {}

/// What a server has counted since it started, and the connections that it has now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that are open now, in whatever state.
    pub connections: usize,
    /// Opening handshakes accepted.
    pub accepted: u64,
    /// Requests refused.
    pub refused: u64,
    /// Messages received, counted when all that came with them in one read is served.
    pub messages: u64,
    /// Reads from sockets.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Connections closed by [`Handle::drain`].
    pub drained: u64,
    /// Connections dropped when the server stopped: they had not ended in time.
    pub abandoned: u64,
    /// Copies of messages to topics that were queued for subscribers.
    pub delivered: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
    /// Bytes that wait for peers to take them.
    pub queued_bytes: usize,
    /// How long the server has run.
    pub running: Duration,
    /// Whether it is stopping, or drains: no new connection is opened.
    pub is_stopping: bool,
}

impl Handle {
    /// Sends a message to all subscribers of a topic.
    ///
    /// # Errors
    /// [`Busy`]: nobody gets it.
    pub fn publish<'m>(&self, topic: &str, message: impl Into<Message<'m>>) -> Result<(), Busy> {
        let worker = owner(topic, self.mailboxes.len());
        let (topic, frame) = (Arc::from(topic), Arc::new(Frame::new(message.into())));
        let at = self.clock.running();
        self.post(worker, Command::Publish(Publication { topic, frame, except: None, at }))
    }

    /// Sends a message to one peer; if it is gone, to nobody.
    ///
    /// # Errors
    /// [`Busy`]
    pub fn send<'m>(&self, peer: PeerId, message: impl Into<Message<'m>>) -> Result<(), Busy> {
        let frame = Arc::new(Frame::new(message.into()));
        self.post(peer.worker.into(), Command::Send(peer.key, frame, Worth::Kept))
    }

    /// Whether all workers have room for more. Ordered commands ([`subscribe`](Self::subscribe),
    /// [`unsubscribe`](Self::unsubscribe), [`deliver`](Self::deliver), [`send_shared`](Self::send_shared),
    /// [`reply`](Self::reply)) are taken even without, so that several can be one step: whoever begins such a step for somebody who can
    /// wait asks first, for nothing else bounds what waits for workers.
    ///
    /// # Errors
    /// [`Busy`]: a worker has more than 4 MiB before it.
    pub fn has_room(&self) -> Result<(), Busy> {
        match self.mailboxes.iter().all(Mailbox::has_room) {
            true => Ok(()),
            false => Err(Busy),
        }
    }

    /// Subscribes a peer to a topic, unless it is gone; a second time changes nothing. It gets what is
    /// delivered from here on, and nothing that was delivered before.
    ///
    /// This is an *ordered command*, like [`unsubscribe`](Self::unsubscribe), [`deliver`](Self::deliver),
    /// [`send_shared`](Self::send_shared), [`reply`](Self::reply) and [`close`](Self::close): each peer sees those of one thread, or of
    /// several that take turns by a lock, in the order of the calls. Whoever sends a peer what it missed, subscribes it and delivers
    /// what is new, all under the lock that numbers the messages, leaves it neither a gap nor a duplicate.
    /// What goes by way of others keeps no such order: [`Peer::publish`](crate::Peer::publish),
    /// [`Handle::publish`] and [`Peer::send`](crate::Peer::send).
    ///
    /// [`Builder::max_topics`](crate::Builder::max_topics) does not count here.
    pub fn subscribe(&self, peer: PeerId, topic: impl Into<Arc<str>>) {
        self.insist(peer.worker.into(), Command::Subscribe(peer.key, topic.into()));
    }

    /// Ends a subscription, if there is one: an ordered command (see [`subscribe`](Self::subscribe)).
    pub fn unsubscribe(&self, peer: PeerId, topic: impl Into<Arc<str>>) {
        self.insist(peer.worker.into(), Command::Unsubscribe(peer.key, topic.into()));
    }

    /// Sends a message to all subscribers of a topic but one: an ordered command (see
    /// [`subscribe`](Self::subscribe)). It goes straight to all workers.
    pub fn deliver(&self, topic: impl Into<Arc<str>>, message: &Shared, except: Option<PeerId>) {
        let at = self.clock.running();
        let (topic, frame) = (topic.into(), Arc::clone(&message.0));
        let publication = Publication { topic, frame, except, at };
        for mailbox in &*self.mailboxes {
            mailbox.insist(Command::Deliver(publication.clone()));
        }
    }

    /// Sends a message to one peer, unless it is gone: an ordered command (see
    /// [`subscribe`](Self::subscribe)).
    pub fn send_shared(&self, peer: PeerId, message: &Shared) {
        let frame = Arc::clone(&message.0);
        self.insist(peer.worker.into(), Command::Send(peer.key, frame, Worth::Kept));
    }

    /// Sends a message to one peer that has asked for it, such as what it missed while it was away, unless it is
    /// gone: an ordered command (see [`subscribe`](Self::subscribe)).
    ///
    /// It does not count against [`Builder::max_queued`], however long it is, for a peer that returns to more than
    /// that would be closed each time that it tries. What bounds it is how much the caller has to give at once,
    /// and that nobody goes on to ask: a peer with more than 64 KiB in its queue is not read from until it has
    /// taken all of it. Whoever takes nothing is closed ([`Builder::stall_timeout`]).
    pub fn reply(&self, peer: PeerId, message: &Shared) {
        let frame = Arc::clone(&message.0);
        self.insist(peer.worker.into(), Command::Send(peer.key, frame, Worth::Asked));
    }

    /// Answers a call of a [`Service`](crate::Service) that replied [`Reply::Later`](crate::Reply::Later),
    /// unless it is over: an ordered command (see [`subscribe`](Self::subscribe)).
    pub fn answer(&self, call: CallId, answer: Answer) {
        let CallId { peer, number } = call;
        self.insist(peer.worker.into(), Command::Answer(peer.key, number, Box::new(answer)));
    }

    /// Begins the closing handshake with one peer, or ends its stream of events, unless it is gone. A reason over 123 bytes is cut,
    /// between two code points.
    pub fn close(&self, peer: PeerId, code: CloseCode, reason: &str) {
        let reason = reason.get(..reason.floor_char_boundary(123)).unwrap_or(reason).to_owned();
        // Commands to close are always taken.
        let _ = self.post(peer.worker.into(), Command::Close(peer.key, code, reason));
    }

    /// What the server has counted. Workers report their connections at the end of each turn.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let nothing = Stats { running: self.clock.running(), ..Stats::default() };
        self.metrics.workers.iter().fold(nothing, |sum, worker| Stats {
            connections: sum.connections.saturating_add(worker.connections.load(Ordering::Relaxed)),
            accepted: sum.accepted.saturating_add(worker.accepted.get()),
            refused: sum.refused.saturating_add(worker.refused.total()),
            messages: sum.messages.saturating_add(worker.messages.get()),
            reads: sum.reads.saturating_add(worker.reads.get()),
            writes: sum.writes.saturating_add(worker.writes.get()),
            drained: sum.drained.saturating_add(worker.drained.get()),
            abandoned: sum.abandoned.saturating_add(worker.abandoned.get()),
            delivered: sum.delivered.saturating_add(worker.delivered.get()),
            bytes_received: sum.bytes_received.saturating_add(worker.bytes_received.get()),
            bytes_sent: sum.bytes_sent.saturating_add(worker.bytes_sent.get()),
            queued_bytes: sum.queued_bytes.saturating_add(worker.queued.load(Ordering::Relaxed)),
            is_stopping: sum.is_stopping || worker.stopping.load(Ordering::Relaxed),
            running: sum.running,
        })
    }

    /// Asks all workers for their connections, at most so many of each, and how many there are in all; `tell` is
    /// called with these by the thread of the last worker, where it must not block. It is not called if the
    /// server stops meanwhile.
    pub fn connections(
        &self,
        most: usize,
        tell: impl FnOnce(Vec<ConnectionInfo>, usize) + Send + 'static,
    ) {
        self.count(Census::new(self.mailboxes.len(), Wanted::Most(most), Box::new(tell)));
    }

    /// The same of connections that are known, as far as they are still there.
    pub fn connections_of(
        &self,
        peers: Vec<PeerId>,
        tell: impl FnOnce(Vec<ConnectionInfo>, usize) + Send + 'static,
    ) {
        self.count(Census::new(self.mailboxes.len(), Wanted::Known(peers), Box::new(tell)));
    }

    fn count(&self, census: Census) {
        let census = Arc::new(census);
        for mailbox in &*self.mailboxes {
            mailbox.insist(Command::Census(Arc::clone(&census)));
        }
    }

    /// The connections that have ended last, at most so many, the last one first, if the server remembers them
    /// ([`Builder::remember_ended`]).
    #[must_use]
    pub fn ended(&self, most: usize) -> Vec<EndedConnection> {
        let mut ended: Vec<_> =
            self.metrics.ended.iter().flat_map(|memory| memory.newest(most)).collect();
        ended.sort_by_key(|one| std::cmp::Reverse(one.unix_time));
        ended.truncate(most);
        ended
    }

    /// How many bytes wait in the mailbox of each worker.
    #[must_use]
    pub fn mailboxes(&self) -> Vec<usize> {
        self.mailboxes.iter().map(Mailbox::bytes).collect()
    }

    /// What the server has counted, in the text format of Prometheus (version 0.0.4). Workers report at the
    /// end of each turn.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics.to_string()
    }

    /// Whether the server should get new clients, as its application sees it: if not,
    /// [readiness](Builder::readiness) is answered with 503. Nobody is turned away.
    pub fn set_ready(&self, is_ready: bool) {
        self.metrics.said.unready.store(!is_ready, Ordering::Relaxed);
    }

    /// Adds metrics of the application to those of the server: `write` appends lines in the text format of
    /// Prometheus, on the thread that asks. The first who adds some is heard.
    pub fn add_metrics(&self, write: impl Fn(&mut String) + Send + Sync + 'static) {
        // Another has been there before.
        let _ = self.metrics.said.metrics.set(Box::new(write));
    }

    /// Closes all connections with code 1012, one after the other over that time less the close deadline, or
    /// at least half of it; then [`Server::run`](crate::Server::run) returns. Each worker closes 20 a second
    /// or more, so a few need less time. Until then requests are answered, those for a WebSocket with
    /// status 503. Zero: all are closed at once.
    pub fn drain(&self, within: Duration) {
        for worker in 0..self.mailboxes.len() {
            // Commands to drain are always taken.
            let _ = self.post(worker, Command::Drain(within));
        }
    }

    /// Serves by the settings of another builder from here on: limits, deadlines, whom the server lets in and
    /// believes. What a server is bound with stays as it was: routes, workers, compression. The largest
    /// message stays so for connections that are open.
    pub fn reload(&self, builder: Builder) {
        let settings = Arc::new(builder.settings);
        for worker in 0..self.mailboxes.len() {
            // Commands to reload are always taken.
            let _ = self.post(worker, Command::Reload(Arc::clone(&settings)));
        }
    }

    /// Stops the server: no connection is accepted any more, each one is closed with code 1001, and
    /// [`Server::run`](crate::Server::run) returns when all have ended, or at the close deadline.
    pub fn shutdown(&self) {
        for worker in 0..self.mailboxes.len() {
            // Commands to shut down are always taken.
            let _ = self.post(worker, Command::Shutdown);
        }
    }

    fn insist(&self, worker: usize, command: Command) {
        // Without a mailbox, it is a peer of another server, with more workers: this one has no such peer.
        if let Some(mailbox) = self.mailboxes.get(worker) {
            mailbox.insist(command);
        }
    }

    fn post(&self, worker: usize, command: Command) -> Result<(), Busy> {
        match self.mailboxes.get(worker) {
            Some(mailbox) => mailbox.post(command).map_err(|_| Busy),
            // A peer of another server, with more workers: this one has no such peer.
            None => Ok(()),
        }
    }
}
