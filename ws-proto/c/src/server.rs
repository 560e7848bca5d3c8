//! The end that is asked for the connection: its opening handshake.

mod session;

use core::ffi::c_char;
use core::ptr;

use ws_proto::handshake::head::{self, HeadError, HeadReader, RequestHead};
use ws_proto::handshake::{Agreed, Choice, Response, Upgrade};
use ws_proto::{Config, Connection, Server as Role};

use crate::connection::{self, End, wsp_config};
use crate::handshake::{self, WSP_MAX_REQUEST_FIELDS, wsp_field};
use crate::output::{Output, wsp_output};
use crate::raw::{self, Content, Region};
use crate::result::{Outcome, wsp_result};
pub use session::*;

/// A server's end of one connection. It holds no pointer: it may be copied and moved as it is.
#[repr(C)]
pub struct wsp_server {
    /// For the library.
    pub opaque: [u64; 25],
}

/// Bytes inside of a request, without a NUL at their end.
#[repr(C)]
pub struct wsp_bytes {
    /// Where they are; null if there are none.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

/// What a client asks for.
#[repr(C)]
pub struct wsp_request {
    /// The length of the head. What came behind it are the first frames: give it to `wsp_server_next_event`
    /// once the request is accepted.
    pub head_len: usize,
    /// The target as it was sent, neither decoded nor split: a path and a query.
    pub target: wsp_bytes,
}

/// What a server answers beyond the mere acceptance. Strings end with a NUL; a list may be null if its count
/// is 0.
#[repr(C)]
pub struct wsp_choice {
    /// The subprotocols that the server speaks, the one it likes best first: the first of them that the client
    /// offers is chosen.
    pub subprotocols: *const *const c_char,
    /// How many these are: at most `WSP_MAX_SUBPROTOCOLS`.
    pub subprotocol_count: usize,
    /// Further fields of the answer: cookies.
    pub fields: *const wsp_field,
    /// How many these are: at most `WSP_MAX_FIELDS`.
    pub field_count: usize,
}

/// How far a server is.
enum Server {
    Listening(HeadReader, Config),
    Open(Connection<Role>),
    Refused,
}

impl Content for Server {
    const MAGIC: u32 = 0x5e4b_e4ed;
}

impl End for Server {
    type Role = Role;

    fn open(&mut self) -> Outcome<&mut Connection<Role>> {
        match self {
            Self::Open(conn) => Ok(conn),
            Self::Listening(..) | Self::Refused => Err(wsp_result::WSP_WRONG_PHASE),
        }
    }
}

/// Initialises a server that waits for a request. `config` may be null, for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_listen(
    server: *mut wsp_server,
    config: *const wsp_config,
) -> wsp_result {
    let listening = |config| Server::Listening(HeadReader::request(), config);
    // SAFETY: the contract.
    unsafe { init(server, config, listening) }
}

/// Initialises a server whose opening handshake other code has done, without extensions. `config` may be null,
/// for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_open(
    server: *mut wsp_server,
    config: *const wsp_config,
) -> wsp_result {
    let open = |config| Server::Open(Connection::new(Role, config, Agreed::elsewhere()));
    // SAFETY: the contract.
    unsafe { init(server, config, open) }
}

