//! What errors say: each names what was wrong, for people.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use std::error::Error as StdError;

use ws_proto::handshake::head::HeadError;
use ws_proto::handshake::{AcceptError, HandshakeError, RequestError};
use ws_proto::{Error, Full, SendError};

/// Each says this and nothing else.
fn say<E: StdError>(texts: impl IntoIterator<Item = (E, &'static str)>) {
    for (error, text) in texts {
        assert_eq!(error.to_string(), text, "{error:?}");
    }
}

#[test]
fn of_the_peers_frames() {
    say([
        (Error::ReservedBits(5), "reserved bit set without an agreed extension (RSV1-3 = 101)"),
        (Error::ReservedOpcode(11), "reserved opcode 0xb"),
        (Error::NotMasked, "frame from client is not masked"),
        (Error::Masked, "frame from server is masked"),
        (Error::LengthNotMinimal, "payload length not in its shortest form"),
        (Error::LengthTopBit, "top bit of the payload length is set"),
        (Error::ControlTooLong, "control frame over 125 bytes"),
        (Error::ControlFragmented, "control frame is fragmented"),
        (Error::NothingToContinue, "continuation without a message"),
        (Error::MessageUnfinished, "new message before the last one ended"),
        (Error::InvalidUtf8 { offset: 7 }, "text is not UTF-8 at byte 7 of the message"),
        (Error::CloseBodyTooShort, "close frame with half a status code"),
        (Error::CloseCodeForbidden(1005), "status code must not be sent (1005)"),
        (Error::CloseReasonNotUtf8, "close reason is not UTF-8"),
        (Error::BrokenDeflate, "compressed data is broken"),
        (Error::MessageTooBig, "message over the size limit"),
    ]);
}

#[test]
fn of_calls() {
    say([(Full, "no room in the sink")]);
    say([
        (SendError::from(Full), "no room in the sink for the whole frame"),
        (SendError::Closing, "the connection is closing or closed"),
        (SendError::MessageUnfinished, "a fragmented message of the other kind is not finished"),
        (
            SendError::TooLong,
            "too long: 125 bytes for a ping or pong, 123 for a close reason, 2^63 - 1 for a frame",
        ),
    ]);
    say([
        (RequestError::from(Full), "no room in the sink for the request"),
        (RequestError::Host, "the host must be visible ASCII and not empty"),
        (RequestError::Target, "the target must start with `/` and be visible ASCII without `#`"),
        (RequestError::Subprotocol, "subprotocols must be tokens, each offered once"),
        (
            RequestError::Field,
            "a request field has an illegal name or value, or is the handshake's own",
        ),
    ]);
    say([
        (AcceptError::from(Full), "no room in the sink for the response"),
        (AcceptError::NotOffered, "the chosen subprotocol was not offered"),
        (
            AcceptError::IllegalField,
            "a response field has an illegal name or value, or is the handshake's own",
        ),
    ]);
}

#[test]
fn of_heads() {
    say([
        (HeadError::TargetTooLong, "the request target is over 8192 bytes"),
        (HeadError::TooLong, "the head is over 16384 bytes"),
        (HeadError::TooManyFields, "there are more than 100 header fields"),
        (HeadError::LineEnd, "lines must end with CR LF, and hold neither elsewhere"),
        (HeadError::Control, "control character in the head: is this HTTP?"),
        (HeadError::Version, "only HTTP/1.1 is spoken here"),
        (HeadError::FirstLine, "the first line is not HTTP/1.1"),
        (
            HeadError::FieldName,
            "a header field's name is malformed: a token is due, a colon right behind it, no folding",
        ),
        (HeadError::FieldValue, "a header field's value has an illegal byte"),
        (HeadError::Incomplete, "the head is not complete"),
    ]);
}

#[test]
fn of_answers() {
    say([
        (
            HandshakeError::from(HeadError::Control),
            "the server's answer is malformed: control character in the head: is this HTTP?",
        ),
        (HandshakeError::Status(404), "the server answered 404, not 101"),
        (HandshakeError::Missing("Upgrade"), "the Upgrade field does not agree to the upgrade"),
        (HandshakeError::Repeated("Upgrade"), "the Upgrade field comes more than once"),
        (HandshakeError::Accept, "Sec-WebSocket-Accept does not match the request's key"),
        (HandshakeError::Subprotocol, "the server chose a subprotocol that was not offered"),
        (HandshakeError::Extension, "the server chose an extension that was not offered"),
    ]);
}

#[cfg(feature = "embedded-io")]
#[test]
fn of_streams() {
    use ws_proto::handshake::Reject;
    use ws_proto::io::Error as Io;
    /// A stream's error, which need not be shown to people.
    #[derive(Clone, Copy, Debug)]
    struct Timeout;
    impl core::fmt::Display for Timeout {
        fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            Ok(())
        }
    }
    impl StdError for Timeout {}
    let all: [(Io<Timeout>, &str); 11] = [
        (Io::Stream(Timeout), "the stream failed: Timeout"),
        (Io::Ended, "the stream ended"),
        (Io::Request(RequestError::Host), "the host must be visible ASCII and not empty"),
        (Io::Handshake(HandshakeError::Status(500)), "the server answered 500, not 101"),
        (Io::Head(HeadError::Incomplete), "the head is not complete"),
        (Io::Rejected(Some(Reject::Method)), "the method of a WebSocket handshake is GET"),
        (Io::Rejected(None), "the application refused the request"),
        (Io::Accept(AcceptError::NotOffered), "the chosen subprotocol was not offered"),
        (Io::Protocol(Error::Masked), "frame from server is masked"),
        (Io::Send(SendError::Closing), "the connection is closing or closed"),
        (Io::Full, "a buffer is too small"),
    ];
    for (error, text) in all {
        assert_eq!(error.to_string(), text, "{error:?}");
    }
}
