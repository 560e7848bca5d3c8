//! The rooms of the server: the channel engine at work.
//!
//! Rooms are spread over shards, each behind a lock. Whatever happens to a room happens under the lock of its
//! shard, and what is to be sent is put into the workers' mailboxes before it is released: each of them keeps
//! the order, so a member gets every message of its room once and in order, without a thread that owns it.

mod ask;
mod cluster;
mod directory;
mod keep;
mod others;
mod perform;
mod stored;
mod waiting;
mod watch;

use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ws_mio_server::backplane::Node;
use ws_mio_server::backplane::node::History;
use ws_mio_server::hub::{
    Effect, Epoch, Hub, Id, Join, Limits, People, Publish, Since, check_name,
};
use ws_mio_server::settings::rooms::RoomSettings;
use ws_mio_server::store::Store;
use ws_mio_server::{Handle, Identity, PeerId, Shared};

use crate::app::chat::wire::{self, Complaint};
use crate::chance::RandomState;
use crate::clock;
pub(crate) use ask::Read;
use cluster::Cluster;
pub(crate) use directory::Listed;
pub(crate) use others::{BINARY, TEXT};
use waiting::Waiting;

/// How many locks rooms are spread over.
const SHARDS: usize = 64;

/// In how many turns all of them are looked at for what is too old.
const TURNS: usize = 16;

/// All rooms; clones are the same.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

struct Inner {
    shards: Box<[Mutex<Shard>; SHARDS]>,
    hasher: RandomState,
    settings: RoomSettings,
    /// The server, once it is bound.
    handle: OnceLock<Handle>,
    /// Where messages are kept, if they are.
    store: Option<Store>,
    /// What there is of other nodes, if there are any.
    cluster: Option<Cluster>,
}

/// A part of the rooms.
struct Shard {
    hub: Hub<PeerId, Answer>,
    /// Those who wait for the next message of a room.
    waiting: Waiting,
    /// What is known of these rooms on other nodes, if there are any.
    node: Option<Node<PeerId, Answer>>,
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms").finish_non_exhaustive()
    }
}

/// Whom to tell what became of a publication.
pub(crate) enum Answer {
    /// A member, if it wants to know, or if it was refused.
    Member { peer: PeerId, client_id: Option<Box<str>> },
    /// Somebody who is not in a room. It is called when no lock is held, by the thread that knows.
    Call(Box<dyn FnOnce(Result<Id, Complaint>) + Send>),
    /// The same, of what a room has; only where there are several nodes.
    Read(Told<Read>),
    /// Of a page of what it keeps.
    History(Told<History>),
    /// Of who is in it.
    People(Told<People>),
}

/// Is told something when it is known. It is called when no lock is held.
pub(crate) type Told<T> = Box<dyn FnOnce(Result<T, Complaint>) + Send>;

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Member { .. } => "Member",
            Self::Call(_) => "Call",
            Self::Read(_) => "Read",
            Self::History(_) => "History",
            Self::People(_) => "People",
        })
    }
}

/// A room as somebody may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) join: bool,
    pub(crate) publish: bool,
    /// The largest content, in bytes.
    pub(crate) max_content: usize,
}

impl Rooms {
    /// Rooms that are kept in memory only. Their epoch must be another one for each process.
    pub(crate) fn new(settings: RoomSettings, epoch: Epoch) -> Self {
        Self::with_store(settings, epoch, None, None, None)
    }

    fn with_store(
        settings: RoomSettings,
        epoch: Epoch,
        store: Option<Store>,
        stored: Option<Epoch>,
        cluster: Option<Cluster>,
    ) -> Self {
        let whole = Limits { memory: Arc::clone(&settings.memory), ..Limits::default() };
        // What waits for the store is limited there, too.
        let limits = Limits { rooms: whole.rooms.div_ceil(SHARDS), ..whole };
        let shards = Box::new(std::array::from_fn(|number| {
            let namespaces = Arc::clone(&settings.namespaces);
            let hub = Hub::new(namespaces, limits.clone(), epoch, stored);
            let node = cluster.as_ref().map(|cluster| cluster.node(number));
            Mutex::new(Shard { hub, waiting: Waiting::default(), node })
        }));
        let (hasher, handle) = (RandomState::new(), OnceLock::new());
        Self(Arc::new(Inner { shards, hasher, settings, handle, store, cluster }))
    }

    /// The server that they are of, before it runs.
    pub(crate) fn attach(&self, handle: Handle) {
        // They are attached once.
        let _ = self.0.handle.set(handle);
        self.watch();
    }

    /// How they are set.
    pub(crate) fn settings(&self) -> &RoomSettings {
        &self.0.settings
    }

    /// What somebody may do in a room.
    pub(crate) fn allowed(&self, room: &str, identity: Option<&Identity>) -> Allowed {
        let (number, namespace) = self.0.settings.namespaces.find(room);
        let access = self.0.settings.access(number);
        Allowed {
            join: access.may_join(room, identity),
            publish: access.may_publish(room, identity),
            max_content: namespace.max_message,
        }
    }

