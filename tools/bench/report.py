"""A figure with its target, and how figures are shown. Nothing is measured here."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from tools import output


class Figure(Struct, frozen=True):
    """One measured number. `details` is what it was computed from."""

    name: str
    value: float
    unit: str
    target: float
    better: Literal["more", "less"]
    command: str
    details: dict[str, object] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the target is met."""
        if self.better == "more":
            return self.value >= self.target
        return self.value <= self.target


def tell(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Show figures and their details.

    Raises:
        Problem: a target was missed.

    """
    if as_json:
        output.say_json([_document(figure) for figure in figures])
    else:
        for figure in figures:
            output.facts(figure.name, figure.details.items())
        output.rows(
            "Against the targets",
            ["figure", "measured", "unit", "target", "", "repeat with"],
            [
                (
                    figure.name,
                    figure.value,
                    figure.unit,
                    f"{'at least' if figure.better == 'more' else 'at most'} {figure.target:,g}",
                    "pass" if figure.reached else "FAIL",
                    figure.command,
                )
                for figure in figures
            ],
        )
    missed = [figure.name for figure in figures if not figure.reached]
    if missed:
        raise output.Problem(f"target missed: {', '.join(missed)}")


def _document(figure: Figure) -> dict[str, object]:
    return {
        "figure": figure.name,
        "value": figure.value,
        "unit": figure.unit,
        "target": figure.target,
        "better": figure.better,
        "reached": figure.reached,
        "command": figure.command,
        "details": figure.details,
    }
