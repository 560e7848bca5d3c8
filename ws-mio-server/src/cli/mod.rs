//! The command line.

mod connect;
mod proxies;
mod token;
mod values;

pub(crate) use connect::ConnectArgs;
pub(crate) use proxies::{Backend, GenArgs, Proxy};
pub(crate) use token::TokenArgs;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ws_mio_server::settings::ServeArgs;

/// A WebSocket server that is useful at once: chat rooms with a page, relays, an echo.
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
    pub(crate) serve: ServeCommand,
}

/// The settings, and where more of them are.
#[derive(Debug, Args)]
pub(crate) struct ServeCommand {
    /// Read settings from this file, too; flags and the environment have precedence
    ///
    /// A TOML file with the names of the flags: max-message = "16MiB". In the environment it is
    /// WSMIO_MAX_MESSAGE=16MiB, and WSMIO_CONFIG for this file. SETTINGS.md explains all.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Read as they were given, not by their values: those of the file come to them.
    #[command(flatten)]
    _settings: ServeArgs,
}

/// How settings are printed.
#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    /// Explain every setting instead, as SETTINGS.md
    #[arg(long)]
    pub(crate) reference: bool,

    #[command(flatten)]
    pub(crate) serve: ServeCommand,
}

/// What is replayed.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording of one connection
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server, as without a command
    #[command(after_help = EXAMPLES, allow_negative_numbers = true)]
    Serve(ServeCommand),
    /// Tell whether the server could start with these settings
    #[command(allow_negative_numbers = true)]
    CheckConfig(ServeCommand),
    /// Print all settings as a file, and where each comes from
    #[command(allow_negative_numbers = true)]
    PrintConfig(PrintArgs),
    /// Connect to a WebSocket server: lines typed or piped in are sent, messages printed
    #[command(after_help = connect::EXAMPLES, allow_negative_numbers = true)]
    Connect(Box<ConnectArgs>),
    /// Make a token to try a server that requires one
    #[command(after_help = token::EXAMPLES, allow_negative_numbers = true)]
    Token(TokenArgs),
    /// Go through what `--record` has written with the protocol core, and tell what it makes of it
    #[command(after_help = REPLAY)]
    Replay(ReplayArgs),
    /// Print a configuration of nginx or haproxy, to stand in front of servers
    #[command(after_help = proxies::EXAMPLES)]
    Gen(GenArgs),
}

const REPLAY: &str = "\
Examples:
  ws-mio-server --record recordings
  ws-mio-server replay recordings/1764301000-000003.rec

Each line is a time in seconds since the connection was accepted, who it is about, and what was said.
Move the file into ws-mio-server/tests/recordings, and it is a test.";

const EXAMPLES: &str = "\
Sizes: 64KiB, 16MiB, 1000000. Times: 500ms, 5s, 2m.

Examples:
  ws-mio-server                                     on 127.0.0.1:8080
  ws-mio-server connect ws://127.0.0.1:8080/echo    a client for it
  ws-mio-server --listen 127.0.0.1:9001 --listen [::1]:9001
  ws-mio-server --listen 0.0.0.0:80 --auth-jwks keys.json --max-message 16MiB
  ws-mio-server --listen-tls 127.0.0.1:8443 --tls-self-signed

Open the page that the banner names, or connect with any WebSocket client to
  /chat/ROOM     JSON messages to everyone in ROOM, as the page does
  /echo          every message comes back
  /relay/ROOM    every message goes to everyone else in ROOM
GET /healthz answers `ok` while the server runs, GET /readyz `ready` while it takes new connections.
SIGTERM closes connections with code 1012, over the time that --drain says, and exits with 0; SIGINT
closes all at once with 1001; a second one exits at once. SIGHUP reads settings again.";

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory as _, Parser as _};
    use proptest::prelude::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn to_serve_is_implied_and_needs_no_arguments() {
        let implied = Cli::parse_from(["ws-mio-server"]);
        assert!(implied.command.is_none());
        let named = Cli::parse_from(["ws-mio-server", "serve", "--max-message", "1MiB"]);
        let Some(Command::Serve(named)) = named.command else { panic!("{named:?}") };
        assert_eq!(format!("{named:?}"), format!("{:?}", implied.serve));
        let both = ["ws-mio-server", "--workers", "1", "connect", "ws://a"];
        assert!(Cli::try_parse_from(both).is_err());
    }

    proptest! {
        #[test]
        fn no_command_line_panics(
            command in prop::sample::select(&["", "serve", "connect", "token", "print-config"][..]),
            words in prop::collection::vec(
                prop_oneof![
                    "-{0,2}[a-z-]{0,8}=?.{0,4}",
                    prop::sample::select(&[
                        "ws://a", "wss://[::1]:1/?", "ws://[", "-H", "a:b", ":", "--ping", "1s", "--claim",
                        "a=[", "--user", "--jwks", "--listen", "[::1]:0", "--config", "-m", "-n", "0",
                    ][..]).prop_map(str::to_owned),
                ],
                0..8,
            ),
        ) {
            let command = Some(command.to_owned()).filter(|command| !command.is_empty());
            let _ = Cli::try_parse_from(["".to_owned()].into_iter().chain(command).chain(words));
        }
    }
}
