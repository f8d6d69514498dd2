//! OpenSLO v1 documents to definitions.
//!
//! SLOs are read completely; SLI, AlertPolicy, AlertCondition, Service and DataSource if an SLO refers to them. Valid
//! OpenSLO that is not supported is refused by name, with a code that starts with `unsupported-`. Where the authorities
//! on OpenSLO (its last JSON schema and its Go SDK) disagree, what either accepts is accepted. Beside them there are our own
//! Rules (`rule`).
//!
//! Reading goes in three tiers, and on after an error in each: `yaml` (syntax, limits), the schema of each object
//! (`metadata`, `indicator`, `alerts`, `slo`), and meaning (filters, references: `set`). `canonical` writes what was read
//! as one self-contained document.

mod alerts;
mod canonical;
mod doubts;
mod foreign;
mod group_by;
mod indicator;
mod inhibits;
mod meant;
mod metadata;
mod objective;
mod resolve;
mod rule;
mod set;
mod slo;
mod source;
mod unused;
mod window;

use crate::definition::Slo;
use crate::diagnostic::{Diagnostic, Severity, Snippet, Tier};
use crate::document::report::{Place, Report};
use crate::document::{SourceFile, yaml};

pub use meant::is_meant;

/// What a set of files holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The SLOs that are valid, in the order of the files, then the Rules with an indicator of their own.
    pub slos: Vec<Slo>,
    /// For each of `slos`, at the same index, its self-contained document.
    pub documents: Vec<CanonicalDocument>,
    /// Every error and warning, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// A definition that needs no other file: references are inlined. Loading it alone gives an equal [`Slo`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalDocument {
    /// metadata.name.
    pub name: String,
    /// `SLO`, or `Rule`.
    pub kind: String,
    /// OpenSLO v1 as JSON, which is YAML too; of an SLO with Rules, a list of it and them.
    pub text: String,
}

impl Loaded {
    /// Whether nothing was refused.
    pub fn is_valid(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Parses and checks files as one set: references are resolved among all of them, every error is reported.
///
/// ```
/// use slipstream_definitions::definition::{Ratio, Window};
/// use slipstream_definitions::diagnostic::render;
/// use slipstream_definitions::document::SourceFile;
/// use slipstream_definitions::openslo;
///
/// let text = r#"
/// apiVersion: openslo/v1
/// kind: SLO
/// metadata: {name: payment-availability}
/// spec:
///   service: payment
///   indicator:
///     metadata: {name: payment-answers}
///     spec:
///       ratioMetric:
///         counter: true
///         good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
///         total: {metricSource: {type: slipstream, spec: {filter: 'service == "payment"'}}}
///   timeWindow: [{duration: 30d, isRolling: true}]
///   budgetingMethod: Occurrences
///   objectives: [{displayName: answered, target: 0.995}]
/// "#;
/// let file = |text: &str| SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() };
/// let loaded = openslo::load(&[file(text)]);
/// let slo = &loaded.slos[0];
/// assert_eq!(slo.window, Window::Rolling(30 * 86_400));
/// assert_eq!(slo.objectives[0].target, Ratio { num: 199, den: 200 });
/// assert_eq!(slo.objectives[0].rules.len(), 4); // no policy is named, so the default ones
///
/// // Mistakes have a place and, if one is likely, a suggestion.
/// let loaded = openslo::load(&[file(&text.replace("budgetingMethod", "budgetMethod"))]);
/// assert!(!loaded.is_valid());
/// println!("{}", render(&loaded.diagnostics, false));
/// ```
pub fn load(sources: &[SourceFile]) -> Loaded {
    load_with(Report::new(sources), sources)
}

fn load_with(mut report: Report<'_>, sources: &[SourceFile]) -> Loaded {
    let mut documents = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let errors = report.errors();
        let mut found = yaml::documents(file, &source.text, &mut report);
        if found.is_empty() && report.errors() == errors {
            report.warning(Place::start(file), "empty-file", "no document in this file".to_owned(), None);
        }
        documents.append(&mut found);
    }
    let mut loaded = Loaded::default();
    for (slo, text) in set::resolve(&mut report, &documents) {
        let kind = slo.document.kind().to_owned();
        loaded.documents.push(CanonicalDocument { name: slo.name.clone(), kind, text });
        loaded.slos.push(slo);
    }
    loaded.diagnostics = report.into_diagnostics();
    loaded
}

/// Parses the one self-contained SLO of a document from the log. The errors say what is wrong with it; warnings were
/// reported when it was published.
pub fn parse_document(text: &str) -> Result<Slo, Vec<Diagnostic>> {
    let source = SourceFile { path: "slo-definitions".to_owned(), text: text.to_owned() };
    let sources = std::slice::from_ref(&source);
    let mut loaded = load_with(Report::of_errors(sources), sources);
    if !loaded.diagnostics.is_empty() {
        return Err(loaded.diagnostics);
    }
    match (loaded.slos.pop(), loaded.slos.len()) {
        (Some(slo), 0) => Ok(slo),
        (last, more) => Err(vec![not_one(source, more + usize::from(last.is_some()))]),
    }
}

fn not_one(source: SourceFile, found: usize) -> Diagnostic {
    Diagnostic {
        file: source.path,
        line: 1,
        column: 1,
        severity: Severity::Error,
        tier: Tier::Meaning,
        code: "not-one-slo",
        message: format!("expected exactly one SLO, found {found}"),
        help: None,
        snippet: Snippet::default(),
    }
}
