//! One setting: its values, where they come from, and how it is written.

use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction};

use super::{command, file};
use crate::backplane::redis::masked;

/// One setting.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) arg: &'static Arg,
    pub(super) values: Vec<String>,
    pub(super) origin: Origin,
}

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    /// The file, and the line in it.
    File(PathBuf, usize),
    /// A variable.
    Environment(String),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag => f.write_str("command line"),
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values.iter().map(|value| self.shown(value)).collect();
        write!(f, "{} = {values:?} ({})", self.name(), self.origin)
    }
}

impl Setting {
    pub(super) fn name(&self) -> &str {
        self.arg.get_long().unwrap_or_default()
    }

    /// The setting in flags.
    pub(super) fn flags(&self) -> impl Iterator<Item = String> {
        let name = self.name();
        let switch = is_switch(self.arg);
        let values = self.values.iter().filter(move |value| !switch || is_true(value));
        values.map(move |value| match switch {
            true => format!("--{name}"),
            false => format!("--{name}={value}"),
        })
    }

    /// The value as the file would have it, without passwords; `None`: there is none.
    pub(super) fn toml(&self) -> Option<String> {
        let quoted = |value: &String| format!("\"{}\"", file::escape(&self.shown(value)));
        match self.values.as_slice() {
            [value] if is_switch(self.arg) => Some(is_true(value).to_string()),
            [] if is_list(self.arg) => Some("[]".to_owned()),
            values if is_list(self.arg) => {
                Some(format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", ")))
            }
            // A number is read as it is written here; `007` and `+7` are not.
            [value] if value.parse().is_ok_and(|n: u32| n.to_string() == *value) => {
                Some(value.clone())
            }
            [value] => Some(quoted(value)),
            _ => None,
        }
    }

    /// A value as it may be shown.
    pub(super) fn shown(&self, value: &str) -> String {
        if self.name() == "backplane" { masked(value) } else { value.to_owned() }
    }

    /// Whether the setting could be read, if it is not a flag, whose values have been read.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { origin, values, .. } = self;
        if matches!(origin, Origin::Default | Origin::Flag) {
            return Ok(());
        }
        let problem = |due: &str| Err(format!("{origin}: {}: {due}", self.name()));
        if !is_list(self.arg) && values.len() != 1 {
            return problem("one value is due, not a list");
        }
        if is_switch(self.arg) && !values.iter().all(|value| is_true(value) || is_false(value)) {
            return problem("true or false is due");
        }
        let flags = std::iter::once(String::new()).chain(self.flags());
        match command().try_get_matches_from(flags) {
            Ok(_) => Ok(()),
            Err(error) => problem(&said(&error)),
        }
    }
}

pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1")
}

fn is_false(value: &str) -> bool {
    matches!(value, "false" | "0")
}

/// An error of the command line in one line, without what only a command line has.
pub(super) fn said(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    match lines.find(|line| line.starts_with("[possible values")) {
        Some(values) => format!("{first} {values}"),
        None => first.to_owned(),
    }
}
