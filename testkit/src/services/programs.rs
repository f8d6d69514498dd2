//! The programs of a native PostgreSQL: those that are installed, those of a given folder, or a copy of either with
//! more in its folder of extensions. A server finds its libraries and its share relative to its own program, so a copy
//! of the program with links to the rest is a separate server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::way;

/// The variable with a folder that has `bin`, `lib` and `share` of a PostgreSQL.
pub const POSTGRES_HOME: &str = "SLIPSTREAM_TEST_POSTGRES_HOME";

/// The prefix that runs a command as the user postgres if we are root, which PostgreSQL refuses.
pub(super) fn as_postgres() -> Vec<String> {
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
    words.iter().filter(|_| root).map(|word| (*word).to_owned()).collect()
}

/// Makes a folder that the server may write to.
pub(super) fn make_owned(folder: &Path) -> Result<()> {
    fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
    if !as_postgres().is_empty() {
        let owned = Command::new("chown").arg("postgres:").arg(folder).status().context("running chown")?;
        ensure!(owned.success(), "changing the owner of {} to postgres", folder.display());
    }
    Ok(())
}

/// The folder with `initdb` and `postgres` for a service that lives in `folder`: those of `home`, else of the folder that
/// the environment names, else those that are installed.
pub(super) fn for_native(folder: &Path, home: Option<&Path>, extension_files: &[(&str, &str)]) -> Result<PathBuf> {
    let home = home.map(Path::to_owned).or(way::given(POSTGRES_HOME)?.map(PathBuf::from));
    let from = match home {
        // As root we run it as another user, who may not look into it.
        Some(home) if as_postgres().is_empty() && extension_files.is_empty() => return Ok(home.join("bin")),
        Some(home) => Parts::of_home(&home),
        None if extension_files.is_empty() => return installed(),
        None => Parts::of_debian(&installed()?)?,
    };
    copy(&from, &folder.join("server"), extension_files)
}

/// The newest of Debian's, or where the one in PATH is.
fn installed() -> Result<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = debian.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let in_path = || std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("initdb").is_file());
    newest.or_else(in_path).context("PostgreSQL's initdb is neither in /usr/lib/postgresql/*/bin nor in PATH")
}

/// Where the parts of a PostgreSQL are, and where they belong in a copy, seen from its root.
struct Parts {
    bin: (PathBuf, PathBuf),
    lib: (PathBuf, PathBuf),
    share: (PathBuf, PathBuf),
}

impl Parts {
    /// Debian has them apart.
    fn of_debian(bin: &Path) -> Result<Parts> {
        let version =
            bin.parent().and_then(Path::file_name).context("PostgreSQL's programs are not in a folder of a version")?;
        let (lib, share) = (Path::new("lib/postgresql").join(version), Path::new("share/postgresql").join(version));
        let place = |part: PathBuf| (Path::new("/usr").join(&part), part);
        Ok(Parts { bin: place(lib.join("bin")), lib: place(lib.join("lib")), share: place(share) })
    }

    fn of_home(home: &Path) -> Parts {
        let place = |part: &str| (home.join(part), PathBuf::from(part));
        let share = if home.join("share/postgresql").is_dir() { "share/postgresql" } else { "share" };
        Parts { bin: place("bin"), lib: place("lib"), share: place(share) }
    }
}

/// Copies the programs, and what they expect next to them.
fn copy(from: &Parts, to: &Path, extension_files: &[(&str, &str)]) -> Result<PathBuf> {
    for (there, here) in [&from.bin, &from.lib, &from.share] {
        let here = to.join(here);
        fs::create_dir_all(&here).with_context(|| format!("making {}", here.display()))?;
        let readable = there.starts_with("/usr") && *there != from.bin.0;
        let copied = if readable { link_all(there, &here) } else { copy_all(there, &here) };
        copied.with_context(|| format!("copying {}", there.display()))?;
    }
    let extensions = to.join(&from.share.1).join("extension");
    if extensions.is_symlink() {
        let all = fs::read_link(&extensions).context("finding the folder of extensions")?;
        fs::remove_file(&extensions).context("creating a folder for extensions")?;
        fs::create_dir(&extensions).context("creating a folder of extensions")?;
        link_all(&all, &extensions).context("linking extensions")?;
    }
    for (name, content) in extension_files {
        let file = extensions.join(name);
        // Through a link it would be written to the server that is installed.
        if file.is_symlink() {
            fs::remove_file(&file).with_context(|| format!("making room for {name}"))?;
        }
        fs::write(file, content).with_context(|| format!("writing {name}"))?;
    }
    Ok(to.join(&from.bin.1))
}

fn link_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        symlink(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp")
        .args(["-rL", "--preserve=links"])
        .arg(from.join("."))
        .arg(to)
        .status()
        .context("running cp")?;
    ensure!(copied.success(), "cp failed");
    let readable = Command::new("chmod").args(["-R", "a+rX"]).arg(to).status().context("running chmod")?;
    ensure!(readable.success(), "chmod failed");
    Ok(())
}
