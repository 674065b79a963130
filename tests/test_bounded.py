"""What waits in tests comes to an end, with what was said until then."""

from __future__ import annotations

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


def test_no_test_waits_without_an_end() -> None:
    """Where these words stand, something may wait for ever; `bounded` has what to use instead."""
    banned = ("ThreadPoolExecutor(", "subprocess.run(", "subprocess.Popen(", "communicate(", "iter_lines(")
    here = Path(__file__).parent
    found = {
        (path.name, word)
        for path in here.glob("*.py")
        if path.name not in {"bounded.py", Path(__file__).name}
        for word in banned
        if word in path.read_text("utf-8")
    }
    assert found == set()
