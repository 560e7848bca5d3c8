//! What crosses from connection to connection, and from worker to worker.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::{mem, slice};

use super::Worker;
use super::slot::Slot;
use crate::census::{Census, Wanted};
use crate::id::Key;
use crate::mailbox::{Command, Publication};
use crate::system::{Stream as _, System};
use crate::{Answer, ConnectionInfo, Identity, PeerId};

/// Frames of messages that are delivered together are joined up to this size: subscribers then queue and send one
/// piece, which many of them share.
const JOINED: usize = 64 * 1024;

/// What the mailbox of another worker had no room for, by its lanes.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    orders: VecDeque<Command>,
    deliveries: VecDeque<Command>,
}

impl<S: System> Worker<S> {
    /// Sends out what handlers have published: each topic's messages by way of the topic's owner.
    pub(super) fn publish(&mut self) {
        if self.context.publications.is_empty() {
            return;
        }
        let publications = mem::take(&mut self.context.publications);
        self.context.counters.published.add_len(publications.len());
        for run in publications.chunk_by(Publication::goes_with) {
            let Some(first) = run.first() else { continue };
            let owner = owner(&first.topic, self.mailboxes.len());
            if owner == usize::from(self.context.worker) {
                self.spread(run);
                self.deliver(run);
            } else {
                run.iter().for_each(|p| self.post(owner, Command::Publish(p.clone())));
            }
        }
    }

    /// As their topic's owner, passes messages on to the other workers.
    fn spread(&mut self, run: &[Publication]) {
        let this = usize::from(self.context.worker);
        for worker in (0..self.mailboxes.len()).filter(|worker| *worker != this) {
            run.iter().for_each(|p| self.post(worker, Command::Deliver(p.clone())));
        }
    }

    /// Queues messages to one topic, which were published one right after the other, for its subscribers here.
    fn deliver(&mut self, run: &[Publication]) {
        let Some(first) = run.first() else { return };
        let except = first.except.filter(|peer| peer.worker == self.context.worker);
        let joined = joined(run);
        let slots = &mut self.slots;
        let context = &mut self.context;
        let topics = mem::take(&mut context.topics);
        let mut count: usize = 0;
        for key in topics.subscribers(&first.topic) {
            if except.is_none_or(|except| except.key != key)
                && let Some(slot) = slots.get_mut(key)
            {
                slot.push_all(run, joined.as_ref(), context);
                slot.mark_dirty(key, &mut self.dirty);
                count = count.saturating_add(run.len());
            }
        }
        context.topics = topics;
        if count > 0 {
            context.counters.delivered.add_len(count);
            self.delivered.extend(run.iter().map(|publication| publication.at));
        }
    }

