//! Who of one worker's peers listens to what. It knows no sockets.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexSet;

use crate::id::Key;

/// The topics of one worker and their subscribers.
#[derive(Debug, Default)]
pub(crate) struct Topics(HashMap<Arc<str>, IndexSet<Key>>);

impl Topics {
    /// Subscribes a peer. `Some`: the topic's name, which the peer keeps to leave with; `None`: it was
    /// subscribed already.
    pub(crate) fn subscribe(&mut self, topic: &str, peer: Key) -> Option<Arc<str>> {
        let name = match self.0.get_key_value(topic) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(topic),
        };
        self.0.entry(Arc::clone(&name)).or_default().insert(peer).then_some(name)
    }

    pub(crate) fn unsubscribe(&mut self, topic: &str, peer: Key) {
        if let Some(peers) = self.0.get_mut(topic) {
            peers.swap_remove(&peer);
            if peers.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    /// The subscribers, in no particular order.
    pub(crate) fn subscribers(&self, topic: &str) -> impl Iterator<Item = Key> {
        self.0.get(topic).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Topics;
    use crate::id::Key;
    use slotmap::SlotMap;

    #[test]
    fn peers_come_and_go_and_nothing_is_left() {
        let mut slots = SlotMap::<Key, ()>::with_key();
        let [a, b] = [slots.insert(()), slots.insert(())];
        let mut topics = Topics::default();
        assert_eq!(topics.subscribe("t", a).as_deref(), Some("t"));
        assert_eq!(topics.subscribe("t", a), None, "a second time changes nothing");
        topics.subscribe("t", b);
        assert_eq!(topics.subscribers("t").collect::<Vec<_>>(), [a, b]);
        assert_eq!(topics.subscribers("other").count(), 0);
        topics.unsubscribe("t", a);
        topics.unsubscribe("other", b);
        assert_eq!(topics.subscribers("t").collect::<Vec<_>>(), [b]);
        topics.unsubscribe("t", b);
        assert!(topics.0.is_empty());
    }
}
