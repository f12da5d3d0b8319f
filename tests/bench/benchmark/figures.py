"""Rounds become figures: min, median and max of a rate, ratios to the limit of the same round, CPU an item."""

from statistics import median

PEERS = ("cpp", "python")
CONNECTIONS = (1, 8, 32)  # of pgbench
# The record's key, the phase, what the table says.
OURS = (
    ("shares", "share", "Share"),
    ("deliveries", "deliver", "deliveries with values"),
    ("acknowledgements", "acknowledge", "acknowledgements"),
    ("bookings", "booking", "whole bookings"),
)


def spread(values):
    return {"min": min(values), "median": median(values), "max": max(values)}


def figure(reports):
    """Of one thing in all rounds."""
    found = {
        "per_second": spread([report["per_second"] for report in reports]),
        "count": sum(report["count"] for report in reports),
        "microseconds_of_cpu": {
            who: median(report["cpu"][who] * 1e6 / report["count"] for report in reports) for who in ("daemon", "postgresql", "client")},
    }
    for what, quantiles in reports[0]["milliseconds"].items():
        values = [report["milliseconds"][what] for report in reports]
        found.setdefault("milliseconds", {})[what] = \
            {name: median(value[name] for value in values) for name in quantiles} if isinstance(quantiles, dict) else median(values)
    return found


def ours(rounds, limits):
    """Of one number of workers; a round's limit is pgbench's best of it."""
    record = {}
    for key, phase, _ in OURS:
        record[key] = figure([one[phase] for one in rounds])
        ratios = [one[phase]["per_second"] / limit for one, limit in zip(rounds, limits)]
        record[key]["ratio_to_pgbench_cte"] = median(ratios)
        record[key]["ratio_to_pgbench_cte_spread"] = spread(ratios)
    return record


def summarise(rounds):
    """rounds: [{`c1`, `c8`, `c32`: report, `1`, `2`: {`share`, ...: report} with so many workers}]. One worker's figures stand by themselves."""
    limits = [max(one[f"c{number}"]["per_second"] for number in CONNECTIONS) for one in rounds]
    record = {"pgbench_cte": {f"c{number}": figure([one[f"c{number}"] for one in rounds]) for number in CONNECTIONS}}
    record["pgbench_cte"]["best"] = spread(limits)
    record |= ours([one[1] for one in rounds], limits)
    record["workers_2"] = ours([one[2] for one in rounds], limits)
    for key, phase, _ in OURS:
        record["workers_2"][key]["ratio_to_one_worker"] = median(
            one[2][phase]["per_second"] / one[1][phase]["per_second"] for one in rounds)
    record["peers"] = {language: figure([one[language] for one in rounds]) | {"deliveries_to_it": median(
        one[1]["deliver"]["per_second"] / one[language]["per_second"] for one in rounds)} for language in PEERS}
    record["waits"] = waits([one["waits"] for one in rounds])
    return record


def waits(rounds):
    """Medians of the rounds, and ratios within each."""
    room = [one["with_room"] for one in rounds]
    return {
        "pgbench_c1_p50": median(one["pgbench"]["p50"] for one in rounds),
        "share_p50": median(one["share"]["p50"] for one in rounds),
        "share_p50_to_pgbench": median(one["share"]["p50"] / one["pgbench"]["p50"] for one in rounds),
        "received_p50": median(one["received"]["p50"] for one in rounds),
        "received_p50_to_pgbench": median(one["received"]["p50"] / one["pgbench"]["p50"] for one in rounds),
        "with_room": {
            "rate": median(one["rate"] for one in room),
            "share_p99": median(one["share"]["p99"] for one in room),
            "pgbench_p99": median(one["pgbench"]["p99"] for one in room),
            "share_p99_to_pgbench": median(one["share"]["p99"] / one["pgbench"]["p99"] for one in room),
        },
    }


def table(record):
    """For people."""
    lines = [f"{'':<34}{'a second':>27}{'to pgbench CTE':>21}{'CPU us each':>28}",
             f"{'':<34}{'min':>9}{'median':>9}{'max':>9}{'min':>7}{'median':>7}{'max':>7}{'daemon':>9}{'postgres':>10}{'client':>9}"]
    rows = [(f"pgbench CTE, c={number}", record["pgbench_cte"][f"c{number}"]) for number in CONNECTIONS]
    rows += [(f"a plain service in {name}", record["peers"][language]) for language, name in (("cpp", "C++"), ("python", "Python"))]
    rows += [(words, record[key]) for key, _, words in OURS]
    rows += [(f"{words}, 2 workers", record["workers_2"][key]) for key, _, words in OURS]
    for words, row in rows:
        rate, ratio, cpu = row["per_second"], row.get("ratio_to_pgbench_cte_spread"), row["microseconds_of_cpu"]
        line = f"{words:<34}" + "".join(f"{rate[name]:>9,.0f}" for name in ("min", "median", "max"))
        line += "".join(f"{ratio[name]:>7.2f}" for name in ("min", "median", "max")) if ratio else " " * 21
        line += "".join(f"{cpu[name]:>{width}.1f}" for name, width in (("daemon", 9), ("postgresql", 10), ("client", 9)))
        lines.append(line)
    lines.append("")
    lines.append("2 workers to 1, median:  " + "   ".join(
        f"{words} {record['workers_2'][key]['ratio_to_one_worker']:.2f}" for key, _, words in OURS))
    for words, waits in (("1 worker", record["bookings"]["milliseconds"]), ("2 workers", record["workers_2"]["bookings"]["milliseconds"])):
        lines.append(f"a booking under full load, {words}, ms from Share:  " + "   ".join(
            f"{name} p50 {waits[name]['p50']:.1f} p99 {waits[name]['p99']:.1f}" for name in ("share", "received", "acknowledged")))
    waiting, room = record["waits"], record["waits"]["with_room"]
    lines += [
        "deliveries to what a company would write, median:  " + "   ".join(
            f"{language} {record['peers'][language]['deliveries_to_it']:.1f}" for language in PEERS),
        f"one caller, p50 ms:  pgbench {waiting['pgbench_c1_p50']:.2f}   Share {waiting['share_p50']:.2f} "
        f"({waiting['share_p50_to_pgbench']:.1f} times)   Share to values "
        f"received {waiting['received_p50']:.2f} ({waiting['received_p50_to_pgbench']:.1f} times)",
        f"open loop at {room['rate']:,.0f} a second, p99 ms:  pgbench {room['pgbench_p99']:.1f}   Share {room['share_p99']:.1f} "
        f"({room['share_p99_to_pgbench']:.2f} times)",
        "three times as many bookings as are possible ({capacity:,.0f} a second):  answered {answered:,.0f} a second, refused {shed:,}, "
        "Share p99 {share_p99_ms:.0f} ms (at capacity {share_p99_ms_at_capacity:.0f}), over {tail_ms:.0f} ms after the last came".format(
            **record["overload"]),
        "full handshakes with client certificates:  {per_second:,.0f} a second, {a_core:,.0f} a second of the daemon's CPU".format(
            **record["handshakes"]),
        f"PostgreSQL keeps {record['bytes_kept_of_a_booking']:,.0f} bytes of a whole booking, in all tables and indices",
    ]
    return "\n".join(lines)
