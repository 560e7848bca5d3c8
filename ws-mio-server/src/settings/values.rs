//! Values of arguments: how they are written, and what is due instead of what can't be read.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{OnSlow, SlowPeers, WindowBits};

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

/// A route, and what becomes of its slow peers.
pub(super) fn slow_peers(text: &str) -> Result<(String, SlowPeers), String> {
    let due = "a path and settings are due, such as \
               `/relay/{room} on-slow=drop-oldest max-queued=64KiB stall-timeout=10s`";
    let mut words = text.split_ascii_whitespace();
    let path = words.next().filter(|path| path.starts_with('/')).ok_or(due)?;
    let mut slow = SlowPeers::default();
    for word in words {
        let (name, value) = word.split_once('=').ok_or(due)?;
        let of = |error: String| format!("{name}: {error}");
        let is_new = match name {
            "on-slow" => {
                let on_slow = match value {
                    "close" => OnSlow::Close,
                    "drop-oldest" => OnSlow::DropOldest,
                    _ => return Err("on-slow: close or drop-oldest is due".to_owned()),
                };
                slow.on_slow.replace(on_slow).is_none()
            }
            "max-queued" => {
                let bytes = usize::try_from(size(value).map_err(of)?).unwrap_or(usize::MAX);
                slow.max_queued.replace(bytes).is_none()
            }
            "stall-timeout" => slow.stall_timeout.replace(positive(value).map_err(of)?).is_none(),
            _ => return Err(format!("{} is not known; {due}", name.escape_debug())),
        };
        if !is_new {
            return Err(format!("{name} is there twice"));
        }
    }
    if slow == SlowPeers::default() {
        return Err(due.to_owned());
    }
    Ok((path.to_owned(), slow))
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
    use super::{address, duration, positive, size, slow_peers};
    use crate::{OnSlow, SlowPeers};
    use std::time::Duration;

    #[test]
    fn what_becomes_of_slow_peers_is_said_for_a_route() {
        let all = "/relay/{room}  stall-timeout=1500ms on-slow=drop-oldest max-queued=64KiB";
        let due = SlowPeers {
            max_queued: Some(64 * 1024),
            stall_timeout: Some(Duration::from_millis(1500)),
            on_slow: Some(OnSlow::DropOldest),
        };
        assert_eq!(slow_peers(all), Ok(("/relay/{room}".to_owned(), due)));
        let close = SlowPeers { on_slow: Some(OnSlow::Close), ..SlowPeers::default() };
        assert_eq!(slow_peers("/echo on-slow=close"), Ok(("/echo".to_owned(), close)));
        for (wrong, due) in [
            ("", "a path"),
            ("/echo", "settings are due"),
            ("echo on-slow=close", "a path"),
            ("/echo close", "on-slow=drop-oldest"),
            ("/echo on-slow=never", "close or drop-oldest"),
            ("/echo max-queued=much", "64KiB"),
            ("/echo stall-timeout=0s", "5s"),
            ("/echo speed=1", "speed is not known"),
            ("/echo on-slow=close on-slow=close", "twice"),
        ] {
            let error = slow_peers(wrong).unwrap_err();
            assert!(error.contains(due), "{wrong}: {error}");
        }
    }

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
