//! A program of others, in a folder of its own.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::PATIENCE;

/// It ends when it is dropped, and its folder with it.
pub struct Program {
    child: Child,
    home: TempDir,
}

impl Program {
    /// Starts it, once these files are in its folder, and waits until it listens at the port.
    pub async fn start(program: &Path, arguments: &[&str], files: &[(&str, &str)], port: u16) -> Program {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = home.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let output = File::create(home.path().join("output")).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(home.path()).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let mut program = Program { child, home };
        program.listens(port).await;
        program
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.home().join("output")).unwrap_or_default()
    }

    async fn listens(&mut self, port: u16) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}: {}", self.output());
            sleep(Duration::from_millis(100)).await;
        }
    }
}
