"""Broken machinery around an embedded server. Each error carries a stable code and the cure."""


class EmbeddedServerError(Exception):
    """An embedded server cannot start or stop; `code` is stable, `cure` says what a person does next."""

    def __init__(self, *, code: str, message: str, cure: str) -> None:
        super().__init__(f"{message} {cure}")
        self.code = code
        self.message = message
        self.cure = cure


def disk_full_error(*, folder: object, detail: str) -> EmbeddedServerError:
    """The file system that holds `folder` has no room left."""
    return EmbeddedServerError(
        code="disk_full",
        message=f"No room on the disk that holds {folder}: {detail}.",
        cure="Free some space there, or choose another folder with MAAS_DATA, then start again.",
    )
