//! Labels as Prometheus and Alertmanager take them.

/// A name that everybody accepts: letters, digits and `_`, not a digit first.
pub fn legal(name: &str) -> String {
    let mut legal: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if legal.is_empty() || legal.starts_with(|c: char| c.is_ascii_digit()) {
        legal.insert(0, '_');
    }
    legal
}

/// Labels of the dimensions of a group, in their order. One whose name is among `ours` becomes `group_<name>`; one whose name
/// another dimension has is told apart by `_`.
pub fn of_group<'a>(dimensions: impl IntoIterator<Item = (&'a str, &'a str)>, ours: &[&str]) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for (name, value) in dimensions {
        let mut name = legal(name);
        if ours.contains(&name.as_str()) {
            name.insert_str(0, "group_");
        }
        while labels.iter().any(|(taken, _)| *taken == name) {
            name.push('_');
        }
        labels.push((name, value.to_owned()));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_have_names_of_their_own() {
        let dimensions = [("severity", "a"), ("http.route", "b"), ("http_route", "c"), ("2nd", ""), ("", "d")];
        let labels = of_group(dimensions, &["slo", "severity"]);
        let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["group_severity", "http_route", "http_route_", "_2nd", "_"]);
        assert_eq!(labels[2].1, "c");
    }
}
