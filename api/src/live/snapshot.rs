//! What is known of the SLOs at one tick, made once for all answers.
//!
//! The standings are kept as JSON, one after the other, and answers are put together from that: whoever asks for all of
//! 25,000 gets bytes that are there already.

use std::collections::HashMap;
use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use slipstream_definitions::definition::Slo;
use slipstream_query::rules::{Kept, RuleStatus};
use slipstream_query::slos::{SloAnswer, rules, status};
use slipstream_query::{FollowError, Follower};
use slipstream_schemas::records::{BurnRates, WindowRates};
use slipstream_slo::hash::series_hash;
use tokio::sync::OnceCell;
use twox_hash::XxHash3_64;

use crate::ask::answers::rules::RuleStanding;
use crate::ask::answers::slos::{STANDING, Standing};
use crate::refusal::Refusal;
use crate::reply::{Tag, csv_head, csv_line};

/// A window that dashboards ask for, whatever rules look at, seconds.
const SHORT: i64 = 300;

/// See the module.
pub struct Snapshot {
    as_of: Option<i64>,
    complete: bool,
    definitions: Arc<[Slo]>,
    /// By SLO.
    states: Vec<BurnRates>,
    /// The window of [`SHORT`], by series, of those whose rules do not look at it.
    short: HashMap<u64, WindowRates>,
    /// Worst budget first.
    entries: Vec<Entry>,
    body: Bytes,
    tag: Tag,
    rules: Rules,
    /// The same as CSV, once somebody wants it.
    table: OnceCell<Table>,
    /// By series, what its standing is but for the time.
    marks: HashMap<u64, u64>,
}

/// The Rules, as the standings.
struct Rules {
    body: Bytes,
    tag: Tag,
    entries: Vec<Entry>,
}

/// A standing in the body.
struct Entry {
    name: String,
    service: String,
    at: Range<usize>,
    /// Not of Rules.
    series: u64,
}

/// Lines of CSV behind their head, one for each entry.
struct Table {
    text: Bytes,
    lines: Vec<Range<usize>>,
}

/// What names a series, in JSON.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
    #[serde(borrow)]
    objective: &'a RawValue,
    #[serde(borrow, default)]
    group: Option<&'a RawValue>,
}

impl Snapshot {
    /// What a follower knows, and which alerts are kept firing. `definitions` are its own, which it takes time to list.
    ///
    /// # Errors
    /// When the follower has no state.
    pub fn of(follower: &Follower, definitions: Arc<[Slo]>, kept: &Kept) -> Result<Snapshot, FollowError> {
        let mut found = follower.states_over(SHORT)?;
        found.sort_by(|(a, _), (b, _)| a.slo.cmp(&b.slo));
        let mut short = HashMap::new();
        let mut states = Vec::with_capacity(found.len());
        for (state, window) in found {
            if let Some(window) = window.filter(|_| !state.windows.iter().any(|window| window.seconds == SHORT)) {
                short.insert(hash_of(&state), window);
            }
            states.push(state);
        }
        Ok(Snapshot::new(follower.known_up_to(), definitions, states, kept).with_short(short))
    }

    /// With a window of [`SHORT`] for those states that have none.
    fn with_short(self, short: HashMap<u64, WindowRates>) -> Snapshot {
        Snapshot { short, ..self }
    }

    /// The window of [`SHORT`] of one of its states.
    pub fn short<'a>(&'a self, state: &'a BurnRates) -> Option<&'a WindowRates> {
        let own = state.windows.iter().find(|window| window.seconds == SHORT);
        own.or_else(|| self.short.get(&hash_of(state)))
    }

    /// From definitions, and states by SLO.
    pub(crate) fn new(as_of: Option<i64>, definitions: Arc<[Slo]>, states: Vec<BurnRates>, kept: &Kept) -> Snapshot {
        let SloAnswer { slos: standings, rules: mut standings_of_rules } =
            SloAnswer::worst_first(&definitions, &states);
        kept.tell(&mut standings_of_rules);
        let rules = rules(&definitions);
        let promised = |name: &str| !rules.contains(name);
        let states: Vec<BurnRates> = states.into_iter().filter(|state| promised(&state.slo)).collect();
        let definitions: Arc<[Slo]> = if rules.is_empty() {
            definitions
        } else {
            definitions.iter().filter(|slo| promised(&slo.name)).cloned().collect()
        };
        // What was never evaluated, such as a grouped SLO without any request yet, lacks nothing.
        let mut evaluated = standings.iter().filter(|standing| standing.as_of.is_some());
        let complete = as_of.is_some() && evaluated.all(|standing| standing.complete);
        let mut snapshot = Snapshot {
            as_of,
            complete,
            definitions,
            states,
            entries: Vec::with_capacity(standings.len()),
            body: Bytes::new(),
            tag: Tag::of(&[]),
            rules: Rules::of(standings_of_rules),
            short: HashMap::new(),
            table: OnceCell::new(),
            marks: HashMap::with_capacity(standings.len()),
        };
        let mut body = Vec::new();
        for standing in standings {
            snapshot.push(&mut body, standing.into());
        }
        snapshot.body = Bytes::from(body);
        snapshot.tag = Tag::of(std::slice::from_ref(&snapshot.body));
        snapshot
    }

