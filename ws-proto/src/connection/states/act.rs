//! What can happen to a connection: what its peer sends, and what its host calls.

/// An event class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A whole frame comes, or a header that says enough: its first byte and its payload.
    Frame(&'static str, u8, &'static [u8]),
    /// A header comes that is made by hand: its first byte, its length with the bit for a mask or not,
    /// whatever follows.
    Header(&'static str, u8, Mask, &'static [u8]),
    /// A frame begins: one byte of it comes. Its first byte, and its payload.
    Begin(&'static str, u8, &'static [u8]),
    /// A byte more of the frame that has begun.
    Byte,
    /// All that it lacks.
    Rest,
    /// A read of no bytes at all: what there is to report is reported.
    Ask,
    End,
    Call(Call),
}

/// The bit for a mask: as the role asks for it, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mask {
    Right(u8),
    Wrong(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Text {
        last: bool,
    },
    Binary {
        last: bool,
    },
    Header,
    Ping,
    Pong,
    Close,
    LongClose,
    Transmit,
    /// The same with no room, or none for more than a pong.
    TextInVain,
    PingInVain,
    CloseInVain,
    TransmitInVain,
    TransmitPong,
}

impl Call {
    pub(super) const fn is_transmit(self) -> bool {
        matches!(self, Self::Transmit | Self::TransmitPong | Self::TransmitInVain)
    }
}

const FIN: u8 = 0x80;

/// What peers do at the start of a frame, good first.
pub(super) const FRAMES: &[Act] = &[
    Act::Frame("text", FIN | 1, b"hi"),
    Act::Frame("binary", FIN | 2, b"hi"),
    Act::Frame("text, not the last fragment", 1, b"hi"),
    Act::Frame("text, not the last fragment, cut in a code point", 1, b"h\xc3"),
    Act::Frame("binary, not the last fragment", 2, b"hi"),
    Act::Frame("continuation", 0, b"hi"),
    Act::Frame("continuation with the rest of a code point", 0, b"\xa9"),
    Act::Frame("continuation, empty", 0, b""),
    Act::Frame("last continuation", FIN, b"hi"),
    Act::Frame("last continuation with the rest of a code point", FIN, b"\xa9"),
    Act::Frame("last continuation, empty", FIN, b""),
    Act::Frame("ping", FIN | 9, b"p"),
    Act::Frame("pong", FIN | 10, b"p"),
    Act::Frame("Close 3000", FIN | 8, b"\x0b\xb8bye"),
    Act::Frame("Close without a code", FIN | 8, b""),
    Act::Frame("text that is not UTF-8", FIN | 1, b"\xff"),
    Act::Frame("text that is not UTF-8 behind text that is", FIN | 1, b"hi\xff"),
    Act::Frame("text that ends in a code point", FIN | 1, b"\xc3"),
    Act::Header("a message over the limit", FIN | 2, Mask::Right(127), b"\0\0\x01\0\0\0\0\0"),
    Act::Header("reserved bit 1", FIN | 0x41, Mask::Right(0), b""),
    Act::Header("reserved bit 2", FIN | 0x21, Mask::Right(0), b""),
    Act::Header("reserved bit 3", FIN | 0x11, Mask::Right(0), b""),
    Act::Header("reserved opcode of messages", FIN | 3, Mask::Right(0), b""),
    Act::Header("reserved opcode of control frames", FIN | 11, Mask::Right(0), b""),
    Act::Header("a mask where there must be none, or none", FIN | 1, Mask::Wrong(0), b""),
    Act::Header("16-bit length below 126", FIN | 2, Mask::Right(126), b"\0\x7d"),
    Act::Header("64-bit length below 65,536", FIN | 2, Mask::Right(127), b"\0\0\0\0\0\0\xff\xff"),
    Act::Header("64-bit length with the top bit", FIN | 2, Mask::Right(127), b"\x80\0\0\0\0\0\0\0"),
    Act::Header("ping over 125 bytes", FIN | 9, Mask::Right(126), b""),
    Act::Header("ping that is fragmented", 9, Mask::Right(0), b""),
    Act::Frame("Close with half a code", FIN | 8, b"\x03"),
    Act::Frame("Close 1005", FIN | 8, b"\x03\xed"),
    Act::Frame("Close with a reason that is not UTF-8", FIN | 8, b"\x03\xe8\xff"),
];

/// Frames that come byte by byte.
pub(super) const BEGUN: &[Act] = &[
    Act::Begin("text", FIN | 1, b"hi"),
    Act::Begin("last continuation", FIN, b"hi"),
    Act::Begin("ping", FIN | 9, b"pq"),
    Act::Begin("Close 3000", FIN | 8, b"\x0b\xb8b"),
];

/// What there is in the middle of a frame.
pub(super) const WITHIN: &[Act] = &[Act::Byte, Act::Rest];

/// What can happen at any time.
pub(super) const ANY_TIME: &[Act] = &[
    Act::Ask,
    Act::End,
    Act::Call(Call::Text { last: true }),
    Act::Call(Call::Text { last: false }),
    Act::Call(Call::Binary { last: true }),
    Act::Call(Call::Binary { last: false }),
    Act::Call(Call::Header),
    Act::Call(Call::TextInVain),
    Act::Call(Call::Ping),
    Act::Call(Call::PingInVain),
    Act::Call(Call::Pong),
    Act::Call(Call::Close),
    Act::Call(Call::LongClose),
    Act::Call(Call::CloseInVain),
    Act::Call(Call::Transmit),
    Act::Call(Call::TransmitPong),
    Act::Call(Call::TransmitInVain),
];

impl Act {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Frame(name, ..) | Self::Header(name, ..) | Self::Begin(name, ..) => name,
            Self::Byte => "a byte more",
            Self::Rest => "the rest of the frame",
            Self::Ask => "`next_event` without bytes",
            Self::End => "`peer_eof`",
            Self::Call(call) => match call {
                Call::Text { last: true } => "`send` text",
                Call::Text { last: false } => "`send` text, not the last fragment",
                Call::Binary { last: true } => "`send` binary",
                Call::Binary { last: false } => "`send` binary, not the last fragment",
                Call::Header => "`send_header` of text",
                Call::TextInVain => "`send` text without room",
                Call::Ping => "`ping`",
                Call::PingInVain => "`ping` without room",
                Call::Pong => "`pong`",
                Call::Close => "`close` 4000",
                Call::LongClose => "`close`, a reason of 124 bytes",
                Call::CloseInVain => "`close` without room",
                Call::Transmit => "`poll_transmit`",
                Call::TransmitPong => "`poll_transmit` with room for a pong",
                Call::TransmitInVain => "`poll_transmit` without room",
            },
        }
    }

    /// Whether messages have to do with it, in either direction.
    pub(super) const fn is_of_messages(self) -> bool {
        match self {
            Self::Frame(_, first, _) | Self::Header(_, first, ..) => first & 8 == 0,
            Self::Begin(..) | Self::Byte | Self::Rest => true,
            Self::Call(call) => matches!(
                call,
                Call::Text { .. } | Call::Binary { .. } | Call::Header | Call::TextInVain
            ),
            Self::Ask | Self::End => false,
        }
    }
}
