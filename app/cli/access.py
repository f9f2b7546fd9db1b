"""Tokens and tenants."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.context import CommandFailed, JsonOption, note, print_json, print_table, run_with_database

if TYPE_CHECKING:
    from app.access import NewToken, Tenant, Token
    from app.database import Database
    from app.settings import Settings

token_commands = typer.Typer(no_args_is_help=True, help="API tokens.", pretty_exceptions_enable=False)
tenant_commands = typer.Typer(no_args_is_help=True, help="Tenants.", pretty_exceptions_enable=False)

TenantOption = Annotated[UUID | None, typer.Option("--tenant", help="Tenant id.", show_default="DEFAULT_TENANT_ID")]


@token_commands.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for; shown in lists.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, once: only its hash is stored.

    Example: [dim]scrapersky token create laptop[/dim]
    """

    async def work(database: Database, settings: Settings) -> NewToken:
        from app import access

        async with database.system() as conn:
            try:
                return await access.create_token(conn, tenant_id=tenant or settings.default_tenant_id, name=name)
            except access.AccessError as error:
                raise CommandFailed(str(error)) from error

    token = run_with_database(work)
    if as_json:
        print_json({"id": token.id, "tenant_id": token.tenant_id, "name": token.name, "token": token.secret})
    else:
        typer.echo(token.secret)
        note("Keep it: it is not shown again. Send it as: Authorization: Bearer TOKEN")


@token_commands.command("list")
def list_tokens(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """List tokens, revoked ones too; never their secrets."""

    async def work(database: Database, _settings: Settings) -> list[Token]:
        from app import access

        async with database.system() as conn:
            return await access.list_tokens(conn, tenant_id=tenant)

    tokens = run_with_database(work)
    if as_json:
        print_json([asdict(token) for token in tokens])
        return
    print_table(
        ("id", "name", "tenant", "created", "last used", "revoked"),
        [(t.id, t.name, t.tenant_id, t.created_at, t.last_used_at, t.revoked_at) for t in tokens],
    )


@token_commands.command("revoke")
def revoke_token(token_id: Annotated[UUID, typer.Argument(help="The token's id, as listed.")]) -> None:
    """Refuse a token from now on."""

    async def work(database: Database, _settings: Settings) -> None:
        from app import access

        async with database.system() as conn:
            try:
                await access.revoke_token(conn, token_id)
            except access.AccessError as error:
                raise CommandFailed(str(error)) from error

    run_with_database(work)
    note("revoked")


@tenant_commands.command("create")
def create_tenant(name: Annotated[str, typer.Argument(help="Its name.")], as_json: JsonOption = False) -> None:
    """Add a tenant, which sees only its own domains.

    Example: [dim]scrapersky tenant create "Sales team"[/dim]
    """

    async def work(database: Database, _settings: Settings) -> Tenant:
        from app import access

        async with database.system() as conn:
            try:
                return await access.create_tenant(conn, name)
            except access.AccessError as error:
                raise CommandFailed(str(error)) from error

    tenant = run_with_database(work)
    if as_json:
        print_json(asdict(tenant))
    else:
        typer.echo(str(tenant.id))


@tenant_commands.command("list")
def list_tenants(as_json: JsonOption = False) -> None:
    """List tenants."""

    async def work(database: Database, _settings: Settings) -> list[Tenant]:
        from app import access

        async with database.system() as conn:
            return await access.list_tenants(conn)

    tenants = run_with_database(work)
    if as_json:
        print_json([asdict(tenant) for tenant in tenants])
        return
    print_table(("id", "name", "created"), [(tenant.id, tenant.name, tenant.created_at) for tenant in tenants])
