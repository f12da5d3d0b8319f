"""What an error says: its code, and the ErrorInfo in grpc-status-details-bin."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from . import protos

OK = grpc.StatusCode.OK


@dataclass
class Refusal:
    code: grpc.StatusCode
    reason: str
    metadata: dict = field(default_factory=dict)
    message: str = ""
    domain: str = ""

    def __str__(self):
        return f"{self.code.name} {self.reason or '-'} {self.metadata} {self.message!r}"


def refusal_of(error):
    """A grpc.RpcError as a Refusal. What it carries must be consistent in itself."""
    result = Refusal(error.code(), "", {}, error.details() or "")
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        status = protos.status.Status.FromString(value)
        assert status.code == error.code().value[0], f"details say {status.code}, the trailer {error.code()}"
        assert len(status.details) == 1, f"one ErrorInfo, not {len(status.details)} details"
        info = protos.error_details.ErrorInfo()
        assert status.details[0].Unpack(info), status.details[0].type_url
        result.reason, result.metadata, result.domain = info.reason, {each.key: each.value for each in info.metadata}, info.domain
        assert info.domain == "needtoknow", info.domain
    return result


def refusal(call, *arguments, **keywords):
    """Calls, and gives the Refusal; an answer instead is a failure."""
    try:
        answer = call(*arguments, **keywords)
        if not hasattr(answer, "DESCRIPTOR"):
            answer = list(answer)
    except grpc.RpcError as error:
        return refusal_of(error)
    raise AssertionError(f"was not refused: {answer}")


@contextmanager
def refused(code, reason=None):
    """`with refused("NOT_FOUND", "UNKNOWN_SUBJECT") as why:`; `why` is filled when the block has failed as it should."""
    why = Refusal(None, "")
    try:
        yield why
    except grpc.RpcError as error:
        found = refusal_of(error)
        why.__dict__.update(found.__dict__)
        assert found.code.name == code, f"expected {code} {reason}, got {found}"
        assert reason is None or found.reason == reason, f"expected {code} {reason}, got {found}"
        return
    raise AssertionError(f"was not refused; expected {code} {reason}")
