//! What waits to be sent to the peer of a session.

use std::ops::Range;
use std::sync::Arc;

use ws_proto::keepalive::Instant;

use super::{Phase, Session};
use crate::arriving::Arriving;
use crate::context::Context;
use crate::frame::Frame;
use crate::outbox::{Outbox, Worth};

impl Session {
    /// Queues bytes that are the connection's own.
    pub(crate) fn queue(&mut self, bytes: &[u8], now: Instant) {
        if !bytes.is_empty() {
            self.outbox(now).push(bytes);
        }
    }

    /// Queues part of a message, in the memory that it came to.
    pub(crate) fn queue_message(&mut self, message: Arriving, part: Range<usize>, now: Instant) {
        self.outbox(now).push_message(message, part);
    }

    /// Queues a frame that other connections get, too, if messages can be sent to this one.
    pub(crate) fn queue_frame(&mut self, frame: &Frame, worth: Worth, context: &mut Context) {
        let Phase::Open(open) = &self.phase else {
            return self.queue_event(frame, worth, context);
        };
        let window = open.deflate().map(|agreement| agreement.sent.window);
        let deflater = window.and_then(|window| context.pool.deflater(window).zip(Some(window)));
        let deflated = deflater.and_then(|(deflater, window)| frame.deflated(window, deflater));
        if deflated.is_some()
            && let Some(own) = self.extra.as_mut().and_then(|extra| extra.deflater.as_deref_mut())
        {
            // The peer's window moves on by a message that its own deflater has not seen.
            own.reset();
        }
        let frame = deflated.unwrap_or_else(|| frame.plain());
        self.outbox(context.now).push_shared(frame, worth);
    }

    /// Queues whole frames that others get, too, as they are; `false`: the peer wants each in another form.
    pub(crate) fn queue_frames(&mut self, frames: &Arc<[u8]>, worth: Worth, now: Instant) -> bool {
        let is_plain =
            matches!(&self.phase, Phase::Open(open) if open.is_open() && open.deflate().is_none());
        if is_plain {
            self.outbox(now).push_shared(Arc::clone(frames), worth);
        }
        is_plain
    }

    /// Queues a message as an event, if the peer has a stream of events and the message is text. No event is dropped.
    fn queue_event(&mut self, frame: &Frame, worth: Worth, context: &Context) {
        let worth = if worth == Worth::Asked { worth } else { Worth::Kept };
        if self.listens()
            && let Some(event) = frame.event()
        {
            self.outbox(context.now).push_shared(event, worth);
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.outbox.len())
    }

    /// Those of them that the peer has not asked for: what is limited.
    pub(crate) fn unasked(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.outbox.unasked())
    }

    /// These bytes were sent before anything was queued; what is queued next goes on where they end.
    pub(crate) fn begin_queue<'b>(&mut self, sent: impl Iterator<Item = &'b [u8]>, now: Instant) {
        let outbox = self.outbox(now);
        sent.for_each(|bytes| outbox.begin_behind(bytes));
    }

    /// So many bytes of what is queued next go before all frames, like what waits already.
    pub(crate) fn begin_head(&mut self, len: usize, now: Instant) {
        self.outbox(now).begin_head(len);
    }

    /// What waits to be sent.
    pub(crate) fn waiting(&self) -> Option<&Outbox> {
        self.extra.as_ref().map(|extra| &*extra.outbox)
    }

    /// The kernel has taken `n` of the bytes that wait.
    pub(crate) fn sent(&mut self, n: usize, now: Instant) {
        if let Some(extra) = &mut self.extra {
            extra.outbox.advance(n);
            extra.progress = now;
        }
        self.tidy();
    }

    pub(super) fn outbox(&mut self, now: Instant) -> &mut Outbox {
        let extra = self.extra.get_or_insert_default();
        if extra.outbox.is_empty() {
            extra.progress = now;
        }
        &mut extra.outbox
    }
}
