//! What a silence would have hidden: of an episode's transitions those that nobody would have been told of, and when they would have
//! been told after all.

use slipstream_schemas::records::{AlertTransition, TransitionKind};

use super::labels::labels;
use super::silences::Silence;

/// A transition that a silence holds back.
#[derive(Debug, Clone, PartialEq)]
pub struct Hidden<'t> {
    /// What would have been told: that it fires, or with another severity.
    pub transition: &'t AlertTransition,
    /// When it is told after all, milliseconds since the epoch; `None`: not at all, it is over before or something else is true by then.
    pub told_at: Option<i64>,
}

/// What a silence hides of an episode's transitions, in their order. What is not over by the last of them goes on.
pub fn hidden<'t>(silence: &Silence, transitions: &'t [AlertTransition]) -> Vec<Hidden<'t>> {
    let told: Vec<&AlertTransition> = transitions.iter().filter(|t| t.kind.is_told()).collect();
    let mut found = Vec::new();
    for (i, transition) in told.iter().enumerate().filter(|(_, t)| t.kind != TransitionKind::Resolved) {
        let known_at = |t: &AlertTransition| t.tick.saturating_mul(1_000).saturating_add(999);
        let next = told.get(i + 1).map_or(i64::MAX, |next| known_at(next));
        if silence.matches(&labels(transition))
            && let Some(until) = applies_until(silence, known_at(transition), next)
        {
            found.push(Hidden { transition, told_at: until });
        }
    }
    found
}

/// `None` if it does not apply; else when it ends before `next`.
fn applies_until(silence: &Silence, mut at: i64, next: i64) -> Option<Option<i64>> {
    let mut until = silence.applies(at)?;
    loop {
        match until {
            Some(end) if end < next => at = end,
            _ => return Some(None),
        }
        // One that comes again may begin where it ended.
        until = match silence.applies(at) {
            Some(until) => until,
            None => return Some(Some(at)),
        };
    }
}

#[cfg(test)]
mod tests {
    use slipstream_definitions::matchers::Matchers;
    use slipstream_schemas::records;

    use super::*;
    use crate::alerts::fixtures::transition;

    fn at(seconds: i64, kind: TransitionKind, severity: &str) -> AlertTransition {
        let t = transition();
        AlertTransition { tick: t.tick + seconds, kind, severity: severity.to_owned(), ..t }
    }

    #[test]
    fn what_is_over_before_the_silence_is_never_told() {
        use TransitionKind::{Firing, Keeping, Resolved, Severity};
        let begin = transition().tick * 1_000;
        let silence = |matchers: &str, from: i64, to: Option<i64>| {
            Silence::new(records::Silence {
                id: "s".to_owned(),
                matchers: Matchers::parse(matchers).unwrap().written(),
                from: begin + from,
                to: to.map(|to| begin + to),
                recurrence: None,
                author: String::new(),
                reason: String::new(),
                created_at: 0,
            })
            .unwrap()
        };
        let story =
            [at(0, Firing, "ticket"), at(60, Severity, "page"), at(90, Keeping, "page"), at(120, Resolved, "page")];
        let cases = [
            ("all of it", silence("slo=checkout", 0, None), vec![(0, None), (60, None)]),
            ("up to the page", silence("slo=checkout", 0, Some(30_000)), vec![(0, Some(30_000))]),
            ("the page, until it is over", silence("severity=page", 0, Some(600_000)), vec![(60, None)]),
            ("the page, for a moment", silence("severity=page", 0, Some(80_000)), vec![(60, Some(80_000))]),
            ("what goes on is told at its end", silence("slo=checkout", 0, Some(200_000)), vec![(0, None), (60, None)]),
            ("too late", silence("slo=checkout", 1_000, Some(60_500)), vec![]),
            ("another one", silence("slo=cart", 0, None), vec![]),
        ];
        for (name, silence, want) in cases {
            let found = hidden(&silence, &story);
            let told = |at: Option<i64>| at.map(|at| at - begin);
            let found: Vec<_> = found.iter().map(|h| (h.transition.tick - begin / 1_000, told(h.told_at))).collect();
            assert_eq!(found, want, "{name}");
        }
    }
}
