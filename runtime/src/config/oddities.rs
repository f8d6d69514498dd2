//! What a configuration of routes says that cannot be meant: labels that no alert has, times that never come. What does no harm is a
//! warning.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipstream_definitions::labels::legal;
use slipstream_definitions::time_interval::{TimeInterval, ever_allows};

use super::routing::Route;
use super::section::{Problems, Section, complain, text};
use super::tree::Node;

/// All labels, in `group_by`.
const EVERY_LABEL: &str = "...";

/// How often a receiver is reminded, where no route says it.
pub(super) const REPEAT: Duration = Duration::from_secs(4 * 3_600);

/// A name that no label of an alert can have: they are as Prometheus has them, and definitions' names are brought into that form.
pub(super) fn label(name: &str, node: &Node, path: &str, problems: &Problems) {
    let known = legal(name);
    if known != name && name != EVERY_LABEL {
        let message =
            format!("`{path}`: no alert has a label `{name}`: write `{known}`, as it is called in notifications");
        complain(problems, &node.place, message);
    }
}

/// `[...]` stands alone.
pub(super) fn every_label(labels: &[String], node: &Node, path: &str, problems: &Problems) {
    if labels.len() > 1 && labels.iter().any(|label| label == EVERY_LABEL) {
        let message = format!("`{path}`: `...` means all labels; leave out the others, or `...`");
        complain(problems, &node.place, message);
    }
}

/// Reminders that come less often than it says.
pub(super) fn reminders(section: &Section<'_>, repeat: Duration, interval: Duration, warnings: &Problems) {
    let said = section.get("repeat_interval").or_else(|| section.get("group_interval"));
    let Some(node) = said.filter(|_| !repeat.is_zero() && repeat < interval) else { return };
    let message = format!(
        "`{}`: {repeat:?} is less than the `group_interval` of {interval:?}, and reminders come no more often than that; make it \
         longer, or `group_interval` shorter",
        section.path("repeat_interval")
    );
    complain(warnings, &node.place, message);
}

/// A route that is told of nothing, ever. One that is mute all of the time without an `active_time_intervals` is meant to be.
pub(super) fn never_told(
    section: &Section<'_>,
    (active, mute): (&[String], &[String]),
    intervals: &BTreeMap<String, Vec<TimeInterval>>,
    problems: &Problems,
) {
    let of = |names: &[String]| -> Vec<&TimeInterval> {
        names.iter().filter_map(|name| intervals.get(name)).flatten().collect()
    };
    let Some(node) = section.get("active_time_intervals").filter(|_| !active.is_empty()) else { return };
    let (allowing, forbidding) = (of(active), of(mute));
    if !allowing.is_empty() && ever_allows(&allowing, &forbidding) {
        return;
    }
    let path = section.path("active_time_intervals");
    let message = if forbidding.is_empty() {
        format!("`{path}`: they never hold, so that nobody would be told of anything; mend them, or leave them out")
    } else {
        format!(
            "`{path}`: whenever one holds, one of `mute_time_intervals` does, so that nobody would be told of anything; mend one of them"
        )
    };
    complain(problems, &node.place, message);
}

/// Intervals that no route names.
pub(super) fn unused(top: &Section<'_>, used: &BTreeSet<String>, warnings: &Problems) {
    for node in top.list("time_intervals").unwrap_or_default() {
        let aside = Problems::default();
        let name = Section::of(node, "time_intervals", &aside).get("name").and_then(text);
        if let Some(name) = name.filter(|name| !used.contains(*name)) {
            let message = format!(
                "`time_intervals`: no route uses `{name}`: name it in `mute_time_intervals` or `active_time_intervals`, or leave it out"
            );
            complain(warnings, &node.place, message);
        }
    }
}

/// The receivers that an alert may come to: what stands behind a route that takes everything is not tried, and a route keeps nothing where
/// one below takes everything.
pub(super) fn told<'r>(route: &'r Route, above: &'r str, receivers: &mut BTreeSet<&'r str>) {
    let receiver = route.receiver.as_deref().unwrap_or(above);
    let mut keeps = true;
    for below in &route.routes {
        told(below, receiver, receivers);
        let takes_everything = below.matchers.is_empty();
        keeps &= !takes_everything;
        if takes_everything && !below.goes_on {
            break;
        }
    }
    if keeps {
        receivers.insert(receiver);
    }
}

/// Rules by dependencies that nobody stated.
pub(super) fn without_dependencies(node: &Node, problems: &Problems) {
    let message = "`inhibit_rules`: `dependants: true` without `dependencies` holds nothing back: state which services call which, \
                   `dependencies: {checkout: [payment]}`, or leave it out";
    complain(problems, &node.place, message.to_owned());
}
