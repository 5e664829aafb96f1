"""What can break here. Each error's docstring is its message's meaning and its cure."""


class RoutingError(Exception):
    """The root of this package's errors; `code` is stable and public."""

    code = "routing_error"
