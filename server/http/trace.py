"""The trace that a request belongs to: the W3C Trace Context header ``traceparent``.

Only read and handed on; spans are made by those who enqueue and those who work.
"""

import re
from collections.abc import Mapping
from typing import Final

HEADER: Final = "traceparent"
_VERSION_0: Final = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_NO_TRACE: Final = "0" * 32
_NO_PARENT: Final = "0" * 16


def traceparent_of(headers: Mapping[str, str]) -> str | None:
    """Give the header as it was sent, if it is a whole one of version 00; else none.

    One that is malformed is as good as none (W3C Trace Context, section 3.2.2).
    """
    sent = headers.get(HEADER)
    if sent is None or not _VERSION_0.match(sent):
        return None
    _, trace_id, parent_id, _ = sent.split("-")
    return None if trace_id == _NO_TRACE or parent_id == _NO_PARENT else sent
