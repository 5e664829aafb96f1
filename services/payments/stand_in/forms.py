"""Form-encoded parameters with brackets, as the SDK sends them: `metadata[payment_id]=...&expand[0]=...`."""

import re
from urllib.parse import parse_qsl

from services.payments.stand_in.errors import JsonObject, malformed

_PART = re.compile(r"\[([^\]]*)\]")
_INT = re.compile(r"-?\d{1,18}")


def parse_form(text: str) -> JsonObject:
    """Nested dicts of strings; a list arrives as a dict of its indices."""
    fields: JsonObject = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *_ = name.split("[", 1)
        path = [head, *_PART.findall(name)]
        target = fields
        for key in path[:-1]:
            inner = target.setdefault(key, {})
            if not isinstance(inner, dict):
                raise malformed(f"{head} is given in two ways.", code="parameter_invalid", param=head)
            target = inner
        last = path[-1] or str(len(target))
        target[last] = value
    return fields


class Params:
    """The parameters of one request, read by name; what nobody read is refused as unknown."""

    _ALWAYS = frozenset({"expand"})

    def __init__(self, fields: JsonObject) -> None:
        self._fields = fields
        self._read: set[str] = set(self._ALWAYS)

    def find_text(
        self, name: str, *, one_of: frozenset[str] | None = None, length_max: int = 5000
    ) -> str | None:
        """A string, or None where it is absent or empty."""
        self._read.add(name)
        value = self._fields.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > length_max:
            raise malformed(f"Invalid string: {name}", code="parameter_invalid", param=name)
        if one_of is not None and value not in one_of:
            wanted = ", ".join(sorted(one_of))
            raise malformed(f"Invalid {name}: must be one of {wanted}", code="parameter_invalid", param=name)
        return value

    def get_text(self, name: str) -> str:
        """A string that must be there."""
        value = self.find_text(name)
        if value is None:
            raise malformed(f"Missing required param: {name}.", code="parameter_missing", param=name)
        return value

    def find_int(self, name: str) -> int | None:
        """An integer, or None where it is absent."""
        value = self.find_text(name)
        if value is None:
            return None
        if not _INT.fullmatch(value):
            raise malformed(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        return int(value)

    def get_int(self, name: str) -> int:
        """An integer that must be there."""
        value = self.find_int(name)
        if value is None:
            raise malformed(f"Missing required param: {name}.", code="parameter_missing", param=name)
        return value

    def get_flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.find_text(name, one_of=frozenset({"true", "false"}))
        return default if value is None else value == "true"

    def get_map(self, name: str) -> dict[str, str]:
        """Strings by name, for example metadata."""
        self._read.add(name)
        value = self._fields.get(name) or {}
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise malformed(f"Invalid hash: {name}", code="parameter_invalid", param=name)
        return dict(value)

    def get_list(self, name: str) -> list[str]:
        """Strings in order."""
        return list(self.get_map(name).values())

    def ignore(self, *names: str) -> None:
        """Accept parameters that change nothing here."""
        self._read.update(names)

    def check_all_known(self) -> None:
        """Raises ApiError for a parameter that no one has read."""
        for name in self._fields:
            if name not in self._read:
                raise malformed(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
