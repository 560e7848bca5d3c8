//! Names of rooms and of users.

use std::fmt;

/// The longest name, in bytes of UTF-8.
pub const MAX_NAME: usize = 256;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no character.
    Empty,
    /// It has more than [`MAX_NAME`] bytes.
    TooLong,
    /// It has a control character, or one that turns the direction of the text around it.
    Control,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it has more than {MAX_NAME} bytes of UTF-8"),
            Self::Control => f.write_str("it has a control character"),
        }
    }
}

impl std::error::Error for NameError {}

/// Whether a text may name a room or a user: 1 to [`MAX_NAME`] bytes without control characters.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), NameError> {
    // Line and paragraph separators, and those that override or isolate a direction.
    let turns = |c| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if name.is_empty() {
        Err(NameError::Empty)
    } else if name.len() > MAX_NAME {
        Err(NameError::TooLong)
    } else if name.chars().any(|c| c.is_control() || turns(c)) {
        Err(NameError::Control)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAME, NameError, check_name};

    #[test]
    fn names_are_bounded_and_printable() {
        for name in ["general", "익명", "👩‍👩‍👧‍👦", "a b/c?d", " ", &"x".repeat(MAX_NAME)]
        {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        assert_eq!(check_name(""), Err(NameError::Empty));
        assert_eq!(check_name(&"x".repeat(MAX_NAME + 1)), Err(NameError::TooLong));
        for name in ["a\nb", "\0", "a\u{7f}", "\u{85}", "a\u{202e}b", "\u{2066}", "\u{2028}"] {
            assert_eq!(check_name(name), Err(NameError::Control), "{name:?}");
        }
    }
}
