//! The loop that tells a handler what a peer has sent.

use std::num::Wrapping;

use ws_proto::deflate::Inflater;
use ws_proto::{Assembler, CloseCode, Event, Input, Message, Part, Scratch, State};

use crate::Handler;
use crate::peer::{EndedBy, Ending, Peer};
use crate::record::CloseRecord;

/// A handler with the loop that serves it, compiled as one: all messages of a read cost one virtual call.
pub(crate) trait Application: Handler {
    /// Serves all events of the input.
    fn serve(
        &mut self,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        inflater: Option<&mut Inflater>,
        peer: &mut Peer<'_>,
    );
}

impl<H: Handler> Application for H {
    fn serve(
        &mut self,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        mut inflater: Option<&mut Inflater>,
        peer: &mut Peer<'_>,
    ) {
        let mut input = Input::new(bytes, scratch);
        let mut messages = Wrapping(0);
        loop {
            while peer.is_open()
                && let Some(event) = peer.connection.next_unfragmented(&mut input)
            {
                let message = match event {
                    Event::Binary(Part { data, .. }) => Message::Binary(data),
                    Event::Text(Part { data, last: true, .. }) => Message::Text(data),
                    // Text that goes wrong further on is no message.
                    _ => continue,
                };
                self.on_message(peer, message);
                messages += 1;
            }
            // By value, so that in the loop above it stays in registers.
            match serve_one(input, inflater.as_deref_mut(), peer, self) {
                Some((rest, more)) => (input, messages) = (rest, messages + Wrapping(more)),
                None => break,
            }
        }
        peer.context.counters.messages.add(messages.0);
    }
}

/// Serves the next event, of any kind; what is left, and how many messages there were. `None`: nothing is left.
#[inline(never)]
fn serve_one<'b>(
    mut input: Input<'b>,
    inflater: Option<&mut Inflater>,
    peer: &mut Peer<'_>,
    handler: &mut dyn Handler,
) -> Option<(Input<'b>, u64)> {
    let before = peer.connection.state();
    let event = match inflater {
        Some(inflater) => peer.connection.next_event_inflated(&mut input, inflater),
        None => peer.connection.next_event(&mut input),
    };
    let ending = match event {
        Ok(None) => return None,
        Ok(Some(Event::Close(code, reason))) => Ending {
            code: code.map_or(1005, CloseCode::get),
            reason,
            by: if before == State::Open { EndedBy::Peer } else { EndedBy::Server },
        },
        // What comes after our Close frame is read only to find the peer's.
        Ok(Some(_)) if before != State::Open => return Some((input, 0)),
        Ok(Some(event @ (Event::Text(_) | Event::Binary(_)))) => {
            let complete = assemble(event, peer, handler);
            return Some((input, u64::from(complete)));
        }
        Ok(Some(Event::Ping(_))) => {
            // The cork takes everything.
            let _ = peer.connection.poll_transmit(&mut peer.context.cork);
            return Some((input, 0));
        }
        Ok(Some(Event::Pong(_))) => return Some((input, 0)),
        Err(error) => {
            Ending { code: error.close_code().get(), reason: error.reason(), by: EndedBy::Server }
        }
    };
    // The cork takes everything.
    let _ = peer.connection.poll_transmit(&mut peer.context.cork);
    peer.context.closed = CloseRecord::of(&ending, peer.extra.as_deref());
    handler.on_close(peer, ending);
    Some((input, 0))
}

/// Puts a part of a message to those before it; whether that completed it.
fn assemble(event: Event<'_>, peer: &mut Peer<'_>, handler: &mut dyn Handler) -> bool {
    let begun = peer.extra.as_mut().and_then(|extra| extra.message.take());
    // Memory of its own: what a larger message has left would be held for a first byte.
    let mut parts = begun.unwrap_or_else(|| Assembler::new(Vec::new()));
    // A vector takes everything, so a part that completes nothing is all there is else.
    if let Ok(Some(message)) = parts.push(event) {
        handler.on_message(peer, message);
        return true;
    }
    peer.extra.get_or_insert_default().message = Some(parts);
    false
}
