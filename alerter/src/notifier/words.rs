//! The text of an alert for the person who was paged: annotations in plain words.

use jiff::Timestamp;
use slipstream_definitions::inhibits::ANNOTATION as INHIBITS;
use slipstream_schemas::records::{AlertTransition, Exemplar};
use slipstream_slo::rule::words::length;
use slipstream_slo::rule::{Kind, Kinds, Why};

use crate::notifier::as_of;
use crate::notifier::identity::{self, SEVERITY, is_of_rule};
use crate::notifier::links::Links;
use crate::notifier::payload::{Alert, Labels, Status, ZERO_TIME, fingerprint};

/// Sender and receiver, as named in a message.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Receiver name, for idempotency keys.
    pub receiver: &'a str,
    /// Where a notification leads.
    pub links: &'a Links,
    /// What the receiver calls our severities, in any case; those that are not in it keep their names.
    pub severities: &'a Labels,
}

/// Why a label set is resolved.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// The alert is over.
    Over(&'a AlertTransition),
    /// It continues with another severity.
    Replaced(&'a AlertTransition),
}

impl Speaker<'_> {
    /// The alert that fires as of a firing or severity transition.
    pub fn firing(&self, t: &AlertTransition) -> Alert {
        let mut annotations = self.facts(t, t);
        say(&mut annotations, "summary", format!("{} {}", subject(t), why(t).summary));
        say(&mut annotations, "description", self.firing_description(t));
        self.alert(t, Status::Firing, ZERO_TIME.to_owned(), annotations)
    }

    /// [`Speaker::firing`] as it is told at `now`, milliseconds since the epoch: its figures say of when they are if that is long ago.
    pub fn firing_at(&self, t: &AlertTransition, now: i64) -> Alert {
        let mut alert = self.firing(t);
        as_of::mark(&mut alert.annotations, t.tick, now);
        alert
    }

    /// The label set that `told` had, resolved.
    pub fn resolved(&self, told: &AlertTransition, end: End<'_>) -> Alert {
        let (by, summary, description) = match end {
            End::Over(t) if t.withdrawn => (
                t,
                format!("{}: the rule of this alert was withdrawn or changed", subject(told)),
                format!(
                    "It fired from {} to {}, when its definition changed. What it was about may go on.",
                    time(since(told)),
                    time(t.tick)
                ),
            ),
            End::Over(t) => (
                t,
                format!("{} {}", subject(told), kind(told).over()),
                format!("It fired from {} to {} ({}).", time(since(told)), time(t.tick), length(t.tick - since(told))),
            ),
            End::Replaced(t) => (
                t,
                format!("{} is now {} instead of {}", subject(told), self.severity(t), self.severity(told)),
                format!(
                    "The alert continues with severity {}; it has been firing since {}.",
                    self.severity(t),
                    time(since(t))
                ),
            ),
        };
        let mut annotations = self.facts(told, by);
        annotations.insert("summary".to_owned(), summary);
        annotations.insert("description".to_owned(), description);
        self.alert(told, Status::Resolved, rfc3339(by.tick), annotations)
    }

    fn alert(&self, t: &AlertTransition, status: Status, ends_at: String, annotations: Labels) -> Alert {
        let mut labels = identity::labels(t);
        if let Some(severity) = labels.get_mut(SEVERITY) {
            *severity = self.severity(t).to_owned();
        }
        Alert {
            status,
            fingerprint: fingerprint(&labels),
            labels,
            annotations,
            starts_at: rfc3339(since(t)),
            ends_at,
            generator_url: self.links.of(t),
        }
    }

    /// The severity of a transition as the receiver calls it.
    fn severity<'t>(&'t self, t: &'t AlertTransition) -> &'t str {
        let named = self.severities.iter().find(|(ours, _)| ours.eq_ignore_ascii_case(&t.severity));
        named.map_or(&t.severity, |(_, theirs)| theirs)
    }

    fn firing_description(&self, t: &AlertTransition) -> String {
        let whose = if t.service.is_empty() { String::new() } else { format!(" of service {}", t.service) };
        let what = if is_of_rule(t) { format!("Rule {}", t.slo) } else { format!("Objective {}", t.objective) };
        let mut text = format!("{what}{whose}, severity {}, firing since {}.", self.severity(t), time(since(t)));
        let why = why(t).description;
        if !why.is_empty() {
            text.push_str(&format!(" {why}"));
        }
        if !t.complete {
            text.push_str(" Some sources were late: the true figures may differ.");
        }
        if let Some(trace) = traces(&t.exemplars).next() {
            text.push_str(&format!(" A request that failed: trace {trace}."));
        }
        text
    }

    /// The rule's own annotations, and facts for machines: alert id, rule, idempotency key of `by`, trace ids. What the alert holds
    /// back concerns us alone.
    fn facts(&self, t: &AlertTransition, by: &AlertTransition) -> Labels {
        let own = t.annotations.iter().filter(|annotation| annotation.name != INHIBITS);
        let mut annotations: Labels = own.map(|a| (a.name.clone(), a.value.clone())).collect();
        annotations.insert("alert_id".to_owned(), t.alert_id.clone());
        annotations.insert("rule".to_owned(), t.rule.clone());
        annotations.insert("idempotency_key".to_owned(), identity::idempotency_key(by, self.receiver));
        let traces: Vec<&str> = traces(&t.exemplars).collect();
        if !traces.is_empty() {
            annotations.insert("trace_ids".to_owned(), traces.join(", "));
        }
        annotations
    }
}

