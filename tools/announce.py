"""What ``spoolog serve`` tells the person who started it: what was found, and the new key.

Everything here goes to standard error. Standard output has one line only, which scripts wait for.
"""

import shlex
from pathlib import Path
from urllib.parse import quote

from server.access import KEY_FILE
from server.settings import VERSION, Settings
from server.startup import Started
from tools.output import note, shown

SAMPLE_JOB = '{"queue_name":"hello","payload":{"to":"world"}}'


def report_start(started: Started, settings: Settings) -> None:
    """Tell what the start found."""
    secs = max(started.replay_us, 1) / 1_000_000
    records = started.replayed_records
    note(f"spoolog {VERSION}, data in {settings.data_dir.absolute()}, --sync {settings.sync}")
    snapshot = started.snapshot
    if snapshot is not None:
        note(f"started from the snapshot at {shown(snapshot.position)}")
    if records:
        rate = shown(int(records / secs))
        note(f"replayed {shown(records)} records in {secs:.2f} s ({rate} a second)")
    elif snapshot is None:
        note("a new log")
    for warning in started.warnings:
        note(f"warning: {warning}")


def report_key(key: str, data_dir: Path, url: str) -> None:
    """Show a key that was made just now, once, with a line that uses it."""
    note(f"API key, made at this start and kept in {data_dir.absolute() / KEY_FILE}:")
    note(f"  {key}")
    note("Open the dashboard with it:")
    note(f"  {dashboard_link(key, url)}")
    note("Create a first job:")
    note(f"  {curl_line(key, url)}")


def dashboard_link(key: str, url: str) -> str:
    """Give an address that signs in; what stands behind # is sent to no server."""
    return f"{url}/#key={quote(key)}"


def curl_line(key: str, url: str) -> str:
    """Give a command that creates a job, ready to paste into a shell."""
    words = [
        "curl",
        "-sS",
        "-X",
        "POST",
        f"{url}/api/v1/jobs",
        "-H",
        f"Authorization: Bearer {key}",
        "-H",
        "Content-Type: application/json",
        "-d",
        SAMPLE_JOB,
    ]
    return shlex.join(words)
