"""Secrets of the demo, derived from the stack's secret key: neither stored nor the same in two stacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def demo_password(environment: Mapping[str, str], email: str) -> str:
    return base64.urlsafe_b64encode(_derive(environment, f"password of {email}")).decode()


def demo_webhook_secret(environment: Mapping[str, str]) -> str:
    """The secret that signs the demo's webhooks, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(_derive(environment, "webhook")).decode()


def _derive(environment: Mapping[str, str], purpose: str) -> bytes:
    key = environment["SUPABASE_SECRET_KEY"].encode()
    return hmac.digest(key, f"data-engine-x demo: {purpose}".encode(), hashlib.sha256)
