//! One point: every server beside the one that it is compared with, slice by slice, in random order.
//!
//! Where a process and its sockets happen to lie in memory can make it slower for as long as it
//! lives, by a fifth with a thousand connections. So all servers are started anew for each sitting.

use std::thread;
use std::time::{Duration, Instant};

use benches::load::Load;
use benches::point::{Mode, Point};
use benches::servers::{Running, Start};
use benches::spread::Spread;
use benches::{Numbers, Result};

/// Two servers whose slices lie next to each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// Who is measured, as an index into the servers.
    pub(crate) server: usize,
    /// What it is compared with.
    pub(crate) base: usize,
    /// Whether both are the same program, so that the ratio should be 1.
    pub(crate) control: bool,
    /// Whether it takes part in the first round of a sitting only.
    pub(crate) seldom: bool,
}

/// How a server did.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) control: bool,
    /// Processor time a message, to that of the base in the slice beside it.
    pub(crate) ratio: Spread,
    /// Processor time a message, in nanoseconds.
    pub(crate) nanos: Spread,
    /// Of the time that passed, the part that the server was running.
    pub(crate) busy: f64,
    /// Messages a second.
    pub(crate) rate: f64,
}

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) sittings: usize,
    /// In each sitting.
    pub(crate) rounds: usize,
    /// At most points: [`Plan::slice`] tells which are longer.
    pub(crate) slice: Duration,
}

impl Plan {
    /// Of long bursts a slice holds few, of which the caches and the generator make more or less: so it is
    /// longer there.
    fn slice(self, point: Point) -> Duration {
        let burst = point.connections * point.size * point.depth;
        if burst > LONG_BURST { self.slice * 4 } else { self.slice }
    }
}

/// Bytes of payload that all connections get at once.
const LONG_BURST: usize = 1 << 20;

/// Until a server sleeps, its time is not all accounted for.
const SETTLE: Duration = Duration::from_millis(1);

/// What one slice of one server gave.
#[derive(Clone, Copy)]
struct Slice {
    nanos: f64,
    busy: f64,
    rate: f64,
}

/// Of each pair, the slices of the server and of its base.
type Slices = Vec<Vec<(Slice, Slice)>>;

/// Measures all pairs of servers that know the point: the first row is the base's own.
pub(crate) fn measure(
    starts: &[Start],
    pairs: &[Pair],
    point: Point,
    plan: Plan,
    order: &mut Numbers,
) -> Result<Vec<Row>> {
    let knows = |server: usize| point.mode == Mode::Echo || starts[server].relays;
    let pairs = pairs.iter().copied().filter(|pair| knows(pair.server) && knows(pair.base));
    let pairs = pairs.collect::<Vec<_>>();
    let mut slices = vec![Vec::new(); pairs.len()];
    for _ in 0..plan.sittings {
        let mut servers = starts.iter().map(|_| None).collect::<Vec<_>>();
        for server in shuffled((0..starts.len()).filter(|&server| knows(server)).collect(), order) {
            let failed = |error| format!("{}: {error}", starts[server].name);
            let running = starts[server].run().map_err(failed)?;
            let load = Load::open(&running.address, point, starts[server].check).map_err(failed)?;
            servers[server] = Some((running, load));
        }
        let mut run = |server: usize| {
            let failed = |error| format!("{}: {error}", starts[server].name);
            one(servers[server].as_mut().ok_or("not started")?, plan.slice(point)).map_err(failed)
        };
        sit(&pairs, plan.rounds, order, &mut run, &mut slices)?;
    }
    let of_base = pairs.iter().zip(&slices).filter(|(pair, _)| pair.base == 0);
    let of_base = of_base.flat_map(|(_, slices)| slices.iter().map(|&(_, base)| (base, base)));
    let base = row(&starts[0].name, false, &of_base.collect::<Vec<_>>());
    let rows = pairs.iter().zip(&slices);
    let rows = rows.map(|(pair, slices)| row(&starts[pair.server].name, pair.control, slices));
    Ok(std::iter::once(base).chain(rows).collect())
}

fn sit(
    pairs: &[Pair],
    rounds: usize,
    order: &mut Numbers,
    run: &mut impl FnMut(usize) -> std::result::Result<Slice, String>,
    slices: &mut Slices,
) -> Result<()> {
    for round in 0..rounds {
        let due = (0..pairs.len()).filter(|&pair| round == 0 || !pairs[pair].seldom);
        for pair in shuffled(due.collect(), order) {
            let Pair { server, base, .. } = pairs[pair];
            let base_first = order.next().is_some_and(|number| number.is_multiple_of(2));
            slices[pair].push(if base_first {
                let base = run(base)?;
                (run(server)?, base)
            } else {
                (run(server)?, run(base)?)
            });
        }
    }
    Ok(())
}

fn shuffled(mut turns: Vec<usize>, order: &mut Numbers) -> Vec<usize> {
    for last in (1..turns.len()).rev() {
        turns.swap(last, order.next().unwrap_or(0) as usize % (last + 1));
    }
    turns
}

/// Of slices of a server and of its base beside them.
fn row(name: &str, control: bool, slices: &[(Slice, Slice)]) -> Row {
    let of = |value: fn(&Slice) -> f64| {
        Spread::of(slices.iter().map(|(server, _)| value(server)).collect())
    };
    let ratios = slices.iter().map(|(server, base)| server.nanos / base.nanos);
    Row {
        name: name.to_owned(),
        control,
        ratio: Spread::of(ratios.collect()),
        nanos: of(|slice| slice.nanos),
        busy: of(|slice| slice.busy).median,
        rate: of(|slice| slice.rate).median,
    }
}

fn one((server, load): &mut (Running, Load), slice: Duration) -> Result<Slice> {
    // Whoever had the last turn is in the caches; what it takes to get there does not count.
    load.run(slice / 4)?;
    thread::sleep(SETTLE);
    let (before, started) = (server.processor_time()?, Instant::now());
    let messages = load.run(slice)? as f64;
    let passed = started.elapsed();
    thread::sleep(SETTLE);
    let taken = (server.processor_time()? - before) as f64;
    Ok(Slice {
        nanos: taken / messages,
        busy: taken / passed.as_nanos() as f64,
        rate: messages / passed.as_secs_f64(),
    })
}
