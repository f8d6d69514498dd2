//! Calls of librdkafka that block, kept away from the runtime's threads.

/// Runs blocking code where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and with it the waiting task.
            Err(_) => std::future::pending().await,
        },
    }
}
