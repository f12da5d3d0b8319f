"""P8 Fail closed, and say so: no database, no ledger, no room: no data, and a status that tells these apart."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import psycopg2
import pytest

from needtoknow_testing import ledger, protos, rights
from needtoknow_testing.refusal import refusal, refusal_of, refused
from needtoknow_testing.waiting import until

SERVING = protos.health.HealthCheckResponse.SERVING


def nothing_leaves(world, recipient, reason="DATABASE_UNAVAILABLE"):
    """Each role's methods are refused with this reason, no delivery comes, and health says so."""
    person = world.bystander
    calls = {
        "Share": lambda: world.booking.sharing.Share(world.share_request(person, recipient), timeout=10),
        "PutRecipient": lambda: world.put_recipient(recipient.recipient_id),
    }
    for name, call in calls.items():
        found = refusal(call)
        assert (found.code.name, found.reason) == ("UNAVAILABLE", reason), f"{name}: {found}"
    with recipient.receive() as stream:
        until(lambda: world.sandbox.health() != SERVING, 10, "NOT_SERVING")
        world.sandbox.wait_not_serving()
        assert not stream.deliveries()


def comes_back(world, recipient, *disclosures):
    """By itself, and what waited is delivered."""
    world.sandbox.wait_serving()
    with recipient.receive() as stream:
        for disclosure in disclosures:
            stream.acknowledge(stream.delivery(disclosure.disclosure_id, timeout=20))
    shared = world.wait_sharing(world.bystander, recipient)
    (got,) = recipient.drain()
    assert got.disclosure_id == shared.disclosure_id
    recipient.acknowledge(got)


def an_erasure(world):
    """Asked for until the company's database has answered, which a test before may have taken away."""
    request = rights.asked(rights.rights.EraseRequest, world.person().subject_id)

    def answered():
        try:
            return world.rights.rights.Erase(request, timeout=60)
        except grpc.RpcError as error:
            assert error.code().name == "UNAVAILABLE", error
            return None

    until(answered, 30, "the erasure's answer")


@pytest.fixture
def waiting(world):
    """A recipient, and a delivery that waits for it; where somebody was erased, so that a database is asked for that before it serves."""
    an_erasure(world)
    world.bystander = world.person()
    recipient = world.recipient()
    processes = world.sandbox.processes()
    yield recipient, world.share(world.person(), recipient)
    assert world.sandbox.processes() == processes, "the daemon lives through it"


def test_p8_without_a_database_nothing_is_shared(world, waiting):
    recipient, disclosure = waiting
    world.sandbox.stop_postgres("immediate")
    try:
        nothing_leaves(world, recipient)
        for call in (
            lambda: world.booking.sharing.GetDisclosure(
                protos.sharing.GetDisclosureRequest(disclosure_id=disclosure.disclosure_id), timeout=10),
            lambda: recipient.fetch(disclosure.disclosure_id),
            lambda: world.auditor.audit.ListEntries(protos.audit.ListEntriesRequest(), timeout=10),
            lambda: world.admin.registry.ListRecipients(protos.registry.ListRecipientsRequest(), timeout=10),
        ):
            with refused("UNAVAILABLE", "DATABASE_UNAVAILABLE"):
                call()
        # What is wrong in itself needs no database to be told so.
        with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
            world.booking.sharing.Share(protos.sharing.ShareRequest(), timeout=10)
        with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
            recipient.client.sharing.Share(protos.sharing.ShareRequest(), timeout=10)
    finally:
        world.sandbox.start_postgres()
    comes_back(world, recipient, disclosure)


def test_p8_a_stream_that_was_open_goes_on_or_says_unavailable(world, waiting):
    recipient, disclosure = waiting
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(disclosure.disclosure_id))
        world.sandbox.stop_postgres("immediate")
        world.sandbox.wait_not_serving()
        world.sandbox.start_postgres()
        world.sandbox.wait_serving()
        after = world.wait_sharing(world.bystander, recipient)
        if stream.ended:
            assert stream.error.code().name == "UNAVAILABLE", stream.error
            recipient.acknowledge(*recipient.drain())
        else:
            stream.acknowledge(stream.delivery(after.disclosure_id))


