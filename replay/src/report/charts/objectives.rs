//! Burn rates of an objective against what its rules demand, and its budget.

use super::{bands, marks, peaks};
use crate::outcome::{Outcome, SloHistory, SloStep, Threshold};
use crate::report::chart::{Band, Chart, Level, Line, Look, Mark, Scale, draw};
use crate::report::facts::{self, Facts};
use crate::report::markup::Markup;
use crate::report::series::{Bucket, buckets};
use crate::report::times::Times;
use crate::report::words;

/// At most this many objectives.
const MOST: usize = 6;
/// Without an alert.
const MOST_WITHOUT_ALERTS: usize = 3;
/// Windows of a chart that has no rule.
const LOOKS: [Look; 4] = [Look::Solid, Look::Dashed, Look::Dotted, Look::Mixed];

/// Objectives of the alerts, worst first; without alerts those with the least budget left.
pub fn chosen<'a>(outcome: &'a Outcome, facts: &[Facts<'a>]) -> Vec<&'a SloHistory> {
    let mut chosen: Vec<&SloHistory> = Vec::new();
    for slo in facts.iter().filter_map(|facts| facts.slo) {
        if !chosen.iter().any(|other| std::ptr::eq(*other, slo)) {
            chosen.push(slo);
        }
    }
    if facts.is_empty() {
        chosen.extend(outcome.slos.iter().filter(|slo| slo.range.total > 0));
        chosen.sort_by(|a, b| a.status.budget_remaining.total_cmp(&b.status.budget_remaining));
        chosen.truncate(MOST_WITHOUT_ALERTS);
    }
    chosen.truncate(MOST);
    chosen
}

/// The charts of an objective: one for each rule, since a rule holds where both of its windows are above its threshold.
pub fn write(m: &mut Markup, id: &str, outcome: &Outcome, slo: &SloHistory, facts: &[Facts<'_>], times: Times) {
    let is_of = |facts: &Facts<'_>| facts.slo.is_some_and(|other| std::ptr::eq(other, slo));
    let (bands, marks) = (bands(outcome, facts, is_of), marks(outcome, &slo.status.service));
    let buckets = buckets(outcome, &slo.timeline, |step| &step.at);
    let frame = Frame { times, bands: &bands, marks: &marks, buckets: &buckets };
    let thresholds = facts.iter().find(|facts| is_of(facts)).map_or(&[][..], |facts| &facts.alert.thresholds);
    let name = facts::name(outcome, &slo.status.name, &slo.status.objective, slo.status.group.as_ref());
    m.within("div", &[("class", "charts")], |m| {
        m.leaf("h3", &[("id", id)], &format!("Objective {name}"));
        for (i, chart) in frame.burn(thresholds).iter().enumerate() {
            draw(m, &format!("{id}-burn-{}", i + 1), chart);
        }
        draw(m, &format!("{id}-budget"), &frame.budget(slo));
    });
}

/// What the charts of an objective share.
struct Frame<'a> {
    times: Times,
    bands: &'a [Band],
    marks: &'a [Mark],
    buckets: &'a [Bucket<'a, SloStep>],
}

