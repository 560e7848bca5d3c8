//! Redis as it runs: one server, with TLS, a Cluster of three, a master with sentinels.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a Redis may take to start, or to do what it was told to, until the test has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Whether this machine has Redis. Where CI runs, it must.
pub fn is_installed() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join("redis-server").exists());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "redis-server is missing; CI must install it");
        eprintln!("skipped: no redis-server on this machine");
    }
    found
}

/// Ports that were free a moment ago, each of them another.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Waits for a condition, which is looked at again and again.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "waited too long until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ws-mio-server-redis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A `redis-server` on a port of its own, which ends with the test and leaves nothing behind.
pub struct Redis {
    child: Child,
    /// Where it can be reached without TLS.
    pub port: u16,
    /// Where it can be reached with TLS, if it can.
    pub tls_port: Option<u16>,
    options: Vec<String>,
    folder: Folder,
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that is stopped dies of it, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Redis {
    /// Nothing of it is written to disk: when it is started again, it is empty.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With more options of the command line, such as `--requirepass`.
    pub fn with(options: &[&str]) -> Self {
        let begun = Instant::now();
        loop {
            let [port] = free_ports();
            let common = ["--port", &port.to_string(), "--save", "", "--loglevel", "warning"];
            let all = [&common[..], options].concat();
            if let Some(redis) = Self::try_start(port, None, all, Folder::new()) {
                return redis;
            }
            // Another process has taken the port meanwhile.
            assert!(begun.elapsed() < LIMIT, "redis-server does not start");
        }
    }

    /// With TLS, by a certificate for 127.0.0.1 and its key in PEM, and what has signed it.
    pub fn with_tls(certificate: &str, key: &str, options: &[&str]) -> Self {
        let begun = Instant::now();
        loop {
            let folder = Folder::new();
            for (name, text) in [("cert.pem", certificate), ("key.pem", key)] {
                fs::write(folder.0.join(name), text).unwrap();
            }
            let [port, tls] = free_ports();
            let (port_text, tls_text) = (port.to_string(), tls.to_string());
            let common = ["--port", &port_text, "--save", "", "--loglevel", "warning"];
            let tls_options = [
                &["--tls-port", &tls_text, "--tls-auth-clients", "no"][..],
                &["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"],
            ]
            .concat();
            let all = [&common[..], &tls_options, options].concat();
            if let Some(redis) = Self::try_start(port, Some(tls), all, folder) {
                return redis;
            }
            assert!(begun.elapsed() < LIMIT, "redis-server does not start");
        }
    }

    fn try_start(port: u16, tls: Option<u16>, options: Vec<&str>, folder: Folder) -> Option<Self> {
        let options: Vec<_> = options.into_iter().map(str::to_owned).collect();
        let child = Self::spawn(&options, &folder);
        let mut redis = Self { child, port, tls_port: tls, options, folder };
        redis.is_ready().then_some(redis)
    }

    fn spawn(options: &[String], folder: &Folder) -> Child {
        let log = File::create(folder.0.join("log")).unwrap();
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--dir"])
            .arg(&folder.0)
            .args(options)
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Whether it answers, or has ended.
    fn is_ready(&mut self) -> bool {
        let mut is_running = true;
        until("Redis answers", || {
            is_running = self.child.try_wait().unwrap().is_none();
            !is_running || self.answers()
        });
        is_running
    }

    fn answers(&self) -> bool {
        // Another one that has the port meanwhile is not this one.
        let id = self.child.id();
        let Some(mut client) = Raw::connect(self.port) else { return false };
        client.authenticate(&self.options);
        client.ask(&["INFO", "server"]).is_some_and(|info| {
            info.contains(&format!("process_id:{id}\r\n"))
                && client.ask(&["PING"]).is_some_and(|pong| pong.contains("PONG"))
        })
    }

    /// As a setting has it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Does a command, and gives the answer as it came.
    pub fn ask(&self, command: &[&str]) -> String {
        let mut client = Raw::connect(self.port).expect("Redis is there");
        client.authenticate(&self.options);
        client.ask(command).expect("an answer")
    }

    /// Does a command that answers with a number.
    pub fn number(&self, command: &[&str]) -> i64 {
        let answer = self.ask(command);
        let number = answer.strip_prefix(':').and_then(|number| number.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no number: {answer}"))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// It does nothing, and its connections stay open (SIGSTOP).
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    /// It goes on (SIGCONT).
    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// It is gone (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, after [`Self::kill`]: empty, if its options don't say otherwise.
    pub fn start_again(&mut self) {
        self.child = Self::spawn(&self.options, &self.folder);
        assert!(self.is_ready(), "Redis does not start again: {}", self.log());
    }

    /// It is gone, and back at once, without its memory.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.0.join("log")).unwrap_or_default()
    }
}

/// Three masters of a Redis Cluster, which share all slots.
pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..3).map(|_| Self::node()).collect();
        let shares = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (number, (node, (from, to))) in (1..).zip(nodes.iter().zip(shares)) {
            // Those who have the same would settle that later, and forget who has got slots meanwhile.
            let number = i32::to_string(&number);
            assert_eq!(node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &number]), "+OK\r\n");
            assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", from, to]), "+OK\r\n");
        }
        let cluster = Self { nodes };
        let bus = |node: &Redis| {
            let at = node.options.iter().position(|option| option == "--cluster-port").unwrap();
            node.options[at + 1].clone()
        };
        let first = &cluster.nodes[0];
        for node in &cluster.nodes[1..] {
            let command = ["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &bus(node)];
            assert_eq!(first.ask(&command), "+OK\r\n");
        }
        until("the Cluster is complete", || {
            let known = |node: &Redis| {
                let info = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            };
            cluster.nodes.iter().all(known)
                && cluster.nodes.iter().all(|node| {
                    // Each knows where all of them are.
                    node.ask(&["CLUSTER", "SLOTS"]).starts_with("*3\r\n")
                })
        });
        cluster
    }

    /// A node of its own, which knows no other.
    pub fn node() -> Redis {
        let [bus] = free_ports();
        let common = ["--cluster-enabled", "yes", "--cluster-port"];
        let options = ["--cluster-node-timeout", "2000"];
        Redis::with(&[&common[..], &[&bus.to_string()], &options].concat())
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Does a command at each node.
    pub fn ask(&self, command: &[&str]) -> Vec<String> {
        self.nodes.iter().map(|node| node.ask(command)).collect()
    }

    /// The name of a node in the Cluster.
    pub fn name(&self, node: usize) -> String {
        let answer = self.nodes[node].ask(&["CLUSTER", "MYID"]);
        answer.lines().nth(1).unwrap().to_owned()
    }

    /// The node that has a slot now, of those that are there.
    pub fn owner(&self, key: &str) -> usize {
        let owns = |node: &Redis| !node.ask(&["EXISTS", key]).starts_with("-MOVED");
        self.nodes.iter().position(owns).unwrap()
    }

    /// Moves a slot with all of its keys, as `redis-cli --cluster reshard` does.
    pub fn move_slot(&self, slot: u16, to: usize) {
        let slot = slot.to_string();
        let names: Vec<_> = (0..self.nodes.len()).map(|node| self.name(node)).collect();
        let has = |node: &Redis| {
            let answer = node.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot]);
            !answer.starts_with(":0")
        };
        let holders = self.nodes.iter().position(has);
        let from = holders.filter(|from| *from != to).expect("another node has keys in the slot");
        let set = |node: usize, arguments: &[&str]| {
            let command = [&["CLUSTER", "SETSLOT", &slot][..], arguments].concat();
            assert_eq!(self.nodes[node].ask(&command), "+OK\r\n");
        };
        set(to, &["IMPORTING", &names[from]]);
        set(from, &["MIGRATING", &names[to]]);
        loop {
            let keys = self.nodes[from].ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]);
            let Some(key) = keys.lines().nth(2) else { break };
            let port = self.nodes[to].port.to_string();
            let answer = self.nodes[from].ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            assert_eq!(answer, "+OK\r\n");
        }
        for node in [to, from].into_iter().chain((0..self.nodes.len()).filter(|n| *n != from)) {
            set(node, &["NODE", &names[to]]);
        }
    }
}

