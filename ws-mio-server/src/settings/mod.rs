//! The settings of the binary: a file, the environment, and flags, in this order of precedence rising.
//!
//! A setting has one name: `max-message` in the file, `--max-message` as a flag, `WSMIO_MAX_MESSAGE` in the
//! environment. The module is there with the feature `cli`, for programs that want the same.

mod args;
pub mod cluster;
mod file;
mod namespace;
mod reference;
mod reload;
pub mod rooms;
mod self_signed;
mod setting;
pub mod values;

pub use args::{LogFormat, LogLevel, ServeArgs};
pub use reference::reference;
pub use reload::Change;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args as _, Command, FromArgMatches as _};

use crate::Builder;
use namespace::Namespace;
use setting::{Origin, Setting, is_list, is_switch, said};

/// What the names of variables in the environment start with.
const PREFIX: &str = "WSMIO_";

/// Where settings come from.
#[derive(Clone, Debug)]
pub struct Sources<'s, E, R> {
    /// The flags: matches of a command that has those of [`ServeArgs`].
    pub flags: &'s ArgMatches,
    /// The file, unless the environment names one (`WSMIO_CONFIG`).
    pub config: Option<&'s Path>,
    /// All variables of the environment; those without the prefix `WSMIO_` mean nothing.
    pub environment: E,
    /// How a file is read.
    pub read: R,
}

/// All settings, and where each comes from.
#[derive(Clone, Debug)]
pub struct Settings {
    args: ServeArgs,
    all: Vec<Setting>,
    namespaces: Vec<Namespace>,
}

/// Everything that is wrong with the settings, one problem in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Built once, for that takes a while.
static COMMAND: LazyLock<Command> = LazyLock::new(|| {
    let command = Command::new("settings").allow_negative_numbers(true).disable_help_flag(true);
    let mut command = ServeArgs::augment_args(command);
    command.build();
    command
});

/// A command with a flag for each setting.
#[must_use]
pub fn command() -> Command {
    COMMAND.clone()
}

/// The flags of all settings, by their names.
fn arguments() -> impl Iterator<Item = (&'static str, &'static Arg)> {
    COMMAND.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)))
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

impl Settings {
    /// Puts together what the sources say. A flag has precedence over a variable, a variable over the file; a
    /// list is taken from one of them.
    ///
    /// # Errors
    /// All that is wrong, with where it stands: a name that is not a setting, with the one that may have been
    /// meant; a value that can't be read, with what is due; a file that can't be read.
    pub fn resolve<E, R>(sources: Sources<'_, E, R>) -> Result<Self, Problems>
    where
        E: IntoIterator<Item = (OsString, OsString)>,
        R: Fn(&Path) -> io::Result<String>,
    {
        let mut problems = Vec::new();
        let variables = variables(sources.environment, &mut problems);
        let config = variables.iter().find(|(name, _)| name == "config");
        let config = sources.config.or_else(|| config.map(|(_, value)| Path::new(value)));
        let (entries, tables) = match config.map(|file| (file, (sources.read)(file))) {
            None => Default::default(),
            Some((file, Ok(text))) => file::parse(file, &text, &mut problems),
            Some((file, Err(error))) => {
                problems.push(format!("{}: {error}", file.display()));
                Default::default()
            }
        };
        let mut all = Vec::new();
        for (name, arg) in arguments() {
            let id = arg.get_id().as_str();
            let of_file = entries.iter().find(|entry| entry.name == name);
            let of_environment = variables.iter().find(|(variable, _)| *variable == name);
            let setting = if sources.flags.value_source(id) == Some(ValueSource::CommandLine) {
                let raw = sources.flags.get_raw(id).into_iter().flatten();
                let given = raw.map(|value| value.to_string_lossy().into_owned());
                Setting { values: given.collect(), origin: Origin::Flag, arg }
            } else if let Some((name, value)) = of_environment {
                let values = match is_list(arg) {
                    true => value.split(',').map(|value| value.trim().to_owned()).collect(),
                    false => vec![value.clone()],
                };
                Setting { values, origin: Origin::Environment(variable(name)), arg }
            } else if let Some(entry) = of_file {
                let config = config.map(Path::to_path_buf).unwrap_or_default();
                let origin = Origin::File(config, entry.line);
                Setting { values: entry.values.clone(), origin, arg }
            } else {
                let values = match is_switch(arg) {
                    true => vec!["false".to_owned()],
                    false => {
                        let defaults = arg.get_default_values().iter();
                        defaults.map(|value| value.to_string_lossy().into_owned()).collect()
                    }
                };
                Setting { values, origin: Origin::Default, arg }
            };
            if let Err(problem) = setting.check() {
                problems.push(problem);
            }
            all.push(setting);
        }
        let file = config.map(|file| file.display().to_string()).unwrap_or_default();
        let namespaces = namespace::resolve(&file, tables, &all, &mut problems);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let given = all.iter().filter(|setting| setting.origin != Origin::Default);
        let flags = given.flat_map(Setting::flags);
        let matches = command().try_get_matches_from(std::iter::once(String::new()).chain(flags));
        let args = matches.and_then(|matches| ServeArgs::from_arg_matches(&matches));
        match args {
            Ok(args) => Ok(Self { args, all, namespaces }),
            Err(error) => Err(Problems(vec![said(&error)])),
        }
    }

    /// Values that are shown in part, by the names of their variables.
    #[cfg(feature = "_fuzzing")]
    pub(crate) fn hidden(&self) -> Vec<(OsString, OsString)> {
        let all =
            self.all.iter().flat_map(|setting| setting.values.iter().map(move |v| (setting, v)));
        let hidden = all.filter(|(setting, value)| setting.shown(value) != **value);
        hidden.map(|(setting, value)| (variable(setting.name()).into(), value.into())).collect()
    }

    /// All values, as they were read.
    #[cfg(feature = "_fuzzing")]
    pub(crate) fn args(&self) -> String {
        format!("{:?}", self.args)
    }

    /// The addresses to listen on, but for those of TLS.
    #[must_use]
    pub fn listen(&self) -> &[SocketAddr] {
        let is_default =
            |setting: &Setting| setting.name() == "listen" && setting.origin == Origin::Default;
        let is_elsewhere = !self.args.listen_tls.is_empty() || !self.args.listen_unix.is_empty();
        match is_elsewhere && self.all.iter().any(is_default) {
            true => &[],
            false => &self.args.listen,
        }
    }

    /// The same where sockets are passed to the program: the default is not listened on then.
    #[must_use]
    pub fn listen_beside(&self) -> &[SocketAddr] {
        let is_default =
            |setting: &Setting| setting.name() == "listen" && setting.origin == Origin::Default;
        if self.all.iter().any(is_default) { &[] } else { &self.args.listen }
    }

    /// Whether it is known what happens to everyone who reaches these addresses, those of TLS apart.
    ///
    /// # Errors
    /// Everyone could connect from everywhere and no setting says that they may, or others can't know whom they
    /// reach.
    pub fn check_reach(&self, plain: &[SocketAddr], tls: &[SocketAddr]) -> Result<(), String> {
        self.args.check_reach(plain, tls)
    }

    /// The Unix sockets to listen on.
    #[must_use]
    pub fn listen_unix(&self) -> &[PathBuf] {
        &self.args.listen_unix
    }

    /// The largest message that is accepted, in bytes.
    #[must_use]
    pub const fn max_message(&self) -> u64 {
        self.args.max_message
    }

    /// The directory in which messages are stored, if they are.
    #[must_use]
    pub fn data(&self) -> Option<&Path> {
        self.args.common.data.as_deref()
    }

    /// How it works with other servers, if it does.
    #[must_use]
    pub fn cluster(&self) -> Option<cluster::ClusterSettings> {
        self.args.cluster.settings()
    }

    /// How long connections may take to be closed, one after the other, before the server stops.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        self.args.drain
    }

