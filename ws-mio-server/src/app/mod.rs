//! The applications of the binary, written on the library's public API and nothing else.

mod echo;
mod relay;

pub(crate) use echo::Echo;
pub(crate) use relay::Relay;

use ws_mio_server::Page;

/// A page that talks to `/echo`.
pub(crate) const INDEX: Page = Page {
    content_type: "text/html; charset=utf-8",
    fields: &[],
    body: include_bytes!("index.html"),
};
