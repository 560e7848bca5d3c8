//! What it takes to store messages: how many a second, by transactions of many and of one, and for how long each
//! waits at a steady rate, while old ones are deleted.
//!
//! `cargo run --release -p benches --bin store [-- --messages 500000 --size 100 --seconds 10 --dir DIR]`
//!
//! Without messages, or without seconds, it leaves out what it would do with them.
//! With `--at-least 50000` it fails if fewer messages a second are stored.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use benches::{Result, json};
use rusqlite::{Connection, params};
use ws_mio_server::store::{Options, Outcome, Record, Refused, Store, Survive};

/// A room keeps so many messages where old ones are deleted.
const KEEP: u64 = 20;

fn main() -> Result<()> {
    let mut arguments = Arguments {
        messages: 500_000,
        size: 100,
        seconds: 10,
        at_least: 0.0,
        dir: env::temp_dir().join(format!("ws-store-bench-{}", std::process::id())),
    };
    let mut given = env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or("a value is missing")?;
        match name.as_str() {
            "--messages" => arguments.messages = value.parse()?,
            "--size" => arguments.size = value.parse()?,
            "--seconds" => arguments.seconds = value.parse()?,
            "--at-least" => arguments.at_least = value.parse()?,
            "--dir" => arguments.dir = PathBuf::from(value).join("ws-store-bench"),
            _ => return Err(format!("{name} is not known").into()),
        }
    }
    let result = measure(&arguments);
    fs::remove_dir_all(&arguments.dir)?;
    result
}

struct Arguments {
    messages: u64,
    size: usize,
    seconds: u64,
    at_least: f64,
    dir: PathBuf,
}

fn measure(arguments: &Arguments) -> Result<()> {
    if arguments.messages > 0 {
        measure_throughput(arguments)?;
    }
    if arguments.seconds > 0 {
        measure_waits(arguments)?;
    }
    Ok(())
}

fn measure_throughput(arguments: &Arguments) -> Result<()> {
    let Arguments { messages, size, .. } = *arguments;
    let mut least = f64::INFINITY;
    println!("{messages} messages of {size} bytes, queued as fast as they are taken");
    println!("  survives     rooms   old ones     messages/s   a transaction   MB of file");
    for survive in [Survive::ProcessEnd, Survive::PowerLoss] {
        for rooms in [1, 1000] {
            for trim in [false, true] {
                let (rate, each, bytes) = throughput(arguments, rooms, trim, survive)?;
                let old = if trim { "deleted" } else { "kept" };
                let (name, bytes) = (name(survive), bytes as f64 / 1e6);
                println!(
                    "  {name:<11} {rooms:>6}   {old:<8} {rate:>14.0} {each:>15.0} {bytes:>12.1}"
                );
                least = least.min(rate);
            }
        }
    }
    println!(
        "one in each transaction, and how many times more the store stores in transactions of many"
    );
    let (few, disk) = (messages.min(20_000), (messages / 100).min(2_000));
    for (survive, messages) in [(Survive::ProcessEnd, few), (Survive::PowerLoss, disk)] {
        let (group, ..) = throughput(arguments, 1, false, survive)?;
        let plain = single(arguments, messages, survive)?;
        let awaited = awaited(arguments, messages, survive)?;
        let (name, more, much_more) = (name(survive), group / plain, group / awaited);
        println!("  {name:<11} {plain:>8.0} /s by SQLite alone: {more:.1} times");
        println!("  {name:<11} {awaited:>8.0} /s by the store, each awaited: {much_more:.1} times");
    }
    if least < arguments.at_least {
        return Err(format!("{least:.0} messages a second are too few").into());
    }
    Ok(())
}

fn measure_waits(arguments: &Arguments) -> Result<()> {
    println!("waiting, in milliseconds, at a steady rate into 1000 rooms that keep {KEEP}");
    println!("  survives    messages/s        p50      p99    p99.9      max");
    for survive in [Survive::ProcessEnd, Survive::PowerLoss] {
        for rate in [100, 1000, 10_000, 50_000] {
            let mut waits = waits(arguments, rate, survive)?;
            waits.sort_unstable();
            let at = |part: f64| {
                let place = (waits.len() as f64 * part) as usize;
                waits[place.min(waits.len() - 1)].as_secs_f64() * 1e3
            };
            let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(at);
            let name = name(survive);
            println!("  {name:<11} {rate:>10} {p50:>10.3} {p99:>8.3} {p999:>8.3} {max:>8.3}");
        }
    }
    Ok(())
}

const fn name(survive: Survive) -> &'static str {
    match survive {
        Survive::ProcessEnd => "kill -9",
        Survive::PowerLoss => "power loss",
    }
}

/// Makes messages as a chat would: each room in turn.
struct Messages {
    rooms: Vec<Arc<str>>,
    payloads: Vec<Arc<[u8]>>,
    user: Arc<str>,
}

impl Messages {
    fn new(rooms: u64, size: usize) -> Self {
        let payload = |seed| json(seed, size.max(48)).into_bytes().into();
        Self {
            rooms: (0..rooms).map(|room| format!("room {room}").into()).collect(),
            payloads: (0..256).map(payload).collect(),
            user: "somebody".into(),
        }
    }

