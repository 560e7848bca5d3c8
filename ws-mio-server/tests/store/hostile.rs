//! Directories, files and disks that are not as they should be: a clear error, and nothing is touched.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rusqlite::Connection;

use super::*;

fn refusal(dir: &Path) -> String {
    match try_open(dir, &Options::default()) {
        Ok(open) => panic!("it was opened, with {} rooms", open.recovered.rooms.len()),
        Err(error) => error.to_string(),
    }
}

/// What the directory has, but for what SQLite needs to look at a file.
fn contents(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(&folder.0).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name != "lock" && !name.ends_with("-shm") {
            contents.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    contents.retain(|name, bytes| !name.ends_with("-wal") || !bytes.is_empty());
    contents
}

/// A directory with some pages of messages.
fn filled() -> Folder {
    let folder = Folder::new();
    let first = open(&folder);
    for offset in 1..=1000 {
        first.store.append(record("room", offset)).unwrap();
    }
    drop(first.store);
    folder
}

#[test]
fn a_directory_is_for_one_store_at_a_time() {
    let folder = Folder::new();
    let first = open(&folder);
    first.fill("room", 1..=1);
    let refusal = refusal(&folder.0);
    assert!(refusal.contains("is in use by another server"), "{refusal}");
    assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
    first.fill("room", 2..=2);
    drop(first.store);
    assert_eq!(open(&folder).offsets("room"), [1, 2]);
}

#[test]
fn only_its_owner_may_read() {
    let folder = filled();
    let first = open(&folder);
    first.fill("room", 1001..=1001);
    let mode = |name: &str| fs::metadata(folder.0.join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["lock", "history.sqlite", "history.sqlite-wal", "history.sqlite-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn others_may_read_meanwhile() {
    let folder = Folder::new();
    let first = open(&folder);
    first.fill("room", 1..=10);
    let reader = Connection::open(folder.file()).unwrap();
    let count = "SELECT count(*) FROM messages";
    let mut statement = reader.prepare(count).unwrap();
    assert_eq!(statement.query_row([], |row| row.get::<_, u32>(0)).unwrap(), 10);
    first.fill("room", 11..=20);
    assert_eq!(statement.query_row([], |row| row.get::<_, u32>(0)).unwrap(), 20);
}

#[test]
fn who_holds_the_file_for_long_makes_messages_fail_until_it_is_let_go() {
    let folder = Folder::new();
    let first = open(&folder);
    first.fill("room", 1..=2);
    let holder = Connection::open(folder.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    first.store.append(record("room", 3)).unwrap();
    let outcome = first.outcomes("room", 3).pop().unwrap();
    assert!(matches!(outcome.result, Err(Failure::Sqlite(_))), "{outcome:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    first.pass();
    first.fill("room", 3..=4);
    assert_eq!(first.store.stats().failed, 1);
}

#[test]
fn files_of_others_are_left_alone() {
    type Make = Box<dyn Fn(&Path)>;
    let contents_of: [(&str, Make); 3] = [
        ("text", Box::new(|file| fs::write(file, "Dear diary, ".repeat(1000)).unwrap())),
        ("short", Box::new(|file| fs::write(file, "x").unwrap())),
        (
            "a database",
            Box::new(|file| {
                let other = Connection::open(file).unwrap();
                other
                    .execute_batch("CREATE TABLE messages (text); PRAGMA journal_mode = WAL")
                    .unwrap();
            }),
        ),
    ];
    for (what, make) in contents_of {
        let folder = Folder::new();
        fs::create_dir(&folder.0).unwrap();
        make(&folder.file());
        let before = contents(&folder);
        let refusal = refusal(&folder.0);
        assert!(
            refusal.contains("history.sqlite is not a history of this server"),
            "{what}: {refusal}"
        );
        assert_eq!(contents(&folder), before, "{what}");
    }
}

#[test]
fn files_of_later_versions_are_left_alone() {
    let folder = filled();
    Connection::open(folder.file()).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = contents(&folder);
    let refusal = refusal(&folder.0);
    assert!(refusal.contains("is of version 2, which a later release"), "{refusal}");
    assert_eq!(contents(&folder), before);
}

#[test]
fn files_that_were_cut_are_refused_and_left_alone() {
    let folder = filled();
    let whole = fs::read(folder.file()).unwrap();
    assert!(whole.len() > 20 * 4096, "{}", whole.len());
    let inside = [0, 1, 16, 71, 72, 99, 100, 4095];
    let pages = (1..whole.len() / 4096).flat_map(|page| [page * 4096, page * 4096 + 1]);
    for len in inside.into_iter().chain(pages).chain([whole.len() - 1]) {
        fs::write(folder.file(), &whole[..len]).unwrap();
        let before = contents(&folder);
        let refusal = refusal(&folder.0);
        assert!(refusal.contains("history.sqlite is damaged ("), "{len} bytes: {refusal}");
        assert_eq!(contents(&folder), before, "{len} bytes");
    }
    fs::write(folder.file(), &whole).unwrap();
    assert_eq!(open(&folder).room("room").next, 1001);
}

#[test]
fn files_with_overwritten_pages_are_refused_and_left_alone() {
    let folder = filled();
    let whole = fs::read(folder.file()).unwrap();
    for page in 1..whole.len() / 4096 {
        for garbage in [0_u8, 0xff, 0x5a] {
            let mut damaged = whole.clone();
            damaged[page * 4096..(page + 1) * 4096].fill(garbage);
            fs::write(folder.file(), &damaged).unwrap();
            let before = contents(&folder);
            let refusal = refusal(&folder.0);
            assert!(refusal.contains("history.sqlite is damaged ("), "page {page}: {refusal}");
            assert_eq!(contents(&folder), before, "page {page}");
        }
    }
}

#[test]
fn no_other_bit_is_read_than_was_written() {
    let folder = filled();
    let whole = fs::read(folder.file()).unwrap();
    let mut random = Random(0xb17);
    let mut refused = 0;
    for _ in 0..200 {
        let bit = random.below(whole.len() as u64 * 8);
        let mut damaged = whole.clone();
        damaged[(bit / 8) as usize] ^= 1 << (bit % 8);
        fs::write(folder.file(), &damaged).unwrap();
        match try_open(&folder.0, &Options::default()) {
            Ok(open) => {
                let expected: Vec<_> = (1..=1000).map(|offset| record("room", offset)).collect();
                assert!(open.room("room").records == expected, "bit {bit}");
            }
            Err(_) => refused += 1,
        }
        for beside in ["history.sqlite-wal", "history.sqlite-shm"] {
            let _ = fs::remove_file(folder.0.join(beside));
        }
    }
    assert!(refused > 150, "{refused}");
}

#[test]
fn what_waits_beside_a_damaged_file_stays_there() {
    let folder = filled();
    let copy = Folder::new();
    fs::create_dir(&copy.0).unwrap();
    let first = open(&folder);
    first.fill("room", 1001..=1100);
    // As it is found after the process was killed.
    for name in ["history.sqlite", "history.sqlite-wal"] {
        fs::copy(folder.0.join(name), copy.0.join(name)).unwrap();
    }
    let mut damaged = fs::read(copy.file()).unwrap();
    damaged[5 * 4096..7 * 4096].fill(0xff);
    fs::write(copy.file(), &damaged).unwrap();
    let before = contents(&copy);
    assert!(before["history.sqlite-wal"].len() > 4096);
    let refusal = refusal(&copy.0);
    assert!(refusal.contains("history.sqlite is damaged ("), "{refusal}");
    assert_eq!(contents(&copy), before);
}

#[test]
fn rooms_with_holes_are_refused() {
    for (sql, what) in [
        ("DELETE FROM messages WHERE offset = 500", "have a gap before 501"),
        ("UPDATE messages SET offset = 2000 WHERE offset = 1000", "have a gap before 2000"),
        ("DELETE FROM rooms", "there is no room 1"),
        ("INSERT INTO rooms VALUES (2, 'room')", "has no messages"),
        ("INSERT INTO rooms VALUES (2, 'other')", "has no messages"),
        ("UPDATE state SET epoch = 'never'", "the epoch is"),
        ("DELETE FROM state", "no rows"),
        ("UPDATE messages SET at = -1 WHERE offset = 7", "out of range"),
        (
            "UPDATE messages SET user = 'eve' WHERE offset = 7",
            "the message 7 of \"room\" is not as it was",
        ),
        ("DROP TABLE messages", "no such table"),
    ] {
        let folder = filled();
        Connection::open(folder.file()).unwrap().execute_batch(sql).unwrap();
        let before = contents(&folder);
        let refusal = refusal(&folder.0);
        assert!(refusal.contains("history.sqlite is damaged ("), "{refusal}");
        assert!(refusal.contains(what), "{refusal}");
        assert_eq!(contents(&folder), before, "{sql}");
    }
}

#[test]
fn half_of_what_was_there_is_refused() {
    let folder = filled();
    let first = open(&folder);
    first.fill("room", 1001..=1001);
    let wal = fs::read(folder.0.join("history.sqlite-wal")).unwrap();
    drop(first.store);
    fs::write(folder.0.join("history.sqlite-wal"), wal).unwrap();
    fs::remove_file(folder.file()).unwrap();
    let before = contents(&folder);
    let refusal = refusal(&folder.0);
    assert!(refusal.contains("it is missing, while history.sqlite-wal is there"), "{refusal}");
    assert_eq!(contents(&folder), before);
}

#[test]
fn what_was_left_of_a_beginning_does_not_matter() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    for name in ["history.sqlite.new", "history.sqlite.new-journal", "history.sqlite.new-wal"] {
        fs::write(folder.0.join(name), "left over").unwrap();
    }
    fs::write(folder.0.join("lock"), "123456789 and more\n").unwrap();
    let first = open(&folder);
    first.fill("room", 1..=1);
    drop(first.store);
    let names: Vec<_> = contents(&folder).into_keys().collect();
    assert_eq!(names, ["history.sqlite"]);
}

#[test]
fn directories_that_cannot_be_are_named() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    for dir in [&file, &file.join("below"), Path::new("/proc/store")] {
        let refusal = refusal(dir);
        assert!(refusal.contains(&format!("{} can't be used: ", dir.display())), "{refusal}");
    }
}

const READ_ONLY: &str = "WS_STORE_TEST_READ_ONLY";

/// Not a test by itself, but what a user may do who may write nothing.
#[test]
#[ignore = "a part of another test"]
fn opens_what_is_read_only() {
    let Some(dir) = std::env::var_os(READ_ONLY) else { return };
    println!("refused: {}", refusal(Path::new(&dir)));
}

#[test]
fn what_is_read_only_is_refused() {
    let folder = filled();
    let dir = &folder.0;
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let copy = Folder::new();
    fs::create_dir(&copy.0).unwrap();
    set(&copy.0, 0o755);
    // Root may write everything, so another user tries, and must be able to run this program.
    let program = copy.0.join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let root = fs::metadata(dir).unwrap().uid() == 0;
    let try_it = || {
        let mut command = Command::new(&program);
        command.args(["--exact", "hostile::opens_what_is_read_only", "--ignored", "--nocapture"]);
        if root {
            command.uid(65_534).gid(65_534);
        }
        let output = command.env(READ_ONLY, dir).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // The directory: there is no place for a lock.
    fs::remove_file(dir.join("lock")).unwrap();
    set(dir, 0o555);
    set(&folder.file(), 0o444);
    let before = contents(&folder);
    let out = try_it();
    assert!(out.contains(&format!("refused: {}/lock can't be used: ", dir.display())), "{out}");
    // The file alone.
    set(dir, 0o777);
    let out = try_it();
    assert!(out.contains("/history.sqlite can't be used: "), "{out}");
    assert!(out.contains("readonly"), "{out}");
    assert_eq!(contents(&folder), before);
    set(dir, 0o700);
    fs::remove_file(dir.join("lock")).unwrap();
    set(&folder.file(), 0o600);
    assert_eq!(open(&folder).room("room").next, 1001);
}

/// Messages fail when there is no place, and are stored again, without a hole, when there is.
fn fills_up_and_goes_on(folder: &Folder, options: &Options, make_place: impl FnOnce(&Store, u64)) {
    let first = try_open(&folder.0, options).unwrap();
    let large =
        |room: &str, offset| Record { payload: vec![b'x'; 10_000].into(), ..record(room, offset) };
    let mut next = 1;
    let failure = loop {
        first.store.append(large("room", next)).unwrap();
        first.store.append(large("room", next + 1)).unwrap();
        let mut outcomes = first.outcomes("room", next + 1);
        if let Err(failure) = outcomes.remove(0).result {
            // What stands behind one that failed does not take its place.
            assert!(outcomes.iter().all(|outcome| outcome.result.is_err()), "{outcomes:?}");
            break failure;
        }
        next += 1;
        if outcomes[0].result.is_err() {
            continue;
        }
        next += 1;
        assert!(next < 10_000, "it never gets full");
    };
    assert_eq!(failure, Failure::Full);
    assert!(next > 10, "{next}");
    make_place(&first.store, next);
    let mut tries = 0;
    loop {
        first.store.append(large("room", next)).unwrap();
        let outcome = first.outcomes("room", next).pop().unwrap();
        if outcome.result.is_ok() {
            break;
        }
        tries += 1;
        assert!(tries < 10, "no place is made: {outcome:?}");
    }
    first.store.trim(&name("room"), next - 5);
    let epoch = first.recovered.epoch;
    drop(first.store);
    let second = try_open(&folder.0, options).unwrap();
    assert_eq!(second.recovered.epoch, epoch);
    let offsets = second.offsets("room");
    assert!(offsets[0] <= next - 5);
    assert_eq!(offsets, (offsets[0]..=next).collect::<Vec<_>>());
}

#[test]
fn a_file_that_may_not_grow_makes_messages_fail() {
    let folder = Folder::new();
    let options = Options { max_file: Some(1 << 20), ..Options::default() };
    fills_up_and_goes_on(&folder, &options, |store, next| store.trim(&name("room"), next - 5));
    assert!(fs::metadata(folder.file()).unwrap().len() <= 1 << 20);
}

/// A file system in memory, unmounted with the test.
struct Disk(Folder);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let folder = Folder::new();
        fs::create_dir(&folder.0).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&folder.0)
            .output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0.0).status();
    }
}

#[test]
fn a_full_disk_makes_messages_fail() {
    // Only root may mount one, and not everywhere; the test above is the same without.
    if let Some(disk) = Disk::new("12m") {
        let filler = disk.0.0.join("filler");
        fs::write(&filler, vec![1; 6 << 20]).unwrap();
        fills_up_and_goes_on(&disk.0, &Options::default(), |_, _| fs::remove_file(filler).unwrap());
    }
}

#[test]
fn on_a_disk_without_any_place_nothing_is_opened() {
    if let Some(disk) = Disk::new("64k") {
        fs::write(disk.0.0.join("filler"), vec![1; 60 * 1024]).unwrap();
        let refusal = refusal(&disk.0.0);
        assert!(refusal.contains("can't be used: "), "{refusal}");
        fs::remove_file(disk.0.0.join("filler")).unwrap();
        // What was begun is no obstacle.
        let names = contents(&disk.0);
        assert!(!names.contains_key("history.sqlite"), "{:?}", names.keys());
    }
}
