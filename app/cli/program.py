"""Every command group, in one place. A new one is a module with a typer application or a function, named here."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli import access, doctor, domains, extract, inspect, prune, run, scan, top, trace

program = typer.Typer(
    name="scrapersky",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Submit a domain, get back what its site says about itself.\n\n"
        "Start with [bold]scrapersky up[/bold] and open the address it prints, "
        "or try [bold]scrapersky scan example.com[/bold]."
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("scrapersky"))
        raise typer.Exit


@program.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that stand before the command."""


program.command("up")(run.up)
program.command("web")(run.web)
program.command("migrate")(run.migrate)
program.add_typer(run.worker_commands, name="worker")
program.command("scan")(scan.scan)
program.command("extract")(extract.extract)
program.add_typer(domains.commands, name="domains")
program.command("inspect")(inspect.inspect)
program.command("top")(top.top)
program.command("doctor")(doctor.doctor)
program.command("trace")(trace.trace)
program.command("prune")(prune.prune)
program.add_typer(access.token_commands, name="token")
program.add_typer(access.tenant_commands, name="tenant")