def test_p8_the_company_and_our_own_database_are_told_apart(world, waiting):
    recipient, disclosure = waiting
    world.sandbox.query("ALTER ROLE needtoknow_source NOLOGIN")
    world.sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'needtoknow_source'")
    try:
        until(lambda: refusal_or_none(world, recipient) == "SOURCE_UNAVAILABLE", 10, "SOURCE_UNAVAILABLE")
        with recipient.receive() as stream:
            # Our own tables are there: what needs no source goes on.
            world.put_recipient(recipient.recipient_id)
            world.booking.sharing.GetDisclosure(
                protos.sharing.GetDisclosureRequest(disclosure_id=disclosure.disclosure_id), timeout=10)
            world.auditor.audit.ListEntries(protos.audit.ListEntriesRequest(page_size=1), timeout=10)
            assert not stream.deliveries()
    finally:
        world.sandbox.query("ALTER ROLE needtoknow_source LOGIN")
    until(lambda: refusal_or_none(world, recipient) is None, 20, "the source's return")
    got = recipient.drain()
    assert disclosure.disclosure_id in [delivery.disclosure_id for delivery in got]
    recipient.acknowledge(*got)


def refusal_or_none(world, recipient):
    try:
        world.share(world.bystander, recipient)
        return None
    except grpc.RpcError as error:
        return refusal_of(error).reason


def put_is_accepted(world, recipient):
    try:
        return world.put_recipient(recipient.recipient_id)
    except grpc.RpcError:
        return None


@pytest.mark.parametrize("table,right", [
    ("ledger", "INSERT"), ("head", "UPDATE"), ("sent", "INSERT"), ("head", "SELECT"),
])
def test_p8_a_ledger_that_cannot_be_written_lets_nothing_out(world, waiting, table, right):
    """What the nearest rival does then: 1,591 of 1,591 reads went out unlogged."""
    recipient, disclosure = waiting
    size = ledger.size(world.sandbox)
    world.sandbox.query(f"REVOKE {right} ON needtoknow.{table} FROM needtoknow_state")
    try:
        with recipient.receive() as stream:
            if table != "sent":  # a Share does not write there; the delivery does
                found = refusal(world.booking.sharing.Share, world.share_request(world.bystander, recipient), timeout=10)
                assert (found.code.name, found.reason) == ("UNAVAILABLE", "DATABASE_UNAVAILABLE"), str(found)
            world.sandbox.wait_not_serving()
            assert not stream.deliveries()
        assert ledger.size(world.sandbox) == size
    finally:
        world.sandbox.query(f"GRANT {right} ON needtoknow.{table} TO needtoknow_state")
    comes_back(world, recipient, disclosure)


@contextmanager
def small_disk(world, megabytes):
    """A file system that PostgreSQL can write to and that is soon full. Yields its path."""
    path = world.sandbox.directory / "small"
    path.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(path)],
                       check=True, capture_output=True)
    except (subprocess.CalledProcessError, PermissionError):
        path.rmdir()
        pytest.skip("no right to mount a file system here")
    owner = world.sandbox.pgdata.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
        path.rmdir()


