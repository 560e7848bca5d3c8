//! Processor time of a server per message that it delivers to the subscribers of a topic, compressed
//! against plain.
//!
//! `cargo build --release && cargo run --release -p benches --bin fanout` starts two `ws-mio-server`s
//! beside this program, with one worker each, opens 1,000 connections to `/relay/r` of each, which
//! offer permessage-deflate to one and not to the other, and has another connection send JSON messages
//! of 1 KiB to the room, no more than 16 beyond what has arrived. It does so by turns, in rounds, and
//! prints seconds per million deliveries and the median of the rounds' ratios. `--subscribers N`,
//! `--messages N` in a round, `--size BYTES`, `--in-flight N` and `--rounds N` set other numbers,
//! `--server PATH` takes another server, and `--at-most RATIO` fails if compression takes more.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use benches::{Result, Server, json, open, raise_descriptor_limit};
use mio::{Events, Interest, Poll, Token};
use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings};
use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Event, Input, Part, Scratch};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// What every round is of.
#[derive(Clone, Copy)]
struct Load {
    subscribers: usize,
    messages: usize,
    size: usize,
    in_flight: usize,
}

type Key = fn() -> [u8; 4];

/// One server with its subscribers, of which the probe reads messages and the others count bytes.
struct Room {
    server: Server,
    publisher: TcpStream,
    sending: Connection<Client<Key>>,
    deflater: Deflater,
    probe: TcpStream,
    reading: Connection<Client<Key>>,
    inflater: Inflater,
    /// Bytes that the probe has read.
    probed: u64,
    /// Bytes that all other subscribers have read.
    drained: Arc<AtomicU64>,
    sent: u64,
}

impl Room {
    fn open(program: &Path, load: Load, offer: &str) -> Result<Self> {
        let (server, address) = Server::start(program, &["--workers".into(), "1".into()])?;
        let open = || open(&address, "/relay/r", offer);
        let probe = open()?;
        let drained = Arc::<AtomicU64>::default();
        let others = (1..load.subscribers).map(|_| open()).collect::<Result<Vec<_>>>()?;
        let count = Arc::clone(&drained);
        thread::spawn(move || {
            if let Err(error) = drain(others, &count) {
                eprintln!("subscribers: {error}");
            }
        });
        let context = Context { takeover: false, ..Context::default() };
        let agreement = Agreement { sent: context, received: context };
        let connection = || {
            let agreed = Agreed::elsewhere();
            let agreed = if offer.is_empty() { agreed } else { agreed.with_deflate(agreement) };
            let key: Key = || [0x37, 0xfa, 0x21, 0x3d];
            Connection::new(Client(key), Config::default(), agreed)
        };
        Ok(Self {
            server,
            publisher: open()?,
            sending: connection(),
            deflater: Deflater::new(&Settings { level: 1, ..Settings::default() }, context),
            probe,
            reading: connection(),
            inflater: Inflater::new(context),
            probed: 0,
            drained,
            sent: 0,
        })
    }

    /// Sends messages to the room until all have arrived. Returns the server's processor time, and the
    /// bytes of each message on the wire.
    fn round(&mut self, load: Load) -> Result<(f64, f64)> {
        let before = (self.server.processor_time()?, self.probed);
        let (mut arrived, mut wire) = (0, Vec::new());
        let mut buffer = vec![0; 64 * 1024];
        for message in 0..load.messages {
            while arrived + load.in_flight <= message {
                arrived += self.read(&mut buffer, load.size)?;
            }
            let text = json(self.sent, load.size);
            self.sent += 1;
            wire.clear();
            self.sending.send_deflated(text.as_str(), true, &mut self.deflater, &mut wire)?;
            self.publisher.write_all(&wire)?;
        }
        while arrived < load.messages {
            arrived += self.read(&mut buffer, load.size)?;
        }
        // Every subscriber gets the same bytes.
        let (due, mut patience) = (self.probed * (load.subscribers - 1) as u64, 10_000);
        while self.drained.load(Ordering::Relaxed) != due {
            if patience == 0 {
                return Err("not every subscriber has got every message".into());
            }
            patience -= 1;
            thread::sleep(Duration::from_millis(1));
        }
        let bytes = (self.probed - before.1) as f64 / load.messages as f64;
        Ok((self.server.processor_time()? - before.0, bytes))
    }

