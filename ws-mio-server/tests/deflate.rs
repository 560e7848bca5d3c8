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
use ws_proto::deflate::{Agreement, Deflater, Inflater, Settings};
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

#[test]
fn past_the_budget_new_connections_share_and_then_go_without() {
    let server = start(Deflate::Dedicated, (1024 + 128) * 1024);
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut browser = Browser::connect(&server);
        browser.send(&json(1));
        assert_eq!(browser.receive(), Ok(json(1)), "never an error");
        open.push(browser);
    }
    let modes = open.iter().map(|b| b.agreement.map(|a| a.sent.takeover)).collect::<Vec<_>>();
    assert_eq!(modes.first(), Some(&Some(true)));
    let expected = [Some(true), Some(true), Some(false), Some(false)].into_iter();
    let expected = expected.chain(std::iter::repeat(None)).take(modes.len());
    assert_eq!(
        modes,
        expected.collect::<Vec<_>>(),
        "about 500 KiB each, then 64 KiB each, then none"
    );
    // What a connection had is free for the next when it has ended.
    drop(open.remove(0));
    until("the slot is free", || server.handle.stats().connections == open.len());
    assert_eq!(Browser::connect(&server).agreement.map(|a| a.sent.takeover), Some(true));
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
