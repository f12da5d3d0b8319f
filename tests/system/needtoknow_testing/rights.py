"""What a client asks for under the GDPR, through the privacy desk's certificate."""

import time

from . import protos
from .client import unique

rights = protos.rights


def asked(request_type, subject_id=None, **fields):
    """A request with a new id, by telephone, a minute ago."""
    request = request_type(request_id=unique("dp"), channel=rights.CHANNEL_PHONE, received_at=protos.timestamp(time.time() - 60))
    if subject_id is not None:
        request.subject_id = subject_id
    for name, value in fields.items():
        field = getattr(request, name)
        if isinstance(value, list):
            field.extend(value)
        elif hasattr(field, "CopyFrom"):
            field.CopyFrom(value)
        else:
            setattr(request, name, value)
    return request


def column(name, value):
    """None is NULL."""
    return rights.ColumnValue(column=name, value=value or "", is_null=value is None)


def register(world, columns, origin=rights.ORIGIN_WEBSITE, notice_version="2026-05", **fields):
    request = asked(rights.RegisterRequest, origin=origin, notice_version=notice_version,
                    columns=[column(name, value) for name, value in columns.items()], **fields)
    return request, world.rights.rights.Register(request, timeout=20)


def record(world, subject_id, **fields):
    request = asked(rights.GetSubjectRecordRequest, subject_id, **fields)
    return request, world.rights.rights.GetSubjectRecord(request, timeout=20)


def rectify(world, subject_id, name, value, **fields):
    request = asked(rights.RectifyRequest, subject_id, value=column(name, value), **fields)
    return request, world.rights.rights.Rectify(request, timeout=20)


def record_values(answer):
    """{column: value}, None for NULL."""
    return {each.column: None if each.is_null else each.value for each in answer.columns}
