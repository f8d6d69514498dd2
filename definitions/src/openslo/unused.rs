//! Warnings about unreferenced objects.

use std::collections::BTreeSet;

use super::alerts::{Policy, Reference};
use super::rule::On;
use super::set::{Named, Set};
use crate::document::report::Report;

/// Warns of each SLI, AlertPolicy and AlertCondition that no SLO of the set uses. A set without SLOs is a library, and of
/// one that was read in part nothing is known.
pub(super) fn warn(report: &mut Report<'_>, set: &Set<'_>) {
    if set.partial || (set.slos.is_empty() && set.rules.is_empty()) {
        return;
    }
    let mut slis = BTreeSet::new();
    let mut policies = BTreeSet::new();
    for slo in &set.slos {
        let own = slo.objectives.iter().filter_map(|objective| objective.own.as_ref());
        slis.extend(slo.indicator.iter().chain(own).filter_map(name));
        policies.extend(slo.policies.iter().filter_map(|(_, policy)| name(policy)));
    }
    for rule in &set.rules {
        if let On::Own(Some(indicator)) = &rule.on {
            slis.extend(name(indicator));
        }
    }
    unused(report, set, "SLI", &set.slis, &slis);
    unused(report, set, "AlertPolicy", &set.policies, &policies);
    if let Some(conditions) = conditions(set) {
        unused(report, set, "AlertCondition", &set.conditions, &conditions);
    }
}

fn name<'n, T>(reference: &Reference<'n, T>) -> Option<&'n str> {
    match reference {
        Reference::To(name) => Some(name.value),
        Reference::Inline(_) => None,
    }
}

/// The conditions that policies name, used or not. `None`: a policy was not read.
fn conditions<'n>(set: &Set<'n>) -> Option<BTreeSet<&'n str>> {
    let mut names = BTreeSet::new();
    let inline = set.slos.iter().flat_map(|slo| &slo.policies).filter_map(|(_, policy)| match policy {
        Reference::Inline(policy) => Some(policy.as_ref()),
        Reference::To(_) => None,
    });
    for policy in set.policies.values().map(Option::as_ref).chain(inline) {
        let policy: &Policy<'n> = policy?;
        names.extend(name(&policy.condition));
    }
    Some(names)
}

/// If a reference is dangling, one of those that seem unused was probably meant.
fn unused<T>(report: &mut Report<'_>, set: &Set<'_>, kind: &str, known: &Named<'_, T>, used: &BTreeSet<&str>) {
    if used.iter().any(|name| !known.contains_key(name)) {
        return;
    }
    for known in known.keys().filter(|known| !used.contains(*known)) {
        let Some(place) = set.names.get(&(kind, known)) else { continue };
        let user = if kind == "AlertCondition" { "AlertPolicy" } else { "SLO" };
        let message = format!("no {user} refers to the {kind} `{known}`");
        report.warning(*place, "unused", message, None);
    }
}