/// A rule's own words stay.
fn say(annotations: &mut Labels, name: &str, words: String) {
    annotations.entry(name.to_owned()).or_insert(words);
}

fn traces(exemplars: &[Exemplar]) -> impl Iterator<Item = &str> {
    exemplars.iter().filter_map(|e| e.trace_id.as_deref())
}

/// `checkout (endpoint=/pay)`: the SLO, or the service of a Rule that counts for itself.
fn subject(t: &AlertTransition) -> String {
    let name = if is_of_rule(t) && !t.service.is_empty() { &t.service } else { &t.slo };
    let dimensions: Vec<String> = t.group.iter().map(|g| format!("{}={}", g.name, g.value)).collect();
    if dimensions.is_empty() { name.clone() } else { format!("{name} ({})", dimensions.join(", ")) }
}

/// What the alert is about.
fn kind(t: &AlertTransition) -> &'static dyn Kind {
    Kinds::default().named(&t.rule_kind)
}

fn why(t: &AlertTransition) -> Why {
    kind(t).why(&t.rule, &t.values)
}

/// When it fired in this episode.
fn since(t: &AlertTransition) -> i64 {
    t.fired_at.unwrap_or(t.tick)
}

fn rfc3339(tick: i64) -> String {
    Timestamp::from_second(tick).map_or_else(|_| ZERO_TIME.to_owned(), |t| t.to_string())
}

