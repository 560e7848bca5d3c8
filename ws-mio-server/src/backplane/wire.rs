//! What a node asks of the log that all nodes share, and what that says.
//!
//! A node sends [`Request`]s through an [`Engine`] and is told [`Event`]s by it. These types are all that
//! either knows of the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hub::{Id, Message};

/// Something that does what nodes ask: a client of the log. It decides nothing.
///
/// It is made with an [`OnEvent`], which its threads call. It begins as if it had told of [`Event::Down`], and
/// connects by itself.
///
/// - Each request is answered exactly once by an [`Event::Reply`] with its tag, unless the tag is 0 or
///   [`Event::Down`] comes first: then whoever asked does not know what became of it, and no answer comes any more.
/// - Requests that were not sent yet when the link was lost are dropped before [`Event::Up`] is told.
/// - Requests of one room are done in the order of the calls, but for an [`Ask::Attach`] or [`Ask::Listen`], which
///   waits until the subscription is confirmed. Their replies come in that order, too.
/// - Messages of one room that come by [`Push::Message`] are told of in the order of their offsets as long as
///   nothing is lost. Between them and replies there is no order.
/// - [`Event::Down`] ends all subscriptions. Nothing of before comes after it.
pub trait Engine: Send + Sync {
    /// Takes a request, without waiting for anything.
    ///
    /// # Errors
    /// Too many wait already; nothing is done of this one.
    fn request(&self, request: Request) -> Result<(), Full>;

    /// How many requests wait to be answered.
    fn waiting(&self) -> usize;
}

/// Is told of events, several at a time where they come together. Called by one thread at a time.
pub type OnEvent = Box<dyn FnMut(Vec<Event>) + Send>;

/// An engine has no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many requests wait for the log")
    }
}

impl std::error::Error for Full {}

/// Something that is asked of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Comes back with the reply; 0: no reply is wanted.
    pub tag: u64,
    /// What it is.
    pub ask: Ask,
}

/// What can be asked of the log. Names of rooms and users are such that
/// [`check_name`](crate::hub::check_name) takes, but for those of [`Ask::Listen`] and [`Ask::Whisper`], which may
/// have a control character in front; names of nodes are of [`check_node`](super::check_node).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Number a message, keep it, and tell all who are attached to the room by [`Push::Message`], in one step.
    /// Answered by [`Answer::Appended`] or [`Failure::KeyReused`].
    Append(Append),
    /// Subscribe to a room; when that is confirmed, read where it is, what it keeps and who is in it.
    /// Answered by [`Answer::Attached`]; pushes may come before it.
    Attach {
        /// The room.
        room: Arc<str>,
        /// The last message that is known, if any. If the room is of that epoch, the messages are those behind it,
        /// the oldest first; else the newest.
        after: Option<Id>,
        /// What [`Attached::run`] was the last time; 0 at first.
        run: u64,
        /// The most messages.
        most: usize,
        /// If the room has no epoch, or may give offsets again that were given: the entropy of its new one.
        epoch: u64,
    },
    /// Subscribe to what is whispered where there is no room: only [`Push::Whisper`] comes. Answered by
    /// [`Answer::Done`] when it is confirmed.
    Listen {
        /// The name.
        room: Arc<str>,
    },
    /// End the subscription of [`Ask::Attach`] or [`Ask::Listen`]. Some pushes may still come.
    Detach {
        /// The room.
        room: Arc<str>,
    },
    /// Read messages that a room keeps. Answered by [`Answer::Page`].
    Read {
        /// The room.
        room: Arc<str>,
        /// The lowest offset.
        from: u64,
        /// The highest offset.
        to: u64,
        /// The most messages.
        most: usize,
        /// If there are more: those with the highest offsets instead of the lowest. They are in order either way.
        newest: bool,
        /// If the room has no epoch, this is the entropy of its first one.
        epoch: u64,
    },
    /// Tell all nodes that are attached to a room, or listen to it, something that is not kept: [`Push::Whisper`].
    Whisper {
        /// The room.
        room: Arc<str>,
        /// The node that whispers.
        from: Arc<str>,
        /// What it says, up to 16 MiB.
        payload: Arc<[u8]>,
    },
    /// Note how many connections some users have to a room on a node, and tell of each by [`Push::Present`], also
    /// where nothing changes: others may know something else. A user with 0 is not noted any more.
    Present {
        /// The room.
        room: Arc<str>,
        /// The node.
        node: Arc<str>,
        /// The users, 1,000 at most.
        users: Vec<(Arc<str>, u32)>,
    },
    /// Who is in a room. Answered by [`Answer::People`].
    People {
        /// The room.
        room: Arc<str>,
    },
    /// Forget who was in a room on a node, without telling anybody.
    Sweep {
        /// The room.
        room: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// A node lives: its lease ends so much later than now, by the log's own clock. Answered by [`Answer::Nodes`].
    Renew {
        /// The node.
        node: Arc<str>,
        /// For how long.
        lease: Duration,
    },
    /// A node ends its lease: it is about to stop.
    Resign {
        /// The node.
        node: Arc<str>,
    },
    /// Note in the list of all rooms how many connections some of them have on a node, and that the node lives: what it
    /// has said counts for so long. A room with 0 is not noted any more. Answered by [`Answer::Listed`].
    List {
        /// The node.
        node: Arc<str>,
        /// For how long.
        lease: Duration,
        /// The rooms.
        rooms: Vec<(Arc<str>, u32)>,
    },
    /// Take some of the rooms of a node from the list, if it has been silent for too long.
    Unlist {
        /// The node.
        node: Arc<str>,
        /// The most rooms.
        most: usize,
    },
    /// Which rooms there are that somebody is in, on any node: those with the most connections first. Answered by
    /// [`Answer::Rooms`].
    Rooms {
        /// How many to leave out.
        skip: usize,
        /// The most rooms.
        most: usize,
    },
    /// The same of one room. Answered by [`Answer::Rooms`], without any if nobody is in it.
    Listed {
        /// The room.
        room: Arc<str>,
    },
    /// Tell all nodes something: [`Push::Shout`], also to the one that says it.
    Shout {
        /// The node that shouts.
        from: Arc<str>,
        /// What it says, up to 1 MiB.
        payload: Arc<[u8]>,
    },
}

