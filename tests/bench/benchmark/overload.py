"""Three times what is possible: what is answered, how soon, what is refused, and how soon it is over."""

from .load import Client

TIMES = 3
CONNECTIONS = 256  # so many that no connection's limit of streams holds anybody back
SECONDS = 4


def overload(setting, most):
    """{`capacity`: of whole bookings in a closed loop, `at_capacity`, `overloaded`, `after`: reports}; at most so many bookings a phase."""
    with Client(setting, "--connections", str(CONNECTIONS)) as client:
        reports = {"capacity": client.phase("booking", count=min(most, 20_000))}
        capacity = reports["capacity"]["per_second"]
        for name, times in (("at_capacity", 1), ("overloaded", TIMES)):
            rate = int(times * capacity)
            reports[name] = client.phase("overload", count=min(most, rate * SECONDS), rate=rate)
        reports["after"] = client.phase("booking", count=500, in_flight=1)
        return reports


def counts(reports):
    """What was shared, delivered and acknowledged in them, for the check at the end."""
    return {
        "shares": sum(report.get("accepted", report["count"]) for report in reports.values()),
        "deliveries": sum(report["received"] for report in reports.values()),
        "acknowledgements": sum(report["acknowledged"] for report in reports.values()),
    }


def summary(reports):
    capacity, full, over = reports["capacity"], reports["at_capacity"], reports["overloaded"]
    return {
        "capacity": capacity["per_second"],
        "offered": over["count"] / over["seconds"],
        "answered": over["accepted"] / over["seconds"],
        "shed": over["shed"],
        "share_p99_ms": over["milliseconds"]["share"]["p99"],
        "share_p99_ms_at_capacity": full["milliseconds"]["share"]["p99"],
        "received_p99_ms": over["milliseconds"]["received"]["p99"],
        "tail_ms": over["tail_milliseconds"],
        "share_p50_ms_after": reports["after"]["milliseconds"]["share"]["p50"],
    }
