"""Makes the description of the API ready to be sent, once, at the start."""

import base64
from functools import cache
from hashlib import sha256

from msgspec.json import encode

from server.http.description import Description
from server.http.openapi import document
from server.http.page import STYLE, page
from server.http.routes import ROUTES


@cache
def described() -> Description:
    """Describe all routes."""
    found = document(ROUTES)
    style_hash = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
    return Description(
        document=encode(found),
        page=page(found).encode(),
        page_policy=(
            f"default-src 'none'; style-src 'sha256-{style_hash}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    )
