//! `Rule` documents, ours (apiVersion slipstream/v1): what to alert on beside burn rates. A Rule belongs to an SLO of the same files,
//! or has an indicator of its own.
//!
//! Its conditions are of one alert: each has a severity, and the worst that has held for its `for` speaks.

use super::alerts::{self, Reference, check_window};
use super::indicator::{self, Counted, What};
use super::inhibits::Others;
use super::metadata::{self, Metadata};
use super::resolve::COUNTS_KEPT;
use super::set::Set;
use super::source::DataSources;
use super::{canonical, doubts, inhibits};
use crate::definition::{
    BUDGET_EXHAUSTED, BUDGET_REMAINING, BURN_RATE, Budgeting, COMPOSITE, Condition, Document, ERROR_RATIO, GroupKey,
    Indicator, LATENCY_QUANTILE, NO_TRAFFIC, NoData, OF_RULE, Objective, RATIO_BELOW, Ratio, Rule, Severity, Side, Slo,
    Window,
};
use crate::document::fields::{Fields, Text, as_written};
use crate::document::report::{Place, Report};
use crate::inhibits::{ANNOTATION as INHIBITS, Inhibits};
use crate::policy::BURN_RULE_SET;
use crate::{duration, template};

/// The apiVersion of our own documents.
pub(super) const API_VERSION: &str = "slipstream/v1";
/// Its kind.
pub(super) const KIND: &str = "Rule";
/// The annotation with the address of a runbook.
const RUNBOOK: &str = "runbook_url";
/// Most conditions of a Rule.
const MAX_CONDITIONS: usize = 20;
/// Longest `for` and `keepFiringFor`, seconds.
const MAX_WAIT: i64 = 30 * 86_400;
/// Most that a guard may ask for.
const MAX_LEAST: u64 = 1_000_000_000_000;

const FIELDS: [&str; 9] = [
    "description",
    "service",
    "indicator",
    "indicatorRef",
    "slo",
    "objective",
    "runbook",
    inhibits::FIELD,
    "conditions",
];
/// The field that says what must hold, with the kind it makes.
pub(super) const KINDS: [(&str, &str); 7] = [
    ("burnRate", BURN_RATE),
    ("errorRatio", ERROR_RATIO),
    ("ratioBelow", RATIO_BELOW),
    ("latencyQuantile", LATENCY_QUANTILE),
    ("noTraffic", NO_TRAFFIC),
    ("budgetRemaining", BUDGET_REMAINING),
    ("budgetExhausted", BUDGET_EXHAUSTED),
];
const COMMON: [&str; 10] = [
    "name",
    "severity",
    "for",
    "keepFiringFor",
    "minRequests",
    "minBad",
    "noData",
    inhibits::FIELD,
    "labels",
    "annotations",
];

/// A Rule as written; what has an error, which is reported, is `None`.
pub(super) struct Draft<'n> {
    pub(super) metadata: Metadata<'n>,
    pub(super) on: On<'n>,
    pub(super) service: String,
    pub(super) description: String,
    pub(super) written: Vec<Written>,
    place: Place,
    sound: bool,
}

/// What a Rule is about.
pub(super) enum On<'n> {
    /// An SLO of the same files; an objective of it, or all.
    Slo { slo: Text<'n>, objective: Option<Text<'n>> },
    /// What it counts itself.
    Own(Option<Reference<'n, Counted>>),
}

/// A condition as written.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) place: Place,
    /// Of the rule that it makes.
    pub(super) name: String,
    pub(super) condition: Condition,
    /// The threshold is the target of the objective.
    pub(super) below_objective: bool,
    pub(super) severity: String,
    pub(super) wait: i64,
    pub(super) keep: i64,
    /// What its alert holds back: what it says itself, else what the Rule says.
    pub(super) inhibits: Option<Inhibits>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) annotations: Vec<(String, String)>,
}

