"""Requests to addresses that strangers name: actors, keys, outboxes, inboxes, webhooks.

``Outgoing`` is the one way out for them. What operators name in settings (a mirror's home, an OpenID
provider) may well be in their own network, and goes by plain httpx.
"""

from repo_service.federation.outgoing.addresses import Resolver, is_public, system_resolver
from repo_service.federation.outgoing.client import Answer, DocumentKind, Limits, Outgoing, Sign

__all__ = ["Answer", "DocumentKind", "Limits", "Outgoing", "Resolver", "Sign", "is_public", "system_resolver"]
