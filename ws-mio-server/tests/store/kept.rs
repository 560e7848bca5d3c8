//! What is stored comes back as it was.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;

use proptest::prelude::*;
use rusqlite::Connection;
use ws_mio_server::store::{Refused, StoreStats, Survive};

use super::*;

#[test]
fn messages_come_back_as_they_were() {
    let folder = Folder::new();
    let first = open(&folder);
    assert_ne!(first.recovered.epoch, 0);
    assert_eq!((first.recovered.floor, first.recovered.rooms.len()), (1, 0));
    let names = ["general", "", "한국어 방", "it's; DROP TABLE rooms --", "nul \0 byte"];
    for offset in 1..=30 {
        for name in names {
            first.store.append(record(name, offset)).unwrap();
        }
    }
    let outcomes = first.outcomes("nul \0 byte", 30);
    let told: Vec<_> = outcomes.iter().map(|outcome| (&*outcome.room, outcome.offset)).collect();
    let asked: Vec<_> = (1..=30).flat_map(|offset| names.map(|name| (name, offset))).collect();
    assert_eq!(told, asked);
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    let StoreStats { waiting, stored, failed, commits, .. } = first.store.stats();
    assert_eq!((waiting, stored, failed), (0, 150, 0));
    assert!(commits >= 1);
    let epoch = first.recovered.epoch;
    drop(first.store);

    let second = open(&folder);
    assert_eq!(second.recovered.epoch, epoch);
    assert_eq!(second.recovered.rooms.len(), names.len());
    for name in names {
        let room = second.room(name);
        assert_eq!(room.next, 31);
        let expected: Vec<_> = (1..=30).map(|offset| record(name, offset)).collect();
        assert_eq!(room.records, expected);
    }
}

#[test]
fn epochs_differ() {
    let (one, other) = (Folder::new(), Folder::new());
    assert_ne!(open(&one).recovered.epoch, open(&other).recovered.epoch);
}

#[test]
fn closing_stores_all_that_waits() {
    let folder = Folder::new();
    let first = open(&folder);
    for offset in 1..=5000 {
        first.store.append(record("room", offset)).unwrap();
    }
    drop(first.store);
    let told: usize = first.outcomes.iter().map(|outcomes| outcomes.len()).sum();
    assert_eq!(told, 5000);
    assert_eq!(open(&folder).room("room").next, 5001);
}

#[test]
fn what_does_not_follow_fails_and_leaves_no_hole() {
    let folder = Folder::new();
    let first = open(&folder);
    for offset in [1, 2, 4, 5, 3, 3, 2, 4] {
        first.store.append(record("room", offset)).unwrap();
    }
    first.fill("other", 1..=1);
    let too_late = Record { at: u64::MAX, ..record("other", 2) };
    first.store.append(too_late).unwrap();
    first.store.append(record("other", 2)).unwrap();
    first.fill("other", 3..=3);
    let StoreStats { stored, failed, .. } = first.store.stats();
    assert_eq!((stored, failed), (7, 5));
    drop(first.store);
    let second = open(&folder);
    assert_eq!(second.offsets("room"), [1, 2, 3, 4]);
    assert_eq!(second.offsets("other"), [1, 2, 3]);
}

#[test]
fn failures_say_what_would_be_right() {
    let folder = Folder::new();
    let first = open(&folder);
    for offset in [3, 5, 0, u64::MAX, 4] {
        first.store.append(Record { offset, ..record("room", 1) }).unwrap();
    }
    let results: Vec<_> =
        first.outcomes("room", 4).into_iter().map(|outcome| outcome.result).collect();
    let out_of_range = Err(Failure::OutOfRange);
    let expected =
        [Ok(()), Err(Failure::OutOfOrder(4)), out_of_range.clone(), out_of_range, Ok(())];
    assert_eq!(results, expected);
}

#[test]
fn what_waits_is_bounded() {
    let folder = Folder::new();
    let (let_go, held) = sync_channel::<()>(0);
    let (tell, told) = channel();
    let on_stored = Box::new(move |outcomes: Vec<Outcome>| {
        let _ = tell.send(outcomes.len());
        let _ = held.recv();
    });
    let options = Options { max_waiting: 10, max_waiting_bytes: 4000, ..Options::default() };
    let (store, _) = Store::open_with(&folder.0, &options, on_stored).unwrap();
    store.append(record("room", 1)).unwrap();
    // From here on, the thread is held.
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), 1);
    for offset in 2..=11 {
        store.append(record("room", offset)).unwrap();
    }
    assert_eq!(store.append(record("room", 12)), Err(Refused::Full));
    assert_eq!(store.stats().waiting, 10);
    drop(let_go);
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), 10);
    assert_eq!((store.stats().waiting, store.stats().waiting_bytes), (0, 0));
    let large = Record { payload: vec![0; 4000].into(), ..record("room", 12) };
    assert_eq!(store.append(large), Err(Refused::Full));
    store.append(record("room", 12)).unwrap();
}

