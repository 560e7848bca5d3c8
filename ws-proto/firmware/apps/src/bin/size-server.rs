//! A complete server of one connection: it answers the opening handshake and echoes until the client closes.
#![no_std]
#![no_main]

use board::Uart;
use ws_proto::handshake::{Choice, Response};
use ws_proto::io::{Buffers, Error, Received, Socket};
use ws_proto::{Config, Event};

board::entry!(main);

fn main() -> bool {
    echo().is_ok()
}

fn echo() -> Result<(), Error<core::convert::Infallible>> {
    let (mut read, mut write) = ([0; 1024], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = Socket::accept(Uart::new(), Config::default(), buffers, |target, _| {
        if target == "/echo" {
            Ok(Choice::default())
        } else {
            Err(Response { status: 404, fields: &[], body: b"no such path\n" })
        }
    })?;
    loop {
        match socket.receive()? {
            Received::Event(Event::Text(part), mut sender) => sender.send(part.data, part.last)?,
            Received::Event(Event::Binary(part), mut sender) => {
                sender.send(part.data, part.last)?
            }
            Received::Event(_, _) | Received::Nothing => {}
            Received::Closed(_) => return Ok(()),
        }
    }
}
