"""Values of topics: Avro single-object encoding, read with the schemas of a checkout."""

import json
import struct

HEAD = 10
OF_TOPIC = {
    "request-events": "request_event",
    "slo-definitions": "definition",
    "sli-tallies": "tally_batch",
    "burn-snapshots": "burn_chunk",
    "burn-rates": "burn_rates",
    "alerts": "alert_transition",
    "notifications": "notification",
    "import-positions": "import_position",
}


def schemas(tree):
    """The schema of each topic's values, and by name the types in it."""
    found = {}
    for topic, name in OF_TOPIC.items():
        schema, names = json.loads((tree / "schemas" / "avsc" / f"{name}.avsc").read_text()), {}
        collect(schema, names)
        found[topic] = (schema, names)
    return found


def collect(schema, names):
    if isinstance(schema, list):
        for one in schema:
            collect(one, names)
    elif isinstance(schema, dict):
        if "name" in schema and schema["type"] in ("record", "enum", "fixed"):
            names[schema["name"]] = schema
        for inner in [schema.get("items"), schema.get("values"), *(f["type"] for f in schema.get("fields", []))]:
            collect(inner, names)
        if isinstance(schema.get("type"), (dict, list)):
            collect(schema["type"], names)


class Reader:
    def __init__(self, data, names):
        self.data, self.at, self.names = data, 0, names

    def long(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    def take(self, n):
        taken = self.data[self.at : self.at + n]
        if len(taken) != n:
            raise ValueError("the value ends too early")
        self.at += n
        return taken

    def blocks(self, one):
        found = []
        while count := self.long():
            if count < 0:
                self.long()
            found += [one() for _ in range(abs(count))]
        return found

    def read(self, schema):
        if isinstance(schema, list):
            return self.read(schema[self.long()])
        kind = schema["type"] if isinstance(schema, dict) else schema
        match kind:
            case "null":
                return None
            case "boolean":
                return bool(self.take(1)[0])
            case "int" | "long":
                return self.long()
            case "float":
                return struct.unpack("<f", self.take(4))[0]
            case "double":
                return struct.unpack("<d", self.take(8))[0]
            case "string":
                return self.take(self.long()).decode()
            case "bytes":
                return self.take(self.long()).hex()
            case "array":
                return self.blocks(lambda: self.read(schema["items"]))
            case "map":
                return dict(self.blocks(lambda: (self.read("string"), self.read(schema["values"]))))
            case "enum":
                return schema["symbols"][self.long()]
            case "record":
                return {field["name"]: self.read(field["type"]) for field in schema["fields"]}
            case _ if isinstance(kind, (dict, list)):
                return self.read(kind)
            case _:
                return self.read(self.names[kind])


def decode(schemas, topic, value):
    """The value of a record, and the ten bytes before it that name its schema."""
    schema, names = schemas[topic]
    if value[:2] != b"\xc3\x01":
        raise ValueError("no Avro single object")
    reader = Reader(value[HEAD:], names)
    found = reader.read(schema)
    if reader.at != len(reader.data):
        raise ValueError("bytes behind the value")
    return found, value[:HEAD].hex()


def told(schemas, topic, value):
    """The value as lines for people; empty if it cannot be read."""
    try:
        found, head = decode(schemas, topic, value)
    except (ValueError, IndexError, KeyError):
        return []
    return [f"schema {head}", *json.dumps(found, indent=1).splitlines()]
