//! What settings come to: a builder.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Compression, Denial, Field, Rate, ServeArgs, Slow};
use crate::settings::self_signed;
use crate::{Builder, Deflate, Jwt, OnDenied, OnRate, OnSlow, ProxyHeader, Tls};

impl From<Slow> for OnSlow {
    fn from(slow: Slow) -> Self {
        match slow {
            Slow::Close => Self::Close,
            Slow::DropOldest => Self::DropOldest,
        }
    }
}

impl ServeArgs {
    /// Makes a builder what the settings say.
    ///
    /// # Errors
    /// The keys of tokens can't be used, or everyone could connect from everywhere and nobody said that
    /// they may.
    pub(in crate::settings) fn apply(&self, builder: Builder) -> Result<Builder, String> {
        let builder = self.guard(builder)?;
        self.check_reach(&self.listen, &self.listen_tls)?;
        let builder = self.tls(builder)?;
        let builder = self.listen_unix.iter().fold(builder, Builder::listen_unix);
        let builder = builder
            .max_message(self.max_message)
            .max_connections(self.max_connections)
            .max_connections_per_address(self.max_connections_per_address)
            .max_connections_per_user(self.max_connections_per_user)
            .max_handshakes_per_second(self.max_handshakes_per_second)
            .max_messages_per_second(self.max_messages_per_second)
            .max_bytes_per_second(self.max_bytes_per_second)
            .on_rate(match self.on_rate {
                Rate::Delay => OnRate::Delay,
                Rate::Close => OnRate::Close,
            })
            .max_queued(usize::try_from(self.max_queued).unwrap_or(usize::MAX))
            .stall_timeout(self.stall_timeout)
            .on_slow(self.on_slow.into())
            .handshake_timeout(self.handshake_timeout)
            .close_timeout(self.close_timeout)
            .ping_interval(Some(self.ping_interval).filter(|interval| !interval.is_zero()))
            .pong_timeout(self.pong_timeout)
            .deflate(match self.deflate {
                Compression::Off => Deflate::Off,
                Compression::Shared => Deflate::Shared,
                Compression::Dedicated => Deflate::Dedicated,
            })
            .deflate_level(self.deflate_level)
            .deflate_window(self.deflate_window)
            .deflate_memory(usize::try_from(self.deflate_memory).unwrap_or(usize::MAX));
        let mut builder = match &self.record {
            Some(directory) => builder.record(directory, self.record_each, self.record_all),
            None => builder,
        };
        for (path, slow) in &self.slow_peers {
            if !builder.paths.contains(path) {
                let known = builder.paths.join(", ");
                return Err(format!(
                    "slow-peers: {path} is not a route of WebSockets: {known} are"
                ));
            }
            builder = builder.slow_peers(path, *slow);
        }
        let builder = self.trusted_proxy.iter().copied().fold(builder, Builder::trust_proxy);
        let builder = builder.proxy_header(match self.proxy_header {
            Field::XForwardedFor => ProxyHeader::XForwardedFor,
            Field::Forwarded => ProxyHeader::Forwarded,
        });
        if self.proxy_protocol && self.trusted_proxy.is_empty() {
            return Err("proxy-protocol: nobody could connect; name the proxies by trusted-proxy"
                .to_owned());
        }
        let builder = match self.proxy_protocol {
            true => builder.expect_proxy_protocol(),
            false => builder,
        };
        let builder = self.allow_origin.iter().cloned().fold(builder, Builder::allow_origin);
        let builder = match self.deflate_threshold {
            Some(bytes) => builder.deflate_threshold(usize::try_from(bytes).unwrap_or(usize::MAX)),
            None => builder,
        };
        let builder = match self.admin_listen {
            Some(address) => builder.admin(address),
            None => builder,
        };
        Ok(match self.workers {
            Some(workers) => builder.workers(workers),
            None => builder,
        })
    }

    pub(in crate::settings) fn check_reach(
        &self,
        plain: &[SocketAddr],
        tls: &[SocketAddr],
    ) -> Result<(), String> {
        let reachable = |address: &&SocketAddr| !address.ip().is_loopback();
        if let Some(address) = plain.iter().chain(tls).find(reachable)
            && self.auth_jwks.is_none()
            && !self.insecure_no_auth
        {
            return Err(format!(
                "other machines reach {address}, and anyone could connect: require tokens by \
                 --auth-jwks FILE, or let them by --insecure-no-auth"
            ));
        }
        if let Some(address) = tls.iter().find(reachable)
            && self.tls_self_signed
            && self.tls_cert.is_none()
        {
            return Err(format!(
                "tls-self-signed: other machines reach {address}, and can't know whom they reach; \
                 name a certificate by --tls-cert FILE --tls-key FILE"
            ));
        }
        Ok(())
    }

    fn tls(&self, builder: Builder) -> Result<Builder, String> {
        let builder = self.listen_tls.iter().copied().fold(builder, Builder::listen_tls);
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let read = |name: &str, file: &PathBuf| {
                    let failed = |error| format!("{name} {}: {error}", file.display());
                    std::fs::read(file).map_err(failed)
                };
                let pem = (read("tls-cert", certificate)?, read("tls-key", key)?);
                let failed = |error| format!("tls-cert {}: {error}", certificate.display());
                Tls::from_pem(&pem.0, &pem.1).map_err(failed)?
            }
            (None, None) if self.tls_self_signed => self_signed::certificate()?,
            (None, None) if self.listen_tls.is_empty() => return Ok(builder),
            (None, None) => {
                return Err("listen-tls: TLS needs a certificate: name one by --tls-cert FILE --tls-key FILE, \
                            or try it with --tls-self-signed"
                    .to_owned());
            }
            _ => return Err("tls-cert and tls-key need each other".to_owned()),
        };
        Ok(builder.tls(tls))
    }

    /// Whether nobody but this machine reaches the server, as far as that is known.
    pub(in crate::settings) fn is_for_this_machine(&self) -> bool {
        let mut addresses = self.listen.iter().chain(&self.listen_tls);
        addresses.all(|address| address.ip().is_loopback())
            && self.trusted_proxy.is_empty()
            && !self.proxy_protocol
            && !self.insecure_no_auth
    }

    fn guard(&self, builder: Builder) -> Result<Builder, String> {
        let Some(file) = &self.auth_jwks else {
            if self.auth_issuer.is_some() || !self.auth_audience.is_empty() {
                return Err(
                    "auth-issuer and auth-audience say nothing without auth-jwks".to_owned()
                );
            }
            return Ok(builder);
        };
        let failed =
            |error: &dyn std::fmt::Display| format!("auth-jwks {}: {error}", file.display());
        let json = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
        let jwt = Jwt::from_jwks(&json).map_err(|error| failed(&error))?.leeway(self.auth_leeway);
        let jwt = self.auth_issuer.iter().fold(jwt, |jwt, issuer| jwt.issuer(issuer));
        let jwt = self.auth_audience.iter().fold(jwt, |jwt, audience| jwt.audience(audience));
        Ok(builder.authenticate(jwt).on_denied(match self.auth_denied {
            Denial::Status => OnDenied::Status,
            Denial::Close => OnDenied::Close,
        }))
    }
}
