"""The text of a PDF, and a summary made of its own sentences.

TextRank (Mihalcea and Tarau 2004): sentences are nodes, shared words make edges, PageRank ranks them; the best come out
in the document's order. Nothing is invented, because nothing is written.
"""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import networkx as nx
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from tinyagent_mlx.errors import StepError

SENTENCES = 4
_MOST = 400  # sentences looked at: the graph grows with their square


def pdf_text(file: Path) -> str:
    """All text of a PDF. Raises `StepError` when it is none, is locked, or holds no text."""
    try:
        text = "\n".join(page.extract_text() for page in PdfReader(file).pages)
    except (OSError, PyPdfError, ValueError, KeyError) as error:
        raise StepError(f"{file.name}: cannot be read as a PDF: {error}") from error
    if not text.strip():
        raise StepError(f"{file.name}: holds no text", "It may be a scan; run text recognition over it first.")
    return text


def summarize(text: str, sentences: int = SENTENCES) -> str:
    """The most central sentences of a text, in its order."""
    found = _sentences(text)[:_MOST]
    if len(found) <= sentences:
        return " ".join(found)
    words = [set(re.findall(r"[^\W\d_]{3,}", sentence.lower())) for sentence in found]
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(len(found)))
    for a, b in combinations(range(len(found)), 2):
        shared = len(words[a] & words[b])
        if shared and len(words[a]) > 1 and len(words[b]) > 1:
            graph.add_edge(a, b, weight=shared / (math.log(len(words[a])) + math.log(len(words[b]))))
    ranks = _pagerank(graph)
    best = sorted(ranks, key=lambda node: (-ranks[node], node))[:sentences]
    return " ".join(found[node] for node in sorted(best))


def _pagerank(graph: nx.Graph, damping: float = 0.85, rounds: int = 60) -> dict[int, float]:
    """Weighted PageRank by power iteration (networkx's own needs SciPy)."""
    ranks = dict.fromkeys(graph, 1.0)
    strength = {node: sum(data["weight"] for _, _, data in graph.edges(node, data=True)) or 1.0 for node in graph}
    for _ in range(rounds):
        ranks = {
            node: 1 - damping + damping * sum(graph[node][n]["weight"] / strength[n] * ranks[n] for n in graph[node])
            for node in graph
        }
    return ranks


def _sentences(text: str) -> list[str]:
    out = []
    for paragraph in _paragraphs(text):
        out += [part.strip() for part in re.split(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z0-9])", paragraph)]
    return [sentence for sentence in out if len(sentence.split()) >= 4]


def _paragraphs(text: str) -> list[str]:
    """Join the lines of a paragraph; a blank line ends one, and so does a short line without a full stop: a heading."""
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        words = line.split()
        heading = len(words) <= 6 and not line.rstrip().endswith((".", "!", "?", ",", ";"))
        if heading and not paragraphs[-1]:
            continue
        if not words or (heading and paragraphs[-1][-1].endswith((".", "!", "?"))):
            paragraphs.append([])
        else:
            paragraphs[-1].append(" ".join(words))
    return [" ".join(lines) for lines in paragraphs]