#[test]
fn a_store_whose_listener_panics_takes_no_more() {
    let folder = Folder::new();
    let (store, _) =
        Store::open(&folder.0, Box::new(|_| panic!("this is part of the test"))).unwrap();
    let mut offset = 1;
    // It takes some until the thread is gone.
    while store.append(record("room", offset)) != Err(Refused::Stopped) {
        offset += 1;
        std::thread::yield_now();
    }
    store.trim(&name("room"), 2);
    drop(store);
    assert!(open(&folder).room("room").next > 1);
}

#[test]
fn what_is_trimmed_goes_and_offsets_go_on() {
    let folder = Folder::new();
    let first = open(&folder);
    for room in ["some", "all", "beyond"] {
        first.fill(room, 1..=100);
    }
    first.store.trim(&name("some"), 91);
    first.store.trim(&name("some"), 50);
    first.store.trim(&name("all"), 101);
    first.store.trim(&name("beyond"), u64::MAX);
    first.store.trim(&name("unknown"), 7);
    drop(first.store);
    let second = open(&folder);
    assert_eq!(second.offsets("some"), (91..=100).collect::<Vec<_>>());
    assert!(second.offsets("all").is_empty());
    assert!(second.offsets("beyond").is_empty());
    assert_eq!(second.room("all").next, 101);
    second.fill("all", 101..=101);
    drop(second.store);
    let third = open(&folder);
    assert_eq!(third.offsets("all"), [101]);
    assert_eq!(third.room("beyond").next, 101);
}

/// Waits until the store has tidied up so far that this holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let (_never, nothing) = channel::<()>();
    for _ in 0..LIMIT.as_millis() / 20 {
        if holds() {
            return;
        }
        let _ = nothing.recv_timeout(Duration::from_millis(20));
    }
    panic!("{what} did not come");
}

#[test]
fn the_file_does_not_grow_with_what_was_trimmed_and_shrinks_at_rest() {
    let folder = Folder::new();
    let first = open(&folder);
    let rooms: Vec<_> = (0..20).map(|number| name(&format!("room {number}"))).collect();
    let round = |from: u64, to: u64, keep: u64| {
        for offset in from..=to {
            for room in &rooms {
                while first.store.append(record(room, offset)).is_err() {
                    std::thread::yield_now();
                }
                first.store.trim(room, offset.saturating_sub(keep) + 1);
            }
        }
        first.outcomes(&rooms[19], to);
        fs::metadata(folder.file()).unwrap().len()
    };
    // 2,000 messages of each room pass through a file with place for a tenth of them.
    let small = round(1, 2000, 20);
    let full = round(2001, 4000, 1800);
    assert!(full > 1_500_000 && small < full / 4, "{small} bytes of file, then {full}");
    for room in &rooms {
        first.store.trim(room, 3981);
    }
    let file = folder.file();
    eventually("a smaller file", || fs::metadata(&file).unwrap().len() < full / 3);
    drop(first.store);
    let second = open(&folder);
    for room in &rooms {
        assert_eq!(second.offsets(room), (3981..=4000).collect::<Vec<_>>());
    }
}

#[test]
fn ids_of_forgotten_rooms_are_not_given_again() {
    let folder = Folder::new();
    let first = open(&folder);
    first.fill("short", 1..=5);
    first.fill("long", 1..=9);
    first.fill("stays", 1..=3);
    first.store.forget(&name("long"));
    first.store.forget(&name("short"));
    first.store.forget(&name("unknown"));
    first.store.append(record("short", 1)).unwrap();
    let refused = first.outcomes("short", 1).pop().unwrap();
    assert_eq!(refused.result, Err(Failure::OutOfOrder(10)));
    first.fill("short", 10..=11);
    drop(first.store);
    let second = open(&folder);
    assert_eq!(second.recovered.floor, 10);
    assert_eq!(second.recovered.rooms.len(), 2);
    assert_eq!(second.offsets("short"), [10, 11]);
    assert_eq!(second.offsets("stays"), [1, 2, 3]);
}

#[test]
fn times_may_go_backwards() {
    let folder = Folder::new();
    let first = open(&folder);
    for (offset, at) in [(1, 5_000), (2, 4_000), (3, 0), (4, 9_000)] {
        first.store.append(Record { at, ..record("room", offset) }).unwrap();
    }
    drop(first.store);
    let second = open(&folder);
    let times: Vec<_> = second.room("room").records.iter().map(|record| record.at).collect();
    assert_eq!(times, [5_000, 4_000, 0, 9_000]);
}

