//! Whom proxies speak for: fields of a request, and the PROXY protocol.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use common::{TEXT, echo, request, serve, until};
use ws_mio_server::{Builder, Handler, Message, Peer, ProxyHeader};

/// Tells each peer where it comes from.
#[derive(Clone)]
struct Whence;

impl Handler for Whence {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let address = peer.forwarded_for().map(|address| address.to_string());
        peer.send(Message::Text(&address.unwrap_or_default()));
    }

    fn on_message(&mut self, _: &mut Peer<'_>, _: Message<'_>) {}
}

fn server(network: &str) -> Builder {
    echo().route("/whence", Whence).trust_proxy(network.parse().unwrap())
}

fn with(field: &str) -> String {
    format!("{}{field}\r\n\r\n", request("/whence").strip_suffix("\r\n").unwrap())
}

#[test]
fn fields_of_trusted_proxies_are_believed() {
    let told = "X-Forwarded-For: 198.51.100.1, 192.0.2.1";
    for (builder, field, due) in [
        (server("127.0.0.0/8"), told, "192.0.2.1"),
        (server("10.0.0.0/8"), told, ""),
        (server("127.0.0.1"), "Forwarded: for=192.0.2.1", ""),
        (
            server("127.0.0.1").proxy_header(ProxyHeader::Forwarded),
            "Forwarded: for=192.0.2.1;proto=https",
            "192.0.2.1",
        ),
        (server("127.0.0.1"), "X-Forwarded-For: nonsense", ""),
    ] {
        let server = serve(builder);
        let mut client = server.connect();
        client.write(with(field).as_bytes());
        client.accepted();
        client.expect(TEXT, due.as_bytes());
    }
}

#[test]
fn a_header_of_the_proxy_protocol_comes_first_and_in_any_slices() {
    let server = serve(server("127.0.0.1").expect_proxy_protocol());
    let v1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n".to_vec();
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([192, 0, 2, 7, 127, 0, 0, 1, 1, 2, 3, 4]);
    let unknown = b"PROXY UNKNOWN\r\n".to_vec();
    for (header, due) in [(v1, "192.0.2.7"), (v2, "192.0.2.7"), (unknown, "")] {
        let all = [&header[..], request("/whence").as_bytes()].concat();
        for cuts in
            [vec![], vec![1], vec![header.len()], vec![5, header.len() + 9], (1..60).collect()]
        {
            let mut client = server.connect();
            let mut from = 0;
            for cut in cuts.iter().copied().chain([all.len()]) {
                let reads = server.handle.stats().reads;
                client.write(&all[from..cut]);
                from = cut;
                // One slice is one read.
                until("the slice is read", || server.handle.stats().reads > reads);
            }
            client.accepted();
            client.expect(TEXT, due.as_bytes());
        }
    }
    for (bytes, due) in [
        (request("/whence"), "does not begin with a PROXY"),
        ("PROXY TCP4 a b c d\r\n".to_owned(), "malformed"),
    ] {
        let mut client = server.connect();
        client.write(bytes.as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 400 "));
        assert!(String::from_utf8(client.rest()).unwrap().contains(due));
    }
}

#[test]
fn who_is_no_trusted_proxy_may_not_use_the_proxy_protocol() {
    let server = serve(server("10.0.0.0/8").expect_proxy_protocol());
    let mut client = server.connect();
    client.write(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n");
    assert!(client.head().starts_with("HTTP/1.1 403 "));
    assert_eq!(client.rest(), b"only trusted proxies may connect here\n");
}
