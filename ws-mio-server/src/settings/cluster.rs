//! Settings of several nodes that have the same rooms.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};

use super::values::positive;
use crate::backplane::redis::{Prefix, Target, masked};
use crate::backplane::{Policy, check_node};

/// How a node works with others.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where Redis is.
    pub target: Target,
    /// What keys and channels begin with.
    pub prefix: Prefix,
    /// What becomes of messages while it is away.
    pub policy: Policy,
    /// Within which time a node that has crashed is gone everywhere.
    pub lease: Duration,
    /// What the node is called, if it is.
    pub name: Option<String>,
}

/// What becomes of messages while the backplane is away.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Away {
    /// They are answered by an error, and nobody gets them
    Refuse,
    /// Members on this node get them, without an id, and nobody else: they are kept nowhere
    Degrade,
}

/// The settings of several nodes.
#[derive(Clone, Debug, Args)]
pub(super) struct ClusterArgs {
    /// The Redis by which several servers have the same rooms [default: this server is alone]
    ///
    /// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `redis+sentinel://HOST,HOST/DB?master=NAME`,
    /// `redis+cluster://HOST,HOST`; `rediss` instead of `redis` for TLS, with `?ca=FILE` for an authority of one's own.
    /// With `?password-file=FILE` the password is in a file, which is read at each connection. One that is in the URL is
    /// shown as `***`, which is not taken for a password; flags can be seen by all who are on the machine.
    /// It numbers and keeps the messages of rooms, so `data` can't be set beside it. All servers that share it need the
    /// same settings of rooms.
    #[arg(long, value_name = "URL", value_parser = Url)]
    pub(super) backplane: Option<Target>,

    /// What keys and channels in Redis begin with
    #[arg(long, value_name = "TEXT", default_value = "ws")]
    backplane_prefix: Prefix,

    /// What becomes of messages while Redis can't be reached
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    backplane_policy: Away,

    /// Within which time the members of a server that has crashed are gone from presence on all others
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = lease)]
    presence_lease: Duration,

    /// What this server is called among those that share a Redis [default: drawn at random]
    ///
    /// 1 to 40 ASCII letters, digits, `-`, `_` and `.`.
    #[arg(long, value_name = "NAME", value_parser = node)]
    node_name: Option<String>,
}

/// Reads a URL; what is told of one that is wrong has no password.
#[derive(Clone, Copy)]
struct Url;

impl TypedValueParser for Url {
    type Value = Target;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Target, clap::Error> {
        let text = value.to_string_lossy();
        text.parse().map_err(|why| {
            let told =
                format!("invalid value '{}' for '--backplane <URL>': {why}\n", masked(&text));
            clap::Error::raw(ErrorKind::ValueValidation, told).with_cmd(command)
        })
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    match positive(text)? {
        lease if lease >= Duration::from_secs(1) => Ok(lease),
        _ => Err("a time of 1s or more is due".to_owned()),
    }
}

fn node(text: &str) -> Result<String, &'static str> {
    match check_node(text) && text.len() <= 40 {
        true => Ok(text.to_owned()),
        false => Err("1 to 40 ASCII letters, digits, `-`, `_` and `.` are due"),
    }
}

impl ClusterArgs {
    /// What they come to, if there is to be more than one node.
    pub(super) fn settings(&self) -> Option<ClusterSettings> {
        Some(ClusterSettings {
            target: self.backplane.clone()?,
            prefix: self.backplane_prefix.clone(),
            policy: match self.backplane_policy {
                Away::Refuse => Policy::Refuse,
                Away::Degrade => Policy::Degrade,
            },
            lease: self.presence_lease,
            name: self.node_name.clone(),
        })
    }
}
