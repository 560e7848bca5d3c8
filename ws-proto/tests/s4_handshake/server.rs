//! §4.2: the server's side, over header fields.

use super::{ACCEPT, Fields, KEY, REQUEST, request};
use crate::harness::Wire;
use ws_proto::handshake::{AcceptError, Choice, Field, Reject, Upgrade};

/// The verdict on a GET request with these fields.
fn parse(fields: &Fields) -> Result<(), Reject> {
    Upgrade::parse("GET", &fields.borrow()).map(drop)
}

fn accept(fields: &Fields, choice: Choice<'_>) -> Result<String, AcceptError> {
    let mut wire = Wire::default();
    let fields = fields.borrow();
    let result = Upgrade::parse("GET", &fields).unwrap().accept(choice, &mut wire);
    let text = String::from_utf8(wire.bytes).unwrap();
    match result {
        Ok(_) => Ok(text),
        Err(error) => {
            assert_eq!(text, "", "nothing is appended");
            Err(error)
        }
    }
}

#[test]
fn a_good_request_gets_the_101_of_the_specification() {
    assert_eq!(
        accept(&request(), Choice::default()).unwrap(),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        )
    );
}

#[test]
fn names_and_tokens_have_no_case_and_lists_any_form() {
    for fields in [
        Fields::of(&REQUEST.map(|(name, value)| (name.to_ascii_lowercase().leak() as &str, value))),
        Fields::of(&REQUEST.map(|(name, value)| (name.to_ascii_uppercase().leak() as &str, value))),
        request().with("Upgrade", "WebSocket"),
        request().with("Upgrade", "h2c, WEBSOCKET"),
        request().with("Upgrade", ",, ,websocket ,\t,"),
        request().and("Upgrade", "h2c").and("Upgrade", ""),
        request().with("Upgrade", "").and("Upgrade", "websocket"),
        request().with("Connection", "keep-alive, UPGRADE"),
        request().with("Connection", ",\tupgrade\t,").and("Connection", "keep-alive"),
        request().with("Connection", "keep-alive").and("Connection", "Upgrade"),
        request().with("Sec-WebSocket-Version", " 13\t"),
        request().with("Sec-WebSocket-Key", format!(" {KEY} ")),
        request().with("Host", " [::1]:9001 "),
        request().with("Content-Length", "0"),
        request().with("Content-Length", "00"),
        request().and("Origin", "https://any.example").and("X-Unknown", "\u{e9}\tand more"),
        request().and("Cookie", b"\x80\xff obs-text"),
    ] {
        assert_eq!(parse(&fields), Ok(()), "{fields:?}");
    }
}

#[test]
fn every_field_must_be_there() {
    for (name, _) in REQUEST {
        let expected = Reject::Missing(name);
        assert_eq!(parse(&request().without(name)), Err(expected));
        assert_eq!(expected.status(), 400);
    }
}

