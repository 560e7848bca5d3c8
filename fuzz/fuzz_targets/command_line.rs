//! Command lines, one argument a line. They are parsed, or refused with what is wrong; nothing panics.
#![no_main]

use std::cell::RefCell;

use clap::{CommandFactory as _, FromArgMatches as _};
use cli::{Cli, Command};

#[allow(dead_code, unused_imports, reason = "what is parsed is not done")]
#[path = "../../ws-mio-server/src/cli/mod.rs"]
mod cli;
#[allow(dead_code, reason = "nobody connects")]
#[path = "../../ws-mio-server/src/connect/url.rs"]
mod url;
mod connect {
    pub(crate) use crate::url::Url;
}

thread_local! {
    // Built once, for that takes a while.
    static COMMAND: RefCell<clap::Command> = RefCell::new(Cli::command());
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let words = std::iter::once("ws-mio-server").chain(text.lines());
    let matches = COMMAND.with_borrow_mut(|command| command.try_get_matches_from_mut(words));
    let matches = match matches {
        Ok(matches) => matches,
        Err(error) => {
            let said = error.render().to_string();
            return assert!(!said.trim().is_empty(), "it is refused without a word");
        }
    };
    let cli = Cli::from_arg_matches(&matches).expect("the derived code is that of the command");
    let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    match &cli.command {
        None | Some(Command::Serve(_) | Command::CheckConfig(_) | Command::PrintConfig(_)) => {
            ws_mio_server::fuzzing::flags(matches);
        }
        Some(Command::Connect(args)) => {
            let shown = args.url.to_string();
            let again = shown.parse::<url::Url>().map(|url| url.to_string());
            assert_eq!(again.as_deref(), Ok(&*shown));
        }
        Some(Command::Token(_) | Command::Gen(_) | Command::Replay(_)) => {}
    }
});
