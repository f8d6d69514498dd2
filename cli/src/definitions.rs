//! Definition files: reading and publishing them.

mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use slipstream_definitions::definition::{Document, Rule, Slo};
use slipstream_definitions::diagnostic::{Diagnostic, Severity, Snippet, Tier, render};
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::inhibits::{ANNOTATION as INHIBITS, Inhibits};
use slipstream_definitions::openslo::{self, Loaded, is_meant};
use slipstream_log::{Log, SharedLog};
use slipstream_role::definitions::publish_changed;
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Definition;
use slipstream_schemas::visible::visible;

pub use files::tests;
use files::{File, below, contents, definitions, is_definition};

use crate::output;

/// Definitions that were read, and the files of directories that are none.
#[derive(Debug, Default)]
pub struct Definitions {
    /// What the files hold.
    pub loaded: Loaded,
    /// YAML and JSON files that are not OpenSLO. One that was named is never skipped.
    pub skipped: Vec<String>,
}

/// Reads files, and the definitions among the YAML and JSON files below directories, in the order of their names. Tests
/// among them are skipped.
///
/// # Errors
/// When a path cannot be read, a directory has no definition in it, or a file is not UTF-8 text.
pub fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let sources = definitions(paths)?.into_iter().map(|file| Ok((read_file(&file.path)?, file.named)));
    let sources = sources.collect::<Result<Vec<_>>>()?;
    Ok(sources.into_iter().filter(|(source, named)| *named || is_meant(source)).map(|(source, _)| source).collect())
}

/// Reads and loads definitions as one set. A file that cannot be read, or is not text, is an error among the others.
///
/// # Errors
/// When a directory cannot be read, or has no definition in it.
pub fn load(paths: &[PathBuf]) -> Result<Definitions> {
    let (mut sources, mut broken, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for File { path, named } in definitions(paths)? {
        match contents(&path) {
            Ok(Ok(source)) if named || is_meant(&source) => sources.push(source),
            Ok(Ok(source)) => skipped.push(source.path),
            Ok(Err(diagnostic)) => broken.push(*diagnostic),
            Err(error) => broken.push(unreadable(&path, &error)),
        }
    }
    if sources.is_empty() && broken.is_empty() && !skipped.is_empty() {
        bail!("no definitions: {} not OpenSLO: {}", are(skipped.len()), few(&skipped));
    }
    let mut loaded = openslo::load(&sources);
    loaded.diagnostics.append(&mut broken);
    Ok(Definitions { loaded, skipped })
}

/// Reports the files of directories that were skipped.
pub fn say_skipped(skipped: &[String]) {
    if !skipped.is_empty() {
        output::say(format_args!("skipped: {} not OpenSLO: {}", are(skipped.len()), few(skipped)));
    }
}

fn are(files: usize) -> String {
    if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") }
}

/// The first of many names.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| visible(name)).collect();
    format!("{}{more}", shown.join(", "))
}

fn unreadable(path: &Path, error: &anyhow::Error) -> Diagnostic {
    Diagnostic {
        file: path.display().to_string(),
        line: 1,
        column: 1,
        severity: Severity::Error,
        tier: Tier::Syntax,
        code: "unreadable-file",
        message: output::causes(error),
        help: None,
        snippet: Snippet::default(),
    }
}

/// Reads the definitions in a directory, but not those below it.
///
/// # Errors
/// When the directory or a file cannot be read, or there is none.
pub fn beside(folder: &Path) -> Result<Vec<SourceFile>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let paths = below(folder)?.into_iter().filter(|path| is_definition(path) && path.is_file());
    let sources = paths.map(|path| read_file(&path)).collect::<Result<Vec<_>>>()?;
    let sources: Vec<SourceFile> = sources.into_iter().filter(is_meant).collect();
    if sources.is_empty() {
        bail!("{}: no definitions in this directory", folder.display());
    }
    Ok(sources)
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, or is not UTF-8 text.
pub fn read_file(path: &Path) -> Result<SourceFile> {
    contents(path)?.map_err(|diagnostic| anyhow!("{}: {}", path.display(), diagnostic.message))
}

/// Loads definitions that are only looked at: errors are shown and end it.
///
/// # Errors
/// As for [`load`], and when a definition is wrong.
pub fn load_right(paths: &[PathBuf]) -> Result<Loaded> {
    let Definitions { loaded, skipped } = load(paths)?;
    say_skipped(&skipped);
    if !loaded.is_valid() {
        output::say_as_is(render(&loaded.diagnostics, output::colour_on_stderr()).trim_end());
        bail!("the definitions have errors");
    }
    Ok(loaded)
}

/// The rules of an SLO that hold back others while their alerts fire, each once, and what.
pub fn inhibiting(slo: &Slo) -> impl Iterator<Item = (String, &str)> {
    let name = |rule: &Rule| match slo.document {
        Document::Rule => rule.name.clone(),
        Document::Slo => format!("{} of {}", rule.name, slo.name),
    };
    slo.rules().filter_map(move |rule| Some((name(rule), inhibits(rule)?)))
}

/// What a rule holds back, as it is written.
pub fn inhibits(rule: &Rule) -> Option<&str> {
    rule.annotations.iter().find(|(name, _)| name == INHIBITS).map(|(_, text)| text.as_str())
}

/// Names of the rules whose alerts hold back those of services that depend on theirs.
pub fn holding_dependants(slos: &[Slo]) -> BTreeSet<String> {
    let all = slos.iter().flat_map(inhibiting);
    all.filter(|(_, text)| Inhibits::of_alert(text).dependants).map(|(name, _)| name).collect()
}

/// Loads definitions that must be right: errors are shown and end it, warnings are shown.
///
/// # Errors
/// When a file cannot be read or a definition is wrong.
pub fn load_valid(paths: &[PathBuf]) -> Result<Loaded> {
    let Definitions { loaded, skipped } = load(paths)?;
    say_skipped(&skipped);
    if !loaded.diagnostics.is_empty() {
        output::say_as_is(render(&loaded.diagnostics, output::colour_on_stderr()).trim_end());
    }
    if !loaded.is_valid() {
        bail!("the definitions have errors: nothing was done");
    }
    Ok(loaded)
}

/// Publishes what differs from the log. Returns the log time of the newest change; `None` if nothing changed.
///
/// # Errors
/// When the log fails.
pub async fn publish(log: &SharedLog, loaded: &Loaded) -> Result<Option<LogTime>> {
    let log: &dyn Log = log.as_ref();
    let definitions = loaded.documents.iter().map(|document| Definition {
        kind: document.kind.clone(),
        name: document.name.clone(),
        document: Some(document.text.clone()),
        author: author(),
    });
    publish_changed(log, definitions.collect()).await.context("publishing the definitions")
}

fn author() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned())
}
