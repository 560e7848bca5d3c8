//! RFC 7692 §5, §7.1: what both ends come to agree on, through the opening handshake.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

use ws_proto::deflate::{Agreement, Context, Settings, WindowBits};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Ask, Choice, HandshakeError, Pending, Upgrade};

const NONCE: [u8; 16] = *b"the sample nonce";

fn settings() -> impl Iterator<Item = Settings> {
    let contexts = || {
        [9, 12, 15].into_iter().flat_map(|bits| {
            let window = WindowBits::new(bits).unwrap();
            [false, true].map(|takeover| Context { window, takeover })
        })
    };
    contexts().flat_map(move |sent| {
        contexts().map(move |received| Settings { sent, received, ..Settings::default() })
    })
}

/// What the server and the client think that they have agreed on, and the server's answer.
fn agree(
    client: Option<Settings>,
    server: Option<&Settings>,
) -> (Option<Agreement>, Option<Agreement>, String) {
    let ask = Ask { subprotocols: &["a", "b"], ..Ask::default() };
    let mut request = Vec::new();
    let pending = match client {
        Some(settings) => Pending::request_deflate(ask, settings, NONCE, &mut request).unwrap(),
        None => Pending::request(ask, NONCE, &mut request).unwrap(),
    };
    assert_eq!(HeadReader::request().end(&request), Ok(Some(request.len())));
    let head = head::request(&request).unwrap();
    let upgrade = Upgrade::parse(head.method, &head.fields).unwrap();
    let choice = Choice { subprotocol: Some("b"), ..Choice::default() };
    let mut answer = Vec::new();
    let at_server = match server {
        Some(settings) => upgrade.accept_deflate(choice, settings, &mut answer).unwrap(),
        None => upgrade.accept(choice, &mut answer).unwrap(),
    };
    let accepted = pending.finish_head(&answer).unwrap();
    assert_eq!(accepted.subprotocol, Some("b"));
    let answer = String::from_utf8(answer.clone()).unwrap();
    (at_server.deflate(), accepted.agreed.deflate(), answer)
}

#[test]
fn s7_1_whatever_both_would_like_they_mean_the_same() {
    for client in settings() {
        for server in settings() {
            let (at_server, at_client, answer) = agree(Some(client), Some(&server));
            let (at_server, at_client) = (at_server.unwrap(), at_client.unwrap());
            let takeover = client.sent.takeover && server.received.takeover;
            assert_eq!(
                (at_client.sent.takeover, at_server.received.takeover),
                (takeover, takeover)
            );
            let takeover = server.sent.takeover && client.received.takeover;
            assert_eq!(
                (at_server.sent.takeover, at_client.received.takeover),
                (takeover, takeover)
            );
            let window = client.sent.window.min(server.received.window);
            assert_eq!((at_client.sent.window, at_server.received.window), (window, window));
            let window = server.sent.window.min(client.received.window);
            assert_eq!((at_server.sent.window, at_client.received.window), (window, window));
            assert!(answer.contains("Sec-WebSocket-Extensions: permessage-deflate"), "{answer}");
        }
    }
}

#[test]
fn s5_1_nothing_is_agreed_on_unless_both_want_it() {
    let settings = Settings::default();
    for (client, server) in [(Some(settings), None), (None, Some(&settings)), (None, None)] {
        let (at_server, at_client, answer) = agree(client, server);
        assert_eq!((at_server, at_client), (None, None));
        assert!(!answer.contains("Extensions"), "{answer}");
    }
}

#[test]
fn s5_1_a_client_takes_no_extension_that_it_did_not_offer() {
    let mut request = Vec::new();
    let pending = Pending::request(Ask::default(), NONCE, &mut request).unwrap();
    let answer = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    assert_eq!(pending.finish_head(answer).err(), Some(HandshakeError::Extension));
}
