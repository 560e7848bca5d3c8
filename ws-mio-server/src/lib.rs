//! A WebSocket server on a hand-written `mio` event loop over [`ws_proto`].
//!
//! Write a [`Handler`], give it a route, run:
//!
//! ```no_run
//! use ws_mio_server::{Handler, Message, Peer, Server};
//!
//! #[derive(Clone)]
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
//!         peer.send(message);
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     Server::builder().route("/echo", Echo).bind("127.0.0.1:9001")?.run()?;
//!     Ok(())
//! }
//! ```
//!
//! Connections are spread over workers, one event loop and one thread each. Messages reach peers of
//! other connections by topics: [`Peer::subscribe`], [`Peer::publish`]; other threads reach them by a
//! [`Handle`]. Nothing is global: several servers can run in one process.
//!
//! What is refused, and how each open connection ended, is told by `tracing` events: ends that went well at
//! the level `debug`, all else at `info`.
//!
//! An idle connection owns no buffer. What is sent to a peer that does not read is bounded in bytes and in
//! age ([`Builder::max_queued`], [`Builder::stall_timeout`], [`Builder::slow_peers`] for a route alone), and a
//! peer that does not take its replies is not read from. Pings and pongs pass what waits.

mod admission;
mod arriving;
mod auth;
pub mod backplane;
mod bucket;
mod builder;
mod census;
#[cfg(not(feature = "_fuzzing"))]
mod clock;
#[cfg(feature = "_fuzzing")]
#[path = "simulation/clock.rs"]
mod clock;
mod context;
mod cork;
mod deflate;
mod extra;
mod frame;
#[cfg(feature = "_fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod handler;
mod http;
pub mod hub;
mod id;
#[cfg(feature = "jwt")]
mod jwt;
mod listener;
mod mailbox;
mod metrics;
mod origin;
mod outbox;
mod peer;
mod proxy;
mod query;
mod rates;
mod record;
#[cfg(not(feature = "_settings"))]
mod recording;
#[cfg(feature = "_settings")]
#[doc(hidden)]
pub mod recording;
mod route;
mod server;
mod session;
#[cfg(feature = "_settings")]
pub mod settings;
mod shared;
#[cfg(feature = "_fuzzing")]
#[doc(hidden)]
pub mod simulation;
mod slow;
mod start_error;
#[cfg(feature = "store")]
pub mod store;
#[cfg(any(feature = "store", feature = "_settings"))]
mod survive;
mod system;
mod timer;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/none.rs"]
mod tls;
mod topics;
mod worker;

pub use auth::{Authenticate, Denied, Identity, OnDenied, Request};
pub use builder::Builder;
pub use census::{ConnectionInfo, ConnectionKind, EndedConnection};
pub use deflate::Deflate;
pub use handle::{Busy, Handle, Stats};
pub use handler::Handler;
pub use http::{Answer, Call, CallId, Reply, Service};
pub use id::{PeerId, PeerIdError};
#[cfg(feature = "jwt")]
pub use jwt::{JwksError, Jwt, JwtSigner};
pub use listener::Adopted;
pub use origin::{OriginPattern, OriginPatternError};
pub use peer::{EndedBy, Ending, Peer};
pub use proxy::{Network, NetworkError, ProxyHeader};
pub use query::QueryError;
pub use rates::OnRate;
pub use route::Page;
pub use server::Server;
pub use shared::Shared;
pub use slow::{OnSlow, SlowPeers};
pub use start_error::StartError;
#[cfg(all(feature = "_settings", not(feature = "store")))]
pub use survive::Survive;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use ws_proto::deflate::WindowBits;
pub use ws_proto::{CloseCode, Message};

/// Compiles the examples of the README as its readers would.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
