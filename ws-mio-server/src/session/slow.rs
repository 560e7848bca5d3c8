//! Peers that do not take what is sent to them.

use ws_proto::CloseCode;

use super::{Handlers, Phase, Session};
use crate::context::Context;
use crate::extra::Extra;
use crate::id::Key;
use crate::metrics::DropCause;
use crate::outbox::{Dropped, Outbox};
use crate::slow::{Limit, OnSlow, Patience};

/// The outbox, if something waits in it: control frames pass that.
pub(super) fn waiting(extra: &mut Option<Box<Extra>>) -> Option<&mut Outbox> {
    extra.as_mut().filter(|extra| !extra.outbox.is_empty()).map(|extra| &mut *extra.outbox)
}

/// Queues control frames to go out before what waits.
pub(super) fn pass(frames: &[u8], outbox: &mut Outbox, context: &Context) {
    let before = outbox.len();
    outbox.push_control(frames);
    // One that is not owed any more may have given way.
    context.counters.unqueue(before);
    context.counters.queue(outbox.len());
}

/// Takes what is in the cork, all of which is its own.
fn said(context: &mut Context) -> Vec<u8> {
    let said = context.cork.in_one_piece(&[]).map(<[u8]>::to_vec).unwrap_or_default();
    context.clear_cork();
    said
}

impl Session {
    /// Everything that waits, as if it were dropped. What is no WebSocket has no messages.
    pub(crate) fn rest(&self) -> Dropped {
        let Some(extra) = &self.extra else { return Dropped::default() };
        let rest = extra.outbox.rest();
        let messages = if matches!(self.phase, Phase::Open(_)) { rest.messages } else { 0 };
        Dropped { messages, ..rest }
    }

    /// How slow the peer may be. For a stream of events no event is dropped.
    pub(crate) fn patience(&self, context: &Context) -> Patience {
        match &self.phase {
            Phase::Open(open) => context.patiences.of(open.route()),
            _ => Patience { on_slow: OnSlow::Close, ..context.settings.slowness.all },
        }
    }

    /// Bytes that wait, and that the peer must take before it is read from again.
    pub(crate) fn owed(&self, context: &Context) -> usize {
        match self.patience(context).on_slow {
            OnSlow::Close => self.queued(),
            OnSlow::DropOldest => self.extra.as_ref().map_or(0, |extra| extra.outbox.owed()),
        }
    }

    /// Sees to it that fewer bytes wait than that, beside what the peer has asked for, or that nothing more will.
    pub(crate) fn hold_below(&mut self, most: usize, context: &mut Context) {
        if self.unasked() >= most && self.patience(context).on_slow == OnSlow::DropOldest {
            // Some more than needs be, so that not each message that comes looks for one to be dropped.
            self.drop_oldest(most.saturating_sub(most / 16), Limit::Bytes, context);
        }
        if self.unasked() >= most {
            self.close_slow(Limit::Bytes, context);
        }
    }

    /// Nothing of what waits was taken for too long.
    pub(super) fn stalled(&mut self, context: &mut Context) {
        if self.patience(context).on_slow == OnSlow::DropOldest {
            self.drop_oldest(0, Limit::Age, context);
            if self.owed(context) == 0 {
                let now = context.now;
                self.extra.iter_mut().for_each(|extra| extra.progress = now);
                return;
            }
        }
        self.close_slow(Limit::Age, context);
    }

    fn drop_oldest(&mut self, most: usize, limit: Limit, context: &Context) {
        let Some(extra) = &mut self.extra else { return };
        let was_told = extra.outbox.has_no_gap();
        let dropped = extra.outbox.drop_oldest(most);
        if dropped == Dropped::default() {
            return;
        }
        if was_told {
            context.counters.slow.add(limit, OnSlow::DropOldest);
        }
        let cause = match limit {
            Limit::Bytes => DropCause::Bytes,
            Limit::Age => DropCause::Age,
        };
        context.counters.drops.add(cause, dropped);
        context.counters.unqueue(dropped.bytes);
    }

    /// Closes the connection with code 1013. The Close frame passes all that waits, which is dropped, but for
    /// the rest of a frame that is being sent. The last event of a stream comes behind the others.
    fn close_slow(&mut self, limit: Limit, context: &mut Context) {
        if !self.listens() {
            return;
        }
        context.counters.slow.add(limit, OnSlow::Close);
        let (code, reason) = (CloseCode::TRY_AGAIN_LATER, limit.told());
        if let Phase::Open(open) = &mut self.phase {
            let mut frames = Vec::new();
            open.close(code, reason, &mut frames, &mut self.extra, context.now);
            self.close_at_once(&frames, context);
        } else {
            self.close(code, reason, context);
            let event = said(context);
            self.queue(&event, context.now);
            context.counters.queue(event.len());
        }
    }

    /// Drops what waits, and sends these control frames instead.
    fn close_at_once(&mut self, frames: &[u8], context: &Context) {
        let outbox = self.outbox(context.now);
        let dropped = outbox.cut();
        outbox.push_control(frames);
        context.counters.drops.add(DropCause::Closed, dropped);
        context.counters.unqueue(dropped.bytes);
        context.counters.queue(frames.len());
    }

    /// Whether messages were dropped that the handler is to be told of before anything else is sent.
    pub(crate) fn is_at_gap(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.outbox.gap().is_some())
    }

    /// The handler of the connection's route is told of them; what it sends goes out in their place.
    pub(crate) fn tell_gap(&mut self, key: Key, handlers: &mut Handlers, context: &mut Context) {
        let Some(messages) = self.extra.as_ref().and_then(|extra| extra.outbox.gap()) else {
            return;
        };
        if let Phase::Open(open) = &mut self.phase {
            open.gap(key, messages, &mut self.extra, handlers, context);
        }
        let is_over = !self.is_open();
        let said = said(context);
        let outbox = self.outbox(context.now);
        if is_over {
            let dropped = outbox.cut();
            context.counters.drops.add(DropCause::Closed, dropped);
            context.counters.unqueue(dropped.bytes);
        }
        outbox.fill_gap(&said);
        context.counters.queue(said.len());
        self.tidy();
    }
}
