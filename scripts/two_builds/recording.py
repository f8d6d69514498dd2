"""The recordings of a build, item by item, and how two builds compare."""

import json
from dataclasses import dataclass, field
from difflib import unified_diff
from os.path import commonprefix

# How many differences are shown of each kind, and lines of each.
SHOWN = 3
LINES = 14


class Recording:
    """Texts by kind and name. Names are unique."""

    def __init__(self):
        self.kinds = {}

    def add(self, kind, name, text):
        items = self.kinds.setdefault(kind, {})
        if name in items:
            raise ValueError(f"recorded twice: {kind}: {name}")
        items[name] = text

    def add_lines(self, kind, name, lines):
        """Each line is a separate item."""
        for number, line in enumerate(lines):
            self.add(kind, f"{name}:{number}", line)

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.kinds, ensure_ascii=False))
        unfinished.rename(path)

    @staticmethod
    def load(path):
        recording = Recording()
        recording.kinds = json.loads(path.read_text())
        return recording


@dataclass
class Result:
    """How a kind of thing compares."""

    part: str
    kind: str
    same: int = 0
    different: int = 0
    examples: list = field(default_factory=list)

    def differs(self, name, base, new):
        self.different += 1
        if len(self.examples) < SHOWN:
            self.examples.append(f"{name}\n{difference(base, new)}")


def difference(base, new):
    """The first lines in which two texts differ."""
    if base is None or new is None:
        return f"    only {'NEW' if base is None else 'BASE'} has it"
    base, new = readable(base), readable(new)
    found = list(unified_diff(base, new, "BASE", "NEW", lineterm="", n=1))[2:]
    cut = [f"    {around(line, found)}" for line in found[:LINES]]
    return "\n".join(cut + ([f"    ... {len(found) - LINES} more lines"] if len(found) > LINES else []))


def around(line, lines):
    """The part of a long line around the first letter that differs from the other side."""
    others = [other for other in lines if other[:1] in "+-" and other[0] != line[0]]
    same = max((len(commonprefix([line[1:], other[1:]])) for other in others), default=0)
    begin = max(0, min(same - 80, len(line) - 280))
    return line[:280] if begin == 0 else f"{line[0]}...{line[begin : begin + 280]}"


def readable(text):
    """Lines; a long line is broken at commas if it would hide the difference."""
    return [piece for line in text.splitlines() for piece in (line.split(", ") if len(line) > 200 else [line])]


def compare(part, base, new):
    """Results by kind, of two recordings."""
    results = []
    for kind in sorted(base.kinds.keys() | new.kinds.keys()):
        result = Result(part, kind)
        ours, theirs = base.kinds.get(kind, {}), new.kinds.get(kind, {})
        for name in list(ours) + [name for name in theirs if name not in ours]:
            if name in ours and name in theirs and ours[name] == theirs[name]:
                result.same += 1
            else:
                result.differs(name, ours.get(name), theirs.get(name))
        results.append(result)
    return results


def table(results):
    """What was compared, in columns, and a summary line."""
    head = ("PART", "WHAT", "COMPARED", "DIFFERENT")
    rows = [(r.part, r.kind, f"{r.same + r.different:,}", f"{r.different:,}") for r in results]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(4)]

    def line(row):
        return "  ".join(
            [row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2].rjust(widths[2]), row[3].rjust(widths[3])]
        )

    failed = sum(1 for r in results if r.different)
    return "\n".join([line(head), *map(line, rows), f"{len(results) - failed} passed, {failed} failed"])
