//! The client on `websocket-sans-io`, which reads and writes frames without I/O. The rest is here: the handshake,
//! the order of fragments, the check of text, pongs, the closing handshake.
#![no_std]
#![no_main]

use board::Uart;
#[cfg(feature = "stack")]
use board::stack;
use embedded_io::{Read as _, Write as _};
use peers::{Random, Utf8, connect};
use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

board::entry!(main);

fn main() -> bool {
    #[cfg(feature = "stack")]
    stack::paint();
    echo().is_some()
}

/// A connection: the codec, and what a session needs beyond it.
struct Session {
    decoder: WebsocketFrameDecoder,
    text: Utf8,
    /// Whether a message is coming, and whether a part of it was sent back.
    coming: bool,
    answered: bool,
    /// Payload of the frame that has not come.
    left: u64,
    /// The control frame that is coming.
    control: [u8; 125],
    control_len: usize,
    close_sent: bool,
}

fn send(
    uart: &mut Uart,
    random: &mut Random,
    opcode: Opcode,
    fin: bool,
    payload: &mut [u8],
) -> Option<()> {
    let mut encoder = WebsocketFrameEncoder::new();
    let mask = Some(random.word().to_le_bytes());
    let payload_length = payload.len() as u64;
    let header = encoder.start_frame(&FrameInfo { opcode, payload_length, mask, fin, reserved: 0 });
    uart.write_all(&header).ok()?;
    encoder.transform_frame_payload(payload);
    uart.write_all(payload).ok()
}

fn echo() -> Option<()> {
    let mut random = Random(1);
    let mut uart = Uart::new();
    connect(&mut uart, random.nonce())?;
    let mut session = Session {
        decoder: WebsocketFrameDecoder::new(),
        text: Utf8::default(),
        coming: false,
        answered: false,
        left: 0,
        control: [0; 125],
        control_len: 0,
        close_sent: false,
    };
    let mut buffer = [0; 512];
    #[cfg(feature = "stack")]
    send(&mut uart, &mut random, Opcode::Text, true, &mut b"bye".clone())?;
    'open: loop {
        let n = uart.read(&mut buffer).ok()?;
        let mut data = buffer.get_mut(..n)?;
        loop {
            let step = session.decoder.add_data(data).ok()?;
            let (taken, rest) = data.split_at_mut(step.consumed_bytes);
            data = rest;
            match step.event {
                None if step.consumed_bytes == 0 => break,
                None => {}
                Some(event) => {
                    if !handle(&mut session, &mut uart, &mut random, event, taken)? {
                        break 'open;
                    }
                }
            }
        }
    }
    #[cfg(feature = "stack")]
    stack::tell(512, size_of_val(&session));
    Some(())
}

/// Whether the connection goes on.
fn handle(
    session: &mut Session,
    uart: &mut Uart,
    random: &mut Random,
    event: WebsocketFrameEvent,
    data: &mut [u8],
) -> Option<bool> {
    match event {
        WebsocketFrameEvent::Start { frame_info, .. } => {
            if !frame_info.is_reasonable() || frame_info.mask.is_some() {
                return None;
            }
            session.left = frame_info.payload_length;
            if frame_info.opcode.is_control() {
                session.control_len = 0;
            } else if session.coming != (frame_info.opcode == Opcode::Continuation) {
                return None;
            } else {
                session.coming = true;
            }
        }
        WebsocketFrameEvent::PayloadChunk { original_opcode } => {
            session.left = session.left.saturating_sub(data.len() as u64);
            if original_opcode.is_control() {
                let end = session.control_len + data.len();
                session.control.get_mut(session.control_len..end)?.copy_from_slice(data);
                session.control_len = end;
            } else if original_opcode == Opcode::Text && !session.text.accepts(data) {
                send(uart, random, Opcode::ConnectionClose, true, &mut 1007u16.to_be_bytes())?;
                return None;
            } else if data == b"bye" {
                let mut body = *b"  bye";
                body[..2].copy_from_slice(&1000u16.to_be_bytes());
                send(uart, random, Opcode::ConnectionClose, true, &mut body)?;
                session.close_sent = true;
            } else if !session.close_sent {
                let again = core::mem::replace(&mut session.answered, true);
                let opcode = if again { Opcode::Continuation } else { original_opcode };
                send(uart, random, opcode, false, data)?;
            }
        }
        WebsocketFrameEvent::End { frame_info, original_opcode } => {
            let control = session.control.get_mut(..session.control_len)?;
            match original_opcode {
                Opcode::Ping => send(uart, random, Opcode::Pong, true, control)?,
                Opcode::ConnectionClose => {
                    if !session.close_sent {
                        send(uart, random, Opcode::ConnectionClose, true, control)?;
                    }
                    return Some(false);
                }
                Opcode::Text | Opcode::Binary if frame_info.fin => {
                    if !session.text.is_whole() {
                        return None;
                    }
                    session.coming = false;
                    if !session.close_sent {
                        let again = core::mem::replace(&mut session.answered, false);
                        let opcode = if again { Opcode::Continuation } else { original_opcode };
                        send(uart, random, opcode, true, &mut [])?;
                    }
                }
                _ => {}
            }
        }
    }
    Some(true)
}
