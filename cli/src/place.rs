//! From flags, variables and the file to where an installation is, for the commands that are not `run`.

use anyhow::Result;
use slipstream_runtime::config::{Config, Overrides};

use crate::args::Place;
use crate::parts;

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

    /// The configuration for commands that look at the installation, or work on it without being a role.
    ///
    /// # Errors
    /// When the file cannot be read, or with every mistake there is.
    pub fn load(&self) -> Result<Config> {
        Ok(Config::load_checked(self.config.as_deref(), std::env::vars(), self.overrides(), parts::mistakes)?)
    }

    /// The flags that lead another command to the same installation; empty where it finds it without. What may be
    /// secret is left out.
    pub fn flags(&self) -> String {
        let path = |p: &std::path::PathBuf| p.display().to_string();
        let store = self.store.as_ref().map(|store| match store.starts_with("postgres") {
            true => "postgres://...".to_owned(),
            false => store.clone(),
        });
        let given = [
            ("config", self.config.as_ref().map(path)),
            ("data", self.data.as_ref().map(path)),
            ("log", self.log.clone()),
            ("store", store),
        ];
        given.into_iter().filter_map(|(name, value)| value.map(|value| format!(" --{name} {value}"))).collect()
    }
}
