//! Which alerts go to which receiver, and when not: routes, inhibition and time intervals by the names that Alertmanager has for
//! them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipstream_definitions::matchers::Matchers;
use slipstream_definitions::time_interval::{IntervalError, TimeInterval};

use super::oddities;
use super::problem::Place;
use super::receiver::{Receiver, group_by};
use super::section::{Problems, Section, complain, expected, plain, text};
use super::tree::{Node, Value};
use super::units::{self, DURATION, POSITIVE, positive};
use super::watchdog::{Watchdog, watchdog};

/// Which alerts go to which receiver, and when not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// Takes every alert; `None`: every receiver gets everything.
    pub root: Option<Route>,
    /// Who holds back whom.
    pub inhibitions: Vec<Inhibition>,
    /// By service: the services that it calls.
    pub dependencies: BTreeMap<String, BTreeSet<String>>,
    /// By name; one of several has to hold.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// Who is told all the time that alerting works; of alerts only if a route says so.
    pub watchdog: Option<Watchdog>,
}

impl Routing {
    /// The watchdog, if it is this receiver that is told.
    #[must_use]
    pub fn watchdog_of(&self, receiver: &str) -> Option<&Watchdog> {
        self.watchdog.as_ref().filter(|watchdog| watchdog.receiver == receiver)
    }
}

/// A route, and those below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// Who gets what no route below takes; `None`: as above it.
    pub receiver: Option<String>,
    /// What it takes; none: everything.
    pub matchers: Matchers,
    /// Whether the routes behind it are tried as well.
    pub goes_on: bool,
    /// Labels by which alerts are put into one notification; `None`: as above it, at last as the receiver has it.
    pub group_by: Option<Vec<String>>,
    /// How long the first notification of a group waits.
    pub group_wait: Option<Duration>,
    /// How long further changes of a group wait after a notification.
    pub group_interval: Option<Duration>,
    /// How often a receiver is reminded; zero: never.
    pub repeat_interval: Option<Duration>,
    /// Names of the intervals in which nothing is told.
    pub mute: Vec<String>,
    /// Names of the intervals in which alone something is told; empty: always.
    pub active: Vec<String>,
    /// Tried one after the other.
    pub routes: Vec<Route>,
}

/// While one alert fires, another is not told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inhibition {
    /// What fires.
    pub source: Matchers,
    /// What is not told.
    pub target: Matchers,
    /// Labels that have to agree.
    pub equal: Vec<String>,
    /// Whether the service of the target has to depend on that of the source.
    pub dependants: bool,
}

const LABEL: &str = "the name of a label";
const NAME: &str = "a name";
const BOOL: &str = "`true` or `false`";

/// What is read; what does no harm but cannot be meant goes to `warnings`.
pub(super) fn routing(
    top: &Section<'_>,
    receivers: &[Receiver],
    problems: &Problems,
    warnings: &mut Vec<String>,
) -> Routing {
    let odd = Problems::default();
    let intervals = intervals(top, problems);
    let reader = Reader { receivers, intervals: &intervals, used: RefCell::default(), problems, odd: &odd };
    let root = top.get("route").map(|node| (reader.root(node), node));
    let watchdog = watchdog(top, root.as_ref().map(|(root, _)| root), receivers, problems);
    if let Some((root, node)) = &root {
        reader.lonely(root, node, watchdog.as_ref());
    }
    let root = root.map(|(root, _)| root);
    oddities::unused(top, &reader.used.borrow(), &odd);
    let dependencies = dependencies(top, problems);
    let inhibitions = top.list("inhibit_rules").unwrap_or_default();
    let depends = !dependencies.is_empty();
    let inhibitions = inhibitions.into_iter().filter_map(|node| inhibition(node, depends, problems)).collect();
    let mut odd = odd.into_inner();
    odd.sort_by(|a, b| a.place.cmp(&b.place));
    warnings.extend(odd.iter().map(ToString::to_string));
    Routing { root, inhibitions, dependencies, intervals, watchdog }
}

/// What a route has from those above it.
#[derive(Clone, Copy, Default)]
struct Above<'r> {
    receiver: Option<&'r Receiver>,
    group_interval: Option<Duration>,
    repeat_interval: Option<Duration>,
}

struct Reader<'r> {
    receivers: &'r [Receiver],
    intervals: &'r BTreeMap<String, Vec<TimeInterval>>,
    /// Names of the intervals that a route has.
    used: RefCell<BTreeSet<String>>,
    problems: &'r Problems,
    odd: &'r Problems,
}

