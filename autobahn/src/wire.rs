//! The smallest loop around `ws-proto`: one connection over one blocking socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use ws_proto::deflate::{Deflater, Inflater, Settings};
use ws_proto::handshake::Agreed;
use ws_proto::handshake::head::HeadReader;
use ws_proto::{
    Assembler, Config, Connection, Input, Message, Role, Scratch, SendError, Transport,
};

/// Longer than any pause that the suite makes: a connection that is silent for so long is stuck.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the peer may take to end its side of a connection that is closing.
const CLOSING: Duration = Duration::from_secs(5);

/// Accepts the largest messages of the suite, which are 16 MiB.
#[must_use]
pub fn config() -> Config {
    Config { max_message: 16 * 1024 * 1024, ..Config::default() }
}

/// Sets the deadlines of a new connection, and makes it send small frames at once.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_read_timeout(Some(SILENCE))
}

/// Reads the head of a request or response; gives it, and the bytes that came behind it.
pub fn read_head(mut from: impl Read, mut reader: HeadReader) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no complete HTTP head came"));
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if let Some(end) = reader.end(&bytes).map_err(io::Error::other)? {
            let rest = bytes.split_off(end);
            return Ok((bytes, rest));
        }
    }
}

/// What a connection compresses with, if that was agreed.
#[must_use]
pub fn deflate(agreed: &Agreed, settings: &Settings) -> Option<(Inflater, Deflater)> {
    let agreement = agreed.deflate()?;
    Some((Inflater::new(agreement.received), Deflater::new(settings, agreement.sent)))
}

/// Serves a connection until it has ended. Frames are read `from` anything, so that what was read
/// with the head can come first, and written `to` the socket. `on_message` gets every message, and
/// appends its answer to the bytes that leave next.
pub fn converse<R: Role>(
    conn: &mut Connection<R>,
    mut from: impl Read,
    mut to: &TcpStream,
    mut deflate: Option<(Inflater, Deflater)>,
    mut on_message: impl FnMut(
        &mut Connection<R>,
        Message<'_>,
        Option<&mut Deflater>,
        &mut Vec<u8>,
    ) -> Result<(), SendError>,
) -> io::Result<()> {
    let mut messages = Assembler::new(Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    let mut scratch = Scratch::new();
    let mut out = Vec::new();
    while conn.transport() == Transport::Keep {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            conn.peer_eof();
            return Ok(());
        }
        let mut input = Input::new(buffer.get_mut(..count).unwrap_or_default(), &mut scratch);
        // An error ends the loop too: the Close frame that tells the peer of it is owed then.
        loop {
            let (event, deflater) = match &mut deflate {
                Some((inflater, deflater)) => {
                    (conn.next_event_inflated(&mut input, inflater), Some(deflater))
                }
                None => (conn.next_event(&mut input), None),
            };
            let Ok(Some(event)) = event else { break };
            if let Some(message) = messages.push(event).map_err(io::Error::other)? {
                on_message(conn, message, deflater, &mut out).map_err(io::Error::other)?;
            }
            // Once an event, not once a read: only the newest ping is owed a pong.
            conn.poll_transmit(&mut out).map_err(io::Error::other)?;
        }
        conn.poll_transmit(&mut out).map_err(io::Error::other)?;
        to.write_all(&out)?;
        out.clear();
    }
    if conn.transport() == Transport::Close {
        to.shutdown(Shutdown::Write)?;
    }
    to.set_read_timeout(Some(CLOSING))?;
    // All is said. A peer that resets the connection instead of closing it, as `wstest` does, takes
    // nothing away.
    let _ = io::copy(&mut from, &mut io::sink());
    Ok(())
}
