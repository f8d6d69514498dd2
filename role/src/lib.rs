//! What every role's loop needs of the log.

pub mod names;
