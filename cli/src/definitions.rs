//! Definition files: finding, reading and publishing them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use slipstream_log::definitions::{SLO_KIND, publish_changed};
use slipstream_log::{Log, SharedLog};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Definition;
use slipstream_slo::diagnostic::render;
use slipstream_slo::openslo::{Loaded, SourceFile, load};
use slipstream_slo::testing::SUFFIXES;

use crate::output;

/// Reads files, and the YAML and JSON files below directories, in the order of their names. Tests among them are left
/// out.
///
/// # Errors
/// When a path cannot be read, or a directory has no definition in it.
pub fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let mut sources = Vec::new();
    for path in paths {
        let before = sources.len();
        if path.is_dir() {
            read_folder(path, &mut sources)?;
            if sources.len() == before {
                bail!("{}: no .yaml, .yml or .json file in this directory", path.display());
            }
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

/// Reads the YAML and JSON files in a directory, but not those below it.
///
/// # Errors
/// When the directory or a file cannot be read, or there is none.
pub fn beside(folder: &Path) -> Result<Vec<SourceFile>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let paths = entries(folder)?.into_iter().filter(|path| is_definition(path) && path.is_file());
    let sources = paths.map(|path| read_file(&path)).collect::<Result<Vec<_>>>()?;
    if sources.is_empty() {
        bail!("{}: no definitions in this directory", folder.display());
    }
    Ok(sources)
}

/// The test files among paths: those named, and those below directories, in the order of their names.
///
/// # Errors
/// When a path is not there or cannot be read.
pub fn tests(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            tests_below(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn tests_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            tests_below(&path, found)?;
        } else if is_test(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn read_folder(folder: &Path, sources: &mut Vec<SourceFile>) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            read_folder(&path, sources)?;
        } else if is_definition(&path) {
            sources.push(read_file(&path)?);
        }
    }
    Ok(())
}

/// What is in a directory, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading the directory {}", folder.display()))?;
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn is_definition(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    matches!(extension, "yaml" | "yml" | "json") && !is_test(path)
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, or is no UTF-8 text.
pub fn read_file(path: &Path) -> Result<SourceFile> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("{}: not UTF-8 text; definitions are YAML or JSON in UTF-8", path.display());
    };
    Ok(SourceFile { path: path.display().to_string(), text })
}

/// Loads definitions that must be right: errors are shown and end it, warnings are shown.
///
/// # Errors
/// When a file cannot be read or a definition is wrong.
pub fn load_valid(paths: &[PathBuf]) -> Result<Loaded> {
    let loaded = load(&read(paths)?);
    if !loaded.diagnostics.is_empty() {
        output::say(render(&loaded.diagnostics, output::colour_on_stderr()).trim_end());
    }
    if !loaded.is_valid() {
        bail!("the definitions have errors: nothing was published");
    }
    Ok(loaded)
}

/// Publishes what differs from the log. Answers the log time of the newest change, none where nothing changed.
///
/// # Errors
/// When the log fails.
pub async fn publish(log: &SharedLog, loaded: &Loaded) -> Result<Option<LogTime>> {
    let log: &dyn Log = log.as_ref();
    let definitions = loaded.documents.iter().map(|document| Definition {
        kind: SLO_KIND.to_owned(),
        name: document.name.clone(),
        document: Some(document.text.clone()),
        author: author(),
    });
    publish_changed(log, definitions.collect()).await.context("publishing the definitions")
}

fn author() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned())
}
