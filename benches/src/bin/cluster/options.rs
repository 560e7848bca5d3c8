//! What is asked for.

use std::env;
use std::path::PathBuf;

use benches::Result;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Audit,
    Lease,
    Rolling,
    Delay,
    Capacity,
    Log,
}

pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) nodes: usize,
    pub(super) members: usize,
    pub(super) rooms: usize,
    /// Messages a second, of all members.
    pub(super) rate: u64,
    pub(super) seconds: u64,
    /// For how long Redis stands still.
    pub(super) pause: u64,
    /// How much of the lifetime of a node's presence there is, in seconds.
    pub(super) lease: u64,
    /// The time that a node has to drain, in seconds.
    pub(super) drain: u64,
    /// How many rooms of one member are measured at a time.
    pub(super) attached: usize,
    pub(super) seed: u64,
    pub(super) has_troubles: bool,
    pub(super) has_backplane: bool,
    pub(super) server: PathBuf,
    pub(super) redis: PathBuf,
    pub(super) nginx: PathBuf,
    /// More options for every node.
    pub(super) others: Vec<String>,
}

impl Options {
    pub(super) fn read() -> Result<Self> {
        let server = env::current_exe()?.with_file_name("ws-mio-server");
        let mut options = Self {
            mode: Mode::Audit,
            nodes: 3,
            members: 900,
            rooms: 30,
            rate: 300,
            seconds: 60,
            pause: 5,
            lease: 10,
            drain: 30,
            attached: 5000,
            seed: 1,
            has_troubles: true,
            has_backplane: true,
            server,
            redis: "redis-server".into(),
            nginx: ["/usr/sbin/nginx", "nginx"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| "nginx".into()),
            others: Vec::new(),
        };
        let mut arguments = env::args().skip(1);
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--" => {
                    options.others = arguments.collect();
                    break;
                }
                "audit" => options.mode = Mode::Audit,
                "lease" => options.mode = Mode::Lease,
                "rolling" => options.mode = Mode::Rolling,
                "delay" => options.mode = Mode::Delay,
                "log" => options.mode = Mode::Log,
                "capacity" => options.mode = Mode::Capacity,
                "--calm" => options.has_troubles = false,
                "--without-backplane" => options.has_backplane = false,
                name => {
                    let value = arguments.next();
                    let value =
                        value.ok_or_else(|| format!("{name}: unknown, or without value"))?;
                    options.set(name, &value)?;
                }
            }
        }
        options.rooms = options.rooms.clamp(1, options.members.max(1));
        if options.nodes == 0 || options.members == 0 || options.rate == 0 {
            return Err("--nodes, --members and --rate must be 1 or more".into());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--nodes" => self.nodes = value.parse()?,
            "--members" => self.members = value.parse()?,
            "--rooms" => self.rooms = value.parse()?,
            "--rate" => self.rate = value.parse()?,
            "--seconds" => self.seconds = value.parse()?,
            "--pause" => self.pause = value.parse()?,
            "--lease" => self.lease = value.parse()?,
            "--drain" => self.drain = value.parse()?,
            "--attached" => self.attached = value.parse()?,
            "--seed" => self.seed = value.parse()?,
            "--server" => self.server = value.into(),
            "--redis" => self.redis = value.into(),
            "--nginx" => self.nginx = value.into(),
            _ => return Err(format!("{name} is unknown").into()),
        }
        Ok(())
    }
}
