"""The description of the API as it is sent, in bytes."""

from msgspec import Struct


class Description(Struct, frozen=True):
    """The document and the page, as bytes, and what the page may do in a browser: nothing."""

    document: bytes
    page: bytes
    page_policy: str
