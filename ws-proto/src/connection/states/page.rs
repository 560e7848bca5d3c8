//! `STATES.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::act::{ANY_TIME, Act, FRAMES};
use super::driver::{Outcome, Told};
use super::place::{Closing, Message, Owed, Part, Place, Stage};
use super::walk::{Step, Walk};
use crate::{Error, State, Transport};

/// What can't be, of which states that is said, and why.
type Rule = (&'static str, fn(Closing) -> bool, &'static str);

const IMPOSSIBLE: &[Rule] = &[
    (
        "an answer is owed before the peer's Close has come, or after a violation",
        |it| {
            let heard = matches!(it.stage, Stage::CloseReceived | Stage::EndedClean);
            it.owed == Owed::Answer && !heard
        },
        "`close_received` owes it and takes the state on in one step, and nothing is read behind a Close, so no violation can be found",
    ),
    (
        "the news of a violation is owed, and the connection has not failed",
        |it| {
            let failed = matches!(it.stage, Stage::Failed | Stage::EndedAbnormal);
            it.owed == Owed::Failure && !failed
        },
        "`fail` owes it and takes the state on in one step, and of a failed connection no end is clean",
    ),
    (
        "a Close has come, and no answer is owed",
        |it| it.stage == Stage::CloseReceived && it.owed == Owed::Nothing,
        "`poll_transmit` sends the answer and takes the state on in one step",
    ),
    (
        "a violation is to be reported after a Close or a failure",
        |it| {
            let over = [Stage::CloseReceived, Stage::Clean, Stage::Failed, Stage::EndedClean];
            it.found && over.contains(&it.stage)
        },
        "it is found behind text that is handed out, nothing else is read before it is reported, and that is what makes a failure",
    ),
    (
        "a violation is to be reported, and the peer is owed a Close",
        |it| it.found && it.owed != Owed::Nothing,
        "a Close is owed for a violation that was reported, or to the peer's Close, and behind neither is anything read",
    ),
    (
        "a pong is owed after this end has said Close",
        |it| {
            let said = matches!(it.stage, Stage::CloseSent | Stage::Clean);
            it.pong && (said || it.stage == Stage::EndedClean && it.owed == Owed::Nothing)
        },
        "`close` and `poll_transmit` send a pong before a Close, and a ping that comes behind a Close is owed none",
    ),
];

pub(super) fn of(server: &Walk, client: &Walk) -> String {
    let mut page = Vec::new();
    page.push(format!(
        "# States of a connection\n\n\
        Made of the code: [`src/connection/states`](src/connection/states/mod.rs) takes a new connection to every place that\n\
        it can come to, by every event there is, through the public interface: {} places of a server, {} of a\n\
        client, {} steps. Each step is held against the rules of RFC 6455\n\
        ([`rules.rs`](src/connection/states/rules.rs)), and a server that is parked between the steps makes the same. A test\n\
        compares this page with what it finds; `STATES=write cargo test -p ws-proto --lib states` writes it.\n\n\
        What has come of a message, what has been sent of one, and how far the closing handshake is do not depend on\n\
        one another, as the walk checks; so there is a table for each. Both roles do the same but for who closes TCP.\n",
        places(server).len(),
        places(client).len(),
        server.steps.len() + client.steps.len(),
    ));
    page.push(closing(server, client));
    page.push(receiving(server, client));
    page.push(sending(server, client));
    page.join("\n")
}

fn places(walk: &Walk) -> BTreeSet<Place> {
    walk.steps.iter().map(|step| step.from).collect()
}

