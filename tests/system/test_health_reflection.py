"""Health v1, reflection v1 and v1alpha, and the plain port beside them."""

import urllib.error

import grpc
import pytest
from google.protobuf import descriptor_pb2

from needtoknow_testing import protos

SERVING = protos.health.HealthCheckResponse.SERVING
SERVICES = {"needtoknow.v1.SharingService", "needtoknow.v1.DeliveryService", "needtoknow.v1.AuditService",
            "needtoknow.v1.RegistryService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"}


@pytest.mark.parametrize("service", ["", "needtoknow.v1.SharingService", "needtoknow.v1.DeliveryService",
                                     "needtoknow.v1.AuditService", "needtoknow.v1.RegistryService"])
@pytest.mark.parametrize("name", ["booking", "auditor", "rights", "admin", "sparkle"])
def test_health_of_each_service_for_each_role(world, service, name):
    request = protos.health.HealthCheckRequest(service=service)
    assert world.sandbox.client(name).health.Check(request, timeout=10).status == SERVING


def test_health_of_an_unknown_service_is_not_found(world):
    with pytest.raises(grpc.RpcError) as error:
        world.booking.health.Check(protos.health.HealthCheckRequest(service="nothing"), timeout=10)
    assert error.value.code().name == "NOT_FOUND"


def test_health_list_names_them_all(world):
    answer = world.booking.health.List(protos.health.HealthListRequest(), timeout=10)
    statuses = {entry.key: entry.value.status for entry in answer.statuses}
    assert {name for name in SERVICES if name.startswith("needtoknow")} <= set(statuses)
    assert set(statuses.values()) == {SERVING}


def test_health_watch_tells_at_once_and_stays(world):
    watch = world.booking.health.Watch(protos.health.HealthCheckRequest(), timeout=10)
    assert next(watch).status == SERVING
    unknown = world.booking.health.Watch(protos.health.HealthCheckRequest(service="nothing"), timeout=10)
    assert next(unknown).status == protos.health.HealthCheckResponse.SERVICE_UNKNOWN
    for call in (watch, unknown):
        assert call.is_active()
        call.cancel()


@pytest.fixture(params=["v1", "v1alpha"])
def reflect(request, world):
    """Asks one question on a stream of its own."""
    module, stub = {"v1": (protos.reflection, protos.ReflectionStub),
                    "v1alpha": (protos.reflection_alpha, protos.ReflectionAlphaStub)}[request.param]
    client = stub(world.booking.channel)

    def ask(**question):
        (answer,) = list(client.ServerReflectionInfo(iter([module.ServerReflectionRequest(**question)]), timeout=10))
        return answer
    return ask


def test_reflection_lists_the_services(reflect):
    answer = reflect(list_services="")
    assert SERVICES <= {service.name for service in answer.list_services_response.service}


def descriptors(answer):
    return [descriptor_pb2.FileDescriptorProto.FromString(data)
            for data in answer.file_descriptor_response.file_descriptor_proto]


def test_reflection_gives_files_by_name_and_by_symbol(reflect):
    by_name = descriptors(reflect(file_by_filename="needtoknow/v1/sharing.proto"))
    assert "needtoknow/v1/sharing.proto" in [each.name for each in by_name]
    for symbol, name in (("needtoknow.v1.SharingService", "sharing"), ("needtoknow.v1.SharingService.Share", "sharing"),
                         ("needtoknow.v1.LedgerEntry", "ledger"), ("needtoknow.v1.Delivery", "delivery")):
        files = [each.name for each in descriptors(reflect(file_containing_symbol=symbol))]
        assert f"needtoknow/v1/{name}.proto" in files, symbol


def test_reflection_of_what_is_not_there_says_so(reflect):
    for question in ({"file_by_filename": "nothing.proto"}, {"file_containing_symbol": "needtoknow.v1.Nothing"}):
        assert reflect(**question).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_the_descriptors_are_those_of_the_tree(reflect):
    """Whatever a client learns by reflection is what proto/ says."""
    (served,) = [each for each in descriptors(reflect(file_by_filename="needtoknow/v1/delivery.proto"))
                 if each.name == "needtoknow/v1/delivery.proto"]
    ours = descriptor_pb2.FileDescriptorProto()
    protos.delivery.DESCRIPTOR.CopyToProto(ours)
    served.ClearField("source_code_info")
    for each in (served, ours):
        for message in each.message_type:
            for field in message.field:
                field.ClearField("json_name")
    assert served == ours


def test_the_plain_port_tells_health_and_figures(world):
    assert world.sandbox.metrics("/healthz") is not None
    assert world.sandbox.metrics("/readyz") is not None
    text = world.sandbox.metrics()
    assert "needtoknow_" in text
    for line in text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) == float(line.rsplit(" ", 1)[1])
    assert "certificate" in text, "days to certificate expiry"


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/needtoknow.v1.SharingService/Share"])
def test_the_plain_port_tells_nothing_else(world, path):
    with pytest.raises(urllib.error.HTTPError) as error:
        world.sandbox.metrics(path)
    assert error.value.code == 404


def test_the_plain_port_is_loopback_alone(world):
    host, _ = world.sandbox.metrics_address.rsplit(":", 1)
    assert host in ("127.0.0.1", "[::1]", "localhost")
