//! Whole messages from their pieces.

use core::ptr;

use crate::connection::{BINARY, TEXT};
use crate::event::{Told, wsp_event};
use crate::raw;
use crate::result::{Outcome, wsp_result};

/// A buffer in which the pieces of a message come together. Set `data`, `size`, and the rest to 0 once.
#[repr(C)]
pub struct wsp_message {
    /// A buffer; what is in it need not be initialised.
    pub data: *mut u8,
    /// Its size in bytes: the largest message that can be put together.
    pub size: usize,
    /// The length of the message so far.
    pub len: usize,
    /// For the library: whether the message in progress did not fit. 0 at first.
    pub overflown: u8,
}

/// Adds a piece of a message. `WSP_OK`: the message is complete, in `data` and `len`. `WSP_MORE`: more pieces
/// follow, or the event is none of a message. `WSP_FULL`: the message does not fit; this is said for each
/// further piece of it. Close with 1009 then, or skip the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_message_push(
    message: *mut wsp_message,
    event: *const wsp_event,
) -> wsp_result {
    // SAFETY: the contract.
    match unsafe { push(message, event) } {
        Ok(result) | Err(result) => result,
    }
}

/// # Safety
/// The contract (`raw`).
unsafe fn push(message: *mut wsp_message, event: *const wsp_event) -> Outcome<wsp_result> {
    let (message_place, event_place) = (raw::place(message)?, raw::place(event)?);
    // SAFETY: not null and aligned (`place`), there and written (the contract).
    let wsp_message { data, size, len, overflown } = unsafe { ptr::read(message) };
    // SAFETY: as before; it lies as an event does, and any bytes are one.
    let Told { kind, first, last, data: piece, len: piece_len, .. } =
        unsafe { ptr::read(event.cast()) };
    let (first, last) = (first != 0, last != 0);
    let places =
        [message_place, event_place, raw::places(data, size)?, raw::places(piece, piece_len)?];
    raw::apart(&places)?;
    if kind != TEXT && kind != BINARY {
        return Ok(wsp_result::WSP_MORE);
    }
    let used = if first { 0 } else { len };
    let free = size.checked_sub(used).ok_or(wsp_result::WSP_LENGTH)?;
    let overflown = (overflown != 0 && !first) || piece_len > free;
    let now = if overflown { used } else { used.saturating_add(piece_len) };
    if !overflown && piece_len > 0 {
        // SAFETY: `used + piece_len <= size`, so this is inside of the buffer.
        let to = unsafe { data.add(used) };
        // SAFETY: as before, and the piece lies elsewhere (`apart`).
        unsafe { ptr::copy_nonoverlapping(piece, to, piece_len) };
    }
    // SAFETY: not null and aligned (`place`), and there (the contract).
    unsafe { message.write(wsp_message { data, size, len: now, overflown: overflown.into() }) };
    Ok(match (overflown, last) {
        (true, _) => wsp_result::WSP_FULL,
        (false, true) => wsp_result::WSP_OK,
        (false, false) => wsp_result::WSP_MORE,
    })
}
