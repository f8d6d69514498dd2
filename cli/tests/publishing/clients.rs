//! The programs of `examples/publish`, and what each needs to run.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;

/// A program of `examples/publish`.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    PythonAvro,
    PythonJson,
    Kcat,
    #[cfg(feature = "foreign-clients")]
    Java,
    #[cfg(feature = "foreign-clients")]
    Go,
    #[cfg(feature = "foreign-clients")]
    Node,
}

impl Client {
    pub fn name(self) -> &'static str {
        match self {
            Client::PythonAvro => "python-avro",
            Client::PythonJson => "python-json",
            Client::Kcat => "kcat",
            #[cfg(feature = "foreign-clients")]
            Client::Java => "java",
            #[cfg(feature = "foreign-clients")]
            Client::Go => "go",
            #[cfg(feature = "foreign-clients")]
            Client::Node => "node",
        }
    }

    /// Runs it to its end.
    pub async fn run(self, bootstrap: &str, topic: &str, arguments: &[&str]) -> Output {
        let mut command = match self {
            Client::PythonAvro => python("python_avro.py").await,
            Client::PythonJson => python("python_json.py").await,
            Client::Kcat => Command::new(examples().join("kcat.sh")),
            #[cfg(feature = "foreign-clients")]
            Client::Java => return elsewhere::java(bootstrap, topic).await,
            #[cfg(feature = "foreign-clients")]
            Client::Go => return elsewhere::go(bootstrap, topic).await,
            #[cfg(feature = "foreign-clients")]
            Client::Node => return elsewhere::node(bootstrap, topic).await,
        };
        command.args(["--bootstrap", bootstrap, "--topic", topic]).args(arguments);
        output(&mut command).await
    }
}

/// The folder of the examples.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/publish")
}

async fn output(command: &mut Command) -> Output {
    command.kill_on_drop(true).output().await.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A step of preparation, which has to succeed.
async fn prepare(command: &mut Command, needs: &str) {
    let ran = command.kill_on_drop(true).output().await;
    let ran = ran.unwrap_or_else(|error| panic!("{command:?}: {error}; this test needs {needs}"));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}\nthis test needs {needs}");
}

/// An example in Python, in an environment with what it requires.
async fn python(file: &str) -> Command {
    let mut command = Command::new(environment().await.join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(examples().join(file));
    command
}

/// A virtual environment with the packages of requirements.txt, kept under the target directory by their hash.
async fn environment() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    static READY: OnceLock<PathBuf> = OnceLock::new();
    let _turn = ONE_AT_A_TIME.lock().await;
    if let Some(ready) = READY.get() {
        return ready.clone();
    }
    let requirements = examples().join("requirements.txt");
    let hash: String =
        Sha256::digest(std::fs::read(&requirements).unwrap()).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{hash}"));
    if !kept.exists() {
        // Made aside and moved when it is whole: another process may be at it, too.
        let aside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let made = aside.path().join("venv");
        let needs =
            "Python 3 with venv and pip (Debian: python3-venv) and a package index; `scripts/setup test` installs them";
        prepare(Command::new("python3").args(["-m", "venv"]).arg(&made), needs).await;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        prepare(Command::new(made.join("bin/python")).args(pip).arg(&requirements), needs).await;
        if let Err(error) = std::fs::rename(&made, &kept) {
            assert!(kept.exists(), "moving the environment to {}: {error}", kept.display());
        }
    }
    READY.get_or_init(|| kept).clone()
}

/// Clients whose tools are asked for only where `foreign-clients` is.
#[cfg(feature = "foreign-clients")]
mod elsewhere {
    use super::*;

    fn schema() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/avsc/request_event.avsc")
    }

    pub async fn java(bootstrap: &str, topic: &str) -> Output {
        let jars = Path::new(env!("CARGO_TARGET_TMPDIR")).join("publish-jars");
        let folder = examples().join("java");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies"]).arg(format!("-DoutputDirectory={}", jars.display()));
        prepare(maven.current_dir(&folder), "a JDK and Maven").await;
        let mut command = Command::new("java");
        command.arg("-cp").arg(format!("{}/*", jars.display())).arg(folder.join("Publish.java"));
        output(command.args([bootstrap, topic]).arg(schema())).await
    }

    pub async fn go(bootstrap: &str, topic: &str) -> Output {
        let mut command = Command::new("go");
        output(command.current_dir(examples().join("go")).args(["run", ".", bootstrap, topic]).arg(schema())).await
    }

    pub async fn node(bootstrap: &str, topic: &str) -> Output {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("publish-node");
        std::fs::create_dir_all(&folder).unwrap();
        for file in ["package.json", "publish.js"] {
            std::fs::copy(examples().join("node").join(file), folder.join(file)).unwrap();
        }
        prepare(Command::new("npm").args(["install", "--silent"]).current_dir(&folder), "Node and npm").await;
        output(Command::new("node").current_dir(&folder).args(["publish.js", bootstrap, topic])).await
    }
}
