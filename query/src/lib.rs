//! How things stand: questions and what their answers mean, for the command line.

pub mod slos;
