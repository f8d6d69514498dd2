//! What travels: the Avro schemas, the typed records, their wire codecs and the table of topics.
//!
//! No tokio and no I/O here. Every other crate speaks in these types.

pub mod cause;
pub mod codec;
pub mod dead_letter;
pub mod decode;
pub mod event;
#[cfg(feature = "fixtures")]
pub mod fixtures;
pub mod marker;
pub mod records;
pub mod retention;
pub mod time;
pub mod token;
pub mod topics;
pub mod visible;

pub use cause::Cause;
pub use event::{EventView, RequestEvent};
pub use retention::Retention;
pub use time::{EventTime, LogTime};
pub use topics::Topic;
