//! Docker itself, for tests of our own image, and other programs that tests run against.

use super::image;
use super::report::{self, Use};
use super::way::{self, SERVICES};

/// The version of the Docker daemon, for tests of Slipstream's own image, which have no other way. If none is running, or
/// native services are requested, a test gets none and returns; the run's summary counts it.
///
/// # Panics
/// When Docker is requested and not running.
pub async fn docker() -> Option<String> {
    let forced = way::given(SERVICES).unwrap_or_else(|error| panic!("{error:#}"));
    if forced.as_deref() == Some("native") {
        report::note("docker", Use::Missing, &format!("{SERVICES}=native"));
        return None;
    }
    match image::docker(&["version", "--format", "{{.Server.Version}}"]).await {
        Ok(version) => {
            report::note("docker", Use::Own, &format!("Docker {version}, Slipstream's image"));
            Some(version)
        }
        Err(error) if forced.is_some() => panic!("{SERVICES}=docker, but no daemon is running: {error:#}"),
        Err(error) => {
            report::note("docker", Use::Missing, &format!("{error:#}"));
            None
        }
    }
}

/// Notes that the calling test runs against a program that it has started itself, with its version.
pub fn started(program: &str, version: &str) {
    report::note(program, Use::Own, version);
}