def fill(path):
    """Every byte of it."""
    with open(path / "full", "wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def test_p8_a_full_disk_under_the_ledger_lets_nothing_out(world):
    sandbox, recipient = world.sandbox, world.recipient()
    world.bystander = world.person()
    disclosure = world.share(world.person(), recipient)
    sandbox.kill()
    with small_disk(world, 64) as path:
        sandbox.query(f"CREATE TABLESPACE small LOCATION '{path}'")
        sandbox.query("ALTER TABLE needtoknow.ledger_0 SET TABLESPACE small")
        sandbox.query("ALTER INDEX needtoknow.ledger_0_pkey SET TABLESPACE small")
        sandbox.start()
        processes = sandbox.processes()
        fill(path)
        try:
            # What is left of the last page takes a few more, the smaller ones last; then there is no room.
            accepted = 0
            while refusal_or_none(world, recipient) is None or put_is_accepted(world, recipient):
                accepted += 1
                assert accepted < 2000
            # A page that PostgreSQL tidies up meanwhile has room for one more: whatever comes must have its entry.
            with recipient.receive() as stream:
                until(lambda: sandbox.health() != SERVING, 10, "NOT_SERVING")
                came = stream.deliveries()
            recorded = {index: entry.disclosure_id for index, entry in ledger.of_kind(ledger.entries(sandbox), "DELIVERED")}
            assert [recorded.get(each.receipt.ledger_index) for each in came] == [each.disclosure_id for each in came]
            (path / "full").unlink()
            sandbox.wait_serving()
            assert sandbox.processes() == processes
            got = recipient.drain()
            while got:
                recipient.acknowledge(*got)
                got = recipient.drain()
            delivered = {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(sandbox), "DELIVERED")}
            assert disclosure.disclosure_id in delivered
        finally:
            (path / "full").unlink(missing_ok=True)
            sandbox.kill()
            sandbox.query("ALTER TABLE needtoknow.ledger_0 SET TABLESPACE pg_default")
            sandbox.query("ALTER INDEX needtoknow.ledger_0_pkey SET TABLESPACE pg_default")
            sandbox.query("DROP TABLESPACE small")
    sandbox.start()


def test_p8_a_full_disk_under_the_write_ahead_log_lets_nothing_out(world, waiting):
    """PostgreSQL stops itself then. Nothing goes out until it is back, and what was OK is there."""
    recipient, disclosure = waiting
    sandbox = world.sandbox
    log = sandbox.pgdata / "pg_wal"
    with small_disk(world, 96) as path:
        sandbox.stop_postgres("fast")
        subprocess.run(["cp", "-a", f"{log}", f"{path}/wal"], check=True)
        log.rename(sandbox.pgdata / "wal.kept")
        log.symlink_to(path / "wal")
        sandbox.start_postgres()
        try:
            sandbox.wait_serving()
            accepted = world.wait_sharing(world.bystander, recipient)
            fill(path)
            with pytest.raises(psycopg2.Error):
                for _ in range(10):
                    sandbox.query("CREATE TABLE company.filler AS SELECT 1 AS one; DROP TABLE company.filler")
                    sandbox.query("SELECT pg_switch_wal()")
            sandbox.wait_not_serving()
            nothing_leaves(world, recipient)
            (path / "full").unlink()
            sandbox.revive_postgres()
            comes_back(world, recipient, disclosure, accepted)
        finally:
            (path / "full").unlink(missing_ok=True)
            sandbox.revive_postgres()
            sandbox.stop_postgres("fast")
            log.unlink()
            subprocess.run(["cp", "-a", f"{path}/wal", f"{log}"], check=True)
            subprocess.run(["rm", "-rf", str(sandbox.pgdata / "wal.kept")], check=True)
            sandbox.start_postgres()
            sandbox.wait_serving()


