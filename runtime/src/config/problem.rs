//! Mistakes in a configuration, each with the place where a person can put it right.

use std::fmt;

use slipstream_schemas::Cause;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the configuration file.
    File {
        /// The file as it was named.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// By a flag of this name, dashes included.
    Flag(String),
    /// Somewhere, under this name.
    Setting(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Place::Variable(name) | Place::Flag(name) | Place::Setting(name) => f.write_str(name),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why a configuration could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigErrors {
    /// The file could not be read, and there is nothing else to say.
    #[error("reading the configuration {file}: {cause}")]
    Unreadable {
        /// The file as it was named.
        file: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// Every mistake in it, and what is no mistake but may be the reason for one.
    #[error("the configuration is not valid:\n{}", lines(.problems, .ignored))]
    Invalid {
        /// In the order of their places.
        problems: Vec<Problem>,
        /// [`Config::ignored`](super::Config::ignored).
        ignored: Vec<String>,
    },
}

impl ConfigErrors {
    /// The mistakes; empty when all that is wrong is that the file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ConfigErrors::Unreadable { .. } => &[],
            ConfigErrors::Invalid { problems, .. } => problems,
        }
    }
}

fn lines(problems: &[Problem], ignored: &[String]) -> String {
    let mistakes = problems.iter().map(|p| format!("  {p}"));
    mistakes.chain(ignored.iter().map(|i| format!("  warning: {i}"))).collect::<Vec<_>>().join("\n")
}