    fn get(&self, number: u64) -> Record {
        let rooms = self.rooms.len() as u64;
        Record {
            room: Arc::clone(&self.rooms[(number % rooms) as usize]),
            offset: number / rooms + 1,
            at: 1_767_225_600_000 + number,
            user: Arc::clone(&self.user),
            client_id: None,
            payload: Arc::clone(&self.payloads[(number % 256) as usize]),
        }
    }
}

/// What a store tells, and when.
type Told = Receiver<(Instant, Vec<Outcome>)>;

/// A new store, and what it tells.
fn open(dir: &Path, survive: Survive, trim: bool) -> Result<(Arc<Store>, Told)> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    let (tell, told) = channel();
    let on_stored = Box::new(move |outcomes| {
        // Nobody waits for what is told at the end.
        let _ = tell.send((Instant::now(), outcomes));
    });
    let options = Options { survive, ..Options::default() };
    let (store, _) = Store::open_with(dir, &options, on_stored)?;
    let store = Arc::new(store);
    let (seen, pass) = channel();
    let trimmer = Arc::clone(&store);
    thread::spawn(move || {
        for (at, outcomes) in told {
            if trim {
                for outcome in &outcomes {
                    trimmer.trim(&outcome.room, (outcome.offset + 1).saturating_sub(KEEP));
                }
            }
            if seen.send((at, outcomes)).is_err() {
                return;
            }
        }
    });
    Ok((store, pass))
}

fn check(outcomes: &[Outcome]) -> Result<u64> {
    match outcomes.iter().find_map(|outcome| outcome.result.as_ref().err()) {
        Some(failure) => Err(failure.to_string().into()),
        None => Ok(outcomes.len() as u64),
    }
}

/// Messages a second, messages in a transaction, and the size of the file at last.
fn throughput(
    arguments: &Arguments,
    rooms: u64,
    trim: bool,
    survive: Survive,
) -> Result<(f64, f64, u64)> {
    let messages = Messages::new(rooms, arguments.size);
    let (store, told) = open(&arguments.dir, survive, trim)?;
    let count = arguments.messages;
    let begin = Instant::now();
    let queue = Arc::clone(&store);
    let producer = thread::spawn(move || {
        for number in 0..count {
            let record = messages.get(number);
            while queue.append(record.clone()) == Err(Refused::Full) {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let (mut stored, mut end) = (0, begin);
    while stored < count {
        let (at, outcomes) = told.recv()?;
        stored += check(&outcomes)?;
        end = at;
    }
    producer.join().map_err(|_| "the producer panicked")?;
    let each = count as f64 / store.stats().commits as f64;
    let bytes = fs::metadata(arguments.dir.join("history.sqlite"))?.len();
    Ok((count as f64 / (end - begin).as_secs_f64(), each, bytes))
}

/// Messages a second by a transaction for each, without the store.
fn single(arguments: &Arguments, count: u64, survive: Survive) -> Result<f64> {
    let messages = Messages::new(1, arguments.size);
    fs::remove_dir_all(&arguments.dir)?;
    fs::create_dir(&arguments.dir)?;
    let connection = Connection::open(arguments.dir.join("single.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match survive {
        Survive::ProcessEnd => "normal",
        Survive::PowerLoss => "full",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(
        "CREATE TABLE messages (
            seq INTEGER PRIMARY KEY, room INTEGER NOT NULL, offset INTEGER NOT NULL, at INTEGER NOT NULL,
            user TEXT NOT NULL, client_id TEXT, payload BLOB NOT NULL, crc INTEGER NOT NULL
        ) STRICT",
    )?;
    let mut insert =
        connection.prepare("INSERT INTO messages VALUES (NULL, 1, ?1, ?2, ?3, NULL, ?4, 0)")?;
    let begin = Instant::now();
    for number in 0..count {
        let Record { offset, at, user, payload, .. } = messages.get(number);
        insert.execute(params![offset, at, &*user, &*payload])?;
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

/// Messages a second when each is queued after the one before it is stored.
fn awaited(arguments: &Arguments, count: u64, survive: Survive) -> Result<f64> {
    let messages = Messages::new(1, arguments.size);
    let (store, told) = open(&arguments.dir, survive, false)?;
    let begin = Instant::now();
    for number in 0..count {
        store.append(messages.get(number))?;
        check(&told.recv()?.1)?;
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

/// For how long each message waits at so many a second, until it is told that it is stored.
fn waits(arguments: &Arguments, rate: u64, survive: Survive) -> Result<Vec<Duration>> {
    const ROOMS: u64 = 1000;
    let messages = Messages::new(ROOMS, arguments.size);
    let (store, told) = open(&arguments.dir, survive, true)?;
    let count = rate * arguments.seconds;
    let (tell, queued) = channel();
    let producer = thread::spawn(move || -> bool {
        let begin = Instant::now();
        for number in 0..count {
            let due = Duration::from_nanos(number * 1_000_000_000 / rate);
            while begin.elapsed() < due {
                thread::sleep(due.saturating_sub(begin.elapsed()));
            }
            if tell.send(Instant::now()).is_err() || store.append(messages.get(number)).is_err() {
                return false;
            }
        }
        true
    });
    let mut waits = Vec::with_capacity(count as usize);
    while waits.len() < count as usize {
        let (at, outcomes) = told.recv()?;
        for _ in 0..check(&outcomes)? {
            // In the order in which they were queued.
            waits.push(at - queued.recv()?);
        }
    }
    if producer.join().is_ok_and(|all| all) { Ok(waits) } else { Err("it refused some".into()) }
}
