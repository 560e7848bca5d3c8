//! Our parser and `httparse`: what they make of a head is the same.

extern crate std;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::Config;
use proptest::{proptest, sample};
use std::format;
use std::string::String;
use std::vec::Vec;

use super::{HeadReader, own, with_httparse};

/// Pieces of heads, good ones and bad ones, as they may stand anywhere.
const PIECES: [&str; 44] = [
    "GET",
    "POST",
    "G@T",
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "/",
    "/chat?a=b",
    "*",
    "\u{e9}",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/1.",
    "HTTP/",
    "HTTP/1.10",
    "http/1.1",
    "ICY",
    "101",
    "200",
    "99",
    "1O1",
    "1011",
    " Switching Protocols",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    "Host",
    "Host: a",
    "Upgrade:websocket",
    ":",
    ":",
    ": ",
    " :",
    "X-\u{ff}",
    "a, b ",
    "\0",
];

fn pieces(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(sample::select(&PIECES[..]), 0..most).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A head that is good, so that what is done to it decides.
fn good() -> impl Strategy<Value = Vec<u8>> {
    let first = sample::select(&["GET /chat HTTP/1.1", "HTTP/1.1 101 Any", "HTTP/1.1 101"][..]);
    let field =
        ("[A-Za-z!#$%&'*+.^_`|~-]{1,12}", "[ \t]{0,2}", "[ -~\t\u{e9}]{0,20}", "[ \t]{0,2}")
            .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"));
    (first, vec(field, 0..8)).prop_map(|(first, fields)| {
        let fields: String = fields.concat();
        [first.as_bytes(), b"\r\n", fields.as_bytes(), b"\r\n"].concat()
    })
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<sample::Index>(), any::<bool>(), pieces(2), any::<u8>());
    (good(), vec(damage, 0..3)).prop_map(|(mut head, damages)| {
        for (at, inserts, piece, byte) in damages {
            let at = at.index(head.len());
            if inserts {
                head.splice(at..at, piece);
            } else {
                head.splice(at..=at, [byte]);
            }
        }
        head
    })
}

/// Compares them if a [`HeadReader`] ends; tells how many did.
fn compare(bytes: &[u8]) -> usize {
    let mut ended = 0;
    if let Ok(Some(end)) = HeadReader::request().end(bytes) {
        let head = bytes.get(..end).unwrap_or_default();
        let text = head.escape_ascii();
        assert_eq!(own::request::<100>(head), with_httparse::request(head), "{text}");
        assert_eq!(own::request::<3>(head), with_httparse::request(head), "{text}");
        ended = 1;
    }
    if let Ok(Some(end)) = HeadReader::response().end(bytes) {
        let head = bytes.get(..end).unwrap_or_default();
        assert_eq!(own::response(head), with_httparse::response(head), "{}", head.escape_ascii());
        ended = 1;
    }
    ended
}

proptest! {
    #![proptest_config(Config { cases: 4_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn both_parsers_agree(bytes in prop_oneof![6 => damaged(), 1 => pieces(20)]) {
        compare(&bytes);
    }
}

/// Every byte at every place, which chance would seldom hit upon.
#[test]
fn both_parsers_agree_on_each_byte() {
    let heads: [&[u8]; 4] = [
        b"GET /c HTTP/1.1\r\nHo: a b\r\nX:\r\n\r\n",
        b"\r\nA / HTTP/1.0\r\n\r\n",
        b"HTTP/1.1 101 S P\r\nUp: a\t\r\n\r\n",
        b"HTTP/1.0 200\r\nA:b\r\n\r\n",
    ];
    let mut ended = 0usize;
    for (head, at) in heads.iter().flat_map(|head| (0..head.len()).map(move |at| (head, at))) {
        for byte in 0..=u8::MAX {
            let mut bytes = head.to_vec();
            bytes.splice(at..=at, [byte]);
            ended = ended.saturating_add(compare(&bytes));
        }
    }
    assert!(ended > 15_000, "{ended} heads were parsed");
}
