//! A set of documents: each object by kind and name, and SLOs with their references resolved among them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::alerts::{self, AlertCondition, Policy, Reference};
use super::fields::{Fields, Text};
use super::indicator::{self, Counted, DataSources};
use super::report::{Place, Report};
use super::slo::{self, Draft, References};
use super::yaml::{Node, Value};
use super::{canonical, metadata};
use crate::definition::{Condition, Indicator, Objective, Rule, Slo, Window};
use crate::{policy, suggest};

const API_VERSION: &str = "openslo/v1";
const KINDS: [&str; 7] =
    ["SLO", "SLI", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "DataSource"];

/// Objects of one kind by name; `None`: it has errors, which are reported where it stands.
type Named<'n, T> = BTreeMap<&'n str, Option<T>>;

/// What a set of documents holds.
#[derive(Default)]
struct Set<'n> {
    slos: Vec<(Option<Draft<'n>>, References<'n>)>,
    slis: Named<'n, Counted>,
    policies: Named<'n, Policy<'n>>,
    conditions: Named<'n, AlertCondition<'n>>,
    services: Vec<&'n str>,
    /// Names met, by kind.
    names: BTreeMap<(&'n str, &'n str), Place>,
}

/// Checks every document and resolves the SLOs: those without errors, with the text that gives them again.
pub(super) fn resolve(report: &mut Report<'_>, documents: &[Rc<Node>]) -> Vec<(Slo, String)> {
    let objects = objects(report, documents);
    let sources = data_sources(&objects);
    let mut set = Set::default();
    for object in &objects {
        set.add(report, object, &sources);
    }
    set.slos.iter().filter_map(|(draft, references)| set.slo(report, draft.as_ref(), references)).collect()
}

/// The objects of the documents: a document is one, or a list of them.
fn objects<'n>(report: &mut Report<'_>, documents: &'n [Rc<Node>]) -> Vec<Fields<'n>> {
    let mut objects = Vec::new();
    for document in documents {
        match &document.value {
            Value::Null => {}
            Value::List(items) => objects.extend(items.iter().filter_map(|item| Fields::of(report, item, ""))),
            Value::Map(_) => objects.extend(Fields::of(report, document, "")),
            Value::Scalar(_) => {
                let message = "expected an OpenSLO object with apiVersion, kind, metadata and spec".to_owned();
                report.error(document.place, "wrong-type", message, None);
            }
        }
    }
    objects
}

/// Types of the data sources, which metric sources anywhere in the set may name.
fn data_sources<'n>(objects: &[Fields<'n>]) -> DataSources<'n> {
    let text = |node: &'n Node| match &node.value {
        Value::Scalar(scalar) => Some(scalar.text.as_str()),
        _ => None,
    };
    let field = |node: &'n Node, name: &str| match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node.as_ref()),
        _ => None,
    };
    let source = |object: &Fields<'n>| {
        (text(object.get("kind")?)? == "DataSource").then_some(())?;
        let name = text(field(object.get("metadata")?, "name")?)?;
        Some((name, text(field(object.get("spec")?, "type")?)?))
    };
    objects.iter().filter_map(source).collect()
}

