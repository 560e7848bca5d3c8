//! What must be so of every event at every place, in the terms of RFC 6455.

use std::collections::BTreeMap;
use std::string::String;

use super::act::{Act, Call};
use super::driver::{Outcome, Told};
use super::place::{Closing, Message, Owed, Part, Place, Stage};
use super::walk::{Step, Walk};
use crate::{Closed, SendError, State, Transport};

pub(super) fn hold(walk: &Walk) {
    for step in &walk.steps {
        nothing_behind_a_close_frame(step);
        nothing_is_heard_behind_the_end(step);
        calls_are_accepted_or_change_nothing(step);
        violations_fail_the_connection(step);
        pings_are_answered(step);
        the_end_is_the_end(step);
    }
    messages_and_closing_are_apart(walk);
    messages_come_on_while_closing(walk);
}

/// §5.5.1, §7.1.7: no frame follows a Close frame, not even another one.
fn nothing_behind_a_close_frame(step: &Step) {
    let sent = &step.outcome.sent;
    let close = sent.iter().position(|frame| frame.starts_with("Close"));
    assert!(sent.is_empty() || !step.said_close, "{step:#?}");
    assert!(close.is_none_or(|at| at + 1 == sent.len()), "{step:#?}");
    // It is owed, or was asked for.
    let asked = step.act == Act::Call(Call::Close) && step.from.closing.stage == Stage::Open;
    assert!(close.is_none() || asked || step.from.closing.owed != Owed::Nothing, "{step:#?}");
}

/// §1.4, §7.1.7: what comes behind the peer's Close frame, a violation or the end of its bytes is discarded.
fn nothing_is_heard_behind_the_end(step: &Step) {
    let Step { from, act, outcome, .. } = step;
    let listens = matches!(from.closing.stage, Stage::Open | Stage::CloseSent);
    assert_eq!(from.part == Part::Discard, !listens || from.closing.found, "{step:#?}");
    if from.part != Part::Discard || matches!(act, Act::End | Act::Call(_)) {
        return;
    }
    // But a violation that stands behind text that was handed out.
    let found = matches!(outcome.told, Told::Violation(_));
    assert_eq!(found, from.closing.found, "{step:#?}");
    assert!(found || outcome.told == Told::Nothing, "{step:#?}");
    assert!(found || outcome.after == *from, "{step:#?}");
}

/// §5.4, §5.5, §7.1.4: a call sends its frame, or refuses and changes nothing.
fn calls_are_accepted_or_change_nothing(step: &Step) {
    let Step { from, act: Act::Call(call), outcome, .. } = step else { return };
    let is_open = from.closing.stage == Stage::Open;
    let other = |kind| from.sending != Message::None && from.sending != kind;
    let owes = from.closing.pong || from.closing.owed != Owed::Nothing;
    let refused = match call {
        Call::Transmit => None,
        Call::TransmitInVain => owes.then_some(SendError::Full),
        Call::TransmitPong => (from.closing.owed != Owed::Nothing).then_some(SendError::Full),
        _ if !is_open => Some(SendError::Closing),
        Call::Text { .. } | Call::TextInVain | Call::Header if other(Message::Text) => {
            Some(SendError::MessageUnfinished)
        }
        Call::Binary { .. } if other(Message::Binary) => Some(SendError::MessageUnfinished),
        Call::TextInVain | Call::PingInVain | Call::CloseInVain => Some(SendError::Full),
        Call::LongClose => Some(SendError::TooLong),
        _ => None,
    };
    let told = refused.map_or(Told::Nothing, Told::Refused);
    // Of an answer without a code, a sink for a pong may hold one.
    let small = *call == Call::TransmitPong && from.closing.owed == Owed::Answer;
    assert!(outcome.told == told || small, "{step:#?}");
    if refused.is_some() && *call != Call::TransmitPong {
        assert_eq!((&outcome.after, &outcome.sent[..]), (from, &[][..]), "{step:#?}");
    }
    // What a call does to a message is seen by the next one.
    let sending = match (call, refused) {
        (Call::Text { last: false }, None) => Message::Text,
        (Call::Binary { last: false }, None) => Message::Binary,
        (Call::Text { .. } | Call::Binary { .. } | Call::Header, None) => Message::None,
        _ => from.sending,
    };
    assert_eq!(outcome.after.sending, sending, "{step:#?}");
    let received = |place: &Place| (place.receiving, place.part, place.frame, place.left);
    assert_eq!(received(&outcome.after), received(from), "{step:#?}");
}

/// §7.1.7: a violation fails the connection, and the peer is told so unless it was told Close before.
fn violations_fail_the_connection(step: &Step) {
    let Step { from, outcome, .. } = step;
    let fails = outcome.after.closing.stage == Stage::Failed && from.closing.stage != Stage::Failed;
    assert_eq!(fails, matches!(outcome.told, Told::Violation(_)), "{step:#?}");
    if fails {
        let tells = from.closing.stage == Stage::Open;
        assert_eq!(outcome.after.closing.owed == Owed::Failure, tells, "{step:#?}");
    }
}

