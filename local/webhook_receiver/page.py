"""The inbox as a page: the newest messages, each with a link to its body."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from local.webhook_receiver.inbox import Message

_SHOWN = 200
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Webhooks</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: .25rem 1rem .25rem 0; white-space: nowrap; }}
td {{ border-top: 1px solid #ddd; }}
</style></head><body>
<h1>Webhooks</h1>
<p>{sentence}</p>
<table><tr>{heads}</tr>
{rows}
</table></body></html>
"""
_HEADS = ("received", "path", "answer", "records", "run", "webhook-id", "")


def render(messages: Sequence[Message]) -> str:
    shown = messages[:_SHOWN]
    sentence = f"{len(messages)} messages, newest first." if messages else "No message yet."
    if len(messages) > len(shown):
        sentence += f" The newest {len(shown)} are shown."
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    return _PAGE.format(sentence=sentence, heads=heads, rows="\n".join(map(_row, shown)))


def _row(message: Message) -> str:
    values = (
        f"{message.received_at:%Y-%m-%d %H:%M:%S} UTC",
        message.path,
        f"{message.status} {message.verdict}",
        message.records,
        message.pipeline_run_id,
        message.webhook_id,
    )
    cells = "".join(f"<td>{escape('' if value is None else str(value))}</td>" for value in values)
    return f'<tr>{cells}<td><a href="/messages/{message.number}">body</a></td></tr>'
