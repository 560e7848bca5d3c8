//! What came of a call.

use core::ffi::{CStr, c_char};

use ws_proto::handshake::head::HeadError;
use ws_proto::handshake::{AcceptError, HandshakeError, Reject, RequestError};
use ws_proto::{Error, Full, SendError};

pub(crate) type Outcome<T> = Result<T, wsp_result>;

/// What came of a call. Numbers in parentheses are sections of RFC 6455.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum wsp_result {
    /// It is done.
    WSP_OK = 0,
    /// Nothing is wrong, but bytes are missing: call again when more have come.
    WSP_MORE = 1,
    // Mistakes of the caller. Nothing has changed.
    /// A pointer is null where there must be something.
    WSP_NULL = 16,
    /// A pointer is not aligned for what it points to.
    WSP_MISALIGNED = 17,
    /// A length is beyond the address space, or beyond the size of its buffer.
    WSP_LENGTH = 18,
    /// What the call writes overlaps another argument of it.
    WSP_OVERLAP = 19,
    /// The object has not been initialised, or is of another type.
    WSP_NOT_INITIALISED = 20,
    /// The call belongs to the opening handshake and that is over, or the other way round.
    WSP_WRONG_PHASE = 21,
    /// A number is none of those that are allowed here.
    WSP_BAD_VALUE = 22,
    /// There are more subprotocols or fields than fit: see `WSP_MAX_SUBPROTOCOLS` and `WSP_MAX_FIELDS`.
    WSP_TOO_MANY = 23,
    // Why nothing was sent. Nothing has changed.
    /// The output has no room for the whole; nothing was appended. Send what is there, then try again.
    WSP_FULL = 32,
    /// The closing handshake has begun, or the connection has failed (RFC 6455 5.5.1, 7.1.4).
    WSP_CLOSING = 33,
    /// A fragmented message of the other kind is not finished (5.4).
    WSP_OTHER_MESSAGE_UNFINISHED = 34,
    /// The payload of a ping or pong is over 125 bytes, the reason of a Close over 123, a frame over 2^63
    /// - 1.
    WSP_TOO_LONG = 35,
    /// A text to send, or a reason, is not UTF-8 (5.6). Fragments are cut between code points.
    WSP_NOT_UTF8 = 36,
    // What is wrong with a request, or with an answer, to be written.
    /// The host is empty or holds white space or control characters.
    WSP_ASK_HOST = 48,
    /// The target does not start with `/`, has a fragment, or holds other than visible ASCII.
    WSP_ASK_TARGET = 49,
    /// A subprotocol is not a token, or is there twice (4.1).
    WSP_ASK_SUBPROTOCOL = 50,
    /// A further field has an illegal name or value, or is one that the handshake sets itself.
    WSP_ASK_FIELD = 51,
    /// The same of a field of a server's answer.
    WSP_ACCEPT_FIELD = 52,
    // What is wrong with the head of a request or response (RFC 9112). It is final.
    /// The target of the request is over 8 KiB.
    WSP_HEAD_TARGET_TOO_LONG = 64,
    /// The head is over 16 KiB.
    WSP_HEAD_TOO_LONG = 65,
    /// There are over 100 fields in the head; in a request, over `WSP_MAX_REQUEST_FIELDS`.
    WSP_HEAD_TOO_MANY_FIELDS = 66,
    /// A CR without an LF, or an LF without a CR.
    WSP_HEAD_LINE_END = 67,
    /// A NUL or another control character.
    WSP_HEAD_CONTROL = 68,
    /// The version is not HTTP/1.1.
    WSP_HEAD_VERSION = 69,
    /// The first line is not a request line, or not a status line.
    WSP_HEAD_FIRST_LINE = 70,
    /// A field's name is empty or not a token, white space stands before its colon, or a line is folded.
    WSP_HEAD_FIELD_NAME = 71,
    /// A field's value holds an illegal byte.
    WSP_HEAD_FIELD_VALUE = 72,
    /// The bytes end before the head does.
    WSP_HEAD_INCOMPLETE = 73,
    // Why the server's answer opens no connection. It is final.
    /// The server refuses: `wsp_response.status` tells how.
    WSP_RESPONSE_STATUS = 80,
    /// `Upgrade`, `Connection` or `Sec-WebSocket-Accept` is missing, or does not say what it must.
    WSP_RESPONSE_MISSING = 81,
    /// `Sec-WebSocket-Accept` or `Sec-WebSocket-Protocol` comes more than once.
    WSP_RESPONSE_REPEATED = 82,
    /// `Sec-WebSocket-Accept` does not answer this request's key.
    WSP_RESPONSE_ACCEPT = 83,
    /// The server chose a subprotocol that was not offered.
    WSP_RESPONSE_SUBPROTOCOL = 84,
    /// The server chose an extension, and none was offered.
    WSP_RESPONSE_EXTENSION = 85,
    // Why a client's request opens none. It is final; the response that tells so is in the output.
    /// The method is not GET.
    WSP_REQUEST_METHOD = 96,
    /// An ordinary request: it does not ask for an upgrade to WebSocket.
    WSP_REQUEST_NOT_AN_UPGRADE = 97,
    /// `Sec-WebSocket-Version` is anything but 13.
    WSP_REQUEST_VERSION = 98,
    /// A field, or the token in it that makes it an upgrade, is missing.
    WSP_REQUEST_MISSING = 99,
    /// A field that must come once comes several times.
    WSP_REQUEST_REPEATED = 100,
    /// A field's value is not what RFC 6455 asks for.
    WSP_REQUEST_INVALID = 101,
    /// A field's name is not a token, or its value holds a control character.
    WSP_REQUEST_FIELD = 102,
    /// The request announces a body.
    WSP_REQUEST_BODY = 103,
    // How the peer broke the protocol. The connection has failed: a Close frame that tells so is queued.
    /// A reserved bit is set (5.2). `detail` holds RSV1 as 4, RSV2 as 2, RSV3 as 1.
    WSP_PEER_RESERVED_BITS = 112,
    /// A reserved opcode (5.2), which `detail` holds.
    WSP_PEER_RESERVED_OPCODE = 113,
    /// A frame from a client is not masked (5.1).
    WSP_PEER_NOT_MASKED = 114,
    /// A frame from a server is masked (5.1).
    WSP_PEER_MASKED = 115,
    /// A length is not in its shortest form (5.2).
    WSP_PEER_LENGTH_NOT_MINIMAL = 116,
    /// The top bit of a 64-bit length is set (5.2).
    WSP_PEER_LENGTH_TOP_BIT = 117,
    /// A control frame is longer than 125 bytes (5.5).
    WSP_PEER_CONTROL_TOO_LONG = 118,
    /// A control frame is fragmented (5.5).
    WSP_PEER_CONTROL_FRAGMENTED = 119,
    /// A continuation frame, and no message to continue (5.4).
    WSP_PEER_NOTHING_TO_CONTINUE = 120,
    /// A new data frame before the last fragment of the message before it (5.4).
    WSP_PEER_MESSAGE_UNFINISHED = 121,
    /// Text is not UTF-8 (8.1). `detail` is where its first bad sequence starts, in bytes of the message.
    WSP_PEER_INVALID_UTF8 = 122,
    /// A Close frame's body is one byte (5.5.1).
    WSP_PEER_CLOSE_BODY_TOO_SHORT = 123,
    /// A Close frame has a status code that must not be sent (7.4), which `detail` holds.
    WSP_PEER_CLOSE_CODE_FORBIDDEN = 124,
    /// A Close frame's reason is not UTF-8 (5.5.1).
    WSP_PEER_CLOSE_REASON_NOT_UTF8 = 125,
    /// A message is larger than `wsp_config.max_message` (10.4).
    WSP_PEER_MESSAGE_TOO_BIG = 126,
    /// What this version of the interface has no name for.
    WSP_UNKNOWN = 255,
}

