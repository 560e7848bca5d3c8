//! Values of arguments: how they are written, and what is due instead of what can't be read.

use std::net::SocketAddr;
use std::time::Duration;

use ws_mio_server::WindowBits;

use crate::connect::Url;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let due = "an IP address and a port are due, such as 127.0.0.1:8080 or [::1]:8080";
    text.parse().map_err(|_| due.to_owned())
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let due = "a number of bytes is due, such as 1000000, 64KiB or 16MiB";
    parse_size::parse_size(text).map_err(|error| format!("{error}; {due}"))
}

pub(super) fn window(text: &str) -> Result<WindowBits, String> {
    let bits = text.parse().ok().and_then(WindowBits::new);
    bits.ok_or_else(|| "a number from 9 to 15 is due".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let due = "a number and a unit are due, such as 500ms, 5s or 2m";
    humantime::parse_duration(text).map_err(|error| format!("{error}; {due}"))
}

/// A duration that would leave no time at all if it were zero.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("more than no time is due, such as 5s".to_owned()),
        duration => Ok(duration),
    }
}

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

#[cfg(test)]
mod tests {
    use super::{address, duration, positive, size};
    use std::time::Duration;

    #[test]
    fn values_have_units_and_errors_say_what_is_due() {
        assert_eq!(size("16MiB"), Ok(16 * 1024 * 1024));
        assert_eq!(size("64k"), Ok(64_000));
        assert_eq!(duration("1m 500ms"), Ok(Duration::from_millis(60_500)));
        assert!(size("16 apples").unwrap_err().contains("64KiB"));
        assert!(size("-1").is_err());
        assert!(duration("5").unwrap_err().contains("500ms"));
        assert_eq!(positive("1ms"), Ok(Duration::from_millis(1)));
        assert!(positive("0s").unwrap_err().contains("5s"));
        assert!(address("8080").unwrap_err().contains("127.0.0.1:8080"));
    }
}
