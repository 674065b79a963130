"""The Containerfile, replayed without a container: its lines as they stand, in empty folders instead of a root.

What is not replayed is what comes from elsewhere: Debian's packages, and what scripts/setup downloads and compiles.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import bounded
import pytest

from rag_rationale.config import Settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "scripts" / "deploy"
FILE = (DEPLOY / "Containerfile").read_text("utf-8")
OF_DEBIAN = {"apt-get", "rm", "useradd"}
IGNORED = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").split()


def _lines(name: str, stage: int) -> list[str]:
    """What follows an instruction in a stage, each as one line."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", FILE, flags=re.M))
    found = [
        [line.partition(" ")[::2] for line in part.splitlines()]
        for part in re.split(r"^(?=FROM )", joined, flags=re.M)[1:]
    ]
    return [rest for word, rest in found[stage] if word == name]


def _context(folder: Path) -> Path:
    """A copy of what `COPY . .` takes of this checkout."""
    patterns = [pattern.removeprefix("**/") for pattern in IGNORED]
    return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*patterns), symlinks=True))


def test_what_must_not_be_in_an_image_does_not_reach_its_build(tmp_path: Path) -> None:
    for name in (
        ".env",
        ".git/config",
        ".venv/bin/x",
        "indexes/shop/CURRENT",
        "rag_rationale/__pycache__/a.pyc",
        "README.md",
    ):
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    patterns = [pattern.removeprefix("**/") for pattern in IGNORED]
    made = shutil.copytree(tmp_path / "checkout", tmp_path / "made", ignore=shutil.ignore_patterns(*patterns))
    assert {str(p.relative_to(made)) for p in Path(made).rglob("*") if p.is_file()} == {"README.md"}


def test_every_command_is_debian_s_or_in_the_checkout_or_made_before() -> None:
    made = {".venv/bin/pip", "rag-rationale", "python"}  # by scripts/setup, whose last lines need them themselves
    for stage in (0, 1):
        for line in _lines("RUN", stage):
            commands = [shlex.split(part)[0] for part in line.split("&&")]
            for command in commands:
                assert command in OF_DEBIAN | made or os.access(ROOT / command, os.X_OK), command
    assert re.search(r"^ *pip\(\) \{ \.venv/bin/python -m pip", (ROOT / "scripts" / "setup").read_text("utf-8"), re.M)


def test_the_port_and_the_folders_are_told_alike_everywhere() -> None:
    (port,), (volumes,), (settings,) = (_lines(name, 1) for name in ("EXPOSE", "VOLUME", "ENV"))
    assert int(port) == Settings.model_fields["port"].default
    assert f":{port}/readyz" in FILE
    told = dict(pair.split("=", 1) for pair in shlex.split(settings))
    assert {told["RAG_RATIONALE_INDEXES"], told["RAG_RATIONALE_STATE"]} == set(json.loads(volumes))
    copied = [line.split()[1:] for line in _lines("COPY", 1)]
    assert all(source == target for source, target in copied)  # an environment does not move
    assert _lines("ENV", 0) == ["XDG_CACHE_HOME=" + told["XDG_CACHE_HOME"]]
    assert [told["XDG_CACHE_HOME"]] * 2 in copied


class Image:
    """A folder that stands for the image's root, and whoever runs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (environment,) = _lines("ENV", 1)
        told = dict(pair.split("=", 1) for pair in shlex.split(environment))
        self.environment = {name: self.at(value).replace("$PATH", os.environ["PATH"]) for name, value in told.items()}
        home = re.search(r"--home-dir (\S+)", _lines("RUN", 1)[0])
        assert home is not None
        self.environment |= {"HOME": self.at(home[1])}
        (self.user,) = map(int, _lines("USER", 1))

    def at(self, text: str) -> str:
        """The text with the image's folders in their places."""
        return re.sub(r"(?<![\w.])/(?=src|srv|var/lib)", f"{self.root}/", text)

    def started(self, *command: str, **more: str) -> AbstractContextManager[bounded.Process]:
        options: dict[str, Any] = (
            {"user": self.user, "group": self.user, "extra_groups": []} if _may_be_another() else {}
        )
        return bounded.started(command, env=self.environment | more, cwd="/", **options)

    def done(self, *command: str, **more: str) -> tuple[int, str]:
        with self.started(*command, **more) as process:
            return process.ended(seconds=120), process.stderr


