//! The command with settings of files and of the environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// A file that is gone with the test.
struct Config(PathBuf);

impl Drop for Config {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Config {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("ws-mio-server-{name}-{}.toml", std::process::id());
        let file = std::env::temp_dir().join(name);
        fs::write(&file, text).unwrap();
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

/// Runs the command to its end: its status, what it printed, and what it told.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut program = Command::new(PROGRAM);
    program.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    let output = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_server_runs_as_its_file_says() {
    let config =
        Config::new("runs", "listen = [\"127.0.0.1:0\"]\nmax-message = 12345\nworkers = 1\n");
    for how in [&["--config", config.path()][..], &["serve", "--config", config.path()], &[]] {
        let mut program = Command::new(PROGRAM);
        program.args(how).env("WSMIO_CONFIG", config.path()).env("WSMIO_WORKERS", "2");
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let last = lines.into_iter().find(|line| line.contains("Ctrl-C"));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = last.unwrap();
        assert!(last.contains("12345 bytes") && last.starts_with("2 workers"), "{last}");
    }
}

#[test]
fn settings_are_checked_and_printed_without_a_server() {
    let good = Config::new("good", "ping-interval = \"1m\"\n");
    let (code, stdout, stderr) = run(&["check-config", "--config", good.path()], &[]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "the settings are good\n", ""));
    let arguments = ["print-config", "--config", good.path(), "--workers", "3"];
    let (code, stdout, _) = run(&arguments, &[("WSMIO_PONG_TIMEOUT", "7s")]);
    assert_eq!(code, Some(0));
    for due in [
        &format!("ping-interval = \"1m\"  # {}:1\n", good.path()),
        "workers = 3  # command line\n",
        "pong-timeout = \"7s\"  # WSMIO_PONG_TIMEOUT\n",
        "max-message = \"1MiB\"  # default\n",
    ] {
        assert!(stdout.contains(due), "{due}: {stdout}");
    }
    let url = "redis://:sesame@127.0.0.1";
    let (code, stdout, stderr) = run(&["print-config"], &[("WSMIO_BACKPLANE", url)]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(stdout.contains("\nbackplane = \"redis://:***@127.0.0.1\"  # WSMIO_BACKPLANE\n"));
    let (_, stdout, stderr) = run(&["--backplane", &format!("{url}:x")], &[]);
    assert!(stderr.contains("redis://***") && !(stdout + &stderr).contains("sesame"));
    let bad =
        Config::new("bad", "ping-intervall = \"1m\"\nlisten = [\"0.0.0.0:1\"]\nworkers = 0\n");
    for command in ["check-config", "print-config", "serve"] {
        let (code, stdout, stderr) = run(&[command, "--config", bad.path()], &[]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 2), "{stderr}");
        assert!(
            stderr.contains("ping-interval meant?") && stderr.contains(":3: workers"),
            "{stderr}"
        );
        assert!(stderr.lines().all(|line| line.starts_with("ws-mio-server: ")), "{stderr}");
    }
    // What only shows when it is put to use is checked, too.
    let (code, _, stderr) = run(&["check-config", "--listen", "0.0.0.0:1"], &[]);
    assert!(code == Some(1) && stderr.contains("--auth-jwks"), "{stderr}");
    for (arguments, due) in [
        (["check-config", "--auth-audience", "a"], "auth-jwks"),
        (["check-config", "--proxy-protocol", "--log-level=warn"], "trusted-proxy"),
    ] {
        let (code, _, stderr) = run(&arguments, &[]);
        assert!(code == Some(1) && stderr.contains(due), "{stderr}");
    }
    let (code, _, stderr) = run(&["check-config"], &[("WSMIO_AUTH_JWKS", "/nowhere")]);
    assert!(code == Some(1) && stderr.contains("auth-jwks /nowhere"), "{stderr}");
}
