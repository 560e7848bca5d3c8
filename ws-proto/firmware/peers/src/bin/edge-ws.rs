//! The client on `edge-ws`, which reads and writes frames. The rest is here: the handshake, the order of
//! fragments, the check of text, pongs, the closing handshake.
#![no_std]
#![no_main]

use board::Uart;
use board::asynchronous::{AsyncUart, block_on};
#[cfg(feature = "stack")]
use board::stack;
use edge_ws::FrameType;
use edge_ws::io::{recv, send};
use peers::{Random, Utf8, connect};

board::entry!(main);

fn main() -> bool {
    #[cfg(feature = "stack")]
    stack::paint();
    block_on(echo()).is_some()
}

/// What a session needs beyond the codec.
#[derive(Default)]
struct Session {
    text: Utf8,
    /// The kind of the message that is coming: whether it is text.
    coming: Option<bool>,
    close_sent: bool,
}

async fn echo() -> Option<()> {
    let mut random = Random(1);
    let mut uart = Uart::new();
    connect(&mut uart, random.nonce())?;
    let mut uart = AsyncUart(uart);
    let mut session = Session::default();
    let mut buffer = [0; 512];
    #[cfg(feature = "stack")]
    send(&mut uart, FrameType::Text(false), Some(random.word()), b"bye").await.ok()?;
    loop {
        // A frame must fit the buffer.
        let (kind, len) = recv(&mut uart, &mut buffer).await.ok()?;
        let payload = buffer.get(..len)?;
        let key = Some(random.word());
        match kind {
            FrameType::Ping => send(&mut uart, FrameType::Pong, key, payload).await.ok()?,
            FrameType::Pong => {}
            FrameType::Close => {
                if !session.close_sent {
                    send(&mut uart, FrameType::Close, key, payload).await.ok()?;
                }
                break;
            }
            _ => {
                let text = match (kind, session.coming) {
                    (FrameType::Text(_), None) => true,
                    (FrameType::Binary(_), None) => false,
                    (FrameType::Continue(_), Some(text)) => text,
                    _ => return None,
                };
                let last = kind.is_final();
                session.coming = (!last).then_some(text);
                if text && (!session.text.accepts(payload) || (last && !session.text.is_whole())) {
                    send(&mut uart, FrameType::Close, key, &1007u16.to_be_bytes()).await.ok()?;
                    return None;
                }
                if payload == b"bye" {
                    let mut body = [0; 5];
                    body[..2].copy_from_slice(&1000u16.to_be_bytes());
                    body[2..].copy_from_slice(b"bye");
                    send(&mut uart, FrameType::Close, key, &body).await.ok()?;
                    session.close_sent = true;
                } else if !session.close_sent {
                    send(&mut uart, kind, key, payload).await.ok()?;
                }
            }
        }
    }
    #[cfg(feature = "stack")]
    stack::tell(512, size_of_val(&session));
    Some(())
}
