"""The `maas` command: each verb in a module of its own."""

import sys

import typer

from services.cli.check import check
from services.cli.errors import CommandFailed
from services.cli.keys import keys
from services.cli.load import load
from services.cli.plan import plan
from services.cli.settle import settle
from services.cli.up import up
from services.cli.validate import validate

app = typer.Typer(
    name="maas",
    help="Tsunagu: one search, one price, one payment for the whole way.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command()(up)
app.command()(load)
app.command()(plan)
app.command()(settle)
app.command()(check)
app.command()(validate)
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command; a failure prints its cause and its cure, and exits with 1."""
    try:
        app()
    except CommandFailed as error:
        typer.secho(f"maas: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
