"""What differs between any two runs: each with its name, so that the report says what was not compared."""

import re
from collections import Counter


def nine_digits(found):
    return f"{found[1]}{float(found[2]):.9g}"


RULES = [
    ("duration and rate of an import or a simulation", r"\d+\.\d s \(\d+ events/s\)", "# s (# events/s)"),
    (
        "duration and rate of an import or a simulation, JSON",
        r'"seconds": [0-9.e+-]+,(\s+)"events_per_second": [0-9.e+-]+',
        r'"seconds": #,\1"events_per_second": #',
    ),
    ("duration of a test of definitions", r"^(  (?:ok|FAILED|failed)\s+)\d+\.\d\d s ", r"\1# s "),
    ("duration of all tests of definitions", r"\b(passed, .* in )\d+\.\d s", r"\1# s"),
    ("duration of a test of definitions, JSON", r'"elapsed_seconds": [0-9.e+-]+', '"elapsed_seconds": #'),
    (
        "digits beyond the ninth of an average (a sum of floats in the order of writing)",
        r'("avg_latency_ms": )([0-9.e+-]+)',
        nine_digits,
    ),
    ("free space on the disk (doctor)", r"\b\d+ MiB free", "# MiB free"),
]

USED = Counter()


def normalised(text, scratch=None):
    """The text without what differs between runs; `scratch` is the folder it ran in."""
    if scratch and str(scratch) in text:
        USED["path of the scratch folder"] += text.count(str(scratch))
        text = text.replace(str(scratch), "<scratch>")
    for name, pattern, instead in RULES:
        text, times = re.subn(pattern, instead, text, flags=re.M)
        if times:
            USED[name] += times
    return text
