//! What codecs of frames leave to their users, as small as it can be said: the opening handshake, and the check
//! of text that comes in pieces.
#![no_std]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use board::Uart;
use embedded_io::{Read as _, Write as _};
use sha1::{Digest as _, Sha1};

/// The longest line of the server's answer.
const LINE: usize = 128;

/// Masking keys, as `size-client` draws them.
pub struct Random(pub u32);

impl Random {
    pub fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        self.0
    }

    pub fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        for four in nonce.as_chunks_mut().0 {
            *four = self.word().to_le_bytes();
        }
        nonce
    }
}

/// The opening handshake. The answer is read a byte at a time, so that no frame behind it is taken.
pub fn connect(uart: &mut Uart, nonce: [u8; 16]) -> Option<()> {
    let (mut key, mut accept) = ([0; 24], [0; 28]);
    STANDARD.encode_slice(nonce, &mut key).ok()?;
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    STANDARD.encode_slice(hash, &mut accept).ok()?;
    for piece in [
        &b"GET /echo HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
           Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "[..],
        &key,
        b"\r\n\r\n",
    ] {
        uart.write_all(piece).ok()?;
    }
    let mut line = [0; LINE];
    if !read_line(uart, &mut line)?.starts_with(b"HTTP/1.1 101 ") {
        return None;
    }
    let (mut proven, mut upgrade, mut connection) = (false, false, false);
    loop {
        let line = read_line(uart, &mut line)?;
        if line.is_empty() {
            return (proven && upgrade && connection).then_some(());
        }
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?.trim_ascii());
        if name.eq_ignore_ascii_case(b"Sec-WebSocket-Accept") {
            proven = value == accept;
        } else if name.eq_ignore_ascii_case(b"Upgrade") {
            upgrade = value.eq_ignore_ascii_case(b"websocket");
        } else if name.eq_ignore_ascii_case(b"Connection") {
            connection = value.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

fn read_line<'l>(uart: &mut Uart, line: &'l mut [u8; LINE]) -> Option<&'l [u8]> {
    let mut len = 0;
    while !line[..len].ends_with(b"\r\n") {
        uart.read_exact(line.get_mut(len..len + 1)?).ok()?;
        len += 1;
    }
    line.get(..len - 2)
}

/// Checks text that comes in pieces.
#[derive(Default)]
pub struct Utf8 {
    /// Continuation bytes that miss, and the bounds of the next.
    missing: u8,
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Whether `bytes` may go on the text so far.
    pub fn accepts(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.accepts_byte(*byte))
    }

    /// Whether the text may end here.
    pub fn is_whole(&self) -> bool {
        self.missing == 0
    }

    fn accepts_byte(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            let fits = (self.low..=self.high).contains(&byte);
            (self.missing, self.low, self.high) = (self.missing - 1, 0x80, 0xbf);
            return fits;
        }
        (self.missing, self.low, self.high) = match byte {
            0..0x80 => return true,
            0xc2..0xe0 => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..0xf0 => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..0xf4 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return false,
        };
        true
    }
}
