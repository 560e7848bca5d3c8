//! Nodes behind nginx are restarted, one after the other, while members talk.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use benches::Result;
use rustix::process::{Pid, Signal, kill_process};

use super::Cluster;
use super::crowd::Crowd;
use super::nodes::Folder;
use super::options::Options;
use super::redis::free_port;

/// The real nginx, with the configuration that `ws-mio-server gen nginx` writes.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: Folder,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Nginx {
    fn start(options: &Options, cluster: &Cluster) -> Result<Self> {
        let folder = Folder::new()?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(&options.server);
        command.args(["gen", "nginx", "--listen", &address.to_string()]);
        for node in &cluster.nodes {
            command.args(["--backend", &node.address.to_string()]);
        }
        let output = command.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let at = folder.path.display();
        fs::write(folder.path.join("ws.conf"), output.stdout)?;
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
            .concat();
        let connections = 4 * options.members + 100;
        let main = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections {connections}; }}\n\
             http {{ access_log off;\n{temporary}include {at}/ws.conf;\n}}\n"
        );
        fs::write(folder.path.join("nginx.conf"), main)?;
        let mut command = Command::new(&options.nginx);
        command.arg("-e").arg(folder.path.join("error.log"));
        command.arg("-c").arg(folder.path.join("nginx.conf")).arg("-p").arg(&folder.path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| {
            format!("{}: {error}; Debian's package is nginx-light", options.nginx.display())
        })?;
        let mut nginx = Self { child, address, _folder: folder };
        while std::net::TcpStream::connect(address).is_err() {
            if let Some(status) = nginx.child.try_wait()? {
                return Err(format!("nginx has ended, {status}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }
}

/// What goes on while something is waited for: somebody says something, all listen.
struct Talk {
    every: Duration,
    next: Instant,
}

impl Talk {
    fn turn(&mut self, crowd: &mut Crowd) -> Result<()> {
        while self.next <= Instant::now() {
            self.next += self.every;
            crowd.say();
        }
        crowd.turn(self.every)
    }

    fn pass(&mut self, time: Duration, crowd: &mut Crowd) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.turn(crowd)?;
        }
        Ok(())
    }
}

/// Restarts all nodes, one after the other.
pub(super) fn run(options: &Options, cluster: &mut Cluster) -> Result<usize> {
    let nginx = Nginx::start(options, cluster)?;
    let mut crowd = Crowd::new(options.members, options.rooms, vec![nginx.address], options.seed)?;
    crowd.gather()?;
    let every = Duration::from_micros(1_000_000 / options.rate);
    let mut talk = Talk { every, next: Instant::now() };
    talk.pass(Duration::from_secs(2), &mut crowd)?;
    println!(
        "{} members in {} rooms behind nginx, {} messages a second, {} nodes, {} s to drain",
        options.members, options.rooms, options.rate, options.nodes, options.drain
    );
    for number in 0..cluster.nodes.len() {
        crowd.attempts.clear();
        let begun = Instant::now();
        cluster.nodes[number].terminate()?;
        let status = loop {
            talk.turn(&mut crowd)?;
            if let Some(status) = cluster.nodes[number].ended()? {
                break status;
            }
            if begun.elapsed() > Duration::from_secs(options.drain + 10) {
                return Err(format!("node {number} does not stop").into());
            }
        };
        let drained = begun.elapsed();
        if status.code() != Some(0) {
            crowd.ledger.find(format!("node {number} ended with {status}"));
        }
        cluster.nodes[number].restart();
        while !cluster.nodes[number].look()? {
            talk.turn(&mut crowd)?;
        }
        // Who was closed last has come back by then.
        talk.pass(Duration::from_secs(3), &mut crowd)?;
        cluster.nodes[number].until_ready(Duration::from_secs(5))?;
        spread(number, begun, drained, &mut crowd);
    }
    let rest = crowd.settle(Duration::from_secs(30))?;
    let ends = crowd.ledger.counts.ends.clone();
    for (end, count) in ends.iter().filter(|(end, _)| *end != "code 1012") {
        crowd.ledger.find(format!("{count} connections ended with: {end}"));
    }
    if !crowd.ledger.counts.errors.is_empty() {
        let errors = format!("messages were refused: {:?}", crowd.ledger.counts.errors);
        crowd.ledger.find(errors);
    }
    if crowd.ledger.counts.gaps + crowd.ledger.counts.new_epochs > 0 {
        crowd.ledger.find("some have not recovered".to_owned());
    }
    if let Some(rest) = rest {
        crowd.ledger.close(&rest, 0);
    }
    crowd.ledger.print();
    Ok(crowd.ledger.found())
}

/// How the returns of a node's members are spread over time.
fn spread(number: usize, begun: Instant, drained: Duration, crowd: &mut Crowd) {
    let mut at: Vec<Duration> =
        crowd.attempts.iter().map(|attempt| attempt.duration_since(begun)).collect();
    at.sort_unstable();
    let (Some(first), Some(last)) = (at.first(), at.last()) else {
        return crowd.ledger.find(format!("nobody came back from node {number}"));
    };
    let second = Duration::from_secs(1);
    let busiest = at
        .iter()
        .enumerate()
        .map(|(i, from)| at[i..].iter().take_while(|other| **other < *from + second).count());
    let busiest = busiest.max().unwrap_or(0);
    let span = (*last - *first).as_secs_f64().max(1.0);
    let mean = at.len() as f64 / span;
    println!(
        "  node {number} was empty after {:.1} s: {} returns over {span:.1} s, {mean:.1} a second, {busiest} in the busiest",
        drained.as_secs_f64(),
        at.len()
    );
    // Of a handful, chance makes two in a second of what should be one.
    if busiest as f64 > (2.0 * mean).max(4.0) {
        crowd.ledger.find(format!("{busiest} came back within a second, {mean:.1} on average"));
    }
}
