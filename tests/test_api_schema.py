"""Schemathesis over the whole API: whatever fits the document, or does not, meets a documented reply."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
import serving
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rag_rationale.api import create_app
from rag_rationale.service import Explainer

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HEADERS = {"Authorization": f"Bearer {serving.TOKEN}"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_asked_meets_a_documented_reply(shop: Explainer, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(shop))
    operations = [found.ok() for found in schema.get_all_operations()]
    statuses: set[int] = set()
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
            continue

        @hypothesis.settings(
            max_examples=20, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def run(case: schemathesis.Case) -> None:
            if mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
                case.body["index"] = "shop"  # any other is not found, and that is all
            reply = case.call(headers=HEADERS)
            case.validate_response(reply, checks=CHECKS)
            statuses.add(reply.status_code)

        run()
    assert len(operations) >= 8
    assert statuses >= ({200, 404} if mode is GenerationMode.POSITIVE else {422})
