//! RFC 6455 §5.5: Close, Ping, Pong.

use super::Vector;
use super::alloc::{format, string::String, vec, vec::Vec};
use crate::harness::{
    BINARY, CLOSE, End, FIN, Got, Len, PING, PONG, TEXT, close_frame, frame, header,
};
use ws_proto::{Config, Error, Pongs};

pub(crate) fn vectors(end: End) -> Vec<Vector> {
    let mut all = pings(end);
    all.extend(refused(end));
    all.extend(closes(end));
    all
}

fn pings(end: End) -> Vec<Vector> {
    let peer = end.peer();
    let mut all = Vec::new();
    for len in [0, 1, 2, 124, 125] {
        let data: Vec<u8> = (0..len).collect();
        all.push(
            Vector::new(end, format!("ping of {len}"), frame(end, PING, &data))
                .gives([Got::ping(&data)])
                .sends(frame(peer, PONG, &data)),
        );
        all.push(
            Vector::new(end, format!("pong of {len}"), frame(end, PONG, &data))
                .gives([Got::pong(&data)]),
        );
        let manual = Config { pongs: Pongs::Manual, ..Config::default() };
        all.push(
            Vector::new(end, "ping with the automatic off", frame(end, PING, &data))
                .config(manual)
                .gives([Got::ping(&data)]),
        );
    }
    // Each is answered, as each pong is sent before the next ping is read.
    let both =
        [frame(end, PING, &[1; 125]), frame(end, PONG, &[2; 125]), frame(end, PING, &[3; 125])];
    all.push(
        Vector::new(end, "full control frames in a row", both.concat())
            .gives([Got::ping(&[1; 125]), Got::pong(&[2; 125]), Got::ping(&[3; 125])])
            .sends([frame(peer, PONG, &[1; 125]), frame(peer, PONG, &[3; 125])].concat()),
    );
    all
}

fn refused(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    for first in [CLOSE, PING, PONG] {
        let fragmented = first & !FIN;
        for bytes in [frame(end, fragmented, b"ab"), frame(end, fragmented, b"")[..2].to_vec()] {
            all.push(Vector::new(end, "fragmented", bytes).fails(Error::ControlFragmented, 1002));
        }
        for len in [Len::Medium(126), Len::Medium(1), Len::Long(65536), Len::Long(u64::MAX)] {
            let bytes = header(end, first, len);
            for bytes in [bytes[..2].to_vec(), bytes] {
                all.push(
                    Vector::new(end, format!("control {len:?}"), bytes)
                        .fails(Error::ControlTooLong, 1002),
                );
            }
        }
        // Also in the middle of a message, whose first part is delivered.
        let bytes = [frame(end, BINARY, b"x"), frame(end, fragmented, b"ab")].concat();
        all.push(
            Vector::new(end, "fragmented, inside a message", bytes)
                .gives([Got::binary_part(b"x", true, false)])
                .fails(Error::ControlFragmented, 1002),
        );
    }
    all
}

fn closes(end: End) -> Vec<Vector> {
    let peer = end.peer();
    let longest = "r".repeat(123);
    let mut all = vec![
        Vector::new(end, "close without a code", frame(end, CLOSE, b""))
            .gives([Got::Close(None, String::new())])
            .sends(frame(peer, CLOSE, b"")),
        Vector::new(end, "close with the longest reason", close_frame(end, 1000, &longest))
            .gives([Got::close(1000, &longest)])
            .sends(close_frame(peer, 1000, "")),
        Vector::new(end, "close with a reason", close_frame(end, 4999, "k\u{f6}sme"))
            .gives([Got::close(4999, "k\u{f6}sme")])
            .sends(close_frame(peer, 4999, "")),
        Vector::new(end, "half a code", frame(end, CLOSE, b"\x03"))
            .fails(Error::CloseBodyTooShort, 1002),
        Vector::new(
            end,
            "close behind a ping and inside a message",
            [
                frame(end, TEXT, b"x"),
                frame(end, PING, b"p"),
                close_frame(end, 1001, "bye"),
                frame(end, FIN | TEXT, b"ignored"),
                b"\xff\xff\xff\xff".to_vec(),
            ]
            .concat(),
        )
        .gives([Got::text_part("x", true, false), Got::ping(b"p"), Got::close(1001, "bye")])
        .sends([frame(peer, PONG, b"p"), close_frame(peer, 1001, "")].concat()),
    ];
    for code in [1000, 1003, 1007, 1014, 3000, 4999] {
        all.push(
            Vector::new(end, format!("close {code}"), close_frame(end, code, ""))
                .gives([Got::close(code, "")])
                .sends(close_frame(peer, code, "")),
        );
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        for reason in ["", "why"] {
            all.push(
                Vector::new(end, format!("close {code}"), close_frame(end, code, reason))
                    .fails(Error::CloseCodeForbidden(code), 1002),
            );
        }
    }
    for reason in [&b"\xff"[..], b"ok\xc0\x80", b"cut \xe2\x82", b"\xed\xa0\x80"] {
        let bytes = frame(end, CLOSE, &[b"\x03\xe8", reason].concat());
        all.push(
            Vector::new(end, "reason not UTF-8", bytes).fails(Error::CloseReasonNotUtf8, 1007),
        );
    }
    all
}
