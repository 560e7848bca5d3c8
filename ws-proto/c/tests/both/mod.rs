//! A client or a server behind the functions of the header, as tests use it.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::ffi::c_void;
use std::mem::{MaybeUninit, zeroed};
use std::{slice, str};

use ws_proto::{CloseCode, Config, Error, Event, Part, Pongs, State, Transport};
use ws_proto_c::wsp_result::*;
use ws_proto_c::*;

/// The masking key of every frame.
const KEY: u32 = 0x37fa_213d;

pub(crate) enum Conn {
    Client(Box<wsp_client>),
    Server(Box<wsp_server>),
}

pub(crate) enum Step<'i> {
    None,
    Event(Event<'i>),
    Failed(Error),
}

/// Memory that holds anything, as that of C does.
pub(crate) fn garbage<T>() -> Box<T> {
    let mut object = Box::new(MaybeUninit::<T>::uninit());
    unsafe { object.as_mut_ptr().write_bytes(0xa5, 1) };
    unsafe { Box::from_raw(Box::into_raw(object).cast()) }
}

fn config_of(config: Config) -> wsp_config {
    let manual_pongs = (config.pongs == Pongs::Manual).into();
    wsp_config { max_message: config.max_message, manual_pongs }
}

impl Conn {
    pub(crate) fn client(config: Config) -> Self {
        let mut client = garbage();
        assert_eq!(unsafe { wsp_client_open(&raw mut *client, &config_of(config)) }, WSP_OK);
        Self::Client(client)
    }

    pub(crate) fn server(config: Config) -> Self {
        let mut server = garbage();
        assert_eq!(unsafe { wsp_server_open(&raw mut *server, &config_of(config)) }, WSP_OK);
        Self::Server(server)
    }

    pub(crate) fn input(bytes: &mut [u8]) -> wsp_input {
        wsp_input { data: bytes.as_mut_ptr(), len: bytes.len(), scratch: [0xa5; 125] }
    }

