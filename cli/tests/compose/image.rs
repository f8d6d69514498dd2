//! The image, built around a binary that cargo made, and a container of it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::folder::Compose;

/// The variable with a base image to use instead of looking for one.
const BASE: &str = "SLIPSTREAM_TEST_BASE_IMAGE";
const OFFICIAL_BASE: &str = "debian:bookworm-slim";

/// An image that is removed with this value.
pub struct Image {
    name: String,
}

impl Image {
    /// Builds it by the Dockerfile, around a binary that is there already.
    pub fn of_the_binary(binary: &str) -> Image {
        let context = tempfile::tempdir().unwrap();
        let folder = context.path().join("compose");
        fs::create_dir(&folder).unwrap();
        for file in ["Dockerfile", "healthcheck"] {
            fs::copy(Compose::original().join(file), folder.join(file)).unwrap();
        }
        fs::copy(binary, context.path().join("slipstream")).unwrap();
        let name = format!("slipstream-test/slipstream:{:08x}", rand::random::<u32>());
        let base = format!("RUNTIME_BASE={}", base());
        let file = folder.join("Dockerfile");
        let build = ["build", "--quiet", "--target", "prebuilt", "--build-arg", &base, "--tag", &name, "--file"];
        docker(build.into_iter().chain([file.to_str().unwrap(), context.path().to_str().unwrap()]));
        Image { name }
    }

    /// What another command of it prints, on the data of a volume.
    pub fn run(&self, volume: &Volume, command: &[&str]) -> String {
        let data = volume.option();
        docker(["run", "--rm", &data, &self.name].into_iter().chain(command.iter().copied()))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Left behind, it would cost disk; that is all.
        let _removed = Command::new("docker").args(["image", "rm", "--force", &self.name]).output();
    }
}

/// Debian as the registry has it, or where none answers one made on the spot.
fn base() -> String {
    if let Ok(named) = std::env::var(BASE) {
        return named;
    }
    let official = ["image inspect", "pull --quiet"].iter().any(|how| {
        let asked = Command::new("docker").args(how.split(' ')).arg(OFFICIAL_BASE).output();
        asked.is_ok_and(|asked| asked.status.success())
    });
    if official {
        return OFFICIAL_BASE.to_owned();
    }
    output(&mut Command::new(Compose::original().join("base-image")))
}

/// A volume for data that is removed with this value.
pub struct Volume {
    name: String,
}

impl Volume {
    pub fn new() -> Volume {
        let name = format!("slipstream-data-{:08x}", rand::random::<u32>());
        docker(["volume", "create", &name]);
        Volume { name }
    }

    fn option(&self) -> String {
        format!("--volume={}:/data", self.name)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _removed = Command::new("docker").args(["volume", "rm", "--force", &self.name]).output();
    }
}

/// A container that is removed with this value.
pub struct Container {
    name: String,
}

impl Container {
    /// Starts it as compose would: all that it may write to is its volume.
    pub fn run(image: &Image, volume: &Volume) -> Container {
        let name = format!("slipstream-image-{:08x}", rand::random::<u32>());
        let limits = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"];
        let data = volume.option();
        let rest = [&data, "--publish=127.0.0.1::8470", "--publish=127.0.0.1::8480", &image.name];
        docker(["run", "--detach", "--name", &name].into_iter().chain(limits).chain(rest));
        Container { name }
    }

    pub async fn until_healthy(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while docker(["inspect", "--format", "{{.State.Health.Status}}", &self.name]) != "healthy" {
            let health = || docker(["inspect", "--format", "{{json .State}}", &self.name]);
            assert!(Instant::now() < deadline, "not healthy in time: {}\n{}", health(), self.logs());
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Where a port of it is reached: `127.0.0.1:PORT`.
    pub fn published(&self, port: u16) -> String {
        docker(["port", &self.name, &format!("{port}/tcp")])
    }

    pub fn exec(&self, command: &[&str]) -> String {
        docker(["exec", &self.name].into_iter().chain(command.iter().copied()))
    }

    /// SIGTERM; its exit code.
    pub fn stop(&self) -> i32 {
        docker(["stop", "--time=30", &self.name]);
        docker(["inspect", "--format", "{{.State.ExitCode}}", &self.name]).parse().unwrap()
    }

    /// What it said on both outputs.
    pub fn logs(&self) -> String {
        let said = Command::new("docker").args(["logs", &self.name]).output().unwrap();
        String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _removed = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}

fn docker<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    output(Command::new("docker").args(arguments))
}

fn output(command: &mut Command) -> String {
    let ran = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}
