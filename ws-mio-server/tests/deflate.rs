//! permessage-deflate over real sockets: agreed in each mode, seen to compress, bounded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Running, serve, until};
use ws_mio_server::{Deflate, Handler, Message, Peer, Server};
use ws_proto::deflate::{Agreement, Deflater, Inflater, Settings, WindowBits};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Ask, Pending};
use ws_proto::{Assembler, Client, Config, Connection, Event, Input, Scratch};

const LIMIT: u64 = 1024 * 1024;

#[derive(Clone)]
struct Echo;

impl Handler for Echo {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("all");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
    }
}

fn start(deflate: Deflate, memory: usize) -> Running {
    let builder = Server::builder().route("/echo", Echo).workers(2).max_message(LIMIT);
    serve(builder.deflate(deflate).deflate_memory(memory))
}

type Key = fn() -> [u8; 4];

struct Browser {
    stream: TcpStream,
    connection: Connection<Client<Key>>,
    agreement: Option<Agreement>,
    codec: Option<(Inflater, Deflater)>,
    /// Bytes read since the handshake.
    read: usize,
    messages: Assembler<Vec<u8>>,
}

impl Browser {
    fn connect(server: &Running) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(common::LIMIT)).unwrap();
        let settings = Settings::default();
        let (mut bytes, ask) = (Vec::new(), Ask { target: "/echo", ..Ask::default() });
        let pending = Pending::request_deflate(ask, settings, [7; 16], &mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
        let (mut reader, mut head) = (HeadReader::response(), Vec::new());
        while reader.end(&head).unwrap().is_none() {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let response = head::response(&head).unwrap();
        let agreed = pending.finish(response.status, &response.fields).unwrap().agreed;
        let agreement = agreed.deflate();
        let codec =
            agreement.map(|a| (Inflater::new(a.received), Deflater::new(&settings, a.sent)));
        let key: Key = || [1, 2, 3, 4];
        let config = Config { max_message: u64::MAX, ..Config::default() };
        let connection = Connection::new(Client(key), config, agreed);
        let messages = Assembler::new(Vec::new());
        Self { stream, connection, agreement, codec, read: 0, messages }
    }

    fn send(&mut self, text: &str) {
        let mut bytes = Vec::new();
        match &mut self.codec {
            Some((_, deflater)) => {
                self.connection.send_deflated(text, true, deflater, &mut bytes).unwrap();
            }
            None => self.connection.send(text, true, &mut bytes).unwrap(),
        }
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next text message, or the code of a Close frame.
    fn receive(&mut self) -> Result<String, u16> {
        loop {
            // One byte at a time, so that nothing is read beyond the message.
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            self.read += 1;
            let mut scratch = Scratch::new();
            let mut input = Input::new(&mut byte, &mut scratch);
            loop {
                let event = match &mut self.codec {
                    Some((inflater, _)) => {
                        self.connection.next_event_inflated(&mut input, inflater).unwrap()
                    }
                    None => self.connection.next_event(&mut input).unwrap(),
                };
                match event {
                    None => break,
                    Some(Event::Close(code, _)) => return Err(code.unwrap().get()),
                    Some(event) => {
                        if let Some(Message::Text(text)) = self.messages.push(event).unwrap() {
                            return Ok(text.to_owned());
                        }
                    }
                }
            }
        }
    }
}

fn json(i: usize) -> String {
    format!(r#"{{"type":"message","id":{i},"username":"someone","content":"hello, hello, hello"}}"#)
}

#[test]
fn messages_are_compressed_as_the_mode_says() {
    for (mode, takeover) in
        [(Deflate::Shared, Some(false)), (Deflate::Dedicated, Some(true)), (Deflate::Off, None)]
    {
        let server = start(mode, usize::MAX);
        let mut browser = Browser::connect(&server);
        assert_eq!(browser.agreement.map(|a| a.sent.takeover), takeover, "{mode:?}");
        assert_eq!(browser.agreement.map(|a| a.received.takeover), takeover, "{mode:?}");
        let mut sent = 0;
        for i in 0..100 {
            let text = if i % 10 == 0 { json(i).repeat(1000) } else { json(i) };
            sent += text.len();
            browser.send(&text);
            assert_eq!(browser.receive().as_ref(), Ok(&text), "{mode:?}");
        }
        let ratio = sent / browser.read;
        assert_eq!(ratio > 5, takeover.is_some(), "{mode:?}: {sent} bytes in {}", browser.read);
    }
}

#[test]
fn a_broadcast_and_a_reply_take_turns_in_every_mode() {
    for mode in [Deflate::Shared, Deflate::Dedicated, Deflate::Off] {
        let server = start(mode, usize::MAX);
        let mut browsers = (0..6).map(|_| Browser::connect(&server)).collect::<Vec<_>>();
        for i in 0..20 {
            for browser in &mut browsers {
                browser.send(&json(i));
                assert_eq!(browser.receive(), Ok(json(i)), "{mode:?}");
            }
            server.handle.publish("all", json(i + 1).repeat(3).as_str()).unwrap();
            for browser in &mut browsers {
                assert_eq!(browser.receive(), Ok(json(i + 1).repeat(3)), "{mode:?}");
            }
        }
    }
}

/// Bytes that a connection with contexts of its own has reserved, and one that shares.
fn reserved() -> (usize, usize) {
    let settings = Settings { level: 1, ..Settings::default() };
    let deflater = Deflater::memory(&settings, WindowBits::MAX).allocated;
    (Inflater::MEMORY + deflater, Inflater::MEMORY)
}

/// Whether the next connections have contexts of their own, share, or go without.
fn takeovers(server: &Running, n: usize) -> (Vec<Option<bool>>, Vec<Browser>) {
    let open = (0..n).map(|_| Browser::connect(server)).collect::<Vec<_>>();
    (open.iter().map(|b| b.agreement.map(|a| a.sent.takeover)).collect(), open)
}

#[test]
fn past_the_budget_new_connections_share_and_then_go_without() {
    let (own, shared) = reserved();
    let server = start(Deflate::Dedicated, 2 * own + 2 * shared);
    let (modes, mut open) = takeovers(&server, 6);
    assert_eq!(modes, [Some(true), Some(true), Some(false), Some(false), None, None]);
    for browser in &mut open {
        browser.send(&json(1));
        assert_eq!(browser.receive(), Ok(json(1)), "never an error");
    }
    // What a connection had is free for the next when it has ended.
    drop(open.remove(0));
    until("the slot is free", || server.handle.stats().connections == open.len());
    assert_eq!(Browser::connect(&server).agreement.map(|a| a.sent.takeover), Some(true));
}

#[test]
fn ten_thousand_connections_leave_the_budget_as_it_was() {
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate";
    let (own, shared) = reserved();
    let server = start(Deflate::Dedicated, 2 * own + shared);
    for i in 0..10_000 {
        let mut client = server.connect();
        let way = i % 10;
        let offer = match way {
            0 => "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8",
            1 => "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover",
            2 => "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover",
            3 => "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10",
            4 => "Sec-WebSocket-Version: 13",
            _ => OFFER,
        };
        let request = common::request("/echo");
        let request = format!("{}\r\n{offer}\r\n\r\n", request.trim_end());
        if way == 5 {
            client.write(&request.as_bytes()[..request.len() - 9]);
            client.reset();
            continue;
        }
        client.write(request.as_bytes());
        // It goes at once, in the middle of a message, with data that is broken, or in good order.
        match way {
            6 => {}
            7 => client.write(&common::frame(0x41, b"\xf2\x48\xcd")),
            8 => client.write(&common::frame(0xc1, &[0xff; 9])),
            9 => client.write(&common::close(1000, "")),
            _ => {
                let head = client.head();
                assert!(head.starts_with(if way == 4 { "HTTP/1.1 400 " } else { "HTTP/1.1 101 " }));
                client.reset();
            }
        }
    }
    server.until_empty();
    let (modes, _open) = takeovers(&server, 5);
    assert_eq!(modes, [Some(true), Some(true), Some(false), None, None]);
}

#[test]
fn a_small_broadcast_leaves_the_contexts_of_its_peers() {
    let server = start(Deflate::Dedicated, usize::MAX);
    let mut browser = Browser::connect(&server);
    let mut echo = |publish: Option<&str>| {
        if let Some(text) = publish {
            server.handle.publish("all", text).unwrap();
            assert_eq!(browser.receive().as_deref(), Ok(text));
        }
        browser.send(&json(1));
        let before = browser.read;
        assert_eq!(browser.receive(), Ok(json(1)));
        browser.read - before
    };
    let first = echo(None);
    let second = echo(None);
    assert!(second * 4 < first, "{second} bytes refer to {first}");
    assert_eq!(echo(Some("too small to be compressed")), second);
    // What has not come from the peer's own compressor is in its window, but not in the compressor's.
    assert_eq!(echo(Some(&json(2).repeat(10))), first);
}

#[test]
fn a_bomb_is_1009_and_others_are_served() {
    let server = start(Deflate::Shared, usize::MAX);
    let (mut attacker, mut other) = (Browser::connect(&server), Browser::connect(&server));
    let bomb = "\0".repeat(64 << 20);
    attacker.send(&bomb);
    assert_eq!(attacker.receive(), Err(1009));
    other.send(&json(1));
    assert_eq!(other.receive(), Ok(json(1)));
}

#[test]
fn broken_data_is_1007() {
    let server = start(Deflate::Shared, usize::MAX);
    let mut attacker = Browser::connect(&server);
    attacker.stream.write_all(&[0xc1, 0x84, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).unwrap();
    assert_eq!(attacker.receive(), Err(1007));
}