    fn push(&mut self, body: &mut Vec<u8>, standing: Standing) {
        if !body.is_empty() {
            body.push(b',');
        }
        let begin = body.len();
        // A standing is texts and numbers: nothing of it cannot be written.
        if serde_json::to_writer(&mut *body, &standing).is_err() {
            body.truncate(begin.saturating_sub(1));
            return;
        }
        let series = series_of(&standing);
        // All but the last field, which is the time, and is another one at every tick.
        let time = standing.as_of.as_ref().map_or(4, |as_of| as_of.len() + 2) + 1;
        self.marks.insert(series, hash(&body[begin..body.len() - time]));
        self.entries.push(Entry { name: standing.name, service: standing.service, at: begin..body.len(), series });
    }

    /// End of the last tick that is known, Unix seconds; `None` before the first.
    pub fn as_of(&self) -> Option<i64> {
        self.as_of
    }

    /// Whether no source was missing.
    pub fn complete(&self) -> bool {
        self.complete
    }

    /// The SLOs in force.
    pub fn definitions(&self) -> &[Slo] {
        &self.definitions
    }

    /// The state of every series, by SLO.
    pub fn states(&self) -> &[BurnRates] {
        &self.states
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.entries.len()
    }

    /// Every standing as JSON, separated by commas.
    pub fn all(&self) -> (Bytes, Tag) {
        (self.body.clone(), self.tag)
    }

    /// Those of a service, or whose name begins so, as [`Snapshot::all`].
    pub fn only(&self, service: Option<&str>, beginning: Option<&str>) -> (Bytes, Tag) {
        if service.is_none() && beginning.is_none() {
            return self.all();
        }
        let body = self.joined(self.entries.iter().filter(|entry| entry.is_wanted(service, beginning)));
        let tag = Tag::of(std::slice::from_ref(&body));
        (body, tag)
    }

    /// The Rules of a service, or that are asked for by a name that begins so, as [`Snapshot::all`]; and how many they are.
    pub fn rules(&self, service: Option<&str>, beginning: Option<&str>) -> (Bytes, Tag, usize) {
        let Rules { body, tag, entries } = &self.rules;
        if service.is_none() && beginning.is_none() {
            return (body.clone(), *tag, entries.len());
        }
        let wanted: Vec<&Entry> = entries.iter().filter(|entry| entry.is_wanted(service, beginning)).collect();
        let some = joined(body, wanted.iter().copied());
        let tag = Tag::of(std::slice::from_ref(&some));
        (some, tag, wanted.len())
    }

    /// The same as CSV, with its head. It is made once for all, and not where requests are answered.
    ///
    /// # Errors
    /// When it cannot be written: a mistake in the program.
    pub async fn table(self: &Arc<Self>, service: Option<&str>, beginning: Option<&str>) -> Result<Bytes, Refusal> {
        let make = async || {
            let snapshot = self.clone();
            let made = tokio::task::spawn_blocking(move || snapshot.make_table()).await;
            made.map_err(|error| Refusal::Broken(format!("writing CSV: {error}")))?
        };
        let Table { text, lines } = self.table.get_or_try_init(make).await?;
        if service.is_none() && beginning.is_none() {
            return Ok(text.clone());
        }
        let head = lines.first().map_or(text.len(), |first| first.start);
        let mut some = text[..head].to_vec();
        for (entry, line) in self.entries.iter().zip(lines) {
            if entry.is_wanted(service, beginning) {
                some.extend_from_slice(&text[line.clone()]);
            }
        }
        Ok(Bytes::from(some))
    }

