//! The end that asks for the connection.

use core::ffi::{c_char, c_void};
use core::ptr;

use ws_proto::handshake::head::HeadReader;
use ws_proto::handshake::{Agreed, Ask, HandshakeError, Pending};
use ws_proto::{Config, Connection, KeyedClient};

use crate::connection::{self, Call, End, wsp_closed, wsp_config, wsp_state, wsp_transport};
use crate::event::{wsp_event, wsp_input};
use crate::handshake::{self, wsp_ask};
use crate::output::wsp_output;
use crate::raw::{self, Content};
use crate::result::{Outcome, wsp_result};

/// A client's end of one connection. It holds no pointer: it may be copied and moved as it is.
#[repr(C)]
pub struct wsp_client {
    /// For the library.
    pub opaque: [u64; 26],
}

/// What a server has answered.
#[repr(C)]
pub struct wsp_response {
    /// The length of the head. What came behind it are the first frames: give it to `wsp_client_next_event`.
    pub head_len: usize,
    /// The status code, with `WSP_RESPONSE_STATUS` and with `WSP_OK`.
    pub status: u16,
    /// The subprotocol that the server chose: one of those of the `wsp_ask`, null for none.
    pub subprotocol: *const c_char,
}

/// How far a client is.
enum Client {
    Asked { proof: [u8; 28], reader: HeadReader, config: Config },
    Open(Connection<KeyedClient>),
    Refused,
}

impl Content for Client {
    const MAGIC: u32 = 0xc11e_47e5;
}

impl End for Client {
    type Role = KeyedClient;

    fn open(&mut self) -> Outcome<&mut Connection<KeyedClient>> {
        match self {
            Self::Open(conn) => Ok(conn),
            Self::Asked { .. } | Self::Refused => Err(wsp_result::WSP_WRONG_PHASE),
        }
    }
}