    /// The person that a request is of: whom its token names, or else the name that it gives, or the default.
    ///
    /// # Errors
    /// The name is too long, or has control characters.
    pub(crate) fn person(
        &self,
        identity: Option<&Identity>,
        username: Option<&str>,
    ) -> Result<Arc<str>, Complaint> {
        let name = match identity {
            Some(identity) => identity.user(),
            None => match username.map(str::trim).filter(|name| !name.is_empty()) {
                Some(name) => name,
                None => &self.0.settings.default_name,
            },
        };
        match check_name(name) {
            Ok(()) => Ok(Arc::from(name)),
            Err(error) => {
                Err(Complaint::new("malformed", format!("the user's name is not good: {error}")))
            }
        }
    }

    /// A connection joins a room: it is sent where it is and what it missed, and from here on all messages.
    ///
    /// # Errors
    /// It can't now.
    pub(crate) fn join(
        &self,
        room: &str,
        peer: PeerId,
        user: &str,
        since: Since,
    ) -> Result<(), Complaint> {
        self.has_room()?;
        let join = Join { room, member: peer, user, since };
        if self.is_clustered() {
            let join = self.turn_node(room, |node, hub, now, out| node.join(hub, join, now, out));
            return Ok(join.unwrap_or(Ok(()))?);
        }
        Ok(self.turn(room, |hub, now, effects| hub.join(join, now, effects))?)
    }

    /// A connection has left a room, or is gone. `quietly`: nobody is told.
    pub(crate) fn leave(&self, room: &str, peer: PeerId, quietly: bool) {
        if self.is_clustered() {
            return self.leave_node(room, peer, quietly);
        }
        self.turn(room, |hub, _, effects| {
            hub.leave(room, peer, effects);
            effects.retain(|effect| !quietly || !matches!(effect, Effect::Left { .. }));
        });
    }

    /// Publishes a text in a room; `answer` is told what became of it, in any case.
    pub(crate) fn publish(
        &self,
        room: &str,
        user: &str,
        content: &str,
        client_id: Option<&str>,
        answer: Answer,
    ) {
        if let Err(busy) = self.has_room() {
            if let Some(call) = self.answer(answer, Err(busy)) {
                call();
            }
            return;
        }
        let content = content.as_bytes().into();
        let publish = Publish { room, user, content, key: client_id, except: None, answer };
        if self.is_clustered() {
            return self.publish_node(publish);
        }
        self.turn(room, |hub, now, effects| hub.publish(publish, now, effects));
    }

    /// Tells the others in a room that somebody begins to write, or stops.
    ///
    /// # Errors
    /// The server is busy.
    pub(crate) fn typing(
        &self,
        room: &str,
        peer: Option<PeerId>,
        user: &str,
        is_typing: bool,
    ) -> Result<(), Complaint> {
        self.has_room()?;
        let text = wire::typing(user, is_typing);
        self.deliver(room, &Shared::new(text.as_str()), peer);
        self.whisper(room, TEXT, text.as_bytes());
        Ok(())
    }

    /// Lets go those who have waited long enough, and drops what is too old in some of the rooms: `turn` after
    /// `turn`, in all.
    pub(crate) fn tick(&self, turn: usize) {
        let Inner { shards, .. } = &*self.0;
        for shard in shards.iter() {
            let calls = lock(shard).waiting.expire(clock::unix_millis());
            calls.into_iter().for_each(|call| call());
        }
        self.tick_nodes();
        let some = shards.iter().skip(turn % TURNS).step_by(TURNS);
        for shard in some {
            self.turn_at(lock(shard), |hub, now, effects| hub.expire(now, effects));
        }
    }

    /// Whether the workers have room for more.
    fn has_room(&self) -> Result<(), Complaint> {
        match self.0.handle.get().map(Handle::has_room) {
            Some(Err(_)) => Err(Complaint::busy("the server is busy; send it again later")),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// A turn at a room: each member sees what is done in it in this order.
    fn turn<T>(
        &self,
        room: &str,
        act: impl FnOnce(&mut Hub<PeerId, Answer>, u64, &mut Vec<Effect<PeerId, Answer>>) -> T,
    ) -> T {
        self.turn_at(self.shard(room), act)
    }

    fn turn_at<T>(
        &self,
        mut shard: MutexGuard<'_, Shard>,
        act: impl FnOnce(&mut Hub<PeerId, Answer>, u64, &mut Vec<Effect<PeerId, Answer>>) -> T,
    ) -> T {
        let (now, mut effects) = (clock::unix_millis(), Vec::new());
        let result = act(&mut shard.hub, now, &mut effects);
        let calls = self.perform(&mut shard, effects, now);
        drop(shard);
        for call in calls {
            call();
        }
        result
    }

    fn shard(&self, room: &str) -> MutexGuard<'_, Shard> {
        let shards = &*self.0.shards;
        let [first, ..] = shards;
        lock(shards.get(self.place(room)).unwrap_or(first))
    }

    /// The number of the shard that has a room of this name.
    fn place(&self, room: &str) -> usize {
        let hash = self.0.hasher.hash_one(room) & 0xffff;
        usize::try_from(hash).unwrap_or(0) % SHARDS
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
