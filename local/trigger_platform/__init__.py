"""A Trigger.dev control plane for one machine and one dev environment.

The real `trigger.dev dev` CLI and SDK connect to it unmodified. It accepts runs, queues them, hands them to
the CLI, decides on retries and waits, and reports each run's state. All of this is in memory and bounded: a
restart forgets every run.
"""
