"""How often an address may be wrong about a key or a password before nobody listens to it.

What was right from an address before stays welcome there, so that one bad client behind a proxy
does not shut out the good ones. Kept in memory only, and bounded: who comes from ever new addresses
pushes out no more than the memory of earlier ones.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from projections.bounds import MINUTE_US, SECOND_US
from server.http.ratelimit import TooManyRequests

REMEMBERED_MAX: Final = 10_000
_IPV6_NETWORK_BITS: Final = 64
"""A network of this size is one customer's; its addresses are free to take."""


class Guessing:
    """Failed attempts by address: `per_min` at once, and as many a minute; 0 counts nothing.

    What an address has used of its allowance is the moment up to which it has paid (GCRA).
    """

    def __init__(self, per_min: int, clock: Callable[[], int]) -> None:
        self.failures = 0
        self.refusals = 0
        self._per_min = per_min
        self._share_us = MINUTE_US // max(per_min, 1)
        self._clock = clock
        self._paid_until_us: OrderedDict[str, int] = OrderedDict()
        self._proved: dict[tuple[str, str], None] = {}

    def passed(self, address: str, who: str) -> None:
        """Note that `who` has shown what only they know.

        Raises:
            TooManyRequests: the address is not listened to, and they were never right from there.

        """
        if (address, who) in self._proved:
            return
        self._check(_source(address))
        self._proved[address, who] = None
        if len(self._proved) > REMEMBERED_MAX:
            del self._proved[next(iter(self._proved))]

    def failed(self, address: str) -> None:
        """Count a wrong guess.

        Raises:
            TooManyRequests: the address is not listened to; this was not even looked at.

        """
        source = _source(address)
        paid_us = self._check(source)
        self.failures += 1
        self._paid_until_us[source] = paid_us + self._share_us
        self._paid_until_us.move_to_end(source)
        if len(self._paid_until_us) > REMEMBERED_MAX:
            self._paid_until_us.popitem(last=False)

    def _check(self, source: str) -> int:
        """Give the moment up to which an address has paid, if it may go on."""
        now_us = self._clock()
        paid_us = max(self._paid_until_us.get(source, 0), now_us)
        over_us = paid_us + self._share_us - now_us - self._share_us * self._per_min
        if self._per_min and over_us > 0:
            self.refusals += 1
            raise TooManyRequests(
                -(-over_us // SECOND_US), "Too many wrong keys came from this address"
            )
        return paid_us


@lru_cache(maxsize=1_024)
def _source(address: str) -> str:
    """Give what counts as one address."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(int(parsed) >> _IPV6_NETWORK_BITS)
