//! What is published here, on its way to the log.

use std::hash::Hash;
use std::sync::Arc;

use super::attach::AGAIN;
use super::{Act, Node, Now, Out, Pending, Policy};
use crate::backplane::wire::{Answer, Append, Ask, Failure, Keep, Request};
use crate::hub::{Effect, Hub, Id, Message, Publish, Refused};

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// Publishes a message in a room, which need have no members here. It is answered in any case; members get it
    /// when the log tells of it. One whose fate is not known, for the link was lost, is sent again: the log knows
    /// it by its key, or by a name that it gets here.
    pub fn publish(
        &mut self,
        hub: &Hub<M, A>,
        publish: Publish<'_, M, A>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Publish { room, user, content, key, answer, .. } = publish;
        let mut refuse = |answer, why| out.acts.push(Act::Hub(Effect::Refused { answer, why }));
        let namespace = hub.namespaces().find(room).1;
        if content.len() > namespace.max_message {
            return refuse(answer, Refused::TooLong(namespace.max_message));
        }
        let key: Option<Arc<str>> = key.map(Arc::from);
        if !self.is_up {
            return match hub.numbered(room) {
                Some(id) if self.settings.policy == Policy::Degrade && hub.has_members(room) => {
                    let (user, at) = (Arc::from(user), now.unix);
                    let message = Message { id, at, user, key, content };
                    out.acts.push(Act::AcceptedHere { answer });
                    out.acts.push(Act::Transient { room: Arc::from(room), message });
                }
                _ => refuse(answer, Refused::LogAway),
            };
        }
        if self.appends.len() >= self.settings.most_waiting {
            return refuse(answer, Refused::StoreBusy);
        }
        let tag = self.tag();
        let name = match key {
            Some(_) => None,
            // No other request of this node has the tag.
            None => Some(format!("{}/{tag}", self.settings.name).into()),
        };
        let append = Append {
            room: Arc::from(room),
            user: Arc::from(user),
            key,
            name,
            content,
            at: now.unix,
            keep: Keep {
                count: namespace.history,
                bytes: namespace.history_bytes,
                age: namespace.history_age,
            },
            epoch: self.entropy(),
        };
        out.requests.push(Request { tag, ask: Ask::Append(append.clone()) });
        self.appends
            .insert(tag, Pending { append, answer, at: now.steady, due: None, is_again: false });
    }

    pub(super) fn appended(
        &mut self,
        tag: u64,
        result: Result<Answer, Failure>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let why = match result {
            Ok(Answer::Appended { id }) => return self.accepted(tag, id, out),
            Err(Failure::KeyReused) => Refused::KeyReused,
            Err(Failure::Refused(_)) => Refused::StoreFailed,
            // It is found out by asking again.
            Ok(_) | Err(Failure::Unknown(_)) => {
                if let Some(pending) = self.appends.get_mut(&tag) {
                    pending.due = Some(now.steady.saturating_add(AGAIN));
                }
                return;
            }
        };
        if let Some(Pending { answer, .. }) = self.appends.remove(&tag) {
            out.acts.push(Act::Hub(Effect::Refused { answer, why }));
        }
    }

    fn accepted(&mut self, tag: u64, id: Id, out: &mut Out<M, A>) {
        if let Some(Pending { answer, .. }) = self.appends.remove(&tag) {
            self.stats.appended = self.stats.appended.saturating_add(1);
            out.acts.push(Act::Hub(Effect::Accepted { answer, id }));
        }
    }

    /// The link is back: everything that is not answered is sent again, in order.
    pub(super) fn send_appends(&mut self, out: &mut Out<M, A>) {
        self.send_again(|_| true, out);
    }

    fn send_again(&mut self, which: impl Fn(&Pending<A>) -> bool, out: &mut Out<M, A>) {
        let pending = self.appends.iter().filter(|(_, pending)| which(pending));
        let tags: Vec<_> = pending.map(|(tag, _)| *tag).collect();
        for tag in tags {
            // The log may have lost the epoch that it made of the entropy of before: no epoch may come twice.
            let epoch = self.entropy();
            let Some(pending) = self.appends.get_mut(&tag) else { continue };
            (pending.due, pending.append.epoch, pending.is_again) = (None, epoch, true);
            self.stats.again = self.stats.again.saturating_add(1);
            out.requests.push(Request { tag, ask: Ask::Append(pending.append.clone()) });
        }
    }

    /// Tells those who have waited long enough, and sends again what is due.
    pub(super) fn expire_appends(&mut self, now: Now, out: &mut Out<M, A>) {
        let wait = self.settings.publish_wait;
        let is_late = |pending: &Pending<A>| pending.at.saturating_add(wait) <= now.steady;
        while let Some(first) = self.appends.first_entry()
            && is_late(first.get())
        {
            let Pending { answer, .. } = first.remove();
            out.acts.push(Act::Hub(Effect::Refused { answer, why: Refused::Unsure }));
        }
        if self.is_up {
            self.send_again(|pending| pending.due.is_some_and(|due| due <= now.steady), out);
        }
    }
}
