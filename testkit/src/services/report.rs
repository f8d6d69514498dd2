//! Who used what: one line per use, in a file that the runner reads for its closing list.

use std::fs::OpenOptions;
use std::io::Write;

/// The variable with the path of the report; without it nothing is written.
pub const REPORT: &str = "SLIPSTREAM_TEST_REPORT";

/// Notes that the calling test uses a service: `service TAB suite TAB test TAB description`.
pub(super) fn used(service: &str, description: &str) {
    let Some(path) = std::env::var_os(REPORT) else { return };
    let thread = std::thread::current();
    let line = format!("{service}\t{}\t{}\t{description}\n", suite(), thread.name().unwrap_or("?"));
    // One write of a short line: lines of processes that append at the same time do not mix.
    let written =
        OpenOptions::new().create(true).append(true).open(&path).and_then(|mut f| f.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{REPORT}={}: {error}", path.display()));
}

/// The name of the test binary, without the hash that cargo adds, behind the crate it belongs to.
fn suite() -> String {
    let binary = std::env::current_exe().ok();
    let stem = binary.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("?");
    let name = stem.rsplit_once('-').filter(|(_, hash)| hash.len() == 16).map_or(stem, |(name, _)| name);
    match std::env::var("CARGO_PKG_NAME") {
        Ok(package) => format!("{package}/{name}"),
        Err(_) => name.to_owned(),
    }
}
