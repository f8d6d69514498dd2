//! A set of documents: each object by kind and name, and SLOs with their references resolved among them.

use std::collections::{BTreeMap, BTreeSet};

use super::alerts::{self, AlertCondition, Policy, Reference};
use super::indicator::{self, Counted};
use super::slo::{self, Draft};
use super::source::{self, DataSources};
use super::{metadata, resolve, rule, unused};
use crate::definition::Slo;
use crate::document::MAX_DOCUMENTS;
use crate::document::fields::{Fields, Text};
use crate::document::report::{Place, Report};
use crate::document::yaml::{Document, Node, Value};

const API_VERSION: &str = "openslo/v1";
const KINDS: [&str; 7] =
    ["SLO", "SLI", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "DataSource"];

/// Objects of one kind by name; `None` if it has errors, which are reported at its place.
pub(super) type Named<'n, T> = BTreeMap<&'n str, Option<T>>;

/// What a set of documents holds.
#[derive(Default)]
pub(super) struct Set<'n> {
    pub(super) slos: Vec<Draft<'n>>,
    pub(super) rules: Vec<rule::Draft<'n>>,
    pub(super) slis: Named<'n, Counted>,
    pub(super) policies: Named<'n, Policy<'n>>,
    pub(super) conditions: Named<'n, AlertCondition<'n>>,
    services: BTreeSet<&'n str>,
    /// Names met, by kind.
    pub(super) names: BTreeMap<(&'n str, &'n str), Place>,
    /// Something was not read, so what it refers to is not known.
    pub(super) partial: bool,
}

/// Checks every document and resolves the SLOs and the Rules with an indicator of their own: those without errors, with their
/// canonical text.
pub(super) fn resolve(report: &mut Report<'_>, documents: &[Document]) -> Vec<(Slo, String)> {
    let mut set = Set { partial: report.errors() > 0, ..Set::default() };
    let objects = objects(report, documents);
    let sources = DataSources::new(data_sources(&objects), report.warns());
    for (object, doubtful) in &objects {
        set.add(report, object, *doubtful, &sources);
    }
    unused::warn(report, &set);
    rule::check_slos(report, &set);
    let slos: Vec<(Slo, String)> = set.slos.iter().filter_map(|draft| resolve::slo(report, &set, draft)).collect();
    let rules = set.rules.iter().filter_map(|draft| rule::own(report, &set, draft));
    slos.into_iter().chain(rules.collect::<Vec<_>>()).collect()
}

/// An object, and whether its document is doubtful.
type Object<'n> = (Fields<'n>, bool);

/// The objects of the documents: a document is one, or a list of them.
fn objects<'n>(report: &mut Report<'_>, documents: &'n [Document]) -> Vec<Object<'n>> {
    let mut objects = Vec::new();
    for Document { root, doubtful } in documents {
        let items = match &root.value {
            Value::Null => continue,
            Value::List(items) => items.as_slice(),
            Value::Map(_) => std::slice::from_ref(root),
            Value::Scalar(_) => {
                let message = "expected an OpenSLO object with apiVersion, kind, metadata and spec".to_owned();
                report.error(root.place, "wrong-type", message, None);
                continue;
            }
        };
        objects.extend(items.iter().filter_map(|item| Some((Fields::of(report, item, "")?, *doubtful))));
    }
    if let Some(first) = objects.get(MAX_DOCUMENTS).map(|(first, _)| first) {
        let message = format!("{} objects: at most {MAX_DOCUMENTS} are read at once", objects.len());
        report.error(first.place, "too-many-documents", message, None);
        objects.truncate(MAX_DOCUMENTS);
    }
    objects
}

/// Types of the data sources, which metric sources anywhere in the set may name.
fn data_sources<'n>(objects: &[Object<'n>]) -> BTreeMap<&'n str, &'n str> {
    let text = |node: &'n Node| match &node.value {
        Value::Scalar(scalar) => Some(scalar.text.as_str()),
        _ => None,
    };
    let field = |node: &'n Node, name: &str| match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node.as_ref()),
        _ => None,
    };
    let source = |(object, _): &Object<'n>| {
        (text(object.get("kind")?)? == "DataSource").then_some(())?;
        let name = text(field(object.get("metadata")?, "name")?)?;
        Some((name, text(field(object.get("spec")?, "type")?)?))
    };
    objects.iter().filter_map(source).collect()
}

impl<'n> Set<'n> {
    /// Reads an object. The content of a doubtful one is not used, but it counts as existing.
    fn add(&mut self, report: &mut Report<'_>, object: &Fields<'n>, doubtful: bool, sources: &DataSources<'_>) {
        let Some(kind) = header(report, object) else {
            self.partial = true;
            return;
        };
        let name = self.name(report, object, kind);
        match kind.value {
            rule::KIND => match rule::read(report, object, sources) {
                Some(rule) if !doubtful => self.rules.push(rule),
                _ => self.partial = true,
            },
            "SLO" => match slo::read(report, object, sources) {
                Some(slo) => self.slos.push(Draft { sound: slo.sound && !doubtful, ..slo }),
                None => self.partial = true,
            },
            "SLI" => {
                metadata::read(report, object, &[]);
                let counted =
                    object.required_map(report, "spec").and_then(|spec| indicator::read(report, &spec, sources));
                self.slis.extend(name.map(|name| (name, counted.filter(|_| !doubtful))));
            }
            "AlertPolicy" => {
                let policy = alerts::policy(report, object);
                self.policies.extend(name.map(|name| (name, policy.filter(|_| !doubtful))));
            }
            "AlertCondition" => {
                let condition = alerts::condition(report, object);
                self.conditions.extend(name.map(|name| (name, condition.filter(|_| !doubtful))));
            }
            "Service" => {
                metadata::read(report, object, &[]);
                if let Some(spec) = object.map(report, "spec") {
                    spec.check_known(report, &["description"]);
                    spec.description(report);
                }
                self.services.extend(name);
            }
            other => {
                metadata::read(report, object, &[]);
                let Some(spec) = object.required_map(report, "spec") else { return };
                if other == "DataSource" {
                    source::data_source(report, &spec);
                } else {
                    alerts::target(report, &spec);
                }
            }
        }
    }

