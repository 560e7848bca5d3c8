//! The server as one command, and a client beside it: see `ws-mio-server --help`.

mod app;
mod chance;
mod cli;
mod clock;
mod connect;
mod log;
mod passed;
mod proxies;
mod serve;
mod signals;
mod token;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use ws_mio_server::recording;
use ws_mio_server::settings::{Settings, Sources, reference};

use cli::{Cli, Command, ServeCommand};

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    // It fails only if the derived code is not that of the command.
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    run(&cli, &matches).unwrap_or_else(|message| {
        for line in message.lines() {
            eprintln!("ws-mio-server: {line}");
        }
        ExitCode::FAILURE
    })
}

fn run(cli: &Cli, matches: &ArgMatches) -> Result<ExitCode, String> {
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    match &cli.command {
        None => serve(&cli.serve, matches)?,
        Some(Command::Serve(args)) => serve(args, matches)?,
        Some(Command::CheckConfig(args)) => {
            let settings = settings(args.config.as_deref(), matches)?;
            let _ = serve::builder(&settings, &serve::rooms(&settings)?)?;
            println!("the settings are good");
        }
        Some(Command::PrintConfig(args)) if args.reference => print!("{}", reference()),
        Some(Command::PrintConfig(args)) => {
            print!("{}", settings(args.serve.config.as_deref(), matches)?)
        }
        Some(Command::Connect(args)) => return connect::run(args),
        Some(Command::Gen(args)) => print!("{}", proxies::configuration(args)?),
        Some(Command::Token(args)) => token::run(args)?,
        Some(Command::Replay(args)) => replay(&args.file)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(file: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let recording = fs::read_to_string(file).map_err(|error| failed(&error))?;
    print!("{}", recording::replay::replay(&recording).map_err(|error| failed(&error))?);
    Ok(())
}

fn serve(args: &ServeCommand, matches: &ArgMatches) -> Result<(), String> {
    let (config, matches) = (args.config.clone(), matches.clone());
    serve::run(move || settings(config.as_deref(), &matches))
}

/// The settings of the command line, the environment and the file.
fn settings(config: Option<&Path>, matches: &ArgMatches) -> Result<Settings, String> {
    let sources = Sources {
        flags: matches,
        config,
        environment: std::env::vars_os(),
        read: |file: &Path| fs::read_to_string(file),
    };
    Settings::resolve(sources).map_err(|problems| problems.to_string())
}
