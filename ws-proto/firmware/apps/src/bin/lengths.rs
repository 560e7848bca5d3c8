//! What could go wrong where a `usize` has 32 bits: lengths beyond it, in both roles, at every split of the bytes.
#![no_std]
#![no_main]

use board::semihosting;
use ws_proto::handshake::Agreed;
use ws_proto::{
    Client, Config, Connection, Error, Event, Input, Kind, Part, Role, Scratch, SendError, Server,
    Slice, Store as _,
};

board::entry!(main);

/// A length that is 1 if its upper half is lost.
const LENGTH: u64 = (1 << 32) + 1;

fn main() -> bool {
    let key = || [1, 2, 3, 4];
    let server = |config| Connection::new(Server, config, Agreed::elsewhere());
    let client = |config| Connection::new(Client(key), config, Agreed::elsewhere());
    let mut failed = false;
    for (what, holds) in [
        ("usize has 32 bits", usize::BITS == 32),
        ("a server refuses 2^32 + 1 bytes", (1..20).all(|n| refuses(server, true, n))),
        ("a client refuses 2^32 + 1 bytes", (1..20).all(|n| refuses(client, false, n))),
        ("a server does not take them for 1", (1..20).all(|n| goes_on(server, true, n))),
        ("a client does not take them for 1", (1..20).all(|n| goes_on(client, false, n))),
        ("the limit is exact at 2^32 + 1", is_exact(client)),
        ("fragments add up beyond 2^32", adds_up(client)),
        ("headers are written", writes(server)),
    ] {
        semihosting::print(if holds { "ok   " } else { "FAIL " });
        semihosting::print(what);
        semihosting::print("\n");
        failed |= !holds;
    }
    !failed
}

/// A header that declares `length`, in its 64-bit form, and three bytes of payload.
fn frame(first: u8, masked: bool, length: u64, buffer: &mut [u8; 20]) -> &mut [u8] {
    let mut out = Slice::new(buffer);
    let mask = if masked { 0x80 } else { 0 };
    for bytes in [&[first, mask | 127][..], &length.to_be_bytes()] {
        let _ = ws_proto::Sink::put(&mut out, bytes, &[]);
    }
    let rest: &[u8] = if masked { &[0, 0, 0, 0, 7, 7, 7] } else { &[7, 7, 7] };
    let _ = ws_proto::Sink::put(&mut out, rest, &[]);
    let len = out.stored().len();
    &mut buffer[..len]
}

/// Reads in chunks, and tells how many bytes of a message came, and the error.
fn read<R: Role>(
    conn: &mut Connection<R>,
    bytes: &mut [u8],
    size: usize,
) -> (usize, Option<Error>) {
    let (mut come, mut scratch) = (0, Scratch::new());
    for chunk in bytes.chunks_mut(size) {
        let mut input = Input::new(chunk, &mut scratch);
        loop {
            match conn.next_event(&mut input) {
                Ok(Some(Event::Binary(Part { data, last: false, .. }))) => come += data.len(),
                Ok(Some(_)) => return (usize::MAX, None),
                Ok(None) => break,
                Err(error) => return (come, Some(error)),
            }
        }
    }
    (come, None)
}

fn refuses<R: Role>(new: impl Fn(Config) -> Connection<R>, masked: bool, size: usize) -> bool {
    let (mut conn, mut buffer) = (new(Config::default()), [0; 20]);
    let told = read(&mut conn, frame(0x82, masked, LENGTH, &mut buffer), size);
    let (mut out, _) = ([0; 64], ());
    let mut out = Slice::new(&mut out);
    let sent = conn.poll_transmit(&mut out).is_ok() && out.stored().first() == Some(&0x88);
    told == (0, Some(Error::MessageTooBig)) && sent
}

fn goes_on<R: Role>(new: impl Fn(Config) -> Connection<R>, masked: bool, size: usize) -> bool {
    let config = Config { max_message: u64::MAX, ..Config::default() };
    let mut buffer = [0; 20];
    read(&mut new(config), frame(0x82, masked, LENGTH, &mut buffer), size) == (3, None)
}

fn is_exact<R: Role>(new: impl Fn(Config) -> Connection<R>) -> bool {
    let told = |max_message| {
        let (config, mut buffer) = (Config { max_message, ..Config::default() }, [0; 20]);
        read(&mut new(config), frame(0x82, false, LENGTH, &mut buffer), 20).1
    };
    told(LENGTH).is_none() && told(LENGTH - 1) == Some(Error::MessageTooBig)
}

fn adds_up<R: Role>(new: impl Fn(Config) -> Connection<R>) -> bool {
    let config = Config { max_message: u64::from(u32::MAX), ..Config::default() };
    let (mut conn, mut buffer) = (new(config), [0; 20]);
    let first = read(&mut conn, &mut [0x02, 3, 7, 7, 7], 5);
    let second = read(&mut conn, frame(0x80, false, LENGTH - 4, &mut buffer), 20);
    first == (3, None) && second == (0, Some(Error::MessageTooBig))
}

fn writes<R: Role>(new: impl Fn(Config) -> Connection<R>) -> bool {
    let mut conn = new(Config::default());
    let header = conn.send_header(Kind::Binary, LENGTH, true);
    header.is_ok_and(|header| header.as_bytes() == [0x82, 127, 0, 0, 0, 1, 0, 0, 0, 1])
        && conn.send_header(Kind::Binary, 1 << 63, true) == Err(SendError::TooLong)
}
