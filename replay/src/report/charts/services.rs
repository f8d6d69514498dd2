//! Requests, errors and latency of a service.

use super::{bands, highest, marks, peaks};
use crate::outcome::{Outcome, ServiceTraffic, TrafficStep};
use crate::report::chart::{Band, Chart, Line, Look, Mark, Scale, draw};
use crate::report::facts::Facts;
use crate::report::markup::Markup;
use crate::report::series::{Bucket, buckets};
use crate::report::times::{Micros, Times};
use crate::report::words;

/// At most this many services.
const MOST: usize = 6;

type Points = Vec<(Micros, Option<f64>)>;

/// Services that alerts are about: that of the SLO, and those from which most of the bad requests came. Without alerts, those with
/// errors, most first; without errors, the one with the most requests.
pub fn chosen<'a>(outcome: &'a Outcome, facts: &[Facts<'_>]) -> Vec<&'a ServiceTraffic> {
    let mut names: Vec<&str> = Vec::new();
    for alert in facts.iter().map(|facts| facts.alert) {
        let contributors = alert.contributors.iter().filter(|dimension| dimension.dimension == "service");
        let bad = contributors.flat_map(|dimension| &dimension.values).filter(|value| value.share_of_bad >= 0.1);
        names.push(&alert.episode.service);
        names.extend(bad.map(|value| value.value.as_str()));
    }
    let mut chosen: Vec<&ServiceTraffic> = Vec::new();
    for name in names {
        let traffic = outcome.traffic.iter().find(|traffic| traffic.service == name);
        chosen.extend(traffic.filter(|traffic| chosen.iter().all(|other| other.service != traffic.service)));
    }
    if chosen.is_empty() {
        chosen = with_most_errors(outcome)
    }
    chosen.truncate(MOST);
    chosen
}

fn with_most_errors(outcome: &Outcome) -> Vec<&ServiceTraffic> {
    let sum = |traffic: &ServiceTraffic, of: fn(&TrafficStep) -> u64| traffic.steps.iter().map(of).sum::<u64>();
    let errors = |traffic: &ServiceTraffic| sum(traffic, |step| step.errors);
    let mut with_errors: Vec<&ServiceTraffic> = outcome.traffic.iter().filter(|traffic| errors(traffic) > 0).collect();
    with_errors.sort_by_key(|traffic| std::cmp::Reverse(errors(traffic)));
    if with_errors.is_empty() {
        with_errors.extend(outcome.traffic.iter().max_by_key(|traffic| sum(traffic, |step| step.requests)));
    }
    with_errors
}

/// The charts of a service.
pub fn write(m: &mut Markup, id: &str, outcome: &Outcome, traffic: &ServiceTraffic, facts: &[Facts<'_>], times: Times) {
    let service = traffic.service.as_str();
    let bands = bands(outcome, facts, |facts| facts.alert.episode.service == service || blames(facts, service));
    let marks = marks(outcome, service);
    let buckets = buckets(outcome, &traffic.steps, |step| &step.at);
    let frame = Frame { times, bands: &bands, marks: &marks };
    m.within("div", &[("class", "charts")], |m| {
        m.leaf("h3", &[("id", id)], &format!("Service {service}"));
        draw(m, &format!("{id}-requests"), &requests(&buckets, &frame));
        draw(m, &format!("{id}-errors"), &errors(&buckets, &frame));
        latency(&buckets, &frame).iter().for_each(|chart| draw(m, &format!("{id}-latency"), chart));
    });
}

fn blames(facts: &Facts<'_>, service: &str) -> bool {
    let mut services = facts.alert.contributors.iter().filter(|dimension| dimension.dimension == "service");
    services.any(|dimension| dimension.values.iter().any(|value| value.value == service && value.share_of_bad >= 0.1))
}

/// What the charts of a service share.
struct Frame<'a> {
    times: Times,
    bands: &'a [Band],
    marks: &'a [Mark],
}

impl<'a> Frame<'a> {
    fn chart(&self, title: &str, scale: Scale, figure: fn(f64) -> String, lines: Vec<Line>) -> Chart<'a> {
        let (caption, description) = told(&lines, figure, self.times);
        Chart {
            title: title.to_owned(),
            caption,
            description,
            times: self.times,
            scale,
            figure,
            height: 110.0,
            lines,
            thresholds: Vec::new(),
            bands: self.bands,
            marks: self.marks,
        }
    }
}

/// The highest value, and what there is in words.
fn told(lines: &[Line], figure: fn(f64) -> String, times: Times) -> (String, String) {
    let peaks = peaks(lines, figure, times);
    let caption = peaks.last().cloned().unwrap_or_else(|| "nothing was measured".to_owned());
    (caption, format!("{}.", if peaks.is_empty() { "Nothing was measured".to_owned() } else { words::list(&peaks) }))
}

fn most(lines: &[Line]) -> f64 {
    lines.iter().filter_map(|line| highest(&line.points)).map(|(_, value)| value).fold(0.0, f64::max)
}

fn points(buckets: &[Bucket<'_, TrafficStep>], value: impl Fn(&Bucket<'_, TrafficStep>) -> Option<f64>) -> Points {
    buckets.iter().map(|bucket| (bucket.middle(), value(bucket))).collect()
}

fn requests<'a>(buckets: &[Bucket<'_, TrafficStep>], frame: &Frame<'a>) -> Chart<'a> {
    let points = points(buckets, |bucket| Some(bucket.sum(|step| step.requests)? / bucket.seconds()));
    let lines = vec![Line { label: "requests/s".to_owned(), look: Look::Area, points }];
    frame.chart("Requests per second", Scale::from_zero(most(&lines), 0.01), words::short, lines)
}

fn errors<'a>(buckets: &[Bucket<'_, TrafficStep>], frame: &Frame<'a>) -> Chart<'a> {
    let share = |bucket: &Bucket<'_, TrafficStep>| {
        let requests = bucket.sum(|step| step.requests).filter(|requests| *requests > 0.0)?;
        Some(bucket.sum(|step| step.errors)? / requests)
    };
    let lines = vec![Line { label: "errors".to_owned(), look: Look::Errors, points: points(buckets, share) }];
    let mut chart = frame.chart("Share of errors", Scale::from_zero(most(&lines), 0.01), words::percent, lines);
    chart.caption.push_str("; status 500 and above");
    chart
}

/// A chart, if any latency was measured.
fn latency<'a>(buckets: &[Bucket<'_, TrafficStep>], frame: &Frame<'a>) -> Option<Chart<'a>> {
    let line = |label: &str, look, of: fn(&TrafficStep) -> Option<f64>| Line {
        label: label.to_owned(),
        look,
        points: points(buckets, |bucket| bucket.highest(of)),
    };
    let lines = vec![
        line("p50", Look::Solid, |step| step.p50_ms),
        line("p95", Look::Dashed, |step| step.p95_ms),
        line("p99", Look::Dotted, |step| step.p99_ms),
    ];
    let values = lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
    let least = values.clone().filter(|value| *value > 0.0).min_by(f64::total_cmp)?;
    let scale = Scale::of_positive(least, values.max_by(f64::total_cmp)?);
    let mut chart = frame.chart("Latency", scale, words::milliseconds, lines);
    if let Scale::Log { .. } = scale {
        chart.caption.push_str("; logarithmic");
    }
    Some(chart)
}
