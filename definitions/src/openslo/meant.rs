//! Whether a file that was found in a folder is meant as a definition: folders also contain other YAML and JSON.

use crate::document::report::Report;
use crate::document::{MAX_FILE, SourceFile, yaml};

/// Kinds that only OpenSLO has. `Service` and `DataSource` are names elsewhere, too.
const KINDS: [&str; 5] = ["SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"];

/// Whether a file looks like definitions, though perhaps wrong ones: it names an apiVersion of OpenSLO or one of its kinds
/// anywhere, or it is empty or broken, so that it cannot be decided.
///
/// ```
/// use slipstream_definitions::document::SourceFile;
/// use slipstream_definitions::openslo::is_meant;
/// let file = |text: &str| SourceFile { path: "x.yaml".to_owned(), text: text.to_owned() };
/// assert!(is_meant(&file("kind: SLO\n")));
/// assert!(!is_meant(&file("{\"name\": \"shop\", \"version\": \"1.0.0\"}")));
/// ```
pub fn is_meant(source: &SourceFile) -> bool {
    if names_openslo(&source.text) {
        return true;
    }
    if source.text.len() > MAX_FILE {
        return false;
    }
    let mut report = Report::of_errors(std::slice::from_ref(source));
    let documents = yaml::documents(0, &source.text, &mut report);
    documents.is_empty() || report.errors() > 0
}

fn names_openslo(text: &str) -> bool {
    let kind = |(at, name): (usize, &str)| {
        let value = text[at + name.len()..].trim_start_matches(['"', '\'', ' ', '\t', ':']);
        let word = value.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        KINDS.contains(&word)
    };
    text.match_indices("kind").any(kind)
        || ["openslo/v", "slipstream/v"].iter().any(|version| text.to_ascii_lowercase().contains(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_peoples_files_are_told_from_wrong_definitions() {
        let meant = [
            "apiVersion: openslo/v1\nkind: Service\n",
            "apiversion: OpenSLO/v1alpha\n",
            "kind: \"SLO\"\nmetadata: {}\n",
            "{\"kind\":\"AlertPolicy\"}",
            "- kind: SLI\n",
            "",
            "# only a comment\n",
            "{",
            "a: b: c\n",
        ];
        let not = [
            "{\"name\": \"web\", \"dependencies\": {\"left-pad\": \"1.0.0\"}}",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
            "services:\n  web: {image: nginx}\n",
            "just text\n",
            "[1, 2]\n",
            "kind: SLOW\n",
        ];
        for (texts, want) in [(&meant[..], true), (&not[..], false)] {
            for text in texts {
                let file = SourceFile { path: "x".to_owned(), text: (*text).to_owned() };
                assert_eq!(is_meant(&file), want, "{text:?}");
            }
        }
    }
}
