//! What a peer said, and the bytes in which it came.

use core::mem::{align_of, offset_of, size_of};
use core::ptr;

use ws_proto::{Error, Event, Part, Scratch};

/// What an event is. `WSP_TEXT` and `WSP_BINARY` are also the kinds of messages to send.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum wsp_kind {
    /// Nothing: every byte of the input is consumed, and its buffer may be used for other things.
    WSP_NONE = 0,
    /// A piece of a text message (RFC 6455 5.6): UTF-8, always whole code points, without a NUL at its end.
    WSP_TEXT = 1,
    /// A piece of a binary message (5.6).
    WSP_BINARY = 2,
    /// A ping, of at most 125 bytes (5.5.2). The pong is sent by the next `..._poll_transmit`.
    WSP_PING = 3,
    /// A pong, of at most 125 bytes (5.5.3).
    WSP_PONG = 4,
    /// A Close frame (5.5.1): `code` and, as the data, its reason. No event follows.
    WSP_CLOSE = 5,
}

/// One step of what the peer said.
#[repr(C)]
pub struct wsp_event {
    /// What it is.
    pub kind: wsp_kind,
    /// Of a piece of a message: whether the message starts here.
    pub first: bool,
    /// Of a piece of a message: whether the message ends here. A piece is empty only if it is the last.
    pub last: bool,
    /// Of `WSP_CLOSE`: the status code, 0 if there is none. Of a failure: the code that tells the peer.
    pub code: u16,
    /// Of a failure: what its result says of it.
    pub detail: u32,
    /// The piece, payload or reason, inside of the input's buffer or of its scratch: there until the next
    /// call with that input. Null only if it is empty.
    pub data: *const u8,
    /// Its length in bytes.
    pub len: usize,
}

/// A [`wsp_event`] as it may come back from C, with a kind or a flag that is none.
#[repr(C)]
pub(crate) struct Told {
    pub(crate) kind: u8,
    pub(crate) first: u8,
    pub(crate) last: u8,
    _code: u16,
    _detail: u32,
    pub(crate) data: *const u8,
    pub(crate) len: usize,
}

const _: () = assert!(
    size_of::<Told>() == size_of::<wsp_event>()
        && offset_of!(Told, last) == offset_of!(wsp_event, last)
        && offset_of!(Told, data) == offset_of!(wsp_event, data)
        && offset_of!(Told, len) == offset_of!(wsp_event, len)
);

/// Bytes that were read from the transport, and room to put together what a read boundary cut.
///
/// Set `data` and `len`; calls consume them from the front, and unmask payload in place. The rest need not be
/// initialised. It holds nothing between reads: one serves any number of connections, one after the other.
#[repr(C)]
pub struct wsp_input {
    /// What has not been consumed.
    pub data: *mut u8,
    /// Its length in bytes.
    pub len: usize,
    /// For the library.
    pub scratch: [u8; 125],
}

// A scratch is its bytes, so that one can lie in a `wsp_input`.
const _: () = assert!(size_of::<Scratch>() == 125 && align_of::<Scratch>() == 1);

impl wsp_event {
    pub(crate) const NONE: Self = Self {
        kind: wsp_kind::WSP_NONE,
        first: false,
        last: false,
        code: 0,
        detail: 0,
        data: ptr::null(),
        len: 0,
    };

    const fn new(kind: wsp_kind, data: &[u8]) -> Self {
        Self { kind, data: data.as_ptr(), len: data.len(), ..Self::NONE }
    }

    pub(crate) const fn of(event: Event<'_>) -> Self {
        match event {
            Event::Text(Part { data, first, last }) => {
                Self { first, last, ..Self::new(wsp_kind::WSP_TEXT, data.as_bytes()) }
            }
            Event::Binary(Part { data, first, last }) => {
                Self { first, last, ..Self::new(wsp_kind::WSP_BINARY, data) }
            }
            Event::Ping(data) => Self::new(wsp_kind::WSP_PING, data),
            Event::Pong(data) => Self::new(wsp_kind::WSP_PONG, data),
            Event::Close(code, reason) => {
                let code = match code {
                    Some(code) => code.get(),
                    None => 0,
                };
                Self { code, ..Self::new(wsp_kind::WSP_CLOSE, reason.as_bytes()) }
            }
        }
    }

    pub(crate) fn failure(error: Error) -> Self {
        let detail = match error {
            Error::ReservedBits(bits) => bits.into(),
            Error::ReservedOpcode(opcode) => opcode.into(),
            Error::InvalidUtf8 { offset } => offset,
            Error::CloseCodeForbidden(code) => code.into(),
            _ => 0,
        };
        Self { code: error.close_code().get(), detail, ..Self::NONE }
    }
}
