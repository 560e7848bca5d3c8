//! Bytes to send: a buffer of the caller's that calls append to.

use core::ptr;

use ws_proto::{Full, Sink};

use crate::raw::{self, Region};
use crate::result::{Outcome, wsp_result};

/// Bytes to send. A call appends all of a frame or nothing, at `data + len`, and adds to `len`.
///
/// Set `data` and `size` once, and `len` to 0 whenever all has been written to the transport.
#[repr(C)]
pub struct wsp_output {
    /// A buffer; what is in it need not be initialised.
    pub data: *mut u8,
    /// Its size in bytes.
    pub size: usize,
    /// How many bytes of it hold something to send: at most `size`.
    pub len: usize,
}

/// A [`wsp_output`] that has been checked.
pub(crate) struct Output {
    data: *mut u8,
    size: usize,
    len: *mut usize,
    used: usize,
}

impl Output {
    /// Checks an output, and tells where it lies and where its buffer lies.
    ///
    /// # Safety
    /// The contract (`raw`); nothing refers to either while the result is used (`raw::apart`).
    pub(crate) unsafe fn new(out: *mut wsp_output) -> Outcome<(Self, [Region; 2])> {
        let place = raw::place(out)?;
        // SAFETY: not null and aligned (`place`); that it is there and written is the contract.
        let wsp_output { data, size, len: used } = unsafe { out.read() };
        let buffer = raw::places(data, size)?;
        if used > size {
            return Err(wsp_result::WSP_LENGTH);
        }
        // SAFETY: a place inside of `*out`.
        let len = unsafe { &raw mut (*out).len };
        Ok((Self { data, size, len, used }, [place, buffer]))
    }
}

impl Sink for Output {
    fn room(&self) -> usize {
        self.size.saturating_sub(self.used)
    }

    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        let len = head.len().saturating_add(body.len());
        if len > self.room() {
            return Err(Full);
        }
        if len == 0 {
            return Ok(&mut []);
        }
        // Copied without a slice of the buffer, which need not be initialised.
        // SAFETY: `used + len <= size`, so this stays inside of the buffer (`Output::new`).
        let to_head = unsafe { self.data.add(self.used) };
        // SAFETY: as before.
        let to_body = unsafe { to_head.add(head.len()) };
        // SAFETY: there is room (checked above), and what is sent does not overlap it (`raw::apart`).
        unsafe { ptr::copy_nonoverlapping(head.as_ptr(), to_head, head.len()) };
        // SAFETY: as before.
        unsafe { ptr::copy_nonoverlapping(body.as_ptr(), to_body, body.len()) };
        self.used = self.used.saturating_add(len);
        // SAFETY: a place inside of the caller's `wsp_output` (`Output::new`).
        unsafe { self.len.write(self.used) };
        // SAFETY: these bytes were written just now, and nothing else refers to them.
        Ok(unsafe { raw::slice_mut(to_body, body.len()) })
    }
}
