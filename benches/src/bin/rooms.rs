//! Resident memory of rooms, at the level of the channel engine, without sockets.
//!
//! `cargo run --release -p benches --bin rooms` makes 100,000 rooms with one member each, of a user of its own,
//! and prints what the resident set has grown by for each; then all leave, and no room is left.
//! `--rooms N` makes another number, `--members N` puts more into each, and `--at-most BYTES` fails if a room
//! takes more.
#![allow(clippy::cast_precision_loss, reason = "a measurement, not a product")]

use std::env;
use std::sync::Arc;

use benches::{Result, resident};
use ws_mio_server::hub::{Epoch, Hub, Join, Limits, Namespaces, Since};

/// As large as what names a connection in the server.
type Member = [u32; 3];

const NOW: u64 = 1_767_225_600_000;

fn main() -> Result<()> {
    let (mut rooms, mut members, mut most) = (100_000_u32, 1_u32, f64::MAX);
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name}: a number is due"))?;
        match name.as_str() {
            "--rooms" => rooms = value.parse()?,
            "--members" => members = value.parse()?,
            "--at-most" => most = value.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    let mut effects = Vec::new();
    // A first round, so that one-time costs are not counted.
    drop(filled(100, members, &mut effects)?);
    let before = resident("self")?;
    let mut hub = filled(rooms, members, &mut effects)?;
    let grown = resident("self")?.saturating_sub(before);
    let each = grown as f64 / f64::from(rooms);
    println!("{} rooms with {members} member(s): {each:.1} bytes a room", hub.len());
    for room in 0..rooms {
        for member in 0..members {
            hub.leave(&name(room), [room, member, 0], &mut effects);
        }
        effects.clear();
    }
    let left = resident("self")?.saturating_sub(before);
    println!("all have left: {} rooms, {left} bytes more than before there were any", hub.len());
    if !hub.is_empty() {
        return Err("empty rooms without history should vanish".into());
    }
    if each > most {
        return Err(format!("a room takes more than {most} bytes").into());
    }
    Ok(())
}

fn name(room: u32) -> String {
    format!("room-{room:06}")
}

fn filled(
    rooms: u32,
    members: u32,
    effects: &mut Vec<ws_mio_server::hub::Effect<Member, ()>>,
) -> Result<Hub<Member, ()>> {
    let epoch = Epoch::from_entropy(1);
    let mut hub = Hub::new(Arc::new(Namespaces::default()), Limits::default(), epoch, None);
    for room in 0..rooms {
        for member in 0..members {
            let user = format!("user-{room:06}-{member}");
            let (name, member) = (name(room), [room, member, 0]);
            let join = Join { room: &name, member, user: &user, since: Since::Nothing };
            hub.join(join, NOW, effects)?;
        }
        effects.clear();
    }
    Ok(hub)
}
