//! The fields of a body of JSON. Whatever is not due is named.

use serde_json::{Map, Value};
use ws_mio_server::hub::check_name;

use super::answers::malformed;
use crate::app::chat::wire::{Complaint, MAX_CLIENT_ID};

/// What is left of an object when what is known is taken.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Of the text of an object; nothing is an empty one.
    pub(super) fn read(body: &[u8]) -> Result<Self, Complaint> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let value = serde_json::from_slice(body);
        Self::of(value.map_err(|error| malformed(format!("the body is not JSON: {error}")))?)
    }

    pub(super) fn of(value: Value) -> Result<Self, Complaint> {
        match value {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(malformed("a JSON object is due")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Complaint> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(format!("`{name}` must be a text"))),
        }
    }

    pub(super) fn due(&mut self, name: &str) -> Result<String, Complaint> {
        self.text(name)?.ok_or_else(|| malformed(format!("`{name}` is missing")))
    }

    /// A name of a room or of a user.
    pub(super) fn name(&mut self, name: &str) -> Result<Option<String>, Complaint> {
        let text = self.text(name)?;
        match text.as_deref().map(check_name) {
            Some(Err(error)) => Err(malformed(format!("`{name}` is not good: {error}"))),
            _ => Ok(text),
        }
    }

    /// What a publisher calls its message.
    pub(super) fn client_id(&mut self) -> Result<Option<String>, Complaint> {
        let text = self.text("clientId")?;
        check_client_id(text.as_deref(), "clientId").map(|()| text)
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, Complaint> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) if number.is_u64() => Ok(number.as_u64()),
            Some(_) => Err(malformed(format!("`{name}` must be a whole number"))),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Vec<Value>, Complaint> {
        match self.0.remove(name) {
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(malformed(format!("`{name}` must be a list"))),
            None => Err(malformed(format!("`{name}` is missing"))),
        }
    }

    /// Nothing else is there.
    pub(super) fn finish(self) -> Result<(), Complaint> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let shown: String = name.chars().take(40).collect();
                Err(malformed(format!("`{}` is not known", shown.escape_debug())))
            }
        }
    }
}

/// Whether a message may be called so.
pub(super) fn check_client_id(id: Option<&str>, name: &str) -> Result<(), Complaint> {
    let is_good = |id: &str| id.len() <= MAX_CLIENT_ID && check_name(id).is_ok();
    match id.is_none_or(is_good) {
        true => Ok(()),
        false => Err(malformed(format!(
            "`{name}` must be a text of 1 to {MAX_CLIENT_ID} bytes without control characters"
        ))),
    }
}
