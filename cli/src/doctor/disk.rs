//! Free space on the disk of a directory.

use std::path::Path;

use slipstream_log::kafka::admin::Finding;

const CHECK: &str = "disk";
const MIB: u64 = 1 << 20;
/// Less than this and writes fail soon.
const LEAST: u64 = 100 * MIB;
/// Less than this is worth a warning.
const LITTLE: u64 = 2_048 * MIB;

/// How much free space the disk of a directory has.
pub fn room(dir: &Path) -> Finding {
    match rustix::fs::statvfs(dir) {
        Ok(told) => judge(told.f_bavail.saturating_mul(told.f_frsize)),
        Err(error) => Finding::warn(CHECK, format!("{}: {error}", dir.display()), "can this user access it?"),
    }
}

fn judge(free: u64) -> Finding {
    let message = format!("{} MiB free", free / MIB);
    match free {
        0..LEAST => Finding::error(CHECK, message, "free some space: nothing more is accepted when the disk is full"),
        LEAST..LITTLE => Finding::warn(CHECK, message, "free some space, or lower `retention`"),
        _ => Finding::ok(CHECK, message),
    }
}

#[cfg(test)]
mod tests {
    use slipstream_log::kafka::admin::Severity;

    use super::*;

    #[test]
    fn room_runs_out() {
        for (free, severity) in
            [(0, Severity::Error), (99 * MIB, Severity::Error), (1_024 * MIB, Severity::Warn), (LITTLE, Severity::Ok)]
        {
            assert_eq!(judge(free).severity, severity, "{free}");
        }
    }
}
