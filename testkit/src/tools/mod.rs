//! Programs of others that tests run, each installed once into the user's cache and used from there. Versions and hashes are
//! pinned by the files in `testkit/tools`; a change of those installs anew.

mod receivers;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

pub use receivers::{adlermanager, alerta, alertmanager, alertmanager_of_debian, irc_relay, readers};

const PACKAGE: &str = include_str!("../../tools/newman/package.json");
const PACKAGE_LOCK: &str = include_str!("../../tools/newman/package-lock.json");
const REQUIREMENTS: &str = include_str!("../../tools/schemathesis/requirements.txt");

/// newman, which runs Postman collections. Needs Node.js with npm.
///
/// # Errors
/// When it cannot be installed.
pub fn newman() -> Result<PathBuf> {
    let home = installed("newman", &[PACKAGE, PACKAGE_LOCK], |home| {
        fs::write(home.join("package.json"), PACKAGE)?;
        fs::write(home.join("package-lock.json"), PACKAGE_LOCK)?;
        let quietly = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        done(Command::new("npm").args(quietly).current_dir(home), "apt-get install npm")
    })?;
    Ok(home.join("node_modules/.bin/newman"))
}

/// Schemathesis, which tests an API by its OpenAPI document. Needs Python 3 with venv.
///
/// # Errors
/// When it cannot be installed.
pub fn schemathesis() -> Result<PathBuf> {
    let home = python("schemathesis", REQUIREMENTS)?;
    Ok(home.join("venv/bin/schemathesis"))
}

/// The folder with a `venv` that has what these requirements list.
fn python(name: &str, requirements: &str) -> Result<PathBuf> {
    installed(name, &[requirements], |home| {
        let list = home.join("requirements.txt");
        fs::write(&list, requirements)?;
        let venv = [OsStr::new("-m"), OsStr::new("venv"), home.join("venv").as_os_str()].map(OsStr::to_owned);
        done(Command::new("python3").args(venv), "apt-get install python3-venv")?;
        let mut pip = Command::new(home.join("venv/bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"]);
        done(pip.arg(&list), "is a package index reachable?")
    })
}

/// The folder of a program that is installed as these texts say. Several tests may ask at once, in several processes: one
/// installs, the others wait.
fn installed(name: &str, pinned: &[&str], install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let cache = Path::new(&home).join(".cache/slipstream");
    fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
    let mut hasher = DefaultHasher::new();
    pinned.hash(&mut hasher);
    let folder = cache.join(format!("{name}-{:012x}", hasher.finish() >> 16));
    let lock = File::create(cache.join(format!("{name}.lock"))).context("creating a lock in the cache")?;
    lock.lock().context("waiting for another test that installs")?;
    let complete = folder.join("complete");
    if !complete.exists() {
        // What a killed test left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        install(&folder).with_context(|| format!("installing {name} into {}", folder.display()))?;
        fs::write(&complete, "")?;
    }
    Ok(folder)
}

fn done(command: &mut Command, advice: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("starting {program} ({advice})"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} ended with {}: {said} ({advice})", output.status);
    Ok(())
}
