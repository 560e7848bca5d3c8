//! The server as one command, and a client beside it: see `ws-mio-server --help`.

mod app;
mod cli;
mod clock;
mod connect;
mod serve;
mod token;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let Cli { command, serve } = Cli::parse();
    let result = match &command {
        None => serve::run(&serve).map(|()| ExitCode::SUCCESS),
        Some(Command::Serve(args)) => serve::run(args).map(|()| ExitCode::SUCCESS),
        Some(Command::Connect(args)) => connect::run(args),
        Some(Command::Token(args)) => token::run(args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|message| {
        eprintln!("ws-mio-server: {message}");
        ExitCode::FAILURE
    })
}
