//! What every setting is, as a document.

use std::fmt::Write as _;

use super::reload::is_fixed;
use super::setting::{is_list, is_switch};
use super::{arguments, namespace, variable};

const HEAD: &str = "\
# Settings

`ws-mio-server` takes its settings from a TOML file (`--config FILE`, or `WSMIO_CONFIG` in the environment),
from the environment, and from flags, in this order of precedence rising. A setting has one name:

| where | how |
|---|---|
| file | `max-message = \"16MiB\"` |
| environment | `WSMIO_MAX_MESSAGE=16MiB` |
| flag | `--max-message 16MiB` |

A setting that may be given several times is a list in the file, `listen = [\"127.0.0.1:80\", \"[::1]:80\"]`, and
in the environment, with commas. A switch is `true` or `false`. What is not known is an error.
SIGHUP makes a server read its settings again, and files that they name. What is different holds from then on,
except for settings that are marked *at the start*: a restart takes those.

`ws-mio-server check-config` tells what is wrong, `ws-mio-server print-config` what is set, and where.

This file is printed by `ws-mio-server print-config --reference`.
";

/// Every setting with its default and what it does, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for (name, arg) in arguments() {
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        // What is no value stands in the help.
        let told = help.split_once(" [default: ").and_then(|(before, rest)| {
            rest.split_once(']').map(|(told, after)| (before, told, after))
        });
        let (help, told) = match told {
            Some((before, told, after)) => (format!("{before}{after}"), Some(told.to_owned())),
            None => (help, None),
        };
        let values = arg.get_value_names().unwrap_or_default();
        let value = values.first().map(ToString::to_string).unwrap_or_default();
        let defaults: Vec<_> =
            arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        let default = match defaults.as_slice() {
            _ if is_switch(arg) => "`false`".to_owned(),
            [] if is_list(arg) => "none".to_owned(),
            [] => told.unwrap_or_else(|| "not set".to_owned()),
            defaults => format!("`{}`", defaults.join(", ")),
        };
        let kind = match (is_list(arg), is_switch(arg)) {
            (true, _) => format!("a list of {value}"),
            (_, true) => "true or false".to_owned(),
            _ => value,
        };
        let when = if is_fixed(name) { "; *at the start*" } else { "" };
        // A string takes everything.
        let _ = write!(
            text,
            "\n## `{name}`\n\n{help}\n\n{kind}; default: {default}; `--{name}`, `{}`{when}\n",
            variable(name)
        );
        for choice in arg.get_possible_values().iter().filter(|_| !is_switch(arg)) {
            let help = choice.get_help().map(ToString::to_string).unwrap_or_default();
            let line = if text.ends_with(")\n") || text.ends_with("`\n") || text.ends_with("*\n") {
                "\n"
            } else {
                ""
            };
            let _ = writeln!(text, "{line}- `{}`: {help}", choice.get_name());
        }
    }
    let names: Vec<_> = namespace::arguments().map(|(name, _)| format!("`{name}`")).collect();
    let (first, others) = names.split_first().map_or(("", &[][..]), |(f, o)| (f.as_str(), o));
    let _ = write!(
        text,
        "{NAMESPACE}{first} is due, the names of the rooms, where `*` stands for any characters. "
    );
    let _ = writeln!(text, "The others are {}.", others.join(", "));
    text
}

const NAMESPACE: &str = "
# Namespaces

Rooms whose names match a pattern have settings of their own, by a table of the file for each; *at the start*:

```toml
[[namespace]]
rooms = \"news:*\"
may-publish = [\"role=editor\"]
presence = \"count\"
history = 100

[[namespace]]
rooms = \"typing-game\"
history = 0
```

The first whose `rooms` match counts. What it does not say is as for all rooms. Of its settings, ";
