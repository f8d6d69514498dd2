//! Docker images for services: one that was named, one that is there, one from a registry, or one built on the spot.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::timeout;

use super::way;

/// How long a registry may take to send an image.
const PULL: Duration = Duration::from_secs(300);
/// How long a daemon may take to say something about itself.
const ANSWER: Duration = Duration::from_secs(10);

/// The name and the tag of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) tag: String,
}

/// What an image is looked for by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The variable in which another image can be named.
    pub(super) variable: &'static str,
    /// The official image, `NAME:TAG`.
    pub(super) official: &'static str,
    /// The argument of `images/build` that builds one if the official image is not available.
    pub(super) built: Option<&'static str>,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

impl Image {
    fn parse(text: &str) -> Result<Image> {
        let (name, tag) = text.rsplit_once(':').with_context(|| format!("an image is NAME:TAG, not {text}"))?;
        Ok(Image { name: name.to_owned(), tag: tag.to_owned() })
    }
}

impl Wanted {
    /// Finds, pulls or builds it.
    pub(super) async fn get(&self) -> Result<Image> {
        if let Some(named) = way::given(self.variable)? {
            return Image::parse(&named);
        }
        if docker(&["image", "inspect", self.official]).await.is_ok() {
            return Image::parse(self.official);
        }
        if let Some(built) = self.built
            && let Ok(there) = way::script("build", &["--find", built]).await
        {
            return Image::parse(&there);
        }
        let pulled = timeout(PULL, docker(&["pull", "--quiet", self.official])).await;
        match (pulled.context("the registry took too long").flatten(), self.built) {
            (Ok(_), _) => Image::parse(self.official),
            (Err(error), None) => Err(error.context(format!("pulling {}", self.official))),
            (Err(error), Some(built)) => {
                let made = way::script("build", &[built]).await;
                let made = made.with_context(|| format!("after {} could not be pulled ({error:#})", self.official))?;
                Image::parse(&made)
            }
        }
    }
}

/// Whether a Docker daemon is running.
pub(super) async fn daemon_answers() -> Result<()> {
    let asked = timeout(ANSWER, docker(&["version", "--format", "{{.Server.Version}}"])).await;
    asked.context("the Docker daemon took too long").flatten().map(drop)
}

/// Runs Docker's command and returns its output.
pub(super) async fn docker(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ran = command.output().await.context("running docker")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        bail!("docker {}: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
