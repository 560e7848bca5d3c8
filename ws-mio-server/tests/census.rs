//! What those who run a server see of its connections.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::sync::mpsc::channel;

use common::{Echo, LIMIT, Running, close, serve, until};
use ws_mio_server::{
    Call, CloseCode, ConnectionInfo, ConnectionKind, Denied, EndedBy, Identity, PeerId, Reply,
    Request, Server, Service,
};

#[derive(Clone)]
struct Stream;

impl Service for Stream {
    fn on_call(&mut self, _: &Call<'_>) -> Reply {
        Reply::Events { retry: None }
    }
}

fn named(request: &Request<'_>) -> Result<Identity, Denied> {
    Ok(Identity::new(&request.query("name").ok_or_else(Denied::missing)?))
}

fn server() -> Running {
    let builder = Server::builder().workers(2).authenticate(named).remember_ended(3);
    serve(builder.route("/echo", Echo).service("/events", Stream).close_timeout(6 * LIMIT))
}

fn connections(server: &Running, most: usize) -> (Vec<ConnectionInfo>, usize) {
    let (send, told) = channel();
    server.handle.connections(most, move |connections, total| {
        let _ = send.send((connections, total));
    });
    told.recv_timeout(LIMIT).expect("nothing was told")
}

#[test]
fn all_connections_are_told_of_with_what_they_are() {
    let server = server();
    let alice = server.open("/echo?name=alice");
    let mut bob = server.connect();
    bob.write(b"GET /events?name=bob HTTP/1.1\r\nHost: a\r\n\r\n");
    bob.head();
    let silent = server.connect();
    until("all are there", || connections(&server, 9).1 == 3);
    let (all, _) = connections(&server, 9);
    for (client, kind, user) in [
        (&alice, ConnectionKind::WebSocket, Some("alice")),
        (&bob, ConnectionKind::Events, Some("bob")),
        (&silent, ConnectionKind::Request, None),
    ] {
        let address = client.stream.local_addr().unwrap();
        let found = all.iter().find(|one| one.address == Some(address)).unwrap();
        assert_eq!((found.kind, found.user.as_deref()), (kind, user));
        assert!(found.age < LIMIT && found.queued == 0 && found.forwarded_for.is_none());
        assert_eq!(found.id.to_string().parse::<PeerId>(), Ok(found.id));
    }
    let (some, total) = connections(&server, 1);
    assert!(some.len() <= 2 && total == 3, "at most one of each worker");
    let id = all.iter().find(|one| one.user.as_deref() == Some("alice")).unwrap().id;
    let (send, told) = channel();
    server.handle.connections_of(vec![id], move |found, total| {
        let _ = send.send((found.len(), found[0].id, total));
    });
    assert_eq!(told.recv_timeout(LIMIT), Ok((1, id, 3)));
    server.handle.close(id, CloseCode::new(4403).unwrap(), "out");
    let mut alice = alice;
    assert_eq!(alice.frame().code(), 4403);
}

#[test]
fn connections_that_have_ended_are_remembered_and_not_too_many() {
    let server = server();
    for i in 0..9 {
        let mut client = server.open(&format!("/echo?name={i}"));
        client.write(&close(4000 + i, "theirs"));
        client.closed(4000 + i);
        drop(client);
        server.until_empty();
    }
    let ended = server.handle.ended(100);
    assert!((3..=6).contains(&ended.len()), "at most three of each worker: {ended:?}");
    for one in &ended {
        let user = one.user.as_deref().unwrap().parse::<u16>().unwrap();
        assert_eq!((one.code, one.by, one.reason.as_str()), (4000 + user, EndedBy::Peer, ""));
        assert!(one.address.is_some() && one.age < 9.0 && one.unix_time > 1_700_000_000);
    }
    assert!(ended.iter().any(|one| one.user.as_deref() == Some("8")), "the last one");
    assert_eq!(server.handle.ended(2).len(), 2);
    assert_eq!(server.handle.mailboxes(), [0, 0]);
}
