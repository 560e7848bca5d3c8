//! Which rooms there are on all nodes: what this one tells the others, and what it asks.

use std::sync::{Arc, PoisonError};

use ws_mio_server::backplane::node::History;
use ws_mio_server::backplane::wire::RoomList;
use ws_mio_server::backplane::{Directory, Found};
use ws_mio_server::hub::{Id, Page, People};

use super::{Rooms, Told};
use crate::app::chat::wire::Complaint;

/// A room that somebody is in, on some node; `None` where this node does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: Arc<str>,
    /// On all nodes, as they have told.
    pub(crate) connections: u64,
    /// On this node.
    pub(crate) here: usize,
    pub(crate) people: Option<usize>,
    pub(crate) position: Option<Id>,
    /// How many messages it keeps: in a list, those that this node has at hand.
    pub(crate) kept: Option<usize>,
    /// What those take that this node has at hand.
    pub(crate) bytes: Option<usize>,
}

/// Questions are answered with a list; with none where it can't be asked for.
type Asked = Told<Option<RoomList>>;

impl Rooms {
    /// Something happens to what is told of rooms; whoever waits for an answer is told when no lock is held.
    pub(super) fn ask_directory(
        &self,
        act: impl FnOnce(&mut Directory<Asked>, u64, &mut Found<Asked>),
    ) {
        let Some(cluster) = &self.0.cluster else { return };
        let lock = || cluster.directory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found::default();
        act(&mut lock(), cluster.now().steady, &mut found);
        for request in std::mem::take(&mut found.requests) {
            if !cluster.ask(request.clone()) {
                lock().not_taken(&request, &mut found);
            }
        }
        for (tell, rooms) in found.answers {
            tell(Ok(rooms));
        }
    }

    /// Somebody has come to a room, or has left it.
    pub(super) fn has_changed(&self, room: &Arc<str>) {
        self.ask_directory(|directory, _, _| directory.changed(room));
    }

    /// Tells the other nodes how many connections rooms have that have others than before.
    pub(super) fn tick_directory(&self) {
        let mut changed = Vec::new();
        self.ask_directory(|directory, _, _| changed = directory.take_changed());
        // No lock of a shard is waited for under that of the directory.
        let count = |room: &str| self.shard(room).hub.room(room).map_or(0, |room| room.connections);
        let counts: Vec<_> = changed.iter().map(|room| count(room)).collect();
        self.ask_directory(|directory, now, found| {
            for (room, connections) in changed.into_iter().zip(counts) {
                directory.set(room, u32::try_from(connections).unwrap_or(u32::MAX));
            }
            directory.tick(now, found);
        });
    }

    /// Asks which rooms somebody is in, on any node: those with the most connections first, without some of them, at
    /// most so many; and how many there are.
    pub(crate) fn rooms_of_all(&self, skip: usize, most: usize, tell: Told<(Vec<Listed>, usize)>) {
        let rooms = self.clone();
        let told: Asked = Box::new(move |found| match found {
            Ok(Some(RoomList { total, rooms: found })) => {
                let listed = found.into_iter().map(|(name, n)| rooms.listed(name, n));
                tell(Ok((listed.collect(), total)));
            }
            _ => tell(Err(away())),
        });
        self.ask_directory(|directory, _, found| directory.rooms((skip, most), told, found));
    }

    /// Asks for one of those; for nothing, if nobody is in it.
    pub(crate) fn room_of_all(&self, room: &str, tell: Told<Option<Listed>>) {
        let (rooms, name) = (self.clone(), Arc::<str>::from(room));
        let told: Asked = Box::new(move |found| {
            let Ok(Some(RoomList { rooms: mut found, .. })) = found else {
                return tell(Err(away()));
            };
            let Some((name, connections)) = found.pop() else { return tell(Ok(None)) };
            rooms.ask_for_rest(rooms.listed(name, connections), tell);
        });
        self.ask_directory(|directory, _, found| directory.room(&name, told, found));
    }

    /// A room, with what this node knows of it.
    fn listed(&self, name: Arc<str>, connections: u64) -> Listed {
        let shard = self.shard(&name);
        let here = shard.hub.room(&name);
        let people = shard.node.as_ref().and_then(|node| node.seen_people(&shard.hub, &name));
        let attached = here.clone().filter(|_| people.is_some());
        drop(shard);
        Listed {
            name,
            connections,
            here: here.map_or(0, |room| room.connections),
            people: people.map(|people| people.people),
            position: attached.as_ref().map(|room| room.position),
            kept: attached.as_ref().map(|room| room.kept),
            bytes: attached.as_ref().map(|room| room.bytes),
        }
    }

    /// Asks for what this node does not know of a room.
    fn ask_for_rest(&self, listed: Listed, tell: Told<Option<Listed>>) {
        let (rooms, name) = (self.clone(), Arc::clone(&listed.name));
        let with_people = move |people: Result<People, Complaint>| {
            let people = match people {
                Ok(people) => Some(people.people),
                Err(why) => return tell(Err(why)),
            };
            let name = Arc::clone(&listed.name);
            let with_history = move |history: Result<History, Complaint>| match history {
                Ok(History { position, kept, .. }) => {
                    let kept = usize::try_from(kept).ok();
                    tell(Ok(Some(Listed { people, position: Some(position), kept, ..listed })));
                }
                Err(why) => tell(Err(why)),
            };
            rooms.history_of_all(&name, Page::Newest, 1, Box::new(with_history));
        };
        self.people_of_all(&name, Box::new(with_people));
    }
}

fn away() -> Complaint {
    Complaint::busy("the backplane is away: what other nodes have is not known")
}
