"""Messages and stubs, generated from proto/ when the tests start, by Debian's grpc_tools: nothing of ours is on this side."""

import atexit
import importlib
import shutil
import subprocess
import sys
import tempfile

import google
import grpc

from .paths import PROTO


def _generate():
    out = tempfile.mkdtemp(prefix="needtoknow-protos-")
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"--python_out={out}", f"--grpc_python_out={out}", *files],
        check=True,
    )
    sys.path.insert(0, out)
    # The generated `grpc.health` and `google.rpc` are packages beside the installed `grpc` and `google`.
    grpc.__path__.append(f"{out}/grpc")
    google.__path__.append(f"{out}/google")


def _load(name):
    return importlib.import_module(name)


_generate()

timestamp_pb2 = _load("google.protobuf.timestamp_pb2")
common = _load("needtoknow.v1.common_pb2")
sharing = _load("needtoknow.v1.sharing_pb2")
delivery = _load("needtoknow.v1.delivery_pb2")
audit = _load("needtoknow.v1.audit_pb2")
registry = _load("needtoknow.v1.registry_pb2")
rights = _load("needtoknow.v1.rights_pb2")
ledger = _load("needtoknow.v1.ledger_pb2")
health = _load("grpc.health.v1.health_pb2")
reflection = _load("grpc.reflection.v1.reflection_pb2")
reflection_alpha = _load("grpc.reflection.v1alpha.reflection_pb2")
status = _load("google.rpc.status_pb2")
error_details = _load("google.rpc.error_details_pb2")

SharingStub = _load("needtoknow.v1.sharing_pb2_grpc").SharingServiceStub
DeliveryStub = _load("needtoknow.v1.delivery_pb2_grpc").DeliveryServiceStub
AuditStub = _load("needtoknow.v1.audit_pb2_grpc").AuditServiceStub
RegistryStub = _load("needtoknow.v1.registry_pb2_grpc").RegistryServiceStub
RightsStub = _load("needtoknow.v1.rights_pb2_grpc").RightsServiceStub
RightsServicer = _load("needtoknow.v1.rights_pb2_grpc").RightsServiceServicer
add_rights = _load("needtoknow.v1.rights_pb2_grpc").add_RightsServiceServicer_to_server
HealthStub = _load("grpc.health.v1.health_pb2_grpc").HealthStub
ReflectionStub = _load("grpc.reflection.v1.reflection_pb2_grpc").ServerReflectionStub
ReflectionAlphaStub = _load("grpc.reflection.v1alpha.reflection_pb2_grpc").ServerReflectionStub

SERVICES = [module.DESCRIPTOR.services_by_name[name] for module, name in (
    (sharing, "SharingService"),
    (delivery, "DeliveryService"),
    (audit, "AuditService"),
    (registry, "RegistryService"),
    (rights, "RightsService"),
)]


def message_class(descriptor):
    """The generated class of a message descriptor."""
    for module in (sharing, delivery, audit, registry, rights, common, ledger):
        found = getattr(module, descriptor.name, None)
        if found is not None and found.DESCRIPTOR is descriptor:
            return found
    raise LookupError(descriptor.full_name)


def timestamp(seconds):
    """Unix seconds (may be a fraction) as a Timestamp, to the microsecond that PostgreSQL keeps."""
    microseconds = round(seconds * 1_000_000)
    return timestamp_pb2.Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def seconds(timestamp):
    """The inverse, as an exact enough float."""
    return timestamp.seconds + timestamp.nanos / 1e9


def microseconds(timestamp):
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
