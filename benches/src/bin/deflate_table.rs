//! What permessage-deflate saves and what it keeps in memory.
//!
//! `cargo run --release -p benches --bin deflate_table` prints, for JSON messages, how many times
//! smaller they become on the wire; for streams of small messages, the bytes and the time of each; and
//! the resident memory of one `Inflater` and one `Deflater` for each window, next to what is documented.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

use std::env;
use std::process::Command;
use std::time::Instant;

use benches::{Numbers, Result, json, noise, resident};
use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings, WindowBits};
use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Input, Message, Scratch, Server};

/// States of which the memory is measured.
const INSTANCES: u64 = 200;

fn agreed(context: Context) -> Agreed {
    Agreed::elsewhere().with_deflate(Agreement { sent: context, received: context })
}

fn client(context: Context) -> Connection<Client<impl FnMut() -> [u8; 4]>> {
    Connection::new(Client(|| [0x37, 0xfa, 0x21, 0x3d]), Config::default(), agreed(context))
}

/// Bytes of messages by bytes on the wire.
fn ratio(level: u8, context: Context, len: usize) -> Result<f64> {
    let settings = Settings { level, ..Settings::default() };
    let mut deflater = Deflater::new(&settings, context);
    let mut connection = Connection::new(Server, Config::default(), agreed(context));
    let (mut plain, mut wire) = (0, Vec::new());
    for seed in 0..256 {
        let text = json(seed, len);
        plain += text.len();
        connection.send_deflated(text.as_str(), true, &mut deflater, &mut wire)?;
    }
    Ok(plain as f64 / wire.len() as f64)
}

fn ratios() -> Result<()> {
    println!("plain bytes by bytes on the wire, headers included");
    println!("  window  level     64 B           1 KiB          16 KiB   (shared, dedicated)");
    for window in [9, 12, 15].into_iter().filter_map(WindowBits::new) {
        for level in [1, 3, 6] {
            print!("  {:>6}  {level:>5}", window.get());
            for len in [64, 1024, 16 * 1024] {
                let of = |takeover| ratio(level, Context { window, takeover }, len);
                print!("  {:>5.2}  {:>5.2}", of(false)?, of(true)?);
            }
            println!();
        }
    }
    Ok(())
}

fn numbers(seed: u64) -> Vec<usize> {
    Numbers(seed).take(12).map(|number| (number >> 33) as usize).collect()
}

