//! RFC 6455 §8.1: text that is UTF-8, and text that is not.

use super::Vector;
use super::alloc::{format, vec::Vec};
use crate::harness::{CONT, End, FIN, Got, TEXT, frame};
use ws_proto::Error;

/// Bytes of a text, and how many of them are good.
const TEXTS: [(&[u8], usize); 28] = [
    ("\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes(), 11),
    ("\0\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}".as_bytes(), 20),
    ("\u{d7ff}\u{e000}\u{fffd}\u{feff}".as_bytes(), 12),
    (b"\x80", 0),
    (b"\xbf", 0),
    (b"ab\xfe", 2),
    (b"ab\xff", 2),
    (b"\xc0\x80", 0),
    (b"\xc1\xbf", 0),
    (b"\xe0\x80\x80", 0),
    (b"\xe0\x9f\xbf", 0),
    (b"\xed\xa0\x80", 0),
    (b"\xed\xbf\xbf", 0),
    (b"\xf0\x80\x80\x80", 0),
    (b"\xf0\x8f\xbf\xbf", 0),
    (b"\xf4\x90\x80\x80", 0),
    (b"\xf5\x80\x80\x80", 0),
    (b"\xf8\x88\x80\x80\x80", 0),
    (b"a\xc3(", 1),
    (b"a\xe2\x82(", 1),
    (b"a\xf0\x9f\x98(", 1),
    (b"\xc3\xa9\xc3", 2),
    (b"\xe2\x82", 0),
    (b"\xf0\x9f\x98", 0),
    (b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!", 29),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 11),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 11),
    (b"twelve bytes\x80 and more than sixteen behind them", 12),
];

pub(crate) fn vectors(end: End) -> Vec<Vector> {
    let mut all = Vec::new();
    for (bytes, good) in TEXTS {
        let one = frame(end, FIN | TEXT, bytes);
        // One fragment a byte, with an empty one behind each and at the end.
        let mut many = frame(end, TEXT, b"");
        for byte in bytes {
            many.extend(frame(end, CONT, &[*byte]));
            many.extend(frame(end, CONT, b""));
        }
        many.extend(frame(end, FIN, b""));
        for frames in [one, many] {
            let vector = Vector::new(end, format!("text {:x?}", bytes), frames);
            let text = str::from_utf8(&bytes[..good]).expect("the good bytes are good");
            all.push(if good == bytes.len() {
                vector.gives([Got::text(text)])
            } else {
                let error = Error::InvalidUtf8 { offset: good as u32 };
                let part = (!text.is_empty()).then(|| Got::text_part(text, true, false));
                vector.gives(part).fails(error, 1007)
            });
        }
    }
    all.push(
        Vector::new(
            end,
            "bad text behind a good message",
            [frame(end, FIN | TEXT, "\u{e9}".as_bytes()), frame(end, FIN | TEXT, b"a\xff")]
                .concat(),
        )
        .gives([Got::text("\u{e9}"), Got::text_part("a", true, false)])
        // Counted from the start of its own message.
        .fails(Error::InvalidUtf8 { offset: 1 }, 1007),
    );
    all.push(
        Vector::new(end, "binary is not text", frame(end, FIN | 2, b"\xff\xc0\x80"))
            .gives([Got::binary(b"\xff\xc0\x80")]),
    );
    all
}
