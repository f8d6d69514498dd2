"""Reads `log.db` of an embedded log: every record of every topic, without the program."""

import ctypes
import ctypes.util
import sqlite3
from dataclasses import dataclass

LZ4 = ctypes.util.find_library("lz4")


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    log_time: int
    key: bytes | None
    value: bytes | None
    headers: list


def records(directory):
    """All records, by topic, partition and offset."""
    db = sqlite3.connect(directory / "log.db")
    rows = db.execute(
        "SELECT p.topic, p.partition, b.base, b.count, b.log_time, b.compressed, b.raw, b.data FROM batches b "
        "JOIN partitions p ON p.id = b.place WHERE b.base + b.count > p.first ORDER BY p.topic, p.partition, b.base"
    )
    found = []
    for topic, partition, base, count, log_time, compressed, raw, data in rows:
        rest = Cursor(unpacked(data, raw) if compressed else data)
        for i in range(count):
            key, value = rest.part(), rest.part()
            headers = [(rest.take(rest.varint()).decode(), rest.take(rest.varint())) for _ in range(rest.varint())]
            found.append(Record(topic, partition, base + i, log_time, key, value, headers))
    db.close()
    return found


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        self.at += n
        return self.data[self.at - n : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def part(self):
        length = self.varint()
        return None if length == 0 else self.take(length - 1)


def unpacked(data, raw):
    """An LZ4 block, by the library if it is installed."""
    if LZ4:
        out = ctypes.create_string_buffer(raw)
        got = ctypes.CDLL(LZ4).LZ4_decompress_safe(data, out, len(data), raw)
        if got == raw:
            return out.raw
        raise ValueError("a damaged row")
    return slowly(data)


def slowly(data):
    out, at = bytearray(), 0

    def length(first):
        nonlocal at
        total = first
        while first == 15 or (first == 255):
            first = data[at]
            at += 1
            total += first
        return total

    while at < len(data):
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at >= len(data):
            break
        back = data[at] | data[at + 1] << 8
        at += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-back])
    return bytes(out)


def line(record, log_time=False):
    """A record as text, bytes as they are."""

    def text(given):
        return "-" if given is None else given.hex()

    headers = " ".join(f"{name}={value.hex()}" for name, value in record.headers)
    time = f" {record.log_time}" if log_time else ""
    place = f"{record.topic}/{record.partition}@{record.offset}{time}"
    return f"{place} key {text(record.key)} value {text(record.value)} {headers}"
