"""What is wrong with a body that msgspec refused: not JSON, missing or mistyped, or a rule broken."""

import re
from typing import Final

from msgspec import ValidationError

from projections.errors import Invalid, Missing, Refused

_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?\Z", re.DOTALL)
_LACKING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_WRONG_TYPE: Final = re.compile(r"Expected `[^`]+`, got `[^`]+`")


class InvalidJson(Refused):
    """The body is not JSON."""

    code = "INVALID_JSON"


def from_validation(error: ValidationError) -> Invalid:
    """Tell missing or mistyped (422) from a broken rule (400), which msgspec tells by its text."""
    found = _AT.match(str(error))
    assert found is not None, "the pattern matches any text"
    what, path = found["what"], found["path"] or ""
    lacking = _LACKING.fullmatch(what)
    if lacking is not None:
        field = f"{path}.{lacking['field']}".removeprefix(".")
        return Missing(field, "required")
    kind = Missing if _WRONG_TYPE.fullmatch(what) else Invalid
    return kind(path or "body", what)
