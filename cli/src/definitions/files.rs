//! Finding files of definitions and of their tests, and reading what is in them.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use slipstream_definitions::diagnostic::Diagnostic;
use slipstream_definitions::document::{MAX_FILE, SourceFile};
use slipstream_slotest::SUFFIXES;

/// A file, and whether someone named it: others were found in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: PathBuf,
    pub named: bool,
}

/// The files among paths, and the YAML and JSON files below directories: each once, however often it is named.
///
/// # Errors
/// When a directory cannot be read, or has no such file in it.
pub fn definitions(paths: &[PathBuf]) -> Result<Vec<File>> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            if found.below(path, is_definition)? == 0 {
                bail!("{}: no .yaml, .yml or .json file in this directory", path.display());
            }
        } else {
            found.name(path);
        }
    }
    Ok(found.files)
}

/// The test files among paths: those named, and those below directories, in the order of their names.
///
/// # Errors
/// When a directory cannot be read.
pub fn tests(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            found.below(path, is_test)?;
        } else {
            found.name(path);
        }
    }
    Ok(found.files.into_iter().map(|file| file.path).collect())
}

/// The files found so far. Files and directories are identified by their real path, because links may be circular.
#[derive(Default)]
struct Found {
    files: Vec<File>,
    seen: HashSet<PathBuf>,
}

fn really(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl Found {
    fn name(&mut self, path: &Path) {
        let real = really(path);
        if self.seen.contains(&real) {
            self.files.iter_mut().filter(|file| really(&file.path) == real).for_each(|file| file.named = true);
        } else {
            self.add(path.to_owned(), true);
        }
    }

    fn add(&mut self, path: PathBuf, named: bool) {
        if self.seen.insert(really(&path)) {
            self.files.push(File { path, named });
        }
    }

    /// Adds the files below a directory that are wanted. Returns how many there are, those that were found before too.
    fn below(&mut self, folder: &Path, wanted: fn(&Path) -> bool) -> Result<usize> {
        let mut way = HashSet::new();
        self.walk(folder, wanted, &mut way)
    }

    fn walk(&mut self, folder: &Path, wanted: fn(&Path) -> bool, way: &mut HashSet<PathBuf>) -> Result<usize> {
        let mut met = 0;
        if !way.insert(really(folder)) {
            return Ok(met);
        }
        for path in below(folder)? {
            if path.is_dir() {
                met += self.walk(&path, wanted, way)?;
            } else if wanted(&path) && !is_special(&path) {
                met += 1;
                self.add(path, false);
            }
        }
        Ok(met)
    }
}

/// A pipe, a socket or a device. A dangling link is none of them: reading it gives the right error.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// What is in a directory, by name; not what is hidden, such as the copies that Kubernetes keeps of a ConfigMap.
///
/// # Errors
/// When it cannot be read.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading the directory {}", folder.display()))?;
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.')));
    paths.sort();
    Ok(paths)
}

/// Whether a file's name is that of a definition.
pub fn is_definition(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    matches!(extension, "yaml" | "yml" | "json") && !is_test(path)
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Reads a file, of one that is too large only so much that this is seen. The inner error is a file that is not text.
///
/// # Errors
/// When it cannot be read.
pub fn contents(path: &Path) -> Result<Result<SourceFile, Box<Diagnostic>>> {
    let mut bytes = Vec::new();
    let read = open(path).and_then(|file| Ok(file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?));
    read.with_context(|| format!("reading {}", path.display()))?;
    Ok(SourceFile::from_bytes(path.display().to_string(), bytes))
}

/// Opening a named pipe waits for someone to write to it, which may be never. Those below /dev, standard input and what a
/// shell puts there for `<(command)`, have a writer.
fn open(path: &Path) -> Result<fs::File> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !path.starts_with("/dev") {
        bail!("not a regular file; pass a file, a directory or /dev/stdin");
    }
    Ok(fs::File::open(path)?)
}

#[cfg(test)]
mod unit_tests {
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
        let names = |paths: &[PathBuf]| definitions(paths).unwrap().len();
        assert_eq!(names(std::slice::from_ref(&root)), 2);
        assert_eq!(names(&[root.clone(), root.clone()]), 2);
        assert_eq!(names(&[root.join("a.yaml"), root.clone(), root.join("b")]), 2);
        assert_eq!(tests(&[root]).unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_was_found_may_be_named_as_well() {
        let folder = folder(&["a.yaml", "b.yaml"]);
        let root = folder.path().to_owned();
        for paths in [[root.clone(), root.join("b.yaml")], [root.join("b.yaml"), root.clone()]] {
            let mut named: Vec<_> = definitions(&paths).unwrap().into_iter().map(|f| (f.path, f.named)).collect();
            named.sort();
            assert_eq!(named, [(root.join("a.yaml"), false), (root.join("b.yaml"), true)]);
        }
    }

    #[test]
    fn a_directory_without_definitions_is_refused_whatever_else_is_in_it() {
        let folder = folder(&["only/a.test.yaml", "only/empty/readme.md"]);
        let error = definitions(&[folder.path().to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no .yaml, .yml or .json file"), "{error}");
    }

    #[test]
    fn a_named_pipe_is_not_waited_for() {
        let folder = folder(&["a.yaml"]);
        let pipe = folder.path().join("b.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(definitions(&[folder.path().to_owned()]).unwrap().len(), 1);
        let error = format!("{:#}", contents(&pipe).unwrap_err());
        assert!(error.contains("b.yaml: not a regular file"), "{error}");
    }

    #[test]
    fn links_in_circles_end() {
        let folder = folder(&["a.yaml", "a.test.yaml"]);
        for link in ["x", "y"] {
            std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
        }
        let root = [folder.path().to_owned()];
        assert_eq!((definitions(&root).unwrap().len(), tests(&root).unwrap().len()), (1, 1));
    }
}
