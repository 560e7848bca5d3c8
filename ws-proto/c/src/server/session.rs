//! A server whose opening handshake is over.

use core::ffi::c_void;
use core::ptr;

use super::{Server, wsp_server};
use crate::connection::{self, Call, wsp_closed, wsp_state, wsp_transport};
use crate::event::{wsp_event, wsp_input};
use crate::output::wsp_output;
use crate::raw;
use crate::result::wsp_result;

/// The next event of what the client has sent. Call it until the event is `WSP_NONE`, or a result says that the
/// client broke the protocol: send what `wsp_server_poll_transmit` yields, then do what
/// `wsp_server_transport` says. After a `WSP_PING`, call `wsp_server_poll_transmit` before the next call: a
/// pong is owed to the newest ping only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_next_event(
    server: *mut wsp_server,
    input: *mut wsp_input,
    event: *mut wsp_event,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { connection::next_event::<_, Server>(server, input, event) }.into()
}

/// Sends a message, or a fragment of one: `kind` is `WSP_TEXT` or `WSP_BINARY`, the same for all fragments,
/// and `last` is not 0 if the message ends with this one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_send(
    server: *mut wsp_server,
    kind: u8,
    data: *const c_void,
    len: usize,
    last: u8,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { Call::<Server>::new(server, data, len, out) };
    call.and_then(|call| call.send(kind, last)).into()
}

/// Appends only the header of such a frame, and needs room for 14 bytes. The caller sends `len` bytes of
/// payload behind it, all of them and nothing else before: from another buffer, or longer than any. Text must be
/// UTF-8, which the client checks if nobody else does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_send_header(
    server: *mut wsp_server,
    kind: u8,
    len: u64,
    last: u8,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { Call::<Server>::new(server, ptr::null(), 0, out) };
    call.and_then(|call| call.send_header(kind, len, last)).into()
}

/// Sends a ping with at most 125 bytes of payload, which the client's pong carries back (5.5.2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_ping(
    server: *mut wsp_server,
    payload: *const c_void,
    len: usize,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { Call::<Server>::new(server, payload, len, out) }.and_then(Call::ping).into()
}

/// Sends a pong with at most 125 bytes of payload: one that nobody asked for, or an answer where
/// `wsp_config.manual_pongs` is set (5.5.3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_pong(
    server: *mut wsp_server,
    payload: *const c_void,
    len: usize,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { Call::<Server>::new(server, payload, len, out) }.and_then(Call::pong).into()
}

/// Begins the closing handshake. `code` is one that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999
/// (7.4); `reason` is UTF-8 of at most 123 bytes. A pong that is owed goes first; with `WSP_FULL` it may have
/// gone alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_close(
    server: *mut wsp_server,
    code: u16,
    reason: *const c_void,
    len: usize,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { Call::<Server>::new(server, reason, len, out) };
    call.and_then(|call| call.close(code)).into()
}

/// Sends what the connection owes by itself: the pong for the newest ping, then the answer to a Close frame or
/// the Close frame that tells of a failure. With `WSP_FULL`, what did not fit stays owed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_poll_transmit(
    server: *mut wsp_server,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { Call::<Server>::new(server, ptr::null(), 0, out) };
    call.and_then(Call::poll_transmit).into()
}

/// The client's bytes have ended, or the transport broke. A second call gives what the first gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_peer_eof(server: *mut wsp_server) -> wsp_closed {
    // SAFETY: the contract and `place`; nothing else refers to the server.
    let content = raw::place(server).and_then(|_| unsafe { raw::content(server) });
    match content {
        Ok(Server::Open(conn)) => connection::closed(conn.peer_eof()),
        Ok(listening) => {
            *listening = Server::Refused;
            wsp_closed::WSP_CLOSED_ABNORMAL
        }
        Err(_) => wsp_closed::WSP_CLOSED_ABNORMAL,
    }
}

/// How far the connection is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_state(server: *const wsp_server) -> wsp_state {
    // SAFETY: the contract and `place`; the server is not written meanwhile.
    let content = raw::place(server).and_then(|_| unsafe { raw::content_ref(server) });
    match content {
        Ok(Server::Open(conn)) => connection::state(conn.state()),
        Ok(Server::Listening(..)) => wsp_state::WSP_STATE_CONNECTING,
        Ok(Server::Refused) | Err(_) => wsp_state::WSP_STATE_CLOSED,
    }
}

/// What to do with the byte stream now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_transport(server: *const wsp_server) -> wsp_transport {
    // SAFETY: the contract and `place`; the server is not written meanwhile.
    let content = raw::place(server).and_then(|_| unsafe { raw::content_ref(server) });
    match content {
        Ok(Server::Open(conn)) => connection::transport(conn.transport()),
        Ok(Server::Listening(..)) => wsp_transport::WSP_TRANSPORT_KEEP,
        Ok(Server::Refused) | Err(_) => wsp_transport::WSP_TRANSPORT_CLOSE,
    }
}
