"""Texts as small numbers, for columns."""


class Numbered:
    """Texts, or pairs of them, by number; a number whose last user is gone is given out again."""

    __slots__ = ("_free", "_numbers", "_users", "texts")

    def __init__(self) -> None:
        self.texts: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}
        self._users: list[int] = []
        self._free: list[int] = []

    def number(self, *text: str) -> int | None:
        """Give the number of a text that is in use."""
        return self._numbers.get(text)

    def take(self, *text: str) -> int:
        """Give the text's number, counting one more user."""
        number = self._numbers.get(text)
        if number is None:
            number = self._new(text)
        self._users[number] += 1
        return number

    def drop(self, number: int) -> None:
        """Count one user less."""
        self._users[number] -= 1
        if not self._users[number]:
            del self._numbers[self.texts[number]]
            self._free.append(number)

    def _new(self, text: tuple[str, ...]) -> int:
        if self._free:
            number = self._free.pop()
            self.texts[number] = text
        else:
            number = len(self.texts)
            self.texts.append(text)
            self._users.append(0)
        self._numbers[text] = number
        return number
