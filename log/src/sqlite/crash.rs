//! What a kill -9 would leave behind, for the conformance suite: an image of the files as they stand.

use std::path::{Path, PathBuf};

/// Copies the database and its write-ahead log into `crash-image` beside it.
///
/// # Panics
/// When the files cannot be copied: the test cannot continue.
pub(super) fn image(file: &Path) {
    let into = directory(file);
    let copied = std::fs::create_dir_all(&into).and_then(|()| {
        for suffix in ["", "-wal"] {
            let mut from = file.as_os_str().to_owned();
            from.push(suffix);
            let from = PathBuf::from(from);
            if let (true, Some(name)) = (from.exists(), from.file_name()) {
                std::fs::copy(&from, into.join(name))?;
            }
        }
        Ok(())
    });
    if let Err(error) = copied {
        panic!("the crash image of {} cannot be made: {error}", file.display());
    }
}

/// Where the image of a database goes.
pub(super) fn directory(file: &Path) -> PathBuf {
    file.with_file_name("crash-image")
}
