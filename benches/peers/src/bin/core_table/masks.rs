//! XOR with the masking key (RFC 6455 §5.3), by those crates that let it be called.

use std::hint::black_box;

use crate::turns::{Column, Contender, Table, Unit};

/// So many bytes for each call, so that the call itself does not count.
const BYTES: usize = 16 * 1024;
/// Where a payload lies in a buffer that begins with its frame.
const OFFSET: usize = 6;

pub(crate) fn unmask() -> Table {
    let sizes = [16, 128, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];
    let columns = sizes.map(|size| {
        let times = (BYTES / size).max(1);
        let title = if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) };
        Column { title, per_call: times * size, contenders: contenders(size, times) }
    });
    Table {
        title: "Unmasking a payload (`memcpy` copies it instead)",
        unit: Unit::Throughput,
        columns: columns.into(),
    }
}

fn contenders(size: usize, times: usize) -> Vec<Contender> {
    let contender = |name, apply: fn(&mut [u8], [u8; 4])| {
        let mut data = vec![0; OFFSET + size];
        Contender::new(name, move || {
            for _ in 0..times {
                apply(black_box(&mut data[OFFSET..]), black_box([1, 2, 3, 4]));
            }
        })
    };
    let (from, mut to) = (vec![0u8; OFFSET + size], vec![0u8; OFFSET + size]);
    let memcpy = Contender::new("memcpy", move || {
        for _ in 0..times {
            to[OFFSET..].copy_from_slice(black_box(&from[OFFSET..]));
            black_box(&mut to);
        }
    });
    vec![
        contender("ws-proto", ws_proto::mask::apply),
        memcpy,
        contender("fastwebsockets", fastwebsockets::unmask),
        contender("sockudo-ws", sockudo_ws::simd::apply_mask),
        contender("soketto", |data, key| {
            let mut header = soketto::base::Header::new(soketto::base::OpCode::Binary);
            header.set_masked(true).set_mask(u32::from_be_bytes(key));
            soketto::base::Codec::apply_mask(&header, data);
        }),
        contender("websocket-sans-io", |data, key| websocket_sans_io::apply_mask(key, data, 0)),
        contender("yawc", yawc::mask::apply_mask),
    ]
}
