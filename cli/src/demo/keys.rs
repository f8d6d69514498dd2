//! The demo's one key: Enter, on a terminal.

use std::io::IsTerminal;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

/// Lines from a terminal, if there is one.
pub struct Keys(Option<Lines<BufReader<Stdin>>>);

impl Keys {
    /// Whether there is someone to press a key.
    pub fn wanted(headless: bool) -> bool {
        !headless && std::io::stdin().is_terminal()
    }

    /// Listens if there is someone to press a key.
    pub fn listen(headless: bool) -> Self {
        Keys(Self::wanted(headless).then(|| BufReader::new(stdin()).lines()))
    }

    /// Resolves when Enter was pressed.
    pub async fn pressed(&mut self) {
        if let Some(lines) = &mut self.0
            && let Ok(Some(_)) = lines.next_line().await
        {
            return;
        }
        self.0 = None;
        std::future::pending().await
    }
}
