//! How long an asker waits for an answer. A question that takes longer is broken off where it is worked on, and refused.

use std::future::Future;
use std::time::Duration;

tokio::task_local! {
    static PATIENCE: Duration;
}

/// What who asks too much can do.
pub(crate) const LESS: &str = "ask for a shorter time range, or for less of it";

/// Asks a store, and waits for so long at most: what takes longer is [`Refused`](crate::StoreError::Refused), because the same
/// question would take as long again.
pub async fn within<T>(patience: Duration, question: impl Future<Output = T>) -> T {
    PATIENCE.scope(patience, question).await
}

/// Of who asks now; `None` if it waits as long as the store does.
pub(crate) fn current() -> Option<Duration> {
    PATIENCE.try_with(|patience| *patience).ok()
}
