//! Does a server that is used by many, and abused by some, stay as it is? Its memory, descriptors and gauges are
//! looked at all the time.
//!
//! `cargo build --release && cargo run --release -p benches --bin soak` takes an hour. Peers of nine kinds come and go,
//! in orderly ways and others: echoes, compressed ones, relays, chats that recover what they missed, programs at the
//! API, streams of events, polls, connections that are cut at any point, and such as mean harm. The settings are read
//! again every half a minute; 128 MiB of messages are kept all the time. The resident memory of the last tenth must be within 1 % of that of the tenth behind
//! the warm-up (a tenth, too), by their means; when all have gone, no connection, stream or queued byte may be
//! left, and as many descriptors as in the beginning. Anything else is an error, as is whatever a well-behaved peer
//! is refused.
//!
//! `--seconds N` and `--within PERCENT` change that, `--seed N` takes other peers, `--server PATH` another server,
//! `--report FILE` writes a table of the samples; options behind `--` are for the server.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

mod actors;
mod peer;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use benches::{Result, Server, json, raise_descriptor_limit};
use rustix::process::{Pid, Signal, kill_process};

use actors::{Actor, ROLES, World};
use peer::Peer;

const KEY: &str = "the-key-of-a-soak-run";
const RELOAD: Duration = Duration::from_secs(30);
/// How long connections may stay when nobody is there any more: less than those that are kept for a further request.
const PATIENCE: Duration = Duration::from_secs(20);

struct Options {
    seconds: u64,
    within: f64,
    seed: u64,
    server: PathBuf,
    report: Option<PathBuf>,
    others: Vec<String>,
}

fn options() -> Result<Options> {
    let server = env::current_exe()?.with_file_name("ws-mio-server");
    let (report, others) = (None, Vec::new());
    let mut options = Options { seconds: 3600, within: 1.0, seed: 1, server, report, others };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--" {
            options.others = arguments.collect();
            break;
        }
        let value = arguments.next().ok_or_else(|| format!("{name}: a value is due"))?;
        match name.as_str() {
            "--seconds" => options.seconds = value.parse::<u64>()?.max(10),
            "--within" => options.within = value.parse()?,
            "--seed" => options.seed = value.parse()?,
            "--server" => options.server = value.into(),
            "--report" => options.report = Some(value.into()),
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    Ok(options)
}

