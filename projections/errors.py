"""Why a command is refused. A refusal changes nothing, and it says nothing of HTTP.

Each class names one condition; its docstring is the default message and ``code`` the word that
clients compare (contract section 1.2). The class to status table is in ``server.http.errors``.
"""

from typing import ClassVar


class Refused(Exception):
    """The request was refused."""

    code: ClassVar[str] = "BAD_REQUEST"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


class Invalid(Refused):
    """A field breaks a rule."""

    code = "VALIDATION_ERROR"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.details = [{"field": field, "message": message}]


class Missing(Invalid):
    """A field that must be there is not, or has the wrong JSON type."""


class BadRequest(Refused):
    """The request cannot be carried out as it stands."""


class NotFound(Refused):
    """There is no such thing here."""

    code = "NOT_FOUND"


class Expired(Refused):
    """Records before this have expired; the log begins later."""

    code = "LOG_EXPIRED"


class Conflict(Refused):
    """The job is not in a state that allows this."""

    code = "CONFLICT"


class LeaseExpired(Refused):
    """The lease timed out or is not the job's current lease."""

    code = "LEASE_EXPIRED"


class TooLarge(Refused):
    """The body or payload is over the limit."""

    code = "PAYLOAD_TOO_LARGE"


class Denied(Refused):
    """The API key may not use this queue."""

    code = "ACCESS_DENIED"


class Unauthenticated(Refused):
    """Missing or malformed Authorization header."""

    code = "UNAUTHORIZED"


class BadCredentials(Refused):
    """The API key is invalid, expired or revoked."""

    code = "AUTHENTICATION_FAILED"
