//! Echo on tungstenite, without an async runtime: on mio, for a thread for each connection would
//! cost more.

use std::io::{ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

use crate::Result;
use crate::handshake::answer;

const LISTENER: Token = Token(usize::MAX);

pub(crate) fn serve() -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("ws://{}/", listener.local_addr()?);
    let (mut events, mut connections) = (Events::with_capacity(1024), Vec::new());
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let Token(at) = event.token();
            if event.token() == LISTENER {
                while let Some(mut ws) = accept(&listener)? {
                    let at = connections.iter().position(Option::is_none).unwrap_or_else(|| {
                        connections.push(None);
                        connections.len() - 1
                    });
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(ws.get_mut(), Token(at), both)?;
                    connections[at] = Some(ws);
                }
            } else if connections[at].as_mut().is_some_and(|ws| turn(ws).is_err()) {
                connections[at] = None;
            }
        }
    }
}

fn accept(listener: &TcpListener) -> Result<Option<WebSocket<TcpStream>>> {
    let stream = match listener.accept() {
        Ok((stream, _)) => stream,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut stream = std::net::TcpStream::from(stream);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(false)?;
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.extend(byte);
    }
    stream.write_all(answer(&request)?.1.as_bytes())?;
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream);
    Ok(Some(WebSocket::from_raw_socket(stream, Role::Server, Some(config()))))
}

/// By default it reads into 128 KiB, which it allocates anew where a message still holds the last: several
/// times as slow for a message in a read, and of no use for many.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(16 * 1024)
}

/// Reads what is there, and sends the replies once.
fn turn(ws: &mut WebSocket<TcpStream>) -> std::result::Result<(), Error> {
    loop {
        match ws.read() {
            Ok(message) if message.is_text() || message.is_binary() => {
                unless_blocked(ws.write(message))?
            }
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    unless_blocked(ws.flush())
}

/// What the kernel has no room for is kept, and goes with the next flush.
fn unless_blocked(result: std::result::Result<(), Error>) -> std::result::Result<(), Error> {
    match result {
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}
