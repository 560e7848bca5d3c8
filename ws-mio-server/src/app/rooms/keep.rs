//! What rooms need now and then, without anybody asking.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::{Inner, Rooms};

/// How often it is looked at who has waited long enough.
const EVERY: Duration = Duration::from_millis(500);

impl Rooms {
    /// Looks after the rooms, as long as anybody else has them.
    pub(crate) fn keep(&self) -> io::Result<()> {
        let rooms = Arc::downgrade(&self.0);
        thread::Builder::new().name("rooms".to_owned()).spawn(move || keep(&rooms)).map(drop)
    }
}

fn keep(rooms: &Weak<Inner>) {
    for turn in (0..usize::MAX).cycle() {
        thread::sleep(EVERY);
        let Some(inner) = rooms.upgrade() else { return };
        Rooms(inner).tick(turn);
    }
}
