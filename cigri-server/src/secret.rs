//! Tokens at rest: sealed with a key that lives outside the database.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file is unreadable, or cannot be made.
    #[error("cannot use the key file {path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file does not hold 32 bytes.
    #[error("the key file {0} does not hold {KEY_BYTES} bytes")]
    Length(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// The sealed text was made with another key, or is damaged.
    #[error("a stored token cannot be opened with this key: add the token again")]
    Open,
}

/// Seals and opens tokens (XChaCha20-Poly1305, a random nonce before each text).
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    key: [u8; KEY_BYTES],
}

impl Sealer {
    /// Reads the key file, making it (mode 0600) if it is missing.
    pub(crate) fn open(path: &Path) -> Result<Sealer, SecretError> {
        let file = |source| SecretError::File { path: path.display().to_string(), source };
        if !path.exists() {
            let mut key = [0u8; KEY_BYTES];
            fill(&mut key)?;
            let mut new =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file)?;
            new.write_all(&key).and_then(|()| new.sync_all()).map_err(file)?;
        }
        let bytes = std::fs::read(path).map_err(file)?;
        let key: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| SecretError::Length(path.display().to_string()))?;
        Ok(Sealer { cipher: XChaCha20Poly1305::new(&Key::from(key)), key })
    }

    /// The key itself, for signing what only this machine checks (local clusters' tokens).
    pub(crate) fn key(&self) -> Vec<u8> {
        self.key.to_vec()
    }

    pub(crate) fn seal(&self, text: &str) -> Result<Vec<u8>, SecretError> {
        let mut nonce = [0u8; NONCE_BYTES];
        fill(&mut nonce)?;
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), text.as_bytes()).map_err(|_| SecretError::Open)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn unseal(&self, sealed: &[u8]) -> Result<String, SecretError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(SecretError::Open)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SecretError::Open)?;
        let text = self.cipher.decrypt(&XNonce::from(nonce), body).map_err(|_| SecretError::Open)?;
        String::from_utf8(text).map_err(|_| SecretError::Open)
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), SecretError> {
    getrandom::fill(bytes).map_err(|_| SecretError::Random)
}

/// What every key check holds: whoever opens it has the database's key.
const KEY_CHECK: &str = "the key of this CiGri database";

impl Sealer {
    /// A text that only this key opens.
    pub(crate) fn key_check(&self) -> Result<Vec<u8>, SecretError> {
        self.seal(KEY_CHECK)
    }

    /// Whether a key check was made with this key.
    pub(crate) fn passes(&self, check: &[u8]) -> bool {
        self.unseal(check).is_ok_and(|text| text == KEY_CHECK)
    }
}

/// 64 random bits.
pub(crate) fn nonce() -> Result<u64, SecretError> {
    let mut bytes = [0u8; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_and_only_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let sealed = sealer.seal("secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let again = Sealer::open(&folder.path().join("key")).unwrap();
        assert_eq!(again.unseal(&sealed).unwrap(), "secret");
        let other = Sealer::open(&folder.path().join("other")).unwrap();
        assert!(matches!(other.unseal(&sealed), Err(SecretError::Open)));
        assert!(matches!(other.unseal(b"short"), Err(SecretError::Open)));
        let check = sealer.key_check().unwrap();
        assert_eq!((again.passes(&check), other.passes(&check), again.passes(&sealed)), (true, false, false));
    }
}
