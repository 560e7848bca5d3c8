//! The keys of the HTTP API.

use std::path::Path;
use std::sync::OnceLock;

use ring::digest::{SHA256, digest};
use ws_mio_server::settings::Settings;
use ws_mio_server::{Authenticate, Denied, Identity, Request};

/// The fewest bytes of a key.
const SHORTEST: usize = 16;
/// The most keys of a file.
const MOST: usize = 1000;

/// Those who have one of these may use the API.
#[derive(Clone)]
pub(crate) struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// The keys that are set, or one that is made for this process if nobody but this machine reaches it; `None`:
    /// there is no API.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        if let Some(file) = settings.api_keys() {
            return Self::read(file).map(Some);
        }
        if !settings.is_for_this_machine() {
            return Ok(None);
        }
        if MADE.get().is_none() {
            // It is made once.
            let _ = MADE.set(Some(make()?));
        }
        Ok(made().map(|key| Self(vec![hash(key)])))
    }

    fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("{shown}: {error}"))?;
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let (number, key): (usize, &str) = (number, line.trim());
            if key.is_empty() || key.starts_with('#') {
                continue;
            }
            if key.len() < SHORTEST || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!(
                    "{shown}:{number}: a key is due of {SHORTEST} or more visible ASCII characters, such as \
                     `openssl rand -hex 32` makes"
                ));
            }
            keys.push(hash(key));
        }
        match keys.len() {
            0 => Err(format!("{shown}: there is no key: one is due in each line")),
            1..=MOST => Ok(Self(keys)),
            _ => Err(format!("{shown}: there are more than {MOST} keys")),
        }
    }

    /// In a time that does not tell how much of a key is right.
    fn knows(&self, key: &str) -> bool {
        let asked = hash(key);
        let differs = |known: &[u8; 32]| known.iter().zip(asked).fold(0, |d, (a, b)| d | (a ^ b));
        self.0
            .iter()
            .fold(false, |found, known| found | (std::hint::black_box(differs(known)) == 0))
    }
}

impl Authenticate for Keys {
    fn authenticate(&self, request: &Request<'_>) -> Result<Identity, Denied> {
        // By the field alone: what stands in a URL is written to logs by those who pass it on.
        let field = request.header("Authorization").ok_or_else(Denied::missing)?;
        let (scheme, key) = field.split_once(' ').ok_or_else(Denied::missing)?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Denied::missing());
        }
        match self.knows(key.trim()) {
            true => Ok(Identity::new("api")),
            false => Err(Denied::new("the key of the API is not known")),
        }
    }
}

/// `Some(None)`: none is to be made.
static MADE: OnceLock<Option<String>> = OnceLock::new();

/// The key that was made for this process, if one was.
pub(crate) fn made() -> Option<&'static str> {
    MADE.get()?.as_deref()
}

/// Makes no key: it is not known who reaches the server.
pub(crate) fn make_none() {
    // Nothing was made before.
    let _ = MADE.set(None);
}

fn make() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn hash(key: &str) -> [u8; 32] {
    let hash = digest(&SHA256, key.as_bytes());
    // It has that many bytes.
    hash.as_ref().try_into().unwrap_or_default()
}
