//! Sockets that systemd passes to the program (sd_listen_fds(3)).

use std::env::{self, VarError};
use std::fs;
use std::os::fd::OwnedFd;

use ws_mio_server::Adopted;

/// The first descriptor that may be one of them.
const FIRST: usize = 3;
/// Nobody passes more.
const MOST: usize = 1024;

/// Takes the sockets, by their names (`FileDescriptorName=`): `tls` for TLS, `admin` for those who run the
/// server, any other for everyone. To be called once, before any thread is there. What is passed to another
/// process (`LISTEN_PID`) is left alone.
pub(crate) fn take() -> Result<Vec<(OwnedFd, Adopted)>, String> {
    let own = std::process::id().to_string();
    if variable("LISTEN_PID")?.is_none_or(|pid| pid != own) {
        return Ok(Vec::new());
    }
    let Some(count) = variable("LISTEN_FDS")? else { return Ok(Vec::new()) };
    let due = || format!("LISTEN_FDS: a number of sockets up to {MOST} is due");
    let count = count.parse().ok().filter(|count| *count <= MOST).ok_or_else(due)?;
    // Whoever says so must have passed them: what is there otherwise is somebody else's.
    for number in (FIRST..).take(count) {
        let what = fs::read_link(format!("/proc/self/fd/{number}"));
        if !what.is_ok_and(|what| what.to_string_lossy().starts_with("socket:")) {
            return Err(format!("LISTEN_FDS: descriptor {number} is no socket"));
        }
    }
    let names = variable("LISTEN_FDNAMES")?.unwrap_or_default();
    if !names.is_empty() && names.split(':').count() != count {
        return Err(format!("LISTEN_FDNAMES: {count} names are due, with colons between them"));
    }
    let passed = sd_listen_fds::get().map_err(|error| format!("LISTEN_FDS: {error}"))?;
    Ok(passed.into_iter().map(|(name, socket)| (socket.into_std(), of(name.as_deref()))).collect())
}

fn of(name: Option<&str>) -> Adopted {
    match name {
        Some("tls") => Adopted::Tls,
        Some("admin") => Adopted::Admin,
        _ => Adopted::Plain,
    }
}

fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name}: its value is not UTF-8")),
    }
}
