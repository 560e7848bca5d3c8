//! The command as it runs, for tests that have `common`.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Client, until};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// Whether this machine has curl; CI must.
pub fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "curl is missing; CI must install it");
    found
}

/// The command as it runs; it ends with the test.
pub struct Program {
    pub child: Child,
    pub banner: Vec<String>,
    pub stderr: Option<BufReader<std::process::ChildStderr>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut banner = Vec::new();
        while !banner.last().is_some_and(|line: &String| line.contains("Ctrl-C")) {
            banner.push(lines.next().expect("the banner ends"));
        }
        let stderr = child.stderr.take().map(BufReader::new);
        Self { child, banner, stderr }
    }

    pub fn with(arguments: &[&str]) -> Self {
        Self::start(Command::new(PROGRAM).args(["--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// What the banner says can be opened, by its first word.
    pub fn url(&self, word: &str) -> &str {
        let mut lines = self.banner.iter().map(|line| line.split_whitespace());
        lines.find(|line| line.clone().next() == Some(word)).unwrap().nth(1).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        let url = self.url("page").strip_prefix("http://").unwrap();
        url.strip_suffix('/').unwrap().parse().unwrap()
    }

    pub fn open(&self, path: &str) -> Client {
        let mut client = Client::connect(self.address());
        client.upgrade(path);
        client
    }

    /// What it has logged when it has ended.
    pub fn log(&mut self) -> String {
        self.ended();
        let mut log = String::new();
        self.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }

    /// The answer to a plain request.
    pub fn get(&self, path: &str) -> String {
        let mut client = Client::connect(self.address());
        client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        String::from_utf8(client.rest()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }

    /// Processor time that it has used so far, in hundredths of a second.
    pub fn processor_time(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<_> = fields.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}
