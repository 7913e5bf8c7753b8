"""Options and parameter types: the server's are generated from ``Settings``, the rest are shared.

A default, a bound or a help text is written once, in ``server.settings``. Nothing here runs
anything.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
from msgspec import inspect

from server.duration import Duration
from server.settings import Settings
from spoolog import Point, point

F = TypeVar("F", bound=Callable[..., Any])
ENV_PREFIX: Final = "SPOOLOG_"


class PointType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """A position, or a time in RFC 3339; without an offset it is UTC."""

    name = "POS|TIME"

    def convert(  # type: ignore[explicit-override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Point:
        """Read the text of an option."""
        try:
            return point(value)
        except ValueError as reason:
            self.fail(str(reason), param, ctx)


class DurationType(click.ParamType):  # type: ignore[type-arg]  # as above
    """A length of time."""

    name = "DURATION"

    def convert(  # type: ignore[explicit-override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Duration:
        """Read the text of an option."""
        try:
            return Duration(str(value))
        except ValueError as reason:
            self.fail(str(reason), param, ctx)


_CLASS_TYPES: Final[Mapping[type, click.ParamType]] = {  # type: ignore[type-arg]  # as above
    Path: click.Path(file_okay=False, path_type=Path),
    Duration: DurationType(),
}


def env_name(field: str) -> str:
    """Give the environment variable of an option."""
    return ENV_PREFIX + field.upper()


def setting_option(field: inspect.Field) -> Callable[[F], F]:
    """Make the option of one field of ``Settings``."""
    kind = field.type
    help_text = None
    if isinstance(kind, inspect.Metadata):
        help_text = (kind.extra_json_schema or {}).get("description")
        kind = kind.type
    flag = "--" + field.name.replace("_", "-")
    if isinstance(kind, inspect.BoolType):
        flag += "/--no-" + field.name.replace("_", "-")
    default = field.default
    return click.option(
        flag,
        field.name,
        type=_click_type(kind),
        default=str(default) if isinstance(default, str | Path | Duration) else default,
        envvar=env_name(field.name),
        show_default=default is not None,
        show_envvar=True,
        help=help_text,
    )


def settings_options(command: F) -> F:
    """Give a command every option of the server."""
    for field in reversed(setting_fields()):
        command = setting_option(field)(command)
    return command


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Build the settings from a command's options."""
    return msgspec.convert(dict(values), Settings, dec_hook=_decode_path)


def setting_fields() -> tuple[inspect.Field, ...]:
    """List the fields of ``Settings`` with their types and bounds."""
    described = inspect.type_info(Settings)
    assert isinstance(described, inspect.StructType)
    return described.fields


def data_dir_option(command: F) -> F:
    """Give an offline verb the data directory it reads."""
    return setting_option(_field("data_dir"))(command)


def json_option(command: F) -> F:
    """Give a verb its output for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def filter_options(command: F) -> F:
    """Give a verb its choice of events."""
    for option in (
        click.option(
            "--type", "types", multiple=True, help="Only events of this type; repeatable."
        ),
        click.option("--queue", help="Only events of this queue, its jobs and its workers."),
        click.option("--job", help="Only events of this job."),
        click.option("--by", help="Only what this API key did, or the word system."),
        click.option("--worker", help="Only events that name this worker."),
        click.option(
            "--request", "request_id", metavar="ID", help="Only what this request recorded."
        ),
    ):
        command = option(command)
    return command


def _field(name: str) -> inspect.Field:
    return next(field for field in setting_fields() if field.name == name)


def _click_type(kind: inspect.Type) -> Any:
    """Give the parameter type of a field's type, its bounds included."""
    if isinstance(kind, inspect.UnionType):
        (kind,) = (member for member in kind.types if not isinstance(member, inspect.NoneType))
    match kind:
        case inspect.IntType():
            return click.IntRange(min=kind.ge, max=kind.le)
        case inspect.FloatType():
            return click.FloatRange(min=kind.ge, max=kind.le)
        case inspect.EnumType():
            return click.Choice([member.value for member in kind.cls])
        case inspect.CustomType() | inspect.StructType():
            return _CLASS_TYPES[kind.cls]
        case inspect.BoolType():
            return click.BOOL
        case inspect.StrType():
            return click.STRING
        case _:
            raise TypeError(f"no option type for {kind}")


def _decode_path(kind: type[Any], value: Any) -> Any:
    assert kind is Path
    return Path(value)
