"""A sample desktop to try things on: made-up people, two notes, a received email and a PDF with something to summarize."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage
from pathlib import Path

from tinyagent_mlx.desktop.folder import write
from tinyagent_mlx.desktop.people import Person, write_person

PEOPLE = (
    Person("Sid Patel", ("sid.patel@example.com",), ("+1 555 010 0101",)),
    Person("Lutfi Eren", ("lutfi.eren@example.com",), ("+90 555 010 0102",)),
    Person("Ines Duarte", ("ines.duarte@example.com",), ("+351 555 010 103",)),
    Person("Hadiza Bello", ("hadiza.bello@example.com",), ("+234 555 010 0104",)),
    Person("Piet de Vries", ("piet.devries@example.com",), ("+31 555 010 105",)),
    Person("Rose Patel", ("rose.patel@example.com",), ("+1 555 010 0106",), ("Mum", "Mom")),
    Person("Dr. Leela Mehta", ("dr.mehta@example.com",), ("+91 55501 00107",)),
    Person("Anna Kowalska", ("anna.kowalska@example.com",), ("+48 555 010 108",)),
    Person("Anna Lindqvist", ("anna.lindqvist@example.com",), ("+46 555 010 109",)),
    Person("Tomasz Zielinski", ("tomasz.z@example.com",), ()),
)

_ROADMAP = (
    (
        "Q3 roadmap",
        "",
        "The third quarter has one goal: the assistant must plan every everyday request on the device.",
        "Planning moves from the server to the device in July, and the server is switched off in August.",
        "The planner's weights must stay under 25 megabytes, so that the install stays small.",
        "The retriever shares the encoder of the planner, which halves the memory that both need.",
        "Two risks are known: dates in other languages, and contacts that share a first name.",
    ),
    (
        "Milestones",
        "",
        "In July the beta goes to fifty testers, who report every plan that went wrong.",
        "In August the calendar and reminders tools get an undo, because testers asked for it first.",
        "In September voice input is added, and the release candidate is cut on the 18th.",
        "Sid owns the planner, Lutfi owns the desktop tools, and Ines runs the beta with the testers.",
        "The budget for the quarter is unchanged, and no new hires are planned before the release.",
    ),
)
_NOTES = {
    "Notes/packing list.md": "# packing list\n\npassport\nrain jacket\ncharger\n",
    "Work/meeting notes.md": "# meeting notes\n\nIns and outs of the beta, with dates.\n",
}
_FILES = {
    "budget_v2.csv": "item,amount\nrent,1200\nstudio,300\n",
    "lease agreement.txt": "The lease runs for two years from March.\n",
}


def seed(folder: Path) -> None:
    """Write what is missing of the sample; nothing that exists is changed."""
    if not list((folder / "contacts").glob("*.vcf")):
        for person in PEOPLE:
            write_person(folder / "contacts", person)
    _write_missing(folder / "files" / "Q3 roadmap.pdf", make_pdf(_ROADMAP))
    for place, texts in (("notes", _NOTES), ("files", _FILES)):
        for name, text in texts.items():
            _write_missing(folder / place / name, text.encode())
    _seed_inbox(folder / "mail")


def _write_missing(file: Path, content: bytes) -> None:
    if not file.exists():
        write(file, content)


def _seed_inbox(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    inbox = mailbox.Maildir(root, create=True)
    if len(inbox):
        return
    message = EmailMessage()
    message["From"] = "Ines Duarte <ines.duarte@example.com>"
    message["To"] = "me@example.com"
    message["Subject"] = "Beta feedback"
    message["Date"] = "Fri, 20 Nov 2026 16:12:00 +0000"
    message["Message-ID"] = "<beta-feedback@example.com>"
    message.set_content("The testers like the single approval.\nCan we talk about the two open points on Thursday?\n")
    message.add_attachment(
        b"point,owner\ndates,Sid\nnames,Lutfi\n", maintype="text", subtype="csv", filename="points.csv"
    )
    inbox.add(message)


def make_pdf(pages: tuple[tuple[str, ...], ...]) -> bytes:
    """A PDF of plain Latin text, a line a line, one tuple a page (ISO 32000, the smallest that readers take)."""
    kids = [4 + 2 * index for index in range(len(pages))]
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for kid, lines in zip(kids, pages, strict=True):
        shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines)
        stream = f"BT /F1 11 Tf 16 TL 50 780 Td\n{shown}ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {resources} /Contents {kid + 1} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + end.encode()


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
