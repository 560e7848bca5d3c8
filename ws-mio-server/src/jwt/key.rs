//! Keys of a set (RFC 7517, RFC 7518 §6, RFC 8037), and what they verify.

use std::fmt;

use ring::{hmac, signature};
use serde_json::{Map, Value};

use super::{JwksError, decode};

/// A key, whose kind decides the algorithm.
pub(super) struct Key {
    kid: Option<String>,
    material: Material,
}

enum Material {
    Hs256(hmac::Key),
    Rs256 { n: Vec<u8>, e: Vec<u8> },
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = self.algorithm();
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("alg", &algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    const fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Hs256(_) => "HS256",
            Material::Rs256 { .. } => "RS256",
            Material::Es256(_) => "ES256",
            Material::EdDsa(_) => "EdDSA",
        }
    }

    /// Whether a token with this header may be of this key.
    pub(super) fn fits(&self, alg: &str, kid: Option<&str>) -> bool {
        let named = match (kid, self.kid.as_deref()) {
            (Some(asked), Some(own)) => asked == own,
            _ => true,
        };
        named && alg == self.algorithm()
    }

    pub(super) fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Hs256(key) => hmac::verify(key, signed, signature),
            Material::Rs256 { n, e } => signature::RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
            Material::Es256(point) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(signed, signature)
            }
            Material::EdDsa(point) => signature::UnparsedPublicKey::new(&signature::ED25519, point)
                .verify(signed, signature),
        };
        verified.is_ok()
    }
}

/// A key as it stands in a set, of a kind that is known.
pub(super) struct Entry<'j> {
    members: &'j Map<String, Value>,
    pub(super) kind: Kind,
    /// What it is called in errors.
    name: String,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Kind {
    pub(super) const fn algorithm(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl<'j> Entry<'j> {
    pub(super) fn kid(&self) -> Option<&'j str> {
        self.text("kid")
    }

    pub(super) fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// Bytes of a member.
    pub(super) fn bytes(&self, member: &str) -> Result<Vec<u8>, JwksError> {
        let bytes = self.text(member).and_then(decode);
        bytes.ok_or_else(|| self.error(&format!("`{member}` must be base64url")))
    }

    /// Bytes of a member that has 32 of them.
    pub(super) fn array(&self, member: &str) -> Result<[u8; 32], JwksError> {
        let bytes = self.bytes(member)?;
        bytes.try_into().map_err(|_| self.error(&format!("`{member}` must have 32 bytes")))
    }

    /// The secret of HMAC.
    pub(super) fn secret(&self) -> Result<hmac::Key, JwksError> {
        let bytes = self.bytes("k")?;
        // RFC 7518 §3.2.
        if bytes.len() < 32 {
            return Err(self.error("a secret for HS256 must have at least 32 bytes"));
        }
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    /// A point of P-256, uncompressed.
    pub(super) fn point(&self) -> Result<Vec<u8>, JwksError> {
        Ok([&[4][..], &self.array("x")?, &self.array("y")?].concat())
    }

    pub(super) fn error(&self, reason: &str) -> JwksError {
        JwksError(format!("{}: {reason}", self.name))
    }

    fn text(&self, member: &str) -> Option<&'j str> {
        self.members.get(member).and_then(Value::as_str)
    }

    fn key(&self) -> Result<Key, JwksError> {
        let material = match self.kind {
            Kind::Hs256 => Material::Hs256(self.secret()?),
            Kind::Rs256 => {
                let (n, e) = (self.bytes("n")?, self.bytes("e")?);
                if !(256..=1024).contains(&n.len()) {
                    return Err(self.error("an RSA key must have 2048 to 8192 bits"));
                }
                Material::Rs256 { n, e }
            }
            Kind::Es256 => Material::Es256(self.point()?),
            Kind::EdDsa => Material::EdDsa(self.array("x")?.to_vec()),
        };
        Ok(Key { kid: self.kid().map(str::to_owned), material })
    }
}

/// The set as JSON.
pub(super) fn parse_json(json: &str) -> Result<Value, JwksError> {
    serde_json::from_str(json).map_err(|error| JwksError(format!("it is not JSON: {error}")))
}

/// The keys of a set that are of known kinds and for signatures.
pub(super) fn entries(set: &Value) -> Result<Vec<Entry<'_>>, JwksError> {
    let keys = set.get("keys").and_then(Value::as_array);
    let keys =
        keys.ok_or_else(|| JwksError("it has no list of `keys`: a JWKS is due".to_owned()))?;
    let mut entries = Vec::new();
    for (number, key) in (1..).zip(keys) {
        let name = match key.get("kid").and_then(Value::as_str) {
            Some(kid) => format!("key {number} ({})", kid.escape_debug()),
            None => format!("key {number}"),
        };
        let text = |member: &str| key.get(member).and_then(Value::as_str);
        let (Some(members), Some(kty)) = (key.as_object(), text("kty")) else {
            return Err(JwksError(format!("{name}: it has no `kty`")));
        };
        let kind = match (kty, text("crv"), text("alg")) {
            ("oct", None, None | Some("HS256")) => Kind::Hs256,
            ("RSA", None, None | Some("RS256")) => Kind::Rs256,
            ("EC", Some("P-256"), None | Some("ES256")) => Kind::Es256,
            ("OKP", Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => Kind::EdDsa,
            _ => continue,
        };
        if text("use").is_none_or(|purpose| purpose == "sig") {
            entries.push(Entry { members, kind, name });
        }
    }
    Ok(entries)
}

/// The keys of a set that can verify.
pub(super) fn parse_set(json: &str) -> Result<Vec<Key>, JwksError> {
    let set = parse_json(json)?;
    let keys = entries(&set)?.iter().map(Entry::key).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        let known = "none of the keys is for HS256, RS256, ES256 or EdDSA (Ed25519)";
        return Err(JwksError(known.to_owned()));
    }
    Ok(keys)
}
