//! What clients and servers have in common once their handshake is over.

use core::ffi::c_void;
use core::ptr;
use core::str;

use ws_proto::{
    CloseCode, Closed, Config, Connection, Input, Message, Pongs, Role, Scratch, Sink, State,
    Transport,
};

use crate::event::{wsp_event, wsp_input, wsp_kind};
use crate::output::{Output, wsp_output};
use crate::raw::{self, Content, Region};
use crate::result::{Outcome, wsp_result};

/// What a connection accepts.
#[repr(C)]
pub struct wsp_config {
    /// The largest message that is accepted, in bytes of payload over all its fragments. Exact: a message of
    /// this size passes, one byte more is `WSP_PEER_MESSAGE_TOO_BIG`. It may be larger than every buffer.
    /// Default: 1 MiB.
    pub max_message: u64,
    /// 0: pings are answered by `..._poll_transmit`. Otherwise you answer them, with `..._pong`. Default: 0.
    pub manual_pongs: u8,
}

/// How far a connection is (RFC 6455 7.1).
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum wsp_state {
    /// The opening handshake is not over.
    WSP_STATE_CONNECTING = 0,
    /// Messages go both ways.
    WSP_STATE_OPEN = 1,
    /// This end has sent a Close frame: the peer's messages still come, none can be sent.
    WSP_STATE_CLOSE_SENT = 2,
    /// The peer has sent a Close frame, and `..._poll_transmit` has yet to answer it.
    WSP_STATE_CLOSE_RECEIVED = 3,
    /// It is over, or the connection has failed, or the peer's bytes have ended. A Close frame that tells of a
    /// failure may still have to be sent. The same for an object that is not initialised.
    WSP_STATE_CLOSED = 4,
}

/// What to do with the byte stream below.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum wsp_transport {
    /// Go on; `..._poll_transmit` may have something to send.
    WSP_TRANSPORT_KEEP = 0,
    /// Send what is in the output, then close. While the peer may still be sending, shut down the sending side
    /// first and read to the end: bytes that are not read can make the network drop the Close frame (7.1.1).
    /// The same for an object that is not initialised.
    WSP_TRANSPORT_CLOSE = 1,
    /// Send what is in the output, then wait a while for the server to close (7.1.1).
    WSP_TRANSPORT_AWAIT_EOF = 2,
}

/// How a connection ended.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum wsp_closed {
    /// Both ends have said Close, or owe nothing but the answer (7.1.4).
    WSP_CLOSED_CLEAN = 0,
    /// The peer's bytes ended without a closing handshake, or after a failure: 1006 in other interfaces
    /// (7.1.5). The same for an object that is not initialised.
    WSP_CLOSED_ABNORMAL = 1,
}

/// A client or a server, as C holds it.
pub(crate) trait End: Content {
    type Role: Role;

    /// The connection, if its handshake is over.
    fn open(&mut self) -> Outcome<&mut Connection<Self::Role>>;
}

/// The checked arguments of a call that sends.
pub(crate) struct Call<'c, E: End + 'c> {
    pub(crate) conn: &'c mut Connection<E::Role>,
    payload: &'c [u8],
    pub(crate) out: Output,
}

impl<'c, E: End + 'c> Call<'c, E> {
    /// # Safety
    /// The contract (`raw`).
    pub(crate) unsafe fn new<O>(
        object: *mut O,
        payload: *const c_void,
        len: usize,
        out: *mut wsp_output,
    ) -> Outcome<Self> {
        let (place, payload) = (raw::place(object)?, payload.cast());
        let bytes = raw::places(payload, len)?;
        // SAFETY: the contract; that nothing else lies there is checked next.
        let (out, [out_place, buffer]) = unsafe { Output::new(out) }?;
        raw::apart(&[place, bytes, out_place, buffer])?;
        // SAFETY: the contract, `place`, and nothing else refers to the object.
        let conn = unsafe { raw::content::<O, E>(object) }?.open()?;
        // SAFETY: the contract, `places`, and what is written lies elsewhere.
        let payload = unsafe { raw::slice(payload, len) };
        Ok(Self { conn, payload, out })
    }

    pub(crate) fn send(mut self, kind: u8, last: u8) -> Outcome<()> {
        let message = match kind {
            TEXT => Message::Text(self.text()?),
            BINARY => Message::Binary(self.payload),
            _ => return Err(wsp_result::WSP_BAD_VALUE),
        };
        Ok(self.conn.send(message, last != 0, &mut self.out)?)
    }

    pub(crate) fn send_header(mut self, kind: u8, len: u64, last: u8) -> Outcome<()> {
        let kind = match kind {
            TEXT => ws_proto::Kind::Text,
            BINARY => ws_proto::Kind::Binary,
            _ => return Err(wsp_result::WSP_BAD_VALUE),
        };
        // Once the connection has given the header away, it must go out.
        if self.out.room() < MAX_HEADER {
            return Err(wsp_result::WSP_FULL);
        }
        let header = self.conn.send_header(kind, len, last != 0)?;
        self.out.put(header.as_bytes(), &[])?;
        Ok(())
    }

    pub(crate) fn ping(mut self) -> Outcome<()> {
        Ok(self.conn.ping(self.payload, &mut self.out)?)
    }

    pub(crate) fn pong(mut self) -> Outcome<()> {
        Ok(self.conn.pong(self.payload, &mut self.out)?)
    }

    pub(crate) fn close(mut self, code: u16) -> Outcome<()> {
        let code = CloseCode::new(code).ok_or(wsp_result::WSP_BAD_VALUE)?;
        let reason = self.text()?;
        Ok(self.conn.close(code, reason, &mut self.out)?)
    }

    pub(crate) fn poll_transmit(mut self) -> Outcome<()> {
        Ok(self.conn.poll_transmit(&mut self.out)?)
    }

    fn text(&self) -> Outcome<&'c str> {
        str::from_utf8(self.payload).map_err(|_| wsp_result::WSP_NOT_UTF8)
    }
}

