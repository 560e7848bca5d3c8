//! Lines of the log about one connection.

use super::slot::Slot;
use crate::context::Context;

/// Tells of what a call to a session came to: a request that was refused, a connection that has ended.
pub(super) fn report(slot: &Slot, context: &mut Context) {
    let peer = || slot.stream.peer_addr().ok();
    if let Some((status, reason)) = context.refused.take() {
        let [peer, client] =
            [peer().map(|peer| peer.to_string()), context.client.map(|client| client.to_string())];
        tracing::info!(peer, client, status, reason, "refused");
    }
    if let Some(record) = context.closed.take() {
        record.log(peer());
    }
}
