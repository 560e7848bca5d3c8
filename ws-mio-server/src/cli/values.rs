//! Values of arguments that are not settings.

use crate::connect::Url;

/// The name and the value of a header field. Whether they are legal is found when they are sent.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let due = "a name, a colon and a value are due, such as 'Cookie: id=1'";
    let (name, value) = text.split_once(':').ok_or(due)?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

/// The name and the value of a claim: JSON, or else a text.
pub(super) fn claim(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("a name, `=` and a value are due")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

pub(super) fn url(text: &str) -> Result<Url, String> {
    text.parse()
}
