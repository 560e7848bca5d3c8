//! What signals tell the server to do.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use ws_mio_server::Handle;
use ws_mio_server::settings::Settings;

use crate::log::Level;
use crate::serve;

/// Drains the server at SIGTERM, stops it at SIGINT, and ends the process at the second of these. At SIGHUP
/// it reads settings again.
pub(crate) fn obey(
    handle: Handle,
    level: Level,
    mut settings: Settings,
    read: impl Fn() -> Result<Settings, String> + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stopping = false;
        for signal in &mut signals {
            match signal {
                SIGHUP if stopping => {}
                SIGHUP => reload(&handle, &level, &mut settings, &read),
                _ if stopping => std::process::exit(1),
                SIGTERM => {
                    let connections = handle.stats().connections;
                    let within = humantime::format_duration(settings.drain());
                    tracing::info!(connections, %within, "draining; once more stops at once");
                    handle.drain(settings.drain());
                }
                _ => {
                    tracing::info!("stopping: closing connections; once more stops at once");
                    handle.shutdown();
                }
            }
            stopping |= signal != SIGHUP;
        }
    })?;
    Ok(())
}

/// Takes over what is different in the settings. What is wrong changes nothing.
fn reload(
    handle: &Handle,
    level: &Level,
    settings: &mut Settings,
    read: &impl Fn() -> Result<Settings, String>,
) {
    // The rooms are those that are there: these are for the routes, which a server that runs does not take.
    let builder = |new: &Settings| serve::builder(new, &serve::rooms(new)?);
    let new = read().and_then(|new| builder(&new).map(|builder| (new, builder)));
    let (new, builder) = match new {
        Ok(new) => new,
        Err(problems) => {
            for problem in problems.lines() {
                tracing::error!(problem, "settings stay as they are");
            }
            return;
        }
    };
    handle.reload(builder);
    // What follows is told by the level that tells more.
    let quieter = new.log_level() < settings.log_level();
    if !quieter {
        level.set(&new);
    }
    let changes = settings.changes(&new);
    let named = |fixed: bool| {
        let names = changes.iter().filter(|change| change.fixed == fixed);
        names.map(|change| change.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    tracing::info!(changed = named(false), "settings are read again");
    if changes.iter().any(|change| change.fixed) {
        tracing::warn!(changed = named(true), "these settings need a restart");
    }
    if quieter {
        level.set(&new);
    }
    // What needs a restart is told again next time: it is still not so.
    settings.take_over(new);
}