/// §5.5.2, §5.5.3: while this end has not said Close, a ping is owed a pong.
fn pings_are_answered(step: &Step) {
    let Step { from, act, outcome, .. } = step;
    let heard = outcome.told == Told::Event("Ping".into());
    let owed = outcome.after.closing.pong;
    let sent = outcome.sent.iter().filter(|frame| *frame == "pong").count();
    let by_hand = usize::from(*act == Act::Call(Call::Pong) && outcome.told == Told::Nothing);
    match (from.closing.pong, heard) {
        (_, true) => assert_eq!(owed, from.closing.stage == Stage::Open, "{step:#?}"),
        (false, false) => assert!(!owed && sent == by_hand, "{step:#?}"),
        (true, false) => assert_eq!(sent, usize::from(!owed) + by_hand, "{step:#?}"),
    }
}

/// §7.1.1, §7.1.4, §7.1.5: states follow one another, and say what to do with TCP.
fn the_end_is_the_end(step: &Step) {
    let Step { from, act, outcome: Outcome { told, after, state, transport, .. }, .. } = step;
    let (before, now) = (from.closing.stage, after.closing.stage);
    assert!(
        before == now || rank(before) < rank(now) || rank(before) == 3 && rank(now) == 3,
        "{step:#?}"
    );
    if let Told::Ended(how) = told {
        let clean = matches!(before, Stage::CloseReceived | Stage::Clean | Stage::EndedClean);
        assert_eq!(*how == Closed::Clean, clean, "{step:#?}");
        assert_eq!(now, if clean { Stage::EndedClean } else { Stage::EndedAbnormal }, "{step:#?}");
    } else {
        assert_ne!(*act, Act::End, "{step:#?}");
    }
    let expected = match now {
        Stage::Open => State::Open,
        Stage::CloseSent => State::CloseSent,
        Stage::CloseReceived => State::CloseReceived,
        _ => State::Closed,
    };
    assert_eq!(*state, expected, "{step:#?}");
    let waits = after.closing.owed != Owed::Nothing || *state != State::Closed;
    assert_eq!(*transport == Transport::Keep, waits, "{step:#?}");
    assert!(*transport != Transport::AwaitEof || now == Stage::Clean, "{step:#?}");
}

/// No way leads back. A violation that was found may be reported behind the end of the bytes.
const fn rank(stage: Stage) -> u8 {
    match stage {
        Stage::Open => 0,
        Stage::CloseSent | Stage::CloseReceived => 1,
        Stage::Clean => 2,
        Stage::Failed | Stage::EndedClean | Stage::EndedAbnormal => 3,
    }
}

/// What closes a connection does the same whatever messages are under way, so that a table of closing needs
/// no column for them.
fn messages_and_closing_are_apart(walk: &Walk) {
    let mut bare: BTreeMap<(Closing, &str), (&Told, &[String], Closing)> = BTreeMap::new();
    let closes = |step: &&Step| !step.act.is_of_messages();
    let does = |step: &'_ Step| (step.from.closing, step.act.name());
    for step in walk.at(|place: &Place| place.is_bare()).filter(closes) {
        let Outcome { told, sent, after, .. } = &step.outcome;
        bare.insert(does(step), (told, sent, after.closing));
    }
    for step in walk.steps.iter().filter(closes) {
        let Outcome { told, sent, after, .. } = &step.outcome;
        assert_eq!(bare.get(&does(step)), Some(&(told, &sent[..], after.closing)), "{step:#?}");
    }
}

/// §5.5.1, §7.1.1: until the peer's Close frame comes, what it sends is heard as before; but a ping is owed no pong,
/// and a violation is not told.
fn messages_come_on_while_closing(walk: &Walk) {
    let mut open = BTreeMap::new();
    let bytes = |step: &Step| !matches!(step.act, Act::Call(_) | Act::End);
    let does = |Step { from, act, .. }: &Step| {
        let place = (from.part, from.receiving, from.sending, from.frame, from.left);
        (place, from.closing.found, act.name(), matches!(act, Act::Begin(..)))
    };
    let comes = |step: &Step| {
        let Outcome { told, after, .. } = &step.outcome;
        (told.clone(), after.part, after.receiving, after.frame, after.left, after.closing.found)
    };
    for step in walk.at(|place| place.closing.stage == Stage::Open).filter(|step| bytes(step)) {
        open.insert(does(step), comes(step));
    }
    let mut compared = 0;
    for step in walk.at(|place| place.closing.stage == Stage::CloseSent).filter(|step| bytes(step))
    {
        assert_eq!(open.get(&does(step)), Some(&comes(step)), "{step:#?}");
        compared += 1;
    }
    assert!(compared > 500, "{compared}");
}