    fn make_table(&self) -> Result<Table, Refusal> {
        let unreadable = |error| Refusal::Broken(format!("reading standings: {error}"));
        let mut text = csv_head(STANDING)?;
        let mut lines = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let row = serde_json::from_slice(&self.body[entry.at.clone()]).map_err(unreadable)?;
            let begin = text.len();
            text.extend_from_slice(&csv_line(STANDING, &row)?);
            lines.push(begin..text.len());
        }
        Ok(Table { text: Bytes::from(text), lines })
    }

    /// Those that are not as they were before.
    pub fn changed_since(&self, before: &Snapshot) -> Bytes {
        let changed = |entry: &&Entry| before.marks.get(&entry.series) != self.marks.get(&entry.series);
        self.joined(self.entries.iter().filter(changed))
    }

    /// The names, as JSON, of the series that were there before and are gone.
    pub fn gone_since(&self, before: &Snapshot) -> Bytes {
        let gone = before.entries.iter().filter(|entry| !self.marks.contains_key(&entry.series));
        let names = gone.filter_map(|entry| {
            let Named { name, objective, group } = serde_json::from_slice(&before.body[entry.at.clone()]).ok()?;
            let group = group.map(|group| format!(",\"group\":{group}")).unwrap_or_default();
            Some(format!("{{\"name\":{name},\"objective\":{objective}{group}}}"))
        });
        Bytes::from(names.collect::<Vec<String>>().join(","))
    }

    fn joined<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> Bytes {
        joined(&self.body, entries)
    }

    /// One SLO: its definition if it is in force, its standings, and the states of its series.
    pub fn one(&self, name: &str) -> Option<(Option<&Slo>, Vec<Standing>, &[BurnRates])> {
        let slo = self.definitions.iter().find(|slo| slo.name == name);
        let begin = self.states.partition_point(|state| state.slo.as_str() < name);
        let states = &self.states[begin..];
        let states = &states[..states.partition_point(|state| state.slo == name)];
        if slo.is_none() && states.is_empty() {
            return None;
        }
        let standings = status(slo.map(std::slice::from_ref).unwrap_or_default(), states);
        Some((slo, standings.into_iter().map(Standing::from).collect(), states))
    }
}

impl Rules {
    fn of(standings: Vec<RuleStatus>) -> Rules {
        let (mut body, mut entries) = (Vec::new(), Vec::with_capacity(standings.len()));
        for standing in standings.into_iter().map(RuleStanding::from) {
            // It is texts and numbers: nothing of it cannot be written.
            let Ok(text) = serde_json::to_vec(&standing) else { continue };
            if !body.is_empty() {
                body.push(b',');
            }
            let begin = body.len();
            body.extend_from_slice(&text);
            let name = standing.asked_as().to_owned();
            entries.push(Entry { name, service: standing.service, at: begin..body.len(), series: 0 });
        }
        let body = Bytes::from(body);
        Rules { tag: Tag::of(std::slice::from_ref(&body)), body, entries }
    }
}

/// Some of a body's entries, separated by commas.
fn joined<'a>(body: &[u8], entries: impl Iterator<Item = &'a Entry>) -> Bytes {
    let mut some = Vec::new();
    for entry in entries {
        if !some.is_empty() {
            some.push(b',');
        }
        some.extend_from_slice(&body[entry.at.clone()]);
    }
    Bytes::from(some)
}

impl Entry {
    fn is_wanted(&self, service: Option<&str>, beginning: Option<&str>) -> bool {
        service.is_none_or(|service| self.service == service)
            && beginning.is_none_or(|beginning| self.name.starts_with(beginning))
    }
}

