//! Receivers of alerts that others have written, for `make test-receivers`: from Debian, the Go proxy and PyPI.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{done, installed, python};

const ADLERMANAGER: &str = include_str!("../../tools/adlermanager/requirements.txt");
const ALERTA: &str = include_str!("../../tools/alerta/requirements.txt");
const READERS: &str = include_str!("../../tools/readers/requirements.txt");

const ALERTMANAGER: &str = "github.com/prometheus/alertmanager@v0.35.0";
const ALERTMANAGER_OF_DEBIAN: &str = "prometheus-alertmanager=0.25.0-1+b4";
const IRC_RELAY: &str = "alertmanager-irc-relay=0.4.2-1+b9";

/// It opens templates below /usr/share, which are not there, since it is not installed: it is shown those that were unpacked.
const LAUNCHER: &str = r#"#!/bin/sh
home=$(dirname "$0")
[ "$(id -u)" = 0 ] || as_root=--map-root-user
exec unshare --mount $as_root sh -c \
  'home=$0; mount --bind "$home/usr/share" /usr/share && exec "$home/usr/bin/prometheus-alertmanager" "$@"' "$home" "$@"
"#;

/// Debian's Alertmanager, the program. Needs a Debian that has this version, and the right to a mount namespace.
///
/// # Errors
/// When it cannot be installed.
pub fn alertmanager_of_debian() -> Result<PathBuf> {
    Ok(debian(ALERTMANAGER_OF_DEBIAN, LAUNCHER)?.join("launch"))
}

/// Debian's relay from Alertmanager's webhook to IRC, the program. Needs a Debian that has this version.
///
/// # Errors
/// When it cannot be installed.
pub fn irc_relay() -> Result<PathBuf> {
    Ok(debian(IRC_RELAY, "")?.join("usr/bin/alertmanager-irc-relay"))
}

/// A present Alertmanager, the program, built from the Go proxy; of its pages there is only a stub. Needs Go 1.21 or newer,
/// which fetches the Go that it wants.
///
/// # Errors
/// When it cannot be installed.
pub fn alertmanager() -> Result<PathBuf> {
    let home = installed("alertmanager", &[ALERTMANAGER], |home| {
        let source = home.join("source");
        done(Command::new("cp").arg("-r").arg(module(home)?).arg(&source), "is the disk full?")?;
        done(Command::new("chmod").args(["-R", "u+w"]).arg(&source), "whose folder is it?")?;
        // The module lacks the built pages, without which it does not compile.
        for pages in ["elm", "mantine"] {
            let folder = source.join("ui/app/dist").join(pages);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("index.html"), "")?;
        }
        let mut build = Command::new("go");
        build.args(["build", "-p", "2", "-mod=readonly", "-buildvcs=false", "-o"]).arg(home.join("alertmanager"));
        build.args(["-ldflags", "-X github.com/prometheus/common/version.Version=0.35.0", "./cmd/alertmanager"]);
        done(build.current_dir(&source), "is the Go proxy reachable?")?;
        fs::remove_dir_all(&source).context("removing the source")
    })?;
    Ok(home.join("alertmanager"))
}

/// The folder of the programs of Alerta's server, `alertad` among them. Needs Python 3 with venv.
///
/// # Errors
/// When it cannot be installed.
pub fn alerta() -> Result<PathBuf> {
    Ok(python("alerta", ALERTA)?.join("venv/bin"))
}

/// A Python that has AdlerManager, a status page. Needs Python 3 with venv.
///
/// # Errors
/// When it cannot be installed.
pub fn adlermanager() -> Result<PathBuf> {
    Ok(python("adlermanager", ADLERMANAGER)?.join("venv/bin/python"))
}

/// A Python that has a mail server (aiosmtpd) and libraries that read notifications (standardwebhooks,
/// prometheus-alert-model). Needs Python 3 with venv.
///
/// # Errors
/// When it cannot be installed.
pub fn readers() -> Result<PathBuf> {
    Ok(python("readers", READERS)?.join("venv/bin/python"))
}

/// The folder of a package that is unpacked and not installed: its service would be started. With a script `launch`, if there is one.
fn debian(package: &str, launch: &str) -> Result<PathBuf> {
    let name = package.split('=').next().unwrap_or(package);
    installed(name, &[package, launch], |home| {
        let mut fetch = Command::new("apt-get");
        fetch.args(["download", "--quiet", package]).current_dir(home);
        done(&mut fetch, "only the Debian that has this version can fetch it")?;
        let archive = archive(home)?;
        done(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(home), "is the disk full?")?;
        let launcher = home.join("launch");
        fs::write(&launcher, launch).context("writing a launcher")?;
        fs::set_permissions(&launcher, Permissions::from_mode(0o755)).context("making a launcher executable")?;
        fs::remove_file(&archive).context("removing the archive")
    })
}

fn archive(folder: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut archives = files.filter(|path| path.extension().is_some_and(|end| end == "deb"));
    archives.next().context("apt-get has left no archive")
}

/// Where Go keeps the source of the module; its hash is checked by Go's checksum database.
fn module(home: &Path) -> Result<String> {
    let mut download = Command::new("go");
    let output = download.args(["mod", "download", "-json", ALERTMANAGER]).current_dir(home).output();
    let output = output.context("starting go (apt-get install golang-go)")?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let folder = told["Dir"].as_str().map(str::to_owned);
    folder.with_context(|| format!("go mod download: {told} {}", String::from_utf8_lossy(&output.stderr)))
}
