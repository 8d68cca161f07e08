"""The demo: one sample file through the whole product, from a CRM export to a signed webhook."""

from local.demo.command import main

__all__ = ["main"]
