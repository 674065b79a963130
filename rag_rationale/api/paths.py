"""Ids in paths: any characters, line ends among them, which Starlette's own `path` stops at."""

from __future__ import annotations

from starlette.convertors import PathConvertor, register_url_convertor


class _AnyId(PathConvertor):
    regex = "(?s:.*)"


ANY_ID = "any_id"
"""What a path parameter is declared as: `/users/{user_id:any_id}`."""
register_url_convertor(ANY_ID, _AnyId())