impl<'n> Set<'n> {
    fn add(&mut self, report: &mut Report<'_>, object: &Fields<'n>, sources: &DataSources<'_>) {
        let Some(kind) = header(report, object) else { return };
        let name = self.name(report, object, kind);
        match kind.value {
            "SLO" => self.slos.push(slo::read(report, object, sources)),
            "SLI" => {
                metadata::read(report, object, &[]);
                let counted =
                    object.required_map(report, "spec").and_then(|spec| indicator::read(report, &spec, sources));
                self.slis.extend(name.map(|name| (name, counted)));
            }
            "AlertPolicy" => {
                let policy = alerts::policy(report, object);
                self.policies.extend(name.map(|name| (name, policy)));
            }
            "AlertCondition" => {
                let condition = alerts::condition(report, object);
                self.conditions.extend(name.map(|name| (name, condition)));
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
                    indicator::data_source(report, &spec);
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
            let message = format!("a second {} is called `{}`: the first is in {place}", kind.value, name.text);
            if matches!(kind.value, "SLO" | "SLI" | "AlertPolicy" | "AlertCondition") {
                let help = Some("give each its own name: it is its identity".to_owned());
                report.error(node.place, "duplicate-name", message, help);
            } else {
                report.warning(node.place, "duplicate-name", message, None);
            }
        }
        Some(&name.text)
    }

    /// The SLO of a draft, and its self-contained document. `None`: something it refers to is missing or has errors.
    fn slo(
        &self,
        report: &mut Report<'_>,
        draft: Option<&Draft<'n>>,
        references: &References<'n>,
    ) -> Option<(Slo, String)> {
        let errors = report.errors();
        let counted = references.indicator.as_ref().and_then(|sli| find(report, "SLI", sli, &self.slis));
        let rules = self.rules(report, references);
        let draft = draft?;
        self.check_service(report, draft);
        (report.errors() == errors).then_some(())?;
        let (counted, rules) = (counted?, rules?);
        for ((place, _), rule) in references.policies.iter().zip(&rules) {
            let Condition::Burn { long, .. } = rule.condition;
            slo::check_against_period(report, long, draft.period, *place, &rule.name);
        }
        let name = draft.metadata.name?.value.to_owned();
        let slo = Slo {
            display_name: draft.metadata.display_name.clone().unwrap_or_else(|| name.clone()),
            name,
            service: draft.service.value.to_owned(),
            description: draft.description.clone(),
            group_by: counted.group_by.clone(),
            window: Window::Rolling(draft.period),
            objectives: draft
                .objectives
                .iter()
                .map(|target| objective(report, draft.period, target, &counted.indicator, &rules))
                .collect(),
            composite: None,
            labels: draft.metadata.labels.clone(),
        };
        let text = canonical::write(&slo, &rules)?;
        Some((slo, text))
    }

    /// A service that nothing describes is only worth a word where others are described.
    fn check_service(&self, report: &mut Report<'_>, draft: &Draft<'_>) {
        if self.services.is_empty() || self.services.contains(&draft.service.value) {
            return;
        }
        let help = suggest::nearest(draft.service.value, &self.services).map(|near| format!("did you mean `{near}`?"));
        let message = format!("spec.service: no Service is called `{}`", draft.service.value);
        report.warning(draft.service.place, "unknown-service", message, help);
    }

    /// The rules of the policies that an SLO names, in its order.
    fn rules(&self, report: &mut Report<'_>, references: &References<'n>) -> Option<Vec<Rule>> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut complete = true;
        for (place, reference) in &references.policies {
            let policy = find(report, "AlertPolicy", reference, &self.policies);
            let condition =
                policy.and_then(|policy| find(report, "AlertCondition", &policy.condition, &self.conditions));
            let rule = policy.zip(condition).and_then(|(policy, condition)| alerts::rule(report, policy, condition));
            let Some(rule) = rule else {
                complete = false;
                continue;
            };
            if rules.iter().any(|known| known.name == rule.name) {
                let message = format!("spec.alertPolicies: `{}` is named twice", rule.name);
                report.error(*place, "duplicate-name", message, None);
            }
            rules.push(rule);
        }
        complete.then_some(rules)
    }
}

/// An objective with its rules: the document's, else the default ones. Warns of a rule that could never fire.
fn objective(
    report: &mut Report<'_>,
    period: i64,
    target: &slo::Target,
    indicator: &Indicator,
    rules: &[Rule],
) -> Objective {
    let worst = target.target.complement().map_or(f64::INFINITY, |share| 1.0 / share.as_f64());
    let mut warn = |name: &str, factor: f64, what: &str| {
        let message = format!(
            "objective `{}`: alert `{name}` could never fire: it needs a burn rate above {factor:.4}, and a full outage \
             burns at {worst:.4}{what}",
            target.name
        );
        report.warning(target.place, "never-fires", message, None);
    };
    let rules = if rules.is_empty() {
        let defaults = policy::defaults(period, target.target);
        defaults.left_out.iter().for_each(|(name, factor)| warn(name, factor.as_f64(), "; it is left out"));
        defaults.rules
    } else {
        for rule in rules {
            let Condition::Burn { factor, .. } = rule.condition;
            if !policy::can_fire(factor, target.target) {
                warn(&rule.name, factor.as_f64(), "");
            }
        }
        rules.to_vec()
    };
    Objective { rules, ..Objective::new(target.name.as_str(), indicator.clone(), target.target) }
}

/// What a reference stands for. `None`: it has errors, or there is no such object, which is reported here.
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
        let names: Vec<&str> = known.keys().copied().collect();
        let help = match suggest::nearest(name.value, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name its file too, or write the {kind} in place"),
        };
        let message = format!("no {kind} is called `{}` among the files given", name.value);
        report.error(name.place, "unsupported-external-reference", message, Some(help));
        return None;
    };
    object.as_ref()
}

/// Checks apiVersion and kind. `None`: the object is not read any further.
fn header<'n>(report: &mut Report<'_>, object: &Fields<'n>) -> Option<Text<'n>> {
    let version = object.required_text(report, "apiVersion");
    if let Some(version) = version.filter(|version| version.value != API_VERSION) {
        let other = version.value.starts_with("openslo");
        let code = if other { "unsupported-api-version" } else { "invalid-api-version" };
        let message = format!("apiVersion: expected `{API_VERSION}`, found `{}`", version.value);
        let help = other.then(|| format!("other versions of OpenSLO are not read: rewrite it for {API_VERSION}"));
        report.error(version.place, code, message, help);
        return None;
    }
    object.check_known(report, &["apiVersion", "kind", "metadata", "spec"]);
    object.required_word(report, "kind", &KINDS)
}
