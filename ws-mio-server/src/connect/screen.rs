//! What the user sees: messages on standard output, all else on standard error.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use ws_proto::Message;

/// Where messages and notes go.
pub(super) struct Screen {
    /// Messages are printed without additions.
    raw: bool,
    /// Messages are printed for the eye.
    terminal: bool,
    quiet: bool,
    verbose: bool,
}

impl Screen {
    pub(super) fn new(raw: bool, quiet: bool, verbose: bool) -> Self {
        Self { raw, terminal: io::stdout().is_terminal(), quiet, verbose }
    }

    /// Prints a message.
    ///
    /// # Errors
    /// Nobody reads standard output any more, or it failed.
    pub(super) fn message(&self, message: Message<'_>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.raw {
            out.write_all(message.as_bytes())?;
            return out.flush();
        }
        match message {
            Message::Text(text) if self.terminal => writeln!(out, "< {}", Harmless(text))?,
            Message::Text(text) => writeln!(out, "{text}")?,
            Message::Binary(bytes) if self.terminal => writeln!(out, "< (binary) {}", Hex(bytes))?,
            Message::Binary(bytes) => writeln!(out, "{}", Hex(bytes))?,
        }
        out.flush()
    }

    /// Tells what has happened.
    pub(super) fn note(&self, note: impl fmt::Display) {
        if !self.quiet {
            self.error(note);
        }
    }

    /// Tells what went wrong.
    pub(super) fn error(&self, error: impl fmt::Display) {
        // If nobody sees it, nobody can be told.
        let _ = writeln!(io::stderr().lock(), "{error}");
    }

    /// Shows a head of the opening handshake, without what is secret.
    pub(super) fn handshake(&self, sign: char, head: &[u8]) {
        if !self.verbose {
            return;
        }
        for line in String::from_utf8_lossy(head).lines().filter(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            let secret = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
            // What is offered behind `bearer` is a token.
            let token = name == "sec-websocket-protocol" && line.contains("bearer,");
            if token || secret.contains(&name.as_str()) {
                self.error(format_args!("{sign} {name}: (not shown)"));
            } else {
                self.error(format_args!("{sign} {}", Harmless(&without_token(line))));
            }
        }
    }
}

/// A request line with the value of `token=` left out.
fn without_token(line: &str) -> String {
    let mut parts = line.split("token=");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("token=(not shown)");
        shown.push_str(part.find(['&', ' ']).and_then(|end| part.get(end..)).unwrap_or_default());
    }
    shown
}

/// Text without what a terminal would take for a command.
struct Harmless<'a>(&'a str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' | '\t' => write!(f, "{c}"),
            c if c.is_control() => write!(f, "{}", c.escape_default()),
            c => write!(f, "{c}"),
        })
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Harmless, Hex, without_token};

    #[test]
    fn tokens_are_not_shown() {
        let shown = without_token("GET /a?b=c&token=secret&d=e HTTP/1.1");
        assert_eq!(shown, "GET /a?b=c&token=(not shown)&d=e HTTP/1.1");
        assert_eq!(without_token("GET /a HTTP/1.1"), "GET /a HTTP/1.1");
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        let text = "a\u{1b}[2Jb\tc\nd\u{9b}é";
        assert_eq!(Harmless(text).to_string(), "a\\u{1b}[2Jb\tc\nd\\u{9b}é");
        assert_eq!(Hex(&[0, 0xab]).to_string(), "00ab");
    }
}