/// A line of a chat, of 81 bytes on the average.
fn chat(seed: u64) -> String {
    const WORDS: [&str; 15] = [
        "hello", "there", "how", "are", "you", "today", "fine", "thanks", "see", "later", "ok",
        "great", "lunch", "meeting", "where",
    ];
    let numbers = numbers(seed);
    let words = numbers[2..4 + numbers[0] % 8].iter().map(|n| WORDS[n % 15]).collect::<Vec<_>>();
    let (user, words) = (numbers[1] % 1000, words.join(" "));
    format!(r#"{{"type":"message","id":{seed},"user":"u{user}","text":"{words} "}}"#)
}

/// A price, of 31 bytes on the average.
fn price(seed: u64) -> String {
    let numbers = numbers(seed);
    let (whole, part, amount) = (60_000 + numbers[0] % 1000, numbers[1] % 100, numbers[2] % 100);
    format!(r#"{{"s":"BTC","p":{whole}.{part},"q":{amount}}}"#)
}

/// Streams of messages: bytes on the wire and microseconds for each, by itself and with those before it.
fn small() -> Result<()> {
    const MESSAGES: u64 = 2_000;
    let stream = |of: &dyn Fn(u64) -> Vec<u8>| (0..MESSAGES).map(of).collect::<Vec<_>>();
    let json_of = |len| stream(&move |seed| json(seed, len).into_bytes());
    let mut streams = vec![
        ("price", stream(&|seed| price(seed).into_bytes())),
        ("chat", stream(&|seed| chat(seed).into_bytes())),
    ];
    streams.extend([64, 96, 128, 192, 256, 384, 512, 1024].map(|len| ("JSON", json_of(len))));
    streams.extend([20, 100, 1000].map(|len| ("noise", stream(&move |seed| noise(seed, len)))));
    let mixed = |seed| if seed % 10 == 9 { noise(seed, 4096) } else { chat(seed).into_bytes() };
    streams.push(("9 chats, 4 KiB noise", stream(&mixed)));
    println!("each message of a stream, threshold 0: bytes on the wire and microseconds");
    println!("  level  messages                   bytes   |  shared           | dedicated");
    for level in [1, 6] {
        for (name, messages) in &streams {
            let plain = messages.iter().map(Vec::len).sum::<usize>() as f64 / MESSAGES as f64;
            print!("  {level:>5}  {name:<22} {plain:>9.1}");
            for takeover in [false, true] {
                let context = Context { window: WindowBits::MAX, takeover };
                let settings = Settings { level, threshold: Some(0), ..Settings::default() };
                let (mut bytes, mut least) = (0, f64::INFINITY);
                for _ in 0..5 {
                    let mut deflater = Deflater::new(&settings, context);
                    let mut server = Connection::new(Server, Config::default(), agreed(context));
                    let mut wire = Vec::with_capacity(4 * 1024 * 1024);
                    let begun = Instant::now();
                    for message in messages {
                        server.send_deflated(&message[..], true, &mut deflater, &mut wire)?;
                    }
                    least = least.min(begun.elapsed().as_secs_f64());
                    bytes = wire.len();
                }
                let each = |sum: f64| sum / MESSAGES as f64;
                print!("   | {:>7.1}  {:>6.2}", each(bytes as f64), each(least * 1e6));
            }
            println!();
        }
    }
    Ok(())
}

/// Resident bytes that one more state takes, once it has served.
fn state(name: &str, context: Context, level: u8, large: bool) -> Result<u64> {
    let settings = Settings { level, ..Settings::default() };
    let (noise, text) = (noise(1, 64 * 1024), json(1, if large { 64 * 1024 } else { 1024 }));
    // What does not shrink grows the output beyond what is kept: the text gives that back.
    let noise = large.then_some(Message::Binary(&noise));
    let messages = noise.into_iter().chain([Message::Text(&text)]).collect::<Vec<_>>();
    let mut wire = Vec::with_capacity(1024 * 1024);
    let serve = |deflater: &mut Deflater, wire: &mut Vec<u8>| -> Result<()> {
        wire.clear();
        let mut connection = client(context);
        for message in &messages {
            connection.send_deflated(*message, true, deflater, wire)?;
        }
        Ok(())
    };
    serve(&mut Deflater::new(&settings, context), &mut wire)?;
    let mut copy = wire.clone();
    let (mut inflaters, mut deflaters) = (Vec::new(), Vec::new());
    // One comes first, so that one-time costs are not counted.
    let mut before = 0;
    for instance in 0..=INSTANCES {
        if name == "inflater" {
            let mut inflater = Inflater::new(context);
            let mut connection = Connection::new(Server, Config::default(), agreed(context));
            copy.copy_from_slice(&wire);
            let mut scratch = Scratch::new();
            let mut input = Input::new(&mut copy, &mut scratch);
            while connection.next_event_inflated(&mut input, &mut inflater)?.is_some() {}
            inflaters.push(inflater);
        } else {
            let mut deflater = Deflater::new(&settings, context);
            serve(&mut deflater, &mut wire)?;
            deflaters.push(deflater);
        }
        if instance == 0 {
            before = resident("self")?;
        }
    }
    Ok(resident("self")?.saturating_sub(before) / INSTANCES)
}

/// Each state in a process of its own, for what another left would be taken again.
fn states(level: u8) -> Result<()> {
    let program = env::current_exe()?;
    let settings = Settings { level, ..Settings::default() };
    println!("resident bytes of a state at level {level}, memory level {}", settings.memory_level);
    println!("  window  inflater  documented  deflater: after 1 KiB  after 64 KiB  documented");
    for window in 9..=15u8 {
        let measure = |name: &str, large: &str| -> Result<u64> {
            let (window, level) = (window.to_string(), level.to_string());
            let out = Command::new(&program).args([name, &window, &level, large]).output()?;
            if !out.status.success() {
                return Err(String::from_utf8_lossy(&out.stderr).into());
            }
            Ok(String::from_utf8(out.stdout)?.trim().parse()?)
        };
        let inflater = measure("inflater", "large")?;
        let (small, large) = (measure("deflater", "small")?, measure("deflater", "large")?);
        let of_inflater = Inflater::MEMORY;
        let bits = WindowBits::new(window).ok_or("9 to 15")?;
        let of_deflater = Deflater::memory(&settings, bits).resident;
        println!(
            "  {window:>6}  {inflater:>8}  {of_inflater:>10}  {small:>21}  {large:>12}  {of_deflater:>10}"
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let args = env::args().skip(1).collect::<Vec<_>>();
    if let [name, window, level, size] = args.as_slice() {
        let window = WindowBits::new(window.parse()?).ok_or("9 to 15")?;
        let context = Context { window, takeover: true };
        println!("{}", state(name, context, level.parse()?, size == "large")?);
        return Ok(());
    }
    ratios()?;
    small()?;
    states(1)?;
    states(6)
}
