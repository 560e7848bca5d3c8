//! Which servers are compared, and how each is started.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use benches::cores::{Cores, processor_time};
use benches::load::Check;
use benches::{Result, Server};

/// A server that runs beside this program.
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) check: Check,
    /// Whether it serves `/relay`, too.
    pub(crate) relays: bool,
    server: Server,
}

impl Running {
    /// Starts what a name stands for.
    pub(crate) fn start(name: &str, cores: Cores, peers: &[Peer]) -> Result<Self> {
        let (mut check, mut relays) = (Check::Content, true);
        let (label, program) = match name.split_once('=') {
            Some((label, path)) => (label, path),
            None => (name, name),
        };
        let (program, workers) = match program.split_once('@') {
            Some((program, workers)) => (program, workers),
            None => (program, "1"),
        };
        let ours = ["--listen", "127.0.0.1:0", "--ping-interval", "0s", "--workers", workers];
        let mut command = if name == "floor" {
            check = Check::Length;
            Command::new(beside("floor")?)
        } else if let Some(peer) = peers.iter().find(|peer| peer.name == name) {
            relays = peer.relays;
            let mut command = Command::new(beside("peers")?);
            command.arg(name);
            command
        } else if program == "ours" || program != label {
            let path = if program == "ours" { beside("ws-mio-server")? } else { program.into() };
            let mut command = Command::new(path);
            command.args(ours);
            command
        } else {
            let known = peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "{name} is unknown: floor, ours, ours@WORKERS, NAME=PATH of another ws-mio-server, \
                 or a peer is due ({known})"
            )
            .into());
        };
        let (server, address) = cores.start(|| Server::spawn(&mut command))?;
        Ok(Self { name: label.to_owned(), address, check, relays, server })
    }

    /// In nanoseconds.
    pub(crate) fn processor_time(&self) -> Result<u64> {
        processor_time(self.server.id())
    }
}

/// What the program `peers` says of a server that it can be.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) version: String,
    relays: bool,
}

/// All peers, if their program was built.
pub(crate) fn peers() -> Result<Vec<Peer>> {
    let program = beside("peers")?;
    if !program.exists() {
        return Ok(Vec::new());
    }
    let output = Command::new(program).output()?;
    let lines = String::from_utf8(output.stdout)?;
    let peer = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Peer { name, version, relays: words.any(|word| word == "relay") })
    };
    lines.lines().map(|line| peer(line).ok_or_else(|| format!("{line}?").into())).collect()
}

fn beside(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}
