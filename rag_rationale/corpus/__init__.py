"""From catalogue files to passages: reading, masking, cutting, quarantine."""

from rag_rationale.corpus.columns import ColumnMap, read_columns, ready_maps
from rag_rationale.corpus.fingerprint import row_digest
from rag_rationale.corpus.passages import item_passages, passage_bounds, passage_id, review_passages
from rag_rationale.corpus.quarantine import quarantine_reason
from rag_rationale.corpus.read import FileReport, read_events, read_items, read_reviews, read_users
from rag_rationale.corpus.sources import (
    MASK,
    Source,
    item_sources,
    mask_personal,
    masked_item,
    masked_review,
    review_sources,
)

__all__ = [
    "MASK",
    "ColumnMap",
    "FileReport",
    "Source",
    "item_passages",
    "item_sources",
    "mask_personal",
    "masked_item",
    "masked_review",
    "passage_bounds",
    "passage_id",
    "quarantine_reason",
    "read_columns",
    "read_events",
    "read_items",
    "read_reviews",
    "read_users",
    "ready_maps",
    "review_passages",
    "review_sources",
    "row_digest",
]
