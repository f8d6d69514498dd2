//! Headers of dead letters: where a record came from and what is wrong with it.

use crate::decode::{EventError, Provenance};

/// Topic it came from.
pub const TOPIC: &str = "slipstream-topic";
/// Partition it came from.
pub const PARTITION: &str = "slipstream-partition";
/// Offset it had.
pub const OFFSET: &str = "slipstream-offset";
/// File it was imported from.
pub const FILE: &str = "slipstream-file";
/// Line of that file.
pub const LINE: &str = "slipstream-line";
/// Class of the error.
pub const ERROR: &str = "slipstream-error";
/// The error in words.
pub const MESSAGE: &str = "slipstream-message";

/// Headers for a record that tally refused.
pub fn dead_letter_headers(from: &Provenance<'_>, error: &EventError) -> Vec<(&'static str, String)> {
    vec![
        (TOPIC, from.topic.to_owned()),
        (PARTITION, from.partition.to_string()),
        (OFFSET, from.offset.to_string()),
        (ERROR, error.class.name().to_owned()),
        (MESSAGE, error.to_string()),
    ]
}
