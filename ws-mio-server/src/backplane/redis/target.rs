//! Where Redis is, as a setting names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// What stands for a password that is not shown. It is none; a password that is this is written `%2A%2A%2A`.
pub(super) const MASK: &str = "***";

/// How Redis is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One server.
    Single,
    /// Servers of which sentinels name the master.
    Sentinel,
    /// A Cluster.
    Cluster,
}

/// Where Redis is, and how to get in: of a URL.
///
/// | URL | |
/// |---|---|
/// | `redis://HOST:PORT/DB` | one server; port 6379 and database 0 if they are not said |
/// | `redis+sentinel://HOST:PORT,HOST:PORT/DB?master=NAME` | sentinels (port 26379), and what they call the master |
/// | `redis+cluster://HOST:PORT,HOST:PORT` | some nodes of a Cluster, which name the others |
/// | `rediss://…`, `rediss+sentinel://…`, `rediss+cluster://…` | the same by TLS |
///
/// `USER:PASSWORD@` or `:PASSWORD@` stands before the first host, with `%40` for `@` and so on; it is for the
/// servers, and sentinels that ask for a password get `sentinel-password=`. Instead, `password-file=FILE` and
/// `sentinel-password-file=FILE` name files that have them, and nothing else but the end of the line; they are read
/// each time that a connection is made. With `ca=FILE` (PEM), certificates are to be signed by one of that file,
/// otherwise by one that the system trusts.
///
/// What it prints has neither name nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) kind: Kind,
    pub(super) tls: bool,
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) database: i64,
    pub(super) master: String,
    pub(super) sentinel_password: Option<Password>,
    pub(super) ca: Option<PathBuf>,
}

/// A password, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Password {
    Text(String),
    File(PathBuf),
}

impl Password {
    /// What it is now.
    ///
    /// # Errors
    /// The file, and why it could not be read.
    pub(super) fn read(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(file) => {
                let told = |error| format!("{}: {error}", file.display());
                let text = std::fs::read_to_string(file).map_err(told)?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// What is wrong with a URL of Redis. It never has a password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It begins otherwise.
    Scheme,
    /// There is no host, or more of them than are of use, or one that is not written as hosts are.
    Hosts,
    /// A port is no number from 1 to 65535.
    Port,
    /// What stands behind the hosts is no number of a database, or is one where there are none.
    Database,
    /// Sentinels need the name of the master.
    Master,
    /// A parameter behind `?` that is not known, or has no value.
    Parameter(String),
    /// A name or a password is not written as URLs have it.
    Credentials,
    /// There are two passwords for the same.
    Twice,
    /// It has `***` for a password, as it is shown to people.
    Masked,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str(
                "it begins with redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or \
                 rediss+cluster://",
            ),
            Self::Hosts => f.write_str(
                "a host is due, such as redis://HOST:6379; several, with commas between, for sentinels and a \
                 Cluster only",
            ),
            Self::Port => f.write_str("a port is a number from 1 to 65535"),
            Self::Database => f.write_str(
                "behind the hosts stands at most the number of a database, such as /1; a Cluster has none",
            ),
            Self::Master => {
                f.write_str("sentinels are asked by the name of the master: add ?master=NAME")
            }
            Self::Parameter(name) => write!(
                f,
                "the parameter {name:?} is none of password-file=FILE, master=NAME, sentinel-password=TEXT, \
                 sentinel-password-file=FILE (these three for sentinels) and ca=FILE (for TLS)"
            ),
            Self::Credentials => f.write_str(
                "before the first host stands USER:PASSWORD@ or :PASSWORD@, with %40 for @, %2F for /, %25 for %",
            ),
            Self::Twice => f.write_str(
                "a password is given in the URL or by a file, not both: USER:@HOST?password-file=FILE has a user",
            ),
            Self::Masked => f.write_str(
                "*** is what is shown instead of a password: give the password, or the name of a file that has it, \
                 by password-file=FILE",
            ),
        }
    }
}

