//! One runtime for all services, because each test has its own runtime, which ends with it.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use super::instance::Instance;

/// How long a service may take until it responds.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

static RUNTIME: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().thread_name("test-services");
    builder.build().map_err(|error| error.to_string())
});

/// Runs `work` to its end on the services' runtime, whatever runtime the caller is on.
pub(super) async fn on_own_runtime<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = RUNTIME.as_ref().map_err(|error| anyhow!("no runtime for test services: {error}"))?;
    runtime.spawn(work).await.context("a test service's task panicked")?
}

/// Polls a service until it responds. Returns the last error if that takes too long, or that it has ended.
pub(super) async fn until_it_answers<T, F: Future<Output = Result<T>>>(
    what: &str,
    instance: &Instance,
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context(format!("{what} did not respond within {} s", PATIENCE.as_secs())));
            }
            Err(_) => instance.still_runs().await?,
        }
        sleep(Duration::from_millis(50)).await;
    }
}