#[test]
fn fields_that_come_once_come_once() {
    for (name, value) in [
        ("Host", "server.example"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Content-Length", "0"),
    ] {
        for first in [value, "", "x"] {
            let fields = request().with(name, first).and(&name.to_ascii_lowercase(), value);
            assert_eq!(parse(&fields), Err(Reject::Repeated(name)), "{fields:?}");
        }
    }
    assert_eq!(Reject::Repeated("Host").status(), 400);
}

#[test]
fn tokens_of_lists_are_whole() {
    for (name, values) in [
        ("Upgrade", ["", "websockets", "web socket", "websocket/13", "\"websocket\"", "h2c"]),
        ("Connection", ["", "keep-alive", "close", "upgraded", "up grade", "upgrade;q=1"]),
    ] {
        for value in values {
            let fields = request().with(name, value);
            assert_eq!(parse(&fields), Err(Reject::Missing(name)), "{value:?}");
        }
    }
}

#[test]
fn an_ordinary_request_is_told_what_to_do() {
    let plain = Fields::of(&[("Host", "a"), ("Connection", "keep-alive")]);
    for fields in [
        plain.clone(),
        plain.clone().and("Upgrade", "h2c"),
        plain.and("Connection", "Upgrade, HTTP2-Settings").and("Upgrade", "h2c"),
    ] {
        assert_eq!(parse(&fields), Err(Reject::NotAnUpgrade), "{fields:?}");
    }
    assert_eq!(Reject::NotAnUpgrade.status(), 426);
    // Meant as one, but a proxy has dropped `Upgrade` and `Connection`.
    let fields = request().without("Upgrade").without("Connection");
    assert_eq!(parse(&fields), Err(Reject::Missing("Upgrade")));
}

#[test]
fn the_version_is_13() {
    for version in
        ["", "0", "7", "8", "12", "14", "013", "+13", "13.0", "13, 8", "8, 13", "x", "1 3"]
    {
        let fields = request().with("Sec-WebSocket-Version", version);
        assert_eq!(parse(&fields), Err(Reject::Version), "{version:?}");
    }
    assert_eq!(Reject::Version.status(), 426);
}

#[test]
fn the_key_is_16_bytes_in_base64() {
    let error = Err(Reject::Invalid("Sec-WebSocket-Key"));
    for len in (0..=60).filter(|len| *len != 22) {
        for padding in ["", "=", "==", "==="] {
            let key = "A".repeat(len) + padding;
            assert_eq!(parse(&request().with("Sec-WebSocket-Key", &key)), error, "{key}");
        }
    }
    for at in 0..24 {
        for byte in (b' '..=b'~').chain([0x80, 0xff]) {
            let mut key = KEY.as_bytes().to_vec();
            key[at] = byte;
            let good = match at {
                0..22 => byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/',
                _ => byte == b'=',
            };
            let expected = if good { Ok(()) } else { error };
            assert_eq!(parse(&request().with("Sec-WebSocket-Key", &key)), expected, "{key:?}");
        }
    }
    assert_eq!(Reject::Invalid("Sec-WebSocket-Key").status(), 400);
}

#[test]
fn the_host_is_one_host() {
    for host in
        ["", " ", "a b", "a, b", "a/b", "http://a", "u@a", "a:b", "a:1:2", "[::1", "a?", "a#", "[]"]
    {
        assert_eq!(parse(&request().with("Host", host)), Err(Reject::Invalid("Host")), "{host:?}");
    }
}

#[test]
fn the_method_is_get() {
    for method in ["POST", "HEAD", "PUT", "CONNECT", "OPTIONS", "get", "Get", "GET ", ""] {
        let fields = request();
        let fields = fields.borrow();
        assert_eq!(Upgrade::parse(method, &fields).map(drop), Err(Reject::Method), "{method:?}");
    }
    assert_eq!(Reject::Method.status(), 405);
}

#[test]
fn there_is_no_body() {
    for (name, value, error) in [
        ("Content-Length", "1", Reject::Body),
        ("Content-Length", "0010", Reject::Body),
        ("Content-Length", "99999999999999999999999999", Reject::Body),
        ("Transfer-Encoding", "chunked", Reject::Body),
        ("Transfer-Encoding", "", Reject::Body),
        ("Content-Length", "", Reject::Invalid("Content-Length")),
        ("Content-Length", "-1", Reject::Invalid("Content-Length")),
        ("Content-Length", "+0", Reject::Invalid("Content-Length")),
        ("Content-Length", "0, 0", Reject::Invalid("Content-Length")),
        ("Content-Length", "0x0", Reject::Invalid("Content-Length")),
    ] {
        assert_eq!(parse(&request().and(name, value)), Err(error), "{name}: {value}");
        assert_eq!(error.status(), 400);
    }
}

#[test]
fn names_are_tokens_and_values_hold_no_control_characters() {
    for byte in 0..=u8::MAX {
        let control = byte < b' ' && byte != b'\t' || byte == 0x7f;
        let expected = if control { Err(Reject::IllegalField) } else { Ok(()) };
        for value in [vec![byte], vec![b'a', byte, b'b']] {
            assert_eq!(parse(&request().and("X", value)), expected, "{byte:#x}");
        }
    }
    for byte in 0..=0x7fu8 {
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let expected = if token { Ok(()) } else { Err(Reject::IllegalField) };
        let name = format!("X{}Y", char::from(byte));
        assert_eq!(parse(&request().and(&name, "x")), expected, "{name:?}");
    }
    for name in ["", " Host", "Host ", "H\u{e9}"] {
        assert_eq!(parse(&request().and(name, "x")), Err(Reject::IllegalField), "{name:?}");
    }
    assert_eq!(Reject::IllegalField.status(), 400);
}

#[test]
fn subprotocols_are_offered_in_the_clients_order() {
    let fields = request()
        .and("Sec-WebSocket-Protocol", "chat, superchat ,,")
        .and("sec-websocket-protocol", "")
        .and("SEC-WEBSOCKET-PROTOCOL", "v2.chat!");
    let fields = fields.borrow();
    let upgrade = Upgrade::parse("GET", &fields).unwrap();
    assert_eq!(upgrade.subprotocols().collect::<Vec<_>>(), ["chat", "superchat", "v2.chat!"]);
    // The server's order counts, and case does.
    assert_eq!(upgrade.choose(&["none", "superchat", "chat"]), Some("superchat"));
    assert_eq!(upgrade.choose(&["Chat", "chat2", "cha"]), None);
    assert_eq!(upgrade.choose(&[]), None);
    let plain = request();
    let plain = plain.borrow();
    let upgrade = Upgrade::parse("GET", &plain).unwrap();
    assert_eq!(upgrade.subprotocols().count(), 0);
    assert_eq!(upgrade.choose(&["chat"]), None);
}

#[test]
fn subprotocols_are_tokens() {
    for value in ["a b", "chat;x=1", "\"chat\"", "a, b/c", "\u{e9}"] {
        let error = Reject::Invalid("Sec-WebSocket-Protocol");
        assert_eq!(parse(&request().and("Sec-WebSocket-Protocol", value)), Err(error), "{value}");
    }
}

#[test]
fn one_subprotocol_is_chosen_and_only_of_those_offered() {
    let offer = request().and("Sec-WebSocket-Protocol", "chat, superchat");
    let choose = |subprotocol| Choice { subprotocol, ..Choice::default() };
    let text = accept(&offer, choose(Some("superchat"))).unwrap();
    assert!(text.ends_with("\r\nSec-WebSocket-Protocol: superchat\r\n\r\n"), "{text}");
    let text = accept(&offer, choose(None)).unwrap();
    assert!(!text.contains("Protocol:"), "{text}");
    for other in ["", "Chat", "chat, superchat", "other", "chat\r\nX: y"] {
        assert_eq!(accept(&offer, choose(Some(other))), Err(AcceptError::NotOffered), "{other}");
    }
    assert_eq!(accept(&request(), choose(Some("chat"))), Err(AcceptError::NotOffered));
}

#[test]
fn further_fields_are_the_callers_but_not_the_handshakes() {
    let fields = [Field::new("Set-Cookie", "a=b"), Field { name: "X-Any", value: b"\xff\t" }];
    let mut wire = Wire::default();
    let good = request();
    let good = good.borrow();
    let choice = Choice { fields: &fields, ..Choice::default() };
    Upgrade::parse("GET", &good).unwrap().accept(choice, &mut wire).unwrap();
    assert!(wire.bytes.ends_with(b"\r\nSet-Cookie: a=b\r\nX-Any: \xff\t\r\n\r\n"));

    for (name, value) in [
        ("", "x"),
        ("Set Cookie", "x"),
        ("Set-Cookie:", "x"),
        ("X", "a\r\nY: b"),
        ("X", "a\0"),
        ("Upgrade", "websocket"),
        ("connection", "close"),
        ("CONTENT-LENGTH", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Sec-WebSocket-Accept", ACCEPT),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("Sec-WebSocket-Protocol", "chat"),
    ] {
        let fields = [Field::new("Set-Cookie", "a=b"), Field::new(name, value)];
        let choice = Choice { fields: &fields, ..Choice::default() };
        assert_eq!(accept(&request(), choice), Err(AcceptError::IllegalField), "{name}: {value}");
    }
}

/// Policy: unknown extensions are ignored, and a malformed list negotiates nothing.
#[test]
fn extensions_are_ignored() {
    for value in
        ["permessage-deflate", "x; y=\"z\", permessage-deflate; client_max_window_bits", ";;,=", ""]
    {
        let text = accept(&request().and("Sec-WebSocket-Extensions", value), Choice::default());
        assert!(!text.unwrap().contains("Extensions"), "{value}");
    }
}

#[test]
fn a_101_that_does_not_fit_is_not_begun() {
    let offer = request().and("Sec-WebSocket-Protocol", "chat");
    let fields = &[Field { name: "Set-Cookie", value: b"a=b" }];
    let choice = Choice { subprotocol: Some("chat"), ..Choice::default() };
    let choice = Choice { fields, ..choice };
    let len = accept(&offer, choice).unwrap().len();
    let fields = offer.borrow();
    for room in 0..=len {
        let mut wire = Wire::with_capacity(room);
        let result = Upgrade::parse("GET", &fields).unwrap().accept(choice, &mut wire);
        if room < len {
            assert!(matches!(result, Err(AcceptError::Full)), "{room}");
            assert_eq!(wire.bytes, b"");
        } else {
            assert!(result.is_ok());
            assert_eq!(wire.bytes.len(), len);
        }
    }
}
