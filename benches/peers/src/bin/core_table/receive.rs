//! Masked frames out of memory: header, limits, unmasking, and UTF-8 of text, up to the message.

use std::hint::black_box;

use bytes::BytesMut;
use futures_util::{FutureExt, StreamExt};
use ws_proto::handshake::Agreed;
use ws_proto::{Config, Connection, Event, Input, Scratch, Server};

use crate::replay::Replay;
use crate::turns::{Column, Contender, Table, Unit};

/// Frames in one buffer, as one read would hold them.
const FRAMES: usize = 64;
const KEY: [u8; 4] = [0x37, 0x7a, 0x21, 0x3d];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

pub(crate) fn binary() -> Table {
    let columns = [16, 125, 1024].map(|size| {
        let wire = frames(Kind::Binary, &vec![b'x'; size]);
        let mut contenders = vec![
            ours(&wire),
            in_place("ws-proto, in place", wire.clone(), {
                let mut server = Connection::new(Server, Config::default(), Agreed::elsewhere());
                move |bytes| receive(&mut server, bytes)
            }),
            in_place("headers and XOR only, in place", wire.clone(), headers_and_xor),
            Contender::new("4 × (shift, XOR, multiply), one on the other", arithmetic),
        ];
        contenders.extend(messages(Kind::Binary, &wire));
        contenders.extend([sans_io(wire.clone()), embedded(wire)]);
        Column { title: format!("{size} B"), per_call: FRAMES, contenders }
    });
    Table {
        title: "Receiving a binary message: a frame of 64 in one buffer, which is copied first unless \
                *in place*",
        unit: Unit::Nanoseconds,
        columns: columns.into(),
    }
}

pub(crate) fn text() -> Table {
    let of = |pattern: &str, size: usize| {
        let text = pattern.repeat(size / pattern.len());
        text + &"x".repeat(size % pattern.len())
    };
    let columns = [
        ("ASCII, 125 B", of("x", 125)),
        ("ASCII, 1 KiB", of("x", 1024)),
        ("mixed, 125 B", of("Grüße, 世界 🎈! ", 125)),
        ("mixed, 1 KiB", of("Grüße, 世界 🎈! ", 1024)),
    ];
    let columns = columns.map(|(title, text)| {
        let wire = frames(Kind::Text, text.as_bytes());
        let mut contenders = vec![
            ours(&wire),
            validation("(core::str::from_utf8 alone)", &text, |bytes| {
                str::from_utf8(bytes).is_ok()
            }),
            validation("(simdutf8 alone)", &text, |bytes| {
                simdutf8::basic::from_utf8(bytes).is_ok()
            }),
        ];
        contenders.extend(messages(Kind::Text, &wire));
        Column { title: title.to_owned(), per_call: FRAMES, contenders }
    });
    Table {
        title: "Receiving a text message, likewise; by those that see to it that it is UTF-8",
        unit: Unit::Nanoseconds,
        columns: columns.into(),
    }
}

