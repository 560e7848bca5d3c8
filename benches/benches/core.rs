//! The core alone: frames from one buffer, masking, the opening handshake.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a measurement, not a product"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ws_proto::handshake::{Agreed, Choice, Upgrade, head};
use ws_proto::{Client, Config, Connection, Input, Kind, Scratch, Server, mask};

/// Frames in one buffer, as one read would hold them.
const FRAMES: usize = 64;

fn frames(kind: Kind, len: usize) -> Vec<u8> {
    let key = || [0x37, 0xfa, 0x21, 0x3d];
    let mut client = Connection::new(Client(key), Config::default(), Agreed::elsewhere());
    let payload = "x".repeat(len);
    let mut bytes = Vec::new();
    for _ in 0..FRAMES {
        match kind {
            Kind::Text => client.send(payload.as_str(), true, &mut bytes).unwrap(),
            Kind::Binary => client.send(payload.as_bytes(), true, &mut bytes).unwrap(),
        }
    }
    bytes
}

fn receive(c: &mut Criterion) {
    for kind in [Kind::Binary, Kind::Text] {
        let mut group = c.benchmark_group(format!("receive {FRAMES} frames, {kind:?}"));
        for len in [16, 125, 1024, 16 * 1024] {
            let bytes = frames(kind, len);
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
                            black_box(event);
                        }
                    },
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
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

criterion_group!(benches, receive, masking, handshake);
criterion_main!(benches);
