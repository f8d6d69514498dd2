//! The near suggestion of a message: which of the known names was probably meant.

/// The known name nearest to `word`: equal but for case, the one it abbreviates, or at most a third of its letters (and
/// one at least) mistyped.
pub(crate) fn nearest<'n>(word: &str, known: &[&'n str]) -> Option<&'n str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    let abbreviates = |name: &&str| word.len() >= 3 && name.to_lowercase().starts_with(&word);
    known
        .iter()
        .map(|name| (distance(&word, &name.to_lowercase()), *name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
        .or_else(|| known.iter().copied().find(abbreviates))
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other. Source: Damerau and Levenshtein,
/// optimal string alignment.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replace = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
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
