"""What can be asked of a state, and the messages in which a past one is asked. Nothing is answered here.

A message is a MessagePack document behind its length; both ends of the pipe share the types below.
"""

from typing import IO, Final, Generic, TypeVar

from msgspec import Struct, msgpack

from projections.specs import JobFilter
from spoolog.point import Point

_LENGTH_BYTES: Final = 4
T = TypeVar("T")


class Question(Struct, frozen=True, tag=True):
    """Something to ask of a state."""


class OneJob(Question, frozen=True):
    """A whole job."""

    job_id: str


class JobPage(Question, frozen=True):
    """A page of jobs."""

    wanted: JobFilter


class CountedJobs(Question, frozen=True):
    """Jobs by status."""


class ExplainedJob(Question, frozen=True):
    """Why a job is where it is."""

    job_id: str


class QueueList(Question, frozen=True):
    """Queues by name."""


class OneQueue(Question, frozen=True):
    """A queue's configuration."""

    name: str


class FiguresOfQueue(Question, frozen=True):
    """What waits and runs in a queue."""

    name: str


class WorkerList(Question, frozen=True):
    """Workers, the last heard of first."""


class OneWorker(Question, frozen=True):
    """A worker."""

    worker_id: str


class LogMarks(Question, frozen=True):
    """Landmarks of a log that begins at `first`, up to a point; of the log and not of a state."""

    first: int


AnyQuestion = (
    OneJob
    | JobPage
    | CountedJobs
    | ExplainedJob
    | QueueList
    | OneQueue
    | FiguresOfQueue
    | WorkerList
    | OneWorker
)
"""What a state can be asked."""


class Asked(Struct, frozen=True):
    """A question about a moment of the past, on behalf of who may see these queues.

    `max_retries` and `timeout_secs` are what the server's options say, for queues that do not.
    """

    question: AnyQuestion | LogMarks
    point: Point
    org: str
    queues: tuple[str, ...]
    max_retries: int
    timeout_secs: int


class Order(Struct, frozen=True):
    """What the server sends. No record behind `upto` counts: it may not be durable."""

    asked: Asked
    upto: int


class Said(Struct, frozen=True, tag=True):
    """The answer, as it would have been given at `position`, whose record was written at `at_us`."""

    body: bytes
    has_more: bool | None
    position: int
    at_us: int


class Refusal(Struct, frozen=True, tag=True):
    """A refusal, as it would have been given: there was no such thing then."""

    message: str
    position: int
    at_us: int


class Gone(Struct, frozen=True, tag=True):
    """The records that lead to the moment have expired."""

    message: str


class Failed(Struct, frozen=True, tag=True):
    """The moment cannot be shown, and why; `detail` is for the operator."""

    message: str
    detail: str = ""


Reply = Said | Refusal | Gone | Failed

encode: Final = msgpack.Encoder().encode


class Inbox(Generic[T]):
    """The end of a pipe at which messages of one type come out."""

    def __init__(self, stream: IO[bytes], kind: type[T]) -> None:
        self._stream = stream
        self._decode = msgpack.Decoder(kind).decode

    def next(self) -> T | None:
        """Wait for a message; None when the other side has gone."""
        length = self._stream.read(_LENGTH_BYTES)
        body = self._stream.read(int.from_bytes(length, "big"))
        if len(length) < _LENGTH_BYTES or len(body) < int.from_bytes(length, "big"):
            return None
        return self._decode(body)


def send(stream: IO[bytes], message: Order | Reply) -> None:
    """Send a message.

    Raises:
        BrokenPipeError: the other side has gone.

    """
    body = encode(message)
    stream.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    stream.flush()
