"""Exporting a ledger as tiles, continuing that, and verifying what was exported, offline."""

import shutil


def rate(report, entries):
    return {"entries": entries, "seconds": report["seconds"], "cpu_seconds": report["cpu_seconds"], "per_second": entries / report["seconds"],
            "per_cpu_second": entries / report["cpu_seconds"]}


def tree_bytes(directory):
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def measure(setting, say):
    """Into an empty directory, then verified with the key alone, then proved to continue a checkpoint of before."""
    directory = setting.directory / "exported"
    earlier, key = setting.directory / "checkpoint", setting.verifier_key()
    size = setting.wait_published()
    setting.command("audit", "checkpoint", "--save", earlier)
    found = {"export": rate(setting.command("audit", "export-tiles", directory), size)}
    found["export"]["bytes"] = tree_bytes(directory)
    say(f"export-tiles: {found['export']['per_second']:,.0f} entries/s")
    found["verify"] = rate(setting.command("audit", "verify", "--tiles", directory, "--vkey", key, "--since", earlier), size)
    say(f"verify --tiles: {found['verify']['per_cpu_second']:,.0f} entries/s of one core")
    return found


def go_on(setting, say):
    """What has come since measure() is exported into the same directory; that is verified from the earlier checkpoint on."""
    directory, earlier, key = setting.directory / "exported", setting.directory / "checkpoint", setting.verifier_key()
    before = int(earlier.read_text().split("\n")[1])
    size = setting.wait_published()
    found = {"continued": rate(setting.command("audit", "export-tiles", directory), size - before)}
    say(f"export-tiles, continued: {size - before:,} entries in {found['continued']['seconds']:.1f} s")
    found["verify_continued"] = rate(setting.command("audit", "verify", "--tiles", directory, "--vkey", key, "--since", earlier), size)
    shutil.rmtree(directory)
    return found
