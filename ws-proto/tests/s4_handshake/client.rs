//! §4.1: the client's side, over header fields.

use super::{ACCEPT, Fields, KEY, NONCE, RESPONSE, response};
use crate::harness::Wire;
use ws_proto::handshake::{Ask, Field, HandshakeError, Pending, RequestError};

fn ask(ask: Ask<'_>) -> Result<String, RequestError> {
    let mut wire = Wire::default();
    let result = Pending::request(ask, NONCE, &mut wire);
    let text = String::from_utf8(wire.bytes).unwrap();
    match result {
        Ok(_) => Ok(text),
        Err(error) => {
            assert_eq!(text, "", "nothing is appended");
            Err(error)
        }
    }
}

fn finish_offering(
    subprotocols: &[&str],
    status: u16,
    fields: &Fields,
) -> Result<Option<String>, HandshakeError> {
    let ask = Ask { subprotocols, ..Ask::default() };
    let pending = Pending::request(ask, NONCE, &mut Wire::default()).unwrap();
    let accepted = pending.finish(status, &fields.borrow())?;
    Ok(accepted.subprotocol.map(str::to_owned))
}

fn finish(fields: &Fields) -> Result<Option<String>, HandshakeError> {
    finish_offering(&[], 101, fields)
}

#[test]
fn the_request_is_that_of_the_specification() {
    assert_eq!(
        ask(Ask { host: "server.example:8080", target: "/chat?a=b", ..Ask::default() }).unwrap(),
        format!(
            "GET /chat?a=b HTTP/1.1\r\nHost: server.example:8080\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        )
    );
    let full = Ask {
        subprotocols: &["chat", "superchat"],
        fields: &[Field::new("Origin", "https://a.example"), Field::new("Cookie", "a=b")],
        ..Ask::default()
    };
    let text = ask(full).unwrap();
    assert!(text.starts_with("GET / HTTP/1.1\r\nHost: localhost\r\n"), "{text}");
    assert!(
        text.ends_with(
            "\r\nSec-WebSocket-Protocol: chat, superchat\r\nOrigin: https://a.example\r\n\
             Cookie: a=b\r\n\r\n"
        ),
        "{text}"
    );
}

#[test]
fn each_nonce_makes_its_own_key() {
    let mut wire = Wire::default();
    Pending::request(Ask::default(), [0xff; 16], &mut wire).unwrap();
    let text = String::from_utf8(wire.bytes).unwrap();
    assert!(text.contains("\r\nSec-WebSocket-Key: /////////////////////w==\r\n"), "{text}");
    // And the proof for another key is none.
    let pending = Pending::request(Ask::default(), [0xff; 16], &mut Wire::default()).unwrap();
    let answer = response();
    let result = pending.finish(101, &answer.borrow()).map(drop);
    assert_eq!(result, Err(HandshakeError::Accept));
}

#[test]
fn a_request_that_would_be_malformed_is_refused() {
    let default = Ask::default();
    for host in ["", "a b", "a\r\nX: y", "a\0", "\u{e9}", "a\t"] {
        assert_eq!(ask(Ask { host, ..default }), Err(RequestError::Host), "{host:?}");
    }
    for target in ["", "chat", "http://a/", "*", "/a b", "/a#b", "/a\r\n", "/\u{e9}", "/\x7f"] {
        assert_eq!(ask(Ask { target, ..default }), Err(RequestError::Target), "{target:?}");
    }
    for subprotocols in [&[""][..], &["a b"], &["a,b"], &["a", "b", "a"], &["\u{e9}"], &["a", ""]] {
        let error = Err(RequestError::Subprotocol);
        assert_eq!(ask(Ask { subprotocols, ..default }), error, "{subprotocols:?}");
    }
    // Their case makes them two.
    assert!(ask(Ask { subprotocols: &["a", "A"], ..default }).is_ok());
    for (name, value) in [
        ("", "x"),
        ("A B", "x"),
        ("A", "x\r\nB: y"),
        ("A", "\0"),
        ("host", "x"),
        ("UPGRADE", "x"),
        ("Connection", "x"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("sec-websocket-key", "x"),
        ("Sec-WebSocket-Extensions", "x"),
        ("Sec-WebSocket-", "x"),
    ] {
        let fields = &[Field::new("Origin", "x"), Field::new(name, value)];
        assert_eq!(ask(Ask { fields, ..default }), Err(RequestError::Field), "{name}: {value}");
    }
}

#[test]
fn a_request_that_does_not_fit_is_not_begun() {
    let full = Ask {
        subprotocols: &["chat"],
        fields: &[Field { name: "Origin", value: b"https://a.example" }],
        ..Ask::default()
    };
    let len = ask(full).unwrap().len();
    for room in 0..=len {
        let mut wire = Wire::with_capacity(room);
        let result = Pending::request(full, NONCE, &mut wire).map(drop);
        assert_eq!(result, if room < len { Err(RequestError::Full) } else { Ok(()) });
        assert_eq!(wire.bytes.len(), if room < len { 0 } else { len });
    }
}

#[test]
fn a_good_response_is_accepted_in_any_form() {
    for fields in [
        response(),
        Fields::of(
            &RESPONSE.map(|(name, value)| (name.to_ascii_uppercase().leak() as &str, value)),
        ),
        response().with("Upgrade", "WebSocket"),
        response().with("Connection", "keep-alive, upgrade"),
        response().with("Connection", "").and("Connection", ",UPGRADE"),
        response().with("Sec-WebSocket-Accept", format!(" {ACCEPT}\t")),
        response().and("Sec-WebSocket-Extensions", ""),
        response().and("Sec-WebSocket-Extensions", " , ,"),
        response().and("Server", "any").and("Set-Cookie", "a=b"),
    ] {
        assert_eq!(finish(&fields), Ok(None), "{fields:?}");
    }
}

#[test]
fn any_status_but_101_is_an_error_that_carries_it() {
    for status in (0..=999).filter(|status| *status != 101) {
        let result = finish_offering(&[], status, &response());
        assert_eq!(result, Err(HandshakeError::Status(status)));
    }
    let text = HandshakeError::Status(503).to_string();
    assert!(text.contains("503"), "{text}");
}

#[test]
fn every_field_of_the_response_must_be_there_once() {
    for (name, _) in RESPONSE {
        assert_eq!(finish(&response().without(name)), Err(HandshakeError::Missing(name)));
    }
    for (name, value) in [("Upgrade", "websockets"), ("Upgrade", "h2c"), ("Connection", "close")] {
        let fields = response().with(name, value);
        assert_eq!(finish(&fields), Err(HandshakeError::Missing(name)), "{value}");
    }
    let name = "Sec-WebSocket-Accept";
    let twice = response().and(name, ACCEPT);
    assert_eq!(finish(&twice), Err(HandshakeError::Repeated(name)));
}

#[test]
fn the_proof_is_exact() {
    for at in 0..ACCEPT.len() {
        let mut proof = ACCEPT.as_bytes().to_vec();
        proof[at] ^= 0x20;
        let fields = response().with("Sec-WebSocket-Accept", proof);
        assert_eq!(finish(&fields), Err(HandshakeError::Accept), "{at}");
    }
    for proof in ["", KEY, &ACCEPT[..27], &format!("{ACCEPT}="), &ACCEPT.to_lowercase()] {
        let fields = response().with("Sec-WebSocket-Accept", proof);
        assert_eq!(finish(&fields), Err(HandshakeError::Accept), "{proof}");
    }
}

#[test]
fn nothing_is_accepted_that_was_not_offered() {
    let chosen = |name: &str| response().and("Sec-WebSocket-Protocol", name);
    let offer = &["chat", "superchat"];
    assert_eq!(finish_offering(offer, 101, &response()), Ok(None));
    for name in ["chat", "superchat", " superchat "] {
        assert_eq!(finish_offering(offer, 101, &chosen(name)), Ok(Some(name.trim().to_owned())));
    }
    for name in ["", "Chat", "chat, superchat", "other", "cha"] {
        let result = finish_offering(offer, 101, &chosen(name));
        assert_eq!(result, Err(HandshakeError::Subprotocol), "{name}");
    }
    assert_eq!(finish(&chosen("chat")), Err(HandshakeError::Subprotocol));
    let not_text = response().and("Sec-WebSocket-Protocol", b"\xff");
    assert_eq!(finish_offering(offer, 101, &not_text), Err(HandshakeError::Subprotocol));
    let twice = chosen("chat").and("Sec-WebSocket-Protocol", "chat");
    let error = HandshakeError::Repeated("Sec-WebSocket-Protocol");
    assert_eq!(finish_offering(offer, 101, &twice), Err(error));
    for value in ["permessage-deflate", "x", ", ;"] {
        let fields = response().and("Sec-WebSocket-Extensions", value);
        assert_eq!(finish(&fields), Err(HandshakeError::Extension), "{value}");
    }
}

/// What a caller keeps who can't keep a [`Pending`].
#[test]
fn a_proof_stands_for_the_request() {
    let subprotocols = ["a", "b"];
    let ask = Ask { subprotocols: &subprotocols, ..Ask::default() };
    let proof = Pending::request(ask, NONCE, &mut Wire::default()).unwrap().proof();
    let finish = |accept, chosen| {
        let fields = [
            Field::new("Upgrade", "websocket"),
            Field::new("Connection", "Upgrade"),
            Field::new("Sec-WebSocket-Accept", accept),
            Field::new("Sec-WebSocket-Protocol", chosen),
        ];
        Pending::of_proof(proof, &subprotocols)
            .finish(101, &fields)
            .map(|accepted| accepted.subprotocol)
    };
    assert_eq!(finish(ACCEPT, "b"), Ok(Some("b")));
    assert_eq!(finish(ACCEPT, "c"), Err(HandshakeError::Subprotocol));
    assert_eq!(finish("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "b"), Err(HandshakeError::Accept));
}
