"""Two checkouts and their builds: BASE in its own cache folder, NEW in the tree of this script."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
# What is built in each; one command for both, so that features of dependencies are the same.
PACKAGES = ["cli", "bench", "processor", "sink"]


@dataclass
class Build:
    """A checkout, and where cargo puts what it builds."""

    name: str
    tree: Path
    target: Path
    # Where its recordings are kept.
    home: Path | None = None
    # It is already built: cargo is not run.
    built: bool = False

    def cargo(self, *args, **options):
        env = {**os.environ, "CARGO_TARGET_DIR": str(self.target), "CARGO_TERM_COLOR": "never"}
        return subprocess.run(["cargo", *args], cwd=self.tree, env=env, check=True, **options)

    def build(self):
        """The program, the benchmarks and the examples that measure."""
        if self.built:
            return
        packages = [word for name in PACKAGES if (self.tree / name).is_dir() for word in ("-p", f"slipstream-{name}")]
        self.cargo("build", "--release", "--locked", "--quiet", "--bins", "--examples", *packages)

    @property
    def program(self):
        return self.target / "release" / "slipstream"

    def simulation(self):
        """The test program of the simulation, built."""
        if self.built:
            found = [path for path in (self.target / "release" / "deps").glob("seeds-*") if not path.suffix]
            return max(found, key=lambda path: path.stat().st_mtime)
        args = ["test", "--release", "--locked", "--quiet", "-p", "slipstream-sim", "--test", "seeds", "--no-run"]
        told = self.cargo(*args, "--message-format=json", stdout=subprocess.PIPE, text=True).stdout
        made = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        return Path(next(m["executable"] for m in made if m.get("executable")))


def cache():
    """Where BASE and its recordings are kept: outside the tree."""
    given = os.environ.get("SAME_OUTPUT_CACHE")
    return (
        Path(given)
        if given
        else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "slipstream-same-output"
    )


def git(*args, tree=HERE):
    return subprocess.run(["git", *args], cwd=tree, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def new():
    """This tree. NEW_TREE names another one."""
    tree = Path(os.environ.get("NEW_TREE", HERE)).resolve()
    return Build("NEW", tree, Path(os.environ.get("CARGO_TARGET_DIR", tree / "target")).resolve())


def base(revision):
    """A clone of a revision. BASE_TREE and BASE_TARGET name one that already exists; BASE_PATCH is applied to it
    if it lacks the dump of the simulation."""
    commit = git("rev-parse", f"{revision}^{{commit}}")
    home = cache() / commit[:12]
    tree = Path(os.environ.get("BASE_TREE", home / "tree")).resolve()
    if not tree.exists():
        git("clone", "--quiet", "--no-checkout", str(HERE), str(tree))
        git("checkout", "--quiet", "--detach", commit, tree=tree)
    found = git("rev-parse", "HEAD", tree=tree)
    if found != commit:
        raise SystemExit(f"{tree} is at {found[:12]}, not at {commit[:12]}: remove it, or name another BASE_TREE")
    patch = os.environ.get("BASE_PATCH")
    if patch and "SLIPSTREAM_SIM_DUMP" not in (tree / "sim/tests/seeds/main.rs").read_text():
        git("apply", str(Path(patch).resolve()), tree=tree)
    target = Path(os.environ.get("BASE_TARGET", home / "target")).resolve()
    return Build("BASE", tree, target, home)
