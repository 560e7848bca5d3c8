//! Connections that are encrypted: what is read and sent goes through TLS.

use std::io;

use super::Worker;
use super::report::report;
use super::slot::Slot;
use crate::context::Context;
use crate::id::Key;
use crate::outbox::BATCH;
use crate::recording::Recording;
use crate::session::Read;
use crate::system::{self, Stream as _, System};
use crate::tls::{Failure, Stream};

/// How much is read at a time, to the end of the buffer that all connections share.
const ENCRYPTED: usize = 16 * 1024;

impl<S: system::Stream> Slot<S> {
    /// All that is read and sent from here on goes through TLS.
    pub(super) fn encrypt(&mut self, stream: Stream) {
        self.is_apart = true;
        self.session.put_tls(Box::new(stream));
    }

    /// Whether the peer has yet to agree on keys, which takes the most time of all that it may ask for.
    pub(super) fn is_agreeing(&self) -> bool {
        self.is_apart && self.session.tls().is_some_and(Stream::is_handshaking)
    }

    /// Bytes that wait to be sent, and something for those that wait encrypted.
    pub(super) fn unsent(&self) -> usize {
        let encrypted = self.is_apart && self.session.tls().is_some_and(Stream::wants_write);
        self.session.queued().saturating_add(encrypted.into())
    }

    /// Like [`receive`](Self::receive), but decrypted; there may be nothing of that yet.
    pub(super) fn receive_tls<'b>(
        &mut self,
        buffer: &'b mut [u8],
        most: usize,
    ) -> io::Result<Option<(Read<'b>, bool)>> {
        let Some(mut tls) = self.session.take_tls() else { return Ok(None) };
        let result = self.receive_by(&mut tls, buffer, most);
        if result.is_err() {
            // The peer is told why, if it can be.
            let _ = tls.send(|bytes| self.stream.send(bytes));
        }
        self.session.put_tls(tls);
        result
    }

    fn receive_by<'b>(
        &mut self,
        tls: &mut Stream,
        buffer: &'b mut [u8],
        most: usize,
    ) -> io::Result<Option<(Read<'b>, bool)>> {
        let free = buffer.len().saturating_sub(ENCRYPTED);
        let (plain, encrypted) = buffer.split_at_mut_checked(free).unwrap_or_default();
        let recv = |buffer: &mut [u8]| self.stream.recv(buffer);
        let Some(full) = tls.receive(encrypted, recv)? else { return Ok(None) };
        let read = match self.session.room() {
            Some(room) => Read::InPlace(tls.read(room)),
            None => {
                let most = most.min(plain.len());
                let n = tls.read(plain.get_mut(..most).unwrap_or_default());
                Read::Bytes(plain.get_mut(..n).unwrap_or_default())
            }
        };
        if read.len() == 0 && tls.has_ended() {
            return Ok(None);
        }
        Ok(Some((read, full || tls.has_more())))
    }

    /// Encrypts what is queued, and sends it, until nothing is left or the kernel takes no more.
    pub(super) fn flush_tls(
        &mut self,
        context: &Context,
        recording: Option<&mut Recording>,
    ) -> io::Result<()> {
        let Some(mut tls) = self.session.take_tls() else { return Ok(()) };
        let result = self.flush_by(&mut tls, context, recording);
        self.session.put_tls(tls);
        result
    }

    fn flush_by(
        &mut self,
        tls: &mut Stream,
        context: &Context,
        mut recording: Option<&mut Recording>,
    ) -> io::Result<()> {
        if let Some(version) = tls.take_agreed() {
            context.counters.tls_agreed.add(version);
        }
        while !self.blocked {
            let send = |bytes: &[u8]| {
                context.counters.writes.add_one();
                let n = self.stream.send(bytes)?;
                context.counters.bytes_sent.add_len(n);
                Ok(n)
            };
            self.blocked = tls.send(send)?;
            let Some(outbox) = self.session.waiting() else { break };
            let mut slices = [io::IoSlice::new(&[]); BATCH];
            let filled = outbox.slices(&mut slices);
            let mut taken: usize = 0;
            let slices = slices.get(..filled).unwrap_or_default();
            for slice in slices {
                let n = tls.write(slice);
                taken = taken.saturating_add(n);
                if n < slice.len() {
                    break;
                }
            }
            if taken == 0 {
                break;
            }
            if let Some(recording) = &mut recording {
                recording.sent(slices, taken, context.turn);
            }
            context.counters.unqueue(taken);
            self.session.sent(taken, context.now);
            if self.paused {
                self.session.heard(context.now);
            }
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub(super) fn close_tls(&mut self) {
        if let Some(mut tls) = self.session.take_tls() {
            tls.close();
            // If it does not go out, the end of the stream says the same, less surely.
            let _ = tls.send(|bytes| self.stream.send(bytes));
            self.session.put_tls(tls);
        }
    }
}

impl<S: System> Worker<S> {
    /// Tells of a connection that did not come so far as to ask for anything: it can't be decrypted.
    pub(super) fn refuse_tls(&mut self, key: Key, error: &io::Error) {
        let failure = error.get_ref().and_then(|error| error.downcast_ref::<Failure>());
        let Some(slot) = self.slots.get_mut(key) else { return };
        let (Some(failure), true) = (failure, slot.session.is_opening()) else { return };
        let reason = failure.to_string();
        if failure.is_plain() {
            let response = format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{reason}\n",
                reason.len().saturating_add(1)
            );
            // Whatever it is that speaks there may not understand it anyway.
            let _ = slot.stream.send(response.as_bytes());
            let _ = slot.stream.finish();
        }
        self.context.client = None;
        self.context.counters.tls_failed.add_one();
        self.context.refuse(400, reason);
        report(slot, &mut self.context);
    }
}
