//! What answers plain requests.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::Answer;
use crate::id::{Key, PeerId};
use crate::query::{self, QueryError};
use crate::route::Params;
use crate::{Identity, Request};

/// An application that answers plain HTTP requests at a path
/// ([`Builder::service`](crate::Builder::service)): at once, later, or by a stream of events.
///
/// Each worker has a clone of it and calls it from its own thread only, one call after the other. A call must not block:
/// the worker's other connections wait. What takes long is answered later, from any thread. A panic stops the
/// server.
///
/// ```
/// use ws_mio_server::{Answer, Call, Reply, Server, Service};
///
/// /// Tells how long what it was sent is.
/// #[derive(Clone)]
/// struct Length;
///
/// impl Service for Length {
///     fn methods(&self) -> &[&str] {
///         &["POST"]
///     }
///
///     fn on_call(&mut self, call: &Call<'_>) -> Reply {
///         Reply::Now(Answer::text(200, format!("{}\n", call.body().len())))
///     }
/// }
///
/// let server = Server::builder().service("/length", Length).bind("127.0.0.1:0")?;
/// # Ok::<(), ws_mio_server::StartError>(())
/// ```
pub trait Service: Send + 'static {
    /// The methods that are answered; others get status 405. HEAD is answered like GET where it is listed, without the
    /// body. OPTIONS need not be listed. Default: GET.
    fn methods(&self) -> &[&str] {
        &["GET"]
    }

    /// How many bytes the body of a request may have; with more, it gets status 413. Default: what the server
    /// is set to ([`Builder::max_body`](crate::Builder::max_body)).
    fn max_body(&self) -> Option<usize> {
        None
    }

    /// A request has come in whole.
    fn on_call(&mut self, call: &Call<'_>) -> Reply;

    /// What was replied to with [`Reply::Later`] or [`Reply::Events`] is over: it is answered, its time was over,
    /// or the client or the server has closed the connection. Called once for each, on its worker.
    fn on_end(&mut self, call: CallId) {
        let _ = call;
    }
}

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// At once.
    Now(Answer),
    /// By [`Handle::answer`](crate::Handle::answer), within that time, or else as is said here.
    Later {
        /// How long the client waits at most.
        within: Duration,
        /// What it gets if nobody has answered by then.
        otherwise: Answer,
    },
    /// With a stream of events, as long as both ends want it. The call's [`CallId::peer`] is one to whom
    /// messages are sent and who is subscribed to topics, like a WebSocket, by a
    /// [`Handle`](crate::Handle): each text message is an event, with the id that
    /// [`Shared::with_event_id`](crate::Shared::with_event_id) gave it; binary ones are left out. A comment comes now
    /// and then ([`Builder::event_heartbeat`](crate::Builder::event_heartbeat)). When the server ends it, a
    /// last event of type `close` holds the code and the reason of a Close frame:
    /// `{"code":1012,"reason":"…"}`.
    Events {
        /// After what time the client is to connect again when the stream has ended; `None`: as it likes.
        retry: Option<Duration>,
    },
}

/// Names a call, also from other threads. No two calls of a connection share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    pub(crate) peer: PeerId,
    pub(crate) number: u32,
}

impl CallId {
    /// The connection. It is nobody else's as long as it is there, but further calls may come by it.
    #[must_use]
    pub const fn peer(self) -> PeerId {
        self.peer
    }

    pub(crate) const fn new(worker: u16, key: Key, number: u32) -> Self {
        Self { peer: PeerId { worker, key }, number }
    }
}

/// A request to a [`Service`].
pub struct Call<'r> {
    pub(crate) id: CallId,
    pub(crate) method: &'r str,
    pub(crate) request: Request<'r>,
    pub(crate) params: &'r Params,
    pub(crate) body: &'r [u8],
    pub(crate) identity: Option<&'r Identity>,
    pub(crate) address: Option<IpAddr>,
}

impl<'r> Call<'r> {
    /// The call's name.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// The method, one of [`Service::methods`].
    #[must_use]
    pub const fn method(&self) -> &'r str {
        self.method
    }

    /// Its target and fields.
    #[must_use]
    pub const fn request(&self) -> &Request<'r> {
        &self.request
    }

    /// What stands in the path for `{name}` of the route, percent-decoded.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'r str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the query, decoded as forms are encoded; of several of this name, the first.
    ///
    /// # Errors
    /// [`QueryError`]
    pub fn query(&self, name: &str) -> Result<Option<Cow<'r, str>>, QueryError> {
        query::get(query::of(self.request.target()), name)
    }

    /// The body; empty if there is none.
    #[must_use]
    pub const fn body(&self) -> &'r [u8] {
        self.body
    }

    /// Who asks, if that is checked.
    #[must_use]
    pub const fn identity(&self) -> Option<&'r Identity> {
        self.identity
    }

    /// The client's address: the socket's, or what a trusted proxy told
    /// ([`Builder::trust_proxy`](crate::Builder::trust_proxy)).
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Who may call a service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Who may open a WebSocket, and counts as one while it is served.
    Peers,
    /// Whom the check with this number knows, of those that the server is set to.
    Own(usize),
    /// Who reaches the address for those who run the server.
    Operators,
}

/// The services of one worker, by their number.
#[derive(Default)]
pub(crate) struct Services(pub(crate) Vec<Box<dyn Service>>);

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Services").field(&self.0.len()).finish()
    }
}

impl Services {
    pub(crate) fn get_mut(&mut self, number: u16) -> Option<&mut Box<dyn Service>> {
        self.0.get_mut(usize::from(number))
    }
}
