//! The cut of the crate: only the worker and what binds a server know sockets and threads, one file
//! reads the clock, and applications are written on the public API.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Panics if a file outside `allowed` uses one of `names`.
fn only(allowed: &[&str], names: &[&str]) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src);
    for place in allowed {
        assert!(files.iter().any(|file| file.starts_with(src.join(place))), "{place} is gone");
    }
    for file in files {
        if allowed.iter().any(|place| file.starts_with(src.join(place))) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // What stands behind the tests' mark is not part of the product.
        let product = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in (1..).zip(product.lines()) {
            let code = line.split("//").next().unwrap();
            for name in names {
                assert!(!code.contains(name), "{}:{number} uses {name}", file.display());
            }
        }
    }
}

#[test]
fn sockets_and_polls_are_the_workers() {
    only(&["worker/os.rs", "listener", "connect"], &["mio::", "socket2::"]);
    only(
        &["worker", "server.rs", "listener", "serve.rs", "cli", "connect", "proxy"],
        &["std::net::Tcp", "std::net::Udp", "std::net::{"],
    );
}

#[test]
fn one_file_reads_the_clock() {
    only(&["clock.rs"], &["Instant::now", "SystemTime::", ".elapsed()"]);
}

#[test]
fn threads_meet_in_the_mailbox() {
    let locks = [
        "mailbox.rs",
        "admission.rs",
        "arriving.rs",
        "census.rs",
        "app/http/recent.rs",
        "backplane/redis/listener.rs",
        "backplane/redis/outlet.rs",
        "backplane/redis/queue.rs",
        "store/queue.rs",
        "app/rooms",
        "simulation/network",
    ];
    only(&locks, &["Mutex", "RwLock"]);
    let channels =
        ["mailbox.rs", "connect/input.rs", "connect/talk.rs", "log.rs", "store", "fuzzing"];
    only(&channels, &["mpsc"]);
    let threads = [
        "server.rs",
        "signals.rs",
        "connect/input.rs",
        "log.rs",
        "store/mod.rs",
        "store/checkpoint.rs",
        "app/rooms/keep.rs",
        "backplane/redis",
    ];
    only(&threads, &["thread::"]);
}

#[test]
fn only_the_store_knows_sql() {
    only(&["store"], &["rusqlite"]);
}

#[test]
fn only_its_engine_knows_redis() {
    only(
        &["backplane/redis", "fuzzing", "fuzzing.rs"],
        &["use redis", "redis::Value", "redis::Connection"],
    );
}

#[test]
fn the_channel_engine_knows_nothing_of_its_surroundings() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&src.join("hub")) {
        let text = fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap();
        for name in ["crate::", "ws_proto", "serde", "Mutex", "std::time::Instant", "tracing"] {
            // Its documentation and its tests may use it as others do.
            let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
            let uses = code.filter(|line| line.contains(name)).count();
            assert_eq!(uses, 0, "{} uses {name}", file.display());
        }
    }
}

#[test]
fn applications_use_the_public_api_only() {
    // The compiler keeps them from what is private to the library; this, from the core below it.
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&src.join("app")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("ws_proto"), "{} goes behind the server's back", file.display());
    }
}