impl std::error::Error for TargetError {}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Scheme)?;
        let (kind, tls) = match scheme {
            "redis" => (Kind::Single, false),
            "rediss" => (Kind::Single, true),
            "redis+sentinel" => (Kind::Sentinel, false),
            "rediss+sentinel" => (Kind::Sentinel, true),
            "redis+cluster" => (Kind::Cluster, false),
            "rediss+cluster" => (Kind::Cluster, true),
            _ => return Err(TargetError::Scheme),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // The last one: those of a password are often left as they are.
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let mut target = Self {
            kind,
            tls,
            hosts: parse_hosts(hosts, kind)?,
            user: None,
            password: None,
            database: 0,
            master: String::new(),
            sentinel_password: None,
            ca: None,
        };
        if let Some(credentials) = credentials {
            let (user, password) = credentials.split_once(':').ok_or(TargetError::Credentials)?;
            target.user = Some(decoded(user)?).filter(|user| !user.is_empty());
            target.password = Some(given(password)?).filter(|_| !password.is_empty());
        }
        if !path.is_empty() {
            let is_number = path.bytes().all(|byte| byte.is_ascii_digit());
            let number = path.parse().ok().filter(|_| is_number).ok_or(TargetError::Database)?;
            target.database = number;
        }
        if kind == Kind::Cluster && target.database != 0 {
            return Err(TargetError::Database);
        }
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            // It may be the end of a password that has a question mark.
            let unknown = || match query.contains('@') {
                true => TargetError::Credentials,
                false => TargetError::Parameter(name.to_owned()),
            };
            if value.is_empty() {
                return Err(unknown());
            }
            let password = match name {
                "master" if kind == Kind::Sentinel => {
                    target.master = decoded(value)?;
                    continue;
                }
                "ca" if tls => {
                    target.ca = Some(decoded(value)?.into());
                    continue;
                }
                "sentinel-password" if kind == Kind::Sentinel => given(value)?,
                "sentinel-password-file" if kind == Kind::Sentinel => {
                    Password::File(decoded(value)?.into())
                }
                "password-file" => Password::File(decoded(value)?.into()),
                _ => return Err(unknown()),
            };
            let known = match name {
                "password-file" => &mut target.password,
                _ => &mut target.sentinel_password,
            };
            if known.replace(password).is_some() {
                return Err(TargetError::Twice);
            }
        }
        if kind == Kind::Sentinel && target.master.is_empty() {
            return Err(TargetError::Master);
        }
        Ok(target)
    }
}

/// A password that stands in the URL.
fn given(text: &str) -> Result<Password, TargetError> {
    match text {
        MASK => Err(TargetError::Masked),
        _ => Ok(Password::Text(decoded(text)?)),
    }
}

fn decoded(text: &str) -> Result<String, TargetError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| TargetError::Credentials)?;
    Ok(text.into_owned())
}

fn parse_hosts(text: &str, kind: Kind) -> Result<Vec<(String, u16)>, TargetError> {
    let port = if kind == Kind::Sentinel { 26379 } else { 6379 };
    let hosts: Result<Vec<_>, _> = text.split(',').map(|host| parse_host(host, port)).collect();
    let hosts = hosts?;
    if kind == Kind::Single && hosts.len() > 1 { Err(TargetError::Hosts) } else { Ok(hosts) }
}

