//! "Did you mean": the known word nearest to an unknown one.

/// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) from `word`; none when all are
/// further than a third of its length.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let bound = (word.chars().count() / 3).max(1);
    let ranked = candidates.into_iter().map(|c| (distance(word, c), c));
    ranked.filter(|(d, _)| *d <= bound).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Optimal string alignment distance, whatever the case.
fn distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["listen", "ops_listen", "receivers", "retention", "roles"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("listne", Some("listen")),
            ("recievers", Some("receivers")),
            ("Roles", Some("roles")),
            ("opslisten", Some("ops_listen")),
            ("database", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
