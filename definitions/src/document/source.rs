//! Files as text.

use super::place::behind;
use crate::diagnostic::{Diagnostic, Severity, Snippet, Tier};

/// Largest file, bytes.
pub const MAX_FILE: usize = 16 << 20;

/// A definition file as text; it is read elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path, for diagnostics.
    pub path: String,
    /// Content: YAML or JSON, one document or several.
    pub text: String,
}

impl SourceFile {
    /// A file's content as text.
    ///
    /// # Errors
    /// The diagnostic of a file that is not UTF-8. For one that is too large anyway it does not matter.
    pub fn from_bytes(path: String, bytes: Vec<u8>) -> Result<SourceFile, Box<Diagnostic>> {
        if bytes.len() > MAX_FILE {
            return Ok(SourceFile { path, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
        String::from_utf8(bytes).map(|text| SourceFile { path: path.clone(), text }).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let valid = String::from_utf8_lossy(valid);
            let line = valid.rsplit('\n').next().unwrap_or_default();
            let (number, column) = behind(&valid);
            let shown: String = line.chars().skip((column - 1).saturating_sub(200)).collect();
            Box::new(Diagnostic {
                file: path,
                line: number,
                column,
                severity: Severity::Error,
                tier: Tier::Syntax,
                code: "not-utf-8",
                message: "not UTF-8 text; definitions are YAML or JSON in UTF-8".to_owned(),
                help: None,
                snippet: Snippet { skipped: column - 1 - shown.chars().count(), text: shown, width: 1 },
            })
        })
    }
}
