//! System calls of servers for each message.
//!
//! `cargo build --release && cargo run --release -p benches --bin syscalls` counts those of the floor, of the
//! `ws-mio-server` beside this program, and of the servers of others if the program `peers` was built, with
//! `strace -c -f`, which has to be installed. It prints a table for each point, as Markdown. `--servers
//! LIST` and `--points LIST` are those of `compare`; `--at-most RATIO` fails if ours receives or sends
//! more often for a message than that.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement, not a product"
)]

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use benches::cores::Cores;
use benches::load::Load;
use benches::point::{Mode, Point};
use benches::servers::{Known, Start};
use benches::{Result, raise_descriptor_limit};
use rustix::process::{Pid, Signal, kill_process};

/// How long each server is watched.
const WATCHED: Duration = Duration::from_millis(500);

const POINTS: &str = "64x16x1,64x1024x1,64x16x16,fanout:100x128x16";

/// For each message.
#[derive(Debug, Default)]
struct Calls {
    receive: f64,
    send: f64,
    wait: f64,
    other: f64,
    /// Of all of them, those in vain.
    failed: f64,
}

fn count(start: &Start, point: Point) -> Result<Calls> {
    let server = start.run()?;
    let mut load = Load::open(&server.address, point, start.check)?;
    load.run(WATCHED / 10)?;
    let mut strace = Command::new("strace")
        .args(["-c", "-f", "-p", &server.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("strace: {error}"))?;
    let mut output = BufReader::new(strace.stderr.take().ok_or("no output")?);
    let mut line = String::new();
    while !line.contains("attached") {
        line.clear();
        if output.read_line(&mut line)? == 0 {
            return Err("strace did not attach".into());
        }
    }
    let messages = load.run(WATCHED)? as f64;
    let id = Pid::from_raw(strace.id().try_into()?).ok_or("no process")?;
    kill_process(id, Signal::INT)?;
    let mut table = String::new();
    output.read_to_string(&mut table)?;
    strace.wait()?;
    sum(&table, messages)
}

/// Of the lines of strace: share of time, seconds, microseconds a call, calls, errors if any, name.
fn sum(table: &str, messages: f64) -> Result<Calls> {
    let mut sum = Calls::default();
    let lines = table.lines().skip_while(|line| !line.starts_with("---")).skip(1);
    for line in lines.take_while(|line| !line.starts_with("---")) {
        let words = line.split_whitespace().collect::<Vec<_>>();
        let [_, _, _, calls, rest @ ..] = &words[..] else { return Err(line.into()) };
        let calls = calls.parse::<f64>()? / messages;
        let (errors, name) = match rest {
            [name] => (0.0, name),
            [errors, name] => (errors.parse::<f64>()? / messages, name),
            _ => return Err(line.into()),
        };
        sum.failed += errors;
        *match *name {
            "recvfrom" | "recvmsg" | "read" | "readv" => &mut sum.receive,
            "sendto" | "sendmsg" | "write" | "writev" => &mut sum.send,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => &mut sum.wait,
            _ => &mut sum.other,
        } += calls;
    }
    Ok(sum)
}

fn main() -> Result<()> {
    let (mut names, mut points, mut at_most) = (None, POINTS.to_owned(), f64::INFINITY);
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--servers" => names = Some(value),
            "--points" => points = value,
            "--at-most" => at_most = value.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    raise_descriptor_limit()?;
    let (known, cores) = (Known::with(Vec::new())?, Cores::apart()?);
    let names = names.unwrap_or_else(|| {
        ["floor", "ours"].into_iter().chain(known.names()).collect::<Vec<_>>().join(",")
    });
    let starts = names.split(',').map(|name| Start::new(name, cores, &known));
    let starts = starts.collect::<Result<Vec<_>>>()?;
    let mut most = 0f64;
    for point in points.split(',') {
        let point = point.parse::<Point>()?;
        println!("{point}, for each message:\n");
        println!("| | receive | send | wait | other | in vain |");
        println!("|---|---|---|---|---|---|");
        for start in starts.iter().filter(|start| point.mode == Mode::Echo || start.relays) {
            let calls = count(start, point).map_err(|error| format!("{}: {error}", start.name))?;
            let Calls { receive, send, wait, other, failed } = calls;
            println!(
                "| {} | {receive:.3} | {send:.3} | {wait:.3} | {other:.3} | {failed:.3} |",
                start.name
            );
            if start.name.starts_with("ours") {
                most = most.max(receive).max(send);
            }
        }
        println!();
    }
    if most > at_most { Err(format!("{most:.3}, more than {at_most}").into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn calls_are_summed_by_what_they_do() {
        let table = "\
strace: Process 7 detached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.004000           4      1000        10 recvfrom
 30.00    0.002000           2       500           sendto
 10.00    0.001000          10        20           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.007000                  1520        10 total
";
        let sum = sum(table, 1000.0).unwrap();
        assert_eq!((sum.receive, sum.send, sum.wait), (1.0, 0.5, 0.02));
        assert_eq!((sum.other, sum.failed), (0.0, 0.01));
    }
}
