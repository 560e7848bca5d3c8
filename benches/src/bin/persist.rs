//! What it costs in latency that messages are stored before they are delivered: to rooms that persist, and to
//! those that do not, on the same server.
//!
//! `cargo run --release -p benches --bin persist [-- --rate 1000 --rooms 50 --seconds 40 --dir DIR --server PROGRAM]`
//!
//! Two servers run, one in memory, one with a directory, and take turns of a second. In each turn, `rate` messages
//! a second are said in rooms that persist, where there is a directory, and as many in rooms that never do; each
//! room has three members. What is measured is from just before a message is sent until a member has it. A machine
//! that others use stops now and then for longer than the store takes, so the p99 is that of each turn, the two
//! servers are compared turn by turn, and the median is told. With `--check`, it fails where the p99 is more than
//! 5 ms later in rooms that persist, or 1.5 times that in memory in the others.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use benches::{Result, Server, open};
use mio::{Events, Interest, Poll, Token};

const MEMBERS: usize = 3;
const KINDS: [&str; 2] = ["kept", "brief"];

struct Arguments {
    rate: u64,
    rooms: usize,
    seconds: u64,
    check: bool,
    dir: PathBuf,
    server: PathBuf,
}

fn main() -> Result<()> {
    let mut arguments = Arguments {
        rate: 1000,
        rooms: 50,
        seconds: 40,
        check: false,
        dir: env::temp_dir(),
        server: env::current_exe()?.with_file_name("ws-mio-server"),
    };
    let mut given = env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or("a value is missing");
        match name.as_str() {
            "--rate" => arguments.rate = value()?.parse()?,
            "--rooms" => arguments.rooms = value()?.parse()?,
            "--seconds" => arguments.seconds = value()?.parse()?,
            "--dir" => arguments.dir = value()?.into(),
            "--server" => arguments.server = value()?.into(),
            "--check" => arguments.check = true,
            _ => return Err(format!("{name} is not known").into()),
        }
    }
    arguments.dir.push(format!("ws-persist-{}", std::process::id()));
    fs::create_dir_all(&arguments.dir)?;
    let result = measure(&arguments);
    fs::remove_dir_all(&arguments.dir)?;
    result
}

fn measure(arguments: &Arguments) -> Result<()> {
    let config = arguments.dir.join("ws.toml");
    fs::write(&config, "[[namespace]]\nrooms = \"brief*\"\npersist = false\n")?;
    let config = config.to_str().ok_or("a path that is no text")?;
    let data = arguments.dir.join("data");
    let data = data.to_str().ok_or("a path that is no text")?;
    let start = |options: &[&str]| -> Result<Load> {
        let options: Vec<_> =
            ["--config", config].iter().chain(options).map(|&option| option.to_owned()).collect();
        Load::start(&arguments.server, &options, arguments.rooms)
    };
    let mut loads = [start(&[])?, start(&["--data", data])?];
    // Not counted: caches are filled, and pages of the file.
    for load in &mut loads {
        load.run(arguments.rate)?;
        (load.waits, load.p99s) = Default::default();
    }
    for _ in 0..arguments.seconds / 2 {
        for load in &mut loads {
            load.run(arguments.rate)?;
        }
    }
    println!(
        "{} messages a second in {} rooms of each kind, {MEMBERS} members each, {} seconds of each server",
        arguments.rate,
        arguments.rooms,
        arguments.seconds / 2,
    );
    println!("  rooms      server          deliveries       p50      p99    p99.9      max  (ms)");
    for (kind, name) in KINDS.iter().enumerate() {
        for (server, load) in loads.iter_mut().enumerate() {
            let waits = &mut load.waits[kind];
            waits.sort_unstable();
            let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|part| at(waits, part));
            let server = ["in memory", "with --data"][server];
            let len = waits.len();
            println!(
                "  {name:<10} {server:<12} {len:>13} {p50:>9.3} {p99:>8.3} {p999:>8.3} {max:>8.3}"
            );
        }
    }
    let [memory, stored] = &loads;
    let turns = |kind: usize| memory.p99s[kind].iter().zip(&stored.p99s[kind]);
    let adds = median(turns(0).map(|(memory, stored)| stored - memory).collect());
    let times = median(turns(1).map(|(before, beside)| beside / before).collect());
    println!(
        "storing adds {adds:.3} ms to the p99 of a turn; that of the others is {times:.2} times what it was"
    );
    if arguments.check && (adds > 5.0 || times > 1.5) {
        return Err("that is too much".into());
    }
    Ok(())
}

