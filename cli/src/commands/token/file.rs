//! A file for a token: there before the token is made, complete or not there at all, and readable only for its owner.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A file that has no token yet. Dropped like that, it is gone.
pub struct NewFile {
    file: File,
    /// Where it is until it is complete.
    draft: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Makes the file, beside the one that it becomes; that one must not be there unless it is to be replaced.
    ///
    /// # Errors
    /// When it cannot be made, or is there.
    pub fn begin(path: &Path, replace: bool) -> Result<NewFile> {
        if !replace && path.symlink_metadata().is_ok() {
            bail!("--out: {}: there already; nothing is overwritten, and no token was made", path.display());
        }
        let mut draft = path.as_os_str().to_owned();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        let doing = || format!("--out: making {}", path.display());
        // One that a process left behind that was killed.
        match fs::remove_file(&draft) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e).with_context(doing),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).with_context(doing)?;
        Ok(NewFile { file, draft, path: path.to_owned() })
    }

    /// Writes the token.
    ///
    /// # Errors
    /// When it cannot be written: the token is lost then.
    pub fn finish(mut self, token: &str) -> Result<()> {
        let lost = format!("writing the token to {}; revoke it, and make another one", self.path.display());
        self.write(token).context(lost)
    }

    fn write(&mut self, token: &str) -> io::Result<()> {
        self.file.write_all(format!("{token}\n").as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.draft, &self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Complete, it has its own name.
        let _ = fs::remove_file(&self.draft);
    }
}
