"""`rag-rationale prompts …`: the templates that there are, and whether they are sound."""

from __future__ import annotations

import argparse
from typing import Any

from rag_rationale.config import load_settings
from rag_rationale.prompting import TemplateStore


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("prompts", help="list the templates, checking each")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="every template with its version").set_defaults(run=_list)


def _list(_: argparse.Namespace) -> int:
    for template in TemplateStore(load_settings().prompts).all():
        frames = len(template.frames)
        print(f"{template.label}  {template.language} v{template.number}  {frames} frames  {template.meta.description}")
    return 0
