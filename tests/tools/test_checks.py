"""The checks of tools/ find what they are for: each is shown a tree with one fault, and the same tree without it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "src/base/list.h": "#ifndef NEEDTOKNOW_BASE_LIST_H\n#define NEEDTOKNOW_BASE_LIST_H\n\nint list_length(void);\n\n#endif\n",
    "src/base/list.c": '#include "base/list.h"\n\nint list_length(void)\n{\n\treturn 0;\n}\n',
    "src/pure/sum.c": '#include "base/list.h"\n\n/* sprintf(), and system() */\nconst char *sum = "strcpy(";\n',
    "src/io/wire.c": '#include "base/list.h"\n',
}


def tree(directory, files):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def run(tool, *arguments):
    return subprocess.run([ROOT / "tools" / tool, *arguments], capture_output=True, text=True)


def found(done, *words):
    assert done.returncode == 1, done
    for word in words:
        assert word in done.stdout, done.stdout


@pytest.mark.parametrize("tool", ["check_layers", "check_banned"])
def test_a_good_tree_passes(tool, tmp_path):
    done = run(tool, tree(tmp_path, GOOD))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name, line, fault", [
    ("src/base/list.c", '#include "pure/sum.h"', "base may include base"),
    ("src/pure/sum.c", '#include "io/wire.h"', "pure may include pure, base"),
    ("src/pure/sum.c", '# include "service/train.h"', "pure may include pure, base"),
    ("src/pure/sum.c", "#include <libpq-fe.h>", "pure may not use this library"),
    ("src/pure/sum.c", "#include <sys/socket.h>", "pure may not use this library"),
    ("src/pure/sum.c", '#include "sum.h"', "without its layer"),
    ("src/io/wire.c", '#include "../pure/sum.h"', ".. is no layer"),
    ("src/io/wire.c", "#include <needtoknow/client.h>", "libneedtoknow is not for io"),
    ("src/cli/main.c", '#include "rpc/health.h"', "cli may include cli, base, pure, io, catalogue, client"),
    ("src/client/call.c", '#include "service/train.h"', "client may include client, base, pure, io"),
    ("src/extra/thing.c", "int thing;", "extra is no layer"),
    ("src/base/all.h", '#include "base/list.h"\n#include "base/other.h"', "only gathers other headers"),
    ("include/needtoknow/client.h", '#include "io/wire.h"', "apps do not have this header"),
])
def test_layers(tmp_path, name, line, fault):
    found(run("check_layers", tree(tmp_path, {**GOOD, name: GOOD.get(name, "") + line + "\n"})), name, fault)


@pytest.mark.parametrize("name, line, fault", [
    ("src/base/list.c", "strcpy(to, from);", "strcpy(): overflows"),
    ("tests/unit/test_list.c", "strtok (text, 0);", "strtok(): overflows"),
    ("src/pure/sum.c", "t = time(NULL);", "time(): pure code"),
    ("src/io/wire.c", "usleep(1);", "usleep(): blocks"),
    ("src/service/train.c", "PQexec(c, q);", "PQexec(): blocks"),
    ("src/io/wire.c", "p = malloc(1);", "malloc(): use base/memory.h"),
])
def test_banned(tmp_path, name, line, fault):
    found(run("check_banned", tree(tmp_path, {**GOOD, name: GOOD.get(name, "") + line + "\n"})), name, fault)


@pytest.mark.parametrize("name, text, fault", [
    ("src/base/list.h", GOOD["src/base/list.h"].replace("int ", "size_t "), "does not compile alone"),
    ("src/base/list.h", GOOD["src/base/list.h"].replace("LIST_H", "LISTS_H"), "the guard is NEEDTOKNOW_BASE_LIST_H"),
    (None, None, None),
])
def test_headers(tmp_path, name, text, fault):
    tree(tmp_path, {**GOOD, **({name: text} if name else {})})
    (tmp_path / "build").mkdir()
    command = {"directory": str(tmp_path), "command": "cc -o list.o -c src/base/list.c", "file": str(tmp_path / "src/base/list.c")}
    (tmp_path / "build" / "compile_commands.json").write_text(json.dumps([command]))
    done = run("check_headers", tmp_path / "build", tmp_path)
    if fault:
        found(done, "src/base/list.h", fault)
    else:
        assert done.returncode == 0, done


@pytest.mark.parametrize("name, text, fault", [
    ("src/base/list.c", GOOD["src/base/list.c"].replace("\treturn", "    return"), "src/base/list.c"),
    ("src/base/list.c", "int a;\n" * 701, "two ideas"),
    ("tool.py", "a = 1 \n", "ends with a blank"),
    ("tool.py", "a = 1", "no newline"),
    (None, None, None),
])
def test_format(tmp_path, name, text, fault):
    tree(tmp_path, {**GOOD, **({name: text} if name else {})})
    shutil.copy(ROOT / ".clang-format", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    done = run("check_format", tmp_path)
    if fault:
        found(done, name, fault)
    else:
        assert (done.returncode, done.stdout) == (0, "")
