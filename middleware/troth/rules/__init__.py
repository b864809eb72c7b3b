"""Policy folders and bindings as files: reading them, checking them, saying all that is wrong at once."""

from troth.rules.load import (
    Inline,
    Loaded,
    LoadedBinding,
    check_together,
    load_binding,
    load_inline,
    load_policy,
    load_sections,
    load_texts,
    reader_for,
)

__all__ = [
    "Inline",
    "Loaded",
    "LoadedBinding",
    "check_together",
    "load_binding",
    "load_inline",
    "load_policy",
    "load_sections",
    "load_texts",
    "reader_for",
]