/// Initialises a client and appends its request. Send that, then read the answer: `wsp_client_response`.
///
/// `nonce` is 16 random bytes, new for each connection (4.1). `config` may be null, for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_request(
    client: *mut wsp_client,
    config: *const wsp_config,
    ask: *const wsp_ask,
    nonce: *const u8,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { request(client, config, ask, nonce, out) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn request(
    client: *mut wsp_client,
    config: *const wsp_config,
    ask: *const wsp_ask,
    nonce: *const u8,
    out: *mut wsp_output,
) -> Outcome<()> {
    // SAFETY: the contract.
    let config = unsafe { connection::config(config) }?;
    let (ask_place, nonce_place) = (raw::place(ask)?, raw::place(nonce.cast::<[u8; 16]>())?);
    // SAFETY: the contract.
    let (mut out, written) = unsafe { connection::output(client, ask_place, out) }?;
    raw::apart_from(nonce_place, &written)?;
    // SAFETY: not null, aligned (`place`), there and written (the contract).
    let ask = unsafe { ptr::read(ask) };
    // SAFETY: as before.
    let nonce = unsafe { nonce.cast::<[u8; 16]>().read() };
    // SAFETY: the contract; here and below, what is written lies elsewhere.
    let host = unsafe { handshake::text(ask.host, &written, wsp_result::WSP_ASK_HOST) }?;
    // SAFETY: as before.
    let target = unsafe { handshake::text(ask.target, &written, wsp_result::WSP_ASK_TARGET) }?;
    // SAFETY: as before.
    let names =
        unsafe { handshake::subprotocols(ask.subprotocols, ask.subprotocol_count, &written) }?;
    let illegal = wsp_result::WSP_ASK_FIELD;
    // SAFETY: as before.
    let fields = unsafe { handshake::fields(ask.fields, ask.field_count, &written, illegal) }?;
    let ask = Ask { host, target, subprotocols: &names, fields: &fields };
    let proof = Pending::request(ask, nonce, &mut out)?.proof();
    // SAFETY: the contract, `place`; what was borrowed is not used any more.
    unsafe { raw::init(client, Client::Asked { proof, reader: HeadReader::response(), config }) };
    Ok(())
}

/// Reads the answer: `bytes` is all that has come since the request, from the first byte. `WSP_MORE` until
/// the head is complete: then the buffer must hold on to what it has. `ask` is that of the request, of which
/// this needs the subprotocols. Any other result but `WSP_OK` is final, unless it is a mistake of the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_response(
    client: *mut wsp_client,
    ask: *const wsp_ask,
    bytes: *const u8,
    len: usize,
    response: *mut wsp_response,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { read_response(client, ask, bytes, len, response) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn read_response(
    ptr: *mut wsp_client,
    ask: *const wsp_ask,
    bytes: *const u8,
    len: usize,
    response: *mut wsp_response,
) -> Outcome<()> {
    let written = [raw::place(ptr)?, raw::place(response)?];
    raw::apart(&written)?;
    raw::apart_from(raw::place(ask)?, &written)?;
    raw::apart_from(raw::places(bytes, len)?, &written)?;
    // SAFETY: not null, aligned (`place`), there and written (the contract).
    let ask = unsafe { ptr::read(ask) };
    // SAFETY: the contract; what is written lies elsewhere.
    let offered =
        unsafe { handshake::subprotocols(ask.subprotocols, ask.subprotocol_count, &written) }?;
    // SAFETY: the contract and `places`; what is written lies elsewhere.
    let bytes = unsafe { raw::slice(bytes, len) };
    // SAFETY: the contract and `place`; nothing else refers to the client.
    let client: &mut Client = unsafe { raw::content(ptr) }?;
    let Client::Asked { proof, reader, config } = client else {
        return Err(wsp_result::WSP_WRONG_PHASE);
    };
    let mut answer = wsp_response { head_len: 0, status: 0, subprotocol: ptr::null() };
    let outcome = match reader.end(bytes) {
        Ok(None) => return Err(wsp_result::WSP_MORE),
        Ok(Some(end)) => {
            answer.head_len = end;
            let head = bytes.get(..end).ok_or(wsp_result::WSP_LENGTH)?;
            Pending::of_proof(*proof, &offered).finish_head(head)
        }
        Err(error) => Err(error.into()),
    };
    let config = *config;
    let result = match outcome {
        Ok(accepted) => {
            answer.status = 101;
            let chosen =
                accepted.subprotocol.and_then(|name| offered.iter().position(|n| *n == name));
            // SAFETY: the contract and `places`, as in `subprotocols`.
            let names = unsafe { raw::slice(ask.subprotocols, ask.subprotocol_count) };
            answer.subprotocol =
                chosen.and_then(|i| names.get(i)).map_or(ptr::null(), |name| *name);
            let conn = Connection::new(KeyedClient::default(), config, accepted.agreed);
            *client = Client::Open(conn);
            Ok(())
        }
        Err(error) => {
            if let HandshakeError::Status(status) = error {
                answer.status = status;
            }
            *client = Client::Refused;
            Err(error.into())
        }
    };
    // SAFETY: not null and aligned (`place`), and there (the contract).
    unsafe { response.write(answer) };
    result
}

/// Initialises a client whose opening handshake other code has done, without extensions. `config` may be null,
/// for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_open(
    client: *mut wsp_client,
    config: *const wsp_config,
) -> wsp_result {
    // SAFETY: the contract.
    let config = unsafe { connection::config(config) };
    match raw::place(client).and(config) {
        Ok(config) => {
            let conn = Connection::new(KeyedClient::default(), config, Agreed::elsewhere());
            // SAFETY: the contract and `place`.
            unsafe { raw::init(client, Client::Open(conn)) };
            wsp_result::WSP_OK
        }
        Err(result) => result,
    }
}

/// The next event of what the server has sent. Call it until the event is `WSP_NONE`, or a result says that the
/// server broke the protocol: send what `wsp_client_poll_transmit` yields, then do what
/// `wsp_client_transport` says. After a `WSP_PING`, call `wsp_client_poll_transmit` before the next call: a
/// pong is owed to the newest ping only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_next_event(
    client: *mut wsp_client,
    input: *mut wsp_input,
    event: *mut wsp_event,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { connection::next_event::<_, Client>(client, input, event) }.into()
}

/// Sends a message, or a fragment of one: `kind` is `WSP_TEXT` or `WSP_BINARY`, the same for all fragments,
/// and `last` is not 0 if the message ends with this one.
///
/// `key` is 32 random bits, new for each frame (5.3), as are all keys: from the device's generator of random
/// numbers, not from `rand()` or a counter. Who can predict them and choose what is sent can make a client
/// write bytes of their choice on the wire, say a request that a proxy on the way takes for one and whose
/// answer it caches for everybody (10.3). Only the client's side can prevent that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_send(
    client: *mut wsp_client,
    kind: u8,
    data: *const c_void,
    len: usize,
    last: u8,
    key: u32,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { call(client, data, len, [key, 0], out) }.and_then(|call| call.send(kind, last)).into()
}