    /// Reads as the probe; how many messages that ended.
    fn read(&mut self, buffer: &mut [u8], size: usize) -> Result<usize> {
        let n = self.probe.read(buffer)?;
        if n == 0 {
            return Err("the probe was closed".into());
        }
        self.probed += n as u64;
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut buffer[..n], &mut scratch);
        let (mut ended, mut len) = (0, 0);
        while let Some(event) = self.reading.next_event_inflated(&mut input, &mut self.inflater)? {
            match event {
                Event::Text(Part { data, last, .. }) => {
                    len += data.len();
                    ended += usize::from(last);
                }
                other => return Err(format!("{other:?}").into()),
            }
        }
        // No part is lost, though a read may cut a message in two.
        if len > (ended + 1) * size { Err("more than was sent".into()) } else { Ok(ended) }
    }
}

/// Reads whatever comes, and counts it, for as long as the server lives.
fn drain(streams: Vec<TcpStream>, count: &AtomicU64) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut sockets = Vec::new();
    for (token, stream) in streams.into_iter().enumerate() {
        stream.set_nonblocking(true)?;
        let mut socket = mio::net::TcpStream::from_std(stream);
        poll.registry().register(&mut socket, Token(token), Interest::READABLE)?;
        sockets.push(socket);
    }
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            loop {
                match sockets[event.token().0].read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        count.fetch_add(n as u64, Ordering::Relaxed);
                        if n < buffer.len() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<()> {
    let mut load = Load { subscribers: 1_000, messages: 2_000, size: 1024, in_flight: 16 };
    let (mut rounds, mut at_most) = (9, f64::INFINITY);
    let mut program = env::current_exe()?.with_file_name("ws-mio-server");
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--subscribers" => load.subscribers = value.parse()?,
            "--messages" => load.messages = value.parse()?,
            "--size" => load.size = value.parse()?,
            "--in-flight" => load.in_flight = value.parse::<usize>()?.max(1),
            "--rounds" => rounds = value.parse()?,
            "--server" => program = value.into(),
            "--at-most" => at_most = value.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    raise_descriptor_limit()?;
    let mut plain = Room::open(&program, load, "")?;
    let mut compressed = Room::open(&program, load, OFFER)?;
    println!(
        "{} subscribers, {} B, {} in flight; servers {} (plain) and {} (compressed)",
        load.subscribers,
        load.size,
        load.in_flight,
        plain.server.id(),
        compressed.server.id(),
    );

    let warm_up = Load { messages: 50, ..load };
    plain.round(warm_up)?;
    compressed.round(warm_up)?;
    let millions = load.messages as f64 * load.subscribers as f64 / 1e6;
    let (mut of_plain, mut of_compressed, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    println!("  s per million deliveries    plain   compressed   ratio   (bytes of a message)");
    for round in 0..rounds {
        // By turns the first, for whoever comes second may find a warmer machine.
        let ((a, size_a), (b, size_b)) = if round % 2 == 0 {
            let a = plain.round(load)?;
            (a, compressed.round(load)?)
        } else {
            let b = compressed.round(load)?;
            (plain.round(load)?, b)
        };
        let (a, b) = (a / millions, b / millions);
        println!("  {a:>31.2}   {b:>10.2}   {:>5.3}   ({size_a:.0}, {size_b:.0})", b / a);
        of_plain.push(a);
        of_compressed.push(b);
        ratios.push(b / a);
    }
    let (a, b, ratio) = (median(of_plain), median(of_compressed), median(ratios));
    println!("  median {a:>24.2}   {b:>10.2}   {ratio:>5.3}");
    // A round too short to take any time makes no number.
    if !ratio.is_finite() {
        return Err("too few messages to tell".into());
    }
    if ratio > at_most { Err(format!("{ratio}, more than {at_most}").into()) } else { Ok(()) }
}