/// What tells a series from others.
fn series_of(standing: &Standing) -> u64 {
    let mut hasher = XxHash3_64::with_seed(0);
    let labels = standing.group.iter().flatten().flat_map(|(label, value)| [label.as_str(), value.as_str()]);
    for part in [standing.name.as_str(), standing.objective.as_str()].into_iter().chain(labels) {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

fn hash_of(state: &BurnRates) -> u64 {
    series_hash(&state.slo, &state.objective, &state.group)
}

fn hash(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

#[cfg(test)]
mod tests {
    use slipstream_definitions::definition::{
        Condition, Document, GroupKey, Indicator, Objective, Ratio, Rule, Severity, Side, Window,
    };
    use slipstream_schemas::records::{AlertTransition, TransitionKind};
    use slipstream_slo::alerts::alert_id;

    use super::*;

    fn grouped(name: &str) -> Slo {
        let indicator = Indicator { total: "true".into(), side: Side::Good("status_code < 500".into()) };
        Slo {
            name: name.into(),
            display_name: name.into(),
            service: "=shop".into(),
            description: String::new(),
            group_by: vec![GroupKey::Endpoint],
            window: Window::Rolling(2_592_000),
            objectives: vec![Objective::new("0", indicator, Ratio { num: 995, den: 1_000 })],
            composite: None,
            labels: Vec::new(),
            document: slipstream_definitions::definition::Document::Slo,
        }
    }

    /// An alert of a Rule of its own is kept firing from a tick on.
    fn keeping(rule: &str, tick: i64) -> AlertTransition {
        AlertTransition {
            alert_id: alert_id(rule, "0", &[], rule),
            episode: 1,
            seq: 3,
            slo: rule.to_owned(),
            service: "shop".to_owned(),
            objective: "0".to_owned(),
            group: Vec::new(),
            rule_set: rule.to_owned(),
            rule: rule.to_owned(),
            severity: "page".to_owned(),
            kind: TransitionKind::Keeping,
            tick,
            fired_at: Some(1),
            values: Vec::new(),
            generation: 1,
            complete: true,
            labels: Vec::new(),
            annotations: Vec::new(),
            exemplars: Vec::new(),
            rule_kind: "burnrate".to_owned(),
            withdrawn: false,
            holds_since: None,
        }
    }

    /// Of what was never evaluated.
    fn new(as_of: Option<i64>, definitions: Arc<[Slo]>) -> Snapshot {
        Snapshot::new(as_of, definitions, Vec::new(), &Kept::default())
    }

    #[test]
    fn rules_are_told_beside_the_slos_and_asked_for_as_those() {
        let condition = Condition::burn_rate(3_600, 300, Ratio { num: 14, den: 1 }, 0);
        let rule = |name: &str| Rule {
            name: name.to_owned(),
            rule_set: name.to_owned(),
            condition: condition.clone(),
            severity: Severity::named("page"),
            wait: 0,
            keep: 60,
            labels: Vec::new(),
            annotations: Vec::new(),
        };
        let (mut of_its_own, mut on_an_slo) = (grouped("Errors"), grouped("payment"));
        of_its_own.document = Document::Rule;
        of_its_own.service = "shop".to_owned();
        of_its_own.objectives[0].rules.push(rule("Errors"));
        on_an_slo.objectives[0].rules.push(rule("Slow"));
        let mut kept = Kept::default();
        kept.note(&keeping("Errors", 60));
        let snapshot = Snapshot::new(Some(90), [of_its_own, on_an_slo].into(), Vec::new(), &kept);
        let asked = |service: Option<&str>, beginning: Option<&str>| {
            let (body, _, count) = snapshot.rules(service, beginning);
            let text = format!("[{}]", std::str::from_utf8(&body).unwrap());
            let rules: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(rules.len(), count);
            let text = |rule: &serde_json::Value, field: &str| rule[field].as_str().map(str::to_owned);
            let all = rules.iter().map(|rule| ["name", "slo", "state", "since"].map(|field| text(rule, field)));
            all.collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        let errors = [some("Errors"), None, some("keeping"), some("1970-01-01T00:01:00Z")];
        let slow = [some("Slow"), some("payment"), some("inactive"), None];
        assert_eq!(asked(None, None), [errors.clone(), slow.clone()]);
        assert_eq!(asked(Some("shop"), None), std::slice::from_ref(&errors));
        assert_eq!(asked(None, Some("pay")), [slow]);
        assert_eq!(asked(Some("shop"), Some("Err")), [errors]);
        assert!(asked(Some("shop"), Some("pay")).is_empty());
        assert_eq!(snapshot.series(), 1, "a Rule promises nothing");
    }

    #[test]
    fn what_was_never_evaluated_lacks_nothing() {
        let definitions: Arc<[Slo]> = [grouped("quiet")].into();
        assert!(new(Some(10), definitions.clone()).complete());
        assert!(!new(None, definitions).complete(), "nothing is known yet");
    }

    #[tokio::test]
    async fn a_table_of_some_has_the_lines_of_all() {
        let snapshot = Arc::new(new(Some(10), ["a", "b", "bc"].map(grouped).into()));
        let lines = async |service: Option<&str>, beginning: Option<&str>| {
            let text = snapshot.table(service, beginning).await.unwrap();
            let lines: Vec<String> =
                std::str::from_utf8(&text).unwrap().split_terminator("\r\n").map(str::to_owned).collect();
            lines
        };
        let all = lines(None, None).await;
        assert!(all[0].starts_with("name,service,objective") && all[1].starts_with("a,'=shop,0"), "{all:?}");
        assert_eq!(lines(None, Some("b")).await, [all[0].clone(), all[2].clone(), all[3].clone()]);
        assert_eq!(lines(Some("other"), None).await, all[..1]);
        assert_eq!(lines(Some("=shop"), None).await, all);
    }
}
