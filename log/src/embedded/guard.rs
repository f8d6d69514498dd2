//! Under which condition a write takes effect (L5): checked by the writer, in the order of writes.

use std::collections::HashMap;

use super::error::WriteError;
use crate::groups::{Groups, Token};
use crate::port::{Advance, Position, TopicPartition, well_formed};

/// Condition of a write.
#[derive(Debug, Clone)]
pub enum Guard {
    /// `None` for a plain publish.
    None,
    /// No newer holder has the writer name.
    Name {
        /// The name.
        writer: String,
        /// In which session; newer ones have higher numbers.
        session: u64,
    },
    /// The partitions are owned and stand where the step began; they move with the write.
    Positions {
        /// The group.
        group: String,
        /// What moves.
        moves: Vec<Move>,
    },
}

/// A move of a position, with the proof of ownership.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// From where to where.
    pub advance: Advance,
    /// Proof of ownership.
    pub token: u64,
}

/// Refuses a step whose partitions have another owner or are not at the position where it began (L5).
pub(crate) fn check_moves(
    groups: &Groups,
    group: &str,
    moves: &[Move],
    committed: impl Fn(TopicPartition) -> Option<Position>,
) -> Result<(), WriteError> {
    well_formed(moves.iter().map(|m| m.advance)).map_err(|why| WriteError::Fatal(why.into()))?;
    let stands = |m: &Move| committed(m.advance.partition).is_none_or(|p| p == m.advance.from);
    let owned = |m: &Move| groups.owns(group, m.advance.partition, m.token as Token);
    let lost: Vec<_> = moves.iter().filter(|m| !owned(m) || !stands(m)).map(|m| m.advance.partition).collect();
    if lost.is_empty() { Ok(()) } else { Err(WriteError::Lost(lost)) }
}

/// In which session each writer's name is held: the newest that has written. Older ones stay fenced (L5).
#[derive(Debug, Default)]
pub(crate) struct Holders(HashMap<String, u64>);

impl Holders {
    /// Whether a session may write under the name; a newer one than the holder's fences it.
    pub(crate) fn admit(&mut self, writer: &str, session: u64) -> bool {
        match self.0.get_mut(writer) {
            Some(holder) => {
                *holder = session.max(*holder);
                *holder == session
            }
            None => {
                self.0.insert(writer.to_owned(), session);
                true
            }
        }
    }
}