impl<'a> Frame<'a> {
    fn burn(&self, thresholds: &[Threshold]) -> Vec<Chart<'a>> {
        let scale = self.burn_scale(thresholds);
        if thresholds.is_empty() {
            let mut windows: Vec<&str> = self
                .buckets
                .iter()
                .flat_map(|b| &b.steps)
                .flat_map(|s| s.burn_rates.keys())
                .map(String::as_str)
                .collect();
            windows.sort_by_key(|window| (length(window), *window));
            windows.dedup();
            let lines: Vec<Line> = windows.iter().zip(LOOKS).map(|(window, look)| self.line(window, look)).collect();
            let chart = self.chart(
                "Burn rate",
                "1 spends the budget exactly within its window".to_owned(),
                scale,
                words::rate,
                lines,
            );
            return if windows.is_empty() { Vec::new() } else { vec![chart] };
        }
        thresholds.iter().map(|threshold| self.rule(threshold, scale)).collect()
    }

    fn rule(&self, threshold: &Threshold, scale: Scale) -> Chart<'a> {
        let Threshold { rule, severity, window, short_window, burn } = threshold;
        let mut lines = vec![self.line(window, Look::Solid)];
        if short_window != window && !short_window.is_empty() {
            lines.push(self.line(short_window, Look::Dotted));
        }
        let limit = words::rate(*burn);
        let caption = format!(
            "rule {rule} ({severity}) holds where {} above {limit}; logarithmic",
            if lines.len() == 2 { "both are" } else { "it is" }
        );
        let windows = if lines.len() == 2 { format!("{window} and {short_window}") } else { window.clone() };
        let mut chart = self.chart(&format!("Burn rate over {windows}"), caption, scale, words::rate, lines);
        chart.thresholds.push(Level { value: *burn, label: format!("threshold {limit}") });
        chart
    }

    /// The same for all rules, so that they can be compared.
    fn burn_scale(&self, thresholds: &[Threshold]) -> Scale {
        let limits = thresholds.iter().map(|threshold| threshold.burn).filter(|burn| *burn > 0.0);
        let least = limits.clone().fold(1.0, f64::min);
        let rates = self.buckets.iter().flat_map(|b| &b.steps).flat_map(|step| step.burn_rates.values().copied());
        Scale::with_zero(10_f64.powf((least / 10.0).log10().floor()), limits.chain(rates).fold(1.0, f64::max))
    }

    fn line(&self, window: &str, look: Look) -> Line {
        let value = |bucket: &Bucket<'_, SloStep>| bucket.highest(|step| step.burn_rates.get(window).copied());
        let points = self.buckets.iter().map(|bucket| (bucket.to, value(bucket))).collect();
        Line { label: format!("over {window}"), look, points }
    }

    fn budget(&self, slo: &SloHistory) -> Chart<'a> {
        let points: Vec<_> =
            self.buckets.iter().map(|bucket| (bucket.to, bucket.last(|step| step.budget_remaining))).collect();
        let least = points.iter().filter_map(|(_, left)| *left).fold(0.0, f64::min);
        // Overspent many times over, the scale would show nothing else.
        let scale = if least < 0.0 { Scale::Linear((least * 2.0).floor() / 2.0, 1.0) } else { Scale::Linear(0.0, 1.0) };
        let since = slo.status.covered_from.as_deref().filter(|_| !slo.status.covers_period);
        let window =
            slo.status.window.as_deref().map_or_else(|| "its window".to_owned(), |window| format!("the last {window}"));
        let caption = match since {
            Some(from) => format!("of {window}, counting requests since {}", self.times.at_text(from)),
            None => format!("of {window}"),
        };
        let lines = vec![Line { label: "budget left".to_owned(), look: Look::Area, points }];
        let mut chart = self.chart("Error budget left", caption, scale, words::percent, lines);
        if least < 0.0 {
            chart.thresholds.push(Level { value: 0.0, label: "all spent".to_owned() });
        }
        chart
    }

    fn chart(
        &self,
        title: &str,
        caption: String,
        scale: Scale,
        figure: fn(f64) -> String,
        lines: Vec<Line>,
    ) -> Chart<'a> {
        let peaks = peaks(&lines, figure, self.times);
        Chart {
            title: title.to_owned(),
            description: format!("{title}, {caption}. {}.", words::list(&peaks)),
            caption,
            times: self.times,
            scale,
            figure,
            height: 100.0,
            lines,
            thresholds: Vec::new(),
            bands: self.bands,
            marks: self.marks,
        }
    }
}

/// Seconds of `5m`; others last.
fn length(window: &str) -> u64 {
    let unit = match window.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return u64::MAX,
    };
    window[..window.len() - 1].parse::<u64>().map_or(u64::MAX, |number| number.saturating_mul(unit))
}
