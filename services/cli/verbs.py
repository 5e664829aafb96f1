"""All verbs of the `maas` command: each in a module of its own."""

import typer

from services.cli.check import check
from services.cli.demo import demo
from services.cli.keys import keys
from services.cli.live import live
from services.cli.load import load
from services.cli.plan import plan
from services.cli.settle import settle
from services.cli.shadow import shadow
from services.cli.tides import tides
from services.cli.up import up
from services.cli.validate import validate
from services.cli.validator.commands import validator

app = typer.Typer(
    name="maas",
    help="Tsunagu: one search, one price, one payment for the whole way.",
    epilog="Begin with `maas up --demo`. Each verb tells more, with examples: maas up --help",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for verb in (up, demo, load, live, plan, settle, check, shadow, validate):
    app.command()(verb)
app.add_typer(keys, name="keys")
app.add_typer(tides, name="tides")
app.add_typer(validator, name="validator")
