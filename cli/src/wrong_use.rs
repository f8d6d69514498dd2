//! Wrong use that only shows when arguments are looked at together.

use std::fmt;

/// Arguments that do not fit together, or a variable that cannot be read: nothing was tried, and the exit code is 2.
#[derive(Debug)]
pub struct WrongUse(pub String);

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}
