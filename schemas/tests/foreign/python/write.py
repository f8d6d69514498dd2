"""The events in single-object encoding, by the Avro libraries of Python: library, version, event, hex."""

import io
import json
import sys
from importlib.metadata import version

import avro.io
import avro.schema
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

schema_text = open(sys.argv[1]).read()
events = json.load(open(sys.argv[2]))
MARKER = b"\xc3\x01"


def by_fastavro():
    schema = json.loads(schema_text)
    header = MARKER + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    schema = fastavro.parse_schema(schema)
    for event in events:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, event)
        yield header + body.getvalue()


def by_avro():
    schema = avro.schema.parse(schema_text)
    header = MARKER + schema.fingerprint("CRC-64-AVRO")
    for event in events:
        body = io.BytesIO()
        # It wants a datetime for a timestamp, or the plain number under a schema without logical type.
        avro.io.DatumWriter(plain(schema_text)).write(event, avro.io.BinaryEncoder(body))
        yield header + body.getvalue()


def plain(text):
    schema = json.loads(text)
    next(f for f in schema["fields"] if f["name"] == "time")["type"] = "long"
    return avro.schema.parse(json.dumps(schema))


for library, messages in [("fastavro (Python)", by_fastavro()), ("avro (Python)", by_avro())]:
    for number, message in enumerate(messages):
        print(library, version(library.split()[0]), number, message.hex(), sep="\t")
