//! How findings look to people: the worst first, each with what to do below it.

use slipstream_log::kafka::admin::{Finding, Severity};

/// One word for a severity.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Warn => "warn",
        Severity::Error => "error",
    }
}

/// Findings as lines of text; empty for none.
pub fn text(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    sorted.into_iter().map(lines).collect()
}

fn lines(finding: &Finding) -> String {
    let Finding { check, severity, message, todo } = finding;
    let first = format!("{:<6} {check}: {message}\n", word(*severity));
    match todo {
        Some(todo) => format!("{first}       -> {todo}\n"),
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_says_what_to_do() {
        let findings = [
            Finding::ok("a", "fine"),
            Finding::warn("b", "thin ice", "walk"),
            Finding::error("c", "sinks", "bail out"),
        ];
        let expected = "error  c: sinks\n       -> bail out\nwarn   b: thin ice\n       -> walk\nok     a: fine\n";
        assert_eq!(text(&findings), expected);
    }
}
