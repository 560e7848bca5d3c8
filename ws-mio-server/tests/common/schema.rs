//! What of JSON Schema the reference uses, read strictly: a field that it does not name is an error.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeSet;

use serde_json::Value;

/// The definitions of what only several nodes send.
pub const OF_NODES: [&str; 3] = ["ack.transient", "consistency", "message.transient"];

pub struct Schema {
    root: Value,
    /// The definitions that something was held against.
    pub used: BTreeSet<String>,
}

impl Schema {
    pub fn read() -> Self {
        let root = serde_json::from_str(include_str!("../../schema.json")).unwrap();
        Self { root, used: BTreeSet::new() }
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.root["$defs"].as_object().unwrap().keys().cloned().collect()
    }

    /// Panics if the value is not as the definition says.
    pub fn check(&mut self, name: &str, value: &Value) {
        if let Err(why) = self.holds(&format!("#/$defs/{name}"), value) {
            panic!("{name}: {why}\n{value}");
        }
    }

    fn holds(&mut self, reference: &str, value: &Value) -> Result<(), String> {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        let schema = self.root["$defs"][name].clone();
        assert!(schema.is_object(), "{reference} is not there");
        self.fits(&schema, value)?;
        self.used.insert(name.to_owned());
        Ok(())
    }

    fn fits(&mut self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = schema.as_object().unwrap();
        for (keyword, of) in schema {
            let is_good = match keyword.as_str() {
                "$ref" => self.holds(of.as_str().unwrap(), value).map(|()| true)?,
                "oneOf" => {
                    let all = of.as_array().unwrap();
                    let fit = all.iter().filter(|one| self.fits(one, value).is_ok()).count();
                    fit == 1
                }
                "type" => match of {
                    Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind)),
                    kind => is(value, kind),
                },
                "const" => value == of,
                "enum" => of.as_array().unwrap().contains(value),
                "pattern" => value.as_str().is_some_and(|text| matches(of.as_str().unwrap(), text)),
                "minLength" => value.as_str().is_some_and(|text| !text.is_empty()),
                "minimum" => {
                    value.is_null() || value.as_f64().is_some_and(|n| n >= of.as_f64().unwrap())
                }
                "minItems" => value.as_array().is_some_and(|list| !list.is_empty()),
                "required" => of.as_array().unwrap().iter().all(|name| has(value, name)),
                "dependentRequired" => of.as_object().unwrap().iter().all(|(name, needs)| {
                    value.get(name).is_none()
                        || needs.as_array().unwrap().iter().all(|name| has(value, name))
                }),
                "properties" => {
                    for (name, field) in value.as_object().into_iter().flatten() {
                        let of = of.get(name).ok_or_else(|| format!("`{name}` is not told of"))?;
                        self.fits(of, field).map_err(|why| format!("{name}: {why}"))?;
                    }
                    true
                }
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.fits(of, item)?;
                    }
                    true
                }
                "description" => true,
                other => panic!("{other} is not known here"),
            };
            if !is_good {
                return Err(format!("{keyword} {of} does not hold for {value}"));
            }
        }
        Ok(())
    }
}

fn has(value: &Value, name: &Value) -> bool {
    value.get(name.as_str().unwrap()).is_some()
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    }
}

/// The patterns of the reference.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match pattern {
        "^[0-9a-z]+:[0-9]+$" => text.split_once(':').is_some_and(|(epoch, offset)| {
            let is_of_epoch = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
            !epoch.is_empty() && epoch.bytes().all(is_of_epoch) && digits(offset)
        }),
        "^[0-9]+-[0-9]+$" => text.split_once('-').is_some_and(|(a, b)| digits(a) && digits(b)),
        _ => {
            let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
            assert!(pattern.starts_with("^[0-9]{4}-"), "{pattern} is not known here");
            text.chars().map(shape).collect::<String>() == "0000-00-00T00:00:00.000Z"
        }
    }
}