/// Reads a Rule. `None`: it has no metadata or spec, which is reported.
pub(super) fn read<'n>(report: &mut Report<'_>, object: &Fields<'n>, sources: &DataSources<'_>) -> Option<Draft<'n>> {
    let errors = report.errors();
    let metadata = metadata::of_rule(report, object);
    let spec = object.required_map(report, "spec")?;
    spec.check_ours(report, &FIELDS);
    let mut metadata = metadata?;
    for field in ["runbook", "description"] {
        if let Some(text) = spec.text(report, field).filter(|_| report.warns()) {
            check_template(report, text, &spec.path_of(field));
        }
    }
    if let Some(runbook) = spec.text(report, "runbook") {
        metadata.annotations.retain(|(key, _)| key != RUNBOOK);
        metadata.annotations.push((RUNBOOK.to_owned(), runbook.value.to_owned()));
    }
    if let Some(name) = metadata.name.filter(|name| name.value == BURN_RULE_SET) {
        let message = format!("metadata.name: `{BURN_RULE_SET}` is the name of the alert on burn rates");
        report.error(name.place, "reserved-name", message, Some("choose another name".to_owned()));
    }
    let on = on(report, &spec, sources);
    let service = spec.text(report, "service").map(|text| text.value.to_owned()).unwrap_or_default();
    if let (On::Slo { .. }, Some(place)) = (&on, spec.place_of("service")) {
        report.error(place, "conflicting-fields", "spec.service: the SLO says which service it is".to_owned(), None);
    }
    let name = metadata.name.map_or("", |name| name.value);
    let of_slo = matches!(on, On::Slo { .. });
    let others = Others { of_slo, of_service: of_slo || !service.is_empty() };
    let inhibits = inhibits::read(report, &spec, others);
    let mut written = conditions(report, &spec, name, (&on, others));
    written.iter_mut().for_each(|written| written.inhibits = written.inhibits.take().or_else(|| inhibits.clone()));
    Some(Draft {
        description: spec.description(report).unwrap_or_default(),
        place: object.place,
        sound: report.errors() == errors,
        metadata,
        on,
        service,
        written,
    })
}

fn on<'n>(report: &mut Report<'_>, spec: &Fields<'n>, sources: &DataSources<'_>) -> On<'n> {
    let own = indicator::optional(report, spec, sources);
    let slo = spec.text(report, "slo");
    let objective = spec.text(report, "objective");
    match (slo, own) {
        (Some(slo), None) => On::Slo { slo, objective },
        (Some(slo), Some(_)) => {
            let message = "spec: expected slo or indicator, not both".to_owned();
            report.error(slo.place, "conflicting-fields", message, None);
            On::Slo { slo, objective }
        }
        (None, own) => {
            if let Some(objective) = objective {
                let message = "spec.objective: only an SLO has objectives".to_owned();
                report.error(objective.place, "conflicting-fields", message, None);
            }
            if own.is_none() && spec.get("slo").is_none() {
                let help = "name the SLO that it belongs to, or write an indicator of its own".to_owned();
                report.error(spec.place, "missing-field", "spec: slo or indicator is required".to_owned(), Some(help));
            }
            On::Own(own)
        }
    }
}

