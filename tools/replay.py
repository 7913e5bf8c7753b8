"""``spoolog replay``: fold the log from scratch, say how fast, and compare with what should be equal.

The folding is ``projections.fold``; what is compared stands in ``tools.indexes`` and the digest.
"""

from collections.abc import Callable
from pathlib import Path

import click

from eventlog import Reader, SnapshotDamaged, SnapshotStore, newest_sound
from projections.bounds import SECOND_US
from projections.digest import digest
from projections.lifecycle import Status
from projections.moments import to_text
from projections.queries import jobs as queries
from projections.state import State
from spoolog.folding import Folded, fold_log, last_known
from spoolog.point import Point
from tools import output
from tools.client import get_json, key_of
from tools.indexes import differences
from tools.options import PointType, data_dir_option, env_name, json_option


@click.command()
@data_dir_option
@click.option("--until", type=PointType(), help="Fold up to this position or time.")
@click.option("--check", is_flag=True, help="Also compare; exit 1 if anything differs.")
@click.option("--url", envvar=env_name("url"), help="With --check: a server to compare with.")
@click.option("--api-key", envvar=env_name("api_key"), help="Key for it; else <data-dir>/api-key.")
@json_option
def replay(
    *,
    data_dir: Path,
    until: Point | None,
    check: bool,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Fold the log and show what it adds up to: jobs by status, rate, digest.

    With --check, the indexes that grew with the folding are compared with ones built anew, every
    snapshot with the state at its position, and with --url also the digest of a running server at
    its own position. Exit 1 when anything differs.
    """
    if url is not None and (until is not None or not check):
        raise output.Misuse("--url goes with --check and without --until")
    reader = Reader(data_dir)
    server = None
    if url is not None:
        # The server first: the log behind it only grows, so it holds the position that it names.
        server = get_json(url, "/api/v1/log/digest", key_of(data_dir, api_key))
        until = Point(position=server["position"])
    snapshots = _Snapshots(data_dir, reader) if check else None
    folded = _fold(reader, until, snapshots)
    found = _found(folded)
    wrong = differences(folded.state) if check else []
    if snapshots is not None:
        found["snapshots_compared"] = snapshots.compared
        wrong += snapshots.wrong
    if server is not None:
        found["server_position"] = server["position"]
        found["server_digest"] = server["digest"]
        mine = {"position": found["position"], "digest": found["digest"]}
        if mine != {"position": server["position"], "digest": server["digest"]}:
            wrong.append("the server's digest")
    if check:
        found["different"] = wrong
    _tell(found, as_json=as_json)
    if wrong:
        raise output.Problem(f"not the same: {', '.join(wrong)}")


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


def _fold(reader: Reader, until: Point | None, snapshots: _Snapshots | None) -> Folded:
    total = last_known(reader)
    if until is not None and until.position is not None:
        total = until.position
    with output.progress("folding", total) as advance:
        return fold_log(
            reader,
            until,
            lambda position: advance(position, total),
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