/// A master, a replica of it, and three sentinels that watch them.
pub struct Sentinels {
    pub redis: Vec<Redis>,
    pub sentinels: Vec<Redis>,
}

impl Sentinels {
    pub fn start() -> Self {
        let master = Redis::start();
        let port = master.port.to_string();
        let replica = Redis::with(&[
            "--replicaof",
            &format!("127.0.0.1 {port}"),
            "--repl-diskless-load",
            "swapdb",
        ]);
        until("the replica follows", || {
            replica.ask(&["INFO", "replication"]).contains("master_link_status:up")
        });
        let sentinels: Vec<_> = (0..3).map(|_| Self::sentinel(&port)).collect();
        let all = Self { redis: vec![master, replica], sentinels };
        until("the sentinels know each other and the replica", || {
            all.sentinels.iter().all(|sentinel| {
                let answer = sentinel.ask(&["SENTINEL", "MASTER", "rooms"]);
                let lines: Vec<_> = answer.lines().collect();
                let field = |name: &str| {
                    let at = lines.iter().position(|line| *line == name)?;
                    lines.get(at + 2).copied()
                };
                field("num-other-sentinels") == Some("2") && field("num-slaves") == Some("1")
            })
        });
        all
    }

    fn sentinel(port: &str) -> Redis {
        let begun = Instant::now();
        loop {
            let folder = Folder::new();
            let [own] = free_ports();
            let text = format!(
                "port {own}\nsentinel monitor rooms 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds rooms 500\nsentinel failover-timeout rooms 3000\n"
            );
            fs::write(folder.0.join("sentinel.conf"), text).unwrap();
            let log = File::create(folder.0.join("log")).unwrap();
            let child = Command::new("redis-server")
                .args(["sentinel.conf", "--sentinel"])
                .current_dir(&folder.0)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let options = Vec::new();
            let mut sentinel = Redis { child, port: own, tls_port: None, options, folder };
            if sentinel.is_ready() {
                return sentinel;
            }
            assert!(begun.elapsed() < LIMIT, "a sentinel does not start");
        }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+sentinel://{}/?master=rooms", hosts.join(","))
    }

