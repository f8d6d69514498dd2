//! Definition files: finding, reading and publishing them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use slipstream_definitions::diagnostic::{Diagnostic, Severity, Snippet, Tier, render};
use slipstream_definitions::document::{MAX_FILE, SourceFile};
use slipstream_definitions::openslo::{self, Loaded};
use slipstream_log::{Log, SharedLog};
use slipstream_role::definitions::{SLO_KIND, publish_changed};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Definition;
use slipstream_slotest::SUFFIXES;

use crate::output;

/// Reads files, and the YAML and JSON files below directories, in the order of their names. Tests among them are left
/// out.
///
/// # Errors
/// When a path cannot be read, a directory has no definition in it, or a file is no UTF-8 text.
pub fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    files(paths)?.iter().map(|path| read_file(path)).collect()
}

/// Reads and loads definitions as one set. A file that cannot be read, or is no text, is an error among the others.
///
/// # Errors
/// When a directory cannot be read, or has no definition in it.
pub fn load(paths: &[PathBuf]) -> Result<Loaded> {
    let (mut sources, mut broken) = (Vec::new(), Vec::new());
    for path in files(paths)? {
        match source(&path) {
            Ok(Ok(source)) => sources.push(source),
            Ok(Err(diagnostic)) => broken.push(*diagnostic),
            Err(error) => broken.push(unreadable(&path, &error)),
        }
    }
    let mut loaded = openslo::load(&sources);
    loaded.diagnostics.append(&mut broken);
    Ok(loaded)
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

/// The files among paths, and the definitions below directories: each once, however often it is named.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            if found.below(path, is_definition)? == 0 {
                bail!("{}: no .yaml, .yml or .json file in this directory", path.display());
            }
        } else {
            found.add(path.clone());
        }
    }
    Ok(found.files)
}

/// The files found so far. Files and directories are known by where they really are: links may lead in circles.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
}

fn really(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl Found {
    fn add(&mut self, file: PathBuf) {
        if self.seen.insert(really(&file)) {
            self.files.push(file);
        }
    }

    /// Adds the files below a directory that are wanted. Answers how many there are, those that were found before too.
    fn below(&mut self, folder: &Path, wanted: fn(&Path) -> bool) -> Result<usize> {
        let mut way = HashSet::new();
        self.walk(folder, wanted, &mut way)
    }

    fn walk(&mut self, folder: &Path, wanted: fn(&Path) -> bool, way: &mut HashSet<PathBuf>) -> Result<usize> {
        let mut met = 0;
        if !way.insert(really(folder)) {
            return Ok(met);
        }
        for path in entries(folder)? {
            if path.is_dir() {
                met += self.walk(&path, wanted, way)?;
            } else if wanted(&path) && !is_named_pipe(&path) {
                met += 1;
                self.add(path);
            }
        }
        Ok(met)
    }
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
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            found.below(path, is_test)?;
        } else {
            found.add(path.clone());
        }
    }
    Ok(found.files)
}

/// What is in a directory, by name; not what is hidden, such as the copies that Kubernetes keeps of a ConfigMap.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading the directory {}", folder.display()))?;
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.')));
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
    source(path)?.map_err(|diagnostic| anyhow!("{}: {}", path.display(), diagnostic.message))
}

/// Whether a path is a named pipe: to open one waits for a writer, who may never come. (What a shell makes of `<(…)` is a
/// link to a pipe that has one.)
fn is_named_pipe(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Reads a file, of one that is too large only so much that this is seen.
fn source(path: &Path) -> Result<Result<SourceFile, Box<Diagnostic>>> {
    if is_named_pipe(path) {
        bail!("{}: a named pipe, into which perhaps nobody writes; give a file, or /dev/stdin", path.display());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes));
    file.with_context(|| format!("reading {}", path.display()))?;
    Ok(SourceFile::from_bytes(path.display().to_string(), bytes))
}

/// Loads definitions that must be right: errors are shown and end it, warnings are shown.
///
/// # Errors
/// When a file cannot be read or a definition is wrong.
pub fn load_valid(paths: &[PathBuf]) -> Result<Loaded> {
    let loaded = load(paths)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn a_directory_is_read_with_what_is_below_it_each_file_once() {
        let folder = folder(&["a.yaml", "b/c.yml", "b/c.test.yaml", "d.txt", ".hidden/e.yaml"]);
        let root = folder.path().to_owned();
        let names = |paths: &[PathBuf]| files(paths).unwrap().len();
        assert_eq!(names(std::slice::from_ref(&root)), 2);
        assert_eq!(names(&[root.clone(), root.clone()]), 2);
        assert_eq!(names(&[root.join("a.yaml"), root.clone(), root.join("b")]), 2);
        assert_eq!(super::tests(&[root]).unwrap().len(), 1);
    }

    #[test]
    fn a_directory_without_definitions_is_refused_whatever_else_is_in_it() {
        let folder = folder(&["only/a.test.yaml", "only/empty/readme.md"]);
        let error = files(&[folder.path().to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no .yaml, .yml or .json file"), "{error}");
    }

    #[test]
    fn a_named_pipe_is_not_waited_for() {
        let folder = folder(&["a.yaml"]);
        let pipe = folder.path().join("b.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(files(&[folder.path().to_owned()]).unwrap().len(), 1);
        let error = read_file(&pipe).unwrap_err().to_string();
        assert!(error.contains("b.yaml: a named pipe"), "{error}");
    }

    #[test]
    fn links_in_circles_end() {
        let folder = folder(&["a.yaml", "a.test.yaml"]);
        for link in ["x", "y"] {
            std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
        }
        let root = [folder.path().to_owned()];
        assert_eq!((files(&root).unwrap().len(), super::tests(&root).unwrap().len()), (1, 1));
    }
}
