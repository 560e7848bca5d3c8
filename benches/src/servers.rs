//! Which servers are measured, and how each is started.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::cores::{Cores, processor_time};
use crate::load::Check;
use crate::{Result, Server};

/// How a server is started.
#[derive(Debug)]
pub struct Start {
    /// What it is called in tables.
    pub name: String,
    /// What can be asked of that which it sends.
    pub check: Check,
    /// Whether it serves `/relay`, too.
    pub relays: bool,
    program: PathBuf,
    args: Vec<String>,
    cores: Cores,
}

/// A server that runs beside this program.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: String,
    server: Server,
}

impl Start {
    /// What a name stands for.
    pub fn new(name: &str, cores: Cores, known: &Known) -> Result<Self> {
        let (mut check, mut relays) = (Check::Content, true);
        let (label, program) = name.split_once('=').unwrap_or((name, name));
        let (program, args) = if name == "floor" {
            check = Check::Length;
            (beside("floor")?, Vec::new())
        } else if let Some(peer) = known.peers.iter().find(|peer| peer.name == name) {
            relays = peer.relays;
            (beside("peers")?, vec![name.to_owned()])
        } else if let Some((_, command)) = known.others.iter().find(|(other, _)| other == name) {
            let mut words = command.split_whitespace();
            let program = words.next().ok_or("a command is due")?;
            (program.into(), words.map(str::to_owned).collect())
        } else {
            let (program, workers) = program.split_once('@').unwrap_or((program, "1"));
            let path = match program {
                "ours" => beside("ws-mio-server")?,
                path if path != label => path.into(),
                _ => return Err(known.refuse(name).into()),
            };
            let args = [
                "--listen",
                "127.0.0.1:0",
                "--log-level",
                "warn",
                "--ping-interval",
                "0s",
                "--workers",
                workers,
            ];
            (path, args.map(str::to_owned).into())
        };
        Ok(Self { name: label.to_owned(), check, relays, program, args, cores })
    }

    /// Starts it, where servers run.
    pub fn run(&self) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        let (server, address) = self.cores.start(|| Server::spawn(&mut command))?;
        Ok(Running { address, server })
    }
}

impl Running {
    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// In nanoseconds.
    pub fn processor_time(&self) -> Result<u64> {
        processor_time(self.server.id())
    }
}

/// Servers that aren't of this project.
#[derive(Debug)]
pub struct Known {
    /// Those that the program `peers` can be, if it was built.
    pub peers: Vec<Peer>,
    /// Names, and the command that starts each.
    pub others: Vec<(String, String)>,
}

/// What the program `peers` says of a server that it can be.
#[derive(Debug)]
pub struct Peer {
    /// What it is called.
    pub name: String,
    /// Of the crate that it is built on.
    pub version: String,
    relays: bool,
}

impl Known {
    /// Others, and all peers.
    pub fn with(others: Vec<(String, String)>) -> Result<Self> {
        let program = beside("peers")?;
        if !program.exists() {
            return Ok(Self { peers: Vec::new(), others });
        }
        let output = Command::new(program).output()?;
        let lines = String::from_utf8(output.stdout)?;
        let peer = |line: &str| {
            let mut words = line.split_whitespace();
            let (name, version) = (words.next()?.to_owned(), words.next()?.to_owned());
            Some(Peer { name, version, relays: words.any(|word| word == "relay") })
        };
        let peer = |line| peer(line).ok_or_else(|| format!("{line}?"));
        Ok(Self { peers: lines.lines().map(peer).collect::<std::result::Result<_, _>>()?, others })
    }

    /// All of their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let others = self.others.iter().map(|(name, _)| name.as_str());
        self.peers.iter().map(|peer| peer.name.as_str()).chain(others)
    }

    fn refuse(&self, name: &str) -> String {
        let known = self.names().collect::<Vec<_>>().join(", ");
        format!(
            "{name} is unknown: floor, ours, ours@WORKERS, NAME=PATH of another ws-mio-server, or one \
             of these is due: {known}"
        )
    }
}

fn beside(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}