/// Has the server keep 128 MiB of messages, as one that is used does.
fn fill(address: &str) -> Result<()> {
    let mut peer = Peer::connect(address)?;
    for batch in 0..160_u64 {
        let message = |number: u64| {
            let content = json(batch * 50 + number, 16_000).replace('"', "'");
            format!(r#"{{"room":"archive-{}","content":"{content}"}}"#, batch % 8)
        };
        let messages: Vec<_> = (0..50).map(message).collect();
        let body = format!(r#"{{"messages":[{}]}}"#, messages.join(","));
        let length = body.len();
        let head = format!(
            "POST /api/batch HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        peer.write((head + &body).as_bytes())?;
        let (status, body) = peer.response()?;
        if status != 200 {
            return Err(format!("{status} {}", String::from_utf8_lossy(&body)).into());
        }
    }
    Ok(())
}

/// What the server was at some moment.
#[derive(Clone, Copy, Default)]
struct Sample {
    second: u64,
    resident: u64,
    descriptors: usize,
    connections: u64,
    websockets: u64,
    streams: u64,
    queued: u64,
    messages: u64,
}

impl Sample {
    fn take(server: &Server, address: &str, second: u64) -> Result<Self> {
        let mut peer = Peer::connect(address)?;
        peer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let text = String::from_utf8(peer.response()?.1)?;
        let metric = |name: &str| {
            let values = text.lines().filter_map(|line| {
                let rest = line.strip_prefix(name)?.strip_prefix(['{', ' '])?;
                rest.rsplit(' ').next()?.parse::<u64>().ok()
            });
            values.sum()
        };
        Ok(Self {
            second,
            resident: server.resident()?,
            descriptors: fs::read_dir(format!("/proc/{}/fd", server.id()))?.count(),
            connections: metric("wsmio_connections"),
            websockets: metric("wsmio_websockets"),
            streams: metric("wsmio_event_streams"),
            queued: metric("wsmio_queued_bytes"),
            messages: metric("wsmio_messages_received_total"),
        })
    }

    fn row(&self) -> String {
        let Self {
            second, descriptors, connections, websockets, streams, queued, messages, ..
        } = self;
        let kib = self.resident / 1024;
        format!(
            "| {second} | {kib} | {descriptors} | {connections} | {websockets} | {streams} | {queued} | {messages} |"
        )
    }
}

const TABLE: &str = "\
| second | resident, KiB | descriptors | connections | WebSockets | streams | queued bytes | messages |
|---|---|---|---|---|---|---|---|";

/// The mean of the resident memory of those of some tenth of all samples.
fn mean(samples: &[Sample], tenth: usize) -> f64 {
    let at = |tenth: usize| samples.len() * tenth / 10;
    let part = &samples[at(tenth)..at(tenth + 1)];
    part.iter().map(|sample| sample.resident as f64).sum::<f64>() / part.len().max(1) as f64
}

fn main() -> Result<()> {
    let options = options()?;
    raise_descriptor_limit()?;
    let keys = env::temp_dir().join(format!("ws-soak-{}.keys", std::process::id()));
    fs::write(&keys, format!("{KEY}\n"))?;
    let result = soak(&options, &keys);
    fs::remove_file(keys)?;
    result
}

fn soak(options: &Options, keys: &std::path::Path) -> Result<()> {
    let mut arguments = Vec::new();
    for (name, value) in [
        ("--workers", "2"),
        ("--history", "1000"),
        ("--history-bytes", "16MiB"),
        ("--stall-timeout", "2s"),
        ("--close-timeout", "1s"),
        ("--handshake-timeout", "2s"),
        ("--api-keys", keys.to_str().ok_or("a path that is no text")?),
    ] {
        arguments.extend([name.to_owned(), value.to_owned()]);
    }
    arguments.extend(options.others.iter().cloned());
    let (server, address) = Server::start(&options.server, &arguments)?;
    fill(&address)?;
    // Who has filled it may be there still.
    let start = settled(&server, &address, 0, |start| start.connections == 1)?;
    let is_over = AtomicBool::new(false);
    let busy = AtomicU64::new(0);
    let world = World { address: &address, key: KEY, is_over: &is_over, busy: &busy };
    let visits: Vec<_> = ROLES.iter().map(|_| AtomicU64::new(0)).collect();
    let wrong = Mutex::new(Vec::new());
    let mut samples = Vec::new();
    println!("{TABLE}");
    thread::scope(|scope| -> Result<()> {
        let mut number = 0;
        for ((name, count, role), visits) in ROLES.iter().zip(&visits) {
            for _ in 0..*count {
                number += 1;
                let mut actor = Actor::new(&world, number, options.seed);
                let (wrong, is_over) = (&wrong, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        visits.fetch_add(1, Ordering::Relaxed);
                        if let Err(error) = role(&mut actor) {
                            // Those that mean harm are treated as they deserve.
                            if *name != "hostile"
                                && *name != "cuts"
                                && let Ok(mut wrong) = wrong.lock()
                            {
                                wrong.push(format!("{name}: {error}"));
                            }
                        }
                    }
                });
            }
        }
        let watched = watch(options, &server, &address, &mut samples);
        is_over.store(true, Ordering::Relaxed);
        watched
    })?;
    // What is due at the end: connections have their deadlines.
    let gone = Instant::now();
    let end = settled(&server, &address, options.seconds, |end| {
        (end.connections, end.descriptors) == (start.connections, start.descriptors)
    })?;
    println!("all were gone after {:.1} s", gone.elapsed().as_secs_f64());
    println!("{}", end.row());
    let wrong = wrong.into_inner().map_err(|error| error.to_string())?;
    println!("asked to come again later: {}", busy.load(Ordering::Relaxed));
    judge(options, &samples, &start, &end, &visits, &wrong)
}

/// The sample when something is so; or when that is not so for too long.
fn settled(
    server: &Server,
    address: &str,
    second: u64,
    is_so: impl Fn(&Sample) -> bool,
) -> Result<Sample> {
    let begun = Instant::now();
    loop {
        let sample = Sample::take(server, address, second)?;
        if is_so(&sample) || begun.elapsed() > PATIENCE {
            return Ok(sample);
        }
        // On a machine with much to do, who asked last may still be there.
        thread::sleep(Duration::from_millis(500));
    }
}

/// Samples, and has settings read again now and then, until the time is over.
fn watch(
    options: &Options,
    server: &Server,
    address: &str,
    samples: &mut Vec<Sample>,
) -> Result<()> {
    let begun = Instant::now();
    let whole = Duration::from_secs(options.seconds);
    // 3600 samples, but none more often than five times a second.
    let every = (whole / 3600).max(Duration::from_millis(200));
    let (shown, mut show) = (whole / 36, Duration::ZERO);
    let process = Pid::from_raw(i32::try_from(server.id())?).ok_or("no process")?;
    let (mut next, mut reload) = (every, RELOAD);
    while begun.elapsed() < whole {
        thread::sleep(next.saturating_sub(begun.elapsed()));
        next += every;
        let sample = Sample::take(server, address, begun.elapsed().as_secs())?;
        if begun.elapsed() >= show {
            show += shown;
            println!("{}", sample.row());
        }
        samples.push(sample);
        if begun.elapsed() > reload {
            reload += RELOAD;
            kill_process(process, Signal::HUP)?;
        }
    }
    Ok(())
}

fn judge(
    options: &Options,
    samples: &[Sample],
    start: &Sample,
    end: &Sample,
    visits: &[AtomicU64],
    wrong: &[String],
) -> Result<()> {
    let (warm, last) = (mean(samples, 1), mean(samples, 9));
    let change = (last - warm) / warm * 100.0;
    let counts: Vec<_> = ROLES
        .iter()
        .zip(visits)
        .map(|((name, ..), visits)| format!("{name} {}", visits.load(Ordering::Relaxed)))
        .collect();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} s, {} messages; visits: {}. Resident memory behind the warm-up {:.0} KiB, at the end {:.0} KiB: {change:+.2} %. \
         Descriptors {} and {}, connections {} and {} (the one that asks), WebSockets {}, streams {}, queued bytes {}. \
         Well-behaved peers that were treated badly: {}.",
        options.seconds,
        end.messages,
        counts.join(", "),
        warm / 1024.0,
        last / 1024.0,
        start.descriptors,
        end.descriptors,
        start.connections,
        end.connections,
        end.websockets,
        end.streams,
        end.queued,
        wrong.len()
    );
    print!("\n{text}");
    for error in wrong.iter().take(10) {
        println!("  {error}");
    }
    if let Some(file) = &options.report {
        let step = (samples.len() / 36).max(1);
        let rows: Vec<_> =
            samples.iter().step_by(step).chain([end]).map(|sample| sample.row() + "\n").collect();
        fs::write(file, format!("{text}\n{TABLE}\n{}", rows.concat()))?;
    }
    let is_flat = change.abs() <= options.within;
    let is_back = end.descriptors == start.descriptors && end.connections == start.connections;
    let is_empty = end.websockets == 0 && end.streams == 0 && end.queued == 0;
    match (is_flat, is_back && is_empty, wrong.is_empty()) {
        (true, true, true) => Ok(()),
        (false, ..) => Err(format!("memory has changed by {change:+.2} %").into()),
        (_, false, _) => Err("something is left".into()),
        _ => Err("well-behaved peers were treated badly".into()),
    }
}
