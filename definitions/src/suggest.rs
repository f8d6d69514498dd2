//! The suggestion in a message: which of the known names was probably meant.

/// The known name nearest to `word`: equal but for case, the one it abbreviates, or at most a third of its letters (and
/// one at least) mistyped.
pub fn nearest<'n>(word: &str, known: &[&'n str]) -> Option<&'n str> {
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let allowed = (letters / 3).max(1);
    let abbreviates = |name: &&str| word.len() >= 3 && name.to_lowercase().starts_with(&word);
    known
        .iter()
        .filter(|name| name.chars().count().abs_diff(letters) <= allowed)
        .map(|name| (distance(&word, &name.to_lowercase()), *name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
        .or_else(|| known.iter().copied().find(abbreviates))
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other; for hostile input only the start
/// is compared. Source: Damerau and Levenshtein, optimal string alignment.
fn distance(from: &str, to: &str) -> usize {
    let beginning = |word: &str| word.chars().take(64).collect::<String>();
    strsim::osa_distance(&beginning(from), &beginning(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_probably_meant() {
        let known = ["objectives", "timeWindow", "alertPolicies", "status_code", "service"];
        for (word, meant) in [
            ("objectivs", Some("objectives")),
            ("timewindow", Some("timeWindow")),
            ("alertPolcies", Some("alertPolicies")),
            ("status", Some("status_code")),
            ("sevrice", Some("service")),
            ("owner", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
    }
}
