//! What the channel engine wants done, done.

use std::collections::VecDeque;
use std::sync::Arc;

use ws_mio_server::hub::{Effect, Id, Message, Welcome};
use ws_mio_server::{Handle, PeerId, Shared};

use super::{Answer, Rooms, Shard};
use crate::app::chat::wire::{self, Complaint, Joined};

/// How many of those who are in a room a joiner is told by name.
const NAMED: usize = 100;

/// What is left to do when no lock is held.
pub(super) type Call = Box<dyn FnOnce() + Send>;

impl Rooms {
    /// Does what is wanted, in order, under the lock of the shard.
    pub(super) fn perform(
        &self,
        shard: &mut Shard,
        effects: Vec<Effect<PeerId, Answer>>,
        now: u64,
    ) -> Vec<Call> {
        let (mut effects, mut calls) = (VecDeque::from(effects), Vec::new());
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Welcome(welcome) => self.welcome(shard, &welcome),
                Effect::Subscribe { room, member } => {
                    self.with(|handle| handle.subscribe(member, room));
                }
                Effect::Entered { room, user, people, except } => {
                    let said = self.settings().language.entered(&user);
                    let text = wire::system(&said, people, now, "join", Some(&user));
                    self.deliver(&room, &Shared::new(text.as_str()), except);
                }
                Effect::Left { room, user, people } => {
                    let said = self.settings().language.left(&user);
                    let text = wire::system(&said, people, now, "leave", Some(&user));
                    self.deliver(&room, &Shared::new(text.as_str()), None);
                }
                Effect::Deliver { room, message, except } => {
                    let shared = shared(&message);
                    self.with(|handle| handle.deliver(Arc::clone(&room), &shared, except));
                    calls.extend(shard.waiting.delivered(&room, &message));
                }
                Effect::Store { room, message } => {
                    let offset = message.id.offset;
                    if !self.store(Arc::clone(&room), &message) {
                        let mut more = Vec::new();
                        shard.hub.not_taken(&room, offset, &mut more);
                        effects.extend(more);
                    }
                }
                Effect::Trim { room, from } => {
                    if let Some(store) = &self.0.store {
                        store.trim(&room, from);
                    }
                }
                Effect::Accepted { answer, id } => calls.extend(self.answer(answer, Ok(id))),
                Effect::Refused { answer, why } => {
                    calls.extend(self.answer(answer, Err(why.into())));
                }
            }
        }
        calls
    }

    /// Tells a joiner where it is, and what it missed or what was said last.
    fn welcome(&self, shard: &Shard, welcome: &Welcome<PeerId>) {
        let Welcome { room, member, user, position, people, recovery, messages } = welcome;
        let names = match &shard.node {
            Some(node) => node.names(&shard.hub, room, NAMED),
            None => shard.hub.names(room, NAMED),
        };
        let users = names.as_ref().map(|names| {
            let mut users: Vec<_> = names.iter().map(|name| &**name).collect();
            // It is there itself, whoever else is told.
            if !users.contains(&&**user) {
                users.truncate(NAMED - 1);
                users.push(user);
            }
            users.sort_unstable();
            users
        });
        let (position, people) = (*position, *people);
        let joined = Joined { position, people, recovery: *recovery, user, users };
        let joined = Shared::new(wire::joined(&joined).as_str());
        let at_position = |message: Shared| message.with_event_id(&position.to_string());
        // Whoever missed more than may wait for a peer is to get it all the same: it asks once, and a room keeps no
        // more than it may.
        let reply = |message: &Shared| self.with(|handle| handle.reply(*member, message));
        if messages.is_empty() {
            return reply(&at_position(joined));
        }
        // Whoever is cut off before what follows has yet to get that.
        reply(&joined);
        if recovery.is_some_and(|recovery| recovery.gap.is_some()) {
            messages.iter().for_each(|message| reply(&shared(message)));
        } else {
            let history = wire::history(messages.iter().map(|message| &**message));
            reply(&at_position(Shared::new(history.as_str())));
        }
    }

    /// Tells somebody what became of a publication; what can't be done under a lock is left.
    pub(super) fn answer(&self, answer: Answer, result: Result<Id, Complaint>) -> Option<Call> {
        match (answer, result) {
            (Answer::Call(call), result) => return Some(Box::new(|| call(result))),
            (Answer::Read(tell), Err(why)) => return Some(Box::new(|| tell(Err(why)))),
            (Answer::History(tell), Err(why)) => return Some(Box::new(|| tell(Err(why)))),
            (Answer::People(tell), Err(why)) => return Some(Box::new(|| tell(Err(why)))),
            // These have published nothing.
            (Answer::Read(_) | Answer::History(_) | Answer::People(_), Ok(_)) => {}
            (Answer::Member { peer, client_id: Some(client_id) }, Ok(id)) => {
                self.send(peer, &Shared::new(wire::ack(Some(&client_id), id).as_str()));
            }
            (Answer::Member { client_id: None, .. }, Ok(_)) => {}
            (Answer::Member { peer, client_id }, Err(complaint)) => {
                let error = wire::error(&complaint.of(client_id.as_deref()));
                self.send(peer, &Shared::new(error.as_str()));
            }
        }
        None
    }

    /// Sends a message to all members of a room but one.
    pub(super) fn deliver(&self, room: &str, message: &Shared, except: Option<PeerId>) {
        self.with(|handle| handle.deliver(room, message, except));
    }

    pub(super) fn send(&self, peer: PeerId, message: &Shared) {
        self.with(|handle| handle.send_shared(peer, message));
    }

    pub(super) fn with(&self, act: impl FnOnce(&Handle)) {
        if let Some(handle) = self.0.handle.get() {
            act(handle);
        }
    }
}

/// A message of a room, to be sent to many.
fn shared(message: &Message) -> Shared {
    Shared::new(wire::message(message).as_str()).with_event_id(&message.id.to_string())
}
