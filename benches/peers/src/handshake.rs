//! The opening handshake, as much of it as our load generator needs.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

use crate::Result;

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Echo,
    Relay,
}

pub(crate) async fn accept(stream: &mut TcpStream) -> Result<Path> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Err("closed before the request was complete".into());
        }
    }
    let (path, response) = answer(&request)?;
    stream.write_all(response.as_bytes()).await?;
    Ok(path)
}

/// What the request asks for, and the response to it.
pub(crate) fn answer(request: &[u8]) -> Result<(Path, String)> {
    let request = str::from_utf8(request)?;
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.ok_or("no Sec-WebSocket-Key")?.trim().as_bytes());
    let path = if request.starts_with("GET /relay") { Path::Relay } else { Path::Echo };
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Ok((path, response))
}
