"""Lengths of time as an operator writes them."""

import re
from typing import Final

from msgspec import Struct

from projections.bounds import DAY_US, HOUR_US, MINUTE_US, SECOND_US

FOR_EVER: Final = "forever"
_FORM: Final = re.compile(r"([0-9]{1,9})([smhd])\Z")
_UNITS_US: Final = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US}


class Duration(Struct, frozen=True):
    """A length of time: 30s, 15m, 12h, 7d, or ``forever``."""

    text: str

    def __post_init__(self) -> None:
        if self.text != FOR_EVER and not _FORM.match(self.text):
            raise ValueError(f"{self.text!r} is no length of time: 30s, 15m, 12h, 7d or forever")

    def __str__(self) -> str:  # type: ignore[explicit-override]  # needs Python 3.12
        return self.text

    @property
    def us(self) -> int | None:
        """Give it in microseconds; nothing for ever."""
        found = _FORM.match(self.text)
        return None if found is None else int(found[1]) * _UNITS_US[found[2]]
