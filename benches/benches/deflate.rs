//! permessage-deflate: JSON messages through both ends, with contexts that are shared and with contexts
//! of a connection's own; with the feature `flate2`, beside zlib-rs by itself.
//!
//! `cargo bench -p benches --features flate2 --bench deflate`; throughput is in plain bytes.
//! No message is below the threshold. One of 64 B does not shrink by itself: what is measured of it is the
//! attempt, and then a plain frame, except for flate2, which is not asked whether it is worth it.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a measurement, not a product"
)]

use std::hint::black_box;
use std::time::Duration;

use benches::json;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings, WindowBits};
use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Input, Scratch, Server};

const SIZES: [usize; 3] = [64, 1024, 16 * 1024];
const LEVELS: [u8; 3] = [1, 3, 6];
/// Messages of each measurement, one after the other, none like another.
const MESSAGES: u64 = 64;

fn messages(size: usize) -> Vec<String> {
    (0..MESSAGES).map(|seed| json(seed, size)).collect()
}

fn agreed(context: Context) -> Agreed {
    Agreed::elsewhere().with_deflate(Agreement { sent: context, received: context })
}

/// Messages as a client sends them: they refer to nothing before the first.
fn wire(messages: &[String], level: u8, context: Context) -> Vec<u8> {
    let key = || [0x37, 0xfa, 0x21, 0x3d];
    let mut client = Connection::new(Client(key), Config::default(), agreed(context));
    let settings = Settings { level, threshold: Some(0), ..Settings::default() };
    let mut deflater = Deflater::new(&settings, context);
    let mut wire = Vec::new();
    for message in messages {
        client.send_deflated(message.as_str(), true, &mut deflater, &mut wire).unwrap();
    }
    wire
}

fn contexts() -> [(&'static str, Context); 2] {
    let window = WindowBits::MAX;
    [false, true].map(|takeover| {
        (if takeover { "dedicated" } else { "shared" }, Context { window, takeover })
    })
}

fn send(c: &mut Criterion) {
    for size in SIZES {
        let messages = messages(size);
        let mut group = c.benchmark_group(format!("send {size} B"));
        group.throughput(Throughput::Bytes(MESSAGES * size as u64));
        for level in LEVELS {
            for (name, context) in contexts() {
                let settings = Settings { level, threshold: Some(0), ..Settings::default() };
                let mut deflater = Deflater::new(&settings, context);
                let mut server = Connection::new(Server, Config::default(), agreed(context));
                let mut out = Vec::new();
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    b.iter(|| {
                        out.clear();
                        // What was sent the last time must not be referred to.
                        deflater.reset();
                        for message in &messages {
                            let message = black_box(message.as_str());
                            server.send_deflated(message, true, &mut deflater, &mut out).unwrap();
                        }
                        out.len()
                    });
                });
            }
            #[cfg(feature = "flate2")]
            for (name, takeover) in [("flate2 shared", false), ("flate2 dedicated", true)] {
                let mut out = vec![0; 2 * size + 64];
                let mut raw = flate2::Compress::new(flate2::Compression::new(level.into()), false);
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    b.iter(|| {
                        let mut total = 0;
                        raw.reset();
                        for message in &messages {
                            if !takeover {
                                raw.reset();
                            }
                            let before = raw.total_out();
                            let flush = flate2::FlushCompress::Sync;
                            let _ = raw.compress(black_box(message.as_bytes()), &mut out, flush);
                            total += raw.total_out() - before;
                        }
                        total
                    });
                });
            }
        }
        group.finish();
    }
}

fn receive(c: &mut Criterion) {
    for size in SIZES {
        let messages = messages(size);
        let mut group = c.benchmark_group(format!("receive {size} B"));
        group.throughput(Throughput::Bytes(MESSAGES * size as u64));
        for level in LEVELS {
            for (name, context) in contexts() {
                let wire = wire(&messages, level, context);
                let mut inflater = Inflater::new(context);
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    b.iter_batched_ref(
                        || wire.clone(),
                        |wire| {
                            // The messages come from a new peer each time.
                            inflater.reset();
                            let agreed = agreed(context);
                            let mut server = Connection::new(Server, Config::default(), agreed);
                            let mut scratch = Scratch::new();
                            let mut input = Input::new(wire, &mut scratch);
                            let mut next = || {
                                let event = server.next_event_inflated(&mut input, &mut inflater);
                                event.unwrap().map(|event| _ = black_box(event))
                            };
                            while next().is_some() {}
                        },
                        BatchSize::SmallInput,
                    );
                });
            }
            #[cfg(feature = "flate2")]
            for (name, takeover) in [("flate2 shared", false), ("flate2 dedicated", true)] {
                let compressed = raw(&messages, level, takeover);
                let (mut inflater, mut out) = (flate2::Decompress::new(false), vec![0; size + 64]);
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    b.iter(|| {
                        inflater.reset(false);
                        for message in &compressed {
                            if !takeover {
                                inflater.reset(false);
                            }
                            let flush = flate2::FlushDecompress::None;
                            inflater.decompress(black_box(message), &mut out, flush).unwrap();
                            black_box(&out);
                        }
                    });
                });
            }
        }
        group.finish();
    }
}

/// Messages compressed without the protocol's help, with the ends of their blocks.
#[cfg(feature = "flate2")]
fn raw(messages: &[String], level: u8, takeover: bool) -> Vec<Vec<u8>> {
    let mut raw = flate2::Compress::new(flate2::Compression::new(level.into()), false);
    let compressed = messages.iter().map(|message| {
        if !takeover {
            raw.reset();
        }
        let mut out = Vec::with_capacity(2 * message.len() + 64);
        raw.compress_vec(message.as_bytes(), &mut out, flate2::FlushCompress::Sync).unwrap();
        out
    });
    compressed.collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = send, receive
}
criterion_main!(benches);
