"""The record of tests/bench/ledger, and its table for people."""

SIZES = ("small", "large")
RATIO = 1.5  # to the smaller ledger's, at most
EXPORT, VERIFY, APPEND = 200_000, 1_000_000, 0.9


def size_of(setting):
    return {"entries": setting.entries, "filled_in_seconds": setting.filled_in, "signing": setting.signing,
            "database_bytes": setting.database_bytes()}


def verdict(held):
    return "held" if held else "MISSED"


def question_lines(record):
    lines = [f"{'':<40}{record['sizes']['small']['entries']:>26,}{record['sizes']['large']['entries']:>26,}{'ratio':>8}{'target':>10}",
             f"{'':<40}" + f"{'p50':>10}{'p99':>8}{'CPU':>8}" * 2]
    for name, row in record["questions"].items():
        if "refused" in row:
            lines.append(f"{name:<40} {row['refused'][:60]}")
            continue
        small, large = row["small"], row["large"]
        ratio = large["p50"] / small["p50"]
        line = f"{name:<40}" + "".join(f"{row[size]['p50']:>10.2f}{row[size]['p99']:>8.2f}{row[size]['cpu']:>8.2f}" for size in SIZES)
        line += f"{ratio:>8.2f}"
        if row["limit"]:
            line += f"{'< ' + str(row['limit']) + ' ms':>10}  {verdict(large['p50'] < row['limit'] and ratio <= RATIO)}"
        lines.append(line)
    return lines


def table(record):
    large, export, append, audited = (record[name] for name in ("sizes", "export", "appending", "auditors"))
    large = large["large"]
    lines = ["milliseconds of an answer, by a gRPC client in Python on the same machine; its own part is in `floor`; a listing and a report",
             "commit an entry first, which `nobody's` shows alone; CPU is the daemon's and PostgreSQL's, for an answer", ""]
    lines += question_lines(record) + [""]
    lines.append(f"the signer tiled and signed        {large['signing']['entries_per_second']:>12,.0f} entries/s")
    lines.append(f"export-tiles                       {export['export']['per_second']:>12,.0f} entries/s   target {EXPORT:,}  "
                 + verdict(export["export"]["per_second"] >= EXPORT))
    continued = export["continued"]
    lines.append(f"export-tiles, continued            {continued['seconds']:>12.1f} s for {continued['entries']:,} new entries")
    lines.append(f"verify --tiles                     {export['verify']['per_cpu_second']:>12,.0f} entries/s of one core   target {VERIFY:,}  "
                 + verdict(export["verify"]["per_cpu_second"] >= VERIFY))
    for name, words in (("small", "appending at 100,000"), ("large", f"appending at {large['entries']:,}")):
        rates = append[name]
        lines.append(f"{words:<35}{rates['median']:>12,.0f} entries/s   ({rates['min']:,.0f} to {rates['max']:,.0f}); "
                     f"bookings to pgbench CTE {append['bookings_to_pgbench_cte'][name]:.2f}")
    lines.append(f"  ratio, median of rounds          {append['ratio']['median']:>12.2f}   target at least {APPEND}  "
                 + verdict(append["ratio"]["median"] >= APPEND))
    after, cpu = append["after_checkpoint"], append["cpu_microseconds"]
    lines.append(f"  CPU of an entry                  {cpu['small']:>12.1f} and {cpu['large']:.1f} us, the daemon's and PostgreSQL's")
    lines.append(f"  right after a checkpoint         {after['small']['per_second']:>12,.0f} and {after['large']['per_second']:,.0f} entries/s, "
                 f"for {after['small']['bookings']:,} and {after['large']['bookings']:,} bookings")
    for name, words in (("quiet", "whole bookings, nobody audits"), ("audited", "whole bookings beside auditors")):
        row = audited[name]
        lines.append(f"{words:<35}{row['bookings_per_second']['median']:>12,.0f} /s; at {audited['rate']} a second, values received "
                     f"p50 {row['milliseconds']['p50']:.1f} p99 {row['milliseconds']['p99']:.1f} ms")
    lines.append(f"  meanwhile {audited['asked']:,} questions and {audited['read_bytes'] / 1e6:,.0f} MB of entries were answered")
    lines.append(f"memory of the worker               {record['resident_bytes']['large'] / 1e6:>12.0f} MB")
    lines.append(f"\nthe past was written by the benchmark's filler (rows as the service writes them, in {large['filled_in_seconds']:.0f} s), "
                 "the rest by the service; "
                 f"shared_buffers {record['shared_buffers']}; {record['cores']} cores, load average at the end {record['load_average'][0]:.1f}")
    return "\n".join(lines)
