//! A Redis of one's own, and what is said to it.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use benches::Result;
use rustix::process::{Pid, Signal, kill_process};

/// A `redis-server` that stores nothing; it ends with this value.
pub(super) struct Redis {
    child: Child,
    program: PathBuf,
    pub(super) port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free just now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Redis {
    pub(super) fn start(program: &Path) -> Result<Self> {
        for _ in 0..5 {
            let port = free_port()?;
            let child = spawn(program, port)?;
            let mut redis = Self { child, program: program.to_owned(), port };
            if redis.listens()? {
                return Ok(redis);
            }
        }
        Err("redis-server ends at once".into())
    }

    /// Whether it answers; not if it has ended.
    fn listens(&mut self) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if self.ask(&["PING"]).is_ok() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }

    /// Kills it, and starts another one at its place that knows nothing.
    pub(super) fn empty(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.program, self.port)?;
        if self.listens()? { Ok(()) } else { Err("redis-server does not come back".into()) }
    }

    /// It does nothing until it is resumed.
    pub(super) fn pause(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::STOP)?)
    }

    pub(super) fn resume(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::CONT)?)
    }

    /// One command on a connection of its own.
    pub(super) fn ask(&self, words: &[&str]) -> Result<Reply> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(request.as_bytes())?;
        match Reply::read(&mut BufReader::new(stream))? {
            Reply::Error(error) => Err(format!("redis says to {words:?}: {error}").into()),
            reply => Ok(reply),
        }
    }
}

fn spawn(program: &Path, port: u16) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    command.args(["--appendonly", "no", "--loglevel", "warning"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| {
        format!("{}: {error}; Debian's package is redis-server", program.display()).into()
    })
}

/// What Redis answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Text(String),
    Number(i64),
    List(Vec<Reply>),
    Nil,
    Error(String),
}

impl Reply {
    fn read(from: &mut impl BufRead) -> Result<Self> {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let (kind, rest) = line.trim_end().split_at_checked(1).ok_or("an empty answer")?;
        Ok(match kind {
            "+" => Self::Text(rest.to_owned()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Number(rest.parse()?),
            "$" | "*" if rest.starts_with('-') => Self::Nil,
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>()? + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Self::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" => {
                let len: usize = rest.parse()?;
                Self::List((0..len).map(|_| Self::read(from)).collect::<Result<_>>()?)
            }
            _ => return Err(format!("not an answer: {line}").into()),
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Error(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::List(list) => list.iter().try_for_each(|reply| writeln!(f, "{reply}")),
            Self::Nil => f.write_str("nothing"),
        }
    }
}
