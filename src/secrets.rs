//! Sealing at rest and keyed hashes.
//!
//! One master key (configuration) is stretched by HKDF-SHA-256 into purpose keys. The wrapping key
//! wraps one random data key per TikTok account; the data key seals that account's tokens with
//! XChaCha20-Poly1305. What a sealed value belongs to (table, column, row, version) is bound to it
//! as associated data, so that a value copied to another row does not open. Destroying an account's
//! wrapped data key makes everything sealed under it unreadable.
//!
//! A sealed value is `version (1) ‖ nonce (24) ‖ ciphertext and tag`. Nothing here can print a key.

use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use clipqueue_entities::{AccountId, ErasureId, Sealed};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// The only layout of sealed values so far.
const FORMAT: u8 = 1;
/// Bytes of an XChaCha20 nonce; random ones never repeat in practice.
const NONCE: usize = 24;

/// A value could not be opened: another key, another row, or damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with this master key")]
pub struct CannotOpen;

/// What a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's key as text.
    pub row: &'a str,
    /// The row's generation, so that an old value cannot be put back.
    pub version: i64,
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        format!(
            "clipqueue\0{}\0{}\0{}\0{}",
            self.table, self.column, self.row, self.version
        )
        .into_bytes()
    }
}

/// 32 secret bytes.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    fn random() -> Self {
        Self(random_bytes())
    }

    /// The bytes, for a primitive that needs them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `plaintext` for `place`.
    pub fn seal(&self, place: Place<'_>, plaintext: &[u8]) -> Sealed {
        let nonce: [u8; NONCE] = random_bytes();
        let sealed = XChaCha20Poly1305::new(&self.0.into())
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plaintext,
                    aad: &place.associated_data(),
                },
            )
            .expect("a value in memory is far below the cipher's limit");
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Sealed(out)
    }

    /// Opens what [`Key::seal`] made for the same `place`.
    pub fn open(
        &self,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (&format, rest) = sealed.0.split_first().ok_or(CannotOpen)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(CannotOpen)?;
        if format != FORMAT {
            return Err(CannotOpen);
        }
        XChaCha20Poly1305::new(&self.0.into())
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: body,
                    aad: &place.associated_data(),
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| CannotOpen)
    }

    /// [`Key::open`] for texts.
    pub fn open_text(&self, place: Place<'_>, sealed: &Sealed) -> Result<SecretString, CannotOpen> {
        let bytes = self.open(place, sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| CannotOpen)?;
        Ok(SecretString::from(text.to_owned()))
    }

    /// HMAC-SHA-256 of `message` under this key.
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any size");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// The purpose keys that come from the master key.
#[derive(Clone, Debug)]
pub struct Vault {
    id: String,
    wrapping: Key,
    application: Key,
    api_keys: Key,
    sessions: Key,
    uploads: Key,
    pulls: Key,
    erasures: Key,
    receipts: Key,
    names: Key,
}

impl Vault {
    /// From the configured master key: 64 hexadecimal digits, checked by the configuration.
    pub fn new(master_key: &SecretString) -> Result<Self, hex::FromHexError> {
        let mut master = Zeroizing::new([0_u8; 32]);
        hex::decode_to_slice(master_key.expose_secret(), master.as_mut_slice())?;
        let derived = Hkdf::<Sha256>::new(None, master.as_slice());
        let key = |purpose: &str| {
            let mut key = Key([0; 32]);
            derived
                .expand(purpose.as_bytes(), &mut key.0)
                .expect("32 bytes are a valid length for HKDF-SHA-256");
            key
        };
        let id = hex::encode(&key("clipqueue/id").0[..8]);
        Ok(Self {
            id,
            wrapping: key("clipqueue/wrap-account-keys"),
            application: key("clipqueue/application"),
            api_keys: key("clipqueue/api-keys"),
            sessions: key("clipqueue/console-sessions"),
            uploads: key("clipqueue/upload-addresses"),
            pulls: key("clipqueue/pull-addresses"),
            erasures: key("clipqueue/erasures"),
            receipts: key("clipqueue/receipts"),
            names: key("clipqueue/names"),
        })
    }

    /// A public name of the master key, to tell which key sealed a row.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals values that belong to no account.
    pub fn application(&self) -> &Key {
        &self.application
    }

    /// Signs upload addresses.
    pub fn uploads(&self) -> &Key {
        &self.uploads
    }

    /// The signature of an address that TikTok fetches from.
    pub fn sign_pull(&self, body: &[u8]) -> [u8; 32] {
        self.pulls.mac(body)
    }