fn closing(server: &Walk, client: &Walk) -> String {
    let closings = |walk| places(walk).iter().map(|place| place.closing).collect::<BTreeSet<_>>();
    let states = closings(server);
    assert_eq!(states, closings(client));
    let mut page = String::from(
        "## The closing handshake\n\n\
        `state` and `transport` as `Connection` tells them; where the roles differ, the server's first.\n\n\
        | | state | transport |\n|---|---|---|\n",
    );
    for state in &states {
        let of = |walk: &Walk| {
            let mut steps = walk.steps.iter().filter(|step| step.outcome.after.closing == *state);
            // The first state of all has come from nothing, but steps lead there, too.
            let Outcome { state, transport, .. } = &steps.next().unwrap().outcome;
            let same =
                |step: &Step| (step.outcome.state, step.outcome.transport) == (*state, *transport);
            assert!(steps.all(same));
            (*state, *transport)
        };
        let ((now, by_server), (same, by_client)) = (of(server), of(client));
        assert_eq!(now, same);
        let both = if by_server == by_client {
            name_of_transport(by_server).to_string()
        } else {
            format!("{}; {}", name_of_transport(by_server), name_of_transport(by_client))
        };
        page += &format!("| {} | `{}` | {both} |\n", name(*state), name_of_state(now));
    }
    for state in &states {
        let rows = |walk: &Walk| {
            let is = |place: &Place| place.closing == *state && place.is_bare();
            let shown = |step: &&Step| !matches!(step.act, Act::Begin(..));
            let steps = walk.at(is).filter(shown);
            steps.map(|step| (step.act.name(), cells(step))).collect::<Vec<_>>()
        };
        let rows = rows_of_both(rows(server), rows(client));
        page += &format!(
            "\n### {}\n\n| event | told | sent | then |\n|---|---|---|---|\n",
            name(*state)
        );
        page += &grouped(&rows);
    }
    page += "\n### What can't be\n\nOf 84 combinations of a state, a Close that is owed, a violation to be reported, and a pong that is owed,\n";
    page += &format!("{} can be come to, which are the above. The others:\n\n", states.len());
    page += "| combination | how many | why it can't be |\n|---|---|---|\n";
    let mut counts = vec![0; IMPOSSIBLE.len()];
    for combination in combinations() {
        let rule = IMPOSSIBLE.iter().position(|(_, is, _)| is(combination));
        match rule {
            Some(rule) => counts[rule] += 1,
            None => assert!(states.contains(&combination), "why can't it be? {combination:?}"),
        }
        assert!(rule.is_none() || !states.contains(&combination), "it can be: {combination:?}");
    }
    assert_eq!(counts.iter().sum::<usize>() + states.len(), 84);
    for ((what, _, why), count) in IMPOSSIBLE.iter().zip(counts) {
        page += &format!("| {what} | {count} | {why} |\n");
    }
    page
}

fn combinations() -> impl Iterator<Item = Closing> {
    let stages = [
        Stage::Open,
        Stage::CloseSent,
        Stage::CloseReceived,
        Stage::Clean,
        Stage::EndedClean,
        Stage::EndedAbnormal,
        Stage::Failed,
    ];
    let owes = [Owed::Nothing, Owed::Answer, Owed::Failure];
    stages.into_iter().flat_map(move |stage| {
        owes.into_iter().flat_map(move |owed| {
            (0..4).map(move |bits| Closing {
                stage,
                owed,
                found: bits & 1 != 0,
                pong: bits & 2 != 0,
            })
        })
    })
}

