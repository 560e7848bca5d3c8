//! Who may connect: a check of one's own, or tokens (`Jwt`), in the opening handshake.

mod request;

pub(crate) use request::BEARER;
pub use request::Request;

use std::fmt;
use std::sync::Arc;

use ws_proto::handshake::Field;

/// A check of who may connect, made of every request for a WebSocket that is otherwise good.
///
/// It is called by the worker that serves the connection and must not block. A closure will do:
///
/// ```
/// use ws_mio_server::{Denied, Identity, Server};
///
/// let builder = Server::builder().authenticate(|request: &ws_mio_server::Request<'_>| {
///     match request.header("X-Api-Key") {
///         Some("swordfish") => Ok(Identity::new("partner")),
///         Some(_) => Err(Denied::new("the key is not known")),
///         None => Err(Denied::missing()),
///     }
/// });
/// ```
pub trait Authenticate: Send + Sync + 'static {
    /// Tells who is connecting.
    ///
    /// # Errors
    /// Whoever it is may not connect.
    fn authenticate(&self, request: &Request<'_>) -> Result<Identity, Denied>;
}

impl<F> Authenticate for F
where
    F: Fn(&Request<'_>) -> Result<Identity, Denied> + Send + Sync + 'static,
{
    fn authenticate(&self, request: &Request<'_>) -> Result<Identity, Denied> {
        self(request)
    }
}

/// Who has connected, as [`Authenticate`] found; handlers get it by [`Peer::identity`](crate::Peer::identity).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: Box<str>,
    claims: Box<str>,
}

impl Identity {
    /// The user of this name.
    #[must_use]
    pub fn new(user: &str) -> Self {
        Self { user: user.into(), claims: Box::default() }
    }

    /// The same, with what a token says of the user, as JSON.
    #[must_use]
    pub fn with_claims(self, claims: &str) -> Self {
        Self { claims: claims.into(), ..self }
    }

    /// The user's name: a token's `sub`.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The claims of the user's token, a JSON object; empty if there was none.
    #[must_use]
    pub fn claims(&self) -> &str {
        &self.claims
    }
}

/// Why somebody may not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    missing: bool,
    reason: String,
}

impl Denied {
    /// What was shown is not accepted. The reason is logged, and not told to the peer: it must hold neither
    /// secrets nor what the peer sent.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { missing: false, reason: reason.into() }
    }

    /// Nothing was shown that could be accepted.
    #[must_use]
    pub fn missing() -> Self {
        Self { missing: true, reason: "no token came with the request".to_owned() }
    }

    /// `WWW-Authenticate` (RFC 6750 §3).
    pub(crate) const fn challenge(&self) -> &'static [Field<'static>] {
        match self.missing {
            true => const { &[Field::new("WWW-Authenticate", "Bearer")] },
            false => const { &[Field::new("WWW-Authenticate", "Bearer error=\"invalid_token\"")] },
        }
    }

    /// What the peer is told.
    pub(crate) const fn told(&self) -> &'static str {
        if self.missing { "a token is required" } else { "the token is not accepted" }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Denied {}

/// How those who may not connect are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDenied {
    /// By status 401 instead of the connection. Scripts of web pages can't see why the connection failed.
    #[default]
    Status,
    /// By code 4401 that closes the connection at once, which scripts of web pages can see.
    Close,
}

/// The checks of services that have one of their own.
#[derive(Clone, Default)]
pub(crate) struct Checks(pub(crate) Vec<Arc<dyn Authenticate>>);

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checks").field(&self.0.len()).finish()
    }
}

/// The check of a server.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) check: Arc<dyn Authenticate>,
    pub(crate) on_denied: OnDenied,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("on_denied", &self.on_denied).finish_non_exhaustive()
    }
}
