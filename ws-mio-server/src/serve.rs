//! `ws-mio-server serve`: the server with its applications.

use std::io::{self, ErrorKind, Write as _};

use ws_mio_server::hub::Epoch;
use ws_mio_server::settings::Settings;
use ws_mio_server::store::Options;
use ws_mio_server::{Adopted, Builder, Page, Server, StartError};

use crate::app::{Admin, Api, Chat, Echo, Keys, Poll, Relay, Rooms, Sse, made, make_none, web};
use crate::chance::entropy;
use crate::clock::Clock;
use crate::{log, passed, signals};

/// The reference of all messages and bodies.
const SCHEMA: Page = Page {
    content_type: "application/schema+json",
    fields: &[("X-Content-Type-Options", "nosniff")],
    body: include_bytes!("../schema.json"),
};

/// How many connections that have ended each worker remembers for those who run the server.
const REMEMBERED: usize = 200;

/// Serves by the settings that `read` comes to, now and when it is told to read them again.
pub(crate) fn run(
    read: impl Fn() -> Result<Settings, String> + Send + 'static,
) -> Result<(), String> {
    let clock = Clock::start();
    let passed = passed::take()?;
    let settings = &read()?;
    let log = log::start(settings).map_err(|error| format!("no log: {error}"))?;
    raise_descriptor_limit();
    if !passed.is_empty() {
        make_none();
    }
    let rooms = open_rooms(settings)?;
    let server = builder(settings, &rooms)?;
    let is_served = passed.iter().any(|(_, speaks)| *speaks != Adopted::Admin);
    let addresses = if is_served { settings.listen_beside() } else { settings.listen() };
    let server = passed
        .into_iter()
        .fold(server, |server, (socket, speaks)| server.adopt(socket, speaks))
        .bind(addresses)
        .map_err(|error| format!("{error}{}", advice(&error)))?;
    settings.check_reach(server.local_addrs(), server.tls_addrs())?;
    let handle = server.handle();
    rooms.attach(handle.clone());
    rooms.keep().map_err(|error| format!("no thread for rooms: {error}"))?;
    signals::obey(handle.clone(), log.level(), settings.clone(), read)
        .map_err(|error| format!("no signal handler: {error}"))?;
    // Whoever waits for the banner may have gone away.
    let _ = banner(&server, settings);
    server.run().map_err(|error| format!("the event loop failed: {error}"))?;
    let (stats, seconds) = (handle.stats(), clock.running().as_secs());
    tracing::info!(
        seconds,
        served = stats.accepted,
        refused = stats.refused,
        messages = stats.messages,
        drained = stats.drained,
        abandoned = stats.abandoned,
        "stopped"
    );
    Ok(())
}

/// The rooms of a server, empty, and without what is stored.
pub(crate) fn rooms(settings: &Settings) -> Result<Rooms, String> {
    Ok(Rooms::new(settings.rooms()?, epoch()?))
}

/// The rooms of a server as they were when it ended, if they are stored.
fn open_rooms(settings: &Settings) -> Result<Rooms, String> {
    let (cluster, settings) = (settings.cluster(), settings.rooms()?);
    if let Some(cluster) = cluster {
        return Rooms::share(settings, &cluster, entropy()?)
            .map_err(|error| format!("no thread for the backplane: {error}"));
    }
    let Some(data) = settings.data.clone() else { return Ok(Rooms::new(settings, epoch()?)) };
    let options = Options { survive: settings.survive, ..Options::default() };
    Rooms::open(settings, epoch()?, &data, &options).map_err(|error| format!("data: {error}"))
}

fn epoch() -> Result<Epoch, String> {
    entropy().map(Epoch::from_entropy)
}

/// The server before it is bound.
pub(crate) fn builder(settings: &Settings, rooms: &Rooms) -> Result<Builder, String> {
    let builder = web::serve(Server::builder())
        .health("/healthz")
        .readiness("/readyz")
        .metrics("/metrics")
        .route("/echo", Echo)
        .route("/chat", Chat::new(rooms.clone()))
        .route("/chat/", Chat::new(rooms.clone()))
        .route("/chat/{room}", Chat::new(rooms.clone()))
        .route("/relay", Relay::new(rooms.clone()))
        .route("/relay/{room}", Relay::new(rooms.clone()));
    let builder = builder.page("/schema.json", SCHEMA);
    let streams = ["/sse", "/sse/", "/sse/{room}"];
    let builder = streams
        .into_iter()
        .fold(builder, |builder, path| builder.service(path, Sse::new(rooms.clone())));
    let polls = ["/poll", "/poll/", "/poll/{room}"];
    let builder = polls
        .into_iter()
        .fold(builder, |builder, path| builder.service(path, Poll::new(rooms.clone())));
    let builder = match Keys::of(settings)? {
        Some(keys) => Api::serve(builder, rooms, &keys),
        None => builder,
    };
    let builder = Admin::serve(builder.remember_ended(REMEMBERED), rooms, settings.drain());
    settings.apply(builder)
}