    pub(crate) fn next_event<'i>(&mut self, input: &'i mut wsp_input) -> Step<'i> {
        let mut event = unsafe { zeroed::<wsp_event>() };
        let result = match self {
            Self::Client(client) => unsafe {
                wsp_client_next_event(&raw mut **client, input, &mut event)
            },
            Self::Server(server) => unsafe {
                wsp_server_next_event(&raw mut **server, input, &mut event)
            },
        };
        if result != WSP_OK {
            let error = error_of(result, event.detail);
            assert_eq!((event.kind, event.code), (wsp_kind::WSP_NONE, error.close_code().get()));
            return Step::Failed(error);
        }
        let data = match event.len {
            0 => &[],
            len => unsafe { slice::from_raw_parts(event.data, len) },
        };
        let text = || str::from_utf8(data).expect("text is UTF-8");
        let (first, last) = (event.first, event.last);
        Step::Event(match event.kind {
            wsp_kind::WSP_NONE => return Step::None,
            wsp_kind::WSP_TEXT => Event::Text(Part { data: text(), first, last }),
            wsp_kind::WSP_BINARY => Event::Binary(Part { data, first, last }),
            wsp_kind::WSP_PING => Event::Ping(data),
            wsp_kind::WSP_PONG => Event::Pong(data),
            wsp_kind::WSP_CLOSE => Event::Close(CloseCode::new(event.code), text()),
        })
    }

    /// Appends to `sent` what `append` appends to an output with room for `size` bytes.
    pub(crate) fn sending(
        sent: &mut Vec<u8>,
        size: usize,
        append: impl FnOnce(*mut wsp_output) -> wsp_result,
    ) -> wsp_result {
        let mut buffer = vec![MaybeUninit::<u8>::uninit(); size].into_boxed_slice();
        let mut out = wsp_output { data: buffer.as_mut_ptr().cast(), size, len: 0 };
        let result = append(&raw mut out);
        sent.extend(buffer[..out.len].iter().map(|byte| unsafe { byte.assume_init() }));
        result
    }

    pub(crate) fn poll_transmit(&mut self, sent: &mut Vec<u8>) {
        let result = Self::sending(sent, 400, |out| match self {
            Self::Client(client) => unsafe {
                wsp_client_poll_transmit(&raw mut **client, KEY, KEY, out)
            },
            Self::Server(server) => unsafe { wsp_server_poll_transmit(&raw mut **server, out) },
        });
        assert_eq!(result, WSP_OK);
    }

    pub(crate) fn send(
        &mut self,
        kind: wsp_kind,
        data: &[u8],
        last: bool,
        sent: &mut Vec<u8>,
    ) -> wsp_result {
        let (kind, last, len) = (kind as u8, last.into(), data.len());
        let data = data.as_ptr().cast::<c_void>();
        Self::sending(sent, len + 14, |out| match self {
            Self::Client(client) => unsafe {
                wsp_client_send(&raw mut **client, kind, data, len, last, KEY, out)
            },
            Self::Server(server) => unsafe {
                wsp_server_send(&raw mut **server, kind, data, len, last, out)
            },
        })
    }

    pub(crate) fn state(&self) -> State {
        let state = match self {
            Self::Client(client) => unsafe { wsp_client_state(&raw const **client) },
            Self::Server(server) => unsafe { wsp_server_state(&raw const **server) },
        };
        match state {
            wsp_state::WSP_STATE_OPEN => State::Open,
            wsp_state::WSP_STATE_CLOSE_SENT => State::CloseSent,
            wsp_state::WSP_STATE_CLOSE_RECEIVED => State::CloseReceived,
            wsp_state::WSP_STATE_CLOSED => State::Closed,
            wsp_state::WSP_STATE_CONNECTING => panic!("it is open"),
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        let transport = match self {
            Self::Client(client) => unsafe { wsp_client_transport(&raw const **client) },
            Self::Server(server) => unsafe { wsp_server_transport(&raw const **server) },
        };
        match transport {
            wsp_transport::WSP_TRANSPORT_KEEP => Transport::Keep,
            wsp_transport::WSP_TRANSPORT_CLOSE => Transport::Close,
            wsp_transport::WSP_TRANSPORT_AWAIT_EOF => Transport::AwaitEof,
        }
    }
}

fn error_of(result: wsp_result, detail: u32) -> Error {
    let byte = detail as u8;
    match result {
        WSP_PEER_RESERVED_BITS => Error::ReservedBits(byte),
        WSP_PEER_RESERVED_OPCODE => Error::ReservedOpcode(byte),
        WSP_PEER_NOT_MASKED => Error::NotMasked,
        WSP_PEER_MASKED => Error::Masked,
        WSP_PEER_LENGTH_NOT_MINIMAL => Error::LengthNotMinimal,
        WSP_PEER_LENGTH_TOP_BIT => Error::LengthTopBit,
        WSP_PEER_CONTROL_TOO_LONG => Error::ControlTooLong,
        WSP_PEER_CONTROL_FRAGMENTED => Error::ControlFragmented,
        WSP_PEER_NOTHING_TO_CONTINUE => Error::NothingToContinue,
        WSP_PEER_MESSAGE_UNFINISHED => Error::MessageUnfinished,
        WSP_PEER_INVALID_UTF8 => Error::InvalidUtf8 { offset: detail },
        WSP_PEER_CLOSE_BODY_TOO_SHORT => Error::CloseBodyTooShort,
        WSP_PEER_CLOSE_CODE_FORBIDDEN => Error::CloseCodeForbidden(detail as u16),
        WSP_PEER_CLOSE_REASON_NOT_UTF8 => Error::CloseReasonNotUtf8,
        WSP_PEER_MESSAGE_TOO_BIG => Error::MessageTooBig,
        other => panic!("{other:?} is no violation of the peer's"),
    }
}