/// Reads a request: `bytes` is all that has come, from the first byte. `WSP_MORE` until the head is complete:
/// then the buffer must hold on to what it has. `WSP_OK`: it is one for a WebSocket; go on with
/// `wsp_server_accept` or `wsp_server_refuse`. Any other result is final, unless it is a mistake of the call,
/// and the response that tells the client is in the output, if there was room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_request(
    server: *mut wsp_server,
    bytes: *const u8,
    len: usize,
    request: *mut wsp_request,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { read_request(server, bytes, len, request, out) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn read_request(
    ptr: *mut wsp_server,
    bytes: *const u8,
    len: usize,
    request: *mut wsp_request,
    out: *mut wsp_output,
) -> Outcome<()> {
    let (bytes_place, request_place) = (raw::places(bytes, len)?, raw::place(request)?);
    // SAFETY: the contract.
    let (mut out, written) = unsafe { connection::output(ptr, bytes_place, out) }?;
    raw::apart_from(request_place, &written)?;
    raw::apart(&[request_place, bytes_place])?;
    // SAFETY: the contract and `places`; what is written lies elsewhere.
    let bytes = unsafe { raw::slice(bytes, len) };
    // SAFETY: the contract and `place`; nothing else refers to the server.
    let server: &mut Server = unsafe { raw::content(ptr) }?;
    let Server::Listening(reader, _) = server else {
        return Err(wsp_result::WSP_WRONG_PHASE);
    };
    let end = match reader.end(bytes) {
        Ok(None) => return Err(wsp_result::WSP_MORE),
        Ok(Some(end)) => end,
        Err(error) => {
            *server = Server::Refused;
            return Err(refuse_head(error, &mut out));
        }
    };
    let whole = bytes.get(..end).ok_or(wsp_result::WSP_LENGTH)?;
    let target = parse(whole).map_err(|error| refuse_head(error, &mut out)).and_then(|head| {
        match Upgrade::parse(head.method, &head.fields) {
            Ok(_) => Ok(head.target.as_bytes()),
            Err(reject) => {
                let _ = reject.write(&mut out);
                Err(reject.into())
            }
        }
    });
    match target {
        Ok(target) => {
            let target = wsp_bytes { data: target.as_ptr(), len: target.len() };
            // SAFETY: not null and aligned (`place`), and there (the contract).
            unsafe { request.write(wsp_request { head_len: end, target }) };
            Ok(())
        }
        Err(result) => {
            *server = Server::Refused;
            Err(result)
        }
    }
}

/// Finds a field of a request whose head, `head_len` bytes, is complete: the `nth` of that name, in any case,
/// from 0. `value` is told where in the head it is, without white space around it: null if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_request_field(
    head: *const u8,
    head_len: usize,
    name: *const c_char,
    nth: usize,
    value: *mut wsp_bytes,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { find_field(head, head_len, name, nth, value) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn find_field(
    head: *const u8,
    head_len: usize,
    name: *const c_char,
    nth: usize,
    value: *mut wsp_bytes,
) -> Outcome<()> {
    let place = raw::place(value)?;
    raw::apart(&[raw::places(head, head_len)?, place])?;
    // SAFETY: the contract and `places`; what is written lies elsewhere.
    let head = parse(unsafe { raw::slice(head, head_len) })?;
    // SAFETY: the contract.
    let name = unsafe { raw::string(name, &[place]) }?;
    let mut named = head.fields.iter().filter(|f| f.name.as_bytes().eq_ignore_ascii_case(name));
    let found = match named.nth(nth) {
        Some(field) => wsp_bytes { data: field.value.as_ptr(), len: field.value.len() },
        None => wsp_bytes { data: ptr::null(), len: 0 },
    };
    // SAFETY: not null and aligned (`place`), and there (the contract).
    unsafe { value.write(found) };
    Ok(())
}

/// Accepts the request whose head, `head_len` bytes, `wsp_server_request` has found good. `choice` may be null,
/// for nothing. `subprotocol` is told the one that was chosen, null for none; it may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_accept(
    server: *mut wsp_server,
    head: *const u8,
    head_len: usize,
    choice: *const wsp_choice,
    subprotocol: *mut *const c_char,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { accept(server, head, head_len, choice, subprotocol, out) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn accept(
    ptr: *mut wsp_server,
    head: *const u8,
    head_len: usize,
    choice: *const wsp_choice,
    subprotocol: *mut *const c_char,
    out: *mut wsp_output,
) -> Outcome<()> {
    let head_place = raw::places(head, head_len)?;
    let chosen_place = raw::places(subprotocol, usize::from(!subprotocol.is_null()))?;
    // SAFETY: the contract.
    let (mut out, [place, out_place, buffer]) =
        unsafe { connection::output(ptr, head_place, out) }?;
    let written = [place, out_place, buffer, chosen_place];
    raw::apart(&written)?;
    raw::apart(&[head_place, chosen_place])?;
    let choice = match choice.is_null() {
        true => wsp_choice {
            subprotocols: ptr::null(),
            subprotocol_count: 0,
            fields: ptr::null(),
            field_count: 0,
        },
        false => {
            raw::apart_from(raw::place(choice)?, &written)?;
            // SAFETY: not null, aligned (`place`), there and written (the contract).
            unsafe { ptr::read(choice) }
        }
    };
    let (names, count) = (choice.subprotocols, choice.subprotocol_count);
    // SAFETY: the contract; what is written lies elsewhere.
    let preferred = unsafe { handshake::subprotocols(names, count, &written) }?;
    let illegal = wsp_result::WSP_ACCEPT_FIELD;
    // SAFETY: as before.
    let fields =
        unsafe { handshake::fields(choice.fields, choice.field_count, &written, illegal) }?;
    // SAFETY: the contract and `place`; nothing else refers to the server.
    let server: &mut Server = unsafe { raw::content(ptr) }?;
    let Server::Listening(_, config) = server else {
        return Err(wsp_result::WSP_WRONG_PHASE);
    };
    // SAFETY: the contract and `places`; what is written lies elsewhere.
    let head = parse(unsafe { raw::slice(head, head_len) })?;
    let upgrade = Upgrade::parse(head.method, &head.fields)?;
    let chosen = upgrade.choose(&preferred);
    let agreed = upgrade.accept(Choice { subprotocol: chosen, fields: &fields }, &mut out)?;
    *server = Server::Open(Connection::new(Role, *config, agreed));
    if !subprotocol.is_null() {
        let at = chosen.and_then(|chosen| preferred.iter().position(|name| *name == chosen));
        // SAFETY: the contract and `places`, as in `subprotocols`.
        let names = unsafe { raw::slice(names, count) };
        // SAFETY: not null and aligned (`places`), and there (the contract).
        unsafe { subprotocol.write(at.and_then(|at| names.get(at)).map_or(ptr::null(), |n| *n)) };
    }
    Ok(())
}

/// Refuses a request for a reason of yours: an unknown path, an origin, credentials. `status` is 200 to 599,
/// `body` a line of text. The response is complete; send it, then close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_server_refuse(
    server: *mut wsp_server,
    status: u16,
    body: *const c_char,
    out: *mut wsp_output,
) -> wsp_result {
    // SAFETY: the contract.
    unsafe { refuse(server, status, body, out) }.into()
}

/// # Safety
/// The contract (`raw`).
unsafe fn refuse(
    ptr: *mut wsp_server,
    status: u16,
    body: *const c_char,
    out: *mut wsp_output,
) -> Outcome<()> {
    // SAFETY: the contract.
    let (mut out, written) = unsafe { connection::output(ptr, Region::NOTHING, out) }?;
    // SAFETY: the contract; what is written lies elsewhere.
    let body = unsafe { raw::string(body, &written) }?;
    // SAFETY: the contract and `place`; nothing else refers to the server.
    let server: &mut Server = unsafe { raw::content(ptr) }?;
    let Server::Listening(..) = server else { return Err(wsp_result::WSP_WRONG_PHASE) };
    if !(200..600).contains(&status) {
        return Err(wsp_result::WSP_BAD_VALUE);
    }
    Response { status, fields: &[], body }.write(&mut out)?;
    *server = Server::Refused;
    Ok(())
}

/// # Safety
/// The contract (`raw`).
unsafe fn init(
    server: *mut wsp_server,
    config: *const wsp_config,
    content: impl FnOnce(Config) -> Server,
) -> wsp_result {
    // SAFETY: the contract.
    let config = unsafe { connection::config(config) };
    match raw::place(server).and(config) {
        Ok(config) => {
            // SAFETY: the contract and `place`.
            unsafe { raw::init(server, content(config)) };
            wsp_result::WSP_OK
        }
        Err(result) => result,
    }
}

/// A complete head, of HTTP/1.1.
fn parse(head: &[u8]) -> Result<RequestHead<'_, WSP_MAX_REQUEST_FIELDS>, HeadError> {
    let head = head::request_of(head)?;
    if head.minor_version == 1 { Ok(head) } else { Err(HeadError::Version) }
}

/// Answers a head that is malformed, if there is room.
fn refuse_head(error: HeadError, out: &mut Output) -> wsp_result {
    let result = wsp_result::from(error);
    let text = result.text().to_bytes();
    let _ = Response { status: error.status(), fields: &[], body: text }.write(out);
    result
}
