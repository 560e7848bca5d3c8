//! A connection of raw bytes, which blocks for some time at most.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use benches::Result;
use rustix::net::sockopt::set_socket_linger;

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;

/// How long an answer may take, while much else is asked for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    used: usize,
}

impl Peer {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), used: 0 })
    }

    /// A WebSocket; `more` are further lines of the request's head.
    pub(crate) fn open(address: &str, path: &str, more: &str) -> Result<Self> {
        let mut peer = Self::connect(address)?;
        peer.write(
            format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
            )
            .as_bytes(),
        )?;
        let head = peer.head()?;
        if head.starts_with("HTTP/1.1 101 ") { Ok(peer) } else { Err(head.into()) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    pub(crate) fn send(&mut self, start: u8, payload: &[u8]) -> Result<()> {
        self.write(&frame(start, payload))
    }

    /// The next frame: its first byte and its payload.
    pub(crate) fn frame(&mut self) -> Result<(u8, Vec<u8>)> {
        let head = self.take(2)?;
        let len = match head[1] {
            126 => u16::from_be_bytes(self.array()?).into(),
            127 => usize::try_from(u64::from_be_bytes(self.array()?))?,
            len => len.into(),
        };
        Ok((head[0], self.take(len)?))
    }

    /// The next frame of a text or of bytes; pings are answered.
    pub(crate) fn message(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.frame()? {
                (PING, payload) => self.send(0x8a, &payload)?,
                (CLOSE, payload) => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    return Err(format!("closed with {code}").into());
                }
                (start, payload) if start & 0x0f < 8 => return Ok(payload),
                _ => {}
            }
        }
    }

    /// Closes as is due, and waits for the end.
    pub(crate) fn close(mut self) -> Result<()> {
        self.send(CLOSE, &1000_u16.to_be_bytes())?;
        while self.frame()?.0 != CLOSE {}
        match self.stream.read(&mut [0]) {
            Ok(0) => Ok(()),
            other => Err(format!("{other:?} instead of the end").into()),
        }
    }

    /// Breaks the connection off.
    pub(crate) fn reset(self) {
        // If that fails, it ends by itself.
        let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
    }

    pub(crate) fn head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1)?);
        }
        Ok(String::from_utf8(head)?)
    }

    /// A plain response: its status and its body.
    pub(crate) fn response(&mut self) -> Result<(u16, Vec<u8>)> {
        let head = self.head()?;
        let status = head.get(9..12).ok_or("no status")?.parse()?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.ok_or_else(|| head.clone())?.parse()?;
        Ok((status, self.take(length)?))
    }

    /// Whatever comes within some time.
    pub(crate) fn drain(&mut self, within: Duration) -> Result<usize> {
        self.stream.set_read_timeout(Some(within))?;
        let mut chunk = [0; 16 * 1024];
        let read = self.stream.read(&mut chunk);
        self.stream.set_read_timeout(Some(PATIENCE))?;
        match read {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error.into()),
            read => Ok(read.unwrap_or(0)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().unwrap_or([0; N]))
    }

    fn take(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut chunk = [0; 16 * 1024];
        while self.buffer.len() - self.used < n {
            self.buffer.drain(..std::mem::take(&mut self.used));
            match self.stream.read(&mut chunk)? {
                0 => return Err("the server has ended the connection".into()),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
        self.used += n;
        Ok(self.buffer[self.used - n..self.used].to_vec())
    }
}

/// A masked frame.
pub(crate) fn frame(start: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x5a, 0x17, 0xff, 0x31];
    let mut bytes = vec![start];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0xff);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}
