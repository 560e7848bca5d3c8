//! What is measured: how many connections, which messages, how many at a time.

use std::fmt;
use std::str::FromStr;

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whoever sent it.
    Echo,
    /// Every other connection, sent by one more.
    FanOut,
}

/// One load, written `64x16x1` or `fanout:1000x128x16`: connections, bytes, messages at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Who gets a message.
    pub mode: Mode,
    /// Connections that get messages.
    pub connections: usize,
    /// Bytes of payload of each message.
    pub size: usize,
    /// Messages that a sender sends at once, before it waits until all have come back.
    pub depth: usize,
}

impl Point {
    const fn echo(connections: usize, size: usize, depth: usize) -> Self {
        Self { mode: Mode::Echo, connections, size, depth }
    }

    /// What is measured if nothing else is asked for.
    pub const ALL: [Self; 8] = [
        Self::echo(64, 16, 1),
        Self::echo(64, 16, 16),
        Self::echo(64, 16, 256),
        Self::echo(64, 125, 64),
        Self::echo(64, 1024, 1),
        Self::echo(64, 16 * 1024, 1),
        Self::echo(8, 1024 * 1024, 1),
        Self { mode: Mode::FanOut, connections: 1000, size: 128, depth: 16 },
    ];
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mode, numbers) = match text.strip_prefix("fanout:") {
            Some(rest) => (Mode::FanOut, rest),
            None => (Mode::Echo, text),
        };
        let numbers = numbers.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>();
        match numbers.as_deref() {
            Ok(&[connections, size, depth]) if connections > 0 && depth > 0 => {
                Ok(Self { mode, connections, size, depth })
            }
            _ => Err(format!(
                "{text:?} is no point: CONNECTIONSxBYTESxDEPTH is due, such as 64x16x1 or fanout:1000x128x16"
            )),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, connections, size, depth } = self;
        let fan_out = if *mode == Mode::FanOut { "fan-out " } else { "" };
        let (size, unit) = match size {
            size if size % (1024 * 1024) == 0 && *size > 0 => (size / (1024 * 1024), "MiB"),
            size if size % 1024 == 0 && *size > 0 => (size / 1024, "KiB"),
            size => (*size, "B"),
        };
        write!(f, "{fan_out}{connections} × {size} {unit}, depth {depth}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Point};

    #[test]
    fn points_are_read_and_written() {
        let point = "fanout:1000x128x16".parse::<Point>().unwrap();
        assert_eq!(point.mode, Mode::FanOut);
        assert_eq!(point.to_string(), "fan-out 1000 × 128 B, depth 16");
        assert_eq!("8x1048576x1".parse::<Point>().unwrap().to_string(), "8 × 1 MiB, depth 1");
        for wrong in ["", "64x16", "0x16x1", "64x16x0", "64x16x1x1", "fan:1x1x1"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
    }
}
