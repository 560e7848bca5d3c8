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
fn what_does_not_follow_fails_and_says_what_would() {
    let folder = Folder::new();
    let first = open(&folder);
    let late = || Record { at: u64::MAX, ..record("room", 5) };
    let zero = || Record { offset: 0, ..record("room", 1) };
    let last = || Record { offset: u64::MAX, ..record("room", 1) };
    for (message, result) in [
        (zero(), Err(Failure::OutOfRange)),
        (record("room", 3), Ok(())),
        (record("room", 3), Err(Failure::OutOfOrder(4))),
        (record("room", 5), Err(Failure::OutOfOrder(4))),
        (last(), Err(Failure::OutOfRange)),
        (record("room", 4), Ok(())),
        (record("other", 9), Ok(())),
        (late(), Err(Failure::OutOfRange)),
        (record("room", 2), Err(Failure::OutOfOrder(5))),
        (record("room", 5), Ok(())),
    ] {
        let (room, offset) = (Arc::clone(&message.room), message.offset);
        first.store.append(message).unwrap();
        let outcome = first.outcomes(&room, offset).pop().unwrap();
        assert_eq!(outcome.result, result, "{room} {offset}");
        first.pass();
    }
    drop(first.store);
    let second = open(&folder);
    assert_eq!(second.offsets("room"), [3, 4, 5]);
    assert_eq!(second.offsets("other"), [9]);
}