    /// The port of the master, as a sentinel says.
    pub fn master_port(&self) -> u16 {
        let answer = self.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "rooms"]);
        answer.lines().nth(4).unwrap().parse().unwrap()
    }

    /// Waits until everything that the master has is at the replica.
    pub fn until_replicated(&self) {
        until("the replica has everything", || {
            let offset = |redis: &Redis| {
                let info = redis.ask(&["INFO", "replication"]);
                let line = info.lines().find(|line| line.starts_with("master_repl_offset:"));
                line.unwrap().to_owned()
            };
            offset(&self.redis[0]) == offset(&self.redis[1])
        });
    }
}

/// A client of a few lines, which knows nothing of the code under test.
struct Raw(BufReader<TcpStream>);

impl Raw {
    fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Some(Self(BufReader::new(stream)))
    }

    fn authenticate(&mut self, options: &[String]) {
        let password = options.iter().position(|option| option == "--requirepass");
        if let Some(password) = password {
            self.ask(&["AUTH", &options[password + 1]]);
        }
    }

    /// The answer as it came.
    fn ask(&mut self, command: &[&str]) -> Option<String> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        self.value(&mut answer)?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    fn value(&mut self, answer: &mut Vec<u8>) -> Option<()> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).ok()?;
        answer.extend_from_slice(&line);
        let number = || String::from_utf8_lossy(&line[1..]).trim().parse::<i64>().ok();
        match line.first()? {
            b'$' if number()? >= 0 => {
                let mut text = vec![0; usize::try_from(number()?).ok()? + 2];
                self.0.read_exact(&mut text).ok()?;
                answer.extend_from_slice(&text);
            }
            b'*' => {
                for _ in 0..number()? {
                    self.value(answer)?;
                }
            }
            _ => {}
        }
        Some(())
    }
}
