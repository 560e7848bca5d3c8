//! JSON Web Tokens (RFC 7519), signed by the keys of a set (RFC 7517).

mod key;
mod signer;

pub use signer::JwtSigner;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::{Authenticate, Denied, Identity, Request};
use key::Key;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// A check that asks for a JSON Web Token, signed with HS256, RS256, ES256 or EdDSA (Ed25519).
///
/// The algorithm is the key's, never the token's to choose: `none` is refused, and so is a header with `crit`.
/// `exp` and `sub` must be there; the user is `sub`. `nbf` is kept to. `iss` and `aud` must be those that are
/// asked for; a token with an `aud` where none is asked for is meant for somebody else (RFC 7519 §4.1.3).
///
/// ```
/// use ws_mio_server::{Jwt, JwtSigner, Server};
/// let keys = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}]}"#;
/// let builder = Server::builder().authenticate(Jwt::from_jwks(keys)?.audience("chat"));
/// let token = JwtSigner::from_jwks(keys, None)?
///     .sign(r#"{"sub": "alice", "aud": "chat", "exp": 2000000000}"#)?;
/// # Ok::<(), ws_mio_server::JwksError>(())
/// ```
#[derive(Debug)]
pub struct Jwt {
    keys: Vec<Key>,
    issuer: Option<String>,
    audiences: Vec<String>,
    leeway: Duration,
}

/// What is wrong with a set of keys, or with what is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksError(String);

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JwksError {}

impl Jwt {
    /// Takes the keys of a set (JWKS). Those of other kinds, or for encryption, are skipped (RFC 7517 §5).
    ///
    /// # Errors
    /// It is not a set of keys, a key is malformed or too weak, or none can be used.
    pub fn from_jwks(json: &str) -> Result<Self, JwksError> {
        let keys = key::parse_set(json)?;
        Ok(Self { keys, issuer: None, audiences: Vec::new(), leeway: Duration::from_secs(30) })
    }

    /// The `iss` that tokens must have. Default: any or none.
    #[must_use]
    pub fn issuer(self, issuer: &str) -> Self {
        Self { issuer: Some(issuer.to_owned()), ..self }
    }

    /// An `aud` that tokens may have, one of which they must; may be called several times.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// How far the clocks of those who sign may be off. Default: 30 s.
    #[must_use]
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    fn verify(&self, token: &str, unix_time: u64) -> Result<Identity, &'static str> {
        if token.len() > LONGEST {
            return Err("the token is too long");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("the token is malformed")?;
        let (header, payload) = signed.split_once('.').ok_or("the token is malformed")?;
        let signature = decode(signature).ok_or("the token is malformed")?;
        let header = object(header).ok_or("the token's header is malformed")?;
        // What is critical must be understood (RFC 7515 §4.1.11), and nothing is.
        if header.contains_key("crit") {
            return Err("the token has a critical extension that is not known");
        }
        let alg =
            header.get("alg").and_then(Value::as_str).ok_or("the token names no algorithm")?;
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or("the token's header is malformed")?),
        };
        let mut fitting = self.keys.iter().filter(|key| key.fits(alg, kid)).peekable();
        if fitting.peek().is_none() {
            return Err("no key fits the token's algorithm and key id");
        }
        if !fitting.any(|key| key.verify(signed.as_bytes(), &signature)) {
            return Err("the token's signature is wrong");
        }
        self.claims(payload, unix_time)
    }

    fn claims(&self, payload: &str, unix_time: u64) -> Result<Identity, &'static str> {
        let bytes = decode(payload).ok_or("the token's claims are malformed")?;
        let text = String::from_utf8(bytes).map_err(|_| "the token's claims are malformed")?;
        let claims: Map<String, Value> =
            serde_json::from_str(&text).map_err(|_| "the token's claims are malformed")?;
        let moment = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or("a time in the token is not a number"),
        };
        let leeway = self.leeway.as_secs_f64();
        // Exact for the next 100 million years.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let now = unix_time as f64;
        let exp = moment("exp")?.ok_or("the token has no `exp`")?;
        if now >= exp + leeway {
            return Err("the token has expired");
        }
        if moment("nbf")?.is_some_and(|nbf| now + leeway < nbf) {
            return Err("the token is not valid yet (`nbf`)");
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err("the token is of another issuer (`iss`)");
        }
        let meant = |audience: &Value| {
            audience.as_str().is_some_and(|name| self.audiences.iter().any(|a| a == name))
        };
        match claims.get("aud") {
            None if self.audiences.is_empty() => {}
            Some(Value::Array(names)) if names.iter().any(meant) => {}
            Some(name) if meant(name) => {}
            _ => return Err("the token is meant for another audience (`aud`)"),
        }
        let user = claims.get("sub").and_then(Value::as_str).ok_or("the token has no `sub`")?;
        Ok(Identity::new(user).with_claims(&text))
    }
}