fn time(tick: i64) -> String {
    Timestamp::from_second(tick).map_or_else(|_| tick.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use slipstream_schemas::records::{AlertValue, Label, TransitionKind};

    use super::*;

    /// A page of SLO checkout at 2026-02-01T10:00:00Z.
    pub(crate) fn transition() -> AlertTransition {
        let value = |seconds, burn| AlertValue {
            rule: "1h/5m".to_owned(),
            window_seconds: seconds,
            burn,
            threshold: 14.4,
            ..AlertValue::default()
        };
        AlertTransition {
            alert_id: "00c0ffee00c0ffee".to_owned(),
            episode: 1_769_940_000,
            seq: 2,
            slo: "checkout".to_owned(),
            service: "payments".to_owned(),
            objective: "availability".to_owned(),
            group: Vec::new(),
            rule_set: "burn".to_owned(),
            rule: "1h/5m".to_owned(),
            severity: "page".to_owned(),
            kind: TransitionKind::Firing,
            tick: 1_769_940_000,
            fired_at: Some(1_769_940_000),
            values: vec![value(3_600, 18.07), value(300, 36.0)],
            generation: 0,
            complete: true,
            labels: Vec::new(),
            annotations: Vec::new(),
            exemplars: Vec::new(),
            rule_kind: "burnrate".to_owned(),
            withdrawn: false,
            holds_since: None,
        }
    }

    static LINKS: Links = Links { external: String::new(), alert: String::new() };
    static SAME: Labels = Labels::new();

    const SPEAKER: Speaker<'_> = Speaker { receiver: "ops", links: &LINKS, severities: &SAME };

    #[test]
    fn a_firing_alert_says_what_burns_how_fast_and_since_when() {
        let mut t = transition();
        t.exemplars = vec![Exemplar { event_id: "e".to_owned(), trace_id: Some("ab".repeat(16)), time: 0 }];
        let alert = SPEAKER.firing(&t);
        assert_eq!(alert.annotations["summary"], "checkout is spending its error budget 36 times too fast");
        assert_eq!(
            alert.annotations["description"],
            "Objective availability of service payments, severity page, firing since 2026-02-01 10:00:00 UTC. Burn rate 36 \
             over the last 5 min and 18.1 over the last 1 h (rule 1h/5m fires above 14.4). At 1 the budget would last \
             exactly its period. A request that failed: trace abababababababababababababababab."
        );
        assert_eq!(alert.annotations["idempotency_key"], "00c0ffee00c0ffee/1769940000/2/ops");
        assert_eq!(alert.annotations["trace_ids"], "ab".repeat(16));
        assert_eq!((alert.starts_at.as_str(), alert.ends_at.as_str()), ("2026-02-01T10:00:00Z", ZERO_TIME));
        assert_eq!(alert.generator_url, "");
    }

    #[test]
    fn a_receiver_hears_of_severities_by_the_names_that_it_knows() {
        let severities = [("page".to_owned(), "critical".to_owned())].into();
        let links = Links { external: "http://grafana.test".to_owned(), alert: String::new() };
        let speaker = Speaker { receiver: "ops", links: &links, severities: &severities };
        let page = transition();
        let ticket = AlertTransition { severity: "ticket".to_owned(), seq: 3, ..transition() };
        let firing = speaker.firing(&page);
        assert_eq!(firing.labels["severity"], "critical");
        assert!(firing.annotations["description"].contains("severity critical"), "{firing:?}");
        assert_eq!(firing.generator_url, "http://grafana.test");
        assert_eq!(speaker.firing(&ticket).labels["severity"], "ticket", "what has no other name keeps its own");
        let shouted = AlertTransition { severity: "PAGE".to_owned(), ..transition() };
        assert_eq!(speaker.firing(&shouted).labels["severity"], "critical", "in any case");
        let ended = speaker.resolved(&page, End::Replaced(&ticket));
        assert_eq!(ended.fingerprint, firing.fingerprint);
        assert_eq!(ended.annotations["summary"], "checkout is now ticket instead of critical");
    }

    #[test]
    fn a_rules_own_words_stay_and_doubt_is_said() {
        let mut t = transition();
        t.complete = false;
        t.annotations = vec![
            Label { name: "summary".to_owned(), value: "Customers cannot pay".to_owned() },
            Label { name: "runbook_url".to_owned(), value: "http://wiki/pay".to_owned() },
        ];
        let alert = SPEAKER.firing(&t);
        assert_eq!(alert.annotations["summary"], "Customers cannot pay");
        assert_eq!(alert.annotations["runbook_url"], "http://wiki/pay");
        assert!(alert.annotations["description"].contains("the true figures may differ"));
    }

    #[test]
    fn a_resolved_alert_is_the_label_set_that_was_told() {
        let told = transition();
        let over = AlertTransition {
            kind: TransitionKind::Resolved,
            seq: 4,
            tick: told.tick + 754,
            severity: String::new(),
            ..told.clone()
        };
        let alert = SPEAKER.resolved(&told, End::Over(&over));
        assert_eq!(alert.fingerprint, SPEAKER.firing(&told).fingerprint);
        assert_eq!(
            (alert.starts_at.as_str(), alert.ends_at.as_str()),
            ("2026-02-01T10:00:00Z", "2026-02-01T10:12:34Z")
        );
        let words = "It fired from 2026-02-01 10:00:00 UTC to 2026-02-01 10:12:34 UTC (12 min 34 s).";
        assert_eq!(alert.annotations["description"], words);
        assert_eq!(alert.annotations["idempotency_key"], "00c0ffee00c0ffee/1769940000/4/ops");
        let withdrawn = AlertTransition { withdrawn: true, ..over };
        let alert = SPEAKER.resolved(&told, End::Over(&withdrawn));
        assert_eq!(alert.annotations["summary"], "checkout: the rule of this alert was withdrawn or changed");
        assert!(alert.annotations["description"].ends_with("What it was about may go on."), "{alert:?}");
    }
}
