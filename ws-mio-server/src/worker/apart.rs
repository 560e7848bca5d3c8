//! Connections whose bytes go through something on their way: encryption, a recording, or both.

use std::io::{self, ErrorKind};

use super::slot::Slot;
use crate::context::Context;
use crate::recording::Recording;
use crate::session::Read;
use crate::system::Stream;

impl<S: Stream> Slot<S> {
    /// All that is read and sent from here on is recorded.
    pub(super) fn record(&mut self, recording: Box<Recording>) {
        self.is_apart = true;
        self.session.put_recording(recording);
    }

    /// Like [`receive`](Self::receive).
    #[cold]
    pub(super) fn receive_apart<'b>(
        &mut self,
        buffer: &'b mut [u8],
        most: usize,
    ) -> io::Result<Option<(Read<'b>, bool)>> {
        let result = match self.session.tls() {
            Some(_) => self.receive_tls(buffer, most),
            None => self.receive_plain(buffer, most),
        };
        let Some(mut recording) = self.session.take_recording() else { return result };
        match &result {
            Ok(Some((Read::Bytes(bytes), _))) => recording.came(bytes),
            Ok(Some((Read::InPlace(n), _))) => {
                let room = self.session.room().and_then(|room| room.get(..*n));
                recording.came(room.unwrap_or_default());
            }
            Ok(None) => recording.ended(None),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => recording.ended(Some(error)),
        }
        self.session.put_recording(recording);
        result
    }

    /// Like [`flush`](Self::flush).
    pub(super) fn flush_apart(&mut self, context: &Context) -> io::Result<()> {
        let mut recording = self.session.take_recording();
        // What has come is told first.
        if let Some(recording) = &mut recording {
            recording.settle(context.turn);
        }
        let result = match self.session.tls() {
            Some(_) => self.flush_tls(context, recording.as_deref_mut()),
            None => self.flush_plain(context, recording.as_deref_mut()),
        };
        if let Some(mut recording) = recording {
            recording.write(context.turn);
            self.session.put_recording(recording);
        }
        result
    }

    /// The connection is about to be dropped.
    pub(super) fn end_recording(&mut self, context: &Context) {
        if let Some(mut recording) = self.session.take_recording() {
            recording.closed(context.turn);
        }
    }
}
