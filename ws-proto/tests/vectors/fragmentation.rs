//! RFC 6455 §5.4: messages in fragments.

use super::Vector;
use super::alloc::{vec, vec::Vec};
use crate::harness::{BINARY, CONT, End, FIN, Got, PING, PONG, TEXT, frame};
use ws_proto::Error;

pub(crate) fn vectors(end: End) -> Vec<Vector> {
    let mut all = accepted(end);
    all.extend(refused(end));
    all
}

fn join(end: End, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|&(first, payload)| frame(end, first, payload)).collect()
}

fn accepted(end: End) -> Vec<Vector> {
    let vector = |name: &str, frames: &[(u8, &[u8])], got: &[Got]| {
        Vector::new(end, name, join(end, frames)).gives(got.iter().cloned())
    };
    vec![
        vector("two", &[(TEXT, b"Hel"), (FIN, b"lo")], &[Got::text("Hello")]),
        vector("three", &[(BINARY, b"a"), (CONT, b"b"), (FIN, b"c")], &[Got::binary(b"abc")]),
        vector("all empty", &[(TEXT, b""), (CONT, b""), (FIN, b"")], &[Got::text("")]),
        vector("all empty, binary", &[(BINARY, b""), (CONT, b""), (FIN, b"")], &[Got::binary(b"")]),
        vector("empty start", &[(TEXT, b""), (FIN, b"x")], &[Got::text("x")]),
        vector("empty middle", &[(TEXT, b"x"), (CONT, b""), (FIN, b"y")], &[Got::text("xy")]),
        vector("empty end", &[(BINARY, b"x"), (FIN, b"")], &[Got::binary(b"x")]),
        vector("unfinished", &[(TEXT, b"x"), (CONT, b"y")], &[Got::text_part("xy", true, false)]),
        vector("unfinished and empty", &[(TEXT, b""), (CONT, b"")], &[]),
        vector(
            "messages one after the other",
            &[(TEXT, b"a"), (FIN, b"b"), (BINARY, b"c"), (FIN, b"d"), (FIN | TEXT, b"e")],
            &[Got::text("ab"), Got::binary(b"cd"), Got::text("e")],
        ),
        vector(
            "pong between",
            &[(TEXT, b"a"), (PONG, b"p"), (FIN, b"b")],
            &[Got::text_part("a", true, false), Got::pong(b"p"), Got::text_part("b", false, true)],
        ),
        vector(
            "ping between",
            &[(BINARY, b"a"), (PING, b"p"), (CONT, b"b"), (PING, b""), (FIN, b"c")],
            &[
                Got::binary_part(b"a", true, false),
                Got::ping(b"p"),
                Got::binary_part(b"b", false, false),
                Got::ping(b""),
                Got::binary_part(b"c", false, true),
            ],
        )
        .sends(join(end.peer(), &[(PONG, b"p"), (PONG, b"")])),
        vector(
            "ping before anything is handed out",
            &[(TEXT, b""), (PING, b"p"), (FIN, b"")],
            &[Got::ping(b"p"), Got::text("")],
        )
        .sends(frame(end.peer(), PONG, b"p")),
        vector(
            "ping inside a code point",
            &[(TEXT, b"\xf0\x9f"), (PING, b"\xf0\x9f"), (FIN, b"\x98\x80")],
            &[Got::ping(b"\xf0\x9f"), Got::text("\u{1f600}")],
        )
        .sends(frame(end.peer(), PONG, b"\xf0\x9f")),
        many_fragments(end),
    ]
}

fn many_fragments(end: End) -> Vector {
    let mut frames = vec![(BINARY, &b""[..])];
    frames.extend([(CONT, &b""[..]), (CONT, &b"z"[..])].repeat(1000));
    frames.push((FIN, b""));
    Vector::new(end, "2,000 fragments", join(end, &frames)).gives([Got::binary(&[b'z'; 1000])])
}

fn refused(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    for first in [CONT, FIN] {
        let lost = frame(end, first, b"x");
        for bytes in [frame(end, first, b""), lost.clone()] {
            all.push(
                Vector::new(end, "nothing to continue", bytes)
                    .fails(Error::NothingToContinue, 1002),
            );
        }
        all.push(
            Vector::new(end, "over already", [frame(end, FIN | TEXT, b"x"), lost.clone()].concat())
                .gives([Got::text("x")])
                .fails(Error::NothingToContinue, 1002),
        );
        all.push(
            Vector::new(
                end,
                "over already, in fragments",
                [join(end, &[(BINARY, b"x"), (FIN, b"")]), lost].concat(),
            )
            .gives([Got::binary(b"x")])
            .fails(Error::NothingToContinue, 1002),
        );
    }
    for start in [TEXT, BINARY] {
        for next in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
            let data = match start {
                TEXT => Got::text_part("x", true, false),
                _ => Got::binary_part(b"x", true, false),
            };
            all.push(
                Vector::new(end, "no continuation", join(end, &[(start, b"x"), (next, b"y")]))
                    .gives([data])
                    .fails(Error::MessageUnfinished, 1002),
            );
            all.push(
                Vector::new(end, "no continuation", join(end, &[(start, b""), (next, b"")]))
                    .fails(Error::MessageUnfinished, 1002),
            );
        }
    }
    all
}