fn receiving(server: &Walk, client: &Walk) -> String {
    let kinds = [Message::None, Message::Text, Message::CutText, Message::Binary];
    let mut page = String::from(
        "## Messages that come\n\nWhat a frame is told as, and where the connection stands behind it.\n\n\
        | frame | between messages | in text | in text, within a code point | in binary |\n|---|---|---|---|---|\n",
    );
    let columns = |walk: &Walk| -> Vec<Vec<(&str, String)>> {
        let column = |kind| {
            let is = |place: &Place| {
                is_open(place) && place.receiving == kind && place.part == Part::Frame
            };
            let shown = |step: &&Step| matches!(step.act, Act::Frame(..) | Act::Header(..));
            let steps = walk.at(is).filter(shown);
            steps.map(|step| (step.act.name(), heard(step))).collect()
        };
        kinds.into_iter().map(column).collect()
    };
    let columns = rows_of_both(columns(server), columns(client));
    for (i, (event, _)) in columns[0].iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| &*column[i].1).collect();
        page += &format!("| {event} | {} |\n", cells.join(" | "));
    }
    page += "\nIn the middle of a frame no other can begin: what comes is the rest of it. Where it comes byte by byte, between\n\
        messages or, a continuation, in text:\n\n| frame | of which has come | a byte more | all the rest |\n|---|---|---|---|\n";
    let within = |walk: &Walk| {
        let mut rows: BTreeMap<(&str, Part), BTreeMap<&str, Vec<String>>> = BTreeMap::new();
        let is = |place: &Place| {
            let in_message =
                if place.frame == "last continuation" { Message::Text } else { Message::None };
            // A message counts from where its length is known.
            let declared = matches!(place.part, Part::HeaderRest | Part::Data);
            let kinds = [in_message, if declared { Message::Text } else { in_message }];
            is_open(place) && !place.is_at_frame() && kinds.contains(&place.receiving)
        };
        for step in walk.at(is).filter(|step| matches!(step.act, Act::Byte | Act::Rest)) {
            let cell = rows.entry((step.from.frame, step.from.part)).or_default();
            let cell = cell.entry(step.act.name()).or_default();
            let told = match told(&step.outcome.told) {
                told if told.is_empty() => "nothing".into(),
                told => told,
            };
            if !cell.contains(&told) {
                cell.push(told);
            }
        }
        rows
    };
    let (both, mut of_client) = (within(server), within(client));
    // A client's frames have no key, so the shorter headers end with their second byte.
    of_client.extend(both.clone().into_iter().filter(|((_, part), _)| *part == Part::HeaderRest));
    let both = rows_of_both(both, of_client);
    for ((frame, part), cells) in &both {
        let cell = |act: Act| cells[act.name()].join(" or ");
        let come = match part {
            Part::SecondByte => "its first byte",
            Part::HeaderRest => "its first two bytes",
            _ => "its header",
        };
        page += &format!("| {frame} | {come} | {} | {} |\n", cell(Act::Byte), cell(Act::Rest));
    }
    page
}

fn sending(server: &Walk, client: &Walk) -> String {
    let kinds = [Message::None, Message::Text, Message::Binary];
    let mut page = String::from(
        "## Messages that are sent\n\nWhat a call sends, or why it is refused, while the connection is open. Calls that are not here do not depend on it.\n\n\
        | call | between messages | in text | in binary |\n|---|---|---|---|\n",
    );
    let columns = |walk: &Walk| -> Vec<Vec<(&str, String)>> {
        let column = |kind| {
            let is = |place: &Place| {
                is_open(place) && place.part == Part::Frame && place.receiving == Message::None
            };
            let is = move |place: &Place| {
                is(&Place { sending: Message::None, ..*place }) && place.sending == kind
            };
            let shown =
                |step: &&Step| step.act.is_of_messages() && matches!(step.act, Act::Call(_));
            let steps = walk.at(is).filter(shown);
            let cell = |step: &Step| match &step.outcome.told {
                Told::Refused(_) => told(&step.outcome.told),
                _ => step.outcome.sent.join(", "),
            };
            steps.map(|step| (step.act.name(), cell(step))).collect()
        };
        kinds.into_iter().map(column).collect()
    };
    let columns = rows_of_both(columns(server), columns(client));
    for (i, (event, _)) in columns[0].iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| &*column[i].1).collect();
        page += &format!("| {event} | {} |\n", cells.join(" | "));
    }
    page
}

fn is_open(place: &Place) -> bool {
    let open = Closing { stage: Stage::Open, owed: Owed::Nothing, found: false, pong: false };
    place.closing == open && place.sending == Message::None
}

fn rows_of_both<T: PartialEq + core::fmt::Debug>(server: T, client: T) -> T {
    assert_eq!(server, client, "the roles differ");
    server
}

