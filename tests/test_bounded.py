"""What waits in tests comes to an end, with what was said until then."""

from __future__ import annotations

import ast
import sys
import threading
import time
from pathlib import Path

import bounded
import pytest

Failed = pytest.fail.Exception
_HOLDS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""


def test_a_command_that_does_not_end_is_killed_with_its_children_and_quoted() -> None:
    began = time.monotonic()
    with pytest.raises(Failed, match=r"did not end within 1 s; it had said:\s+child \d+") as failed:
        bounded.ran([sys.executable, "-c", _HOLDS], seconds=1)
    assert time.monotonic() - began < 20
    child = int(str(failed.value).rpartition("child ")[2].split()[0])
    bounded.until(lambda: not bounded.lives(child), seconds=10)


def test_a_command_that_ends_tells_its_code_and_what_it_said_however_much() -> None:
    code = "import sys; print('x' * 1_000_000); print('no', file=sys.stderr); sys.exit(3)"
    done = bounded.ran([sys.executable, "-c", code], seconds=60)
    assert (done.returncode, len(done.stdout.strip()), done.stderr) == (3, 1_000_000, "no\n")


def test_a_failing_block_leaves_no_process_behind() -> None:
    children = []

    def fail() -> None:
        with bounded.started([sys.executable, "-c", _HOLDS]) as process:
            children.append(int(process.match(r"child (\d+)", seconds=30)[1]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    bounded.until(lambda: not bounded.lives(children[0]), seconds=10)


def test_a_process_that_ends_before_it_said_the_word_fails_at_once() -> None:
    with (
        bounded.started([sys.executable, "-c", "raise SystemExit('no such thing')"]) as process,
        pytest.raises(Failed, match=r"ended without saying 'ready'; it had said:\s+no such thing"),
    ):
        process.match("ready", seconds=600)


def test_what_never_holds_fails() -> None:
    with pytest.raises(Failed, match=r"within 0\.05 s"):
        bounded.until(lambda: False, seconds=0.05)


def test_threads_do_what_they_are_given_and_one_that_does_not_come_back_fails() -> None:
    with bounded.Threads(3) as threads:
        assert list(threads.map(lambda n: n * n, range(20))) == [n * n for n in range(20)]
        assert isinstance(threads.submit(lambda: 1 // 0).exception(), ZeroDivisionError)
    never, began = threading.Event(), time.monotonic()

    def wait_for_ever() -> None:
        with bounded.Threads(2, seconds=0.2) as threads:
            stuck = threads.submit(never.wait, 100)
            with pytest.raises(TimeoutError):
                stuck.result()

    with pytest.raises(Failed, match=r"1 threads did not come back within 0\.2 s(.|\n)*in _serve"):
        wait_for_ever()
    assert time.monotonic() - began < 20
    never.set()


_ENDLESS = {"ThreadPoolExecutor", "ProcessPoolExecutor", "Popen"}
_TIMED = {"run", "check_output", "communicate", "urlopen", "create_connection", "Barrier"}


def _unbounded(path: Path) -> list[str]:
    """Calls that may wait for ever: pools and processes at all, others without a time to wait."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        owner, name = ast.unparse(node.func).rpartition(".")[::2]
        timed = any(keyword.arg == "timeout" for keyword in node.keywords)
        bare = name == "join" and not node.args and not node.keywords
        waits = name in _TIMED and not timed and (name != "run" or owner == "subprocess")
        if name in _ENDLESS or waits or bare:
            found.append(f"{path.name}:{node.lineno}: {name}")
    return found


def test_no_test_waits_without_an_end(tmp_path: Path) -> None:
    """`bounded` has what to use instead."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("subprocess.run([])\nthread.join()\nThreadPoolExecutor(2)\n', '.join(x)\nbuild.run()\n", "utf-8")
    assert [each.split()[-1] for each in _unbounded(wrong)] == ["run", "join", "ThreadPoolExecutor"]
    tests = sorted(Path(__file__).parent.glob("*.py"))
    assert [each for path in tests if path.name != "bounded.py" for each in _unbounded(path)] == []
