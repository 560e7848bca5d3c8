//! RFC 6455 §5.2, §5.3, §5.7: headers, lengths, masking.

use super::Vector;
use super::alloc::{format, vec, vec::Vec};
use crate::harness::{BINARY, CONT, End, FIN, Got, KEY, Len, PING, PONG, TEXT, frame, header};
use ws_proto::Error;

pub(crate) fn vectors(end: End) -> Vec<Vector> {
    let mut all = accepted(end);
    all.extend(rfc_examples(end));
    all.extend(reserved(end));
    all.extend(masking(end));
    all.extend(lengths(end));
    all.push(behind_a_good_frame(end));
    all
}

fn accepted(end: End) -> Vec<Vector> {
    let mut all = vec![Vector::new(end, "nothing", Vec::new())];
    for len in [0, 1, 2, 3, 4, 5, 7, 8, 9, 124, 125, 126, 127, 255, 256, 65535, 65536, 65537] {
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        all.push(
            Vector::new(end, format!("binary of {len}"), frame(end, FIN | BINARY, &data))
                .gives([Got::binary(&data)]),
        );
        let text = "x".repeat(len);
        all.push(
            Vector::new(end, format!("text of {len}"), frame(end, FIN | TEXT, text.as_bytes()))
                .gives([Got::text(&text)]),
        );
    }
    let two = [frame(end, FIN | TEXT, b"one"), frame(end, FIN | BINARY, b"two")].concat();
    all.push(Vector::new(end, "two messages", two).gives([Got::text("one"), Got::binary(b"two")]));
    let header = header(end, FIN | BINARY, Len::Medium(300));
    for len in 0..=header.len() {
        all.push(Vector::new(end, format!("{len} bytes of a header"), header[..len].to_vec()));
    }
    all
}

/// §5.7, byte by byte as printed there.
fn rfc_examples(end: End) -> Vec<Vector> {
    match end {
        End::Client => vec![
            Vector::new(end, "§5.7 unmasked text", b"\x81\x05Hello".to_vec())
                .gives([Got::text("Hello")]),
            Vector::new(end, "§5.7 fragmented text", b"\x01\x03Hel\x80\x02lo".to_vec())
                .gives([Got::text("Hello")]),
            Vector::new(end, "§5.7 ping", b"\x89\x05Hello".to_vec())
                .gives([Got::ping(b"Hello")])
                .sends(b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec()),
            Vector::new(end, "§5.7 256 bytes", [&b"\x82\x7e\x01\x00"[..], &[9; 256]].concat())
                .gives([Got::binary(&[9; 256])]),
            Vector::new(
                end,
                "§5.7 64 KiB",
                [&b"\x82\x7f\0\0\0\0\0\x01\0\0"[..], &[9; 65536]].concat(),
            )
            .gives([Got::binary(&[9; 65536])]),
        ],
        End::Server => vec![
            Vector::new(
                end,
                "§5.7 masked text",
                b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
            )
            .gives([Got::text("Hello")]),
            Vector::new(
                end,
                "§5.7 masked pong",
                b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
            )
            .gives([Got::pong(b"Hello")]),
        ],
    }
}

fn reserved(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    let opcodes = [CONT, TEXT, BINARY, FIN | TEXT, FIN | BINARY, PING, PONG];
    for rsv in 1..8u8 {
        for first in opcodes.map(|opcode| opcode | rsv << 4) {
            let name = format!("RSV {rsv:03b}, first byte {first:#x}");
            for bytes in [frame(end, first, b"abc"), frame(end, first, b"")[..2].to_vec()] {
                all.push(Vector::new(end, &*name, bytes).fails(Error::ReservedBits(rsv), 1002));
            }
        }
    }
    for opcode in (3..8u8).chain(11..16) {
        for first in [opcode, FIN | opcode] {
            let name = format!("reserved opcode {opcode:#x}");
            for bytes in [frame(end, first, b"abc"), frame(end, first, b"")[..2].to_vec()] {
                all.push(
                    Vector::new(end, &*name, bytes).fails(Error::ReservedOpcode(opcode), 1002),
                );
            }
        }
    }
    all
}

fn masking(end: End) -> Vec<Vector> {
    let error = match end {
        End::Server => Error::NotMasked,
        End::Client => Error::Masked,
    };
    let mut all = Vec::new();
    for first in [FIN | TEXT, BINARY, PING, PONG, 0x88] {
        for len in [0, 1, 100] {
            // As the other end would expect it.
            let bytes = frame(end.peer(), first, &vec![b'x'; len]);
            for bytes in [bytes[..2].to_vec(), bytes] {
                all.push(Vector::new(end, "wrong masking", bytes).fails(error, 1002));
            }
        }
    }
    if end == End::Server {
        // A key of zeros is a key, and bytes under it are what they are.
        let zero = [&[0x81, 0x82, 0, 0, 0, 0][..], b"hi"].concat();
        all.push(Vector::new(end, "a key of zeros", zero).gives([Got::text("hi")]));
        // Each frame has a key of its own.
        let (a, b) = ([1, 2, 3, 4], [0x80, 0x40, 0x20, 0x10]);
        let under = |key: [u8; 4]| b"abcde".iter().zip(key.into_iter().cycle()).map(|(x, k)| x ^ k);
        let mut bytes = vec![0x02, 0x85];
        bytes.extend(a.into_iter().chain(under(a)));
        bytes.extend([0x80, 0x85].into_iter().chain(b).chain(under(b)));
        all.push(Vector::new(end, "two keys", bytes).gives([Got::binary(b"abcdeabcde")]));
    }
    all
}

fn lengths(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    let mut push = |len, error| {
        for opcode in [FIN | TEXT, FIN | BINARY, TEXT] {
            let whole = header(end, opcode, len);
            let key = if end == End::Server { KEY.len() } else { 0 };
            // Found at the length's last byte, whatever follows.
            let short = whole[..whole.len() - key].to_vec();
            let long = [&whole[..], b"payload"].concat();
            for bytes in [short, whole, long] {
                all.push(Vector::new(end, format!("{len:?}"), bytes).fails(error, 1002));
            }
        }
    };
    for len in [0, 1, 124, 125] {
        push(Len::Medium(len), Error::LengthNotMinimal);
    }
    for len in [0, 1, 125, 126, 127, 65534, 65535] {
        push(Len::Long(len), Error::LengthNotMinimal);
    }
    for len in [1 << 63, (1 << 63) + 1, (1 << 63) | 65535, u64::MAX] {
        push(Len::Long(len), Error::LengthTopBit);
    }
    all
}

/// What came before a violation is delivered and answered first, what comes after is ignored.
fn behind_a_good_frame(end: End) -> Vector {
    let bytes = [
        frame(end, FIN | TEXT, b"good"),
        frame(end, PING, b"p"),
        frame(end, FIN | 0x40 | TEXT, b"bad"),
        frame(end, FIN | TEXT, b"ignored"),
        frame(end, FIN | 3, b"ignored"),
    ];
    Vector::new(end, "a violation between good frames", bytes.concat())
        .gives([Got::text("good"), Got::ping(b"p")])
        .sends(frame(end.peer(), PONG, b"p"))
        .fails(Error::ReservedBits(4), 1002)
}
