//! What a piece of input asks for.

use ws_proto::CloseCode;

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Close(CloseCode, String),
    Help,
}

pub(super) const HELP: &str = "\
/ping                   tell how long an answer takes
/close [CODE [REASON]]  close the connection, by default with code 1000
/hex DIGITS             send a binary message
/help                   this
//…                     send a text that starts with `/`";

/// How lines are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    /// Lines are hexadecimal digits.
    pub(super) hex: bool,
    /// Lines that start with `/` are commands.
    pub(super) slash: bool,
}

impl Lines {
    /// What a line asks for.
    ///
    /// # Errors
    /// What is due instead, to be shown to the user.
    pub(super) fn command(self, line: Vec<u8>) -> Result<Command, String> {
        let text = String::from_utf8(line)
            .map_err(|_| "the line is not UTF-8: --raw sends any bytes, --hex takes digits")?;
        if self.slash
            && let Some(command) = text.strip_prefix('/')
        {
            return match command.strip_prefix('/') {
                Some(rest) => Ok(Command::Text(format!("/{rest}"))),
                None => slash(command),
            };
        }
        if self.hex { hex(&text).map(Command::Binary) } else { Ok(Command::Text(text)) }
    }
}

fn slash(command: &str) -> Result<Command, String> {
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    match name {
        "ping" => Ok(Command::Ping),
        "hex" => hex(rest).map(Command::Binary),
        "help" => Ok(Command::Help),
        "close" => {
            let (code, reason) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
            let due = "a code that may be sent is due: 1000, or 3000 to 4999";
            let code = match code {
                "" => CloseCode::NORMAL,
                digits => digits.parse().ok().and_then(CloseCode::new).ok_or(due)?,
            };
            if reason.len() > 123 {
                return Err("a reason has at most 123 bytes".to_owned());
            }
            Ok(Command::Close(code, reason.to_owned()))
        }
        _ => Err(format!("/{name} is not known: see /help; to send it, double the slash")),
    }
}

/// The bytes of hexadecimal digits, white space aside.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let due = || "pairs of hexadecimal digits are due, such as 00ff 12".to_owned();
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.ok_or_else(due)?;
    let (pairs, rest) = digits.as_chunks();
    if !rest.is_empty() {
        return Err(due());
    }
    Ok(pairs.iter().map(|[high, low]| (high << 4) | low).collect())
}

#[cfg(test)]
mod tests {
    use super::{Command, Lines};
    use ws_proto::CloseCode;

    fn command(hex: bool, slash: bool, line: &str) -> Result<Command, String> {
        Lines { hex, slash }.command(line.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_texts_digits_or_commands() {
        let text = |text: &str| Ok(Command::Text(text.to_owned()));
        assert_eq!(command(false, false, "/ping"), text("/ping"));
        assert_eq!(command(false, true, "//ping"), text("/ping"));
        assert_eq!(command(false, true, ""), text(""));
        assert_eq!(command(false, true, "/ping"), Ok(Command::Ping));
        assert_eq!(command(true, true, "/help"), Ok(Command::Help));
        assert_eq!(command(true, false, "00fF 7\t1"), Ok(Command::Binary(vec![0, 255, 0x71])));
        assert_eq!(command(false, true, "/hex 01"), Ok(Command::Binary(vec![1])));
        let close = |code, reason: &str| {
            Ok(Command::Close(CloseCode::new(code).unwrap(), reason.to_owned()))
        };
        assert_eq!(command(false, true, "/close"), close(1000, ""));
        assert_eq!(command(false, true, "/close 4001 see you"), close(4001, "see you"));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (line, due) in [
            ("/close 1006", "3000"),
            ("/close soon", "3000"),
            (&format!("/close 1000 {}", "x".repeat(124)), "123"),
            ("/hex 0", "pairs"),
            ("/hex xy", "pairs"),
            ("/hex é1", "pairs"),
            ("/pnig", "/help"),
        ] {
            let error = command(false, true, line).unwrap_err();
            assert!(error.contains(due), "{line}: {error}");
        }
        let error = Lines { hex: false, slash: false }.command(vec![0xff]).unwrap_err();
        assert!(error.contains("--raw"), "{error}");
    }
}