    fn answer(&mut self, key: Key, number: u32, answer: &Answer) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let (scratch, handlers) = (&mut self.scratch, &mut self.handlers);
        // The next request may have come already.
        self.context.peer = slot.peer();
        slot.session.answer(key, number, answer, scratch, handlers, &mut self.context);
        self.settle(key);
    }

    fn tell_of_connections(&self, census: &Census) {
        let (count, this) = (self.slots.len(), self.context.worker);
        let describe = |(key, slot)| self.describe(key, slot);
        match &census.wanted {
            Wanted::Most(most) => census.add(self.slots.iter().take(*most).map(describe), count),
            Wanted::Known(peers) => {
                let keys = peers.iter().filter(|peer| peer.worker == this).map(|peer| peer.key);
                let known = keys.filter_map(|key| Some((key, self.slots.get(key)?)));
                census.add(known.map(describe), count);
            }
        }
    }

    /// A connection as those who run the server see it.
    fn describe(&self, key: Key, slot: &Slot<S::Stream>) -> ConnectionInfo {
        let now = self.context.now;
        let extra = slot.session.extra();
        let user = extra.and_then(|extra| extra.about.identity.as_deref()).map(Identity::user);
        ConnectionInfo {
            id: PeerId { worker: self.context.worker, key },
            kind: slot.session.kind(),
            user: user.map(str::to_owned),
            address: slot.stream.peer_addr().ok().filter(|_| !slot.is_local),
            forwarded_for: extra.and_then(|extra| extra.about.client),
            age: now.since(slot.session.since()),
            queued: slot.session.queued(),
            asked: slot.session.queued().saturating_sub(slot.session.unasked()),
        }
    }

    fn post(&mut self, worker: usize, command: Command) {
        let (Some(mailbox), Some(overflow)) =
            (self.mailboxes.get(worker), self.overflow.get_mut(worker))
        else {
            return;
        };
        let waiting = match command {
            Command::Publish(_) => &mut overflow.orders,
            _ => &mut overflow.deliveries,
        };
        let refused = if waiting.is_empty() { mailbox.post(command).err() } else { Some(command) };
        if let Some(command) = refused {
            waiting.push_back(command);
            self.is_congested = true;
        }
    }

    /// Tries again to pass on what mailboxes had no room for; then takes orders that waited for that.
    #[cold]
    pub(super) fn pass_on(&mut self) {
        for (mailbox, Overflow { orders, deliveries }) in
            self.mailboxes.iter().zip(&mut self.overflow)
        {
            for waiting in [orders, deliveries] {
                while let Some(command) = waiting.pop_front() {
                    if let Err(command) = mailbox.post(command) {
                        waiting.push_front(command);
                        break;
                    }
                }
            }
        }
        self.is_congested =
            self.overflow.iter().any(|o| !o.orders.is_empty() || !o.deliveries.is_empty());
        self.open_mailbox();
    }

    #[inline(never)]
    pub(super) fn open_mailbox(&mut self) {
        // Orders become deliveries. They are taken even while orders of this worker wait for another:
        // two workers that wait for each other to take orders would wait for good.
        let orders = self.overflow.iter().all(|overflow| overflow.deliveries.is_empty());
        let Some(mailbox) = self.mailboxes.get(usize::from(self.context.worker)) else { return };
        let mut run = Vec::new();
        for command in mailbox.take(orders) {
            self.obey(command, &mut run);
        }
        self.deliver(&run);
    }

    /// Does what a command says, but for messages that may go with those of the next: they are gathered in `run`.
    fn obey(&mut self, command: Command, run: &mut Vec<Publication>) {
        let goes_on = match (&command, run.last()) {
            (Command::Publish(next) | Command::Deliver(next), Some(last)) => last.goes_with(next),
            _ => false,
        };
        if !goes_on {
            self.deliver(&mem::take(run));
        }
        match command {
            Command::Publish(publication) => {
                self.spread(slice::from_ref(&publication));
                run.push(publication);
            }
            Command::Deliver(publication) => run.push(publication),
            Command::Send(key, frame, worth) => {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.push(&frame, worth, &mut self.context);
                    slot.mark_dirty(key, &mut self.dirty);
                }
            }
            Command::Subscribe(key, topic) => {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.session.subscribe(key, &topic, &mut self.context);
                }
            }
            Command::Unsubscribe(key, topic) => {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.session.unsubscribe(key, &topic, &mut self.context);
                }
            }
            Command::Close(key, code, reason) => {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.session.close(code, &reason, &mut self.context);
                    self.settle(key);
                }
            }
            Command::Answer(key, number, answer) => self.answer(key, number, &answer),
            Command::Census(census) => self.tell_of_connections(&census),
            Command::Drain(within) => self.begin_drain(within),
            Command::Reload(settings) => self.reload(settings),
            Command::Shutdown => self.begin_stop(),
        }
    }
}

/// The frames of several messages, one behind the other, unless that is much to copy.
fn joined(run: &[Publication]) -> Option<Arc<[u8]>> {
    let frames = || run.iter().map(|publication| publication.frame.plain());
    let len = frames().fold(0_usize, |len, frame| len.saturating_add(frame.len()));
    if run.len() < 2 || len > JOINED {
        return None;
    }
    let mut joined = Vec::with_capacity(len);
    frames().for_each(|frame| joined.extend_from_slice(&frame));
    Some(joined.into())
}

/// The worker that puts a topic's messages in order.
pub(crate) fn owner(topic: &str, workers: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    let number = usize::try_from(hasher.finish() >> 32).unwrap_or(0);
    number.checked_rem(workers).unwrap_or(0)
}
