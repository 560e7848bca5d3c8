//! The write buffer: frames that have been encoded, as much of them as has not been written.

use crate::{Full, Sink};

#[derive(Debug)]
pub(super) struct Out<'b> {
    buffer: &'b mut [u8],
    written: usize,
    filled: usize,
}

impl<'b> Out<'b> {
    pub(super) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, written: 0, filled: 0 }
    }

    /// What has to be written next.
    pub(super) fn pending(&self) -> &[u8] {
        self.buffer.get(self.written..self.filled).unwrap_or_default()
    }

    /// `n` bytes of it have been written.
    pub(super) fn wrote(&mut self, n: usize) {
        self.written = self.written.saturating_add(n);
        if self.written >= self.filled {
            (self.written, self.filled) = (0, 0);
        }
    }
}

impl Sink for Out<'_> {
    fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.filled)
    }

    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        let free = self.buffer.get_mut(self.filled..).ok_or(Full)?;
        let filled = self.filled.saturating_add(head.len()).saturating_add(body.len());
        let body = crate::sink::put(free, head, body)?;
        self.filled = filled;
        Ok(body)
    }
}
