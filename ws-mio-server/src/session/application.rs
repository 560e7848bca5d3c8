//! The loop that tells a handler what a peer has sent.

use std::num::Wrapping;

use ws_proto::deflate::Inflater;
use ws_proto::{CloseCode, Error, Event, Framed, Input, Kind, Part, Scratch, State};

use super::slow::{pass, waiting};
use crate::Handler;
use crate::arriving::Arriving;
use crate::peer::{EndedBy, Ending, Peer};
use crate::record::Last;

/// A handler with the loop that serves it, compiled as one: all messages of a read cost one virtual call.
pub(crate) trait Application: Handler {
    /// Serves all events of the input; what the last frame was, if there was one.
    fn serve(
        &mut self,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        inflater: Option<&mut Inflater>,
        peer: &mut Peer<'_>,
    ) -> Option<Last>;
}

impl<H: Handler> Application for H {
    // One message, which is what nearly every read is, goes without the loop that makes little of many.
    fn serve(
        &mut self,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        inflater: Option<&mut Inflater>,
        peer: &mut Peer<'_>,
    ) -> Option<Last> {
        if !peer.is_open() {
            return serve_all(self, bytes, scratch, inflater, peer);
        }
        match peer.connection.lone_framed(bytes) {
            Ok(framed) => {
                let is_lent = is_lent(framed.frame, peer);
                hand_out(framed, is_lent, peer, self);
                peer.context.counters.messages.add_one();
                Some(Last::Message)
            }
            Err(bytes) => serve_all(self, bytes, scratch, inflater, peer),
        }
    }
}

/// Serves all events of the input.
#[inline(never)]
fn serve_all(
    handler: &mut impl Handler,
    bytes: &mut [u8],
    scratch: &mut Scratch,
    mut inflater: Option<&mut Inflater>,
    peer: &mut Peer<'_>,
) -> Option<Last> {
    let is_lent = is_lent(bytes, peer);
    // One that need not be in memory while messages are handed out.
    let mut peer = peer.again();
    let mut input = Input::new(bytes, scratch);
    let mut messages = Wrapping(0);
    let mut last = None;
    loop {
        let before = messages;
        while peer.is_open()
            && let Some(framed) = peer.connection.next_framed(&mut input)
        {
            hand_out(framed, is_lent, &mut peer, handler);
            messages += 1;
            // A loop of its own, for it has less to keep in registers.
            while peer.is_open()
                && let Some(framed) = peer.connection.next_alike(&mut input)
            {
                hand_out(framed, is_lent, &mut peer, handler);
                messages += 1;
            }
            if input.is_empty() {
                break;
            }
        }
        if messages != before {
            last = Some(Last::Message);
        }
        if input.is_empty() && peer.connection.is_between_messages() {
            break;
        }
        // By value, so that in the loop above it stays in registers.
        match serve_one(input, inflater.as_deref_mut(), &mut peer.again(), handler) {
            Some((rest, served)) => {
                input = rest;
                messages += u64::from(served == Last::Message);
                last = Some(served);
            }
            None => break,
        }
    }
    peer.context.counters.messages.add(messages.0);
    last
}

/// Whether frames may go back from where they are: bytes that came with the request may lie elsewhere.
#[inline(always)]
fn is_lent(bytes: &[u8], peer: &Peer<'_>) -> bool {
    peer.deflate.is_none() && peer.context.cork.is_read(bytes)
}

/// Gives the handler a message.
#[inline(always)]
fn hand_out(framed: Framed<'_>, is_lent: bool, peer: &mut Peer<'_>, handler: &mut impl Handler) {
    // A peer of its own for each message: if the handler is in line, it is nowhere in memory.
    let mut peer = Peer { framed: is_lent.then_some(framed), ..peer.again() };
    handler.on_message(&mut peer, framed.message);
}