/// `..._next_event`.
///
/// # Safety
/// The contract (`raw`).
pub(crate) unsafe fn next_event<O, E: End>(
    object: *mut O,
    input: *mut wsp_input,
    event: *mut wsp_event,
) -> Outcome<()> {
    let places = [raw::place(object)?, raw::place(input)?, raw::place(event)?];
    // SAFETY: not null, aligned (`place`), and there (the contract).
    let data = unsafe { &raw mut (*input).data };
    // SAFETY: as before.
    let len = unsafe { &raw mut (*input).len };
    // SAFETY: as before.
    let scratch = unsafe { &raw mut (*input).scratch };
    // SAFETY: a field that the caller has written.
    let (from, of) = (unsafe { data.read() }, unsafe { len.read() });
    let bytes = raw::places(from, of)?;
    let [object_place, input_place, event_place] = places;
    raw::apart(&[object_place, input_place, event_place, bytes])?;
    // SAFETY: the contract, `place`, and nothing else refers to the object.
    let conn = unsafe { raw::content::<O, E>(object) }?.open()?;
    // SAFETY: a `Scratch` is its 125 bytes (asserted in `event`), any will do, and nothing else refers to
    // them: what an event before borrowed is gone by contract.
    let lent_scratch = unsafe { &mut *scratch.cast::<Scratch>() };
    // SAFETY: the contract, `places`, and nothing else of the call lies there.
    let lent_bytes = unsafe { raw::slice_mut(from, of) };
    let mut lent = Input::new(lent_bytes, lent_scratch);
    let (told, outcome) = match conn.next_event(&mut lent) {
        Ok(None) => (wsp_event::NONE, Ok(())),
        Ok(Some(next)) => (wsp_event::of(next), Ok(())),
        Err(error) => (wsp_event::failure(error), Err(error.into())),
    };
    let left = lent.len();
    // SAFETY: not null, aligned and there, as the input.
    unsafe { event.write(told) };
    // SAFETY: as before.
    unsafe { len.write(left) };
    // SAFETY: as before; what is left is at the end of the bytes.
    unsafe { data.write(from.wrapping_add(of.saturating_sub(left))) };
    outcome
}

/// # Safety
/// The contract (`raw`); null stands for the defaults.
pub(crate) unsafe fn config(ptr: *const wsp_config) -> Outcome<Config> {
    if ptr.is_null() {
        return Ok(Config::default());
    }
    raw::place(ptr)?;
    // SAFETY: not null, aligned (`place`), there and written (the contract).
    let wsp_config { max_message, manual_pongs } = unsafe { ptr::read(ptr) };
    let pongs = if manual_pongs == 0 { Pongs::Automatic } else { Pongs::Manual };
    Ok(Config { max_message, pongs })
}

pub(crate) const fn state(state: State) -> wsp_state {
    match state {
        State::Open => wsp_state::WSP_STATE_OPEN,
        State::CloseSent => wsp_state::WSP_STATE_CLOSE_SENT,
        State::CloseReceived => wsp_state::WSP_STATE_CLOSE_RECEIVED,
        State::Closed => wsp_state::WSP_STATE_CLOSED,
    }
}

pub(crate) const fn transport(transport: Transport) -> wsp_transport {
    match transport {
        Transport::Keep => wsp_transport::WSP_TRANSPORT_KEEP,
        Transport::Close => wsp_transport::WSP_TRANSPORT_CLOSE,
        Transport::AwaitEof => wsp_transport::WSP_TRANSPORT_AWAIT_EOF,
    }
}

pub(crate) const fn closed(closed: Closed) -> wsp_closed {
    match closed {
        Closed::Clean => wsp_closed::WSP_CLOSED_CLEAN,
        Closed::Abnormal => wsp_closed::WSP_CLOSED_ABNORMAL,
    }
}

pub(crate) const TEXT: u8 = wsp_kind::WSP_TEXT as u8;
pub(crate) const BINARY: u8 = wsp_kind::WSP_BINARY as u8;

/// The longest header of a frame.
const MAX_HEADER: usize = 14;

/// An output, and all that is written where there is one: an object, the output itself, its buffer. None of
/// them overlaps another one, nor what is `read`.
///
/// # Safety
/// The contract (`raw`).
pub(crate) unsafe fn output<O>(
    object: *mut O,
    read: Region,
    out: *mut wsp_output,
) -> Outcome<(Output, [Region; 3])> {
    let place = raw::place(object)?;
    // SAFETY: the contract; that nothing else lies there is checked next.
    let (output, [out_place, buffer]) = unsafe { Output::new(out) }?;
    let written = [place, out_place, buffer];
    raw::apart(&written)?;
    raw::apart_from(read, &written)?;
    Ok((output, written))
}
