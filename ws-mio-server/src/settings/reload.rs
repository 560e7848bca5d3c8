//! What changes when settings are read again.

use super::Settings;

/// Settings that a server takes when it starts, and not again.
const FIXED: &[&str] = &[
    "listen",
    "listen-unix",
    "listen-tls",
    "admin-listen",
    "workers",
    "log-format",
    "deflate",
    "deflate-level",
    "deflate-window",
    "deflate-threshold",
    "deflate-memory",
    "record",
    "record-each",
    "record-all",
    "backplane",
    "backplane-prefix",
    "backplane-policy",
    "presence-lease",
    "node-name",
    "data",
    "data-survives",
    "history-memory",
    "persist",
    "default-room",
    "default-name",
    "chat-language",
    "history",
    "history-age",
    "history-bytes",
    "join-history",
    "max-content",
    "max-members",
    "presence",
    "may-join",
    "may-publish",
];

/// A setting that has another value than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting's name.
    pub name: String,
    /// Whether only a server that starts takes it.
    pub fixed: bool,
}

impl Settings {
    /// What is different in the settings of later.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let both = self.all.iter().zip(&later.all);
        let changed = both.filter(|(before, after)| before.values != after.values);
        let changes = changed.map(|(_, after)| Change {
            name: after.name().to_owned(),
            fixed: is_fixed(after.name()),
        });
        let namespaces = (self.namespaces != later.namespaces)
            .then(|| Change { name: "namespace".to_owned(), fixed: true });
        changes.chain(namespaces).collect()
    }

    /// Becomes the settings of later, but for those that only a server that starts takes.
    pub fn take_over(&mut self, later: Self) {
        let both = std::mem::take(&mut self.all).into_iter().zip(later.all);
        let taken = both.map(|(before, after)| match is_fixed(after.name()) {
            true => before,
            false => after,
        });
        let namespaces = std::mem::take(&mut self.namespaces);
        *self = Self { args: later.args, all: taken.collect(), namespaces };
    }
}

/// Whether only a server that starts takes the setting of this name.
pub(super) fn is_fixed(name: &str) -> bool {
    FIXED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::FIXED;
    use crate::settings::arguments;

    #[test]
    fn what_is_fixed_is_a_setting() {
        for name in FIXED.iter().copied() {
            assert!(arguments().any(|(known, _)| known == name), "{name}");
        }
    }
}