/// Serves the next event, of any kind; what is left, and what it was. `None`: nothing is left.
#[cold]
fn serve_one<'b>(
    mut input: Input<'b>,
    inflater: Option<&mut Inflater>,
    peer: &mut Peer<'_>,
    handler: &mut dyn Handler,
) -> Option<(Input<'b>, Last)> {
    let before = peer.connection.state();
    let event = match inflater {
        Some(inflater) => peer.connection.next_event_inflated(&mut input, inflater),
        None => peer.connection.next_event(&mut input),
    };
    let (ending, last) = match event {
        Ok(None) => return None,
        Ok(Some(Event::Close(code, reason))) => {
            let by = if before == State::Open { EndedBy::Peer } else { EndedBy::Server };
            (Ending { code: code.map_or(1005, CloseCode::get), reason, by }, Last::Close)
        }
        // What comes after our Close frame is read only to find the peer's.
        Ok(Some(_)) if before != State::Open => return Some((input, Last::AfterClose)),
        Ok(Some(Event::Text(Part { data, first, last }))) => {
            let part = Part { data: data.as_bytes(), first, last };
            let last = assemble(Kind::Text, part, peer, handler);
            return Some((input, last));
        }
        Ok(Some(Event::Binary(part))) => {
            let last = assemble(Kind::Binary, part, peer, handler);
            return Some((input, last));
        }
        Ok(Some(Event::Ping(_))) => {
            pong(peer);
            return Some((input, Last::Ping));
        }
        Ok(Some(Event::Pong(_))) => return Some((input, Last::Pong)),
        Err(error) => (failure(error), Last::Violation),
    };
    end(ending, peer, handler);
    Some((input, last))
}

/// Answers a ping; the answer passes what waits.
fn pong(peer: &mut Peer<'_>) {
    // Cork and vector take everything.
    match waiting(peer.extra) {
        None => _ = peer.connection.poll_transmit(&mut peer.context.cork),
        Some(outbox) => {
            let mut frame = Vec::new();
            let _ = peer.connection.poll_transmit(&mut frame);
            pass(&frame, outbox, peer.context);
        }
    }
}

fn failure(error: Error) -> Ending<'static> {
    Ending { code: error.close_code().get(), reason: error.reason(), by: EndedBy::Server }
}

/// Says what is to be said at the end, and tells the handler.
fn end(ending: Ending<'_>, peer: &mut Peer<'_>, handler: &mut dyn Handler) {
    // The cork takes everything.
    let _ = peer.connection.poll_transmit(&mut peer.context.cork);
    peer.context.end(&ending, peer.extra.as_deref());
    handler.on_close(peer, ending);
}

/// Puts a part of a message to those before it; what there is of it now.
fn assemble(
    kind: Kind,
    part: Part<'_, [u8]>,
    peer: &mut Peer<'_>,
    handler: &mut dyn Handler,
) -> Last {
    let begun = peer.extra.as_mut().and_then(|extra| extra.message.take());
    if peer.deflate.is_some() {
        peer.context.inflated.add(part.data.len(), peer.context.turn);
    }
    let mut message = begun.unwrap_or_else(|| Arriving::new(kind, &peer.context.arriving));
    message.push(part.data);
    if part.last {
        deliver(message, peer, handler);
        Last::Message
    } else {
        peer.extra.get_or_insert_default().message = Some(message);
        Last::Part
    }
}

fn deliver(message: Arriving, peer: &mut Peer<'_>, handler: &mut dyn Handler) {
    peer.context.cork.lend_message(&message);
    handler.on_message(peer, message.message());
    peer.context.cork.take_message(message);
}

/// Serves `n` bytes of payload that were read to where the message is put together; what the last frame was.
#[cold]
pub(super) fn serve_in_place(
    n: usize,
    scratch: &mut Scratch,
    peer: &mut Peer<'_>,
    handler: &mut dyn Handler,
) -> Option<Last> {
    let mut message = peer.extra.as_mut().and_then(|extra| extra.message.take())?;
    let mut input = Input::new(message.room(n), scratch);
    // One part at most: what is not text ends the connection.
    let (arrived, last) = match peer.connection.next_event(&mut input) {
        Ok(Some(Event::Text(Part { data, last, .. }))) => (data.len(), last),
        Ok(Some(Event::Binary(Part { data, last, .. }))) => (data.len(), last),
        Ok(_) => (0, false),
        Err(error) => {
            end(failure(error), peer, handler);
            return Some(Last::Violation);
        }
    };
    // The error behind the valid beginning of such text, or nothing.
    if let Err(error) = peer.connection.next_event(&mut input) {
        end(failure(error), peer, handler);
        return Some(Last::Violation);
    }
    message.arrived(arrived);
    if last {
        peer.context.counters.messages.add_one();
        deliver(message, peer, handler);
        Some(Last::Message)
    } else {
        peer.extra.get_or_insert_default().message = Some(message);
        Some(Last::Part)
    }
}
