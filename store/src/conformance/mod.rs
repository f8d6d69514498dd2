//! What every adapter of the port must do: run by each adapter's tests through a [`Fixture`].
//!
//! Each function of [`writing`], [`questions`], [`looking`], [`bounds`], [`aggregates`] and [`raw`] is one promise; it panics where the store breaks it.

pub mod aggregates;
pub mod bounds;
pub mod looking;
pub mod made;
pub mod questions;
pub mod raw;
pub mod writing;

use async_trait::async_trait;

use crate::port::SharedStore;

/// How the suite gets at stores.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// An empty store, whatever was there before.
    async fn empty(&self) -> SharedStore;

    /// The same store again, as another process would open it after the one before was killed.
    async fn reopened(&self) -> SharedStore;

    /// Whether it breaks off questions that take too long: a database without timers does not.
    fn breaks_off(&self) -> bool {
        true
    }
}

/// Every promise, one after the other.
pub async fn all(fixture: &dyn Fixture) {
    writing::all(fixture).await;
    questions::all(fixture).await;
    looking::all(fixture).await;
    bounds::all(fixture).await;
    aggregates::all(fixture).await;
    raw::all(fixture).await;
}
