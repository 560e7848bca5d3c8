//! What the engine on Redis makes of Redis: publishes a second, the time until another node hears of one, and what
//! attached rooms take.
//!
//! `cargo run --release -p benches --bin backplane [-- --messages 100000 --trips 5000 --rooms 50000]`
//!
//! It starts a `redis-server` of its own (`--redis PATH` takes another program). A number of 0 leaves a part out.
//!
//! - Publishes: messages of 100 bytes, each with a name, into 1,000 rooms that keep 100, as fast as the engine takes
//!   them; beside the same commands written to one connection by a client that does nothing else, with 256 of
//!   them on their way, and beside `redis-benchmark` for the same script, into one room and without names, where that
//!   is installed. They take turns.
//! - Trips: one message at a time, from the call of one engine until another one tells of it; beside `PUBLISH` on one
//!   connection until it comes out of another, which they take turns with.
//! - Rooms: attached by one engine, in four steps.
//!
//! With `--at-least 0.5` it fails if publishes are less than that part of the bare client's, with `--at-most 3` if trips
//! take more than so many times the bare one's, at the median or at 99 %.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

#[allow(dead_code, reason = "a part of it is needed here")]
#[path = "cluster/redis.rs"]
mod redis;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use benches::Result;
use ws_mio_server::backplane::redis::{Options, Redis};
use ws_mio_server::backplane::wire::{Append, Ask, Engine as _, Event, Keep, Push, Request};

use redis::{Redis as Server, Reply};

/// How many commands of the bare client are on their way.
const IN_FLIGHT: usize = 256;
const SCRIPT: &str = include_str!("../../../ws-mio-server/src/backplane/redis/scripts/append.lua");
const KEEP: Keep = Keep { count: 100, bytes: 1 << 20, age: Duration::from_secs(3600) };
const AT: u64 = 1_767_225_600_000;

struct Arguments {
    messages: u64,
    trips: usize,
    rooms: usize,
    redis: PathBuf,
    at_least: f64,
    at_most: f64,
}

fn main() -> Result<()> {
    let mut arguments = Arguments {
        messages: 100_000,
        trips: 5000,
        rooms: 50_000,
        redis: "redis-server".into(),
        at_least: 0.0,
        at_most: f64::INFINITY,
    };
    let mut given = env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or("a value is missing")?;
        match name.as_str() {
            "--messages" => arguments.messages = value.parse()?,
            "--trips" => arguments.trips = value.parse()?,
            "--rooms" => arguments.rooms = value.parse()?,
            "--redis" => arguments.redis = value.into(),
            "--at-least" => arguments.at_least = value.parse()?,
            "--at-most" => arguments.at_most = value.parse()?,
            _ => return Err(format!("{name} is not known").into()),
        }
    }
    let server = Server::start(&arguments.redis)?;
    let mut failures = Vec::new();
    if arguments.messages > 0 {
        let part = publishes(&server, arguments.messages)?;
        if part < arguments.at_least {
            failures.push(format!("publishes: {part:.2} of the bare client's"));
        }
    }
    if arguments.trips > 0 {
        let (p50, p99) = trips(&server, arguments.trips)?;
        if p50.max(p99) > arguments.at_most {
            failures.push(format!("trips: {p50:.2} and {p99:.2} times the bare one's"));
        }
    }
    if arguments.rooms > 0 {
        rooms(&server, arguments.rooms)?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}

/// What an engine tells, and when it does.
type Told = Receiver<(Instant, Vec<Event>)>;

/// An engine, and what it tells.
fn engine(port: u16) -> Result<(Redis, Told)> {
    let (tell, told) = channel();
    let on_event = Box::new(move |events| {
        // Nobody waits for what is told at the end.
        let _ = tell.send((Instant::now(), events));
    });
    let target = format!("redis://127.0.0.1:{port}").parse()?;
    let redis = Redis::start(&target, &Options::default(), on_event)?;
    match told.recv()?.1.first() {
        Some(Event::Up) => Ok((redis, told)),
        other => Err(format!("no link to Redis: {other:?}").into()),
    }
}

fn append(room: Arc<str>, name: Option<Arc<str>>) -> Append {
    let content = [b'x'; 100][..].into();
    Append { room, user: "ada".into(), key: None, name, content, at: AT, keep: KEEP, epoch: 1 }
}

