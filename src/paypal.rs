//! What PayPal signs: verified by its published method, without asking PayPal or anybody else.
//!
//! PayPal signs `transmission id | transmission time | webhook id | CRC-32 of the raw body` by RSA with
//! SHA-256. It also names the address of its certificate; nothing is fetched from there, since anybody can
//! name an address. The certificates are the operator's to give, as files; each must be valid at the time
//! and lead to a trusted root, or it proves nothing. This knows no event, and decides nothing about what
//! was told.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clipqueue_entities::Timestamp;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject as _};
use webpki::{EndEntityCert, KeyUsage};

use crate::config;

/// The one algorithm.
const ALGORITHM: &str = "SHA256withRSA";
/// Names of certificates are not longer than this.
const MAX_NAME: usize = 64;

/// What PayPal sends beside the body.
#[derive(Clone, Debug)]
pub struct Transmission {
    /// `PAYPAL-TRANSMISSION-ID`.
    pub id: String,
    /// `PAYPAL-TRANSMISSION-TIME`.
    pub time: String,
    /// `PAYPAL-CERT-URL`: read for the log alone.
    pub certificate: String,
    /// `PAYPAL-AUTH-ALGO`.
    pub algorithm: String,
    /// `PAYPAL-TRANSMISSION-SIG`.
    pub signature: String,
}

impl Transmission {
    /// What PayPal calls its certificate: the last part of the address, if it is a plain word.
    pub fn certificate_name(&self) -> Option<&str> {
        let name = self.certificate.rsplit('/').next()?;
        let is_plain = !name.is_empty()
            && name.len() <= MAX_NAME
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        is_plain.then_some(name)
    }
}

/// Why a transmission is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// Nothing is taken from PayPal here.
    #[error("no webhook of PayPal's is configured")]
    Closed,
    /// It is signed in a way that is not known.
    #[error("the algorithm is not SHA256withRSA")]
    Algorithm,
    /// No certificate that is configured is valid now and leads to a trusted root.
    #[error("no configured certificate is to be trusted now")]
    Certificate,
    /// The body, or what is beside it, is not what the owner of a configured certificate signed.
    #[error("the signature fits no configured certificate")]
    Signature,
}

/// A certificate, and what leads from it to a root.
#[derive(Debug)]
struct Chain {
    file: PathBuf,
    certificates: Vec<CertificateDer<'static>>,
}

/// Knows PayPal's signature.
#[derive(Clone, Debug)]
pub struct Signatures {
    webhook_id: Option<String>,
    chains: Arc<Vec<Chain>>,
    anchors: Arc<Vec<TrustAnchor<'static>>>,
}

impl Signatures {
    /// By the configuration, which names the files of certificates and may name roots of its own.
    pub fn new(config: &config::Paypal) -> anyhow::Result<Self> {
        let anchors = match &config.roots {
            None => webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            Some(path) => {
                let roots = read(path)?;
                let anchor = |root| {
                    let anchor = webpki::anchor_from_trusted_cert(root);
                    let anchor = anchor.context("it holds something that is no root")?;
                    Ok(anchor.to_owned())
                };
                let anchors: anyhow::Result<_> = roots.iter().map(anchor).collect();
                anchors.with_context(|| format!("reading {}", path.display()))?
            }
        };
        let chains: anyhow::Result<Vec<Chain>> = config
            .certificates
            .iter()
            .map(|path| {
                Ok(Chain {
                    file: path.clone(),
                    certificates: read(path)?,
                })
            })
            .collect();
        Ok(Self {
            webhook_id: config.webhook_id.clone(),
            chains: Arc::new(chains?),
            anchors: Arc::new(anchors),
        })
    }

    /// Whether `body` is PayPal's, at `now`.
    pub fn verify(
        &self,
        transmission: &Transmission,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), NotBelieved> {
        let webhook = self.webhook_id.as_ref().ok_or(NotBelieved::Closed)?;
        if transmission.algorithm != ALGORITHM {
            return Err(NotBelieved::Algorithm);
        }
        let Ok(signature) = STANDARD.decode(&transmission.signature) else {
            return Err(NotBelieved::Signature);
        };
        let (id, time) = (&transmission.id, &transmission.time);
        let message = format!("{id}|{time}|{webhook}|{}", crc32fast::hash(body));
        let mut why = NotBelieved::Certificate;
        for chain in self.chains.iter() {
            let Some(leaf) = self.trusted(chain, now) else {
                continue;
            };
            let algorithm = webpki::ring::RSA_PKCS1_2048_8192_SHA256;
            let signed = leaf.verify_signature(algorithm, message.as_bytes(), &signature);
            if signed.is_ok() {
                return Ok(());
            }
            why = NotBelieved::Signature;
        }
        Err(why)
    }

    /// Files whose certificate proves nothing at `at`: it has ended, or leads to no trusted root.
    pub fn untrusted(&self, at: Timestamp) -> Vec<&Path> {
        let chains = self.chains.iter();
        chains
            .filter(|chain| self.trusted(chain, at).is_none())
            .map(|chain| chain.file.as_path())
            .collect()
    }

    fn trusted<'a>(&self, chain: &'a Chain, at: Timestamp) -> Option<EndEntityCert<'a>> {
        let (leaf, between) = chain.certificates.split_first()?;
        let leaf = EndEntityCert::try_from(leaf).ok()?;
        let secs = u64::try_from(at.as_millis() / 1000).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let is_trusted = leaf
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &self.anchors,
                between,
                at,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .is_ok();
        is_trusted.then_some(leaf)
    }
}

/// The certificates of a PEM file.
fn read(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let reading = || format!("reading {}", path.display());
    let pem = fs::read(path).with_context(reading)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all
        .context("it holds something that is no certificate")
        .with_context(reading)?;
    anyhow::ensure!(!all.is_empty(), "{} holds no certificate", path.display());
    Ok(all)
}
