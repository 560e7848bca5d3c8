//! A message of a room, and what the engine wants done.

use std::fmt;
use std::sync::Arc;

use super::Id;

/// A message of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub id: Id,
    /// When it was published, in milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// Who published it.
    pub user: Arc<str>,
    /// What the publisher calls it, if it has said.
    pub key: Option<Arc<str>>,
    /// What it says.
    pub content: Arc<[u8]>,
}

impl Message {
    /// Bytes that it may take on the wire, if its texts are strings of JSON.
    pub(super) fn weight(&self) -> usize {
        // The names of fields, the id, the time.
        const FRAME: usize = 144;
        let texts = [&*self.content, self.user.as_bytes()];
        let key = self.key.as_ref().map(|key| key.as_bytes());
        let bytes = texts.into_iter().chain(key).flatten();
        let escaped = bytes.map(|byte| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        });
        escaped.sum::<usize>().saturating_add(FRAME)
    }
}

/// How a member that has been here before comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many of the messages that it missed it gets now.
    pub missed: usize,
    /// How many it never gets; `None`: nobody knows, for the id that it named is not one of this room.
    pub gap: Option<u64>,
}

impl Recovery {
    /// Whether it gets all that it missed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gap == Some(0)
    }
}

/// What a joiner is told first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome<M> {
    /// The room.
    pub room: Arc<str>,
    /// Who has joined.
    pub member: M,
    /// The person that it is of.
    pub user: Arc<str>,
    /// The room's last message: those with higher offsets are delivered to the member from now on.
    pub position: Id,
    /// How many persons are in the room, the joiner included; 0 where that is not told.
    pub people: usize,
    /// The answer to the id that it named, if it named one.
    pub recovery: Option<Recovery>,
    /// The messages that it gets at once, in order: what it missed, if that is known, or else the newest ones.
    pub messages: Vec<Arc<Message>>,
}

/// What the engine wants done, in this order. `A` is what the caller needs to answer a publication.
#[derive(Debug)]
pub enum Effect<M, A> {
    /// Tell a joiner where it is, and give it these messages.
    Welcome(Welcome<M>),
    /// From here on, deliver the room's messages to this member.
    Subscribe {
        /// The room.
        room: Arc<str>,
        /// The member.
        member: M,
    },
    /// A person has come: tell the others.
    Entered {
        /// The room.
        room: Arc<str>,
        /// Who it is.
        user: Arc<str>,
        /// How many persons are there now.
        people: usize,
        /// The member that joined, if it is here.
        except: Option<M>,
    },
    /// A person has gone: tell the others.
    Left {
        /// The room.
        room: Arc<str>,
        /// Who it was.
        user: Arc<str>,
        /// How many persons are there now.
        people: usize,
    },
    /// Send a message to all who are subscribed, but not to `except`.
    Deliver {
        /// The room.
        room: Arc<str>,
        /// The message.
        message: Arc<Message>,
        /// Who does not get it.
        except: Option<M>,
    },
    /// Store a message, and tell by [`Hub::stored`](super::Hub::stored) how that went, or at once by
    /// [`Hub::not_taken`](super::Hub::not_taken) that it could not even be begun.
    Store {
        /// The room.
        room: Arc<str>,
        /// The message.
        message: Arc<Message>,
    },
    /// Messages before this offset need not be stored any more. If there are none behind it, the room may be
    /// forgotten, but for [`Hub::restore_floor`](super::Hub::restore_floor).
    Trim {
        /// The room.
        room: Arc<str>,
        /// The offset of the first that is kept, or would be.
        from: u64,
    },
    /// A publication was accepted: its message is delivered next or, if it was a resend, was before.
    Accepted {
        /// What the caller gave to answer with.
        answer: A,
        /// The message's id.
        id: Id,
    },
    /// A publication was refused: nobody gets its message.
    Refused {
        /// What the caller gave to answer with.
        answer: A,
        /// Why.
        why: Refused,
    },
}

/// Why somebody may not join or publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The room has as many members as it may.
    RoomFull,
    /// There are as many rooms as there may be.
    TooManyRooms,
    /// The member is in the room already.
    AlreadyIn,
    /// The message has more bytes than this.
    TooLong(usize),
    /// Too many messages wait to be stored.
    StoreBusy,
    /// The message could not be stored.
    StoreFailed,
    /// The same user has given the key to a message with another content.
    KeyReused,
    /// What numbers the messages can't be reached.
    LogAway,
    /// Nobody knows whether the message is numbered: that could not be found out in time.
    Unsure,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoomFull => f.write_str("the room is full; try again later"),
            Self::TooManyRooms => f.write_str("there are too many rooms; join one that is there"),
            Self::AlreadyIn => f.write_str("you are in the room already"),
            Self::TooLong(most) => write!(f, "the message is too long: at most {most} bytes"),
            Self::StoreBusy => {
                f.write_str("too many messages wait to be stored; send it again later")
            }
            Self::StoreFailed => {
                f.write_str("the message could not be stored; send it again later")
            }
            Self::KeyReused => f.write_str("another message of yours has this id already"),
            Self::LogAway => {
                f.write_str("the other nodes can't be reached (backplane); try again later")
            }
            Self::Unsure => f.write_str(
                "it is not known whether the message is stored; send it again, as the same",
            ),
        }
    }
}

impl std::error::Error for Refused {}
