//! The sizes that firmware and servers with many connections count on.

use core::mem::size_of;

use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Error, Event, Parked, Server};

#[test]
fn a_connection_is_at_most_192_bytes() {
    assert!(size_of::<Connection<Server>>() <= 192, "{}", size_of::<Connection<Server>>());
    // Where the keys come from is the caller's, and so is its size.
    let client = Connection::new(Client(|| [0; 4]), Config::default(), Agreed::elsewhere());
    assert!(size_of_val(&client) <= 192, "{}", size_of_val(&client));
}

#[test]
fn a_parked_connection_is_at_most_48_bytes() {
    assert!(size_of::<Option<Parked>>() <= 48, "{}", size_of::<Option<Parked>>());
}

#[test]
fn an_event_is_at_most_32_bytes() {
    assert!(size_of::<Option<Event<'_>>>() <= 32, "{}", size_of::<Option<Event<'_>>>());
}

#[test]
fn an_error_is_at_most_16_bytes() {
    assert!(size_of::<Error>() <= 8, "{}", size_of::<Error>());
    assert!(size_of::<Result<Option<Event<'_>>, Error>>() <= 32);
}
