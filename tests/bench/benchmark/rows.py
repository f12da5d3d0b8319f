"""Rows as COPY (FORMAT binary) reads them."""

import struct

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH = 946_684_800_000_000  # 2000-01-01, in microseconds since 1970
NULL = b"\xff\xff\xff\xff"

_int2, _int4, _int8, _length = (struct.Struct(form).pack for form in (">ih", ">ii", ">iq", ">i"))
_count = struct.Struct(">h").pack


def int2(value):
    return NULL if value is None else _int2(2, value)


def int4(value):
    return _int4(4, value)


def int8(value):
    return NULL if value is None else _int8(8, value)


def time(microseconds):
    return NULL if microseconds is None else _int8(8, microseconds - EPOCH)


def boolean(value):
    return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


def data(value):
    """bytea, uuid."""
    return NULL if value is None else _length(len(value)) + value


def text(value):
    return NULL if value is None else data(value.encode())


def integers(values):
    """integer[]"""
    return data(struct.pack(">iiiii", 1, 0, 23, len(values), 1) + b"".join(map(_int4, *zip(*((4, value) for value in values)))))


def row(*columns):
    return _count(len(columns)) + b"".join(columns)
