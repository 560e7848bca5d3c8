//! Values of arguments: how they are written, and what is due instead of what can't be read.

use std::net::SocketAddr;
use std::time::Duration;

use crate::WindowBits;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let due = "an IP address and a port are due, such as 127.0.0.1:8080 or [::1]:8080";
    text.parse().map_err(|_| due.to_owned())
}

/// A number of bytes, with or without a unit.
///
/// # Errors
/// What is due instead.
pub fn size(text: &str) -> Result<u64, String> {
    let due = "a number of bytes is due, such as 1000000, 64KiB or 16MiB";
    parse_size::parse_size(text).map_err(|error| format!("{error}; {due}"))
}

pub(super) fn window(text: &str) -> Result<WindowBits, String> {
    let bits = text.parse().ok().and_then(WindowBits::new);
    bits.ok_or_else(|| "a number from 9 to 15 is due".to_owned())
}

/// A number and a unit of time.
///
/// # Errors
/// What is due instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let due = "a number and a unit are due, such as 500ms, 5s or 2m";
    humantime::parse_duration(text).map_err(|error| format!("{error}; {due}"))
}

/// A duration that would leave no time at all if it were zero.
///
/// # Errors
/// What is due instead.
pub fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("more than no time is due, such as 5s".to_owned()),
        duration => Ok(duration),
    }
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
