"""A service of clients' rights that is not ours: what it is asked, and answers that a real one gives rarely or never twice."""

import os
import subprocess
import threading
from concurrent import futures

import grpc
from cryptography.hazmat.primitives import serialization

from . import protos
from .certificates import Authority
from .paths import program

rights = protos.rights


class Refusal(Exception):
    """How a request is refused: a code and ErrorInfo's reason."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason


class Desk(protos.RightsServicer):
    """`judge(request)` raises a Refusal, or not. A request id is done once, as the contract says."""

    def __init__(self, directory, judge=lambda request: None):
        self.directory, self.judge = directory, judge
        self.asked, self.done = [], {}
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(32))
        authority = Authority.foreign(directory)
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        certificate, key = authority.issue(dns=["localhost"], client=False)
        self.pair = authority.issue("spiffe://maison-claire.example/rights/desk")
        self.pair[1].chmod(0o600)
        self._credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())], self.ca.read_bytes(), True)
        protos.add_rights(self, self._server)
        self.port = self._server.add_secure_port("localhost:0", self._credentials)

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(None).wait()

    def run(self, *words, code=0, **keywords):
        """The command line: what it printed and what it said on standard error."""
        done = subprocess.run([program("needtoknow"), *words], env=self.environment(), capture_output=True, text=True, timeout=240, **keywords)
        assert "Sanitizer" not in done.stderr, done.stderr
        assert done.returncode == code, f"{words} ended with {done.returncode}: {done.stderr}"
        return done.stdout, done.stderr

    def start(self, *words, **keywords):
        return subprocess.Popen([program("needtoknow"), *words], env=self.environment(), text=True, **keywords)

    def environment(self):
        return {"PATH": os.environ["PATH"], "TERM": "xterm", "NEEDTOKNOW_ADDRESS": f"localhost:{self.port}", "NEEDTOKNOW_CA": str(self.ca),
                "NEEDTOKNOW_CERT": str(self.pair[0]), "NEEDTOKNOW_KEY": str(self.pair[1])}

    def _answer(self, request, context, make):
        with self._lock:
            self.asked.append(request)
            try:
                self.judge(request)
            except Refusal as refusal:
                info = protos.error_details.ErrorInfo(reason=refusal.reason, domain="needtoknow")
                status = protos.status.Status(code=refusal.code.value[0], message=f"no: {refusal.reason}")
                status.details.add().Pack(info)
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                context.abort(refusal.code, f"no: {refusal.reason}")
            first = self.done.setdefault(request.request_id, (len(self.done) + 1, request))
            assert first[1] == request, "a repeat must be the same"
        return make(protos.common.Receipt(ledger_index=first[0], leaf_hash=bytes(32), recorded_at=protos.timestamp(1_795_000_000)))

    def Object(self, request, context):  # noqa: N802
        return self._answer(request, context, lambda receipt: rights.ObjectResponse(receipts=[receipt]))

    def Restrict(self, request, context):  # noqa: N802
        return self._answer(request, context, lambda receipt: rights.RestrictResponse(receipts=[receipt]))

    def Erase(self, request, context):  # noqa: N802
        return self._answer(request, context, lambda receipt: rights.EraseResponse(receipt=receipt))

    def Rectify(self, request, context):  # noqa: N802
        return self._answer(request, context, lambda receipt: rights.RectifyResponse(receipt=receipt, told=1))
