//! The client on `embedded-websocket`, which has a session of its own: it puts messages together, answers pings
//! and Close frames.
#![no_std]
#![no_main]

use core::convert::Infallible;

use board::Uart;
#[cfg(feature = "stack")]
use board::stack;
use embedded_io::{Read as _, ReadReady as _, Write as _};
use embedded_websocket::framer::{Framer, FramerError, ReadResult, Stream};
use embedded_websocket::{
    WebSocketClient, WebSocketCloseStatusCode, WebSocketOptions, WebSocketSendMessageType,
};
use peers::Random;
use rand_core::RngCore;

board::entry!(main);

/// How often it is looked for more before a read ends: the framer finds fault with a header that comes in two reads.
const LOOKS: u32 = 100_000;

struct Port(Uart);

impl Stream<Infallible> for Port {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let (mut n, mut looks) = (0, LOOKS);
        while looks > 0
            && let rest @ [_, ..] = buffer.get_mut(n..).unwrap_or_default()
        {
            if n == 0 || self.0.read_ready()? {
                n += self.0.read(rest)?;
                looks = LOOKS;
            }
            looks -= 1;
        }
        Ok(n)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.write_all(bytes)
    }
}

struct Rng(Random);

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        self.0.word()
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.0.word())
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        for byte in to {
            [*byte, ..] = self.0.word().to_be_bytes();
        }
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

fn main() -> bool {
    #[cfg(feature = "stack")]
    stack::paint();
    echo().is_ok()
}

fn echo() -> Result<(), FramerError<Infallible>> {
    let (mut read, mut write, mut message) = ([0; 256], [0; 256], [0; 256]);
    let mut port = Port(Uart::new());
    let mut cursor = 0;
    let mut websocket = WebSocketClient::new_client(Rng(Random(1)));
    let mut framer = Framer::new(&mut read, &mut cursor, &mut write, &mut websocket);
    let options = WebSocketOptions {
        path: "/echo",
        host: "server.example",
        origin: "http://server.example",
        sub_protocols: None,
        additional_headers: None,
    };
    framer.connect(&mut port, &options)?;
    #[cfg(feature = "stack")]
    framer.write(&mut port, WebSocketSendMessageType::Text, true, b"bye")?;
    loop {
        match framer.read(&mut port, &mut message)? {
            ReadResult::Text("bye") => {
                framer.close(&mut port, WebSocketCloseStatusCode::NormalClosure, Some("bye"))?;
            }
            ReadResult::Text(text) => {
                framer.write(&mut port, WebSocketSendMessageType::Text, true, text.as_bytes())?;
            }
            ReadResult::Binary(bytes) => {
                framer.write(&mut port, WebSocketSendMessageType::Binary, true, bytes)?;
            }
            ReadResult::Pong(_) => {}
            ReadResult::Closed => break,
        }
    }
    #[cfg(feature = "stack")]
    stack::tell(3 * 256, size_of_val(&websocket));
    Ok(())
}
