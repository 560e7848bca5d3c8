//! Echo on the crates that have an interface of their own.

use bytes::BytesMut;
use futures_util::io::{BufReader, BufWriter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::MAX_MESSAGE;

/// As its example `echo_server`.
pub(crate) async fn fastwebsockets(stream: TcpStream) {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
    let mut ws = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    while let Ok(frame) = ws.read_frame().await {
        match frame.opcode {
            OpCode::Close => return,
            OpCode::Text | OpCode::Binary => {
                if ws.write_frame(frame).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// As its example `autobahn_server`, with the same buffers.
pub(crate) async fn soketto(stream: TcpStream) {
    use soketto::connection::{Builder, Mode};
    let stream = BufReader::new(BufWriter::new(stream.compat()));
    let mut builder = Builder::new(stream, Mode::Server);
    builder.set_max_message_size(MAX_MESSAGE);
    builder.set_max_frame_size(MAX_MESSAGE);
    let (mut sender, mut receiver) = builder.finish();
    let mut message = Vec::new();
    while let Ok(data) = receiver.receive_data(&mut message).await {
        let sent = if data.is_binary() {
            sender.send_binary_mut(&mut message).await
        } else if let Ok(text) = str::from_utf8(&message) {
            sender.send_text(text).await
        } else {
            return;
        };
        if sent.is_err() || sender.flush().await.is_err() {
            return;
        }
        message.clear();
    }
}

/// Its parser by itself, as in its example `wtx_bench_echo`, but all replies to what was read in one write.
pub(crate) async fn sockudo(mut stream: TcpStream) {
    use sockudo_ws::frame::encode_frame;
    use sockudo_ws::protocol::Protocol;
    use sockudo_ws::{Config, OpCode, RECV_BUFFER_SIZE, RawMessage, Role};
    let config = Config::default();
    let mut protocol = Protocol::new(Role::Server, config.max_frame_size, config.max_message_size);
    let mut input = BytesMut::with_capacity(RECV_BUFFER_SIZE);
    let (mut messages, mut output) = (Vec::new(), BytesMut::new());
    while stream.read_buf(&mut input).await.is_ok_and(|n| n > 0) {
        if protocol.process_raw_into(&mut input, &mut messages).is_err() {
            return;
        }
        for message in messages.drain(..) {
            let (opcode, payload) = match message {
                RawMessage::Text(payload) => (OpCode::Text, payload),
                RawMessage::Binary(payload) => (OpCode::Binary, payload),
                RawMessage::Ping(payload) => (OpCode::Pong, payload),
                RawMessage::Pong(_) => continue,
                RawMessage::Close(_) => return,
            };
            encode_frame(&mut output, opcode, &payload, true, None);
        }
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

/// As in its documentation, with a buffer to read by, for it reads a few bytes at a time.
pub(crate) async fn web_socket(stream: TcpStream) {
    use web_socket::{DataType, Event, MessageType, WebSocket};
    let mut ws = WebSocket::server(tokio::io::BufReader::new(stream));
    while let Ok(event) = ws.recv_event().await {
        let sent = match event {
            Event::Data { ty: DataType::Complete(MessageType::Binary), data } => {
                ws.send(data.as_ref()).await
            }
            Event::Data { ty: DataType::Complete(MessageType::Text), data } => {
                let Ok(text) = str::from_utf8(&data) else { return };
                ws.send(text).await
            }
            Event::Ping(data) => ws.send_pong(data).await,
            Event::Pong(_) => Ok(()),
            _ => return,
        };
        if sent.is_err() {
            return;
        }
    }
}
