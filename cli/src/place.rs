//! Finds an installation by flags, variables and the file, for the commands other than `run`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use slipstream_definitions::openslo::Loaded;
use slipstream_runtime::config::{Config, Overrides};

use crate::args::{Place, as_argument};
use crate::{definitions, output, parts};

/// Says which variables nothing reads.
pub fn say_ignored(config: &Config) {
    for ignored in &config.ignored {
        output::say(format_args!("warning: {ignored}"));
    }
}

impl Place {
    /// What the flags say.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data: self.data.as_deref().map(|path| path.display().to_string()),
            log: self.log.clone(),
            store: self.store.clone(),
            ..Overrides::default()
        }
    }

    /// The configuration for commands that look at the installation, or work on it without being a role. Says which
    /// variables are ignored.
    ///
    /// # Errors
    /// When the file cannot be read, or with every mistake there is.
    pub fn load(&self) -> Result<Config> {
        let config =
            Config::load_checked(self.config.as_deref(), std::env::vars_os(), self.overrides(), parts::mistakes)?;
        say_ignored(&config);
        Ok(config)
    }

    /// [`Place::load`], and definitions for it. What is wrong with either is said at once.
    ///
    /// # Errors
    /// As for [`Place::load`], and when a definition is wrong.
    pub fn load_with(&self, slos: &[PathBuf]) -> Result<(Config, Loaded)> {
        let loaded = definitions::load_valid(slos);
        both(self.load(), loaded)
    }

    /// The flags that lead another command to the same installation; empty where it finds it without. What may be
    /// secret is left out.
    pub fn flags(&self) -> String {
        let store = self.store.as_ref().map(|store| match store.starts_with("postgres") {
            true => "postgres://...".to_owned(),
            false => as_argument(store),
        });
        let given = [
            self.config.as_ref().map(|file| flag("config", file)),
            self.data.as_ref().map(|folder| flag("data", folder)),
            self.log.as_ref().map(|log| format!(" --log {}", as_argument(log))),
            store.map(|store| format!(" --store {store}")),
        ];
        given.into_iter().flatten().collect()
    }
}

/// A flag with a path, as one enters it in a shell behind a command: ` --slos 'my slos'`.
pub fn flag(name: &str, path: &Path) -> String {
    format!(" --{name} {}", as_argument(&path.display().to_string()))
}

/// Two things that were read. Where both are wrong the second is reported here, and the first is the error.
///
/// # Errors
/// When one of them is wrong.
pub fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(wrong), Err(error)) => {
            output::say(format_args!("error: {}", output::causes(&error)));
            Err(wrong)
        }
        (Err(wrong), _) | (_, Err(wrong)) => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_can_be_entered_again_and_tell_no_password() {
        let place = Place {
            config: Some("my files/slipstream.yaml".into()),
            data: Some("it's here".into()),
            log: Some("sqlite:my log".to_owned()),
            store: Some("postgres://me:t0ps3cret@host/db".to_owned()),
        };
        let flags =
            r" --config 'my files/slipstream.yaml' --data 'it'\''s here' --log 'sqlite:my log' --store postgres://...";
        assert_eq!(place.flags(), flags);
        let kafka = Place { config: None, data: None, log: Some("kafka://a:9092,b:9092".to_owned()), store: None };
        assert_eq!(kafka.flags(), " --log kafka://a:9092,b:9092");
    }
}
