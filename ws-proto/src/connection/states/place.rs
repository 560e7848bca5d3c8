//! Where a connection stands: its private state, but for what bytes and lengths are.

use crate::connection::closing::{OwedClose, Phase};
use crate::connection::{Connection, Section};
use crate::{Closed, Kind};

/// Which part of a frame comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Frame,
    SecondByte,
    HeaderRest,
    Data,
    Control,
    Discard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owed {
    Nothing,
    Answer,
    Failure,
}

/// [`Phase`], flat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    CloseSent,
    CloseReceived,
    Clean,
    EndedClean,
    EndedAbnormal,
    Failed,
}

/// What of a connection the closing handshake depends on: a state of the closing machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Closing {
    pub(super) stage: Stage,
    pub(super) owed: Owed,
    /// A violation stands behind text that was handed out.
    pub(super) found: bool,
    pub(super) pong: bool,
}

/// The kind of a message of which part has come, and whether a code point of it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Message {
    None,
    Text,
    CutText,
    Binary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) closing: Closing,
    pub(super) part: Part,
    pub(super) receiving: Message,
    pub(super) sending: Message,
    /// The frame that has begun, and how many bytes it lacks.
    pub(super) frame: &'static str,
    pub(super) left: usize,
}

impl Place {
    pub(super) fn of<R>(conn: &Connection<R>, frame: &'static str, left: usize) -> Self {
        let rest = &conn.rest;
        let stage = match rest.phase {
            Phase::Open => Stage::Open,
            Phase::CloseSent => Stage::CloseSent,
            Phase::CloseReceived => Stage::CloseReceived,
            Phase::Clean => Stage::Clean,
            Phase::Failed => Stage::Failed,
            Phase::Ended(Closed::Clean) => Stage::EndedClean,
            Phase::Ended(Closed::Abnormal) => Stage::EndedAbnormal,
        };
        let owed = match conn.owed {
            OwedClose::Nothing => Owed::Nothing,
            OwedClose::Answer(_) => Owed::Answer,
            OwedClose::Failure(_) => Owed::Failure,
        };
        let part = match rest.section {
            Section::Message | Section::Fragment => Part::Frame,
            Section::SecondByte(_) => Part::SecondByte,
            Section::HeaderRest(..) => Part::HeaderRest,
            Section::Data { .. } => Part::Data,
            Section::Control(_) => Part::Control,
            Section::Discard => Part::Discard,
        };
        let in_message = rest.receiving.is_some();
        match rest.section {
            Section::Message => assert!(!in_message, "a message has not ended"),
            Section::Fragment => assert!(in_message, "there is no message"),
            _ => {}
        }
        let message = |kind: Option<Kind>, cut| match kind {
            None => Message::None,
            Some(Kind::Text) if cut => Message::CutText,
            Some(Kind::Text) => Message::Text,
            Some(Kind::Binary) => Message::Binary,
        };
        // Where nothing counts, so does nothing of a message.
        let receiving = rest.receiving.filter(|_| part != Part::Discard);
        // No more do the bytes that a frame lacks, which are discarded, too.
        let (frame, left) =
            if part == Part::Discard || left == 0 { ("", 0) } else { (frame, left) };
        let (found, pong) = (conn.found.is_some(), conn.controls.pong().is_some());
        Self {
            closing: Closing { stage, owed, found, pong },
            part,
            receiving: message(receiving, !rest.held.is_empty()),
            sending: message(rest.sending, false),
            frame,
            left,
        }
    }

    /// Whether whole frames are what comes next, if anything does.
    pub(super) const fn is_at_frame(self) -> bool {
        matches!(self.part, Part::Frame | Part::Discard)
    }

    /// Whether this is a state of the closing machine and of nothing else.
    pub(super) fn is_bare(self) -> bool {
        self.is_at_frame() && (self.receiving, self.sending) == (Message::None, Message::None)
    }
}
