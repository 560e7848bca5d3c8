//! A complete client: opening handshake, text and binary both ways, in fragments or not, pongs, the closing
//! handshake. It echoes until the server closes.
#![no_std]
#![no_main]

use board::Uart;
#[cfg(feature = "stack")]
use board::stack;
use ws_proto::handshake::Ask;
use ws_proto::io::{Buffers, Error, Received, Socket};
use ws_proto::{CloseCode, Config, Event};

board::entry!(main);

fn main() -> bool {
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        seed.to_le_bytes()
    };
    let mut nonce = [0; 16];
    for four in nonce.as_chunks_mut().0 {
        *four = random();
    }
    #[cfg(feature = "stack")]
    stack::paint();
    echo(nonce, random).is_ok()
}

fn echo(
    nonce: [u8; 16],
    random: impl FnMut() -> [u8; 4],
) -> Result<(), Error<core::convert::Infallible>> {
    let (mut read, mut write) = ([0; 256], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let ask = Ask { host: "server.example", target: "/echo", ..Ask::default() };
    let mut socket = Socket::connect(Uart::new(), ask, nonce, random, Config::default(), buffers)?;
    #[cfg(feature = "stack")]
    socket.send("bye", true)?;
    loop {
        match socket.receive()? {
            Received::Event(Event::Text(part), mut sender) => {
                if part.data == "bye" {
                    sender.close(CloseCode::NORMAL, "bye")?;
                } else {
                    sender.send(part.data, part.last)?;
                }
            }
            Received::Event(Event::Binary(part), mut sender) => {
                sender.send(part.data, part.last)?
            }
            Received::Event(_, _) | Received::Nothing => {}
            Received::Closed(_) => break,
        }
    }
    #[cfg(feature = "stack")]
    stack::tell(2 * 256, size_of_val(socket.connection()));
    Ok(())
}
