//! Messages to users that were sent a moment ago: one that is sent again, for nobody knows whether it came, is not
//! sent twice.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use super::api::Publication;
use crate::app::chat::wire::Complaint;
use crate::app::rooms::Rooms;
use crate::clock;

/// How many bytes a message to a user may have.
pub(super) const MAX_DIRECT: usize = 64 * 1024;
/// For how long a message is known, in milliseconds.
const KNOWN: u64 = 5 * 60 * 1000;
/// The most messages that are known.
const MOST: usize = 100_000;

/// The messages of the last minutes; clones know the same.
#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    messages: HashMap<Name, Sent>,
    /// When each was sent, the oldest first.
    order: VecDeque<(u64, Name)>,
    hasher: RandomState,
}

/// To whom a message was sent, by whom, and what it is called.
type Name = Arc<(String, String, String)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    content: u64,
    delivered: usize,
}

impl Recent {
    /// Sends a message to a user, unless it was; to how many connections.
    pub(super) fn direct(
        &self,
        rooms: &Rooms,
        user: &str,
        publication: &Publication,
    ) -> Result<usize, Complaint> {
        let Publication { username, content, client_id } = publication;
        if content.len() > MAX_DIRECT {
            let what = format!("the message is too long: at most {MAX_DIRECT} bytes");
            return Err(Complaint::new("too-long", what).of(client_id.as_deref()));
        }
        let send = || rooms.direct(user, username, content);
        let sent = match client_id {
            None => send(),
            Some(id) => {
                let name = (user.to_owned(), username.clone(), id.clone());
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                known.once(Arc::new(name), content, clock::unix_millis(), send)
            }
        };
        sent.map_err(|complaint| complaint.of(client_id.as_deref()))
    }
}

impl Known {
    fn once(
        &mut self,
        name: Name,
        content: &str,
        now: u64,
        send: impl FnOnce() -> Result<usize, Complaint>,
    ) -> Result<usize, Complaint> {
        while self.order.len() >= MOST
            || self.order.front().is_some_and(|(at, _)| at.saturating_add(KNOWN) <= now)
        {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.messages.remove(&oldest);
        }
        let content = self.hasher.hash_one(content);
        match self.messages.get(&name) {
            Some(sent) if sent.content == content => return Ok(sent.delivered),
            Some(_) => {
                let what = "another message to this user has this id already";
                return Err(Complaint::new("clientid-reused", what));
            }
            None => {}
        }
        let delivered = send()?;
        self.messages.insert(Arc::clone(&name), Sent { content, delivered });
        self.order.push_back((now, name));
        Ok(delivered)
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Known, MOST};
    use crate::app::chat::wire::Complaint;
    use std::sync::Arc;

    #[test]
    fn what_is_sent_again_is_sent_once_for_a_while() {
        let mut known = Known::default();
        let mut sent = 0;
        let mut send = |id: &str, content: &str, now| {
            let name = ("to".to_owned(), "from".to_owned(), id.to_owned());
            known.once(Arc::new(name), content, now, || {
                sent += 1;
                Ok(sent)
            })
        };
        assert_eq!(send("a", "x", 0), Ok(1));
        assert_eq!(send("a", "x", KNOWN - 1), Ok(1));
        assert_eq!(send("a", "y", KNOWN - 1).unwrap_err().code, "clientid-reused");
        assert_eq!(send("b", "x", KNOWN - 1), Ok(2));
        assert_eq!(send("a", "y", KNOWN), Ok(3), "it is forgotten");
        for i in 0..MOST {
            send(&format!("{i} of many"), "x", KNOWN).unwrap();
        }
        assert_eq!(known.messages.len(), MOST);
        assert_eq!(known.order.len(), MOST);
    }

    #[test]
    fn what_was_not_sent_may_be() {
        let mut known = Known::default();
        let name = Arc::new(Default::default());
        let busy = known.once(Arc::clone(&name), "x", 0, || Err(Complaint::busy("busy")));
        assert_eq!(busy.unwrap_err().code, "busy");
        assert_eq!(known.once(name, "x", 0, || Ok(7)), Ok(7));
    }
}
