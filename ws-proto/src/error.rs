//! What can be wrong with a peer's frames, and with a call that sends.

use core::fmt;

use crate::CloseCode;

/// How the peer broke the protocol.
///
/// The connection has failed (RFC 6455 §7.1.7): a Close frame with [`close_code`](Self::close_code)
/// and [`reason`](Self::reason) is queued, and what the peer sends from here on is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A reserved bit is set and no extension was agreed that uses it; the value holds RSV1 as 4,
    /// RSV2 as 2, RSV3 as 1 (§5.2).
    ReservedBits(u8),
    /// An opcode that RFC 6455 reserves: 3–7 or 11–15 (§5.2).
    ReservedOpcode(u8),
    /// A frame from a client isn't masked (§5.1).
    NotMasked,
    /// A frame from a server is masked (§5.1).
    Masked,
    /// A length is not in its shortest form (§5.2).
    LengthNotMinimal,
    /// The top bit of a 64-bit length is set (§5.2).
    LengthTopBit,
    /// A control frame is longer than 125 bytes (§5.5).
    ControlTooLong,
    /// A control frame is fragmented (§5.5).
    ControlFragmented,
    /// A continuation frame, and no message to continue (§5.4).
    NothingToContinue,
    /// A new data frame before the last fragment of the message before it (§5.4).
    MessageUnfinished,
    /// Text is not UTF-8; `offset` is where its first bad sequence starts, in bytes from the start of
    /// the message (§8.1). It stops counting at `u32::MAX`.
    InvalidUtf8 {
        /// Bytes of the message before the bad sequence.
        offset: u32,
    },
    /// A Close frame's body is one byte: half a status code (§5.5.1).
    CloseBodyTooShort,
    /// A Close frame carries a status code that must not be sent (§7.4).
    CloseCodeForbidden(u16),
    /// A Close frame's reason is not UTF-8 (§5.5.1).
    CloseReasonNotUtf8,
    /// Compressed data is none (RFC 7692 §7.2.2).
    BrokenDeflate,
    /// A message is larger than [`Config::max_message`](crate::Config::max_message) (§10.4).
    MessageTooBig,
}

impl Error {
    /// The status code that tells the peer (RFC 6455 §7.4.1).
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 { .. } | Self::CloseReasonNotUtf8 | Self::BrokenDeflate => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::MessageTooBig => CloseCode::MESSAGE_TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// The reason that tells the people at the peer: ASCII, at most 123 bytes.
    // Not inlined: on its own it is a table, and within a caller a jump for each error.
    #[must_use]
    #[inline(never)]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits(_) => "reserved bit set without an agreed extension",
            Self::ReservedOpcode(_) => "reserved opcode",
            Self::NotMasked => "frame from client is not masked",
            Self::Masked => "frame from server is masked",
            Self::LengthNotMinimal => "payload length not in its shortest form",
            Self::LengthTopBit => "top bit of the payload length is set",
            Self::ControlTooLong => "control frame over 125 bytes",
            Self::ControlFragmented => "control frame is fragmented",
            Self::NothingToContinue => "continuation without a message",
            Self::MessageUnfinished => "new message before the last one ended",
            Self::InvalidUtf8 { .. } => "text is not UTF-8",
            Self::CloseBodyTooShort => "close frame with half a status code",
            Self::CloseCodeForbidden(_) => "status code must not be sent",
            Self::CloseReasonNotUtf8 => "close reason is not UTF-8",
            Self::BrokenDeflate => "compressed data is broken",
            Self::MessageTooBig => "message over the size limit",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())?;
        match self {
            Self::ReservedBits(bits) => write!(f, " (RSV1-3 = {bits:03b})"),
            Self::ReservedOpcode(opcode) => write!(f, " {opcode:#x}"),
            Self::InvalidUtf8 { offset } => write!(f, " at byte {offset} of the message"),
            Self::CloseCodeForbidden(code) => write!(f, " ({code})"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

/// Why nothing of the call's was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// The sink has no room for the whole frame.
    Full,
    /// The closing handshake has begun, or the connection has failed (RFC 6455 §5.5.1, §7.1.4).
    Closing,
    /// A fragmented message of the other kind is not finished (§5.4).
    MessageUnfinished,
    /// The payload of a control frame is over 125 bytes, a close reason is over 123 bytes, or a frame
    /// is over 2^63 − 1 bytes (§5.2, §5.5).
    TooLong,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no room in the sink for the whole frame",
            Self::Closing => "the connection is closing or closed",
            Self::MessageUnfinished => "a fragmented message of the other kind is not finished",
            Self::TooLong => {
                "too long: 125 bytes for a ping or pong, 123 for a close reason, 2^63 - 1 for a frame"
            }
        })
    }
}

impl core::error::Error for SendError {}

impl From<Full> for SendError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// A sink has no room for what was to be appended; it holds what it held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room in the sink")
    }
}

impl core::error::Error for Full {}