/// A message that is to be numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The room.
    pub room: Arc<str>,
    /// Who publishes.
    pub user: Arc<str>,
    /// What the user calls the message. One that is sent again with the same content gets the same id, and is not
    /// told of again; with another content it fails by [`Failure::KeyReused`]. Keys are known as long as
    /// their messages are kept, and the newest 128 of a room for 5 minutes.
    pub key: Option<Arc<str>>,
    /// What a node calls a message without a key, so that it can ask again: known as keys are, but not part of the
    /// message. `None` if there is a key.
    pub name: Option<Arc<str>>,
    /// What it says.
    pub content: Arc<[u8]>,
    /// When it was published, in milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// What the room keeps.
    pub keep: Keep,
    /// If the room has no epoch, or may give offsets again that were given: the entropy of its new one.
    pub epoch: u64,
}

/// How much a room keeps: what is beyond any of these goes, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Messages; the log may keep some more than this, where it is cheaper to drop many at a time.
    pub count: usize,
    /// Bytes of contents, names and keys; the newest message is kept if it is larger. Roughly.
    pub bytes: usize,
    /// For how long, by [`Append::at`].
    pub age: Duration,
}

/// What comes from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The link is there. Nothing is subscribed.
    Up,
    /// The link is lost.
    Down {
        /// Why, for the log of the operator.
        why: Box<str>,
    },
    /// What became of a request.
    Reply {
        /// That of the request.
        tag: u64,
        /// What became of it.
        result: Result<Answer, Failure>,
    },
    /// What the log tells by itself.
    Push(Push),
}

/// What the log answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, and there is no more to say.
    Done,
    /// A message has this id, now or since it was sent first.
    Appended {
        /// The id.
        id: Id,
    },
    /// A room is subscribed.
    Attached(Attached),
    /// Messages of a room.
    Page(Page),
    /// Who is in a room.
    People(Vec<Entry>),
    /// All nodes that have a lease, and how long it still lasts; those whose lease has ended may be left out, or
    /// have zero.
    Nodes(Vec<(Arc<str>, Duration)>),
    /// The list of all rooms has what was told.
    Listed {
        /// Whether it also has what the node has told before; if not, all is to be told again.
        is_known: bool,
        /// Some of the nodes that have been silent for too long.
        silent: Vec<Arc<str>>,
    },
    /// Some of all rooms.
    Rooms(RoomList),
}

/// Some of the rooms that somebody is in, on all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomList {
    /// How many there are in all.
    pub total: usize,
    /// Rooms and their connections, those with the most first.
    pub rooms: Vec<(Arc<str>, u64)>,
}

/// A room as it is when it is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its messages.
    pub page: Page,
    /// Who is in it, on all nodes, also those that are gone but not swept.
    pub people: Vec<Entry>,
    /// How new that is: what [`Push::Present`] tells of a room with a version up to this is in it.
    pub version: u64,
    /// Names what may have lost messages that it had acknowledged; not 0. To be given back by [`Ask::Attach`].
    pub run: u64,
}

/// Some messages of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The id of the room's last message.
    pub position: Id,
    /// The lowest offset that is kept; one more than that of the position, if none is.
    pub first: u64,
    /// The messages, in order, without gaps.
    pub messages: Vec<Message>,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// On this node.
    pub node: Arc<str>,
    /// Who it is.
    pub user: Arc<str>,
    /// With so many connections, at least one.
    pub connections: u32,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The user has given the key to another message.
    KeyReused,
    /// The log has refused it: it is not done, and will not be.
    Refused(Box<str>),
    /// It may be done or not.
    Unknown(Box<str>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyReused => f.write_str("the key was given to another message"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unknown(why) => write!(f, "it is not known what became of it: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// What the log tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// A room has a new message.
    Message {
        /// The room.
        room: Arc<str>,
        /// The message.
        message: Message,
    },
    /// Somebody has come to a room, has gone, or has another number of connections.
    Present {
        /// The room.
        room: Arc<str>,
        /// The node.
        node: Arc<str>,
        /// Who.
        user: Arc<str>,
        /// Connections; 0: none any more.
        connections: u32,
        /// Higher than all that was told of the room before; the same for what was asked at once.
        version: u64,
    },
    /// A node has whispered.
    Whisper {
        /// The room.
        room: Arc<str>,
        /// The node.
        from: Arc<str>,
        /// What it says.
        payload: Arc<[u8]>,
    },
    /// A node has shouted.
    Shout {
        /// The node.
        from: Arc<str>,
        /// What it says.
        payload: Arc<[u8]>,
    },
    /// A subscription has ended, though the link is there: it is to be made anew.
    Lost {
        /// The room.
        room: Arc<str>,
    },
}