def _may_be_another() -> bool:
    """Whether this is root, and the interpreter and packages it has are everybody's to read."""
    places = [Path(place).resolve() for place in (sysconfig.get_paths()["purelib"], sys.base_prefix)]
    folders = {folder for place in places for folder in (place, *place.parents)}
    return os.geteuid() == 0 and all(folder.stat().st_mode & 0o005 == 0o005 for folder in folders)


@contextmanager
def _replayed() -> Iterator[Image]:
    """The image after its RUN and COPY lines; the packages of this environment stand for what setup installs."""
    syntax = load_settings().models / "en-core-web-sm"
    if not syntax.is_dir():
        pytest.skip("needs the English syntax model")
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        image = Image(Path(scratch))
        source, python = _context(Path(image.at("/src"))), ".venv/bin/python"
        assert bounded.ran([sys.executable, "-m", "venv", ".venv"], seconds=300, cwd=source).returncode == 0
        (lib,) = (source / ".venv" / "lib").glob("python*")
        packages = "\n".join({sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]})
        (lib / "site-packages" / "packages.pth").write_text(packages + "\n", "utf-8")
        models = Path(image.environment["XDG_CACHE_HOME"]) / "rag_rationale" / "models"
        shutil.copytree(syntax, models / "en-core-web-sm")
        setup, *rest = (part.strip() for part in _lines("RUN", 0)[1].split("&&"))
        assert setup == "scripts/setup"
        empty = {"HOME": f"{scratch}/root", "PATH": os.environ["PATH"], "XDG_CACHE_HOME": image.at("/srv/cache")}
        for line in (line for line in rest if "uninstall" not in line):  # those packages are not this environment's
            made = bounded.ran(["bash", "-euc", image.at(line)], seconds=300, cwd=source, env=empty)
            assert made.returncode == 0, made.stdout + made.stderr
        for path in source.iterdir():  # what no COPY takes along is gone
            if path.name != ".venv":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert (source / python).exists()
        for folder in json.loads(_lines("VOLUME", 1)[0]):
            Path(image.at(folder)).mkdir(parents=True)
            os.chown(image.at(folder), *((image.user, image.user) if _may_be_another() else (-1, -1)))
        yield image


@pytest.mark.slow
def test_the_image_serves_with_only_what_was_copied_and_ends_when_told_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (command,) = (json.loads(line) for line in _lines("CMD", 1) if line.startswith('["rag-rationale"'))
    health = re.search(r"CMD (\[.*\])", _lines("HEALTHCHECK", 1)[0])
    assert health is not None
    checked = [word.replace(":8017", f":{port}") for word in json.loads(health[1])]
    weightless = {"RAG_RATIONALE_LLM": "scripted", "RAG_RATIONALE_EMBEDDER": "hashed", "RAG_RATIONALE_PORT": str(port)}
    with _replayed() as image:
        (sample,) = Path(image.at("/src/.venv")).glob("lib/python*/site-packages/rag_rationale/sample")
        files = [f"--{name}={sample}/{name}.jsonl" for name in ("items", "reviews", "events", "users")]
        assert image.done("rag-rationale", "index", "build", "shop", *files, "--quiet", **weightless) == (0, "")
        code, told = image.done(*command, **weightless)
        assert (code, "there is no key" in told) == (2, True)  # it listens on every address
        token = {"RAG_RATIONALE_ADMIN_TOKEN": "a-secret-of-the-operator"}
        with image.started(*command, **weightless, **token) as served:
            bounded.until(lambda: image.done(*checked)[0] == 0, seconds=120, of=served)
            body = {"index": "shop", "user": {"id": "zh-u-hiker"}, "item": {"id": "zh-shop-trailpack"}}
            headers = {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {token['RAG_RATIONALE_ADMIN_TOKEN']}",
            }
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/rationales", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(asked, timeout=30) as reply:
                assert json.load(reply)["status"] == "grounded"
            assert (Path(image.at("/var/lib/rag-rationale")) / "rationales.sqlite").is_file()
            (ends,) = _lines("STOPSIGNAL", 1)
            served.tell(getattr(signal, ends))
            assert served.ended(seconds=60) == 0