impl Reader<'_> {
    fn root(&self, node: &Node) -> Route {
        let root = self.route(node, "route", Above::default());
        if root.receiver.is_none() {
            complain(self.problems, &node.place, "`route`: set `receiver`: who gets what no other route takes".into());
        }
        if !root.matchers.is_empty() || root.goes_on {
            let message = "`route`: the first route takes everything; put `matchers` and `continue` into its `routes`";
            complain(self.problems, &node.place, message.into());
        }
        root
    }

    /// Whoever is told of nothing is a mistake.
    fn lonely(&self, root: &Route, node: &Node, watchdog: Option<&Watchdog>) {
        let (wrong, mut told) = (!self.problems.borrow().is_empty(), BTreeSet::new());
        oddities::told(root, "", &mut told);
        told.extend(watchdog.map(|watchdog| watchdog.receiver.as_str()));
        for lonely in self.receivers.iter().filter(|receiver| !told.contains(receiver.name.as_str())) {
            let (name, place) = (&lonely.name, lonely.place.as_ref().unwrap_or(&node.place));
            let message = if leads_to(root, name) {
                // What is wrong with a route may be why.
                if wrong {
                    continue;
                }
                format!(
                    "`receivers`: no alert comes to `{name}`: a route without `matchers` takes everything before it, or below it; give \
                     that `matchers`, or `continue: true`"
                )
            } else {
                format!("`receivers`: no route leads to `{name}`")
            };
            complain(self.problems, place, message);
        }
    }

    fn route(&self, node: &Node, name: &str, above: Above<'_>) -> Route {
        let section = Section::of(node, name, self.problems);
        let time = |key, what, read: fn(&str) -> Option<Duration>| section.value(key, what, read);
        let mut route = Route {
            receiver: self.receiver(&section),
            matchers: matchers(&section, "matchers", self.problems),
            goes_on: section.value("continue", BOOL, |text| text.parse().ok()).unwrap_or_default(),
            group_by: group_by(&section, self.problems),
            group_wait: time("group_wait", DURATION, units::duration),
            group_interval: time("group_interval", POSITIVE, positive),
            repeat_interval: time("repeat_interval", DURATION, units::duration),
            mute: self.named_intervals(&section, "mute_time_intervals"),
            active: self.named_intervals(&section, "active_time_intervals"),
            routes: Vec::new(),
        };
        let above = self.timed(&section, &route, above);
        let below = section.list("routes").unwrap_or_default();
        route.routes = below.into_iter().map(|node| self.route(node, "route.routes", above)).collect();
        section.finish();
        route
    }

    /// Looks for times that cannot be meant. Returns what the routes below inherit.
    fn timed<'a>(&'a self, section: &Section<'_>, route: &Route, above: Above<'a>) -> Above<'a> {
        let named = |name: &String| self.receivers.iter().find(|receiver| receiver.name == *name);
        let here = Above {
            receiver: route.receiver.as_ref().and_then(named).or(above.receiver),
            group_interval: route.group_interval.or(above.group_interval),
            repeat_interval: route.repeat_interval.or(above.repeat_interval),
        };
        let interval = here.group_interval.or(here.receiver.map(|receiver| receiver.group_interval));
        let repeat = here.repeat_interval.unwrap_or(oddities::REPEAT);
        oddities::reminders(section, repeat, interval.unwrap_or_default(), self.odd);
        oddities::never_told(section, (&route.active, &route.mute), self.intervals, self.problems);
        here
    }

    fn receiver(&self, section: &Section<'_>) -> Option<String> {
        let name = section.value("receiver", "the name of a receiver", plain)?;
        let node = section.get("receiver")?;
        if !self.receivers.iter().any(|receiver| receiver.name == name) {
            let message = format!("`{}`: there is no receiver `{name}`", section.path("receiver"));
            complain(self.problems, &node.place, message);
        }
        Some(name)
    }

    fn named_intervals(&self, section: &Section<'_>, key: &'static str) -> Vec<String> {
        let mut names = Vec::new();
        for node in section.list(key).unwrap_or_default() {
            match text(node).filter(|name| self.intervals.contains_key(*name)) {
                Some(name) => {
                    self.used.borrow_mut().insert(name.to_owned());
                    names.push(name.to_owned());
                }
                None => expected(self.problems, node, &section.path(key), "the name of one of `time_intervals`"),
            }
        }
        names
    }
}

fn leads_to(route: &Route, receiver: &str) -> bool {
    route.receiver.as_deref() == Some(receiver) || route.routes.iter().any(|below| leads_to(below, receiver))
}

/// A list of matchers, or one text with all of them.
fn matchers(section: &Section<'_>, key: &'static str, problems: &Problems) -> Matchers {
    let mut all = Matchers::default();
    for node in section.list(key).unwrap_or_default() {
        match text(node).map(Matchers::parse) {
            Some(Ok(more)) => {
                for matcher in more.iter() {
                    oddities::label(&matcher.written().label, node, &section.path(key), problems);
                }
                all = all.and(more);
            }
            Some(Err(error)) => complain(problems, &node.place, format!("`{}`: {error}", section.path(key))),
            None => expected(problems, node, &section.path(key), "a matcher, such as severity=\"page\""),
        }
    }
    all
}

