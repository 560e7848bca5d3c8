//! What names a message: `epoch:offset`.

use std::fmt;
use std::str::FromStr;

/// Crockford's alphabet for base 32, without what is easily mistaken.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many characters an epoch has, of 5 bits each.
const CHARS: usize = 8;

/// A time in which no offset of a room is given twice: as long as a process lives, or as long as what it has
/// stored.
///
/// It prints as 8 characters of digits and lower case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// An epoch of its own, made of 40 bits that the caller has drawn at random.
    #[must_use]
    pub const fn from_entropy(entropy: u64) -> Self {
        Self(entropy & ((1 << (5 * CHARS)) - 1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..CHARS).rev() {
            let digit = (self.0 >> place.saturating_mul(5)) & 31;
            let digit = usize::try_from(digit).ok().and_then(|digit| ALPHABET.get(digit));
            fmt::Write::write_char(f, char::from(*digit.unwrap_or(&b'0')))?;
        }
        Ok(())
    }
}

impl FromStr for Epoch {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != CHARS {
            return Err(IdError);
        }
        let digit = |char| ALPHABET.iter().position(|known| *known == char);
        let add = |sum: u64, char| Some((sum << 5) | u64::try_from(digit(char)?).ok()?);
        text.bytes().try_fold(0, add).map(Self).ok_or(IdError)
    }
}

/// Names a message of a room: the first has the offset 1, or a higher one, and each further one the next.
/// As the position of a room, it names the last message; the offset is 0 where there has been none.
///
/// ```
/// use ws_mio_server::hub::Id;
/// let id: Id = "0fj7k2qx:41".parse()?;
/// assert_eq!(id.offset, 41);
/// assert_eq!(id.to_string(), "0fj7k2qx:41");
/// # Ok::<(), ws_mio_server::hub::IdError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// The time in which the offset means something.
    pub epoch: Epoch,
    /// The number of the message in its room.
    pub offset: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (epoch, digits) = text.split_once(':').ok_or(IdError)?;
        // A number is written in one way only.
        let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
        if !plain || (digits.starts_with('0') && digits.len() > 1) {
            return Err(IdError);
        }
        let offset = digits.parse().map_err(|_| IdError)?;
        Ok(Self { epoch: epoch.parse()?, offset })
    }
}

/// A text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is due as a message had it, such as 0fj7k2qx:41")
    }
}

impl std::error::Error for IdError {}

#[cfg(test)]
mod tests {
    use super::{Epoch, Id};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_read_as_they_are_written(entropy: u64, offset: u64) {
            let id = Id { epoch: Epoch::from_entropy(entropy), offset };
            let text = id.to_string();
            prop_assert_eq!(text.parse(), Ok(id));
            prop_assert_eq!(text.find(':'), Some(8));
        }
    }

    #[test]
    fn what_is_written_otherwise_is_no_id() {
        for text in [
            "",
            ":",
            "0fj7k2qx",
            "0fj7k2qx:",
            "0fj7k2qx:-1",
            "0fj7k2qx:+1",
            "0fj7k2qx:01",
            "0fj7k2qx:1 ",
            "0fj7k2qx:18446744073709551616",
            "0FJ7K2QX:1",
            "0fj7k2q:1",
            "0fj7k2qxx:1",
            "0fj7k2qu:1",
            "가fj7k2:1",
        ] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
