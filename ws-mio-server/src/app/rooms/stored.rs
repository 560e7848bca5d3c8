//! Rooms whose messages are kept on disk.

use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use ws_mio_server::hub::{Epoch, Id, Message};
use ws_mio_server::settings::rooms::RoomSettings;
use ws_mio_server::store::{Options, Outcome, Record, RecoveredRoom, Store, StoreError};

use super::{Inner, Rooms, SHARDS, lock};

impl Rooms {
    /// Rooms that go on where those of a directory ended. `epoch` is that of rooms that are kept in memory only:
    /// it must be another one for each process.
    ///
    /// # Errors
    /// The directory can't be used.
    pub(crate) fn open(
        settings: RoomSettings,
        epoch: Epoch,
        directory: &Path,
        options: &Options,
    ) -> Result<Self, StoreError> {
        let rooms: Arc<OnceLock<Weak<Inner>>> = Arc::default();
        let told = Arc::clone(&rooms);
        let on_stored = move |outcomes: Vec<Outcome>| {
            // Nothing is stored before there are rooms; behind them, nobody is left to be told.
            if let Some(inner) = told.get().and_then(Weak::upgrade) {
                Self(inner).stored(outcomes);
            }
        };
        let (store, recovered) = Store::open_with(directory, options, Box::new(on_stored))?;
        let stored = Epoch::from_entropy(recovered.epoch);
        let these = Self::with_store(settings, epoch, Some(store), Some(stored), None);
        let _ = rooms.set(Arc::downgrade(&these.0));
        for shard in these.0.shards.iter() {
            lock(shard).hub.restore_floor(recovered.floor.saturating_sub(1));
        }
        for room in recovered.rooms {
            these.restore(room, stored);
        }
        Ok(these)
    }

    fn restore(&self, room: RecoveredRoom, epoch: Epoch) {
        let RecoveredRoom { name, next, records } = room;
        let messages = records.into_iter().map(|record| {
            let Record { offset, at, user, client_id, payload, .. } = record;
            let id = Id { epoch, offset };
            Message { id, at, user, key: client_id, content: payload }
        });
        let last = next.saturating_sub(1);
        self.turn(&name, |hub, now, effects| hub.restore(&name, last, messages, now, effects));
    }

    /// Gives a message to the store; `false`: it does not take it.
    pub(super) fn store(&self, room: Arc<str>, message: &Message) -> bool {
        let Message { id, at, user, key, content } = message;
        let (user, client_id) = (Arc::clone(user), key.clone());
        let (at, payload) = (*at, Arc::clone(content));
        let record = Record { room, offset: id.offset, at, user, client_id, payload };
        self.0.store.as_ref().is_some_and(|store| store.append(record).is_ok())
    }

    /// The store has done with some messages: those of each room are told of in order.
    fn stored(&self, outcomes: Vec<Outcome>) {
        let failures = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
        let count = failures.clone().count();
        if let Some(error) = { failures }.next() {
            tracing::error!(%error, count, "messages could not be stored: their senders are told");
        }
        let mut of_shards: [Vec<Outcome>; SHARDS] = std::array::from_fn(|_| Vec::new());
        for outcome in outcomes {
            if let Some(of_shard) = of_shards.get_mut(self.place(&outcome.room)) {
                of_shard.push(outcome);
            }
        }
        for (shard, outcomes) in self.0.shards.iter().zip(of_shards) {
            if outcomes.is_empty() {
                continue;
            }
            self.turn_at(lock(shard), |hub, now, effects| {
                for Outcome { room, offset, result } in outcomes {
                    hub.stored(&room, offset, result.is_ok(), now, effects);
                }
            });
        }
    }
}
