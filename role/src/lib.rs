//! What every role's loop needs of the log.

pub mod burn_state;
pub mod names;
pub mod revisions;
