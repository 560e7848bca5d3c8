//! Ways to Redis: one server, the master that sentinels name, the nodes of a Cluster.

use std::fs;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, TlsCertificates, Value,
};

use super::encode::command;
use super::scripts::Scripts;
use super::slots::{Range, parse_slots};
use super::target::{Kind, Target};

/// A host and a port.
pub(super) type Address = (String, u16);

/// Why there is no connection. It has no password in it.
pub(super) type Why = String;

/// The oldest version that is enough, for one server and for a Cluster.
const OLDEST: (u32, u32) = (6, 2);
const OLDEST_CLUSTER: (u32, u32) = (7, 0);

/// A server that can be asked, and what it has said of itself.
pub(super) struct Server {
    pub(super) address: Address,
    pub(super) connection: Connection,
    /// A number for the life of this process; not 0.
    pub(super) run: u64,
}

/// All servers that are needed, and who has which slots, in a Cluster.
pub(super) struct Servers {
    pub(super) all: Vec<Server>,
    pub(super) slots: Vec<Range>,
}

/// Who opens connections.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) target: Target,
    /// How long anything may take.
    pub(super) timeout: Duration,
    /// Nodes of a Cluster that were there before.
    known: Vec<Address>,
}

pub(super) fn shown(address: &Address) -> String {
    let (host, port) = address;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Connector {
    pub(super) fn new(target: Target, timeout: Duration) -> Self {
        Self { target, timeout, known: Vec::new() }
    }

    /// Connects to all that is needed.
    pub(super) fn servers(&mut self, scripts: &Scripts) -> Result<Servers, Why> {
        match self.target.kind {
            Kind::Single => {
                let address = self.target.hosts.first().cloned().unwrap_or_default();
                Ok(Servers { all: vec![self.server(&address, scripts)?], slots: Vec::new() })
            }
            Kind::Sentinel => {
                let address = self.master()?;
                Ok(Servers { all: vec![self.server(&address, scripts)?], slots: Vec::new() })
            }
            Kind::Cluster => self.cluster(scripts),
        }
    }

    fn cluster(&mut self, scripts: &Scripts) -> Result<Servers, Why> {
        let slots = self.first_of(
            &[self.known.clone(), self.target.hosts.clone()].concat(),
            |me, seed| {
                let mut connection = me.connect(seed, Login::Server)?;
                let answer =
                    ask(&mut connection, &[b"CLUSTER", b"SLOTS"]).map_err(|why| at(seed, &why))?;
                let slots = parse_slots(&answer, &seed.0);
                slots
                    .filter(|slots| !slots.is_empty())
                    .ok_or_else(|| at(seed, "it has no slots of a Cluster"))
            },
        )?;
        let mut addresses: Vec<Address> = Vec::new();
        for range in &slots {
            let address = (range.host.clone(), range.port);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let all: Result<Vec<_>, _> =
            addresses.iter().map(|address| self.server(address, scripts)).collect();
        let all = all?;
        self.known = addresses;
        Ok(Servers { all, slots })
    }

    /// The first that works, or why the last one does not.
    fn first_of<T>(
        &self,
        addresses: &[Address],
        mut try_one: impl FnMut(&Self, &Address) -> Result<T, Why>,
    ) -> Result<T, Why> {
        let mut why = "no host is known".to_owned();
        for address in addresses {
            match try_one(self, address) {
                Ok(found) => return Ok(found),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// The address of the master, as a sentinel says.
    fn master(&self) -> Result<Address, Why> {
        self.first_of(&self.target.hosts, |me, sentinel| {
            let mut connection = me.connect(sentinel, Login::Sentinel)?;
            let name = me.target.master.as_bytes();
            let command: [&[u8]; 3] = [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name];
            let answer = ask(&mut connection, &command).map_err(|why| at(sentinel, &why))?;
            parse_master(&answer).ok_or_else(|| {
                at(sentinel, &format!("this sentinel knows no master {:?}", me.target.master))
            })
        })
    }

    /// Connects to a server that takes commands, and gives it the scripts.
    pub(super) fn server(&self, address: &Address, scripts: &Scripts) -> Result<Server, Why> {
        let mut connection = self.connect(address, Login::Server)?;
        let told = |why: Why| at(address, &why);
        let info = ask(&mut connection, &[b"INFO", b"server"]).map_err(told)?;
        let info = info_text(&info);
        let (oldest, is_cluster) = match self.target.kind {
            Kind::Cluster => (OLDEST_CLUSTER, true),
            Kind::Single | Kind::Sentinel => (OLDEST, false),
        };
        if field(&info, "redis_version").and_then(version).is_some_and(|version| version < oldest) {
            let (major, minor) = oldest;
            return Err(at(address, &format!("Redis {major}.{minor} or newer is needed")));
        }
        if !is_cluster && field(&info, "redis_mode") == Some("cluster") {
            return Err(at(
                address,
                "it is a node of a Cluster: the URL begins with redis+cluster:// then",
            ));
        }
        let run =
            field(&info, "run_id").and_then(|run| u64::from_str_radix(run.get(..15)?, 16).ok());
        let run =
            run.map(|run| run | 1).ok_or_else(|| at(address, "it does not say its run_id"))?;
        let info = ask(&mut connection, &[b"INFO", b"replication"]).map_err(told)?;
        if field(&info_text(&info), "role") != Some("master") {
            return Err(at(address, "it is a replica: the master is needed"));
        }
        if is_cluster {
            let info = ask(&mut connection, &[b"CLUSTER", b"INFO"]).map_err(told)?;
            if field(&info_text(&info), "cluster_state") != Some("ok") {
                return Err(at(address, "the Cluster is not complete"));
            }
        }
        load(&mut connection, scripts).map_err(told)?;
        Ok(Server { address: address.clone(), connection, run })
    }

    /// A connection to a server.
    pub(super) fn plain(&self, address: &Address) -> Result<Connection, Why> {
        self.connect(address, Login::Server)
    }

    fn connect(&self, address: &Address, login: Login) -> Result<Connection, Why> {
        let (host, port) = address.clone();
        let to = if self.target.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let mut settings =
            RedisConnectionInfo::default().set_lib_name("ws-mio-server", env!("CARGO_PKG_VERSION"));
        match login {
            Login::Server => {
                settings = settings.set_db(self.target.database);
                if let Some(user) = &self.target.user {
                    settings = settings.set_username(user);
                }
                if let Some(password) = &self.target.password {
                    settings = settings.set_password(password.read()?);
                }
            }
            Login::Sentinel => {
                if let Some(password) = &self.target.sentinel_password {
                    settings = settings.set_password(password.read()?);
                }
            }
        }
        let told = |error: redis::RedisError| at(address, &reason_of(&error));
        let info: ConnectionInfo = to.into_connection_info().map_err(told)?;
        let info = info
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(settings);
        let client = match &self.target.ca {
            Some(file) => {
                let root =
                    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(root) };
                Client::build_with_tls(info, certificates).map_err(told)?
            }
            None => Client::open(info).map_err(told)?,
        };
        let connection = client.get_connection_with_timeout(self.timeout).map_err(told)?;
        connection.set_read_timeout(Some(self.timeout)).map_err(told)?;
        connection.set_write_timeout(Some(self.timeout)).map_err(told)?;
        Ok(connection)
    }
}

/// Whose password is needed.
#[derive(Clone, Copy)]
enum Login {
    Server,
    Sentinel,
}

fn at(address: &Address, why: &str) -> Why {
    format!("{}: {why}", shown(address))
}

/// What has gone wrong, for the eye.
pub(super) fn reason_of(error: &RedisError) -> Why {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    error.to_string()
}

/// Gives a server the scripts.
pub(super) fn load(connection: &mut Connection, scripts: &Scripts) -> Result<(), Why> {
    for script in scripts.all() {
        ask(connection, &[b"SCRIPT", b"LOAD", script.text.as_bytes()])?;
    }
    Ok(())
}

/// Asks for one thing, and waits for the answer.
pub(super) fn ask(connection: &mut Connection, parts: &[&[u8]]) -> Result<Value, Why> {
    let mut bytes = Vec::new();
    command(parts, &mut bytes);
    connection.send_packed_command(&bytes).map_err(|error| reason_of(&error))?;
    match connection.recv_response().map_err(|error| reason_of(&error))? {
        Value::ServerError(error) => {
            Err(format!("{} {}", error.code(), error.details().unwrap_or_default()))
        }
        value => Ok(value),
    }
}

fn info_text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn parse_master(answer: &Value) -> Option<Address> {
    let Value::Array(fields) = answer else { return None };
    let text = |at: usize| match fields.get(at)? {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    Some((text(0)?, text(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{field, parse_master, version};
    use redis::Value;

    #[test]
    fn what_redis_says_of_itself_is_read() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:ab\r\n";
        assert_eq!(field(info, "redis_version").and_then(version), Some((7, 0)));
        assert_eq!(field(info, "run_id"), Some("ab"));
        assert_eq!(field(info, "run"), None);
        assert_eq!(version("7"), None);
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let master = |host, port| parse_master(&Value::Array(vec![bulk(host), bulk(port)]));
        assert_eq!(master("a", "1"), Some(("a".to_owned(), 1)));
        assert_eq!(master("a", "x"), None);
        assert_eq!(parse_master(&Value::Nil), None);
    }
}