    /// Whether `signature` is that of `body`, in constant time.
    pub fn pull_is_signed(&self, body: &[u8], signature: &[u8]) -> bool {
        self.pulls.mac(body).as_slice().ct_eq(signature).into()
    }

    /// What stands for somebody who was erased: nobody without the master key can tell who it was.
    pub fn tombstone(&self, kind: &str, id: &str) -> String {
        hex::encode(
            self.erasures
                .mac(format!("tombstone\0{kind}\0{id}").as_bytes()),
        )
    }

    /// The confirmation code of an erasure. It is stored nowhere: it follows from the erasure's id.
    pub fn erasure_code(&self, id: ErasureId) -> String {
        let mac = self.erasures.mac(format!("code\0{id}").as_bytes());
        hex::encode(&mac[..16])
    }

    /// The seed of the key that signs receipts.
    pub fn receipt_seed(&self) -> &[u8; 32] {
        self.receipts.expose()
    }

    /// What stands for `text` where the text itself is not stored: nobody without the master key can tell.
    pub fn keyed(&self, purpose: &str, text: &str) -> String {
        hex::encode(self.names.mac(format!("{purpose}\0{text}").as_bytes()))
    }

    /// What is stored of an API key's secret.
    pub fn api_key_hash(&self, secret: &[u8]) -> Sealed {
        Sealed(self.api_keys.mac(secret).to_vec())
    }

    /// Whether `secret` belongs to a stored hash, in constant time.
    pub fn api_key_matches(&self, secret: &[u8], stored: &Sealed) -> bool {
        matches(&self.api_keys, secret, stored)
    }

    /// What is stored of a console session's secret.
    pub fn session_hash(&self, secret: &[u8]) -> Sealed {
        Sealed(self.sessions.mac(secret).to_vec())
    }

    /// Whether `secret` belongs to a stored hash, in constant time.
    pub fn session_matches(&self, secret: &[u8], stored: &Sealed) -> bool {
        matches(&self.sessions, secret, stored)
    }

    /// A new data key for an account, and its wrapped form to store.
    pub fn new_account_key(&self, account: AccountId) -> (Key, Sealed) {
        let key = Key::random();
        let row = account.to_string();
        let wrapped = self.wrapping.seal(wrapped_place(&row), &key.0);
        (key, wrapped)
    }

    /// Unwraps an account's stored data key.
    pub fn account_key(&self, account: AccountId, wrapped: &Sealed) -> Result<Key, CannotOpen> {
        let row = account.to_string();
        let bytes = self.wrapping.open(wrapped_place(&row), wrapped)?;
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| CannotOpen)?;
        Ok(Key(key))
    }
}

fn matches(key: &Key, secret: &[u8], stored: &Sealed) -> bool {
    key.mac(secret).as_slice().ct_eq(stored.0.as_slice()).into()
}

fn wrapped_place(row: &str) -> Place<'_> {
    Place {
        table: "account_keys",
        column: "wrapped",
        row,
        version: 0,
    }
}

/// `N` random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(byte: &str) -> Vault {
        Vault::new(&SecretString::from(byte.repeat(32))).unwrap()
    }

    fn place(row: &str, version: i64) -> Place<'_> {
        Place {
            table: "account_tokens",
            column: "access",
            row,
            version,
        }
    }

    #[test]
    fn a_value_opens_only_where_it_belongs() {
        let account = AccountId::new();
        let (key, wrapped) = vault("a1").new_account_key(account);
        let sealed = key.seal(place("r1", 3), b"act.secret");
        let again = vault("a1").account_key(account, &wrapped).unwrap();
        assert_eq!(
            again.open(place("r1", 3), &sealed).unwrap().as_slice(),
            b"act.secret"
        );
        assert!(again.open(place("r2", 3), &sealed).is_err());
        assert!(again.open(place("r1", 4), &sealed).is_err());
        assert!(vault("b2").account_key(account, &wrapped).is_err());
        assert!(vault("a1").account_key(AccountId::new(), &wrapped).is_err());
    }

    #[test]
    fn damage_is_noticed_and_nothing_prints() {
        let key = Key::random();
        let sealed = key.seal(place("r", 0), b"value");
        for at in 0..sealed.0.len() {
            let mut damaged = sealed.clone();
            damaged.0[at] ^= 1;
            assert!(key.open(place("r", 0), &damaged).is_err());
        }
        assert!(key.open(place("r", 0), &Sealed(vec![])).is_err());
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