/// As if the machine had stopped while the store was open.
fn pretend_another_start(folder: &Folder) {
    let connection = Connection::open(folder.file()).unwrap();
    connection.execute("UPDATE state SET running = 'another start'", []).unwrap();
}

#[test]
fn when_the_machine_stopped_meanwhile_the_epoch_is_another() {
    let folder = Folder::new();
    let first = open(&folder);
    first.fill("room", 1..=3);
    let epoch = first.recovered.epoch;
    drop(first.store);
    pretend_another_start(&folder);
    let second = open(&folder);
    assert_ne!(second.recovered.epoch, epoch);
    assert_eq!(second.offsets("room"), [1, 2, 3]);
    let epoch = second.recovered.epoch;
    drop(second.store);
    assert_eq!(open(&folder).recovered.epoch, epoch);
}

#[test]
fn who_asks_the_disk_each_time_keeps_the_epoch_through_a_loss_of_power() {
    let folder = Folder::new();
    let options = Options { survive: Survive::PowerLoss, ..Options::default() };
    let first = try_open(&folder.0, &options).unwrap();
    first.fill("room", 1..=3);
    let connection = Connection::open(folder.file()).unwrap();
    let running: Option<String> =
        connection.query_row("SELECT running FROM state", [], |row| row.get(0)).unwrap();
    assert_eq!(running, None);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize, u8),
    /// One that does not follow.
    AppendWrong(usize, i8),
    Trim(usize, u8),
    Forget(usize),
    Wait,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let room = 0..4_usize;
    prop_oneof![
        8 => (room.clone(), 1..90_u8).prop_map(|(room, len)| Step::Append(room, len)),
        1 => (room.clone(), prop_oneof![-9..0_i8, 1..9_i8])
            .prop_map(|(room, by)| Step::AppendWrong(room, by)),
        4 => (room.clone(), 0..90_u8).prop_map(|(room, keep)| Step::Trim(room, keep)),
        1 => room.prop_map(Step::Forget),
        1 => Just(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A store agrees with a map of vectors, whatever is asked of it.
    #[test]
    fn it_is_as_if_rooms_were_vectors(steps in prop::collection::vec(step(), 1..60)) {
        let folder = Folder::new();
        let mut it = open(&folder);
        let epoch = it.recovered.epoch;
        // The first offset that is kept, and the next one.
        let mut rooms: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let (mut floor, mut good, mut bad) = (1, 0, 0);
        for step in steps.into_iter().chain([Step::Reopen]) {
            match step {
                Step::Append(room, len) => {
                    let room = format!("room {room}");
                    let (_, next) = rooms.entry(room.clone()).or_insert((floor, floor));
                    for _ in 0..len {
                        it.store.append(record(&room, *next)).unwrap();
                        *next += 1;
                        good += 1;
                    }
                }
                Step::AppendWrong(room, by) => {
                    let room = format!("room {room}");
                    if let Some((_, next)) = rooms.get(&room) {
                        let offset = next.saturating_add_signed(i64::from(by));
                        it.store.append(record(&room, offset)).unwrap();
                        bad += 1;
                    }
                }
                Step::Trim(room, keep) => {
                    let room = format!("room {room}");
                    if let Some((first, next)) = rooms.get_mut(&room) {
                        let stored = format!("{room} is stored");
                        while it.store.stats().waiting > 0 {
                            it.outcomes.recv_timeout(LIMIT).expect(&stored);
                        }
                        let from = next.saturating_sub(u64::from(keep)).max(*first);
                        it.store.trim(&name(&room), from);
                        *first = from;
                    }
                }
                Step::Forget(room) => {
                    let room = format!("room {room}");
                    it.store.forget(&name(&room));
                    if let Some((_, next)) = rooms.remove(&room) {
                        floor = floor.max(next);
                    }
                }
                Step::Wait => {
                    while it.store.stats().waiting > 0 {
                        it.outcomes.recv_timeout(LIMIT).expect("it is stored");
                    }
                }
                Step::Reopen => {
                    drop(it);
                    it = open(&folder);
                    prop_assert_eq!(it.recovered.epoch, epoch);
                    prop_assert_eq!(it.recovered.floor, floor);
                    prop_assert_eq!(it.recovered.rooms.len(), rooms.len());
                    for (name, (first, next)) in &rooms {
                        prop_assert_eq!(it.room(name).next, *next);
                        let expected: Vec<_> =
                            (*first..*next).map(|offset| record(name, offset)).collect();
                        prop_assert_eq!(&it.room(name).records, &expected);
                    }
                    good = 0;
                    bad = 0;
                }
            }
            let StoreStats { stored, failed, .. } = it.store.stats();
            prop_assert!(stored <= good && failed <= bad);
        }
    }
}
