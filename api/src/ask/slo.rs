//! How an SLO stood, from the burn rates that are stored.

use std::collections::BTreeMap;

use slipstream_query::slos::standing;
use slipstream_schemas::records::BurnRates;
use slipstream_store::Store;

use super::AskError;
use super::answers::past_slos::{History, Point};
use super::questions::HistoryQuestion;

/// Points of an answer.
const MOST: usize = 10_000;

/// The last record of every step, by series.
pub(super) async fn history(
    store: &dyn Store,
    question: &HistoryQuestion,
    as_of: Option<String>,
) -> Result<History, AskError> {
    let (from, to) = (question.from.unwrap_or(0), question.to.unwrap_or(i64::from(u32::MAX)));
    let records = store.burn_history(&question.slo, from, to).await?;
    let step = question.step.unwrap_or(1);
    let mut last: BTreeMap<(i64, String, Vec<String>), BurnRates> = BTreeMap::new();
    for rates in records.into_iter().filter(|rates| !rates.retired) {
        last.insert((rates.tick.div_euclid(step), rates.objective.clone(), rates.group.clone()), rates);
    }
    let wanted = |point: &Point| {
        question.objective.as_ref().is_none_or(|objective| *objective == point.objective)
            && question
                .group
                .iter()
                .all(|(label, value)| point.group.as_ref().and_then(|g| g.get(label)) == Some(value))
    };
    let points: Vec<Point> = last.values().map(point).filter(wanted).collect();
    if points.len() > MOST {
        return Err(AskError::Unanswerable(format!(
            "{} points: an answer has at most {MOST}; take a longer step, or narrow from and to",
            points.len()
        )));
    }
    Ok(History { points, as_of })
}

fn point(rates: &BurnRates) -> Point {
    let status = standing(None, rates);
    Point {
        at: status.as_of.unwrap_or_default(),
        objective: status.objective,
        group: status.group,
        sli: status.sli,
        good: status.good,
        total: status.total,
        unknown: status.unknown,
        budget_remaining: status.budget_remaining,
        burn_rates: status.burn_rates,
        complete: status.complete,
        covered_from: status.covered_from,
    }
}
