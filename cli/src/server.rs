//! What a command needs to speak to a server of an installation: token and certificates, from flags and variables.

use std::path::Path;

use anyhow::{Context, Result};
use slipstream_producer::server::Credentials;

use crate::args::Server;
use crate::wrong_use::WrongUse;

/// A token itself, for whom files are no way.
const TOKEN: &str = "SLIPSTREAM_TOKEN";

/// Who does something where nobody is named.
const NOBODY: &str = "slipstream";

impl Server {
    /// The token and the certificates: by flag, else by variable.
    ///
    /// # Errors
    /// When a file cannot be read, or holds something else.
    pub fn credentials(&self) -> Result<Credentials> {
        let mut credentials = Credentials::default();
        if let Some(token) = self.token()? {
            credentials = credentials.with_token(token);
        }
        if let Some(file) = &self.ca_file {
            let pem = std::fs::read(file).with_context(|| format!("--ca-file: reading {}", file.display()))?;
            credentials = credentials.with_authorities(pem);
        }
        Ok(credentials)
    }

    fn token(&self) -> Result<Option<String>> {
        match &self.token_file {
            Some(file) => of_file(file).map(Some),
            None => match std::env::var(TOKEN) {
                Ok(token) if !token.trim().is_empty() => plain(token.trim(), TOKEN).map(Some),
                _ => Ok(None),
            },
        }
    }
}

/// A token from a file, as `slipstream token create --out` writes it.
pub fn of_file(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("--token-file: reading {}", file.display()))?;
    plain(text.trim(), &file.display().to_string())
}

/// Nothing of it is quoted: it may be another secret.
fn plain(token: &str, place: &str) -> Result<String> {
    match !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(token.to_owned()),
        false => Err(WrongUse(format!("{place}: expected a token (slp_...) and nothing else")).into()),
    }
}

/// Who is at the keyboard, as far as the environment tells.
pub fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    named.unwrap_or_else(|| NOBODY.to_owned())
}
