//! The real nginx and haproxy with the configurations that the command writes, for tests.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// How long anything may take until the test has failed.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A folder that is gone with the test.
pub struct Folder(pub PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    pub fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let file = self.0.join(name);
        fs::write(&file, text).unwrap();
        file.into_os_string().into_string().unwrap()
    }
}

/// A process that ends with the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    Nginx,
    Haproxy,
}

impl Proxy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// The program, if this machine has it.
    pub fn program(self) -> Option<PathBuf> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&folders).chain(["/usr/sbin".into()]);
        let found = folders.map(|folder| folder.join(self.name())).find(|file| file.exists());
        if found.is_none() {
            assert!(
                std::env::var_os("CI").is_none(),
                "{} is missing; CI must install it",
                self.name()
            );
            eprintln!("skipped: no {} on this machine", self.name());
        }
        found
    }

    /// Starts the program with the configuration that the command writes.
    pub fn start(
        self,
        program: &Path,
        folder: &Folder,
        listen: SocketAddr,
        arguments: &[&str],
    ) -> Process {
        let listen = listen.to_string();
        let arguments = [&["gen", self.name(), "--listen", &listen], arguments].concat();
        let output = Command::new(PROGRAM).args(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let written = String::from_utf8(output.stdout).unwrap();
        let mut command = Command::new(program);
        match self {
            Self::Nginx => {
                let include = folder.write("ws.conf", &written);
                let at = folder.0.display();
                let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
                    .concat();
                let main = format!(
                    "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\n\
                     http {{ access_log off;\n{temporary}include {include};\n}}\n"
                );
                command.arg("-e").arg(folder.0.join("error.log"));
                command.arg("-c").arg(folder.write("nginx.conf", &main)).arg("-p").arg(&folder.0);
            }
            Self::Haproxy => {
                command.arg("-db").arg("-f").arg(folder.write("haproxy.cfg", &written));
            }
        }
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = Process(child.unwrap());
        let begun = Instant::now();
        while TcpStream::connect(listen.as_str()).is_err() {
            assert!(begun.elapsed() < LIMIT, "{self:?} does not listen");
            assert!(
                process.0.try_wait().unwrap().is_none(),
                "{self:?} ended; it was to run\n{written}"
            );
            thread::sleep(Duration::from_millis(10));
        }
        process
    }
}

/// A server behind a proxy.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
    pub log: BufReader<std::process::ChildStderr>,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let page =
            lines.find_map(|line| line.trim().strip_prefix("page    http://").map(str::to_owned));
        let address = page.unwrap().trim_end_matches('/').parse().unwrap();
        lines.find(|line| line.contains("Ctrl-C")).unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { process: Process(child), address, log }
    }

    /// The next line of the log that has all of these parts.
    pub fn logs(&mut self, parts: &[&str]) {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.log.read_line(&mut seen).unwrap(), 0, "{parts:?} is not in {seen}");
            if parts.iter().all(|part| seen[start..].contains(part)) {
                return;
            }
        }
    }
}

/// A port that is free now.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
