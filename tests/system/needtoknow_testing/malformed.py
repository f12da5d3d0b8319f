"""Messages that no generated code would write, made from the descriptors."""

import struct
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor as Field

VARINT, FIXED64, LENGTH, GROUP, FIXED32 = 0, 1, 2, 3, 5


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tagged(number, wire_type, payload):
    return varint(number << 3 | wire_type) + payload


def block(number, content):
    return tagged(number, LENGTH, varint(len(content)) + content)


@dataclass
class Mutation:
    """One request, wrong in one place."""
    path: str       # the field, dotted
    name: str       # what is wrong with it
    data: bytes     # the message

    def __str__(self):
        return f"{self.path}: {self.name}"


TEXTS = {
    "empty": b"",
    "too long": b"x" * 129,
    "not UTF-8": b"ab\xff\xfecd",
    "overlong UTF-8": b"ab\xc0\xafcd",
    "a surrogate": b"\xed\xa0\x80",
    "cut UTF-8": b"ab\xe2\x82",
    "NUL": b"ab\x00cd",
    "NUL alone": b"\x00",
    "a control character": b"ab\x07cd",
    "a newline": b"ab\ncd",
    "DEL": b"ab\x7fcd",
    "a C1 control character": "ab\u0085cd".encode(),
}
NUMBERS = {"-1": -1, "the least": -2**31, "beyond 32 bits": 2**40}
TIMES = {
    "negative nanoseconds": (1, -1), "too many nanoseconds": (1, 1_000_000_000), "before year 1": (-62_135_596_801, 0),
    "after year 9999": (253_402_300_800, 0), "the most seconds": (2**63 - 1, 0), "the least seconds": (-2**63, 0),
}


def mutations(message, prefix=""):
    """Every field of `message`, which is valid, wrong in every way that its type has; recursively."""
    for field in message.DESCRIPTOR.fields:
        path = f"{prefix}{field.name}"
        rest = type(message)()
        rest.CopyFrom(message)
        rest.ClearField(field.name)
        base = rest.SerializeToString()
        yield Mutation(path, "missing", base)
        for name, bad in _bad_values(field):
            yield Mutation(path, name, base + bad)
        if field.type == Field.TYPE_MESSAGE and field.label != Field.LABEL_REPEATED:
            if field.message_type.name == "Timestamp":
                continue
            for inner in mutations(getattr(message, field.name), f"{path}."):
                yield Mutation(inner.path, inner.name, base + block(field.number, inner.data))


def _bad_values(field):
    number = field.number
    wire_type = {Field.TYPE_STRING: LENGTH, Field.TYPE_BYTES: LENGTH, Field.TYPE_MESSAGE: LENGTH}.get(field.type, VARINT)
    if wire_type == LENGTH:
        yield "wrong wire type: varint", tagged(number, VARINT, varint(7))
        yield "cut in the length", varint(number << 3 | LENGTH)
        yield "longer than the message", tagged(number, LENGTH, varint(1000) + b"x")
        yield "an enormous length", tagged(number, LENGTH, varint(2**31 - 1) + b"x")
    else:
        yield "wrong wire type: bytes", block(number, b"seven")
        yield "a varint without end", tagged(number, VARINT, b"\xff" * 11)
    yield "wrong wire type: 64 bits", tagged(number, FIXED64, struct.pack("<Q", 7))
    yield "wrong wire type: 32 bits", tagged(number, FIXED32, struct.pack("<I", 7))
    yield "a group", tagged(number, GROUP, b"")
    if field.type == Field.TYPE_STRING:
        for name, text in TEXTS.items():
            yield name, block(number, text)
    elif field.type == Field.TYPE_ENUM:
        yield "not defined: 99", tagged(number, VARINT, varint(99))
        yield "not defined: -1", tagged(number, VARINT, varint(-1))
    elif field.type == Field.TYPE_INT32:
        for name, value in NUMBERS.items():
            yield name, tagged(number, VARINT, varint(value))
    elif field.type == Field.TYPE_MESSAGE and field.message_type.name == "Timestamp":
        for name, (seconds, nanos) in TIMES.items():
            yield name, block(number, tagged(1, VARINT, varint(seconds)) + tagged(2, VARINT, varint(nanos)))


def garbage():
    """Bytes that are no message at all."""
    yield Mutation("", "field number 0", b"\x00\x01")
    yield Mutation("", "a tag without end", b"\xff" * 12)
    yield Mutation("", "wire type 7", b"\x0f\x01")
    yield Mutation("", "an end of a group that never began", b"\x0c")
    yield Mutation("", "text", b"GET / HTTP/1.1\r\n\r\n")
    yield Mutation("", "a thousand nested groups", b"\x0b" * 1000)
    yield Mutation("", "a hundred thousand nested messages", b"\x0a\x7f" * 100_000)
