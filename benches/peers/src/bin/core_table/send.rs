//! Unmasked frames into a buffer, as a server sends them.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, SinkExt};
use ws_proto::handshake::Agreed;
use ws_proto::{Config, Connection, Server};

use crate::replay::Replay;
use crate::turns::{Column, Contender, Table, Unit};

/// Frames in one buffer.
const FRAMES: usize = 64;

/// Puts frames of a payload into a buffer.
type Send = Box<dyn FnMut(&Bytes, &mut Vec<u8>)>;

pub(crate) fn binary() -> Table {
    let columns = [16, 125, 1024].map(|size| Column {
        title: format!("{size} B"),
        per_call: FRAMES,
        contenders: contenders(&vec![b'x'; size]),
    });
    Table {
        title: "Sending a binary message: its frame into a buffer of 64",
        unit: Unit::Nanoseconds,
        columns: columns.into(),
    }
}

fn contenders(payload: &[u8]) -> Vec<Contender> {
    let data = Bytes::copy_from_slice(payload);
    let all = FRAMES * (payload.len() + 16);
    let contender = |name, mut send: Send| {
        let (data, mut out) = (data.clone(), Vec::with_capacity(all));
        Contender::new(name, move || {
            out.clear();
            send(black_box(&data), &mut out);
            black_box(&out);
        })
    };
    let mut ours = Connection::new(Server, Config::default(), Agreed::elsewhere());
    vec![
        contender(
            "ws-proto",
            Box::new(move |data, out| {
                for _ in 0..FRAMES {
                    ours.send(&data[..], true, out).unwrap();
                }
            }),
        ),
        contender(
            "memcpy",
            Box::new(|data, out| {
                for _ in 0..FRAMES {
                    out.extend_from_slice(data);
                }
            }),
        ),
        contender(
            "tungstenite",
            Box::new(|data, out| {
                use tungstenite::protocol::frame::Frame;
                use tungstenite::protocol::frame::coding::{Data, OpCode};
                for _ in 0..FRAMES {
                    let frame = Frame::message(data.clone(), OpCode::Data(Data::Binary), true);
                    frame.format(out).unwrap();
                }
            }),
        ),
        contender(
            "fastwebsockets",
            Box::new(|data, out| {
                use fastwebsockets::{Frame, Payload};
                for _ in 0..FRAMES {
                    // Each begins anew at the front of the buffer.
                    black_box(Frame::binary(Payload::Borrowed(data)).write(out));
                }
            }),
        ),
        tokio_websockets(data.clone()),
        sockudo(data.clone()),
        contender(
            "websocket-sans-io",
            Box::new(|data, out| {
                use websocket_sans_io::{FrameInfo, Opcode, WebsocketFrameEncoder};
                let mut encoder = WebsocketFrameEncoder::new();
                for _ in 0..FRAMES {
                    out.extend_from_slice(&encoder.start_frame(&FrameInfo {
                        opcode: Opcode::Binary,
                        payload_length: data.len() as u64,
                        mask: None,
                        fin: true,
                        reserved: 0,
                    }));
                    out.extend_from_slice(data);
                }
            }),
        ),
        embedded(data.clone(), all),
        contender(
            "soketto",
            Box::new(|data, out| {
                use soketto::base::{Codec, Header, OpCode};
                let mut codec = Codec::new();
                for _ in 0..FRAMES {
                    let mut header = Header::new(OpCode::Binary);
                    header.set_payload_len(data.len());
                    out.extend_from_slice(codec.encode_header(&header));
                    out.extend_from_slice(data);
                }
            }),
        ),
    ]
}

fn tokio_websockets(data: Bytes) -> Contender {
    use tokio_websockets::{Config, Message, ServerBuilder};
    // It sends when there is more than this.
    let config = Config::default().flush_threshold(usize::MAX);
    let mut ws = ServerBuilder::new().config(config).serve(Replay::new(b"-"));
    Contender::new("tokio-websockets", move || {
        let all = async {
            for _ in 0..FRAMES {
                ws.feed(Message::binary(black_box(&data).clone())).await.unwrap();
            }
            ws.flush().await.unwrap();
        };
        all.now_or_never().unwrap();
    })
}

fn sockudo(data: Bytes) -> Contender {
    let mut out = BytesMut::with_capacity(FRAMES * (data.len() + 16));
    Contender::new("sockudo-ws", move || {
        use sockudo_ws::OpCode;
        use sockudo_ws::frame::encode_frame;
        out.clear();
        for _ in 0..FRAMES {
            encode_frame(&mut out, OpCode::Binary, black_box(&data), true, None);
        }
        black_box(&out);
    })
}

fn embedded(data: Bytes, all: usize) -> Contender {
    use embedded_websocket::{WebSocketSendMessageType, WebSocketServer, WebSocketState};
    let mut server = WebSocketServer::new_server();
    server.state = WebSocketState::Open;
    let mut out = vec![0; all];
    Contender::new("embedded-websocket", move || {
        let mut at = 0;
        for _ in 0..FRAMES {
            let kind = WebSocketSendMessageType::Binary;
            at += server.write(kind, true, black_box(&data), &mut out[at..]).unwrap();
        }
        black_box(&out);
    })
}