fn labels(section: &Section<'_>, key: &'static str, problems: &Problems) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    for node in section.list(key)? {
        match text(node).and_then(plain) {
            Some(label) => {
                oddities::label(&label, node, &section.path(key), problems);
                labels.push(label);
            }
            None => expected(problems, node, &section.path(key), LABEL),
        }
    }
    Some(labels)
}

fn inhibition(node: &Node, depends: bool, problems: &Problems) -> Option<Inhibition> {
    let section = Section::of(node, "inhibit_rules", problems);
    let inhibition = Inhibition {
        source: matchers(&section, "source_matchers", problems),
        target: matchers(&section, "target_matchers", problems),
        equal: labels(&section, "equal", problems).unwrap_or_default(),
        dependants: section.value("dependants", BOOL, |text| text.parse().ok()).unwrap_or_default(),
    };
    section.finish();
    // Without them one alert would hold back every other.
    if inhibition.source.is_empty() || (inhibition.target.is_empty() && !inhibition.dependants) {
        let message = "`inhibit_rules`: set `source_matchers` and `target_matchers`, or `dependants: true`";
        complain(problems, &node.place, message.into());
        return None;
    }
    if inhibition.dependants && !depends {
        oddities::without_dependencies(node, problems);
    }
    Some(inhibition)
}

fn dependencies(top: &Section<'_>, problems: &Problems) -> BTreeMap<String, BTreeSet<String>> {
    let Some(node) = top.get("dependencies") else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for (key, node) in Section::of(node, "dependencies", problems).all() {
        let items: Vec<&Node> = match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        let mut called = BTreeSet::new();
        for item in items {
            match text(item).and_then(plain) {
                Some(service) => {
                    called.insert(service);
                }
                None => expected(problems, item, "dependencies", "the name of a service"),
            }
        }
        all.insert(key.name.clone(), called);
    }
    all
}

fn intervals(top: &Section<'_>, problems: &Problems) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut all: BTreeMap<String, Vec<TimeInterval>> = BTreeMap::new();
    for node in top.list("time_intervals").unwrap_or_default() {
        let section = Section::of(node, "time_intervals", problems);
        let name = section.value("name", NAME, plain);
        let parts = section.list("time_intervals").unwrap_or_default();
        let parts: Vec<TimeInterval> = parts.into_iter().map(|node| interval(node, problems)).collect();
        section.finish();
        match name {
            Some(name) if all.contains_key(&name) => {
                complain(problems, &node.place, format!("`time_intervals`: a second interval `{name}`"));
            }
            Some(name) => {
                all.insert(name, parts);
            }
            None => complain(problems, &node.place, "`time_intervals`: an interval without `name`".into()),
        }
    }
    all
}

/// A way to add a text to an interval.
type Add = fn(&mut TimeInterval, &str) -> Result<(), IntervalError>;

fn interval(node: &Node, problems: &Problems) -> TimeInterval {
    let section = Section::of(node, "time_intervals.time_intervals", problems);
    let mut interval = TimeInterval::default();
    for node in section.list("times").unwrap_or_default() {
        times(node, &mut interval, problems);
    }
    let lists: [(&'static str, Add); 4] = [
        ("weekdays", TimeInterval::weekday),
        ("days_of_month", TimeInterval::day_of_month),
        ("months", TimeInterval::month),
        ("years", TimeInterval::year),
    ];
    for (key, add) in lists {
        for node in section.list(key).unwrap_or_default() {
            let added = text(node).map(|text| add(&mut interval, text));
            wrong(added, &node.place, &section.path(key), problems);
        }
    }
    if let Some(node) = section.get("location") {
        wrong(text(node).map(|zone| interval.location(zone)), &node.place, &section.path("location"), problems);
    }
    section.finish();
    interval
}

fn times(node: &Node, interval: &mut TimeInterval, problems: &Problems) {
    let section = Section::of(node, "time_intervals.times", problems);
    let (start, end) = (section.get("start_time").and_then(text), section.get("end_time").and_then(text));
    let added = start.zip(end).map(|(start, end)| interval.time(start, end));
    if added.is_none() {
        complain(problems, &node.place, "`time_intervals.times`: set `start_time` and `end_time`".into());
    } else {
        wrong(added, &node.place, "time_intervals.times", problems);
    }
    section.finish();
}

fn wrong(added: Option<Result<(), IntervalError>>, place: &Place, name: &str, problems: &Problems) {
    match added {
        Some(Ok(())) => {}
        Some(Err(error)) => complain(problems, place, format!("`{name}`: {error}")),
        None => complain(problems, place, format!("`{name}`: expected a text")),
    }
}