fn banner(server: &Server, settings: &Settings) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (workers, limit) = (server.workers(), settings.max_message());
    let plural = if workers == 1 { "" } else { "s" };
    writeln!(out, "ws-mio-server {}", env!("CARGO_PKG_VERSION"))?;
    let plain = server.local_addrs().iter().map(|address| ("", address));
    let encrypted = server.tls_addrs().iter().map(|address| ("s", address));
    let mut first = None;
    for (s, address) in plain.chain(encrypted) {
        // An address that stands for all of the machine's can't be opened: name one that can.
        let host = match address.ip() {
            ip if !ip.is_unspecified() => *address,
            ip if ip.is_ipv4() => ([127, 0, 0, 1], address.port()).into(),
            _ => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        };
        first.get_or_insert((s, host));
        writeln!(out, "  page    http{s}://{host}/")?;
        writeln!(out, "  chat    ws{s}://{host}/chat/ROOM?username=NAME   (JSON)")?;
        writeln!(out, "  echo    ws{s}://{host}/echo")?;
        writeln!(out, "  relay   ws{s}://{host}/relay/ROOM   (to everyone else in ROOM)")?;
        writeln!(out, "  health  http{s}://{host}/healthz")?;
    }
    if let Some((s, host)) = first {
        examples(&mut out, &format!("http{s}://{host}"), settings)?;
    }
    for path in server.unix_paths() {
        writeln!(out, "  unix    {}", path.display())?;
    }
    if let Some(address) = server.admin_addr() {
        writeln!(out, "  admin   http://{address}/admin   (and /metrics)")?;
    }
    if let Some(cluster) = settings.cluster() {
        writeln!(out, "  nodes   by {}", cluster.target)?;
        writeln!(out, "{workers} worker{plural}, messages up to {limit} bytes. Ctrl-C stops.")?;
        return out.flush();
    }
    match settings.data() {
        Some(data) => writeln!(out, "  data    {}", data.display())?,
        None => {
            writeln!(out, "  data    in memory only: --data DIR keeps messages beyond the process")?
        }
    }
    writeln!(out, "{workers} worker{plural}, messages up to {limit} bytes. Ctrl-C stops.")?;
    out.flush()
}

/// What can be tried with plain HTTP, word for word.
fn examples(out: &mut impl io::Write, url: &str, settings: &Settings) -> io::Result<()> {
    writeln!(out, "  events  curl -N '{url}/sse/general?username=me'")?;
    writeln!(out, "  poll    curl '{url}/poll/general'")?;
    let key = match (settings.api_keys(), made()) {
        (Some(_), _) => "KEY",
        (None, Some(key)) => key,
        (None, None) => return Ok(()),
    };
    writeln!(
        out,
        "  api     curl '{url}/api/rooms/general/messages' -H 'Authorization: Bearer {key}' \
         -d '{{\"content\":\"hello\"}}'"
    )?;
    match settings.api_keys() {
        Some(file) => writeln!(out, "          KEY is any of those in {}", file.display()),
        None => writeln!(out, "          this key is for this run; --api-keys FILE names others"),
    }
}

/// Lets the process have as many connections as it may.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, current = limit.current, "the limit of descriptors stays as it is");
    }
}

/// What to do about an error, to be put behind it.
fn advice(error: &StartError) -> &'static str {
    match error {
        StartError::Bind(_, error) => match error.kind() {
            ErrorKind::AddrInUse => "; stop it, or choose another port with --listen",
            ErrorKind::PermissionDenied => {
                "; ports below 1024 need a privilege: choose another with --listen"
            }
            ErrorKind::AddrNotAvailable => {
                "; no interface of this machine has that address: 0.0.0.0 or [::] listens on all"
            }
            _ => "",
        },
        StartError::Certificate => {
            ": name one by --tls-cert FILE --tls-key FILE, or try it with --tls-self-signed"
        }
        _ => "",
    }
}