/// The rooms of messages, and the names of rooms in them.
struct Rooms(Vec<Arc<str>>);

impl Rooms {
    fn new(count: usize) -> Self {
        Self((0..count).map(|room| format!("room {room}").into()).collect())
    }

    fn of(&self, number: u64) -> &Arc<str> {
        &self.0[(number % self.0.len() as u64) as usize]
    }
}

/// Attaches rooms, and waits until they are.
fn attach(redis: &Redis, told: &Told, rooms: &[Arc<str>]) -> Result<()> {
    let mut left = rooms.len();
    let mut next = rooms.iter();
    let mut waiting = 0;
    while left > 0 {
        while waiting < 2000 {
            let Some(room) = next.next() else { break };
            let ask =
                Ask::Attach { room: Arc::clone(room), after: None, run: 0, most: 100, epoch: 1 };
            redis.request(Request { tag: 1, ask })?;
            waiting += 1;
        }
        for event in told.recv()?.1 {
            if let Event::Reply { result, .. } = event {
                result?;
                left -= 1;
                waiting -= 1;
            }
        }
    }
    Ok(())
}

/// Publishes, and waits for the last answer. How many a second?
fn engine_publishes(
    redis: &Redis,
    told: &Told,
    rooms: &Rooms,
    numbers: std::ops::Range<u64>,
    is_named: bool,
) -> Result<f64> {
    let count = numbers.end - numbers.start;
    let begun = Instant::now();
    thread::scope(|scope| -> Result<f64> {
        let producer = scope.spawn(|| {
            for number in numbers {
                let name = is_named.then(|| format!("node.1/{number}").into());
                let ask = Ask::Append(append(Arc::clone(rooms.of(number)), name));
                while redis.request(Request { tag: number + 1, ask: ask.clone() }).is_err() {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        });
        let mut answered = 0;
        while answered < count {
            for event in told.recv()?.1 {
                match event {
                    Event::Reply { result, .. } => {
                        result?;
                        answered += 1;
                    }
                    Event::Down { why } => return Err(String::from(why).into()),
                    _ => {}
                }
            }
        }
        producer.join().map_err(|_| "the producer panicked")?;
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    })
}

/// Connections to Redis that know nothing but to write and to count.
struct Bare {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    script: String,
}

impl Bare {
    fn connect(server: &Server) -> Result<Self> {
        let Reply::Text(script) = server.ask(&["SCRIPT", "LOAD", SCRIPT])? else {
            return Err("no script".into());
        };
        let stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        Ok(Self { stream, reader, script })
    }

    /// What the engine would write for the same message.
    fn words(&self, room: &str, name: &str) -> Vec<Vec<u8>> {
        let channel = format!("ws:{{{room}}}");
        let keys = ["room", "log", "keys", "sent"].map(|part| format!("{channel}:{part}"));
        let digest = if name.is_empty() { "" } else { "0123456789abcdef" };
        let body = [&b"\x01\0\x03ada\xff\xff"[..], &[b'x'; 100]].concat();
        let [count, age, bytes] =
            [KEEP.count.to_string(), KEEP.age.as_millis().to_string(), KEEP.bytes.to_string()];
        let text = |text: &str| text.as_bytes().to_vec();
        let mut words = vec![text("EVALSHA"), text(&self.script), text("4")];
        words.extend(keys.map(String::into_bytes));
        words.extend(
            [&*channel, "PUBLISH", "1", "00000001", &AT.to_string(), name, digest].map(text),
        );
        words.push(body);
        words.extend([&*count, &*age, &*bytes].map(text));
        words
    }

    fn publishes(&mut self, rooms: &Rooms, numbers: std::ops::Range<u64>) -> Result<f64> {
        let mut commands = Vec::new();
        let all: Vec<_> = numbers.collect();
        let batches: Vec<Vec<u8>> = all
            .chunks(IN_FLIGHT / 4)
            .map(|numbers| {
                commands.clear();
                for number in numbers {
                    let name = format!("nada\0bare/{number}");
                    write_command(&self.words(rooms.of(*number), &name), &mut commands);
                }
                commands.clone()
            })
            .collect();
        let begun = Instant::now();
        let (mut sent, mut read, mut line) = (0, 0, String::new());
        while read < all.len() {
            while sent < batches.len() && sent * (IN_FLIGHT / 4) < read + IN_FLIGHT {
                self.stream.write_all(&batches[sent])?;
                sent += 1;
            }
            line.clear();
            self.reader.read_line(&mut line)?;
            if !line.starts_with('$') {
                return Err(format!("Redis answers {line:?}").into());
            }
            self.reader.read_line(&mut line)?;
            read += 1;
        }
        Ok(all.len() as f64 / begun.elapsed().as_secs_f64())
    }
}

fn write_command(words: &[Vec<u8>], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// What `redis-benchmark` gets for the script, if there is one beside the server.
fn redis_benchmark(server: &Server, bare: &Bare, messages: u64) -> Result<Option<f64>> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port.to_string(), "-n", &messages.to_string(), "-q"]);
    command.args(["-c", "50", "-P", "16"]);
    for word in bare.words("one", "") {
        // It takes its arguments as text.
        command.arg(String::from_utf8_lossy(&word).replace('\0', "0"));
    }
    let Ok(output) = command.output() else { return Ok(None) };
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
    let line = text.lines().rfind(|line| line.contains("requests per second"));
    let line = line.ok_or_else(|| format!("redis-benchmark says {text:?}"))?;
    let (before, _) = line.split_once(" requests").ok_or("it says nothing")?;
    Ok(Some(before.rsplit(' ').next().ok_or("no number")?.parse()?))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The part of the bare client's publishes that the engine does.
fn publishes(server: &Server, messages: u64) -> Result<f64> {
    const TURNS: u64 = 5;
    let rooms = Rooms::new(1000);
    let one = Rooms(vec!["one".into()]);
    let (redis, told) = engine(server.port)?;
    let mut bare = Bare::connect(server)?;
    let mut figures = [(); 4].map(|()| Vec::new());
    for turn in 0..TURNS {
        let numbers = turn * messages..(turn + 1) * messages;
        figures[0].push(bare.publishes(&rooms, numbers.clone())?);
        figures[1].push(engine_publishes(&redis, &told, &rooms, numbers.clone(), true)?);
        figures[2].extend(redis_benchmark(server, &bare, messages)?);
        figures[3].push(engine_publishes(&redis, &told, &one, numbers, false)?);
    }
    println!("{messages} messages of 100 bytes, {TURNS} times: publishes a second");
    let has_benchmark = !figures[2].is_empty();
    let [bare_alone, named, benchmark, single] =
        figures.map(|all| if all.is_empty() { f64::NAN } else { median(all) });
    println!("  a bare client, 1000 rooms, with names          {bare_alone:>9.0}");
    println!(
        "  the engine, the same                           {named:>9.0}   {:.2}",
        named / bare_alone
    );
    if has_benchmark {
        println!("  redis-benchmark, one room, without names       {benchmark:>9.0}");
        println!(
            "  the engine, the same                           {single:>9.0}   {:.2}",
            single / benchmark
        );
    }
    // As it is for a node that has members in the rooms, or two of them.
    for nodes in 1..=2 {
        let hear: Result<Vec<_>> = (0..nodes).map(|_| engine(server.port)).collect();
        let hear = hear?;
        for (redis, told) in &hear {
            attach(redis, told, &rooms.0)?;
        }
        let from = (TURNS + nodes) * messages;
        let alone = bare.publishes(&rooms, from..from + messages)?;
        let ours = engine_publishes(&redis, &told, &rooms, from..from + messages, true)?;
        println!(
            "  heard by {nodes} more: bare, and the engine           {alone:>9.0} {ours:>9.0}   {:.2}",
            ours / alone
        );
    }
    let worst = (single / benchmark).min(named / bare_alone);
    Ok(worst)
}

fn at(sorted: &[Duration], part: f64) -> Duration {
    sorted[((sorted.len() as f64 * part) as usize).min(sorted.len() - 1)]
}

/// How many times as long as the bare trip ours takes: at the median, and at 99 %.
fn trips(server: &Server, count: usize) -> Result<(f64, f64)> {
    let (publisher, _told) = engine(server.port)?;
    let (listener, heard) = engine(server.port)?;
    let room: Arc<str> = "trips".into();
    attach(&listener, &heard, std::slice::from_ref(&room))?;
    let mut bare = Bare::connect(server)?;
    let mut subscriber = Bare::connect(server)?;
    subscriber.stream.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nbare\r\n")?;
    let mut skipped = [0; 33];
    subscriber.reader.read_exact(&mut skipped)?;
    let payload = vec![b'x'; 100];
    let mut publish = Vec::new();
    write_command(&[b"PUBLISH".to_vec(), b"bare".to_vec(), payload], &mut publish);
    let (mut reply, mut message) = ([0; 4], [0; 135]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..count {
        let begun = Instant::now();
        bare.stream.write_all(&publish)?;
        subscriber.reader.read_exact(&mut message)?;
        theirs.push(begun.elapsed());
        if !message.ends_with(b"xx\r\n") {
            return Err(format!("not the message: {:?}", String::from_utf8_lossy(&message)).into());
        }
        bare.reader.read_exact(&mut reply)?;
        let begun = Instant::now();
        let name = Some(format!("trip/{number}").into());
        let ask = Ask::Append(append(Arc::clone(&room), name));
        publisher.request(Request { tag: 0, ask })?;
        // Heard is when the engine tells, on its own thread, as a subscriber of Redis hears on its own.
        let at = loop {
            let (at, events) = heard.recv()?;
            let is_it = |event: &Event| matches!(event, Event::Push(Push::Message { .. }));
            if events.iter().any(is_it) {
                break at;
            }
        };
        ours.push(at.duration_since(begun));
        // Nothing is on its way when the next one begins.
        thread::sleep(Duration::from_micros(200));
    }
    ours.sort_unstable();
    theirs.sort_unstable();
    println!("{count} trips, one at a time, in microseconds      p50      p99    p99.9");
    let row = |name: &str, all: &[Duration]| {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| at(all, part).as_secs_f64() * 1e6);
        println!("  {name:<44} {p50:>8.0} {p99:>8.0} {p999:>8.0}");
        (p50, p99)
    };
    let (bare50, bare99) = row("PUBLISH to a subscriber", &theirs);
    let (p50, p99) = row("Append to another engine's push", &ours);
    println!(
        "  times                                        {:>8.2} {:>8.2}",
        p50 / bare50,
        p99 / bare99
    );
    Ok((p50 / bare50, p99 / bare99))
}

/// What rooms take that are attached.
fn rooms(server: &Server, count: usize) -> Result<()> {
    server.ask(&["FLUSHALL"])?;
    let rooms = Rooms::new(count);
    let (redis, told) = engine(server.port)?;
    let mut before = Taken::now(server)?;
    println!("{count} rooms, attached by one engine; each step, for a room of it");
    println!("     rooms   seconds   commands   bytes in Redis   bytes here   Redis, µs");
    for step in 0..4 {
        let part = &rooms.0[step * count / 4..(step + 1) * count / 4];
        let begun = Instant::now();
        attach(&redis, &told, part)?;
        let seconds = begun.elapsed().as_secs_f64();
        let after = Taken::now(server)?;
        let each = |after: f64, before: f64| (after - before) / part.len() as f64;
        println!(
            "  {:>8} {seconds:>9.2} {:>10.2} {:>16.0} {:>12.0} {:>11.1}",
            (step + 1) * count / 4,
            each(after.commands, before.commands),
            each(after.memory, before.memory),
            each(after.own, before.own),
            each(after.processor, before.processor) * 1e6,
        );
        before = after;
    }
    // What they cost when nothing is said.
    let begun = Instant::now();
    thread::sleep(Duration::from_secs(3));
    let after = Taken::now(server)?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "  when nothing is said: {:.1} commands and {:.2} ms of Redis's time a second",
        (after.commands - before.commands) / seconds,
        (after.processor - before.processor) / seconds * 1e3,
    );
    Ok(())
}

/// What is used so far.
struct Taken {
    commands: f64,
    memory: f64,
    processor: f64,
    own: f64,
}

impl Taken {
    fn now(server: &Server) -> Result<Self> {
        let Reply::Text(info) = server.ask(&["INFO"])? else { return Err("no INFO".into()) };
        let field = |name: &str| -> Result<f64> {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            Ok(value.ok_or_else(|| format!("no {name}"))?.trim().parse()?)
        };
        let status = fs::read_to_string(Path::new("/proc/self/status"))?;
        let own = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let own: f64 = own.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(Self {
            commands: field("total_commands_processed")?,
            memory: field("used_memory")?,
            processor: field("used_cpu_sys")? + field("used_cpu_user")?,
            own: own * 1024.0,
        })
    }
}
