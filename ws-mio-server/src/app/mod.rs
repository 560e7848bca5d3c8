//! The applications of the binary, written on the library's public API and nothing else.

mod chat;
mod echo;
mod http;
mod relay;
mod rooms;
pub(crate) mod web;

pub(crate) use chat::Chat;
pub(crate) use echo::Echo;
pub(crate) use http::{Admin, Api, Keys, Poll, Sse, made, make_none};
pub(crate) use relay::Relay;
pub(crate) use rooms::Rooms;

/// Closes a connection whose request makes no sense.
const BAD_REQUEST: u16 = 4400;
/// Closes a connection of somebody who may not be in the room.
const FORBIDDEN: u16 = 4403;
