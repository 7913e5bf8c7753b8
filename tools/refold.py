"""The plain replay: fold up to a point, say how fast, and compare with what should be equal.

The folding is ``spoolog.folding``; what is compared stands in ``tools.indexes`` and the digest.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from eventlog import Reader, SnapshotDamaged, SnapshotStore, newest_sound
from projections.bounds import SECOND_US
from projections.digest import digest
from projections.lifecycle import Status
from projections.moments import to_text
from projections.queries import jobs as queries
from projections.state import State
from spoolog.folding import Folded, fold_at, fold_log, last_known
from spoolog.point import Point
from tools import output
from tools.client import get_json, key_of
from tools.indexes import differences


def tell(
    data_dir: Path,
    until: Point | None,
    at: Point | None,
    *,
    from_snapshot: bool,
    check: bool,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Fold up to a point and show it.

    Raises:
        Misuse, Problem: options that do not go together; something is not the same.

    """
    if url is not None and (until is not None or not check):
        raise output.Misuse("--url goes with --check and without --until")
    if until is not None and at is not None:
        raise output.Misuse("--until and --at name two ends")
    near = from_snapshot or at is not None
    if near and check:
        raise output.Misuse(
            "--check folds from scratch: it does not trust the snapshots it compares"
        )
    reader = Reader(data_dir)
    server = None
    if url is not None:
        # The server first: the log behind it only grows, so it holds the position that it names.
        server = get_json(url, "/api/v1/log/digest", key_of(data_dir, api_key))
        until = Point(position=server["position"])
    snapshots = _Snapshots(data_dir, reader) if check else None
    folded = _fold(reader, at or until, snapshots, near=near)
    found = _found(folded)
    wrong: list[str] = []
    if snapshots is not None:
        found["snapshots_compared"] = snapshots.compared
        wrong += differences(folded.state) + snapshots.wrong
    wrong += _compare(found, server) if server is not None else []
    _tell(found | ({"different": wrong} if check else {}), as_json=as_json)
    if wrong:
        raise output.Problem(f"not the same: {', '.join(wrong)}")


def _compare(found: dict[str, object], server: Mapping[str, object]) -> list[str]:
    """Tell the server's digest beside ours, and name it when they differ."""
    found["server_position"] = server["position"]
    found["server_digest"] = server["digest"]
    same = (found["position"], found["digest"]) == (server["position"], server["digest"])
    return [] if same else ["the server's digest"]


def jobs_by_status(state: State) -> dict[str, int]:
    """Count the jobs of all organizations."""
    of_orgs = [queries.counts(state, org, lambda _: True) for org in state.shelves]
    return {status.value: sum(counts[status] for counts in of_orgs) for status in Status}


class _Snapshots:
    """The snapshots beside a log, compared with the state as the folding comes by."""

    def __init__(self, data_dir: Path, reader: Reader) -> None:
        self.compared: list[int] = []
        self.wrong: list[str] = []
        store = SnapshotStore(data_dir, reader.identity.cluster)
        self._digests = {
            snapshot.position: snapshot.head.digest
            for snapshot in newest_sound(store, self._on_damaged)
        }

    def stops(self) -> dict[int, Callable[[State], None]]:
        """Give what is to be done where."""
        return dict.fromkeys(self._digests, self._compare)

    def _compare(self, state: State) -> None:
        position = state.position
        self.compared.append(position)
        if digest(state) != self._digests[position]:
            self.wrong.append(f"the snapshot at {position}")

    def _on_damaged(self, damaged: SnapshotDamaged) -> None:
        self.wrong.append(str(damaged))


def _fold(
    reader: Reader, until: Point | None, snapshots: _Snapshots | None, *, near: bool
) -> Folded:
    total = last_known(reader)
    if until is not None and until.position is not None:
        total = until.position
    with output.progress("folding", total) as advance:

        def show(position: int) -> None:
            advance(position, total)

        if near:
            folded = fold_at(reader, until, show)
            for text in folded.passed_over:
                output.note(text)
            return folded
        return fold_log(
            reader,
            until,
            show,
            hashed=snapshots is not None,
            stops=snapshots.stops() if snapshots is not None else {},
        )


def _found(folded: Folded) -> dict[str, object]:
    state = folded.state
    secs = max(folded.elapsed_us, 1) / SECOND_US
    return {
        "position": state.position,
        "from_snapshot_at": folded.began_at or None,
        "at": to_text(state.tables.at) if state.position else None,
        "events": folded.events,
        "seconds": round(secs, 3),
        "records_per_second": int((state.position - folded.began_at) / secs),
        "events_per_second": int(folded.events / secs),
        "jobs": jobs_by_status(state),
        "digest": digest(state),
        "unfinished_write": None if folded.torn is None else str(folded.torn),
    }


def _tell(found: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        output.say_json(found)
        return
    jobs = found.pop("jobs")
    assert isinstance(jobs, dict)
    output.facts("Folded", found.items())
    output.rows("Jobs", list(jobs), [list(jobs.values())])
