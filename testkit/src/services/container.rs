//! A service as a container that testcontainers started, that can be killed, started again on its data and held.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{self, ContainerRequest, ImageExt};

use super::background::PATIENCE;
use super::guardian::{self, Guardian};
use super::image::{Image, docker};

/// The label with the guardian's process id.
const GUARDIAN: &str = "slipstream.guardian";
/// The label with the set of processes in which that id has a meaning.
const HOME: &str = "slipstream.home";

/// A running container, guarded: it is removed when this value or this process is gone.
#[derive(Debug)]
pub(super) struct Container {
    name: String,
    _guardian: Guardian,
}

impl Container {
    /// Starts `request` with `image` instead of its own, its port `inside` at 127.0.0.1:`outside`, and waits for
    /// the image's signs of readiness.
    pub(super) async fn start_new<I: testcontainers::Image>(
        request: ContainerRequest<I>,
        image: &Image,
        (inside, outside): (u16, u16),
    ) -> Result<Container> {
        remove_leftovers().await?;
        let name = format!("{}{:012x}", guardian::PREFIX, rand::rng().random_range(0..1_u64 << 48));
        let guardian = Guardian::new("docker rm --force --volumes \"$1\"", &[&name])?;
        let request = request
            .with_name(&image.name)
            .with_tag(&image.tag)
            .with_container_name(&name)
            .with_labels([(GUARDIAN, guardian.id().to_string()), (HOME, home())])
            .with_mapped_port(outside, inside.into())
            .with_host_config_modifier(|config| {
                let bindings = config.port_bindings.iter_mut().flat_map(|ports| ports.values_mut());
                for binding in bindings.flatten().flatten() {
                    binding.host_ip = Some("127.0.0.1".to_owned());
                }
            })
            .with_startup_timeout(PATIENCE);
        let started = request.start().await;
        let started = started.with_context(|| format!("starting a container of {image}"))?;
        // The guardian removes it; dropping the handle would do it on whatever runtime the caller happens to be.
        std::mem::forget(started);
        Ok(Container { name, _guardian: guardian })
    }

    /// kill -9 of its processes.
    pub(super) async fn kill(&self) -> Result<()> {
        docker(&["kill", &self.name]).await?;
        docker(&["wait", &self.name]).await.map(drop)
    }

    /// Starts it again on the data that it had.
    pub(super) async fn start(&self) -> Result<()> {
        docker(&["start", &self.name]).await.map(drop)
    }

    /// Holds its processes (the freezer's SIGSTOP).
    pub(super) async fn stop(&self) -> Result<()> {
        docker(&["pause", &self.name]).await.map(drop)
    }

    /// Resumes them.
    pub(super) async fn cont(&self) -> Result<()> {
        docker(&["unpause", &self.name]).await.map(drop)
    }

    /// An error, with the end of its output, if it has ended.
    pub(super) async fn still_runs(&self) -> Result<()> {
        let runs = docker(&["inspect", "--format", "{{.State.Running}}", &self.name]).await?;
        ensure!(runs == "true", "the container ended:\n{}", self.last_words());
        Ok(())
    }

    /// The end of its output.
    pub(super) fn last_words(&self) -> String {
        let said = Command::new("docker").args(["logs", "--tail", "40", &self.name]).output();
        said.map(|said| String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()).unwrap_or_default()
    }
}

/// The boot and the process namespace in which we are: elsewhere a process id says nothing about our guardians.
fn home() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), space.display())
}

/// Removes containers of this home whose guardian is gone.
async fn remove_leftovers() -> Result<()> {
    let format = format!("{{{{.ID}}}}\t{{{{.Label {GUARDIAN:?}}}}}\t{{{{.Label {HOME:?}}}}}");
    let filter = format!("label={GUARDIAN}");
    let all = docker(&["ps", "--all", "--no-trunc", "--filter", &filter, "--format", &format]).await?;
    let home = home();
    let fields = all.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let orphans: HashSet<String> = fields
        .filter(|fields| fields.len() == 3 && fields[2] == home && !guardian::watches(fields[1]))
        .map(|fields| fields[0].to_owned())
        .collect();
    for id in orphans {
        // Someone else may be removing it just now, which is as good.
        let _removed = docker(&["rm", "--force", "--volumes", &id]).await;
    }
    Ok(())
}
