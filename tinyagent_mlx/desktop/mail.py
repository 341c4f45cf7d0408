"""Mail as RFC 5322 messages in a Maildir: new drafts, replies to and forwards of the newest message in the inbox."""

from __future__ import annotations

import email.policy
import mailbox
import mimetypes
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

from tinyagent_mlx.errors import NotFound, StepError

DRAFTS = "Drafts"
_POLICY = email.policy.SMTP.clone(max_line_length=200)


def compose(root: Path, arguments: Mapping[str, Any], now: datetime) -> tuple[str, Path]:
    """Save a new draft; gives its key and file."""
    return _save(root, _message(arguments, arguments["subject"], arguments["context"], now))


def reply(root: Path, arguments: Mapping[str, Any], now: datetime) -> tuple[str, Path]:
    """Save a reply to the newest message, quoting it."""
    original = newest(root)
    subject = str(original["Subject"] or "")
    subject = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    quoted = "\n".join(f"> {line}" for line in _text(original).splitlines())
    body = f"{arguments['context']}\n\n{original['From']} wrote:\n{quoted}\n"
    sender = [str(original["Reply-To"] or original["From"])]
    message = _message({**arguments, "recipients": sender}, subject, body, now)
    if original["Message-ID"]:
        message["In-Reply-To"] = message["References"] = str(original["Message-ID"])
    return _save(root, message)


def forward(root: Path, arguments: Mapping[str, Any], now: datetime) -> tuple[str, Path]:
    """Save a forward of the newest message: the original is attached whole, with what it carried."""
    original = newest(root)
    head = "\n".join(f"{key}: {original[key]}" for key in ("From", "Date", "Subject", "To") if original[key])
    body = f"{arguments['context']}\n\n---------- Forwarded message ----------\n{head}\n\n{_text(original)}\n"
    message = _message(arguments, f"Fwd: {original['Subject'] or ''}", body.lstrip(), now)
    for part in original.iter_attachments():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            kind, _, sub = part.get_content_type().partition("/")
            message.add_attachment(content, maintype=kind, subtype=sub, filename=part.get_filename() or "attachment")
    return _save(root, message)


def newest(root: Path) -> EmailMessage:
    """The newest message of the inbox. Raises `NotFound` when there is none."""
    files = [file for name in ("new", "cur") for file in (root / name).glob("*") if file.is_file()]
    if not files:
        raise NotFound("there is no email in the inbox to answer or forward", "Put one into the Maildir first.")
    file = max(files, key=lambda path: (path.stat().st_mtime, path.name))
    message = BytesParser(policy=email.policy.default).parsebytes(file.read_bytes())
    assert isinstance(message, EmailMessage)
    return message


def delete_draft(root: Path, key: str) -> str:
    """Remove a draft; gives its subject. Raises `NotFound` when it is gone already."""
    drafts = _drafts(root)
    try:
        subject = str(drafts[key]["Subject"] or "")
        drafts.remove(key)
    except KeyError as error:
        raise NotFound(f"there is no draft {key} any more") from error
    return subject


def _text(message: EmailMessage) -> str:
    body = message.get_body(preferencelist=("plain", "html"))
    try:
        return body.get_content().strip() if body else ""
    except LookupError as error:  # a character set that nobody knows
        raise StepError(f"the newest message can't be read: {error}") from error


def _message(arguments: Mapping[str, Any], subject: str, body: str, now: datetime) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    for header, addresses in (("To", arguments["recipients"]), ("Cc", arguments["cc"])):
        if addresses:
            message[header] = ", ".join(_one_line(address) for address in addresses)
    message["Subject"] = _one_line(subject)
    message["Date"] = format_datetime(now.astimezone() if now.tzinfo is None else now)
    message["Message-ID"] = make_msgid(domain="tinyagent.invalid")
    message["X-Unsent"] = "1"
    message.set_content(body or "")
    _attach(message, arguments["attachments"])
    return message


def _one_line(text: str) -> str:
    """A header's value: line ends would begin another header."""
    return " ".join(text.split())


def _attach(message: EmailMessage, paths: Sequence[str]) -> None:
    for path in paths:
        file = Path(path)
        try:
            content = file.read_bytes()
        except OSError as error:
            raise StepError(f"attachment {path!r} cannot be read: {error.strerror}") from error
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        maintype, _, subtype = kind.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=file.name)


def _drafts(root: Path) -> mailbox.Maildir:
    box = mailbox.Maildir(root, create=True)
    return box.get_folder(DRAFTS) if DRAFTS in box.list_folders() else box.add_folder(DRAFTS)


def _save(root: Path, message: EmailMessage) -> tuple[str, Path]:
    root.parent.mkdir(parents=True, exist_ok=True)
    drafts = _drafts(root)
    entry = mailbox.MaildirMessage(message)
    entry.set_subdir("cur")
    entry.add_flag("D")
    key = drafts.add(entry)
    (file,) = [path for path in (root / f".{DRAFTS}" / "cur").iterdir() if path.name.startswith(key)]
    return key, file
