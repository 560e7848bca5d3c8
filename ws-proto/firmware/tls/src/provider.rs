//! What TLS needs of the device: randomness, and a judgement of the server's certificate.

use embedded_tls::blocking::{Aes128GcmSha256, Certificate, CryptoProvider, NoClock, TlsVerifier};
use embedded_tls::pki::CertVerifier;
use embedded_tls::{CryptoRng, CryptoRngCore, TlsError};
use rand_core::RngCore;

/// The longest certificate of a server.
const CERTIFICATE: usize = 1024;

/// Without a clock, it can't tell whether a certificate has expired.
pub(crate) struct Provider {
    rng: Rng,
    verifier: CertVerifier<'static, Aes128GcmSha256, NoClock, CERTIFICATE>,
}

impl Provider {
    pub(crate) fn new(ca: &'static [u8], seed: u32) -> Self {
        Self { rng: Rng(seed | 1), verifier: CertVerifier::new(Certificate::X509(ca)) }
    }
}

impl CryptoProvider for Provider {
    type CipherSuite = Aes128GcmSha256;
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// Not for anything real: QEMU's board has no random numbers. A device has, and TLS is worth nothing without.
struct Rng(u32);

impl CryptoRng for Rng {}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        for byte in to {
            [*byte, ..] = self.next_u32().to_le_bytes();
        }
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}
