//! Why something failed: the text for people, and the underlying error for code that inspects it.
//!
//! An error of ours is complete in one line: what was being done, why it failed in the cause's own words, and what to do.
//! That line stands in log lines, in health, in answers. The errors behind it are kept for whoever walks `source()`. Who
//! prints a whole chain does it with [`chain`]: it is decided there what of it people get to read.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why something failed. Two are equal when they say the same.
#[derive(Clone)]
pub struct Cause {
    text: String,
    error: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// An error in its own words.
    pub fn of(error: impl Error + Send + Sync + 'static) -> Cause {
        Cause { text: error.to_string(), error: Some(Arc::new(error)) }
    }

    /// An error in other words than its own, such as with advice added.
    pub fn worded(text: impl Into<String>, error: impl Error + Send + Sync + 'static) -> Cause {
        Cause { text: text.into(), error: Some(Arc::new(error)) }
    }

    /// The same with more said, such as what to do.
    pub fn and(mut self, more: &str) -> Cause {
        self.text.push_str(more);
        self
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A reason without an error behind it.
impl From<String> for Cause {
    fn from(text: String) -> Self {
        Cause { text, error: None }
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Cause::from(text.to_owned())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cause {}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.as_deref().map(|error| error as &(dyn Error + 'static))
    }
}

/// An error with its causes, for people. Many errors already quote their cause: it is not said twice. A [`Cause`] has said
/// what there is to say, often better than the library's error behind it: the chain ends there.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source().filter(|_| !cause.is::<Cause>());
    }
    text
}

/// The first error of a type in a chain: what a library said, for who decides by it. I/O errors hide the error that they are made of
/// from their own chain; it is looked for in there, too.
pub fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    std::iter::successors(Some(error), |error| behind(*error)).find_map(|error| error.downcast_ref())
}

fn behind<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(hidden) => Some(hidden),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{doing}: {cause}")]
    struct Failed {
        doing: &'static str,
        #[source]
        cause: Cause,
    }

    #[test]
    fn an_error_inside_of_io_errors_is_found() {
        let inner = io::Error::new(io::ErrorKind::InvalidData, Failed { doing: "reading", cause: "no".into() });
        let error = Failed { doing: "asking", cause: Cause::of(io::Error::other(inner)) };
        assert_eq!(find::<Failed>(error.source().unwrap()).map(|failed| failed.doing), Some("reading"));
        assert!(find::<std::num::ParseIntError>(&error).is_none());
    }

    #[test]
    fn the_error_behind_a_cause_is_found_and_said_once() {
        let full = || io::Error::new(io::ErrorKind::StorageFull, "disk full");
        for (cause, line, kept) in [
            (Cause::from("it was closed"), "writing: it was closed", false),
            (Cause::of(full()), "writing: disk full", true),
            (Cause::worded("disk full: free some space", full()), "writing: disk full: free some space", true),
            (Cause::worded("no room left", full()), "writing: no room left", true),
        ] {
            let error = Failed { doing: "writing", cause };
            assert_eq!(chain(&error), line);
            assert_eq!(find::<io::Error>(&error).is_some(), kept, "{line}");
        }
    }
}
