//! The core alone: frames from one buffer and into one, masking, the opening handshake.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a measurement, not a product"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ws_proto::handshake::{Agreed, Choice, Upgrade, head};
use ws_proto::{Client, Config, Connection, Event, Input, Kind, Scratch, Server, mask};

/// Frames in one buffer, as one read would hold them.
const FRAMES: usize = 64;

/// Letters of one to four bytes.
const MIXED: &str = "Grüße, 世界 🎈! ";

fn frames(kind: Kind, payload: &str) -> Vec<u8> {
    let key = || [0x37, 0xfa, 0x21, 0x3d];
    let mut client = Connection::new(Client(key), Config::default(), Agreed::elsewhere());
    let mut bytes = Vec::new();
    for _ in 0..FRAMES {
        match kind {
            Kind::Text => client.send(payload, true, &mut bytes).unwrap(),
            Kind::Binary => client.send(payload.as_bytes(), true, &mut bytes).unwrap(),
        }
    }
    bytes
}

fn receive(c: &mut Criterion) {
    let kinds = [
        ("Binary", Kind::Binary, "x"),
        ("Text", Kind::Text, "x"),
        ("mixed Text", Kind::Text, MIXED),
    ];
    for (name, kind, pattern) in kinds {
        let mut group = c.benchmark_group(format!("receive {FRAMES} frames, {name}"));
        for len in [16, 125, 1024, 16 * 1024] {
            let payload = pattern.repeat(len / pattern.len()) + &"x".repeat(len % pattern.len());
            let bytes = frames(kind, &payload);
            group.throughput(Throughput::Elements(FRAMES as u64));
            group.bench_function(format!("{len} B"), |b| {
                let agreed = Agreed::elsewhere();
                let mut server = Connection::new(Server, Config::default(), agreed);
                b.iter_batched_ref(
                    || bytes.clone(),
                    |bytes| {
                        let mut scratch = Scratch::new();
                        let mut input = Input::new(bytes, &mut scratch);
                        while let Some(event) = server.next_event(&mut input).unwrap() {
                            match event {
                                Event::Text(part) => _ = black_box(part.data),
                                Event::Binary(part) => _ = black_box(part.data),
                                other => panic!("{other:?}"),
                            }
                        }
                    },
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

fn send(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("send {FRAMES} frames"));
    for len in [16, 125, 1024, 16 * 1024] {
        let payload = vec![b'x'; len];
        let mut out = Vec::new();
        group.throughput(Throughput::Elements(FRAMES as u64));
        group.bench_function(format!("{len} B"), |b| {
            let mut server = Connection::new(Server, Config::default(), Agreed::elsewhere());
            b.iter(|| {
                out.clear();
                for _ in 0..FRAMES {
                    server.send(black_box(&payload[..]), true, &mut out).unwrap();
                }
                black_box(&out);
            });
        });
    }
    group.finish();
}

fn masking(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    for len in [16usize, 128, 1024, 64 * 1024, 1024 * 1024] {
        let mut data = vec![0; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{len} B"), |b| {
            b.iter(|| mask::apply(black_box(&mut data), black_box([1, 2, 3, 4])));
        });
    }
    group.finish();
}

fn handshake(c: &mut Criterion) {
    let request = b"GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
    c.bench_function("handshake", |b| {
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            let request = head::request(black_box(request)).unwrap();
            let upgrade = Upgrade::parse(request.method, &request.fields).unwrap();
            upgrade.accept(Choice::default(), &mut out).unwrap()
        });
    });
}

criterion_group!(benches, receive, send, masking, handshake);
criterion_main!(benches);
