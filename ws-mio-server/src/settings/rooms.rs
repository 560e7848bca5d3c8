//! Settings of rooms: those of all, and those of namespaces.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::values::{duration, size};
use crate::Identity;
use crate::hub::{Budget, Namespace, Namespaces, Pattern, Presence, check_name};
use crate::survive::Survive;

/// What rooms are set to.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    /// How rooms are, by their names.
    pub namespaces: Arc<Namespaces>,
    /// Who may do what, by the number of the namespace.
    access: Vec<Access>,
    /// The name of a room that is not named.
    pub default_room: String,
    /// The name of a user who gives none.
    pub default_name: String,
    /// In which language the chat tells who comes and goes.
    pub language: Language,
    /// What the messages that rooms keep may take.
    pub memory: Arc<Budget>,
    /// Where messages are stored, if they are.
    pub data: Option<PathBuf>,
    /// What stored messages survive.
    pub survive: Survive,
}

impl RoomSettings {
    /// Who may do what in rooms of the namespace with this number.
    #[must_use]
    pub fn access(&self, namespace: usize) -> &Access {
        const ANYONE: &Access = &Access { join: Vec::new(), publish: Vec::new() };
        self.access.get(namespace).unwrap_or(ANYONE)
    }
}

/// The language of what the server itself says in the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Korean
    Ko,
    /// English
    En,
}

impl Language {
    /// Somebody has come.
    #[must_use]
    pub fn entered(self, user: &str) -> String {
        match self {
            Self::Ko => format!("{user}님이 들어왔습니다."),
            Self::En => format!("{user} has joined."),
        }
    }

    /// Somebody has gone.
    #[must_use]
    pub fn left(self, user: &str) -> String {
        match self {
            Self::Ko => format!("{user}님이 나갔습니다."),
            Self::En => format!("{user} has left."),
        }
    }
}

/// Who may join and publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    join: Vec<Rule>,
    publish: Vec<Rule>,
}

impl Access {
    /// Whether somebody may be in a room.
    #[must_use]
    pub fn may_join(&self, room: &str, identity: Option<&Identity>) -> bool {
        allow(&self.join, room, identity)
    }

    /// Whether somebody may publish in a room.
    #[must_use]
    pub fn may_publish(&self, room: &str, identity: Option<&Identity>) -> bool {
        allow(&self.publish, room, identity)
    }
}

fn allow(rules: &[Rule], room: &str, identity: Option<&Identity>) -> bool {
    rules.is_empty() || rules.iter().any(|rule| rule.allows(room, identity))
}

/// Whom a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Anyone,
    Nobody,
    /// Those whose token has this claim with this value.
    Claim(String, String),
}

impl Rule {
    fn allows(&self, room: &str, identity: Option<&Identity>) -> bool {
        let Self::Claim(name, value) = self else { return *self == Self::Anyone };
        let Some(identity) = identity else { return false };
        let value = value.replace("{room}", room);
        if name == "sub" {
            return identity.user() == value;
        }
        let Ok(claims) = serde_json::from_str::<Value>(identity.claims()) else { return false };
        // A name with dots may be that of a claim, or a way to one within others.
        let inner = || name.split('.').try_fold(&claims, |claims, name| claims.get(name));
        claims.get(name).or_else(inner).is_some_and(|claim| has(claim, &value))
    }
}

/// Whether a claim has a value: it is that, or a list with it, or words with it as scopes are.
fn has(claim: &Value, value: &str) -> bool {
    match claim {
        Value::String(text) => text == value || text.split(' ').any(|word| word == value),
        Value::Array(list) => list.iter().any(|item| is(item, value)),
        claim => is(claim, value),
    }
}

/// Whether a value of JSON is a text, or is written like it.
fn is(item: &Value, value: &str) -> bool {
    match item {
        Value::String(text) => text == value,
        Value::Bool(is_true) => value == if *is_true { "true" } else { "false" },
        Value::Number(number) => number.to_string() == value,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    match text {
        "anyone" => Ok(Rule::Anyone),
        "nobody" => Ok(Rule::Nobody),
        _ => match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Rule::Claim(name.to_owned(), value.to_owned()))
            }
            _ => Err("`anyone`, `nobody`, or a claim with a value is due, such as role=admin or \
                      rooms={room}"
                .to_owned()),
        },
    }
}

