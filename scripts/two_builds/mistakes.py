"""Inputs with mistakes, made from good ones: the same for every build, because they are random by a seed."""

import gzip
import random
import re

SEED = 20_261_128
# Mutants of each file: every line removed once, and this many other changes.
OTHERS = 40
WORDS = [
    "",
    "~",
    "true",
    "-1",
    "0",
    "1.5",
    "1e9",
    "[]",
    "{}",
    '""',
    "x",
    "5m",
    "30d",
    "1M",
    "99999999999999999999",
    "status_cod < 500",
    "2026-13-01",
]


def asked(base, data, scratch):
    """The commands for them, by kind. Files are created next to the examples."""
    home = scratch / "mutants"
    home.mkdir()
    found, dice = [], random.Random(SEED)
    for source in sorted((base.tree / "examples").rglob("*.yaml")):
        folder = source.parent.relative_to(base.tree / "examples")
        if source.name.endswith(".test.yaml"):
            found += of_tests(source, home / folder, dice, scratch)
        elif source.name.endswith("slos.yaml"):
            found += of_definitions(
                source.read_text(), home / folder / "slos", dice, scratch, "definitions with mistakes"
            )
    guide = re.findall(r"```yaml\n(.*?)```", (base.tree / "docs" / "slo.md").read_text(), re.S)
    for number, text in enumerate(guide):
        found += one(text, home / "guide" / f"{number:02}.yaml", scratch, "definitions: the guide")
    for name in ("runtime/slipstream.yaml", "examples/slipstream.yaml"):
        found += of_configurations((base.tree / name).read_text(), home / name.replace("/", "-"), dice, scratch)
    if data and (data / "openslo").is_dir():
        for source in sorted((data / "openslo").rglob("*.y*ml")):
            found += one(
                source.read_text(),
                home / "openslo" / source.relative_to(data / "openslo"),
                scratch,
                "definitions: OpenSLO's own",
            )
    return found


def one(text, path, scratch, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    name = str(path.relative_to(scratch))
    verbs = (["slo", "validate"], ["slo", "validate", "--json"], ["slo", "list", "--json"])
    return [(kind, [*verb, name]) for verb in verbs]


def of_definitions(text, folder, dice, scratch, kind):
    return [
        pair
        for n, mutant in enumerate(mutants(text, dice))
        for pair in one(mutant, folder / f"{n:03}.yaml", scratch, kind)
    ]


def of_tests(source, folder, dice, scratch):
    """Next to the unchanged definitions. Every second one is enough: a test takes longer than reading a document."""
    found, definitions = [], (source.parent / source.name.replace(".test.yaml", ".yaml")).read_text()
    for n, mutant in enumerate(mutants(source.read_text(), dice)[::2]):
        place = folder / f"tests-{n:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / source.name.replace(".test.yaml", ".yaml")).write_text(definitions)
        (place / source.name).write_text(mutant)
        name = str((place / source.name).relative_to(scratch))
        found += [("tests of definitions with mistakes", ["slo", "test", *json, name]) for json in ([], ["--json"])]
    return found


def of_configurations(text, folder, dice, scratch):
    """Mistakes in the configuration file; the command reads nothing else."""
    folder.mkdir(parents=True)
    found = []
    for n, mutant in enumerate(mutants(text, dice)):
        (folder / f"{n:03}.yaml").write_text(mutant)
        found.append(
            (
                "configurations with mistakes",
                ["slo", "list", "--config", str((folder / f"{n:03}.yaml").relative_to(scratch))],
            )
        )
    return found


def mutants(text, dice):
    """Each line that is not a comment removed once; then other changes."""
    lines = text.splitlines(keepends=True)
    says = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    found = ["".join(lines[:i] + lines[i + 1 :]) for i in says]
    for _ in range(OTHERS):
        i = dice.choice(says)
        found.append("".join(lines[:i] + [changed(lines[i], dice)] + lines[i + 1 :]))
    return found


def changed(line, dice):
    """The line with a slip: another value, a letter less, a letter swapped, indented, doubled, an unknown key."""
    way = dice.randrange(6)
    if way == 0 and ":" in line:
        return line.split(":")[0] + ": " + dice.choice(WORDS) + "\n"
    at = dice.randrange(len(line.rstrip("\n")) or 1)
    if way == 1:
        return line[:at] + line[at + 1 :]
    if way == 2:
        return line[:at] + line[at : at + 2][::-1] + line[at + 2 :]
    if way == 3:
        return " " * dice.choice([1, 2, 4]) + line
    if way == 4:
        return line + line
    return re.sub(r"[A-Za-z]+:", lambda found: found.group()[:-1] + "x:", line, count=1)


def small_files():
    """Files to import: name, content, arguments."""
    event = (
        '{"event_id":"e%d","time":%d,"service":"pay","endpoint":"/x","method":"GET","status_code":%s,"latency_ms":%s}\n'
    )
    start = 1_700_000_000_000_000
    good = "".join(event % (i, start + i * 1000, 200 if i % 9 else 503, i / 8) for i in range(60))
    bad = (
        good
        + "\n{}\nno JSON\n[1]\n"
        + event % (0, start, "200", "1")
        + event % (1, 12, "700", "-3")
        + event % (2, start, '"x"', "null")
    )
    bad += '{"time":"2023-11-14T22:13:20Z","service":"a","endpoint":"/","method":"GET","status_code":200,"weight":0}\n'
    bad += (
        '{"time":"2023-11-14T22:13:20Z","service":"","endpoint":"/","method":"GET","status_code":200,"more":1}\n'
        + good[:90]
    )
    log = "".join(
        f'10.0.0.{i % 7} - - [14/Nov/2023:22:13:{i:02} +0100] "GET /p/{i}?q=%20 HTTP/1.1" {200 + i % 3} {i * 10} "-" "curl \\"x\\""\n'
        for i in range(50)
    )
    odd = (
        log
        + 'this is no request\nhost - - [not a time] "GET / HTTP/1.0" 200 1\n- - - [14/Nov/2023:22:13:20 +0000] "-" 400 0 "-" "-"\n'
    )
    odd += (
        'h - - [30/Feb/2023:22:13:20 +0000] "GET / HTTP/1.0" 200 1 "" ""\nh - - [14/Nov/2023:22:13:20 +0000] "GET /'
        + "a" * 9000
        + ' HTTP/1.0" 200 1 "" ""\n'
    )
    combined = ["--format", "combined", "--service", "web"]
    return [
        ("good.ndjson", good.encode(), ["--format", "json"]),
        ("bad.ndjson", bad.encode(), ["--format", "json", "--service", "else", "--environment", "test"]),
        ("packed.ndjson.gz", gzip.compress(bad.encode(), mtime=0), ["--format", "json"]),
        ("torn.ndjson.gz", gzip.compress(good.encode(), mtime=0)[:-30], ["--format", "json"]),
        ("good.log", log.encode(), combined),
        ("odd.log", odd.encode(), combined),
        ("common.log", odd.encode(), ["--format", "common", "--service", "web"]),
        (
            "not-utf8.log",
            odd.encode() + b'h - - [14/Nov/2023:22:13:20 +0000] "GET /\xff\xfe HTTP/1.0" 200 1 "" ""\n',
            combined,
        ),
        ("empty.log", b"", combined),
        ("as-json.log", log.encode(), ["--format", "json"]),
    ]
