"""The deploy files name settings that exist, and folders that fit each other."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from pathlib import Path

import yaml

from rag_rationale.config import Settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "scripts" / "deploy"


def test_every_setting_that_a_deploy_file_names_is_one() -> None:
    named = {
        (path.name, name.lower())
        for path in DEPLOY.iterdir()
        for name in re.findall(r"RAG_RATIONALE_([A-Z_]+[A-Z])", path.read_text("utf-8"))
    }
    assert {file for file, _ in named} >= {"Containerfile", "compose.yaml", "rag-rationale.service", "settings.md"}
    assert {name for _, name in named} <= set(Settings.model_fields)


def test_the_unit_runs_the_command_in_folders_that_systemd_makes_for_it() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    text = re.sub(r"^Environment=", "Environment_=", (DEPLOY / "rag-rationale.service").read_text("utf-8"), flags=re.M)
    unit.read_string(text)
    service = unit["Service"]
    command = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert Path(service["ExecStart"].split()[0]).name in command
    settings = dict(re.findall(r"(RAG_RATIONALE_\w+)=(\S+)", (DEPLOY / "rag-rationale.service").read_text("utf-8")))
    state, cache = f"/var/lib/{service['StateDirectory']}", f"/var/cache/{service['CacheDirectory']}"
    assert settings["RAG_RATIONALE_STATE"] == state
    assert settings["RAG_RATIONALE_INDEXES"].startswith(state)
    assert settings["RAG_RATIONALE_MODELS"].startswith(cache)


def test_the_compose_file_keeps_state_and_indexes_where_the_image_looks_for_them() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["rationales"]
    image = (DEPLOY / "Containerfile").read_text("utf-8")
    for mounted in (volume.rpartition(":")[2] for volume in service["volumes"]):
        assert f'"{mounted}"' in image
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    (checked,) = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", image)
    assert service["healthcheck"]["test"] == ["CMD", *json.loads(checked)]
    assert "--format docker" in image  # else podman and buildah leave the check out
