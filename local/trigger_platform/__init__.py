"""A Trigger.dev control plane for one machine and one dev environment.

The real `trigger.dev dev` CLI and the real SDK talk to it unmodified: it takes runs in, queues them, hands
them to the CLI, decides about retries and waits, and answers for their state. Everything lives in the memory
of one process and is bounded; stopping the process forgets the runs, as restarting a laptop's stack should.
"""