/// Appends only the header of such a frame, and needs room for 14 bytes. The caller sends `len` bytes of
/// payload behind it, all of them and nothing else before, masked with `wsp_mask` and the same `key`: from
/// another buffer, or longer than any. Text must be UTF-8, which the server checks if nobody else does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_send_header(
    client: *mut wsp_client,
    kind: u8,
    len: u64,
    last: u8,
    key: u32,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { call(client, ptr::null(), 0, [key, 0], out) };
    call.and_then(|call| call.send_header(kind, len, last)).into()
}

/// Sends a ping with at most 125 bytes of payload, which the server's pong carries back (5.5.2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_ping(
    client: *mut wsp_client,
    payload: *const c_void,
    len: usize,
    key: u32,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { call(client, payload, len, [key, 0], out) }.and_then(Call::ping).into()
}

/// Sends a pong with at most 125 bytes of payload: one that nobody asked for, or an answer where
/// `wsp_config.manual_pongs` is set (5.5.3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_pong(
    client: *mut wsp_client,
    payload: *const c_void,
    len: usize,
    key: u32,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { call(client, payload, len, [key, 0], out) }.and_then(Call::pong).into()
}

/// Begins the closing handshake. `code` is one that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999
/// (7.4); `reason` is UTF-8 of at most 123 bytes. A pong that is owed goes first, so there are two keys;
/// with `WSP_FULL` it may have gone alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_close(
    client: *mut wsp_client,
    code: u16,
    reason: *const c_void,
    len: usize,
    key: u32,
    second_key: u32,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { call(client, reason, len, [key, second_key], out) };
    call.and_then(|call| call.close(code)).into()
}

/// Sends what the connection owes by itself: the pong for the newest ping, then the answer to a Close frame or
/// the Close frame that tells of a failure. That may be two frames, so there are two keys. With `WSP_FULL`,
/// what did not fit stays owed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_poll_transmit(
    client: *mut wsp_client,
    key: u32,
    second_key: u32,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    let call = unsafe { call(client, ptr::null(), 0, [key, second_key], out) };
    call.and_then(Call::poll_transmit).into()
}

/// The server's bytes have ended, or the transport broke. A second call gives what the first gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_peer_eof(client: *mut wsp_client) -> wsp_closed {
    // SAFETY: the contract and `place`; nothing else refers to the client.
    let content = raw::place(client).and_then(|_| unsafe { raw::content(client) });
    match content {
        Ok(Client::Open(conn)) => connection::closed(conn.peer_eof()),
        Ok(asked) => {
            *asked = Client::Refused;
            wsp_closed::WSP_CLOSED_ABNORMAL
        }
        Err(_) => wsp_closed::WSP_CLOSED_ABNORMAL,
    }
}

/// How far the connection is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_state(client: *const wsp_client) -> wsp_state {
    // SAFETY: the contract and `place`; the client is not written meanwhile.
    let content = raw::place(client).and_then(|_| unsafe { raw::content_ref(client) });
    match content {
        Ok(Client::Open(conn)) => connection::state(conn.state()),
        Ok(Client::Asked { .. }) => wsp_state::WSP_STATE_CONNECTING,
        Ok(Client::Refused) | Err(_) => wsp_state::WSP_STATE_CLOSED,
    }
}

/// What to do with the byte stream now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_client_transport(client: *const wsp_client) -> wsp_transport {
    // SAFETY: the contract and `place`; the client is not written meanwhile.
    let content = raw::place(client).and_then(|_| unsafe { raw::content_ref(client) });
    match content {
        Ok(Client::Open(conn)) => connection::transport(conn.transport()),
        Ok(Client::Asked { .. }) => wsp_transport::WSP_TRANSPORT_KEEP,
        Ok(Client::Refused) | Err(_) => wsp_transport::WSP_TRANSPORT_CLOSE,
    }
}

/// A call that sends with these keys.
///
/// # Safety
/// The contract (`raw`).
unsafe fn call<'c>(
    client: *mut wsp_client,
    payload: *const c_void,
    len: usize,
    keys: [u32; 2],
    out: *mut wsp_output,
) -> Outcome<Call<'c, Client>> {
    // SAFETY: the contract.
    let call = unsafe { Call::<Client>::new(client, payload, len, out) }?;
    call.conn.role_mut().set_keys(keys.map(u32::to_be_bytes));
    Ok(call)
}
