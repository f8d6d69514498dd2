//! The text of a token: `slp_<id>_<secret>`, id and secret in lower-case hex. What is kept of the secret is its SHA-256: it
//! has 256 random bits, so nothing slower is needed to keep it from being guessed.

use std::fmt::{self, Write};
use std::io;

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use slipstream_schemas::token::is_id;

use crate::config::Secret;

const PREFIX: &str = "slp_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// The SHA-256 of a secret.
pub(super) type Hash = [u8; 32];

/// A token that was just made: the only place that ever has its secret.
pub struct NewToken {
    id: String,
    secret: Secret,
}

impl NewToken {
    /// A new one, from the operating system's random numbers.
    ///
    /// # Errors
    /// When the operating system has none.
    pub fn generate() -> io::Result<Self> {
        Ok(NewToken { id: random::<ID_BYTES>()?, secret: Secret::new(random::<SECRET_BYTES>()?) })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is kept of its secret: [`Token::hash`](slipstream_schemas::records::Token::hash).
    pub fn hash(&self) -> String {
        hex(&hashed(self.secret.reveal()))
    }

    /// Its text, for the one place that hands it out.
    pub fn text(&self) -> Secret {
        Secret::new(format!("{PREFIX}{}_{}", self.id, self.secret.reveal()))
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A token as a request has it: well formed, and perhaps nobody's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Presented<'a> {
    pub id: &'a str,
    secret: &'a str,
}

impl<'a> Presented<'a> {
    /// Reads a token; `None` if it cannot be one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        (is_id(id) && is_hex(secret, SECRET_BYTES)).then_some(Presented { id, secret })
    }

    pub(super) fn hash(self) -> Hash {
        hashed(self.secret)
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Reads what [`NewToken::hash`] wrote; `None` for anything else, which no token has.
pub(super) fn hash_of(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if !is_hex(text, hash.len()) {
        return None;
    }
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(hash)
}

fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hashed(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

fn random<const N: usize>() -> io::Result<String> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_reads_back_and_its_hash_is_that_of_its_secret() {
        let token = NewToken::generate().unwrap();
        let text = token.text();
        let presented = Presented::parse(text.reveal()).unwrap();
        assert_eq!((presented.id, hash_of(&token.hash())), (token.id(), Some(presented.hash())));
        assert_eq!(text.reveal().len(), 4 + 16 + 1 + 64);
        let another = NewToken::generate().unwrap();
        assert!(another.id() != token.id() && another.hash() != token.hash());
    }

    #[test]
    fn the_hash_is_sha_256_of_the_secret_as_it_is_written() {
        let token = NewToken { id: "0123456789abcdef".to_owned(), secret: Secret::new("ab".repeat(32)) };
        // printf %s abab...ab | sha256sum
        assert_eq!(token.hash(), "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a");
    }

    #[test]
    fn what_cannot_be_a_token_is_told_from_one() {
        let (id, secret) = ("0123456789abcdef", "ab".repeat(32));
        assert!(Presented::parse(&format!("slp_{id}_{secret}")).is_some());
        for text in [
            String::new(),
            "slp_".to_owned(),
            format!("slp_{id}"),
            format!("slp_{id}_"),
            format!("SLP_{id}_{secret}"),
            format!("slp_{id}_{}", &secret[1..]),
            format!("slp_{id}_{secret}0"),
            format!("slp_{id}_{}", secret.to_uppercase()),
            format!("slp_{}_{secret}", id.to_uppercase()),
            format!("slp_{id}x_{secret}"),
            format!(" slp_{id}_{secret}"),
        ] {
            assert_eq!(Presented::parse(&text), None, "{text}");
        }
        for hash in ["", "0", &"zz".repeat(32), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(hash_of(hash).map(|_| ()), None, "{hash}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let token = NewToken::generate().unwrap();
        let text = token.text();
        let presented = Presented::parse(text.reveal()).unwrap();
        let shown = format!("{token:?} {presented:?} {text:?}");
        assert!(shown.contains(token.id()) && !shown.contains(token.secret.reveal()), "{shown}");
    }
}