    /// The file of the keys of the HTTP API.
    #[must_use]
    pub fn api_keys(&self) -> Option<&Path> {
        self.args.api_keys.as_deref()
    }

    /// Whether nobody but this machine reaches the server, as far as that is known.
    #[must_use]
    pub fn is_for_this_machine(&self) -> bool {
        self.args.is_for_this_machine()
    }

    /// How the log is written.
    #[must_use]
    pub const fn log_format(&self) -> LogFormat {
        self.args.log_format
    }

    /// What the log tells.
    #[must_use]
    pub const fn log_level(&self) -> LogLevel {
        self.args.log_level
    }

    /// What rooms are set to.
    ///
    /// # Errors
    /// Settings that don't go together: rooms are to be stored nowhere.
    pub fn rooms(&self) -> Result<rooms::RoomSettings, String> {
        let named: Vec<_> = self.namespaces.iter().map(|named| named.args.clone()).collect();
        let ServeArgs { common, rooms, cluster, .. } = &self.args;
        rooms::check(common, rooms, &named)?;
        if cluster.backplane.is_some() && common.data.is_some() {
            return Err("data: with backplane, Redis keeps the messages: leave out one of the two"
                .to_owned());
        }
        Ok(rooms::settings(common, rooms, &named))
    }

    /// Makes a builder what the settings say.
    ///
    /// # Errors
    /// A file that a setting names can't be used, or everyone could connect from everywhere and no setting
    /// says that they may.
    pub fn apply(&self, builder: Builder) -> Result<Builder, String> {
        self.args.apply(builder)
    }
}

impl fmt::Display for Settings {
    /// As a file, with where each setting comes from. A password in a URL is shown as `***`, which is refused where it is
    /// read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for setting in &self.all {
            let Setting { origin, .. } = setting;
            match setting.toml() {
                Some(value) => writeln!(f, "{} = {value}  # {origin}", setting.name())?,
                None => writeln!(f, "# {} is not set", setting.name())?,
            }
        }
        self.namespaces.iter().try_for_each(|namespace| write!(f, "{namespace}"))
    }
}

/// The variables that are settings, by the names of those.
fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &mut Vec<String>,
) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (key, value) in environment {
        let key = key.to_string_lossy();
        let Some(rest) = key.strip_prefix(PREFIX) else { continue };
        let name = rest.to_ascii_lowercase().replace('_', "-");
        let known = name == "config" || arguments().any(|(known, _)| known == name);
        if !known || variable(&name) != key {
            let meant = meant(&name).map(|name| variable(&name));
            problems.push(unknown(&key.escape_debug().to_string(), meant.as_deref()));
        } else if let Some(value) = value.to_str() {
            variables.push((name, value.to_owned()));
        } else {
            problems.push(format!("{key}: its value is not UTF-8"));
        }
    }
    variables
}

/// The setting whose name is most like this.
fn meant(name: &str) -> Option<String> {
    let like = |known: &str| strsim::jaro_winkler(known, &name.to_lowercase().replace('_', "-"));
    let names = arguments().map(|(known, _)| known);
    let most = names.filter(|known| like(known) > 0.75).max_by(|a, b| like(a).total_cmp(&like(b)));
    most.map(str::to_owned)
}

fn unknown(name: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{name} is not a setting; is {meant} meant?"),
        None => format!("{name} is not a setting: `ws-mio-server print-config` prints all"),
    }
}

#[cfg(test)]
mod tests;
