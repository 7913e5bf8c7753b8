from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from eventlog import SyncMode
from projections.decide import Policy
from server.console import Console
from server.duration import Duration
from server.settings import Settings
from spoolog.point import Point
from tools.options import PointType, env_name, setting_fields, settings_of, settings_options
from tools.serve import serve

VALUES = {
    "host": ("127.0.0.2", "127.0.0.2"),
    "port": ("0", 0),
    "data_dir": ("/srv/jobs", Path("/srv/jobs")),
    "api_key": ("sp_live_x", "sp_live_x"),
    "key_prefix": ("sp_test_", "sp_test_"),
    "sync": ("interval", SyncMode.INTERVAL),
    "sync_interval_ms": ("7", 7),
    "segment_bytes": ("8192", 8192),
    "max_retries": ("5", 5),
    "timeout_secs": ("60", 60),
    "retry_base_secs": ("0.5", 0.5),
    "retry_cap_secs": ("9", 9.0),
    "retry_jitter": ("0.25", 0.25),
    "rate_limit": ("7", 7),
    "rate_burst": ("8", 8),
    "keep_finished": ("12h", Duration("12h")),
    "keep_finished_jobs": ("0", 0),
    "snapshot_records": ("5", 5),
    "snapshot_age": ("90s", Duration("90s")),
    "past_secs": ("5.5", 5.5),
    "past_memory_bytes": ("1000000", 1_000_000),
    "compress_log": ("true", True),
    "keep_log": ("30d", Duration("30d")),
    "strict_queue_names": ("true", True),
    "require_lease_id": ("1", True),
    "auth_failures_per_min": ("0", 0),
    "token_secs": ("60", 60),
    "refresh_token_secs": ("61", 61),
    "pending_bytes_max": ("9", 9),
    "body_bytes_max": ("33554433", 33_554_433),
    "console": ("json", Console.JSON),
    "access_log": ("true", True),
    "connections_max": ("9", 9),
    "head_secs": ("1.5", 1.5),
    "idle_secs": ("1.5", 1.5),
    "body_secs": ("1.5", 1.5),
    "disk_reserve_bytes": ("0", 0),
    "stuck_disk_secs": ("0", 0.0),
    "drain_secs": ("2.5", 2.5),
    "metrics_token": ("scrape-me", "scrape-me"),
}
NAMES = [field.name for field in setting_fields()]


def settings_from(*args: str, env: dict[str, str] | None = None) -> Settings:
    seen: list[Settings] = []

    @click.command()
    @settings_options
    def keep(**values: Any) -> None:
        seen.append(settings_of(values))

    result = CliRunner(env=env).invoke(keep, args)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_defaults_are_those_of_the_settings() -> None:
    assert settings_from() == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_an_option_with_its_words(name: str) -> None:
    (option,) = (param for param in serve.params if param.name == name)
    assert isinstance(option, click.Option)
    assert "--" + name.replace("_", "-") in option.opts
    assert option.envvar == env_name(name) == "SPOOLOG_" + name.upper()
    (field,) = (field for field in setting_fields() if field.name == name)
    assert isinstance(field.type, msgspec.inspect.Metadata)
    assert field.type.extra_json_schema == {"description": option.help}


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_read_from_the_environment(name: str) -> None:
    text, value = VALUES[name]
    assert getattr(settings_from(env={env_name(name): text}), name) == value


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_read_from_its_option(name: str) -> None:
    text, value = VALUES[name]
    flag = "--" + name.replace("_", "-")
    args = [flag] if value is True else [flag, text]
    assert getattr(settings_from(*args), name) == value


@pytest.mark.parametrize(
    "args",
    [
        ["--port", "65536"],
        ["--port", "x"],
        ["--sync", "sometimes"],
        ["--segment-bytes", "4095"],
        ["--drain-secs", "-1"],
        ["--body-bytes-max", "33554431"],
        ["--keep-finished", "a week"],
        ["--keep-finished-jobs", "-1"],
        ["--head-secs", "0.9"],
    ],
)
def test_what_is_out_of_bounds_is_wrong_use(args: list[str]) -> None:
    assert CliRunner().invoke(serve, args).exit_code == 2


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("17", Point(position=17)),
        ("2026-01-31T12:00:00Z", Point(at_us=1_769_860_800_000_000)),
        ("2026-01-31T13:00:00.000001+01:00", Point(at_us=1_769_860_800_000_001)),
        ("2026-01-31T12:00:00", Point(at_us=1_769_860_800_000_000)),
    ],
)
def test_points_are_positions_or_times(text: str, point: Point) -> None:
    assert PointType().convert(text, None, None) == point


def test_points_include_themselves() -> None:
    assert Point(position=5).includes(5, 0)
    assert not Point(position=5).includes(6, 0)
    assert Point(at_us=5).includes(9, 5)
    assert Point(at_us=5).precedes(1, 5)
    assert not Point(position=5).precedes(4, 9)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("0s", 0),
        ("30s", 30_000_000),
        ("15m", 900_000_000),
        ("12h", 43_200_000_000),
        ("7d", 604_800_000_000),
        ("forever", None),
    ],
)
def test_a_length_of_time_is_a_number_and_a_unit_or_for_ever(text: str, us: int | None) -> None:
    settings = settings_from("--keep-finished", text)
    assert (settings.keep_finished.us, str(settings.keep_finished)) == (us, text)
    assert settings.policy().keep_finished_us == us


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7 d", "7D", "1.5h", "-1d", "7d\n", "1w", "\u0667d"]
)
def test_what_is_no_length_of_time_is_told(text: str) -> None:
    result = CliRunner().invoke(serve, ["--keep-finished", text])
    assert result.exit_code == 2
    assert "is no length of time: 30s, 15m, 12h, 7d or forever" in result.output


def test_the_defaults_of_settings_and_policy_are_the_same() -> None:
    assert Settings().policy() == Policy()
