//! The client of `size-client`, asynchronous.
#![no_std]
#![no_main]

use board::Uart;
use board::asynchronous::{AsyncUart, block_on};
#[cfg(feature = "stack")]
use board::stack;
use ws_proto::handshake::Ask;
use ws_proto::io::{AsyncReceived, AsyncSocket, Buffers, Error};
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
    block_on(echo(nonce, random)).is_ok()
}

async fn echo(
    nonce: [u8; 16],
    random: impl FnMut() -> [u8; 4],
) -> Result<(), Error<core::convert::Infallible>> {
    let (mut read, mut write) = ([0; 256], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let ask = Ask { host: "server.example", target: "/echo", ..Ask::default() };
    let uart = AsyncUart(Uart::new());
    let mut socket =
        AsyncSocket::connect(uart, ask, nonce, random, Config::default(), buffers).await?;
    #[cfg(feature = "stack")]
    socket.send("bye", true).await?;
    loop {
        match socket.receive().await? {
            AsyncReceived::Event(Event::Text(part), mut sender) => {
                if part.data == "bye" {
                    sender.close(CloseCode::NORMAL, "bye").await?;
                } else {
                    sender.send(part.data, part.last).await?;
                }
            }
            AsyncReceived::Event(Event::Binary(part), mut sender) => {
                sender.send(part.data, part.last).await?
            }
            AsyncReceived::Event(_, _) | AsyncReceived::Nothing => {}
            AsyncReceived::Closed(_) => break,
        }
    }
    #[cfg(feature = "stack")]
    stack::tell(2 * 256, size_of_val(socket.connection()));
    Ok(())
}
