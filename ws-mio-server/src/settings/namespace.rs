//! Settings of namespaces: tables of the file, whose settings are otherwise those of all rooms.

use std::fmt;
use std::sync::LazyLock;

use clap::{Arg, Args as _, Command, FromArgMatches as _};

use super::file::{Entry, Table, escape};
use super::rooms::NamespaceArgs;
use super::setting::{Setting, is_list, said};

/// A namespace, and what the file says of it.
#[derive(Clone, Debug)]
pub(super) struct Namespace {
    pub(super) args: NamespaceArgs,
    /// Where it stands in the file.
    origin: String,
    /// Names and values, as the file would have them.
    shown: Vec<(String, String)>,
}

static COMMAND: LazyLock<Command> = LazyLock::new(|| {
    let command = Command::new("namespace").allow_negative_numbers(true).disable_help_flag(true);
    let mut command = NamespaceArgs::augment_args(command);
    command.build();
    command
});

/// The settings that a namespace may have, by their names.
pub(super) fn arguments() -> impl Iterator<Item = (&'static str, &'static Arg)> {
    COMMAND.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)))
}

/// The namespaces of a file, in its order; what they don't say is as for all rooms.
pub(super) fn resolve(
    file: &str,
    tables: Vec<Table>,
    all: &[Setting],
    problems: &mut Vec<String>,
) -> Vec<Namespace> {
    let mut namespaces = Vec::new();
    for table in tables {
        let before = problems.len();
        for entry in &table.entries {
            if let Err(problem) = check(entry) {
                problems.push(format!("{file}:{}: namespace: {problem}", entry.line));
            }
        }
        if problems.len() > before {
            continue;
        }
        match namespace(file, &table, all) {
            Ok(namespace) => namespaces.push(namespace),
            Err(problem) => problems.push(format!("{file}:{}: namespace: {problem}", table.line)),
        }
    }
    namespaces
}

fn check(entry: &Entry) -> Result<(), String> {
    let Entry { name, values, .. } = entry;
    let Some((_, arg)) = arguments().find(|(known, _)| known == name) else {
        let shown = name.escape_debug();
        let known: Vec<_> = arguments().map(|(known, _)| known).collect();
        return Err(format!("{shown} is not a setting of a namespace: {}", known.join(", ")));
    };
    if values.is_empty() && !is_list(arg) {
        return Err(format!("{name}: a text, a whole number, true or false is due"));
    }
    if values.len() > 1 && !is_list(arg) {
        return Err(format!("{name}: one value is due, not a list"));
    }
    // Each for itself, so that each has its line.
    let pattern = (name != "rooms").then(|| "--rooms=*".to_owned());
    let flags = pattern.into_iter().chain(flags(name, values));
    parse(flags).map(|_| ()).map_err(|problem| format!("{name}: {problem}"))
}

fn flags(name: &str, values: &[String]) -> impl Iterator<Item = String> {
    values.iter().map(move |value| format!("--{name}={value}"))
}

fn parse(flags: impl Iterator<Item = String>) -> Result<NamespaceArgs, String> {
    let flags = std::iter::once(String::new()).chain(flags);
    let matches = COMMAND.clone().try_get_matches_from(flags);
    let args = matches.and_then(|matches| NamespaceArgs::from_arg_matches(&matches));
    args.map_err(|error| said(&error))
}

fn namespace(file: &str, table: &Table, all: &[Setting]) -> Result<Namespace, String> {
    if !table.entries.iter().any(|entry| entry.name == "rooms") {
        return Err("`rooms` is due: the names of the rooms, such as \"news:*\"".to_owned());
    }
    let mut given = Vec::new();
    for (name, _) in arguments() {
        let own = table.entries.iter().find(|entry| entry.name == name);
        let common = all.iter().find(|setting| setting.name() == name);
        let values = own.map(|own| &own.values).or(common.map(|common| &common.values));
        given.extend(flags(name, values.map_or(&[][..], Vec::as_slice)));
    }
    let args = parse(given.into_iter())?;
    let shown = table.entries.iter().map(|Entry { name, values, .. }| {
        let quoted: Vec<_> = values.iter().map(|v| format!("\"{}\"", escape(v))).collect();
        let is_list = arguments().any(|(known, arg)| known == name && is_list(arg));
        let value = if is_list { format!("[{}]", quoted.join(", ")) } else { quoted.concat() };
        (name.clone(), value)
    });
    Ok(Namespace { args, origin: format!("{file}:{}", table.line), shown: shown.collect() })
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[[namespace]]  # {}", self.origin)?;
        self.shown.iter().try_for_each(|(name, value)| writeln!(f, "{name} = {value}"))
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        self.shown == other.shown
    }
}
