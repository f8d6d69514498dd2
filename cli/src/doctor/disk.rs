//! Room on the disk of a directory.

use std::path::Path;

use slipstream_log::kafka::admin::Finding;

const CHECK: &str = "disk";
const MIB: u64 = 1 << 20;
/// Less than this and writes fail soon.
const LEAST: u64 = 100 * MIB;
/// Less than this is worth a thought.
const LITTLE: u64 = 2_048 * MIB;

/// How much room there is beside a directory's files.
pub fn room(dir: &Path) -> Finding {
    match rustix::fs::statvfs(dir) {
        Ok(told) => judge(told.f_bavail.saturating_mul(told.f_frsize)),
        Err(error) => Finding::warn(CHECK, format!("{}: {error}", dir.display()), "can this user look into it?"),
    }
}

fn judge(free: u64) -> Finding {
    let message = format!("{} MiB free", free / MIB);
    match free {
        0..LEAST => Finding::error(CHECK, message, "make room: nothing more is taken when it is full"),
        LEAST..LITTLE => Finding::warn(CHECK, message, "make room, or lower `retention`"),
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
