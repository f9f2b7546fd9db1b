"""Who may do what: tenants, API tokens, and the sign-in of the pages."""

from app.access.errors import AccessError, NameTaken, UnknownTenant, UnknownToken
from app.access.tenants import Tenant, create_tenant, list_tenants
from app.access.tokens import Identity, NewToken, Token, create_token, find_identity, list_tokens, revoke_token

__all__ = [
    "AccessError",
    "Identity",
    "NameTaken",
    "NewToken",
    "Tenant",
    "Token",
    "UnknownTenant",
    "UnknownToken",
    "create_tenant",
    "create_token",
    "find_identity",
    "list_tenants",
    "list_tokens",
    "revoke_token",
]