/// A line that says what a result means: ASCII, without a full stop, for ever there. "unknown" for a number that
/// is no result.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_result_text(result: u8) -> *const c_char {
    text(result).as_ptr()
}

impl wsp_result {
    pub(crate) fn text(self) -> &'static CStr {
        text(self as u8)
    }
}

fn text(result: u8) -> &'static CStr {
    TEXTS.iter().find(|(of, _)| *of as u8 == result).map_or(c"unknown", |(_, text)| text)
}

const TEXTS: &[(wsp_result, &CStr)] = {
    use wsp_result::*;
    &[
        (WSP_OK, c"done"),
        (WSP_MORE, c"more bytes must come"),
        (WSP_NULL, c"a pointer is null"),
        (WSP_MISALIGNED, c"a pointer is not aligned"),
        (WSP_LENGTH, c"a length is impossible"),
        (WSP_OVERLAP, c"what is to be written overlaps another argument"),
        (WSP_NOT_INITIALISED, c"the object is not initialised, or is of another type"),
        (WSP_WRONG_PHASE, c"the opening handshake is not over, or is over"),
        (WSP_BAD_VALUE, c"a value is not allowed here"),
        (WSP_TOO_MANY, c"too many subprotocols or fields"),
        (WSP_FULL, c"no room in the output for the whole frame"),
        (WSP_CLOSING, c"the connection is closing or closed"),
        (WSP_OTHER_MESSAGE_UNFINISHED, c"a fragmented message of the other kind is not finished"),
        (
            WSP_TOO_LONG,
            c"too long: 125 bytes for a ping or pong, 123 for a close reason, 2^63 - 1 for a frame",
        ),
        (WSP_NOT_UTF8, c"text to be sent is not UTF-8"),
        (WSP_ASK_HOST, c"the host must be visible ASCII and not empty"),
        (WSP_ASK_TARGET, c"the target must start with `/` and be visible ASCII without `#`"),
        (WSP_ASK_SUBPROTOCOL, c"subprotocols must be tokens, each offered once"),
        (WSP_ASK_FIELD, c"a request field has an illegal name or value, or is the handshake's own"),
        (
            WSP_ACCEPT_FIELD,
            c"a response field has an illegal name or value, or is the handshake's own",
        ),
        (WSP_HEAD_TARGET_TOO_LONG, c"the request target is over 8192 bytes"),
        (WSP_HEAD_TOO_LONG, c"the head is over 16384 bytes"),
        (WSP_HEAD_TOO_MANY_FIELDS, c"there are too many header fields"),
        (WSP_HEAD_LINE_END, c"lines must end with CR LF, and hold neither elsewhere"),
        (WSP_HEAD_CONTROL, c"control character in the head: is this HTTP?"),
        (WSP_HEAD_VERSION, c"only HTTP/1.1 is spoken here"),
        (WSP_HEAD_FIRST_LINE, c"the first line is not HTTP/1.1"),
        (
            WSP_HEAD_FIELD_NAME,
            c"a header field's name is malformed: a token is due, a colon right behind it, no folding",
        ),
        (WSP_HEAD_FIELD_VALUE, c"a header field's value has an illegal byte"),
        (WSP_HEAD_INCOMPLETE, c"the head is not complete"),
        (WSP_RESPONSE_STATUS, c"the server answered another status than 101"),
        (WSP_RESPONSE_MISSING, c"a field of the answer does not agree to the upgrade"),
        (WSP_RESPONSE_REPEATED, c"a field of the answer comes more than once"),
        (WSP_RESPONSE_ACCEPT, c"Sec-WebSocket-Accept does not match the request's key"),
        (WSP_RESPONSE_SUBPROTOCOL, c"the server chose a subprotocol that was not offered"),
        (WSP_RESPONSE_EXTENSION, c"the server chose an extension that was not offered"),
        (WSP_REQUEST_METHOD, c"the method of a WebSocket handshake is GET"),
        (
            WSP_REQUEST_NOT_AN_UPGRADE,
            c"this is a WebSocket endpoint: connect with a WebSocket client (ws:// or wss://)",
        ),
        (WSP_REQUEST_VERSION, c"only WebSocket version 13 (RFC 6455) is spoken here"),
        (WSP_REQUEST_MISSING, c"a field of the request is missing"),
        (WSP_REQUEST_REPEATED, c"a field of the request must come once"),
        (WSP_REQUEST_INVALID, c"a field of the request is malformed"),
        (WSP_REQUEST_FIELD, c"a header field has an illegal name or value"),
        (WSP_REQUEST_BODY, c"a WebSocket handshake has no body"),
        (WSP_PEER_RESERVED_BITS, c"reserved bit set without an agreed extension"),
        (WSP_PEER_RESERVED_OPCODE, c"reserved opcode"),
        (WSP_PEER_NOT_MASKED, c"frame from client is not masked"),
        (WSP_PEER_MASKED, c"frame from server is masked"),
        (WSP_PEER_LENGTH_NOT_MINIMAL, c"payload length not in its shortest form"),
        (WSP_PEER_LENGTH_TOP_BIT, c"top bit of the payload length is set"),
        (WSP_PEER_CONTROL_TOO_LONG, c"control frame over 125 bytes"),
        (WSP_PEER_CONTROL_FRAGMENTED, c"control frame is fragmented"),
        (WSP_PEER_NOTHING_TO_CONTINUE, c"continuation without a message"),
        (WSP_PEER_MESSAGE_UNFINISHED, c"new message before the last one ended"),
        (WSP_PEER_INVALID_UTF8, c"text is not UTF-8"),
        (WSP_PEER_CLOSE_BODY_TOO_SHORT, c"close frame with half a status code"),
        (WSP_PEER_CLOSE_CODE_FORBIDDEN, c"status code must not be sent"),
        (WSP_PEER_CLOSE_REASON_NOT_UTF8, c"close reason is not UTF-8"),
        (WSP_PEER_MESSAGE_TOO_BIG, c"message over the size limit"),
    ]
};

