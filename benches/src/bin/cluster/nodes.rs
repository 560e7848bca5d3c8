//! Nodes of a cluster, which are killed, restarted and drained.

use std::fs;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use benches::Result;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// For the HTTP API of all nodes.
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A folder for logs and keys. It stays where it is if something was found.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) keep: bool,
}

impl Folder {
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ws-mio-server-cluster-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        fs::write(path.join("api.keys"), KEY)?;
        Ok(Self { path, keep: false })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("logs of the nodes: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A `ws-mio-server`, across its processes.
pub(super) struct Node {
    pub(super) address: SocketAddr,
    program: PathBuf,
    options: Vec<String>,
    log: PathBuf,
    running: Option<Child>,
    starting: Option<JoinHandle<std::result::Result<Child, String>>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that is starting is waited for, so that none is left.
        self.running = self.running.take().or_else(|| self.starting.take()?.join().ok()?.ok());
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Node {
    /// Starts one on any free port.
    pub(super) fn start(
        program: &Path,
        number: usize,
        options: &[String],
        folder: &Folder,
    ) -> Result<Self> {
        let keys = folder.path.join("api.keys").display().to_string();
        let own = ["--log-level", "info", "--ping-interval", "0s", "--workers", "1", "--api-keys"];
        let mut options = [&own.map(str::to_owned)[..], options].concat();
        options.insert(7, keys);
        let log = folder.path.join(format!("node-{number}.log"));
        let (child, address) = spawn(program, "127.0.0.1:0", &options, &log)?;
        let (program, running) = (program.to_owned(), Some(child));
        Ok(Self { address, program, options, log, running, starting: None })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Resident memory that is its own, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        let child = self.running.as_ref().ok_or("the node does not run")?;
        benches::resident(&child.id().to_string())
    }

    /// Ends it as a crash does.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Lets it drain.
    pub(super) fn terminate(&self) -> Result<()> {
        let child = self.running.as_ref().ok_or("the node does not run")?;
        Ok(kill_process(Pid::from_child(child), Signal::TERM)?)
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.running else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.running = None;
        }
        Ok(status)
    }

    /// Starts it again where it was, beside whatever goes on.
    pub(super) fn restart(&mut self) {
        let (program, options) = (self.program.clone(), self.options.clone());
        let (address, log) = (self.address.to_string(), self.log.clone());
        self.starting = Some(thread::spawn(move || {
            let started = spawn(&program, &address, &options, &log);
            started.map(|(child, _)| child).map_err(|error| error.to_string())
        }));
    }

    /// Whether it runs, with what was started meanwhile.
    pub(super) fn look(&mut self) -> Result<bool> {
        if self.starting.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(thread) = self.starting.take()
        {
            self.running = Some(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(self.is_running())
    }

    /// The status and the body of the answer to a request.
    pub(super) fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let host = self.address;
        stream.write_all(
            format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n\
                 Connection: close\r\n\r\n"
            )
            .as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.get(9..12).ok_or("no answer")?.parse()?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        Ok((status, body.to_owned()))
    }

    /// How many persons are in a room, as this node sees it.
    pub(super) fn persons(&self, room: usize) -> Result<u64> {
        let (status, body) = self.get(&format!("/api/rooms/room-{room}/presence"))?;
        let answer: Value = serde_json::from_str(&body)?;
        let persons = answer["userCount"].as_u64().filter(|_| status == 200);
        persons.ok_or_else(|| format!("{} of room {room}: {status} {body}", self.address).into())
    }

    /// Waits until it says that it is ready.
    pub(super) fn until_ready(&mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let answer = self.get("/readyz");
            if matches!(answer, Ok((200, _))) {
                return Ok(());
            }
            if begun.elapsed() > patience {
                return Err(format!("{} is not ready: {answer:?}", self.address).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn spawn(
    program: &Path,
    listen: &str,
    options: &[String],
    log: &Path,
) -> Result<(Child, SocketAddr)> {
    let log: File = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(program);
    command.args(["--listen", listen]).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().map_err(|error| {
        format!("{}: {error}; build it with `cargo build --release`", program.display())
    })?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut address = None;
    while let Some(line) = lines.next().transpose()? {
        if let Some((_, rest)) = line.split_once("ws://") {
            address = address.or_else(|| rest.split('/').next()?.parse().ok());
        }
        if line.contains("Ctrl-C") {
            break;
        }
    }
    match address {
        Some(address) => Ok((child, address)),
        None => Err(format!("the node ended without a banner: {:?}", child.wait()?).into()),
    }
}