fn conditions(report: &mut Report<'_>, spec: &Fields<'_>, rule: &str, about: (&On<'_>, Others)) -> Vec<Written> {
    if spec.required(report, "conditions").is_none() {
        return Vec::new();
    }
    let items = spec.list(report, "conditions").unwrap_or_default();
    let path = spec.path_of("conditions");
    if items.is_empty() || items.len() > MAX_CONDITIONS {
        let place = spec.place_of("conditions").unwrap_or(spec.place);
        let message = format!("{path}: expected 1 to {MAX_CONDITIONS} conditions, found {}", items.len());
        report.error(place, "invalid-value", message, None);
    }
    let mut written: Vec<Written> = Vec::new();
    for (index, item) in items.iter().enumerate().take(MAX_CONDITIONS) {
        let Some(fields) = Fields::of(report, item, &format!("{path}[{index}]")) else { continue };
        let Some(condition) = condition(report, &fields, (rule, items.len() > 1), about) else { continue };
        if written.iter().any(|known| known.name == condition.name) {
            let message = format!("{}: a second condition is named `{}`", fields.path, condition.name);
            let help = "give each a `name`; without one it is called by its severity".to_owned();
            report.error(condition.place, "duplicate-name", message, Some(help));
        }
        written.push(condition);
    }
    written
}

/// `several`: the rule has more than one.
fn condition(
    report: &mut Report<'_>,
    fields: &Fields<'_>,
    (rule, several): (&str, bool),
    (on, others): (&On<'_>, Others),
) -> Option<Written> {
    let errors = report.errors();
    let known: Vec<&str> = COMMON.iter().copied().chain(KINDS.iter().map(|(field, _)| *field)).collect();
    fields.check_ours(report, &known);
    let severity = fields.required_text(report, "severity");
    let name = fields.text(report, "name");
    match (name, severity.filter(|_| several)) {
        (Some(name), _) => metadata::check_alert_name(report, name, &fields.path_of("name")),
        (None, Some(severity)) if !metadata::is_alert_name(severity.value) => {
            let message = format!("{}: a severity that is no name cannot be that of a condition", fields.path);
            report.error(severity.place, "missing-field", message, Some("give the condition a `name`".to_owned()));
        }
        (None, _) => {}
    }
    let kinds: Vec<(&str, &str)> = KINDS.into_iter().filter(|(field, _)| fields.get(field).is_some()).collect();
    let wait = seconds(report, fields, "for", 0, MAX_WAIT).unwrap_or(0);
    let keep = seconds(report, fields, "keepFiringFor", 0, MAX_WAIT).unwrap_or(0);
    let least = count(report, fields, "minRequests");
    let least_bad = count(report, fields, "minBad");
    let no_data = fields.word(report, "noData", &["ok", "alert", "keep"]).map_or(NoData::Ok, |word| match word.value {
        "alert" => NoData::Alert,
        "keep" => NoData::Keep,
        _ => NoData::Ok,
    });
    let inhibits = inhibits::read(report, fields, others);
    let (labels, annotations) = metadata::pairs(report, fields);
    let [(field, kind)] = kinds[..] else {
        let all: Vec<&str> = KINDS.iter().map(|(field, _)| *field).collect();
        let place = kinds.get(1).and_then(|(field, _)| fields.place_of(field)).unwrap_or(fields.place);
        let message = format!("{}: expected one of {}, found {}", fields.path, all.join(", "), kinds.len());
        report.error(place, "invalid-value", message, None);
        return None;
    };
    let what = fields.required_map(report, field)?;
    let own = matches!(on, On::Own(_));
    let (condition, below_objective) = kind_of(report, &what, kind, own)?;
    if no_data != NoData::Ok && (condition.long == 0 || kind == NO_TRAFFIC) {
        let place = fields.place_of("noData").unwrap_or(fields.place);
        let message = format!("{}: it has no meaning for {field}", fields.path_of("noData"));
        report.error(place, "no-meaning", message, Some("leave it out".to_owned()));
    }
    for (guard, asked) in [("minRequests", least), ("minBad", least_bad)] {
        if asked > 0 && (condition.long == 0 || kind == NO_TRAFFIC) {
            let place = fields.place_of(guard).unwrap_or(fields.place);
            let message = format!("{}: it has no meaning for {field}", fields.path_of(guard));
            report.error(place, "no-meaning", message, Some("leave it out".to_owned()));
        }
    }
    let severity = severity?;
    let last = name.map_or(severity.value, |name| name.value);
    (report.errors() == errors).then_some(())?;
    Some(Written {
        place: fields.place,
        name: if several { format!("{rule}/{last}") } else { rule.to_owned() },
        condition: Condition { least, least_bad, no_data, ..condition },
        below_objective,
        severity: severity.value.to_owned(),
        wait,
        keep,
        inhibits,
        labels,
        annotations,
    })
}

/// The condition of a kind, without guards, and whether its threshold is the target of the objective.
fn kind_of(report: &mut Report<'_>, what: &Fields<'_>, kind: &'static str, own: bool) -> Option<(Condition, bool)> {
    let of_slo = |report: &mut Report<'_>| {
        if own {
            let message = format!("{}: only an SLO has a budget", what.path);
            let help = "write `slo:` with the name of one instead of an indicator".to_owned();
            report.error(what.place, "needs-slo", message, Some(help));
        }
    };
    let condition = match kind {
        BURN_RATE => {
            of_slo(report);
            what.check_ours(report, &["above", "over", "shortWindow"]);
            what.required(report, "above");
            let above = what.number(report, "above").and_then(|(factor, place)| {
                if factor.to_decimal().is_none() {
                    let message = format!("{}: expected at most 15 digits", what.path_of("above"));
                    report.error(place, "invalid-number", message, Some("a burn rate such as 14.4".to_owned()));
                }
                factor.to_decimal().map(|_| factor)
            });
            let long = window(report, what, true)?;
            let short = seconds(report, what, "shortWindow", 1, long).unwrap_or((long / 12).max(60).min(long));
            Condition::burn_rate(long, short, above?, 0)
        }
        ERROR_RATIO => {
            what.check_ours(report, &["above", "over"]);
            let above = share(report, what, "above");
            Condition::of(kind, window(report, what, true)?, above?)
        }
        RATIO_BELOW => {
            what.check_ours(report, &["below", "over"]);
            if plain(what, "below") == Some("objective") {
                if own {
                    let message = format!("{}: only an SLO has objectives", what.path_of("below"));
                    report.error(what.place, "needs-slo", message, Some("write a share, such as 20%".to_owned()));
                }
                return Some((Condition::of(kind, window(report, what, true)?, Ratio { num: 1, den: 1 }), true));
            }
            let below = share(report, what, "below");
            Condition::of(kind, window(report, what, true)?, below?)
        }
        LATENCY_QUANTILE => {
            what.check_ours(report, &["quantile", "above", "over"]);
            if !own {
                let message =
                    format!("{}: requests within a latency are counted by an indicator of its own", what.path);
                let help = "write `indicator` with a thresholdMetric instead of `slo`".to_owned();
                report.error(what.place, "needs-indicator", message, Some(help));
            }
            let (quantile, limit) = (quantile(report, what), milliseconds(report, what, "above"));
            let window = window(report, what, true)?;
            Condition { limit_ms: Some(limit?), ..Condition::of(kind, window, quantile?) }
        }
        NO_TRAFFIC => {
            what.check_ours(report, &["over"]);
            Condition::of(kind, window(report, what, true)?, Ratio { num: 0, den: 1 })
        }
        BUDGET_REMAINING => {
            of_slo(report);
            what.check_ours(report, &["below"]);
            Condition::of(kind, 0, share(report, what, "below")?)
        }
        _ => {
            of_slo(report);
            what.check_ours(report, &["within", "over"]);
            what.required(report, "within");
            let within = seconds(report, what, "within", 1, i64::MAX);
            let over = window(report, what, false).unwrap_or(3_600);
            Condition::of(kind, over, Ratio { num: within?.unsigned_abs(), den: 1 })
        }
    };
    Some((condition, false))
}

/// `over`, seconds.
fn window(report: &mut Report<'_>, what: &Fields<'_>, required: bool) -> Option<i64> {
    if required {
        what.required(report, "over")?;
    }
    let (seconds, place) = lasting(report, what, "over")?;
    check_window(report, seconds, place, &what.path_of("over")).then_some(seconds)
}

fn plain<'n>(fields: &Fields<'n>, name: &str) -> Option<&'n str> {
    match &fields.get(name)?.value {
        crate::document::yaml::Value::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

/// A text that may look like a number, and its place.
fn written<'n>(report: &mut Report<'_>, fields: &Fields<'n>, name: &str) -> Option<Text<'n>> {
    as_written(report, fields.get(name)?, &fields.path_of(name))
}

/// A duration that may be in seconds.
fn lasting(report: &mut Report<'_>, fields: &Fields<'_>, name: &str) -> Option<(i64, Place)> {
    let text = written(report, fields, name)?;
    if text.value == "0" {
        return Some((0, text.place));
    }
    match duration::parse_annotation(text.value) {
        Ok(seconds) => Some((seconds, text.place)),
        Err(error) => {
            let message = format!("{}: `{}`: {error}, or 30s", fields.path_of(name), text.value);
            let bare = text.value.bytes().all(|byte| byte.is_ascii_digit());
            let meant = if bare { Some(format!("{}s", text.value)) } else { duration::meant(text.value) };
            report.error(text.place, "invalid-duration", message, meant.map(|meant| format!("write `{meant}`")));
            None
        }
    }
}

fn seconds(report: &mut Report<'_>, fields: &Fields<'_>, name: &str, least: i64, most: i64) -> Option<i64> {
    let (seconds, place) = lasting(report, fields, name)?;
    if !(least..=most).contains(&seconds) {
        let message = if most == i64::MAX {
            format!("{}: expected at least {}", fields.path_of(name), duration::format(least))
        } else {
            let (least, most) = (duration::format(least), duration::format(most));
            format!("{}: expected {least} to {most}", fields.path_of(name))
        };
        report.error(place, "invalid-duration", message, None);
        return None;
    }
    Some(seconds)
}

/// A whole number, 0 if it is not there.
fn count(report: &mut Report<'_>, fields: &Fields<'_>, name: &str) -> i64 {
    let Some((number, place)) = fields.number(report, name) else { return 0 };
    if number.den != 1 || number.num > MAX_LEAST {
        let message = format!("{}: expected a whole number from 0 to {MAX_LEAST}", fields.path_of(name));
        report.error(place, "invalid-number", message, None);
        return 0;
    }
    number.num as i64
}

/// A share: `5%` or `0.05`; 0 to below 1.
fn share(report: &mut Report<'_>, fields: &Fields<'_>, name: &str) -> Option<Ratio> {
    fields.required(report, name)?;
    let text = written(report, fields, name)?;
    let number = match text.value.strip_suffix('%') {
        Some(percent) => {
            Ratio::parse(percent.trim_end()).map(|percent| Ratio::new(percent.num, percent.den.saturating_mul(100)))
        }
        None => Ratio::parse(text.value).map(Some),
    };
    match number {
        Ok(Some(share)) if share.compare(Ratio { num: 1, den: 1 }).is_lt() && share.to_decimal().is_some() => {
            Some(share)
        }
        Ok(_) => {
            let message = format!(
                "{}: expected a share below 1, such as 5% or 0.05, found `{}`",
                fields.path_of(name),
                text.value
            );
            let percent = text.value.parse::<f64>().ok().filter(|number| (1.0..100.0).contains(number));
            let help = percent.map(|percent| format!("write `{percent}%`"));
            report.error(text.place, "invalid-number", message, help);
            None
        }
        Err(error) => {
            let message = format!("{}: `{}`: {error}, or 5%", fields.path_of(name), text.value);
            report.error(text.place, "invalid-number", message, None);
            None
        }
    }
}

/// `p95`, `p99.9` or a share.
fn quantile(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Ratio> {
    fields.required(report, "quantile")?;
    let text = written(report, fields, "quantile")?;
    let share = match text.value.strip_prefix('p') {
        Some(percent) => Ratio::parse(percent).ok().and_then(|p| Ratio::new(p.num, p.den.checked_mul(100)?)),
        None => Ratio::parse(text.value).ok(),
    };
    let valid = |share: &Ratio| {
        share.num > 0 && share.compare(Ratio { num: 1, den: 1 }).is_lt() && share.to_decimal().is_some()
    };
    let share = share.filter(valid);
    if share.is_none() {
        let message =
            format!("{}: expected a quantile such as p95, found `{}`", fields.path_of("quantile"), text.value);
        report.error(text.place, "invalid-number", message, None);
    }
    share
}

/// `500ms`, `2s`, `1.5s`.
fn milliseconds(report: &mut Report<'_>, fields: &Fields<'_>, name: &str) -> Option<Ratio> {
    fields.required(report, name)?;
    let text = written(report, fields, name)?;
    let thousand = Ratio { num: 1_000, den: 1 };
    let limit = match (text.value.strip_suffix("ms"), text.value.strip_suffix('s')) {
        (Some(number), _) => Ratio::parse(number).ok(),
        (None, Some(number)) => Ratio::parse(number).ok().and_then(|number| number.checked_mul(thousand)),
        (None, None) => None,
    };
    let limit = limit.filter(|limit| limit.num > 0 && limit.to_decimal().is_some());
    if limit.is_none() {
        let message =
            format!("{}: expected a latency such as 500ms or 2s, found `{}`", fields.path_of(name), text.value);
        let bare = Ratio::parse(text.value).is_ok().then(|| format!("write `{}ms`", text.value));
        report.error(text.place, "invalid-duration", message, bare);
    }
    limit
}

impl Draft<'_> {
    /// Whether it belongs to this SLO.
    pub(super) fn is_of(&self, slo: &str) -> bool {
        matches!(&self.on, On::Slo { slo: named, .. } if named.value == slo)
    }

    /// Whether it guards this objective of its SLO.
    fn guards(&self, objective: &str) -> bool {
        match &self.on {
            On::Slo { objective: named, .. } => named.is_none_or(|named| named.value == objective),
            On::Own(_) => true,
        }
    }

    /// The rules that it makes for an objective with this target; none if it is for another.
    pub(super) fn rules(&self, objective: &str, target: Ratio) -> Vec<Rule> {
        if !self.guards(objective) {
            return Vec::new();
        }
        let rule = |written: &Written| Rule {
            name: written.name.clone(),
            rule_set: self.metadata.name.map_or(String::new(), |name| name.value.to_owned()),
            condition: Condition {
                threshold: if written.below_objective { target } else { written.condition.threshold },
                ..written.condition.clone()
            },
            severity: Severity::named(&written.severity),
            wait: written.wait,
            keep: written.keep,
            labels: alerts::merged(&self.metadata.labels, &written.labels),
            annotations: self.annotations(written),
        };
        self.written.iter().map(rule).collect()
    }

    /// The description of the Rule is that of its alerts, unless one is among the annotations. What an alert holds back goes
    /// with it.
    fn annotations(&self, written: &Written) -> Vec<(String, String)> {
        let mut annotations = alerts::merged(&self.metadata.annotations, &written.annotations);
        if !self.description.is_empty() && !annotations.iter().any(|(key, _)| key == "description") {
            annotations.push(("description".to_owned(), self.description.clone()));
        }
        annotations.extend(written.inhibits.iter().map(|inhibits| (INHIBITS.to_owned(), inhibits.to_string())));
        annotations
    }
}

/// Adds the Rules that belong to an SLO to its objectives, and returns their documents.
pub(super) fn attach(report: &mut Report<'_>, set: &Set<'_>, slo: &mut Slo) -> Vec<String> {
    let mut documents = Vec::new();
    for draft in set.rules.iter().filter(|draft| draft.is_of(&slo.name)) {
        if let On::Slo { objective: Some(named), .. } = &draft.on {
            let known: Vec<String> = slo.promises().map(|promise| promise.name.to_owned()).collect();
            if !known.iter().any(|name| name == named.value) {
                let help = report
                    .nearest(named.value, known.iter().map(String::as_str))
                    .map(|near| format!("did you mean `{near}`?"));
                let message = format!("spec.objective: the SLO `{}` has no objective `{}`", slo.name, named.value);
                let help = help.or_else(|| Some(format!("it has {}", known.join(", "))));
                report.error(named.place, "unknown-objective", message, help);
                continue;
            }
            if slo.composite.is_some() && named.value != COMPOSITE {
                let message = format!("spec.objective: in a composite SLO only `{}` has rules", COMPOSITE);
                report.error(named.place, "unsupported-objective", message, Some("leave it out".to_owned()));
                continue;
            }
        }
        if !draft.sound {
            continue;
        }
        check_known(report, draft, &slo.group_by, true);
        let composite = slo.composite.is_some();
        let sliced = slo.objectives.iter().any(|objective| objective.budgeting.slice().is_some());
        for written in &draft.written {
            check_events(report, written, composite, sliced);
            doubts::of_condition(report, slo, (written.place, &written.name), &written.condition);
        }
        match &mut slo.composite {
            Some(composite) => {
                let made = draft.rules(COMPOSITE, composite.target);
                add(report, draft, &mut composite.rules, made);
            }
            None => {
                for objective in &mut slo.objectives {
                    let made = draft.rules(&objective.name, objective.target);
                    add(report, draft, &mut objective.rules, made);
                }
            }
        }
        documents.extend(canonical::rule::write(draft, None));
    }
    for draft in set.rules.iter().filter(|draft| draft.sound && draft.is_of(&slo.name)) {
        inhibits::check_severities(report, slo, draft);
    }
    documents
}

fn add(report: &mut Report<'_>, draft: &Draft<'_>, rules: &mut Vec<Rule>, made: Vec<Rule>) {
    for rule in made {
        if rules.iter().any(|known| known.name == rule.name) {
            let place = draft.metadata.name.map_or(draft.place, |name| name.place);
            let message = format!("metadata.name: the SLO has an alert named `{}` already", rule.name);
            report.error(place, "duplicate-name", message, Some("choose another name".to_owned()));
        }
        rules.push(rule);
    }
}

/// Events are counted for a day where time is sliced, where a slice without any is good; a composite has none of its own.
fn check_events(report: &mut Report<'_>, written: &Written, composite: bool, sliced: bool) {
    let Condition { kind, long, least, least_bad, no_data, .. } = written.condition;
    let (what, why, help) = if least > 0 && composite {
        ("minRequests", "a composite has no requests of its own", "leave it out")
    } else if least_bad > 0 && (composite || sliced) {
        ("minBad", "what is bad is time here, and no request", "leave it out")
    } else if sliced && least > 0 && long > COUNTS_KEPT {
        (
            "minRequests",
            "requests of time slices are counted for a day, and it looks back further",
            "look back 1d at most",
        )
    } else if sliced && kind == NO_TRAFFIC && long > COUNTS_KEPT {
        (
            "noTraffic",
            "requests of time slices are counted for a day, and it looks back further",
            "look back 1d at most",
        )
    } else if sliced && no_data != NoData::Ok {
        ("noData", "a slice of time without requests is good, so there is always something", "use noTraffic")
    } else {
        return;
    };
    let message = format!("condition `{}`: {what} is not supported here: {why}", written.name);
    report.error(written.place, "unsupported-guard", message, Some(help.to_owned()));
}

/// Says which Rules belong to no SLO of the set, and which have the name of one.
pub(super) fn check_slos(report: &mut Report<'_>, set: &Set<'_>) {
    let names: Vec<&str> = set.slos.iter().filter_map(|slo| Some(slo.metadata.as_ref()?.name?.value)).collect();
    for draft in &set.rules {
        match &draft.on {
            On::Slo { slo, .. } if !names.contains(&slo.value) && !set.partial => {
                let help = match report.nearest(slo.value, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "pass its file as well".to_owned(),
                };
                let message = format!("spec.slo: no SLO named `{}` in the given files", slo.value);
                report.error(slo.place, "unknown-slo", message, Some(help));
            }
            On::Own(_) | On::Slo { .. } => {
                if let Some(name) = draft.metadata.name.filter(|name| names.contains(&name.value)) {
                    let message = format!("metadata.name: an SLO is named `{}`, too", name.value);
                    report.error(name.place, "duplicate-name", message, Some("choose another name".to_owned()));
                }
            }
        }
    }
}

/// The series of a Rule with an indicator of its own, and its self-contained document. `None` if something is missing or has errors,
/// or it belongs to an SLO.
pub(super) fn own(report: &mut Report<'_>, set: &Set<'_>, draft: &Draft<'_>) -> Option<(Slo, String)> {
    let On::Own(indicator) = &draft.on else { return None };
    let counted = set.sli(report, indicator.as_ref()?)?;
    let limit = limit(report, draft)?;
    let total = match (&counted.what, limit) {
        (What::Ratio(Indicator { total, .. }) | What::Latency(total), Some(_)) => total,
        (What::Ratio(indicator), None) => &indicator.total,
        (What::Latency(total), None) => {
            let needs = draft.written.iter().find(|written| written.condition.kind != NO_TRAFFIC);
            if let Some(written) = needs {
                let message =
                    format!("condition `{}`: a thresholdMetric does not say which requests are good", written.name);
                let help = "write a ratioMetric, or a latencyQuantile".to_owned();
                report.error(written.place, "needs-ratio", message, Some(help));
                return None;
            }
            total
        }
    };
    let side = match (&counted.what, limit) {
        (_, Some(limit)) => Side::Good(format!("latency_ms <= {}", limit.to_decimal()?)),
        (What::Ratio(indicator), None) => indicator.side.clone(),
        (What::Latency(_), None) => Side::Good("true".to_owned()),
    };
    draft.sound.then_some(())?;
    let errors = report.errors();
    check_known(report, draft, &counted.group_by, false);
    (report.errors() == errors).then_some(())?;
    let name = draft.metadata.name?.value.to_owned();
    let half = Ratio { num: 1, den: 2 };
    let longest = draft.written.iter().map(|written| written.condition.long).max()?;
    let indicator = Indicator { total: total.clone(), side };
    let slo = Slo {
        display_name: draft.metadata.display_name.clone().unwrap_or_else(|| name.clone()),
        service: draft.service.clone(),
        description: draft.description.clone(),
        group_by: counted.group_by.clone(),
        window: Window::Rolling(longest),
        objectives: vec![Objective {
            budgeting: Budgeting::Occurrences,
            rules: draft.rules(OF_RULE, half),
            ..Objective::new(OF_RULE, indicator, half)
        }],
        composite: None,
        labels: Vec::new(),
        document: Document::Rule,
        name,
    };
    let text = canonical::rule::write(draft, Some(counted))?;
    Some((slo, text))
}

/// The latency that all its conditions look at, if one does: what is good is one filter for all. The outer `None`: they differ.
fn limit(report: &mut Report<'_>, draft: &Draft<'_>) -> Option<Option<Ratio>> {
    let limits = || draft.written.iter().filter(|written| written.condition.kind != NO_TRAFFIC);
    let Some(first) = limits().next().map(|written| written.condition.limit_ms) else { return Some(None) };
    if let Some(other) = limits().find(|written| written.condition.limit_ms != first) {
        let message = format!("condition `{}`: all conditions of a Rule look at the same good requests", other.name);
        let help = "write a Rule for each latency, and one for a ratio".to_owned();
        report.error(other.place, "conflicting-fields", message, Some(help));
        return None;
    }
    Some(first)
}

/// Checks that the dimensions and the budget that its texts name are there.
fn check_known(report: &mut Report<'_>, draft: &Draft<'_>, group_by: &[GroupKey], has_budget: bool) {
    const OF_BUDGETS: [&str; 4] = ["budget_left", "burn_rate", "exhausted_in", "target"];
    if !report.warns() {
        return;
    }
    let of_rule = draft.metadata.annotations.iter().map(|(_, text)| (draft.place, text));
    let own = draft.written.iter().flat_map(|w| w.annotations.iter().map(move |(_, text)| (w.place, text)));
    for (place, text) in of_rule.chain(own).chain([(draft.place, &draft.description)]) {
        for part in template::parts(text) {
            let template::Part::Name(name) = part else { continue };
            let dimension = name.strip_prefix(template::GROUP);
            let (message, help) = if let Some(dimension) =
                dimension.filter(|d| !group_by.iter().any(|key| key.label() == *d))
            {
                let labels: Vec<&str> = group_by.iter().map(GroupKey::label).collect();
                let help = if labels.is_empty() {
                    "it has no groupBy".to_owned()
                } else {
                    format!("groupBy has {}", labels.join(", "))
                };
                (format!("`{{{{{name}}}}}`: it is not grouped by `{dimension}`"), help)
            } else if OF_BUDGETS.contains(&name) && !has_budget {
                (format!("`{{{{{name}}}}}`: only an SLO has a budget"), "use {{value}} and {{threshold}}".to_owned())
            } else {
                continue;
            };
            report.error(place, "unknown-template-name", message, Some(help));
        }
    }
}

/// Checks the names in the texts of annotations.
pub(super) fn check_template(report: &mut Report<'_>, text: Text<'_>, path: &str) {
    for part in template::parts(text.value) {
        match part {
            template::Part::Text(_) => {}
            template::Part::Name(name) if template::is_known(name) => {}
            template::Part::Name(name) => {
                let help = match report.nearest(name, template::NAMES.into_iter()) {
                    Some(near) => format!("did you mean `{{{{{near}}}}}`?"),
                    None => format!("the names are {}, and {}DIMENSION", template::NAMES.join(", "), template::GROUP),
                };
                let message = format!("{path}: `{{{{{name}}}}}`: no such name");
                report.error(text.place, "unknown-template-name", message, Some(help));
            }
            template::Part::Broken(_) => {
                let message = format!("{path}: `{{{{` without a name and `}}}}` stays as it is");
                report.warning(text.place, "broken-template", message, Some("a name is written {{value}}".to_owned()));
            }
        }
    }
}
