"""HTTP/2 by hand (python3-h2 over python's ssl), for what no gRPC library would send, and for readers that stall."""

import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


def frame(message, flag=0, length=None):
    """gRPC's length-prefixed message, with whatever flag and length it is told."""
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


@dataclass
class Answer:
    """What has come on one stream."""
    headers: dict = field(default_factory=dict)
    trailers: dict = field(default_factory=dict)
    data: bytes = b""
    ended: bool = False
    reset: int = None

    @property
    def messages(self):
        found, at = [], 0
        while at + 5 <= len(self.data):
            (length,) = struct.unpack_from(">I", self.data, at + 1)
            if at + 5 + length > len(self.data):
                break
            found.append(self.data[at + 5:at + 5 + length])
            at += 5 + length
        return found

    @property
    def http_status(self):
        return self.headers.get(":status")

    @property
    def status(self):
        """grpc-status as a number, or None."""
        text = self.trailers.get("grpc-status", self.headers.get("grpc-status"))
        return None if text is None else int(text)

    def __str__(self):
        return f"headers {self.headers}, trailers {self.trailers}, {len(self.data)} bytes, ended {self.ended}, reset {self.reset}"


def connect_tls(sandbox, certificate=None, key=None, alpn=("h2",), receive_buffer=None, maximum=None):
    """A TLS connection to the daemon. Raises what ssl and socket raise."""
    context = ssl.create_default_context(cafile=str(sandbox.ca))
    if certificate:
        context.load_cert_chain(str(certificate), str(key))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if maximum:
        context.maximum_version = maximum
    host, port = sandbox.address.rsplit(":", 1)
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(10)
    raw.connect((host, int(port)))
    return context.wrap_socket(raw, server_hostname="localhost")


class WireClient:
    """Reads only while it is told to: between the calls the socket fills."""

    def __init__(self, sandbox, certificate, key, receive_buffer=None, window=None):
        self.address = sandbox.address
        self.socket = connect_tls(sandbox, certificate, key, receive_buffer=receive_buffer)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False,
            validate_inbound_headers=True))
        self.answers = {}
        self.closed = False
        if window is not None:
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window, h2.settings.SettingCodes.ENABLE_PUSH: 0})
        self.h2.initiate_connection()
        if window:
            self.h2.increment_flow_control_window(2**31 - 1 - 65535)
        self.flush()
        self._acknowledge = window is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        waiting = self.h2.data_to_send()
        if waiting:
            self.socket.sendall(waiting)

    def headers(self, path, **changes):
        """Those of a gRPC call. A change to None leaves one out; underscores are hyphens, a leading `p_` is a colon."""
        found = {":method": "POST", ":scheme": "https", ":path": path, ":authority": self.address,
                 "content-type": "application/grpc", "te": "trailers"}
        for name, value in changes.items():
            name = ":" + name[2:] if name.startswith("p_") else name.replace("_", "-")
            found[name] = value
        return [(name, value) for name, value in found.items() if value is not None]

    def request(self, path, message=None, data=None, end=True, **changes):
        """Sends a call; `data` instead of `message` is sent as it is. Returns the stream."""
        stream = self.h2.get_next_available_stream_id()
        body = data if data is not None else frame(message) if message is not None else b""
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, self.headers(path, **changes), end_stream=end and not body)
        self.flush()
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room == 0:
                self.read_until(stream, lambda answer: answer.ended or answer.reset is not None
                                or self.h2.local_flow_control_window(stream) > 0)
                if self.answers[stream].ended or self.answers[stream].reset is not None:
                    return stream
                continue
            piece, body = body[:room], body[room:]
            self.h2.send_data(stream, piece, end_stream=end and not body)
            self.flush()
        return stream

    def call(self, path, message=None, **changes):
        """Sends, and waits for the end of the answer."""
        return self.read_all(self.request(path, message, **changes))

    def open_window(self, stream, size):
        self.h2.increment_flow_control_window(size, stream)
        self.flush()

    def read_all(self, stream, timeout=10):
        """Until the stream has ended, or timeout has passed without."""
        return self.read_until(stream, lambda answer: answer.ended or answer.reset is not None, timeout)

    def read_until(self, stream, condition, timeout=10):
        deadline = time.monotonic() + timeout
        answer = self.answers[stream]
        while not condition(answer) and not self.closed:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self.read_once(left)
        return answer

    def read_once(self, timeout=1):
        """What is there, or comes in time."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            return
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            self.closed = True
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.closed = True
            return
        for event in events:
            self._event(event)
        try:
            self.flush()
        except (ConnectionError, ssl.SSLError):
            self.closed = True

    def _event(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.closed = self.closed or event.error_code != 0
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            answer.headers.update(dict(event.headers))
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers.update(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            answer.data += event.data
            if self._acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code