fn parse_host(text: &str, default_port: u16) -> Result<(String, u16), TargetError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(TargetError::Hosts)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| TargetError::Hosts)?;
        let port = rest.strip_prefix(':');
        if port.is_none() && !rest.is_empty() {
            return Err(TargetError::Hosts);
        }
        (host, port)
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || !host.chars().all(is_plain) {
            return Err(TargetError::Hosts);
        }
        (host, port)
    };
    let port = match port {
        None => default_port,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port != 0).ok_or(TargetError::Port)?
        }
        Some(_) => return Err(TargetError::Port),
    };
    Ok((host.to_owned(), port))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Single => "",
            Kind::Sentinel => "+sentinel",
            Kind::Cluster => "+cluster",
        };
        write!(f, "redis{}{kind}://", if self.tls { "s" } else { "" })?;
        for (number, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match host.contains(':') {
                true => write!(f, "{comma}[{host}]:{port}")?,
                false => write!(f, "{comma}{host}:{port}")?,
            }
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Password, Target, TargetError};

    fn parse(url: &str) -> Result<Target, TargetError> {
        url.parse()
    }

    #[test]
    fn urls_say_where_redis_is() {
        let text = |password: &str| Some(Password::Text(password.to_owned()));
        let plain = parse("redis://cache").unwrap();
        assert_eq!((plain.kind, plain.tls, plain.database), (Kind::Single, false, 0));
        assert_eq!(plain.hosts, [("cache".to_owned(), 6379)]);
        let full = parse("rediss://me:p%40ss:w@[::1]:7000/3?ca=/etc/ca.pem").unwrap();
        assert_eq!((full.tls, full.database), (true, 3));
        assert_eq!(full.hosts, [("::1".to_owned(), 7000)]);
        assert_eq!((full.user.as_deref(), full.password), (Some("me"), text("p@ss:w")));
        assert_eq!(full.ca.as_deref(), Some("/etc/ca.pem".as_ref()));
        let sentinel =
            parse("redis+sentinel://:pw@a,b:1/2?master=rooms&sentinel-password=s").unwrap();
        assert_eq!(sentinel.hosts, [("a".to_owned(), 26379), ("b".to_owned(), 1)]);
        assert_eq!((sentinel.kind, &*sentinel.master), (Kind::Sentinel, "rooms"));
        assert_eq!((sentinel.user, sentinel.sentinel_password), (None, text("s")));
        let cluster = parse("rediss+cluster://a:1,b:2").unwrap();
        assert_eq!((cluster.kind, cluster.hosts.len()), (Kind::Cluster, 2));
    }

    #[test]
    fn passwords_may_be_in_files() {
        let file = std::env::temp_dir().join(format!("redis-password-{}", std::process::id()));
        let url = format!("redis+sentinel://me:@h?master=m&password-file={}", file.display());
        let url = format!("{url}&sentinel-password-file=%2Fs");
        let target = parse(&url).unwrap();
        assert_eq!(target.sentinel_password, Some(Password::File("/s".into())));
        let password = target.password.unwrap();
        let why = password.read().unwrap_err();
        assert!(why.starts_with(&file.display().to_string()), "{why}");
        std::fs::write(&file, "pass word\n").unwrap();
        assert_eq!(password.read().as_deref(), Ok("pass word"));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn what_is_shown_has_no_password() {
        for url in [
            "redis://user:secret@host",
            "redis+sentinel://:secret@h/?master=m&sentinel-password=secret",
        ] {
            let target = parse(url).unwrap();
            for shown in [target.to_string(), format!("{target:?}")] {
                assert!(!shown.contains("secret") && !shown.contains("user"), "{shown}");
            }
            // Errors neither, wherever the mistake is.
            for wrong in [":x", "/x", "?x=secret", "secret"] {
                if let Err(error) = parse(&format!("{url}{wrong}")) {
                    assert!(!error.to_string().contains("secret"), "{error}");
                }
            }
        }
        assert_eq!(parse("rediss://h:1/2").unwrap().to_string(), "rediss://h:1/2");
        assert_eq!(
            parse("redis+cluster://h,[::1]").unwrap().to_string(),
            "redis+cluster://h:6379,[::1]:6379"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        use TargetError::{
            Credentials, Database, Hosts, Masked, Master, Parameter, Port, Scheme, Twice,
        };
        for (url, error) in [
            ("", Scheme),
            ("cache:6379", Scheme),
            ("http://cache", Scheme),
            ("redis://", Hosts),
            ("redis://a,b", Hosts),
            ("redis+cluster://a,", Hosts),
            ("redis://a b", Hosts),
            ("redis://[::1", Hosts),
            ("redis://[a]", Hosts),
            ("redis://[::1]1", Hosts),
            ("redis://a:", Port),
            ("redis://a:0", Port),
            ("redis://a:+1", Port),
            ("redis://a:65536", Port),
            ("redis://a/x", Database),
            ("redis://a/-1", Database),
            ("redis+cluster://a/1", Database),
            ("redis+sentinel://a", Master),
            ("redis+sentinel://a?master=", Parameter("master".to_owned())),
            ("redis://a?master=m", Parameter("master".to_owned())),
            ("redis://a?ca=f", Parameter("ca".to_owned())),
            ("redis://user@a", Credentials),
            ("redis://:%ff@a", Credentials),
            ("redis://me:12?34@a", Credentials),
            ("redis://me:***@a", Masked),
            ("redis+sentinel://a?master=m&sentinel-password=***", Masked),
            ("redis://:p@a?password-file=f", Twice),
            ("redis://a?password-file=f&password-file=g", Twice),
            ("redis+sentinel://a?sentinel-password=x&sentinel-password-file=y", Twice),
        ] {
            assert_eq!(parse(url), Err(error.clone()), "{url}");
            assert!(!error.to_string().is_empty());
        }
    }
}
