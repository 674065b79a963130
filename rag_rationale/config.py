"""Settings, from `RAG_RATIONALE_*` in the environment or `.env`; arguments win over both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag_rationale.errors import SettingsError

_PACKAGE = Path(__file__).parent


def _prompts_folder() -> Path:
    """The templates inside the wheel, or those of the checkout the package is run from."""
    inside = _PACKAGE / "prompts"
    return inside if inside.is_dir() else _PACKAGE.parent / "prompts"


class Settings(BaseSettings):
    """Every setting, with its environment name in upper case behind `RAG_RATIONALE_`."""

    model_config = SettingsConfigDict(env_prefix="RAG_RATIONALE_", env_file=".env", extra="ignore", frozen=True)

    indexes: Path = Field(default=Path("indexes"), description="folder of snapshots")
    prompts: Path = Field(
        default_factory=_prompts_folder,
        description="folder of template files",
        json_schema_extra={"default": "those of the package"},
    )
    models: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rag_rationale/models",
        description="folder of prepared models",
        json_schema_extra={"default": "`~/.cache/rag_rationale/models`"},
    )
    state: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "rag_rationale",
        description="folder of what the service keeps: keys, labels, cached rationales, the log of those served",
        json_schema_extra={"default": "`~/.local/state/rag_rationale`"},
    )
    llm: str = Field(
        default="gemma-3-270m-en-zh",
        description="writer: a registry name, a path to a GGUF file, `provider:model` of LangChain, "
        "`http://host/v1#model` of an OpenAI-compatible server, or `scripted` (no model: rehearsals and tests)",
    )
    llm_key: str | None = Field(default=None, repr=False, description="bearer token for the writer at a URL")
    lora: str | None = Field(default=None, description="LoRA adapter of the writer, a GGUF file: PATH or PATH:SCALE")
    embedder: str | None = Field(
        default=None,
        description="embedder of new indexes: a registry name, a sentence-transformers folder or hub name, "
        "`provider:model` or `hashed`; an index is always read with the one that built it",
        json_schema_extra={"default": "`multilingual-e5-small`"},
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="threads of the writer",
        json_schema_extra={"default": "one per core"},
    )
    context: int = Field(default=4096, ge=512, description="tokens of the writer's context, all sequences together")
    isolated: bool = Field(default=False, description="run the writer in a process of its own, restarted if it dies")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8017, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    min_trust: float = Field(default=0.5, ge=0, le=1, description="reviews below this are no evidence on the item side")
    concurrent: int = Field(default=4, ge=1, le=64, description="requests answered at the same time")
    queue: int = Field(default=16, ge=0, description="requests that wait beside them; the next is refused with 503")
    deadline_ms: int = Field(
        default=30_000, ge=1, le=600_000, description="deadline of a request that names none, waiting included"
    )
    rate: str = Field(
        default="600/minute", description="requests a key may make, such as `10/second`; empty: any number"
    )
    cache_mb: int = Field(default=256, ge=0, description="megabytes of cached rationales; 0 caches none")
    cache_days: float = Field(default=30, gt=0, description="days after which a cached rationale is written anew")
    log_days: float = Field(
        default=90, ge=0, description="days that the log of served rationales goes back; 0 logs none"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="log level")
    admin_token: str | None = Field(default=None, repr=False, description="a key of scope admin that no file holds")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, `.env` and `overrides` (None means not given).

    Raises SettingsError naming the variable, its value and what was expected.
    """
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "RAG_RATIONALE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(
            f"{name} is {first['input']!r}: {first['msg']}.", remedy="Correct it in the environment or in .env."
        ) from error