def test_p8_more_callers_than_database_connections_lose_nothing(world):
    """What the nearest rival does then: 35 of 1,136 reads under 160 callers went out unlogged."""
    sandbox = world.sandbox
    recipient = world.recipient()
    people = [world.person() for _ in range(30)]
    sandbox.kill()
    sandbox.query("ALTER SYSTEM SET max_connections = 13")
    sandbox.query("ALTER SYSTEM SET superuser_reserved_connections = 3")
    sandbox.stop_postgres("fast")
    sandbox.start_postgres()
    sandbox.start()
    clients = [sandbox.new_client("booking") for _ in range(6)]
    idle = []
    try:
        # The rest of the connections is taken by others.
        while True:
            try:
                idle.append(sandbox.connect(user="needtoknow_audit"))
            except psycopg2.Error:
                break
        requests = [world.share_request(people[number % 30], recipient) for number in range(300)]

        def share(number):
            try:
                return clients[number % 6].sharing.Share(requests[number], timeout=30)
            except grpc.RpcError as error:
                return refusal_of(error)
        with recipient.receive(max_unacknowledged=1024) as stream, ThreadPoolExecutor(300) as pool:
            answers = list(pool.map(share, range(300)))
            refusals = {str(answer) for answer in answers if not hasattr(answer, "disclosure")}
            assert not refusals, f"needtoknow has its connections, none of these callers needs one: {refusals}"
            shared = {answer.disclosure.disclosure_id for answer in answers}
            until(lambda: {delivery.disclosure_id for delivery in stream.deliveries()} >= shared, 30, "300 deliveries")
            stream.acknowledge(*stream.deliveries())
        by_index = dict(ledger.entries(sandbox))
        for answer in answers:
            assert by_index[answer.receipt.ledger_index].disclosure_id == answer.disclosure.disclosure_id
    finally:
        for connection in idle:
            connection.close()
        for client in clients:
            client.close()
        sandbox.kill()
        sandbox.query("ALTER SYSTEM RESET ALL")
        sandbox.stop_postgres("fast")
        sandbox.start_postgres()
        sandbox.start()


def test_p8_no_connection_left_for_us_is_no_database(world, waiting):
    """All connections are taken by others while the daemon's are cut: it says so, and comes back when there is room."""
    recipient, disclosure = waiting
    sandbox = world.sandbox
    sandbox.query("ALTER ROLE needtoknow_state CONNECTION LIMIT 0")
    sandbox.query("ALTER ROLE needtoknow_source CONNECTION LIMIT 0")
    sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('needtoknow_state', 'needtoknow_source')")
    try:
        sandbox.wait_not_serving()
        nothing_leaves(world, recipient)
    finally:
        sandbox.query("ALTER ROLE needtoknow_state CONNECTION LIMIT -1")
        sandbox.query("ALTER ROLE needtoknow_source CONNECTION LIMIT -1")
    comes_back(world, recipient, disclosure)


def test_p8_a_held_head_delays_and_does_not_lie(world, waiting):
    """Somebody holds the ledger's head: calls wait or are UNAVAILABLE, nothing goes out, and all is well when it is let go."""
    recipient, disclosure = waiting
    holder = world.sandbox.connect(autocommit=False)
    with holder.cursor() as cursor:
        cursor.execute("SELECT 1 FROM needtoknow.head FOR UPDATE")
    try:
        with recipient.receive() as stream:
            call = world.booking.sharing.Share.future(world.share_request(world.bystander, recipient), timeout=10)
            time.sleep(1)
            assert not stream.deliveries(), "no delivery without the head"
            answered_early = call.done() and call.exception() is None
            assert not answered_early, "no OK without the head"
            holder.rollback()
            try:
                call.result(10)
            except grpc.RpcError as error:
                assert error.code().name == "UNAVAILABLE", error
            if not stream.ended:
                stream.acknowledge(stream.delivery(disclosure.disclosure_id, timeout=20))
    finally:
        holder.close()
    world.sandbox.wait_serving()
    recipient.acknowledge(*recipient.drain())


def test_p8_health_watch_tells_the_change(world, waiting):
    statuses = []
    watch = world.admin.health.Watch(protos.health.HealthCheckRequest(), timeout=60)
    statuses.append(next(watch).status)
    world.sandbox.stop_postgres("immediate")
    statuses.append(next(watch).status)
    world.sandbox.start_postgres()
    statuses.append(next(watch).status)
    watch.cancel()
    not_serving = protos.health.HealthCheckResponse.NOT_SERVING
    assert statuses == [SERVING, not_serving, SERVING]
    world.sandbox.wait_serving()