/// That of the waits, in order, which so much of them do not exceed, in milliseconds.
fn at(waits: &[Duration], part: f64) -> f64 {
    let place = ((waits.len() as f64 * part) as usize).min(waits.len() - 1);
    waits[place].as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server, its members, and what they had to wait.
struct Load {
    _server: Server,
    /// One member of each room of each kind, which speaks.
    speakers: [Vec<TcpStream>; 2],
    next: [usize; 2],
    deliveries: Receiver<(usize, u64, Instant)>,
    begin: Instant,
    waits: [Vec<Duration>; 2],
    /// The p99 of each turn, in milliseconds.
    p99s: [Vec<f64>; 2],
}

impl Load {
    fn start(program: &Path, options: &[String], rooms: usize) -> Result<Self> {
        let (server, address) = Server::start(program, options)?;
        let (mut speakers, mut members) = ([Vec::new(), Vec::new()], Vec::new());
        for (kind, name) in KINDS.iter().enumerate() {
            for room in 0..rooms {
                for member in 0..MEMBERS {
                    let path = format!("/chat/{name}{room}?username=user{member}");
                    let stream = open(&address, &path, "")?;
                    stream.set_nonblocking(true)?;
                    if member == 0 {
                        speakers[kind].push(stream.try_clone()?);
                    }
                    members.push((kind, mio::net::TcpStream::from_std(stream)));
                }
            }
        }
        let (tell, deliveries) = channel();
        let begin = Instant::now();
        thread::spawn(move || listen(members, &tell));
        let (next, waits, p99s) = <([usize; 2], _, _)>::default();
        Ok(Self { _server: server, speakers, next, deliveries, begin, waits, p99s })
    }

    /// A second of messages to both kinds of rooms, in turn, and until all are delivered.
    fn run(&mut self, rate: u64) -> Result<()> {
        let begin = Instant::now();
        for number in 0..rate {
            let due = Duration::from_nanos(number * 1_000_000_000 / rate);
            while begin.elapsed() < due {
                thread::sleep(due.saturating_sub(begin.elapsed()));
            }
            for kind in 0..KINDS.len() {
                let speakers = &mut self.speakers[kind];
                let place = self.next[kind] % speakers.len();
                self.next[kind] += 1;
                let at = self.begin.elapsed().as_nanos();
                let text =
                    format!(r#"{{"type":"message","content":"at {at:020} {:060}"}}"#, number);
                speak(&mut speakers[place], text.as_bytes())?;
            }
        }
        let mut waits: [Vec<_>; 2] = Default::default();
        for _ in 0..rate as usize * KINDS.len() * MEMBERS {
            let (kind, at, now) = self.deliveries.recv_timeout(Duration::from_secs(10))?;
            waits[kind].push((now - self.begin).saturating_sub(Duration::from_nanos(at)));
        }
        for (kind, mut waits) in waits.into_iter().enumerate() {
            waits.sort_unstable();
            self.p99s[kind].push(at(&waits, 0.99));
            self.waits[kind].append(&mut waits);
        }
        Ok(())
    }
}

/// A masked text, whose key is nought.
fn speak(stream: &mut TcpStream, text: &[u8]) -> Result<()> {
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend((text.len() as u16).to_be_bytes());
    if text.len() < 126 {
        frame = vec![0x81, 0x80 | text.len() as u8];
    }
    frame.extend([0; 4]);
    frame.extend(text);
    // There always is place for so little, or the server has stopped reading.
    Ok(stream.write_all(&frame)?)
}

/// Tells of each message that a member gets: the kind of its room, and what it says when it was sent.
fn listen(mut members: Vec<(usize, mio::net::TcpStream)>, tell: &Sender<(usize, u64, Instant)>) {
    let Ok(mut poll) = Poll::new() else { return };
    for (place, (_, stream)) in members.iter_mut().enumerate() {
        if poll.registry().register(stream, Token(place), Interest::READABLE).is_err() {
            return;
        }
    }
    let mut buffers = vec![Vec::new(); members.len()];
    let mut events = Events::with_capacity(1024);
    let mut chunk = vec![0; 65_536];
    while poll.poll(&mut events, None).is_ok() {
        for event in &events {
            let place = event.token().0;
            let (kind, stream) = &mut members[place];
            let buffer: &mut Vec<u8> = &mut buffers[place];
            loop {
                match stream.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(len) => buffer.extend_from_slice(&chunk[..len]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => return,
                }
            }
            let now = Instant::now();
            let mut used = 0;
            while let Some((payload, len)) = frame(&buffer[used..]) {
                used += len;
                if payload.starts_with(br#"{"type":"message""#)
                    && let Some(at) = sent_at(payload)
                    && tell.send((*kind, at, now)).is_err()
                {
                    return;
                }
            }
            buffer.drain(..used);
        }
    }
}

/// A whole frame's payload, and its length with the header.
fn frame(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (len, header) = match bytes {
        [_, 126, a, b, ..] => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        [_, len @ 0..=125, ..] => (usize::from(*len), 2),
        _ => return None,
    };
    Some((bytes.get(header..header + len)?, header + len))
}

fn sent_at(payload: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(payload).ok()?;
    text.split_once(r#""content":"at "#)?.1.get(..20)?.parse().ok()
}
