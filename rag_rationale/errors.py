"""The error tree. Each error says what happened, which value, what was expected and what to do.

    RagRationaleError
    ├── UsageError                  the caller asked for something that cannot be
    │   ├── UnknownIndexError       no snapshot of that name
    │   ├── UnknownItemError        the item is not in the index and came without text
    │   ├── UnknownEvidenceError    no such passage, or not for this reader
    │   ├── UnknownTemplateError    no template of that name, language, version or label
    │   ├── InvalidRequestError     a body or argument that does not fit its schema
    │   └── SettingsError           a setting that does not fit
    ├── DataError                   a file holds what it should not
    │   ├── RowError                a malformed row, with file, line, field and reason
    │   ├── SnapshotError           a snapshot is damaged, or fails a promotion guard
    │   └── TemplateError           a template file is broken, with file and line
    ├── ModelError                  a model cannot do the work
    │   ├── ModelMissingError       its file is not there
    │   ├── ModelHashError          its file is not the one the registry names
    │   ├── EmbedderMismatchError   the index was built with another embedder
    │   ├── BackendError            an engine or a remote server failed
    │   └── DeadlineError           an engine had no answer when the request's time was over
    ├── LockedError                 another build holds the index's lock
    └── CancelledError              whoever asked no longer wants the answer

Abstaining is a result, not an error. This module knows nothing of HTTP or exit codes.
"""

from __future__ import annotations

from pathlib import Path


class RagRationaleError(Exception):
    """Root of the tree; catch it to catch everything this package raises on purpose.

    `what` states what happened and the offending value, `remedy` what to do about it.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class UsageError(RagRationaleError):
    """The caller asked for something that cannot be."""


class UnknownIndexError(UsageError):
    """No snapshot of that name."""


class UnknownItemError(UsageError):
    """The item is not in the index and came without text."""


class UnknownEvidenceError(UsageError):
    """No such passage, or it may not be shown to this reader."""


class UnknownTemplateError(UsageError):
    """No template of that name, language, version or label."""


class InvalidRequestError(UsageError):
    """A body or argument that does not fit its schema."""


class SettingsError(UsageError):
    """A setting that does not fit."""


class DataError(RagRationaleError):
    """A file holds what it should not."""


class RowError(DataError):
    """A malformed row. `line` counts from 1."""

    def __init__(self, path: Path | str, line: int, field: str, reason: str) -> None:
        super().__init__(f"{path}:{line}: field '{field}': {reason}.")
        self.path, self.line, self.field, self.reason = str(path), line, field, reason


class SnapshotError(DataError):
    """A snapshot is damaged, or fails a promotion guard."""


class TemplateError(DataError):
    """A template file is broken. `line` counts from 1, 0 where no line is to blame."""

    def __init__(self, path: Path | str, line: int, reason: str, *, remedy: str = "") -> None:
        super().__init__(f"{path}:{line}: {reason}", remedy=remedy)
        self.path, self.line, self.reason = str(path), line, reason


class ModelError(RagRationaleError):
    """A model cannot do the work."""


class ModelMissingError(ModelError):
    """The model's file is not there."""


class ModelHashError(ModelError):
    """The model's file is not the one the registry names."""


class EmbedderMismatchError(ModelError):
    """The index was built with another embedder."""


class BackendError(ModelError):
    """An engine or a remote server failed."""


class DeadlineError(ModelError):
    """An engine had no answer when the request's time was over."""


class LockedError(RagRationaleError):
    """Another build holds the index's lock."""


class CancelledError(RagRationaleError):
    """Whoever asked no longer wants the answer."""
