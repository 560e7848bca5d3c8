//! The command line.

mod connect;
mod serve;
mod token;
mod values;

pub(crate) use connect::ConnectArgs;
pub(crate) use serve::{ServeArgs, advice};
pub(crate) use token::TokenArgs;

use clap::{Parser, Subcommand};

/// A WebSocket server that is useful at once: an echo, relay rooms, and a page to try them.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = EXAMPLES,
    allow_negative_numbers = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server, as without a command
    #[command(after_help = EXAMPLES, allow_negative_numbers = true)]
    Serve(ServeArgs),
    /// Connect to a WebSocket server: lines typed or piped in are sent, messages printed
    #[command(after_help = connect::EXAMPLES, allow_negative_numbers = true)]
    Connect(Box<ConnectArgs>),
    /// Make a token to try a server that requires one
    #[command(after_help = token::EXAMPLES, allow_negative_numbers = true)]
    Token(TokenArgs),
}

const EXAMPLES: &str = "\
Sizes: 64KiB, 16MiB, 1000000. Times: 500ms, 5s, 2m.

Examples:
  ws-mio-server                                     on 127.0.0.1:8080
  ws-mio-server connect ws://127.0.0.1:8080/echo    a client for it
  ws-mio-server --listen 127.0.0.1:9001 --listen [::1]:9001
  ws-mio-server --listen 0.0.0.0:80 --auth-jwks keys.json --max-message 16MiB

Open the page that the banner names, or connect with any WebSocket client to
  /echo          every message comes back
  /relay/ROOM    every message goes to everyone else in ROOM
GET /healthz answers `ok` while the server runs. SIGINT or SIGTERM closes every
connection with code 1001 and exits with 0; a second one exits at once.";

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn to_serve_is_implied_and_needs_no_arguments() {
        let implied = Cli::parse_from(["ws-mio-server"]);
        assert!(implied.command.is_none());
        assert_eq!(implied.serve.listen, ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(implied.serve.max_message, 1024 * 1024);
        let named = Cli::parse_from(["ws-mio-server", "serve", "--max-message", "1MiB"]);
        let Some(Command::Serve(named)) = named.command else { panic!("{named:?}") };
        assert_eq!(format!("{named:?}"), format!("{:?}", implied.serve));
        let both = ["ws-mio-server", "--workers", "1", "connect", "ws://a"];
        assert!(Cli::try_parse_from(both).is_err());
    }
}
