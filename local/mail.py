"""The e-mails of local Auth: files in the stack's folder, one for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_LINK = re.compile(r"https?://\S+")
_CODE = re.compile(r"\bcode(?: is)?:\s*(\d+)")


class _StoredMail(BaseModel):
    """What `local/supabase/mail.mjs` writes."""

    model_config = ConfigDict(extra="ignore")

    at: datetime
    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Mail:
    """An e-mail. `link` leads to local Auth, which signs the person in; `code` does the same by hand."""

    at: datetime
    to: str
    subject: str
    link: str | None
    code: str | None


def mail_folder(directory: Path) -> Path:
    return directory / "mail"


def read_mail(directory: Path) -> list[Mail]:
    """The e-mails of the stack in `directory`, newest first."""
    files = sorted(mail_folder(directory).glob("*.json"), reverse=True)
    return [_mail(_StoredMail.model_validate_json(file.read_bytes())) for file in files]


def describe(mail: Mail) -> str:
    lines = [f"{mail.at:%Y-%m-%d %H:%M:%S} UTC  to {mail.to}: {mail.subject}"]
    lines += [f"  link  {mail.link}"] if mail.link else []
    lines += [f"  code  {mail.code}"] if mail.code else []
    return "\n".join(lines)


def _mail(stored: _StoredMail) -> Mail:
    link, code = _LINK.search(stored.text), _CODE.search(stored.text)
    return Mail(stored.at, stored.to, stored.subject, link and link[0], code and code[1])
