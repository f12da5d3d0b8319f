#!/usr/bin/python3
"""The same as peer.cpp in Python: grpcio, a pool of threads, psycopg2, a transaction a request.

    peer.py ADDRESS CERTIFICATES-DIR CA-FILE DSN CONNECTIONS STUBS-DIR        (prints `ready` when it serves; ends on SIGTERM)
"""

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import psycopg2

address, certificates, ca, dsn, threads, stubs = sys.argv[1:]
sys.path.insert(0, stubs)

import peer_pb2  # noqa: E402
import peer_pb2_grpc  # noqa: E402

STATEMENT = """PREPARE get (text, text, text, text, text[]) AS
    WITH l AS (INSERT INTO bench.log (actor, subject_id, recipient_id, service, fields) VALUES ($1, $2, $3, $4, $5) RETURNING id)
    SELECT l.id, c.given_name, c.home_address, c.phone FROM l, share.client AS c WHERE c.subject_id = $2"""
FIELDS = ["client.given_name", "client.home_address", "client.phone"]
own = threading.local()


def cursor():
    if not hasattr(own, "cursor"):
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        own.cursor = connection.cursor()
        own.cursor.execute(STATEMENT)
    return own.cursor


class Clients(peer_pb2_grpc.ClientsServicer):
    def Get(self, request, context):
        names = context.peer_identities() or [b""]
        answer = cursor()
        answer.execute("EXECUTE get (%s, %s, %s, %s, %s)",
                       (names[0].decode(), request.subject_id, request.recipient_id, request.service, FIELDS))
        row = answer.fetchone()
        if row is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such client")
        return peer_pb2.GetResponse(log_id=row[0], given_name=row[1], home_address=row[2], phone=row[3])


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = grpc.server(ThreadPoolExecutor(int(threads)))
    peer_pb2_grpc.add_ClientsServicer_to_server(Clients(), server)
    pair = ((Path(certificates) / "server.key").read_bytes(), (Path(certificates) / "server.crt").read_bytes())
    server.add_secure_port(address, grpc.ssl_server_credentials([pair], Path(ca).read_bytes(), require_client_auth=True))
    server.start()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(1).wait()


main()
