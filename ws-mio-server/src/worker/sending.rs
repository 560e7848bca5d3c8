//! How what is to be sent gets out: at once, or by way of the queue.

use std::io::{self, ErrorKind, IoSlice};
use std::ops::Range;

use super::slot::Slot;
use crate::context::Context;
use crate::cork::LARGE;
use crate::outbox::BATCH;
use crate::recording::Recording;
use crate::session::HIGH_WATER;
use crate::system::Stream;

impl<S: Stream> Slot<S> {
    /// Sends the cork, at once if nothing is queued; the rest is queued. `read` is what was read to.
    #[inline(always)]
    pub(super) fn send_cork(&mut self, context: &mut Context, read: &[u8]) -> io::Result<()> {
        let Context { cork, counters, .. } = &mut *context;
        let Some(bytes) = cork.in_one_piece(read) else {
            return self.send_cork_in_parts(0, context, read);
        };
        if bytes.is_empty() {
            return Ok(());
        }
        // What is encrypted is queued before it is.
        if self.is_apart || self.session.queued() > 0 {
            return self.send_cork_in_parts(0, context, read);
        }
        // All of it goes out in one, nearly always.
        counters.writes.add_one();
        let sent = match self.stream.send(bytes) {
            Ok(n) if n == bytes.len() => {
                counters.bytes_sent.add_len(n);
                cork.clear();
                return Ok(());
            }
            Ok(n) => n,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            Err(error) => return Err(error),
        };
        counters.bytes_sent.add_len(sent);
        self.send_cork_in_parts(sent, context, read)
    }

    /// The same, when `sent` bytes of it are.
    #[cold]
    #[inline(never)]
    fn send_cork_in_parts(
        &mut self,
        mut sent: usize,
        context: &mut Context,
        read: &[u8],
    ) -> io::Result<()> {
        let Context { cork, counters, now, .. } = &mut *context;
        while !self.is_apart && self.session.queued() == 0 && sent < cork.len() {
            counters.writes.add_one();
            let result = match cork.in_one_piece(read) {
                Some(bytes) => self.stream.send(bytes.get(sent..).unwrap_or_default()),
                None => {
                    let mut slices = [IoSlice::new(&[]); BATCH];
                    let filled = fill(&mut slices, cork.pieces(read), sent);
                    self.stream.send_all(slices.get(..filled).unwrap_or_default())
                }
            };
            match result {
                Ok(n) => {
                    counters.bytes_sent.add_len(n);
                    sent = sent.saturating_add(n);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let rest = cork.len().saturating_sub(sent);
        if rest > 0 {
            let head = cork.head();
            if sent > head {
                self.session.begin_queue(first(cork.pieces(read), sent).map(behind(head)), *now);
            } else if head > sent {
                self.session.begin_head(head.saturating_sub(sent), *now);
            }
            // What is left of a large message waits where it is.
            let message = if rest >= LARGE { cork.take_last_message() } else { None };
            for piece in cork.pieces(read) {
                let skip = sent.min(piece.len());
                sent = sent.saturating_sub(skip);
                self.session.queue(piece.get(skip..).unwrap_or_default(), *now);
            }
            if let Some((message, Range { start, end })) = message {
                self.session.queue_message(message, start.saturating_add(sent)..end, *now);
            }
        }
        cork.clear();
        if rest > 0 {
            counters.queue(rest);
        }
        if self.session.unasked() > context.patiences.least {
            let limit = usize::try_from(context.settings.max_message).unwrap_or(usize::MAX);
            // It was read from with so much in its queue: what it then asks for is no fault of its own.
            let own = self.session.patience(context).max_queued.max(HIGH_WATER).saturating_add(1);
            self.session.hold_below(limit.saturating_add(own), context);
        }
        Ok(())
    }

    /// Sends what is queued until nothing is left or the kernel takes no more.
    pub(super) fn flush(&mut self, context: &Context) -> io::Result<()> {
        if self.is_apart {
            return self.flush_apart(context);
        }
        self.flush_plain(context, None)
    }

    #[inline(always)]
    pub(super) fn flush_plain(
        &mut self,
        context: &Context,
        mut recording: Option<&mut Recording>,
    ) -> io::Result<()> {
        while let Some(outbox) = self.session.waiting().filter(|outbox| !outbox.is_empty()) {
            if self.blocked {
                break;
            }
            let mut slices = [IoSlice::new(&[]); BATCH];
            let filled = outbox.slices(&mut slices);
            if filled == 0 {
                // A gap is to be told of first.
                break;
            }
            context.counters.writes.add_one();
            let slices = slices.get(..filled).unwrap_or_default();
            let sent = match slices {
                [only] => self.stream.send(only),
                slices => self.stream.send_all(slices),
            };
            match sent {
                Ok(n) => {
                    if let Some(recording) = &mut recording {
                        recording.sent(slices, n, context.turn);
                    }
                    context.counters.bytes_sent.add_len(n);
                    context.counters.unqueue(n);
                    self.session.sent(n, context.now);
                    // A peer that is not read from proves only by this that it lives. Otherwise it
                    // proves nothing: the kernel takes much for a peer that is long gone.
                    if self.paused {
                        self.session.heard(context.now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The first `n` bytes of some pieces.
fn first<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    mut n: usize,
) -> impl Iterator<Item = &'a [u8]> {
    pieces.map(move |piece| {
        let first = piece.get(..n.min(piece.len())).unwrap_or_default();
        n = n.saturating_sub(first.len());
        first
    })
}

/// What is behind the first `n` bytes of some pieces.
fn behind(mut n: usize) -> impl FnMut(&[u8]) -> &[u8] {
    move |piece| {
        let skipped = n.min(piece.len());
        n = n.saturating_sub(skipped);
        piece.get(skipped..).unwrap_or_default()
    }
}

/// Fills slices with what is behind the first `skip` bytes of some pieces.
fn fill<'a>(
    slices: &mut [IoSlice<'a>],
    pieces: impl Iterator<Item = &'a [u8]>,
    skip: usize,
) -> usize {
    let rest = pieces.map(behind(skip)).filter(|rest| !rest.is_empty());
    let mut filled: usize = 0;
    for (slice, rest) in slices.iter_mut().zip(rest) {
        *slice = IoSlice::new(rest);
        filled = filled.saturating_add(1);
    }
    filled
}
