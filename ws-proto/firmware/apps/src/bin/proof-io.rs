//! The proof, as in `proof`, for sockets over a stream: a client and a server. It has the same control.
#![no_std]
#![no_main]

#[path = "../proof.rs"]
mod proof;

use board::Uart;
use core::convert::Infallible;
use core::fmt::Write as _;
use core::hint::black_box;
use embedded_io::{Read, Write};
use ws_proto::handshake::{Ask, Choice, Response};
use ws_proto::io::{Buffers, Error, Received, Socket};
use ws_proto::keepalive::{Instant, Keepalive, Timing};
use ws_proto::{Client, CloseCode, Config, Event, Role};

board::entry!(main);

fn main() -> bool {
    #[cfg(feature = "control")]
    black_box(black_box([1; 4])[black_box(7)]);
    for result in [connect(), accept()] {
        if let Err(error) = result {
            black_box(write!(heapless::String::<200>::new(), "{error}").is_ok());
        }
    }
    true
}

type Outcome = Result<(), Error<Infallible>>;

fn connect() -> Outcome {
    let (mut read, mut write) = ([0; 300], [0; 300]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let ask = Ask { subprotocols: &["a"], ..Ask::default() };
    let random = || black_box([1; 4]);
    let mut socket: Socket<'_, _, Client<_>> =
        Socket::connect(Uart::new(), ask, black_box([1; 16]), random, Config::default(), buffers)?;
    talk(&mut socket)
}

fn accept() -> Outcome {
    let (mut read, mut write) = ([0; 300], [0; 300]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket =
        Socket::accept(Uart::new(), Config::default(), buffers, |target, upgrade| match target {
            "/" => Ok(Choice { subprotocol: upgrade.choose(&["a"]), ..Choice::default() }),
            _ => Err(Response { status: 404, fields: &[], body: b"no such path\n" }),
        })?;
    talk(&mut socket)
}

fn talk<S: Read<Error = Infallible> + Write, R: Role>(socket: &mut Socket<'_, S, R>) -> Outcome {
    let mut whole = [0; 100];
    while let Some(message) = socket.read_message(&mut whole)? {
        socket.send(message, black_box(true))?;
        let mut keepalive = Keepalive::new(Instant::from_millis(black_box(1)));
        socket.tick(&mut keepalive, &Timing::default(), Instant::from_millis(black_box(2)))?;
        black_box(socket.subprotocol());
        match socket.receive()? {
            Received::Event(Event::Text(part), mut sender) => sender.send(part.data, part.last)?,
            Received::Event(Event::Ping(data), mut sender) => sender.ping(data)?,
            Received::Event(_, mut sender) => sender.close(CloseCode::NORMAL, "")?,
            Received::Nothing | Received::Closed(_) => {}
        }
    }
    Ok(())
}
