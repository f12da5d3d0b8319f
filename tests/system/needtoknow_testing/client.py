"""Python gRPC clients, one a certificate."""

import itertools
import os
import time

import grpc

from . import protos

_unique = itertools.count()


def unique(prefix):
    """An identifier that no other test uses."""
    return f"{prefix}-{os.getpid()}-{time.time_ns()}-{next(_unique)}"


class Client:
    """The stubs of one caller on one connection."""

    def __init__(self, address, ca, certificate=None, key=None, options=()):
        read = lambda path: path.read_bytes() if path else None
        credentials = grpc.ssl_channel_credentials(read(ca), read(key), read(certificate))
        # A local pool of connections: one channel, one connection; and no long back-off, since tests restart the server.
        self.channel = grpc.secure_channel(address, credentials, options=(
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 10_000),  # how long one attempt may take, in spite of its name
            ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.enable_retries", 0),
            *options,
        ))
        self.sharing = protos.SharingStub(self.channel)
        self.delivery = protos.DeliveryStub(self.channel)
        self.audit = protos.AuditStub(self.channel)
        self.registry = protos.RegistryStub(self.channel)
        self.rights = protos.RightsStub(self.channel)
        self.health = protos.HealthStub(self.channel)

    def close(self):
        self.channel.close()

    def call(self, method, request, timeout=10, raw=False):
        """A method by its descriptor. `raw`: the request is bytes, sent as they are."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        serialize = (lambda message: message) if raw else (lambda message: message.SerializeToString())
        answer = protos.message_class(method.output_type).FromString
        if method.name in STREAMING:
            return self.channel.unary_stream(path, serialize, answer)(request, timeout=timeout)
        return self.channel.unary_unary(path, serialize, answer)(request, timeout=timeout)


# grpc_tools 1.14's Python descriptors do not say it.
STREAMING = {"Receive", "StreamEntries"}