fn truth(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "true or false is due")
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map_err(|error| error.to_string()).map(|()| text.to_owned())
}

/// What is told of those who are in a room.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Told {
    /// Who they are, how many they are, and who comes and goes
    On,
    /// How many they are
    Count,
    /// Nothing: the number of users is 0
    Off,
}

/// What stored messages survive.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Survival {
    /// The end of the process, however it comes; a loss of power may cost the last ones, and begins another epoch
    ProcessEnd,
    /// A loss of power, too: the disk confirms each batch before it is acknowledged, which takes longer
    PowerLoss,
}

/// The settings of rooms that are the same for all.
#[derive(Clone, Debug, Args)]
pub(super) struct CommonArgs {
    /// The room of the chat and the relay where the request names none
    #[arg(long, value_name = "NAME", default_value = "general", value_parser = name)]
    default_room: String,

    /// The user's name in the chat where there is no token and the request gives none
    #[arg(long, value_name = "NAME", default_value = "익명", value_parser = name)]
    default_name: String,

    /// The language in which the chat tells who comes and goes
    #[arg(long, value_name = "LANGUAGE", default_value = "ko")]
    chat_language: Language,

    /// The directory in which rooms keep their messages, beyond the end of the process [default: memory only]
    ///
    /// It is made if it is not there; one server at a time uses it. Messages of rooms that persist are delivered and
    /// acknowledged when they are stored, not before.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// What stored messages survive
    #[arg(long, value_name = "WHAT", default_value = "process-end")]
    data_survives: Survival,

    /// How many bytes of messages all rooms together keep in memory, those that are stored, too
    ///
    /// Beyond it, a room that gets a message drops its oldest ones.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = size)]
    history_memory: u64,
}

/// The settings of rooms that namespaces have, too.
#[derive(Clone, Debug, Args)]
pub(super) struct RoomArgs {
    /// How many messages a room keeps; 0: none
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    history: u32,

    /// How long a room keeps a message
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = duration)]
    history_age: Duration,

    /// How many bytes of messages a room keeps
    ///
    /// A joiner gets 768 KiB at most: what it missed beyond that is a gap.
    #[arg(long, value_name = "BYTES", default_value = "512KiB", value_parser = size)]
    history_bytes: u64,

    /// How many of them somebody gets who joins and names no message to go on from
    #[arg(long, value_name = "N", default_value = "20")]
    join_history: u32,

    /// Whether messages are stored in `data` before they are delivered [default: true with `data`]
    #[arg(long, value_name = "true|false", value_parser = truth)]
    persist: Option<bool>,

    /// The largest content of a message, in bytes of UTF-8; one that is larger is answered with an error
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = size)]
    max_content: u64,

    /// How many connections may be in a room; others are answered with an error, and closed with code 1013
    #[arg(long, value_name = "N", default_value = "100000")]
    max_members: u32,

    /// What is told of those who are in a room
    #[arg(long, value_name = "WHAT", default_value = "on")]
    presence: Told,

    /// Who may join a room: `anyone`, `nobody`, or whose token has a claim with a value; may be given several times
    ///
    /// `role=admin`: the claim `role` is `admin`, or a list with it, or words with it. `realm.roles=admin`: the claim
    /// `roles` within `realm`. `rooms={room}`: the claim has the room's name. Without any: anyone.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    may_join: Vec<Rule>,

    /// Who may publish in a room, as `may-join` has it; the HTTP API always may
    #[arg(long, value_name = "RULE", value_parser = rule)]
    may_publish: Vec<Rule>,
}

/// The settings of a namespace: a table of the file.
#[derive(Clone, Debug, Args)]
pub(super) struct NamespaceArgs {
    /// The rooms that it is for: `*` stands for any characters
    #[arg(long, value_name = "PATTERN", required = true, value_parser = pattern)]
    rooms: Pattern,

    #[command(flatten)]
    settings: RoomArgs,
}

fn pattern(text: &str) -> Result<Pattern, String> {
    text.parse().map_err(|error: crate::hub::NameError| error.to_string())
}

