"""The command line, as an auditor runs it."""

import csv
import io
import json
import os
import signal
import subprocess
import threading


class Cli:
    """needtoknow with the certificate of one caller of a sandbox."""

    def __init__(self, sandbox, name="auditor", **environment):
        certificate, key = sandbox.key_pair(name)
        self.binary = sandbox.directory / "bin" / "needtoknow"
        self.environment = {
            "PATH": os.environ["PATH"], "TERM": "xterm-256color", "NEEDTOKNOW_ADDRESS": sandbox.address,
            "NEEDTOKNOW_CA": str(sandbox.ca), "NEEDTOKNOW_CERT": str(certificate), "NEEDTOKNOW_KEY": str(key), **environment}

    def run(self, *arguments, code=0, **keywords):
        """What it did; bytes. It must end with this code, and say nothing on standard error when that is 0."""
        done = subprocess.run([self.binary, *arguments], env=self.environment, capture_output=True, timeout=60, **keywords)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stderr.decode()}"
        assert "Sanitizer" not in done.stderr.decode(), done.stderr.decode()
        return done

    def text(self, *arguments):
        return self.run(*arguments).stdout.decode()

    def lines(self, *arguments):
        """--format json, an object a line."""
        return [json.loads(line) for line in self.text(*arguments, "--format", "json").splitlines()]

    def table(self, *arguments):
        """--format csv, as Python's reader understands it, strictly."""
        written = self.text(*arguments, "--format", "csv")
        assert written.endswith("\r\n") and "\r" not in written.replace("\r\n", "")
        rows = list(csv.DictReader(io.StringIO(written, newline=""), strict=True))
        assert len(rows) == written.count("\r\n") - 1, "a line a row"
        assert all(None not in row and None not in row.values() for row in rows), "as many cells as headings"
        return rows

    def follow(self, *arguments):
        return Following(subprocess.Popen(
            [self.binary, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


class Following:
    """One that goes on; its lines are JSON objects."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def end(self, number=signal.SIGINT):
        """Exit code and standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self._thread.join(10)
        return code, self.process.stderr.read()


def as_json(message):
    """A message as --format json must write it."""
    return {field.name: _field(field, getattr(message, field.name), message) for field in message.DESCRIPTOR.fields}


def _field(field, value, message):
    if field.label == field.LABEL_REPEATED:
        return [_value(field, each) for each in value]
    if field.message_type is not None and not message.HasField(field.name):
        return None
    return _value(field, value)


def _value(field, value):
    if field.enum_type is not None:
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return field.enum_type.values_by_number[value].name.removeprefix(prefix)
    if field.type == field.TYPE_BYTES:
        return value.hex()
    if field.message_type is None:
        return value
    return value.ToJsonString() if field.message_type.full_name == "google.protobuf.Timestamp" else as_json(value)

