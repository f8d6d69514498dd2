//! A copy of the folder `compose`, as a fresh clone has it, and what compose makes of its file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A copy without what `compose/init` makes.
pub struct Compose {
    home: TempDir,
}

impl Compose {
    /// The folder of the repository.
    pub fn original() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose")
    }

    pub fn copied() -> Compose {
        let compose = Compose { home: tempfile::tempdir().unwrap() };
        fs::create_dir(compose.path()).unwrap();
        for file in ["docker-compose.yaml", "init"] {
            fs::copy(Self::original().join(file), compose.path().join(file)).unwrap();
        }
        compose
    }

    pub fn path(&self) -> PathBuf {
        self.home.path().join("compose")
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    pub fn init(&self) {
        let ran = Command::new("bash").arg(self.path().join("init")).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// `docker compose config`, or the library that compose is made of where Docker has none.
    pub fn config(&self) -> Result<Value, String> {
        let file = self.path().join("docker-compose.yaml");
        let mut command = match has_compose() {
            true => {
                let mut docker = Command::new("docker");
                docker.args(["compose", "--file"]).arg(&file).args(["config", "--format", "json"]);
                docker
            }
            false => {
                let mut go = Command::new("go");
                go.args(["run", "."]).arg(&file).current_dir(Self::original().join("config"));
                go
            }
        };
        let ran = command
            .output()
            .unwrap_or_else(|e| panic!("this test needs Docker's compose plugin or Go: {e}; run `scripts/setup test`"));
        match ran.status.success() {
            true => Ok(serde_json::from_slice(&ran.stdout).unwrap()),
            false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
        }
    }
}

/// Whether Docker has its compose plugin; Debian's has not.
fn has_compose() -> bool {
    let asked = Command::new("docker").args(["compose", "version", "--short"]).output();
    asked.is_ok_and(|asked| asked.status.success())
}
