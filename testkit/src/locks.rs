//! File locks, as the kernel lists them.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many locks this process has on a file (proc(5)).
///
/// # Errors
/// When the file or the list cannot be read.
pub fn on(file: &Path) -> io::Result<usize> {
    let inode = file.metadata()?.ino().to_string();
    let me = std::process::id().to_string();
    let locks = std::fs::read_to_string("/proc/locks")?;
    let ours = |line: &&str| {
        let mut fields = line.split_whitespace().skip(4);
        fields.next() == Some(&me) && fields.next().and_then(|place| place.rsplit(':').next()) == Some(&inode)
    };
    Ok(locks.lines().filter(ours).count())
}
