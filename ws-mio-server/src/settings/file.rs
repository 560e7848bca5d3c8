//! The file: TOML, with a table for each namespace and no others.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{arguments, meant, unknown};

/// A setting that the file has.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) values: Vec<String>,
}

/// The settings of a namespace.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) line: usize,
    pub(super) entries: Vec<Entry>,
}

/// The settings of a file, and those of its namespaces.
pub(super) fn parse(
    file: &Path,
    text: &str,
    problems: &mut Vec<String>,
) -> (Vec<Entry>, Vec<Table>) {
    let line = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
    };
    let file = file.display();
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let at = line(error.span().map_or(0, |span| span.start));
            problems.push(format!("{file}:{at}: {}", error.message().escape_debug()));
            return Default::default();
        }
    };
    let (mut entries, mut tables) = (Vec::new(), Vec::new());
    for (key, value) in &table {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        if name == "namespace" {
            match namespaces(value.get_ref(), at, line) {
                Some(found) => tables = found,
                None => problems.push(format!(
                    "{file}:{}: namespace: tables are due, each [[namespace]] with `rooms` and settings",
                    line(at)
                )),
            }
            continue;
        }
        let line = line(at);
        if !arguments().any(|(known, _)| known == name) {
            let shown = name.escape_debug().to_string();
            problems.push(format!("{file}:{line}: {}", unknown(&shown, meant(name).as_deref())));
            continue;
        }
        match values(value.get_ref()) {
            Some(values) => entries.push(Entry { name: name.to_owned(), line, values }),
            None => problems.push(format!(
                "{file}:{line}: {name}: a text, a whole number, true, false, or a list of texts is due"
            )),
        }
    }
    entries.sort_by_key(|entry| entry.line);
    (entries, tables)
}

fn namespaces(value: &DeValue<'_>, at: usize, line: impl Fn(usize) -> usize) -> Option<Vec<Table>> {
    let DeValue::Array(list) = value else { return None };
    let tables = list.iter().map(|table| {
        let DeValue::Table(table) = table.get_ref() else { return None };
        let entries = table.iter().map(|(key, value)| {
            // What is no value of a setting has none, which is told where the name is known.
            let values = values(value.get_ref()).unwrap_or_default();
            let name = key.get_ref().clone().into_owned();
            Entry { name, line: line(key.span().start), values }
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|entry| entry.line);
        let line = entries.first().map_or_else(|| line(at), |first| first.line);
        Some(Table { line, entries })
    });
    tables.collect()
}

/// A value, or those of a list, as flags would have them.
fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(list) => list.iter().map(|value| scalar(value.get_ref())).collect(),
        value => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        _ => None,
    }
}

/// A text as it stands between double quotes.
pub(super) fn escape(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
