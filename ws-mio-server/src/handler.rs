//! What an application is to the server.

use ws_proto::Message;

use crate::{Ending, Peer};

/// An application behind a route: it is told what peers do, and acts on them through [`Peer`].
///
/// Each worker has a clone of the handler and calls it from its own thread only, one call after the
/// other, so a handler needs no locks for what is a worker's own. What all workers share (a
/// database, a counter) is shared by the clones, in an `Arc` for example. A call must not block: the
/// worker's other connections wait. A panic in a handler stops the server.
///
/// ```
/// use ws_mio_server::{Handler, Message, Peer, Server};
///
/// /// Tells everyone in a room what each says.
/// #[derive(Clone)]
/// struct Room;
///
/// impl Handler for Room {
///     fn on_open(&mut self, peer: &mut Peer<'_>) {
///         let room = peer.param("room").unwrap_or_default().to_owned();
///         peer.subscribe(&room);
///     }
///
///     fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
///         let room = peer.param("room").unwrap_or_default().to_owned();
///         peer.publish(&room, message);
///     }
/// }
///
/// let server = Server::builder().route("/rooms/{room}", Room).bind("127.0.0.1:0")?;
/// # Ok::<(), ws_mio_server::StartError>(())
/// ```
pub trait Handler: Send + 'static {
    /// The subprotocols that the application speaks, the preferred one first (RFC 6455 §1.9). The first
    /// that a client offers is chosen; by default, none is.
    fn subprotocols(&self) -> &[&str] {
        &[]
    }

    /// A peer has come: its opening handshake is accepted.
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let _ = peer;
    }

    /// A peer has sent a whole message.
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>);

    /// A peer that had more than 64 KiB in its queue ([`Peer::queued`]) has taken all of it, but for messages
    /// that may be dropped. With less it is not called: whoever waits for it must have sent more.
    fn on_drain(&mut self, peer: &mut Peer<'_>) {
        let _ = peer;
    }

    /// So many messages to topics were dropped that waited for a peer which did not take them
    /// ([`OnSlow::DropOldest`](crate::OnSlow::DropOldest)). It is called before anything behind the gap goes
    /// out, and what is sent to the peer in this call goes out in the gap: that it has to ask for the whole
    /// state again, for example. It is called again when more are dropped later.
    fn on_gap(&mut self, peer: &mut Peer<'_>, messages: u32) {
        let _ = (peer, messages);
    }

    /// A peer's connection has ended, or can't be used any more: called once for each
    /// [`on_open`](Self::on_open). Nothing can be sent to it; its subscriptions end after the call.
    fn on_close(&mut self, peer: &mut Peer<'_>, ending: Ending<'_>) {
        let _ = (peer, ending);
    }
}