    /// The object's name; a second object of that kind and name is reported.
    fn name(&mut self, report: &mut Report<'_>, object: &Fields<'n>, kind: Text<'n>) -> Option<&'n str> {
        let Value::Map(entries) = &object.get("metadata")?.value else { return None };
        let (_, node) = entries.iter().find(|(key, _)| key.text == "name")?;
        let Value::Scalar(name) = &node.value else { return None };
        if let Some(first) = self.names.insert((kind.value, &name.text), node.place) {
            let place = report.place(first);
            let message = format!("a second {} is named `{}`: the first is in {place}", kind.value, name.text);
            if matches!(kind.value, "SLO" | "SLI" | "AlertPolicy" | "AlertCondition" | rule::KIND) {
                let help = Some("give each its own name: the name identifies it".to_owned());
                report.error(node.place, "duplicate-name", message, help);
            } else {
                report.warning(node.place, "duplicate-name", message, None);
            }
        }
        Some(&name.text)
    }

    /// The SLI of an indicator.
    pub(super) fn sli<'s>(&'s self, report: &mut Report<'_>, sli: &'s Reference<'n, Counted>) -> Option<&'s Counted> {
        find(report, "SLI", sli, &self.slis)
    }

    /// The alert policy of a reference.
    pub(super) fn policy<'s>(
        &'s self,
        report: &mut Report<'_>,
        policy: &'s Reference<'n, Policy<'n>>,
    ) -> Option<&'s Policy<'n>> {
        find(report, "AlertPolicy", policy, &self.policies)
    }

    /// The condition of a reference.
    pub(super) fn condition<'s>(
        &'s self,
        report: &mut Report<'_>,
        condition: &'s Reference<'n, AlertCondition<'n>>,
    ) -> Option<&'s AlertCondition<'n>> {
        find(report, "AlertCondition", condition, &self.conditions)
    }

    /// An undescribed service is only worth a warning if others are described.
    pub(super) fn check_service(&self, report: &mut Report<'_>, service: Text<'_>) {
        if self.services.is_empty() || self.services.contains(service.value) {
            return;
        }
        let help =
            report.nearest(service.value, self.services.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("spec.service: no Service is named `{}`", service.value);
        report.warning(service.place, "unknown-service", message, help);
    }
}

/// The object of a reference. `None` if it has errors, or there is no such object, which is reported here.
fn find<'s, 'n, T>(
    report: &mut Report<'_>,
    kind: &str,
    reference: &'s Reference<'n, T>,
    known: &'s Named<'n, T>,
) -> Option<&'s T> {
    let name = match reference {
        Reference::Inline(object) => return object.as_ref(),
        Reference::To(name) => name,
    };
    let Some(object) = known.get(name.value) else {
        let help = match report.nearest(name.value, known.keys().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("pass its file as well, or write the {kind} inline"),
        };
        let message = format!("no {kind} named `{}` in the given files", name.value);
        report.error(name.place, "unsupported-external-reference", message, Some(help));
        return None;
    };
    object.as_ref()
}

/// Checks apiVersion and kind. `None`: the object is not read any further.
fn header<'n>(report: &mut Report<'_>, object: &Fields<'n>) -> Option<Text<'n>> {
    let version = object.required_text(report, "apiVersion");
    let ours = version.is_some_and(|version| version.value == rule::API_VERSION);
    if let Some(version) = version.filter(|version| !ours && version.value != API_VERSION) {
        let other = version.value.starts_with("openslo");
        let code = if other { "unsupported-api-version" } else { "invalid-api-version" };
        let expected = if version.value.starts_with("slipstream") { rule::API_VERSION } else { API_VERSION };
        let message = format!("apiVersion: expected `{expected}`, found `{}`", version.value);
        let help = other.then(|| format!("other versions of OpenSLO are not supported: convert it to {API_VERSION}"));
        report.error(version.place, code, message, help);
        return None;
    }
    let fields = ["apiVersion", "kind", "metadata", "spec"];
    if ours {
        object.check_ours(report, &fields);
        return object.required_word(report, "kind", &[rule::KIND]);
    }
    object.check_known(report, &fields);
    if let Some(kind) =
        object.get("kind").filter(|node| matches!(&node.value, Value::Scalar(kind) if kind.text == rule::KIND))
    {
        let message = format!("kind: `{}` is not of OpenSLO", rule::KIND);
        report.error(kind.place, "invalid-value", message, Some(format!("write apiVersion: {}", rule::API_VERSION)));
        return None;
    }
    object.required_word(report, "kind", &KINDS)
}
