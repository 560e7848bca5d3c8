//! One point: every server in turn, in random order, round by round.

use std::thread;
use std::time::{Duration, Instant};

use benches::load::Load;
use benches::point::{Mode, Point};
use benches::spread::Spread;
use benches::{Numbers, Result};

use crate::servers::Running;

/// How a server did.
pub(crate) struct Row {
    pub(crate) name: String,
    /// Processor time a message, to that of the first server in the same round.
    pub(crate) ratio: Spread,
    /// Processor time a message, in nanoseconds.
    pub(crate) nanos: Spread,
    /// Of the time that passed, the part that the server was running.
    pub(crate) busy: f64,
    /// Messages a second.
    pub(crate) rate: f64,
}

/// What one slice of one server gave.
#[derive(Clone, Copy)]
struct Slice {
    nanos: f64,
    busy: f64,
    rate: f64,
}

/// Measures all servers that know the point.
pub(crate) fn measure(
    servers: &[Running],
    point: Point,
    rounds: usize,
    slice: Duration,
    order: &mut Numbers,
) -> Result<Vec<Row>> {
    let servers = servers
        .iter()
        .filter(|server| point.mode == Mode::Echo || server.relays)
        .collect::<Vec<_>>();
    let mut loads = Vec::new();
    for server in &servers {
        let failed = |error| format!("{}: {error}", server.name);
        let mut load = Load::open(&server.address, point, server.check).map_err(failed)?;
        load.run(slice / 4).map_err(failed)?;
        loads.push((load, Vec::with_capacity(rounds)));
    }
    let mut turns = (0..servers.len()).collect::<Vec<_>>();
    for _ in 0..rounds {
        for last in (1..turns.len()).rev() {
            turns.swap(last, order.next().unwrap_or(0) as usize % (last + 1));
        }
        for &turn in &turns {
            let (load, slices) = &mut loads[turn];
            let failed = |error| format!("{}: {error}", servers[turn].name);
            slices.push(one(servers[turn], load, slice).map_err(failed)?);
        }
    }
    let base = loads[0].1.clone();
    let rows = servers.iter().zip(loads).map(|(server, (_, slices))| {
        let of = |value: fn(&Slice) -> f64| Spread::of(slices.iter().map(value).collect());
        let ratios = slices.iter().zip(&base).map(|(slice, base)| slice.nanos / base.nanos);
        Row {
            name: server.name.clone(),
            ratio: Spread::of(ratios.collect()),
            nanos: of(|slice| slice.nanos),
            busy: of(|slice| slice.busy).median,
            rate: of(|slice| slice.rate).median,
        }
    });
    Ok(rows.collect())
}

fn one(server: &Running, load: &mut Load, slice: Duration) -> Result<Slice> {
    let (before, started) = (server.processor_time()?, Instant::now());
    let messages = load.run(slice)? as f64;
    let passed = started.elapsed();
    // Until it sleeps, its time is not all accounted for.
    thread::sleep(Duration::from_millis(2));
    let taken = (server.processor_time()? - before) as f64;
    Ok(Slice {
        nanos: taken / messages,
        busy: taken / passed.as_nanos() as f64,
        rate: messages / passed.as_secs_f64(),
    })
}
