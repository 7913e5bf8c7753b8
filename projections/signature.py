"""What many failures have in common: their error's first line without what varies from one to the next.

Pure text. Two errors with the same signature are shown as one, so what is taken out must be what a
program puts in: addresses, ids, numbers, names in quotes. Words stay. Every pattern is linear.
"""

import re
from typing import Final

SIGNATURE_CHARACTERS_MAX: Final = 160
NO_TEXT: Final = "(no text)"
_READ_CHARACTERS_MAX: Final = 1_024

# In this order: a path may hold a number, and a quoted text anything.
_VARYING: Final = (
    (re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://[^\s'\"<>)\]]+"), "<url>"),
    (re.compile(r"(?<![\w'\"`])(['\"`])(?:(?!\1).)*\1(?!\w)"), "<text>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"(?<![\w./\\<])(?:~|\.{1,2}|[A-Za-z]:)?[/\\][^\s:,;'\"<>()\[\]]+"), "<path>"),
    (re.compile(r"\b0[xX][0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"\b(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<hex>"),
    (re.compile(r"[0-9]+(?:[.,:_][0-9]+)*"), "<n>"),
)
_SPACES: Final = re.compile(r"\s+")


def signature(error: str) -> str:
    """Give what this error shares with others of its kind; at most 160 characters."""
    text = _first_line(error)[:_READ_CHARACTERS_MAX]
    for pattern, placeholder in _VARYING:
        text = pattern.sub(placeholder, text)
    text = _SPACES.sub(" ", text).strip()
    if len(text) > SIGNATURE_CHARACTERS_MAX:
        return text[: SIGNATURE_CHARACTERS_MAX - 1] + "…"
    return text or NO_TEXT


def _first_line(error: str) -> str:
    """Give the first line that says anything."""
    return next((line for line in error.splitlines() if line.strip()), "")
