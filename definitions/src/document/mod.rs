//! Reading documents: YAML or JSON with a place for everything, typed fields, and a report of all errors. OpenSLO
//! documents and files of tests are read with it.

pub mod fields;
mod place;
pub mod report;
mod source;
pub mod yaml;

pub use self::place::place_in;
pub use self::source::{MAX_FILE, SourceFile};
pub use self::yaml::{MAX_DOCUMENTS, MAX_NESTING, MAX_REPEATED};