/// Whole messages, all alike.
fn frames(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..FRAMES {
        wire.push(if kind == Kind::Text { 0x81 } else { 0x82 });
        match payload.len() {
            len @ 0..=125 => wire.push(0x80 | len as u8),
            len => {
                wire.push(0x80 | 126);
                wire.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
        }
        wire.extend(KEY);
        wire.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
    wire
}

fn receive(server: &mut Connection<Server>, bytes: &mut [u8]) {
    let mut scratch = Scratch::new();
    let mut input = Input::new(bytes, &mut scratch);
    while let Some(event) = server.next_event(&mut input).unwrap() {
        match event {
            Event::Text(part) => _ = black_box(part.data),
            Event::Binary(part) => _ = black_box(part.data),
            other => panic!("{other:?}"),
        }
    }
}

fn ours(wire: &[u8]) -> Contender {
    let mut server = Connection::new(Server, Config::default(), Agreed::elsewhere());
    let (wire, mut buffer) = (wire.to_vec(), wire.to_vec());
    Contender::new("ws-proto", move || {
        buffer.copy_from_slice(black_box(&wire));
        receive(&mut server, &mut buffer);
    })
}

/// To unmask is to mask: the bytes are again what they were after every other time, and any binary
/// message is as good as another.
fn in_place(
    name: &'static str,
    mut wire: Vec<u8>,
    mut receive: impl FnMut(&mut [u8]) + 'static,
) -> Contender {
    Contender::new(name, move || receive(black_box(&mut wire)))
}

/// The least that a receiver has to do to short frames, if they are all whole and in order.
fn headers_and_xor(mut bytes: &mut [u8]) {
    while let [_, len, rest @ ..] = bytes {
        let (len, rest) = match *len & 0x7f {
            126 => {
                let (len, rest) = rest.split_at_mut(2);
                (usize::from(u16::from_be_bytes([len[0], len[1]])), rest)
            }
            len => (usize::from(len), rest),
        };
        let (key, rest) = rest.split_at_mut(4);
        let key = u32::from_ne_bytes([key[0], key[1], key[2], key[3]]);
        let (payload, rest) = rest.split_at_mut(len);
        let key = u64::from(key) << 32 | u64::from(key);
        let (words, last) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
        }
        for (byte, key) in last.iter_mut().zip(key.to_ne_bytes()) {
            *byte ^= key;
        }
        black_box(payload);
        bytes = rest;
    }
}

/// What tells how fast the machine is just now.
fn arithmetic() {
    let mut number = black_box(1u64);
    for _ in 0..4 * FRAMES {
        number = (number ^ (number >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    black_box(number);
}

fn validation(name: &'static str, text: &str, valid: fn(&[u8]) -> bool) -> Contender {
    let text = text.as_bytes().to_vec();
    Contender::new(name, move || {
        for _ in 0..FRAMES {
            assert!(valid(black_box(&text)));
        }
    })
}

/// Those that read whole messages from a stream, set up as our echo servers on them are.
fn messages(kind: Kind, wire: &[u8]) -> Vec<Contender> {
    let stream = Replay::new(wire);
    let mut contenders = vec![
        tungstenite(stream.clone()),
        fastwebsockets(stream.clone()),
        tokio_websockets(stream.clone()),
        yawc(stream.clone()),
        sockudo(wire.to_vec()),
    ];
    contenders.extend([soketto(kind, stream.clone()), web_socket(kind, stream)]);
    contenders
}

fn tungstenite(stream: Replay) -> Contender {
    use tungstenite::protocol::{Role, WebSocketConfig};
    use tungstenite::{Message, WebSocket};
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
    let mut ws = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    Contender::new("tungstenite", move || {
        for _ in 0..FRAMES {
            match ws.read().unwrap() {
                Message::Text(text) => _ = black_box(text.as_str()),
                Message::Binary(data) => _ = black_box(&data[..]),
                other => panic!("{other:?}"),
            }
        }
    })
}

fn fastwebsockets(stream: Replay) -> Contender {
    use fastwebsockets::{FragmentCollector, Role, WebSocket};
    let mut ws = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    Contender::new("fastwebsockets", move || {
        let all = async {
            for _ in 0..FRAMES {
                black_box(&ws.read_frame().await.unwrap().payload[..]);
            }
        };
        all.now_or_never().unwrap();
    })
}

fn tokio_websockets(stream: Replay) -> Contender {
    let mut ws = tokio_websockets::ServerBuilder::new().serve(stream);
    Contender::new("tokio-websockets", move || {
        let all = async {
            for _ in 0..FRAMES {
                black_box(&ws.next().await.unwrap().unwrap().as_payload()[..]);
            }
        };
        all.now_or_never().unwrap();
    })
}

fn yawc(stream: Replay) -> Contender {
    use yawc::{Options, Role, WebSocket};
    let mut ws = WebSocket::from_stream(stream, Role::Server, Options::default()).unwrap();
    Contender::new("yawc", move || {
        let all = async {
            for _ in 0..FRAMES {
                black_box(&ws.next().await.unwrap().payload()[..]);
            }
        };
        all.now_or_never().unwrap();
    })
}

fn sockudo(wire: Vec<u8>) -> Contender {
    use sockudo_ws::protocol::Protocol;
    use sockudo_ws::{Config, RawMessage, Role};
    let config = Config::default();
    let mut protocol = Protocol::new(Role::Server, config.max_frame_size, config.max_message_size);
    let (mut input, mut messages) = (BytesMut::new(), Vec::new());
    Contender::new("sockudo-ws", move || {
        input.extend_from_slice(black_box(&wire));
        protocol.process_raw_into(&mut input, &mut messages).unwrap();
        assert_eq!(messages.len(), FRAMES);
        for message in messages.drain(..) {
            let (RawMessage::Text(data) | RawMessage::Binary(data)) = message else {
                panic!("not a message")
            };
            black_box(&data[..]);
        }
    })
}

/// It leaves UTF-8 to the caller.
fn soketto(kind: Kind, stream: Replay) -> Contender {
    use futures_util::io::{BufReader, BufWriter};
    use soketto::connection::{Builder, Mode};
    let stream = BufReader::new(BufWriter::new(stream));
    let (_, mut receiver) = Builder::new(stream, Mode::Server).finish();
    let mut message = Vec::new();
    Contender::new("soketto", move || {
        let all = async {
            for _ in 0..FRAMES {
                message.clear();
                receiver.receive_data(&mut message).await.unwrap();
                assert!(kind == Kind::Binary || str::from_utf8(&message).is_ok());
                black_box(&message[..]);
            }
        };
        all.now_or_never().unwrap();
    })
}

/// It leaves UTF-8 to the caller.
fn web_socket(kind: Kind, stream: Replay) -> Contender {
    use web_socket::{Event, WebSocket};
    let mut ws = WebSocket::server(tokio::io::BufReader::new(stream));
    Contender::new("web-socket", move || {
        let all = async {
            for _ in 0..FRAMES {
                let Event::Data { data, .. } = ws.recv_event().await.unwrap() else {
                    panic!("not a message")
                };
                assert!(kind == Kind::Binary || str::from_utf8(&data).is_ok());
                black_box(&data[..]);
            }
        };
        all.now_or_never().unwrap();
    })
}

/// It parses and unmasks; what order frames may have, and UTF-8, are the caller's.
fn sans_io(wire: Vec<u8>) -> Contender {
    use websocket_sans_io::{WebsocketFrameDecoder, WebsocketFrameEvent};
    let (mut decoder, mut buffer) = (WebsocketFrameDecoder::default(), wire.clone());
    Contender::new("websocket-sans-io", move || {
        buffer.copy_from_slice(black_box(&wire));
        let (mut at, mut ended) = (0, 0);
        while ended < FRAMES {
            let added = decoder.add_data(&mut buffer[at..]).unwrap();
            at += added.consumed_bytes;
            ended += usize::from(matches!(added.event, Some(WebsocketFrameEvent::End { .. })));
            black_box(&added);
        }
    })
}

/// It leaves UTF-8 to the caller.
fn embedded(wire: Vec<u8>) -> Contender {
    use embedded_websocket::{WebSocketServer, WebSocketState};
    let mut server = WebSocketServer::new_server();
    server.state = WebSocketState::Open;
    let (mut buffer, mut message) = (wire.clone(), vec![0; wire.len()]);
    Contender::new("embedded-websocket", move || {
        buffer.copy_from_slice(black_box(&wire));
        let mut at = 0;
        for _ in 0..FRAMES {
            at += server.read(&buffer[at..], &mut message).unwrap().len_from;
            black_box(&message);
        }
    })
}