impl RoomArgs {
    /// What is wrong with them where messages are stored or not.
    fn check(&self, has_data: bool) -> Result<(), &'static str> {
        match self.persist.unwrap_or(has_data) {
            true if !has_data => {
                Err("persist: there is nowhere to store: name a directory by data")
            }
            true if self.history == 0 => Err(
                "persist: a room with `history` 0 stores nothing: let it keep some, or set persist to false",
            ),
            _ => Ok(()),
        }
    }

    fn namespace(&self, has_data: bool) -> Namespace {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Namespace {
            history: number(self.history),
            history_age: self.history_age,
            history_bytes: bytes(self.history_bytes),
            join_history: number(self.join_history),
            max_message: bytes(self.max_content),
            max_members: number(self.max_members),
            presence: match self.presence {
                Told::On => Presence::On,
                Told::Count => Presence::Count,
                Told::Off => Presence::Off,
            },
            persist: self.persist.unwrap_or(has_data),
            ..Namespace::default()
        }
    }

    fn access(&self) -> Access {
        Access { join: self.may_join.clone(), publish: self.may_publish.clone() }
    }
}

/// What is wrong with settings of rooms that are good each for itself.
pub(super) fn check(
    common: &CommonArgs,
    other: &RoomArgs,
    named: &[NamespaceArgs],
) -> Result<(), String> {
    let has_data = common.data.is_some();
    other.check(has_data)?;
    named.iter().try_for_each(|NamespaceArgs { rooms, settings }| {
        settings.check(has_data).map_err(|problem| format!("namespace {rooms}: {problem}"))
    })
}

/// What all rooms are set to.
pub(super) fn settings(
    common: &CommonArgs,
    other: &RoomArgs,
    named: &[NamespaceArgs],
) -> RoomSettings {
    let has_data = common.data.is_some();
    let mut namespaces = Namespaces::new(other.namespace(has_data));
    for NamespaceArgs { rooms, settings } in named {
        namespaces.add(rooms.clone(), settings.namespace(has_data));
    }
    let access = named.iter().map(|named| named.settings.access());
    let memory = usize::try_from(common.history_memory).unwrap_or(usize::MAX);
    RoomSettings {
        namespaces: Arc::new(namespaces),
        access: access.chain([other.access()]).collect(),
        default_room: common.default_room.clone(),
        default_name: common.default_name.clone(),
        language: common.chat_language,
        memory: Arc::new(Budget::new(memory)),
        data: common.data.clone(),
        survive: match common.data_survives {
            Survival::ProcessEnd => Survive::ProcessEnd,
            Survival::PowerLoss => Survive::PowerLoss,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, rule};
    use crate::Identity;

    #[test]
    fn claims_let_in_whom_they_should() {
        let claims = r#"{"sub": "alice", "role": "admin", "scope": "chat:read chat:write", "n": 7,
            "rooms": ["a", "b c"], "realm": {"roles": ["x"]}, "a.b": "dotted", "on": true}"#;
        let alice = Identity::new("alice").with_claims(claims);
        for (text, room, allowed) in [
            ("anyone", "a", true),
            ("nobody", "a", false),
            ("role=admin", "a", true),
            ("role=adm", "a", false),
            ("role=", "a", false),
            ("scope=chat:write", "a", true),
            ("scope=chat", "a", false),
            ("rooms={room}", "a", true),
            ("rooms={room}", "b c", true),
            ("rooms={room}", "c", false),
            ("realm.roles=x", "a", true),
            ("realm.roles=y", "a", false),
            ("a.b=dotted", "a", true),
            ("sub={room}", "alice", true),
            ("sub={room}", "bob", false),
            ("n=7", "a", true),
            ("on=true", "a", true),
            ("missing=null", "a", false),
        ] {
            let access = Access { join: vec![rule(text).unwrap()], publish: Vec::new() };
            assert_eq!(access.may_join(room, Some(&alice)), allowed, "{text} {room}");
            assert_eq!(access.may_join(room, None), text == "anyone", "{text}");
            assert!(access.may_publish(room, None), "without a rule, anyone may");
        }
        let either = [rule("nobody").unwrap(), rule("n=7").unwrap()];
        let access = Access { publish: either.to_vec(), ..Access::default() };
        assert!(access.may_publish("a", Some(&alice)));
        for text in ["", "everyone", "=a"] {
            assert!(rule(text).unwrap_err().contains("role=admin"), "{text}");
        }
    }
}