impl From<Full> for wsp_result {
    fn from(Full: Full) -> Self {
        Self::WSP_FULL
    }
}

impl From<SendError> for wsp_result {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => Self::WSP_FULL,
            SendError::Closing => Self::WSP_CLOSING,
            SendError::MessageUnfinished => Self::WSP_OTHER_MESSAGE_UNFINISHED,
            SendError::TooLong => Self::WSP_TOO_LONG,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<RequestError> for wsp_result {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Full => Self::WSP_FULL,
            RequestError::Host => Self::WSP_ASK_HOST,
            RequestError::Target => Self::WSP_ASK_TARGET,
            RequestError::Subprotocol => Self::WSP_ASK_SUBPROTOCOL,
            RequestError::Field => Self::WSP_ASK_FIELD,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<AcceptError> for wsp_result {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Full => Self::WSP_FULL,
            AcceptError::IllegalField => Self::WSP_ACCEPT_FIELD,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<HeadError> for wsp_result {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::TargetTooLong => Self::WSP_HEAD_TARGET_TOO_LONG,
            HeadError::TooLong => Self::WSP_HEAD_TOO_LONG,
            HeadError::TooManyFields => Self::WSP_HEAD_TOO_MANY_FIELDS,
            HeadError::LineEnd => Self::WSP_HEAD_LINE_END,
            HeadError::Control => Self::WSP_HEAD_CONTROL,
            HeadError::Version => Self::WSP_HEAD_VERSION,
            HeadError::FirstLine => Self::WSP_HEAD_FIRST_LINE,
            HeadError::FieldName => Self::WSP_HEAD_FIELD_NAME,
            HeadError::FieldValue => Self::WSP_HEAD_FIELD_VALUE,
            HeadError::Incomplete => Self::WSP_HEAD_INCOMPLETE,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<HandshakeError> for wsp_result {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Head(error) => error.into(),
            HandshakeError::Status(_) => Self::WSP_RESPONSE_STATUS,
            HandshakeError::Missing(_) => Self::WSP_RESPONSE_MISSING,
            HandshakeError::Repeated(_) => Self::WSP_RESPONSE_REPEATED,
            HandshakeError::Accept => Self::WSP_RESPONSE_ACCEPT,
            HandshakeError::Subprotocol => Self::WSP_RESPONSE_SUBPROTOCOL,
            HandshakeError::Extension => Self::WSP_RESPONSE_EXTENSION,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<Reject> for wsp_result {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::Method => Self::WSP_REQUEST_METHOD,
            Reject::NotAnUpgrade => Self::WSP_REQUEST_NOT_AN_UPGRADE,
            Reject::Version => Self::WSP_REQUEST_VERSION,
            Reject::Missing(_) => Self::WSP_REQUEST_MISSING,
            Reject::Repeated(_) => Self::WSP_REQUEST_REPEATED,
            Reject::Invalid(_) => Self::WSP_REQUEST_INVALID,
            Reject::IllegalField => Self::WSP_REQUEST_FIELD,
            Reject::Body => Self::WSP_REQUEST_BODY,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<Error> for wsp_result {
    fn from(error: Error) -> Self {
        match error {
            Error::ReservedBits(_) => Self::WSP_PEER_RESERVED_BITS,
            Error::ReservedOpcode(_) => Self::WSP_PEER_RESERVED_OPCODE,
            Error::NotMasked => Self::WSP_PEER_NOT_MASKED,
            Error::Masked => Self::WSP_PEER_MASKED,
            Error::LengthNotMinimal => Self::WSP_PEER_LENGTH_NOT_MINIMAL,
            Error::LengthTopBit => Self::WSP_PEER_LENGTH_TOP_BIT,
            Error::ControlTooLong => Self::WSP_PEER_CONTROL_TOO_LONG,
            Error::ControlFragmented => Self::WSP_PEER_CONTROL_FRAGMENTED,
            Error::NothingToContinue => Self::WSP_PEER_NOTHING_TO_CONTINUE,
            Error::MessageUnfinished => Self::WSP_PEER_MESSAGE_UNFINISHED,
            Error::InvalidUtf8 { .. } => Self::WSP_PEER_INVALID_UTF8,
            Error::CloseBodyTooShort => Self::WSP_PEER_CLOSE_BODY_TOO_SHORT,
            Error::CloseCodeForbidden(_) => Self::WSP_PEER_CLOSE_CODE_FORBIDDEN,
            Error::CloseReasonNotUtf8 => Self::WSP_PEER_CLOSE_REASON_NOT_UTF8,
            Error::MessageTooBig => Self::WSP_PEER_MESSAGE_TOO_BIG,
            _ => Self::WSP_UNKNOWN,
        }
    }
}

impl From<Outcome<()>> for wsp_result {
    fn from(outcome: Outcome<()>) -> Self {
        match outcome {
            Ok(()) => Self::WSP_OK,
            Err(result) => result,
        }
    }
}