impl Authenticate for Jwt {
    fn authenticate(&self, request: &Request<'_>) -> Result<Identity, Denied> {
        self.verify(&request.token()?, request.unix_time()).map_err(Denied::new)
    }
}

/// Base64 as RFC 7515 has it: of the URL's alphabet, without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Jwt, JwtSigner, URL_SAFE_NO_PAD};
    use base64::Engine as _;
    use serde_json::{Value, json};

    /// Keys and tokens that Node's crypto made, valid from 1,700,000,000 to 4,000,000,000.
    const KEYS: &str = include_str!("../../tests/jwt/keys.json");
    const PRIVATE: &str = include_str!("../../tests/jwt/private.json");
    const NOW: u64 = 1_800_000_000;

    fn jwt() -> Jwt {
        Jwt::from_jwks(KEYS).unwrap().audience("ws").issuer("https://issuer.example")
    }

    fn tokens() -> Vec<(String, String)> {
        let tokens = include_str!("../../tests/jwt/tokens.json");
        let tokens: std::collections::BTreeMap<_, _> = serde_json::from_str(tokens).unwrap();
        tokens.into_iter().collect()
    }

    fn encode(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn tokens_of_another_implementation_are_accepted() {
        assert_eq!(tokens().len(), 4);
        for (alg, token) in tokens() {
            let identity = jwt().verify(&token, NOW).unwrap();
            assert_eq!(identity.user(), "alice", "{alg}");
            assert!(identity.claims().contains("issuer.example"), "{alg}");
        }
    }

    #[test]
    fn any_change_of_a_token_is_refused() {
        for (alg, token) in tokens() {
            let [header, claims, signature]: [&str; 3] =
                token.split('.').collect::<Vec<_>>().try_into().unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
            bytes[3] ^= 1;
            let flipped = URL_SAFE_NO_PAD.encode(&bytes);
            let other = encode(&json!({"sub": "mallory", "aud": "ws", "exp": 4e9}));
            for changed in [
                format!("{header}.{claims}.{flipped}"),
                format!("{header}.{other}.{signature}"),
                format!("{header}.{claims}."),
                format!("{header}.{claims}"),
                format!("{header}.{claims}.{signature}="),
                format!("{header}.{claims}.{signature}.{signature}"),
                format!("{claims}.{signature}"),
                String::new(),
                ".".repeat(9000),
            ] {
                assert!(jwt().verify(&changed, NOW).is_err(), "{alg}: {changed}");
            }
        }
    }

    #[test]
    fn the_algorithm_is_the_keys() {
        let set: Value = serde_json::from_str(KEYS).unwrap();
        let signer = JwtSigner::from_jwks(KEYS, Some("hs")).unwrap();
        let claims =
            r#"{"sub": "a", "aud": "ws", "iss": "https://issuer.example", "exp": 4000000000}"#;
        let good = signer.sign(claims).unwrap();
        assert!(jwt().verify(&good, NOW).is_ok());
        let (_, rest) = good.split_once('.').unwrap();
        let payload = rest.split('.').next().unwrap();
        for (header, due) in [
            (json!({"alg": "none"}), "no key"),
            (json!({"alg": "None", "kid": "hs"}), "no key"),
            (json!({"alg": "RS256", "kid": "hs"}), "no key"),
            (json!({"alg": "HS256", "kid": "rs"}), "no key"),
            (json!({"alg": "HS256", "kid": "other"}), "no key"),
            (json!({"alg": "HS512"}), "no key"),
            (json!({"alg": "HS256", "crit": ["b64"], "b64": true}), "critical"),
            (json!({"alg": "HS256", "crit": []}), "critical"),
            (json!({"alg": "HS256", "kid": 1}), "malformed"),
            (json!({"alg": ["HS256"]}), "algorithm"),
            (json!({}), "algorithm"),
            (json!("HS256"), "malformed"),
        ] {
            for signature in ["", "AAAA"] {
                let token = format!("{}.{payload}.{signature}", encode(&header));
                let error = jwt().verify(&token, NOW).unwrap_err();
                assert!(error.contains(due), "{header}: {error}");
            }
        }
        // A public RSA key must not serve as a secret of HMAC.
        let public = set["keys"][1]["n"].as_str().unwrap();
        let secret = json!({"keys": [{"kty": "oct", "kid": "rs", "k": public}]}).to_string();
        let forged = JwtSigner::from_jwks(&secret, None).unwrap().sign(claims).unwrap();
        assert!(jwt().verify(&forged, NOW).unwrap_err().contains("no key"));
    }

    #[test]
    fn claims_are_kept_to() {
        let signer = JwtSigner::from_jwks(KEYS, Some("hs")).unwrap();
        let good =
            json!({"sub": "a", "aud": ["x", "ws"], "iss": "https://issuer.example", "exp": NOW});
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.to_owned(), value),
            };
            jwt().verify(&signer.sign(&claims.to_string()).unwrap(), NOW)
        };
        for (name, value) in [
            ("exp", json!(NOW - 29)),
            ("exp", json!(1.8e9 + 0.5)),
            ("nbf", json!(NOW + 30)),
            ("aud", json!("ws")),
        ] {
            assert!(with(name, value.clone()).is_ok(), "{name}: {value}");
        }
        for (name, value, due) in [
            ("exp", json!(NOW - 30), "expired"),
            ("exp", Value::Null, "`exp`"),
            ("exp", json!("4000000000"), "not a number"),
            ("nbf", json!(NOW + 31), "not valid yet"),
            ("nbf", json!([]), "not a number"),
            ("aud", json!("x"), "audience"),
            ("aud", json!([["ws"]]), "audience"),
            ("aud", Value::Null, "audience"),
            ("iss", json!("https://other.example"), "issuer"),
            ("iss", Value::Null, "issuer"),
            ("sub", Value::Null, "`sub`"),
            ("sub", json!(1), "`sub`"),
        ] {
            let error = with(name, value.clone()).unwrap_err();
            assert!(error.contains(due), "{name}: {value}: {error}");
        }
        // Meant for somebody, but nobody said that we are that.
        let anyone = Jwt::from_jwks(KEYS).unwrap();
        assert!(anyone.verify(&tokens()[0].1, NOW).unwrap_err().contains("audience"));
    }

    #[test]
    fn what_is_signed_with_each_kind_of_key_is_accepted() {
        let claims =
            r#"{"sub": "bob", "aud": "ws", "iss": "https://issuer.example", "exp": 4000000000}"#;
        for kid in ["rs", "es", "ed"] {
            let signer = JwtSigner::from_jwks(PRIVATE, Some(kid)).unwrap();
            let identity = jwt().verify(&signer.sign(claims).unwrap(), NOW).unwrap();
            assert_eq!(identity.user(), "bob", "{kid}");
            assert!(JwtSigner::from_jwks(KEYS, Some(kid)).is_err(), "{kid} is public only");
        }
        assert!(JwtSigner::from_jwks(KEYS, Some("hs")).unwrap().sign("[]").is_err());
        // Without a name, the first that can sign.
        assert!(JwtSigner::from_jwks(KEYS, None).is_ok());
        let generated = JwtSigner::generate(&[7; 32]);
        let set = Jwt::from_jwks(&generated).unwrap();
        let token = JwtSigner::from_jwks(&generated, None).unwrap();
        let token = token.sign(r#"{"sub": "c", "exp": 4000000000}"#).unwrap();
        assert_eq!(set.verify(&token, NOW).unwrap().user(), "c");
    }

    #[test]
    fn sets_that_make_no_sense_are_refused() {
        let key = |key: Value| json!({ "keys": [key] }).to_string();
        for (set, due) in [
            (String::new(), "JSON"),
            ("[]".to_owned(), "`keys`"),
            (json!({"keys": []}).to_string(), "none of the keys"),
            (key(json!({"kty": "EC", "crv": "P-521", "x": "", "y": ""})), "none of the keys"),
            (key(json!({"kty": "RSA", "use": "enc", "n": "", "e": ""})), "none of the keys"),
            (key(json!({"kty": "oct", "alg": "HS512", "k": "AAAA"})), "none of the keys"),
            (key(json!({"kty": "oct", "k": "c2VjcmV0"})), "32 bytes"),
            (key(json!({"kty": "oct", "k": "+"})), "`k`"),
            (key(json!({"kty": "oct"})), "`k`"),
            (key(json!({"kty": "RSA", "e": "AQAB", "n": "AQAB"})), "2048"),
            (key(json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"})), "`x`"),
            (key(json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})), "`x`"),
            (key(json!({"k": "AAAA"})), "`kty`"),
        ] {
            let error = Jwt::from_jwks(&set).unwrap_err().to_string();
            assert!(error.contains(due), "{set}: {error}");
        }
    }
}
