//! What a replay found, as text.

use slipstream_replay::outcome::Outcome;

use crate::{figures, output};

/// Tables of SLOs and alerts.
pub fn text(outcome: &Outcome) -> String {
    let mut text = format!(
        "{} to {}: {}\n\n",
        outcome.from,
        outcome.to,
        figures::events(i64::try_from(outcome.events).unwrap_or(i64::MAX))
    );
    text.push_str(&slos(outcome));
    text.push('\n');
    text.push_str(&alerts(outcome));
    text
}

fn slos(outcome: &Outcome) -> String {
    let head = ["SLO", "OBJECTIVE", "TARGET", "GOOD", "TOTAL", "SLI", "BUDGET LEFT"];
    let rows = outcome.slos.iter().map(|slo| {
        let range = slo.range;
        let sli = if range.total == 0 { "no traffic".to_owned() } else { figures::percent(range.good as f64 / range.total as f64, slo.status.target.as_slice()) };
        vec![
            slo.status.name.clone(),
            slo.status.objective.clone(),
            slo.status.target.map_or("?".to_owned(), figures::target),
            figures::count(range.good),
            figures::count(range.total),
            sli,
            figures::rough_percent(slo.status.budget_remaining, &[]),
        ]
    });
    output::table(&head, &head[2..], rows)
}

fn alerts(outcome: &Outcome) -> String {
    let head = ["TIME", "SLO", "OBJECTIVE", "ALERT", "WHAT", "SEVERITY", "RULE", "BURN RATE"];
    let rows = outcome.alerts.iter().flat_map(|alert| {
        alert.transitions.iter().map(|t| {
            vec![
                t.at.clone(),
                alert.episode.slo.clone(),
                alert.episode.objective.clone(),
                alert.episode.id.clone(),
                t.kind.clone(),
                t.severity.clone(),
                t.rule.clone(),
                t.value.map_or("-".to_owned(), |value| format!("{value:.1}")),
            ]
        })
    });
    output::table(&head, &["BURN RATE"], rows)
}
