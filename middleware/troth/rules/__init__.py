"""Policy folders and bindings as files: reading them, checking them, saying all that is wrong at once."""

from troth.rules.load import (
    check_together,
    load_binding,
    load_binding_text,
    load_inline,
    load_policy,
    load_sections,
    load_texts,
    reader_for,
)
from troth.rules.loaded import Inline, Loaded, LoadedBinding

__all__ = [
    "Inline",
    "Loaded",
    "LoadedBinding",
    "check_together",
    "load_binding",
    "load_binding_text",
    "load_inline",
    "load_policy",
    "load_sections",
    "load_texts",
    "reader_for",
]
