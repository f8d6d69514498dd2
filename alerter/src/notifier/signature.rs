//! Signatures of notifications, by Standard Webhooks (standard-webhooks/standard-webhooks, spec): an id, the time, and the HMAC-SHA256 of
//! both with the body, once with each secret, so that one can replace another.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use reqwest::header::{HeaderName, HeaderValue};
use ring::digest;
use ring::hmac;
use slipstream_runtime::config::Secret;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What secrets begin with, mostly.
const PREFIX: &str = "whsec_";
/// Shortest secret, bytes: what the specification asks for.
const SHORTEST: usize = 24;
/// With or without padding, as its libraries write it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Signs with each of its secrets.
#[derive(Default)]
pub struct Signer(Vec<hmac::Key>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.0.len()).finish()
    }
}

impl Signer {
    /// For the secrets in a text, one a line, in base64; none: nothing is signed.
    ///
    /// # Errors
    /// Which line is none; the secret is not repeated.
    pub fn new(secrets: Option<&Secret>) -> Result<Signer, String> {
        let lines = secrets.map_or("", Secret::reveal).lines().map(str::trim).enumerate();
        let keys = lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
            let encoded = line.strip_prefix(PREFIX).unwrap_or(line);
            let key = LENIENT.decode(encoded).ok().filter(|key| key.len() >= SHORTEST);
            let wrong = || {
                format!(
                    "line {}: expected `{PREFIX}` and at least {SHORTEST} bytes in base64, such as `openssl rand -base64 32` makes",
                    number + 1
                )
            };
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &key.ok_or_else(wrong)?))
        });
        keys.collect::<Result<_, String>>().map(Signer)
    }

    /// The headers of a body that is sent at `now`, Unix seconds. Whoever gets `keys` again gets the same id: it is a repetition.
    pub fn headers(&self, keys: &str, now: i64, body: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let id = id(keys);
        let mut signed = format!("{id}.{now}.").into_bytes();
        signed.extend_from_slice(body);
        let signature = |key: &hmac::Key| format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)));
        let signatures: Vec<String> = self.0.iter().map(signature).collect();
        let values = [(ID, id), (TIMESTAMP, now.to_string()), (SIGNATURE, signatures.join(" "))];
        // Letters, digits and what base64 has.
        values.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text).ok()?))).collect()
    }
}

/// `msg_` and a hash of the keys: an id has no dots, and is short.
fn id(keys: &str) -> String {
    let hash = digest::digest(&digest::SHA256, keys.as_bytes());
    let hex: String = hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(text: &str) -> Result<Signer, String> {
        Signer::new(Some(&Secret::new(text)))
    }

    #[test]
    fn it_signs_as_the_specification_does() {
        // The example of the specification's libraries.
        let key = signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let signature = STANDARD.encode(hmac::sign(&key.0[0], signed));
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_headers_are_of_the_body_and_its_keys() {
        let secrets = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\n  AAECAwQFBgcICQoLDA0ODxAREhMUFRYX \n";
        let signer = signer(secrets).unwrap();
        let headers = signer.headers("a/1/2/ops", 1_614_265_330, b"{}");
        let value = |name: &str| headers.iter().find(|(n, _)| n == name).unwrap().1.to_str().unwrap().to_owned();
        let (id, timestamp, signatures) = (value("webhook-id"), value("webhook-timestamp"), value("webhook-signature"));
        assert_eq!((id.len(), timestamp.as_str()), (36, "1614265330"));
        let signatures: Vec<&str> = signatures.split(' ').collect();
        let expected = |key: &hmac::Key| {
            format!("v1,{}", STANDARD.encode(hmac::sign(key, format!("{id}.{timestamp}.{{}}").as_bytes())))
        };
        assert_eq!(signatures, signer.0.iter().map(expected).collect::<Vec<_>>());
        assert_eq!(signatures.len(), 2);
        let again = signer.headers("a/1/2/ops", 1_614_265_999, b"{}");
        assert_eq!(again[0].1, headers[0].1, "the same news, the same id");
        assert_ne!(signer.headers("a/1/3/ops", 1_614_265_330, b"{}")[0].1, headers[0].1);
        assert!(Signer::default().headers("a", 0, b"").is_empty());
    }

    #[test]
    fn what_is_no_secret_is_told_by_its_line() {
        for text in ["whsec_short", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nnot base64!"] {
            let told = signer(text).unwrap_err();
            assert!(told.contains("base64") && !told.contains("short") && !told.contains("not base"), "{told}");
        }
        assert!(signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nx").unwrap_err().starts_with("line 2"));
    }
}
