"""Entry point of `rag-rationale`: the parser, and errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from rag_rationale import __version__
from rag_rationale.cli import (
    erase,
    evaluate,
    explain,
    index,
    keys,
    models,
    precompute,
    prompts,
    serve,
    settings,
    verify,
)
from rag_rationale.errors import RagRationaleError, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except RagRationaleError as error:
        print(f"rag-rationale: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("rag-rationale: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rag-rationale",
        description="Explainable recommendations in which every sentence cites, word for word, what it rests on.",
    )
    parser.add_argument("--version", action="version", version=f"rag-rationale {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (index, explain, precompute, serve, settings, verify, evaluate, models, prompts, keys, erase):
        module.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