/// What an event is told as, what is sent, and the state behind it, if it is another.
type Cells = (String, String, String);

fn cells(step: &Step) -> Cells {
    let Outcome { told: what, sent, after, .. } = &step.outcome;
    let then = if after.closing == step.from.closing { String::new() } else { name(after.closing) };
    (told(what), sent.join(", "), then)
}

fn heard(step: &Step) -> String {
    let Outcome { told: what, after, .. } = &step.outcome;
    let then = match after.receiving {
        _ if after.part == Part::Discard => String::new(),
        kind if kind == step.from.receiving => String::new(),
        Message::None => ", then between messages".into(),
        Message::Text => ", then in text".into(),
        Message::CutText => ", then within a code point".into(),
        Message::Binary => ", then in binary".into(),
    };
    let found = if after.closing.found { ", then a violation to report" } else { "" };
    format!("{}{then}{found}", told(what))
}

/// Names for these events, the fewest.
fn names(events: &[&str]) -> String {
    let frames: Vec<&str> = FRAMES.iter().map(|act| act.name()).collect();
    let sends = |act: &&Act| matches!(act, Act::Call(call) if !call.is_transmit());
    let calls: Vec<&str> = ANY_TIME.iter().filter(sends).map(|act| act.name()).collect();
    let mut names = Vec::new();
    let mut rest = events.to_vec();
    for (all, name) in [(frames, "any frame"), (calls, "any call that sends")] {
        if all.iter().all(|event| rest.contains(event)) {
            rest.retain(|event| !all.contains(event));
            names.push(name);
        }
    }
    names.extend(rest);
    names.join("; ")
}

/// Rows for events, one for all that do the same.
fn grouped(rows: &[(&str, Cells)]) -> String {
    let mut groups: Vec<(Vec<&str>, &Cells)> = Vec::new();
    for (event, cells) in rows {
        match groups.iter_mut().find(|(_, same)| same == &cells) {
            Some((events, _)) => events.push(event),
            None => groups.push((vec![event], cells)),
        }
    }
    let row = |(events, (told, sent, then)): &(Vec<&str>, &Cells)| {
        format!("| {} | {told} | {sent} | {then} |\n", names(events))
    };
    groups.iter().map(row).collect()
}

fn told(told: &Told) -> String {
    match told {
        Told::Nothing => String::new(),
        Told::Event(event) => event.clone(),
        // Of a client's frames, or of a server's.
        Told::Violation(Error::NotMasked | Error::Masked) => {
            "violation: `NotMasked` or `Masked`".into()
        }
        Told::Violation(error) => {
            let error = format!("{error:?}");
            let kind = error.split(['(', ' ']).next().unwrap_or_default();
            format!("violation: `{kind}`")
        }
        Told::Refused(why) => format!("refused: `{why:?}`"),
        Told::Ended(how) => format!("`{how:?}`"),
    }
}

fn name(closing: Closing) -> String {
    let stage = match closing.stage {
        Stage::Open => "Open",
        Stage::CloseSent => "Close sent",
        Stage::CloseReceived => "Close received",
        Stage::Clean => "Closed",
        Stage::EndedClean => "Ended cleanly",
        Stage::EndedAbnormal => "Ended",
        Stage::Failed => "Failed",
    };
    let owed = match closing.owed {
        Owed::Nothing => "",
        Owed::Answer => ", answer owed",
        Owed::Failure => ", Close owed",
    };
    let found = if closing.found { ", violation to report" } else { "" };
    let pong = if closing.pong { ", pong owed" } else { "" };
    format!("{stage}{owed}{found}{pong}")
}

const fn name_of_state(state: State) -> &'static str {
    match state {
        State::Open => "Open",
        State::CloseSent => "CloseSent",
        State::CloseReceived => "CloseReceived",
        State::Closed => "Closed",
    }
}

const fn name_of_transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Keep => "`Keep`",
        Transport::Close => "`Close`",
        Transport::AwaitEof => "`AwaitEof`",
    }
}
