//! RFC 6455 §10.4: the largest message, exactly.

use super::Vector;
use super::alloc::{format, vec, vec::Vec};
use crate::harness::{BINARY, CONT, End, FIN, Got, KEY, Len, PING, PONG, TEXT, frame, header};
use ws_proto::Error;

pub(crate) fn vectors(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    for limit in [0, 1, 125, 126, 127, 1000, 65535, 65536] {
        all.extend(around(end, limit));
    }
    all.extend(declared(end));
    all
}

fn around(end: End, limit: usize) -> Vec<Vector> {
    let data = vec![b'x'; limit];
    let text = "x".repeat(limit);
    let vector = |name: &str, bytes: Vec<u8>| {
        Vector::new(end, format!("{name}, limit {limit}"), bytes).max_message(limit as u64)
    };
    // A frame of one byte more, of which only the header has come.
    let too_big = |first| {
        let mut bytes = header(end, first, Len::minimal(limit + 1));
        let key = if end == End::Server { KEY.len() } else { 0 };
        bytes.truncate(bytes.len() - key);
        bytes
    };
    let halves = [
        frame(end, BINARY, &data[..limit / 2]),
        frame(end, PING, b"not counted"),
        frame(end, CONT, &data[limit / 2..]),
    ]
    .concat();
    let got_halves = |last| {
        let (a, b) = data.split_at(limit / 2);
        let mut got = vec![Got::ping(b"not counted")];
        if !a.is_empty() {
            got.insert(0, Got::binary_part(a, true, false));
        }
        if !b.is_empty() || last {
            got.push(Got::binary_part(b, a.is_empty(), last));
        }
        got
    };
    let pong = frame(end.peer(), PONG, b"not counted");
    vec![
        vector("exact", frame(end, FIN | BINARY, &data)).gives([Got::binary(&data)]),
        vector("exact, text", frame(end, FIN | TEXT, &data)).gives([Got::text(&text)]),
        vector("one more", too_big(FIN | BINARY)).fails(Error::MessageTooBig, 1009),
        vector("one more, text", too_big(TEXT)).fails(Error::MessageTooBig, 1009),
        vector("exact twice", frame(end, FIN | BINARY, &data).repeat(2))
            .gives([Got::binary(&data), Got::binary(&data)]),
        vector("exact in fragments", [&halves[..], &frame(end, FIN, b"")].concat())
            .gives(got_halves(true))
            .sends(pong.clone()),
        vector("one more in fragments", [&halves[..], &frame(end, CONT, b"y")[..2]].concat())
            .gives(got_halves(false))
            .sends(pong)
            .fails(Error::MessageTooBig, 1009),
    ]
}

/// Lengths as large as they get: nothing is counted in fewer than 64 bits.
fn declared(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    let largest = (1u64 << 63) - 1;
    for len in [1 << 20, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, largest] {
        let head = header(end, FIN | BINARY, Len::Long(len));
        let some = frame(end, FIN | BINARY, b"abc")[head.len() - 8..].to_vec();
        let bytes = [head, some].concat();
        let name = format!("{len} declared");
        all.push(
            Vector::new(end, &*name, bytes.clone())
                .max_message(len)
                .gives([Got::binary_part(b"abc", true, false)]),
        );
        all.push(
            Vector::new(end, name, bytes).max_message(len - 1).fails(Error::MessageTooBig, 1009),
        );
    }
    // The sum of two lengths must not wrap around.
    let fits = frame(end, BINARY, b"ab");
    let rest = header(end, FIN, Len::Long(largest));
    let bytes = [&fits[..], &rest].concat();
    let got = Got::binary_part(b"ab", true, false);
    all.push(
        Vector::new(end, "sum of lengths over the limit", bytes.clone())
            .max_message(largest)
            .gives([got.clone()])
            .fails(Error::MessageTooBig, 1009),
    );
    all.push(
        Vector::new(end, "sum of lengths without a limit", bytes)
            .max_message(u64::MAX)
            .gives([got]),
    );
    all
}
