"""A customer's webhook receiver on this machine, with an inbox to look at.

Messages to `/companies` must be signed with the demo's secret. Every other path takes any message, so that a
developer can point a blueprint at it.
"""

SIGNED_PATH = "/companies"