#[test]
fn when_one_fails_those_queued_behind_it_do_too() {
    let folder = Folder::new();
    let (let_go, held) = sync_channel::<()>(0);
    let (tell, told) = channel();
    let on_stored = Box::new(move |outcomes: Vec<Outcome>| {
        let _ = tell.send(outcomes);
        let _ = held.recv();
    });
    let (store, _) = Store::open(&folder.0, on_stored).unwrap();
    // Should this fail, the thread is let go before it is waited for.
    let let_go = let_go;
    let results = || -> Vec<(String, u64, bool)> {
        let outcomes = told.recv_timeout(LIMIT).unwrap();
        let tell = |it: &Outcome| (it.room.to_string(), it.offset, it.result.is_ok());
        outcomes.iter().map(tell).collect()
    };
    let line = |room: &str, offset, stored| (room.to_owned(), offset, stored);
    store.append(record("known", 1)).unwrap();
    assert_eq!(results(), [line("known", 1, true)]);
    // The thread is held. These make one transaction, and all of a room behind its first that fails, fail.
    store.append(record("known", 3)).unwrap();
    store.append(record("new", 0)).unwrap();
    store.append(record("known", 2)).unwrap();
    store.append(record("new", 1)).unwrap();
    store.append(record("other", 1)).unwrap();
    let_go.send(()).unwrap();
    let expected = [("known", 3), ("new", 0), ("known", 2), ("new", 1)];
    let mut expected: Vec<_> = expected.map(|(room, offset)| line(room, offset, false)).into();
    expected.push(line("other", 1, true));
    assert_eq!(results(), expected);
    // So do those that are queued before the store has returned from telling, whatever they are.
    store.append(record("known", 2)).unwrap();
    store.append(record("new", 1)).unwrap();
    store.append(record("other", 2)).unwrap();
    let_go.send(()).unwrap();
    assert_eq!(results(), [line("known", 2, false), line("new", 1, false), line("other", 2, true)]);
    // That was told of failures that were known: the rooms go on.
    store.append(record("known", 2)).unwrap();
    store.append(record("new", 1)).unwrap();
    let_go.send(()).unwrap();
    assert_eq!(results(), [line("known", 2, true), line("new", 1, true)]);
    let_go.send(()).unwrap();
    drop(let_go);
    drop(store);
    let second = open(&folder);
    assert_eq!(second.offsets("known"), [1, 2]);
    assert_eq!(second.offsets("new"), [1]);
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
    // Should this fail, the thread is let go before it is waited for.
    let let_go = let_go;
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
fn what_is_trimmed_goes() {
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
    // Rooms without messages are gone, and others should not begin where they were.
    assert_eq!(second.recovered.rooms.len(), 1);
    assert_eq!(second.recovered.floor, 101);
    second.fill("some", 101..=300);
    second.store.trim(&name("some"), 301);
    drop(second.store);
    let third = open(&folder);
    assert_eq!((third.recovered.rooms.len(), third.recovered.floor), (0, 301));
}

#[test]
fn a_room_whose_messages_are_all_trimmed_may_go_on_behind() {
    let folder = Folder::new();
    let first = open(&folder);
    first.fill("room", 1..=100);
    first.store.trim(&name("room"), 100);
    first.store.append(record("room", 200)).unwrap();
    let refused = first.outcomes("room", 200).pop().unwrap();
    assert_eq!(refused.result, Err(Failure::OutOfOrder(101)));
    first.pass();
    first.store.trim(&name("room"), 101);
    first.fill("room", 101..=101);
    first.store.trim(&name("room"), 102);
    first.fill("room", 200..=203);
    drop(first.store);
    let second = open(&folder);
    assert_eq!(second.offsets("room"), [200, 201, 202, 203]);
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
    // 16 MB pass through it.
    let small = round(1, 6000, 20);
    let full = round(6001, 8000, 1800);
    assert!(small < 4_000_000 && full > 3_000_000, "{small} bytes of file, then {full}");
    for room in &rooms {
        first.store.trim(room, 7981);
    }
    let file = folder.file();
    eventually("a smaller file", || fs::metadata(&file).unwrap().len() < full / 3);
    drop(first.store);
    let second = open(&folder);
    for room in &rooms {
        assert_eq!(second.offsets(room), (7981..=8000).collect::<Vec<_>>());
    }
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
    /// All are trimmed, and the room goes on later.
    Jump(usize, u8),
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
        1 => (room, 0..9_u8).prop_map(|(room, by)| Step::Jump(room, by)),
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
        // The first offset that is kept, the next one, and one more than the last that was stored.
        let mut rooms: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        let (mut good, mut bad) = (0, 0);
        for step in steps.into_iter().chain([Step::Reopen]) {
            match step {
                Step::Append(room, len) => {
                    let room = format!("room {room}");
                    let (_, next, end) = rooms.entry(room.clone()).or_insert((1, 1, 1));
                    for _ in 0..len {
                        it.store.append(record(&room, *next)).unwrap();
                        *next += 1;
                        good += 1;
                    }
                    *end = *next;
                }
                Step::AppendWrong(room, by) => {
                    let room = format!("room {room}");
                    if let Some((first, next, _)) = rooms.get(&room)
                        && first < next
                    {
                        let offset = next.saturating_add_signed(i64::from(by));
                        it.store.append(record(&room, offset)).unwrap();
                        bad += 1;
                        it.settle(good + bad);
                        it.pass();
                        good += 1;
                    }
                }
                Step::Trim(room, keep) => {
                    let room = format!("room {room}");
                    if let Some((first, next, _)) = rooms.get_mut(&room) {
                        it.settle(good + bad);
                        let from = next.saturating_sub(u64::from(keep)).max(*first);
                        it.store.trim(&name(&room), from);
                        *first = from;
                    }
                }
                Step::Jump(room, by) => {
                    let room = format!("room {room}");
                    if let Some((first, next, _)) = rooms.get_mut(&room) {
                        it.settle(good + bad);
                        it.store.trim(&name(&room), *next);
                        *next += u64::from(by);
                        *first = *next;
                    }
                }
                Step::Wait => it.settle(good + bad),
                Step::Reopen => {
                    drop(it);
                    it = open(&folder);
                    prop_assert_eq!(it.recovered.epoch, epoch);
                    for (name, (_, _, end)) in rooms.extract_if(.., |_, room| room.0 == room.1) {
                        prop_assert!(it.recovered.rooms.iter().all(|room| *room.name != *name));
                        prop_assert!(end <= it.recovered.floor);
                    }
                    prop_assert_eq!(it.recovered.rooms.len(), rooms.len());
                    for (name, (first, next, _)) in &rooms {
                        prop_assert_eq!(it.room(name).next, *next);
                        let expected: Vec<_> =
                            (*first..*next).map(|offset| record(name, offset)).collect();
                        prop_assert_eq!(&it.room(name).records, &expected);
                    }
                    (good, bad) = (0, 0);
                }
            }
            let StoreStats { stored, failed, .. } = it.store.stats();
            prop_assert!(stored <= good && failed <= bad);
        }
    }
}
