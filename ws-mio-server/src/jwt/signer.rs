//! Tokens for development and tests.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Map, Value, json};

use super::JwksError;
use super::key::{Entry, Kind, entries, parse_json};

/// Signs tokens with a key of a set: for development and tests.
pub struct JwtSigner {
    kind: Kind,
    kid: Option<String>,
    key: Private,
}

enum Private {
    Hs256(hmac::Key),
    Rs256(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSigner")
            .field("kind", &self.kind)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl JwtSigner {
    /// Takes the key with this `kid`, or else the first of the set that has its private part.
    ///
    /// # Errors
    /// It is not a set of keys, has no such key, or the key is malformed.
    pub fn from_jwks(json: &str, kid: Option<&str>) -> Result<Self, JwksError> {
        let set = parse_json(json)?;
        let entries = entries(&set)?;
        let is_private =
            |entry: &&Entry<'_>| entry.has(if entry.kind == Kind::Hs256 { "k" } else { "d" });
        let mut entries = entries.iter().filter(|entry| kid.is_none() || entry.kid() == kid);
        let entry = entries.find(is_private).ok_or_else(|| {
            JwksError("no such key has a private part, with which it could sign".to_owned())
        })?;
        let refused = |error: ring::error::KeyRejected| entry.error(&error.to_string());
        let key = match entry.kind {
            Kind::Hs256 => Private::Hs256(entry.secret()?),
            Kind::Rs256 => {
                let part = |name| entry.bytes(name);
                let public_key = PublicKeyComponents { n: part("n")?, e: part("e")? };
                let components = KeyPairComponents {
                    public_key,
                    d: part("d")?,
                    p: part("p")?,
                    q: part("q")?,
                    dP: part("dp")?,
                    dQ: part("dq")?,
                    qInv: part("qi")?,
                };
                Private::Rs256(Box::new(RsaKeyPair::from_components(&components).map_err(refused)?))
            }
            Kind::Es256 => {
                let (algorithm, d) = (&ECDSA_P256_SHA256_FIXED_SIGNING, entry.array("d")?);
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    algorithm,
                    &d,
                    &entry.point()?,
                    &random,
                );
                Private::Es256(Box::new(pair.map_err(refused)?))
            }
            Kind::EdDsa => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(
                    &entry.array("d")?,
                    &entry.array("x")?,
                );
                Private::EdDsa(Box::new(pair.map_err(refused)?))
            }
        };
        Ok(Self { kind: entry.kind, kid: entry.kid().map(str::to_owned), key })
    }

    /// A set with one new key for HS256, of 32 bytes of entropy.
    #[must_use]
    pub fn generate(entropy: &[u8; 32]) -> String {
        let key = json!({"kty": "oct", "kid": "dev", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(entropy)});
        format!("{:#}\n", json!({ "keys": [key] }))
    }

    /// A token with these claims, a JSON object.
    ///
    /// # Errors
    /// The claims are not a JSON object, or the system has no entropy.
    pub fn sign(&self, claims: &str) -> Result<String, JwksError> {
        let claims: Map<String, Value> = serde_json::from_str(claims)
            .map_err(|error| JwksError(format!("claims must be a JSON object: {error}")))?;
        let mut header = json!({"alg": self.kind.algorithm(), "typ": "JWT"});
        if let (Some(kid), Some(header)) = (&self.kid, header.as_object_mut()) {
            header.insert("kid".to_owned(), json!(kid));
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&Value::Object(claims)));
        let failed = |_| JwksError("the key could not sign".to_owned());
        let (bytes, random) = (signed.as_bytes(), SystemRandom::new());
        let signature = match &self.key {
            Private::Hs256(key) => hmac::sign(key, bytes).as_ref().to_vec(),
            Private::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).map_err(failed)?;
                signature
            }
            Private::Es256(pair) => pair.sign(&random, bytes).map_err(failed)?.as_ref().to_vec(),
            Private::EdDsa(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
