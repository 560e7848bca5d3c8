//! The process is killed at random moments: what was reported as stored is there.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::*;

/// Each room keeps so many messages.
const KEEP: u64 = 50;
const DIR: &str = "WS_STORE_TEST_DIR";

/// Not a test by itself, but the process that is killed. It writes to rooms of different rates, tells of what is
/// stored, and has rooms trimmed.
#[test]
#[ignore = "runs until it is killed, as a part of other tests"]
fn appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let (send, outcomes) = channel();
    let on_stored = Box::new(move |outcomes: Vec<Outcome>| {
        let mut lines = String::new();
        for outcome in &outcomes {
            assert_eq!(outcome.result, Ok(()));
            lines += &format!("stored {} {}\n", outcome.room, outcome.offset);
        }
        // What was told is told, whenever the end comes.
        let mut out = std::io::stdout().lock();
        out.write_all(lines.as_bytes()).unwrap();
        out.flush().unwrap();
        let _ = send.send(outcomes);
    });
    let (store, recovered) = Store::open(Path::new(&dir), on_stored).unwrap();
    println!("epoch {}", recovered.epoch);
    let rooms: Vec<_> = (0..7).map(|number| name(&format!("room{number}"))).collect();
    let mut next: HashMap<_, _> = rooms.iter().map(|room| (Arc::clone(room), 1)).collect();
    next.extend(recovered.rooms.iter().map(|room| (Arc::clone(&room.name), room.next)));
    let mut waiting = 0;
    for turn in 0_usize.. {
        for (number, room) in rooms.iter().enumerate() {
            if turn % (number + 1) == 0 {
                let offset = next.get_mut(room).unwrap();
                store.append(record(room, *offset)).unwrap();
                *offset += 1;
                waiting += 1;
            }
        }
        while waiting > 300 {
            let outcomes = outcomes.recv().unwrap();
            waiting -= outcomes.len();
            for outcome in outcomes {
                store.trim(&outcome.room, (outcome.offset + 1).saturating_sub(KEEP));
            }
        }
    }
}

/// `WS_STORE_KILLS=100 cargo test -p ws-mio-server --test store killed`
#[test]
fn what_was_reported_as_stored_is_there_after_kill_9() {
    let trials = std::env::var("WS_STORE_KILLS").map_or(4, |trials| trials.parse().unwrap());
    let folder = Folder::new();
    let mut epoch = None;
    let mut reported: HashMap<String, u64> = HashMap::new();
    let mut lines = 0_u64;
    let mut random = Random(0x5eed_0000 + trials);
    for trial in 0..trials {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::appends_until_it_is_killed", "--ignored", "--nocapture"])
            .env(DIR, &folder.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        if trial % 8 != 7 {
            // Mostly while it writes; else while it starts.
            assert!(out.any(|line| line.unwrap().starts_with("epoch ")), "trial {trial}");
        }
        std::thread::sleep(Duration::from_micros(random.below(60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in out {
            let line = line.unwrap();
            let mut words = line.split(' ');
            if words.next() == Some("stored")
                && let (Some(room), Some(offset)) = (words.next(), words.next())
            {
                // The last line may be cut, which makes a number smaller.
                let last = reported.entry(room.to_owned()).or_default();
                *last = offset.parse().unwrap_or(0).max(*last);
                lines += 1;
            }
        }
        let open = open(&folder);
        assert_eq!(*epoch.get_or_insert(open.recovered.epoch), open.recovered.epoch);
        for (room, last) in &reported {
            let room = open.room(room);
            assert!(room.next > *last, "trial {trial}: {last} is lost, {} is next", room.next);
            let first = room.records[0].offset;
            assert!(
                first <= room.next.saturating_sub(KEEP).max(1),
                "trial {trial}: {first} is first"
            );
            let expected: Vec<_> =
                (first..room.next).map(|offset| record(&room.name, offset)).collect();
            assert_eq!(room.records, expected, "trial {trial}");
        }
    }
    println!("{trials} of {trials} trials: {lines} messages were reported as stored, none is lost");
    assert!(lines > 0);
}
