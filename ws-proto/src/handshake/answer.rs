//! What the fields of a server's answer say (RFC 6455 §4.1), gathered in one pass over them.

use super::header::Once;
use super::{Field, HandshakeError};

/// What has been seen of the fields that count.
#[derive(Default)]
pub(super) struct Answer<'h> {
    upgrade: bool,
    connection: bool,
    #[cfg(not(feature = "deflate"))]
    extensions: bool,
    accept: Once<'h>,
    subprotocol: Once<'h>,
}

impl<'h> Answer<'h> {
    pub(super) fn add(&mut self, field: &Field<'h>) {
        if field.is("Upgrade") {
            self.upgrade |= field.lists("websocket");
        } else if field.is("Connection") {
            self.connection |= field.lists("upgrade");
        } else if field.is(ACCEPT) {
            self.accept.add(field.value);
        } else if field.is(PROTOCOL) {
            self.subprotocol.add(field.value);
        } else {
            #[cfg(not(feature = "deflate"))]
            if field.is("Sec-WebSocket-Extensions") {
                self.extensions |= field.elements().next().is_some();
            }
        }
    }

    /// Checks that the server upgrades, and has read the key to which `accept` belongs.
    pub(super) fn proves(&self, accept: &[u8]) -> Result<(), HandshakeError> {
        match self.accept {
            _ if !self.upgrade => Err(HandshakeError::Missing("Upgrade")),
            _ if !self.connection => Err(HandshakeError::Missing("Connection")),
            Once::Value(value) if value == accept => Ok(()),
            Once::Value(_) => Err(HandshakeError::Accept),
            Once::Missing => Err(HandshakeError::Missing(ACCEPT)),
            Once::Repeated => Err(HandshakeError::Repeated(ACCEPT)),
        }
    }

    /// The subprotocol that the server has chosen, one of those offered.
    pub(super) fn subprotocol(&self, offered: &[&str]) -> Result<Option<&'h str>, HandshakeError> {
        match self.subprotocol {
            Once::Missing => Ok(None),
            Once::Repeated => Err(HandshakeError::Repeated(PROTOCOL)),
            Once::Value(value) => match str::from_utf8(value) {
                Ok(name) if offered.contains(&name) => Ok(Some(name)),
                _ => Err(HandshakeError::Subprotocol),
            },
        }
    }

    /// Checks that the server has chosen no extension, where none was offered.
    #[cfg(not(feature = "deflate"))]
    pub(super) const fn without_extensions(&self) -> Result<super::Agreed, HandshakeError> {
        if self.extensions {
            Err(HandshakeError::Extension)
        } else {
            Ok(super::Agreed::elsewhere())
        }
    }
}

const ACCEPT: &str = "Sec-WebSocket-Accept";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
