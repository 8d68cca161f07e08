"""The HTTP service: identifies the caller, calls one RPC, starts Trigger.dev runs. Postgres decides."""
