//! The applications of the binary, written on the library's public API and nothing else.

mod chat;
mod echo;
mod relay;
mod rooms;

pub(crate) use chat::Chat;
pub(crate) use echo::Echo;
pub(crate) use relay::Relay;
pub(crate) use rooms::Rooms;

use ws_mio_server::Page;

/// Closes a connection whose request makes no sense.
const BAD_REQUEST: u16 = 4400;
/// Closes a connection of somebody who may not be in the room.
const FORBIDDEN: u16 = 4403;

/// A page that talks to `/echo`.
pub(crate) const INDEX: Page = Page {
    content_type: "text/html; charset=utf-8",
    fields: &[],
    body: include_bytes!("index.html"),
};
