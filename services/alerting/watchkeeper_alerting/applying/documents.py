"""The documents of applied files: envelope and spec, checked each by itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from watchkeeper_alerting.applying.checking import check, suggestion
from watchkeeper_alerting.applying.located import Located, Mistake
from watchkeeper_alerting.applying.located import documents as located_documents
from watchkeeper_shared.specs import SPECS, AISystem, Channel, Name, OversightPolicy

API_VERSION = "watchkeeper/v1"

Spec = AISystem | OversightPolicy | Channel


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as somebody sent it; the name is only for messages."""

    name: str
    text: str


class _Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    apiVersion: Literal["watchkeeper/v1"]  # noqa: N815 - the public spelling
    kind: str
    metadata: _Metadata
    spec: Any


@dataclass(frozen=True, slots=True)
class Document:
    """One object that holds by itself.

    Parameters
    ----------
    kind, name
        Its identity.
    spec
        The checked spec.
    file, source
        Where it came from, for the line of a mistake that shows up only later.
    """

    kind: str
    name: str
    spec: Spec
    file: str
    source: Located

    @property
    def content(self) -> dict[str, Any]:
        """The spec as plain values, with every default spelled out.

        What is stored and hashed is what was in force, so that a default that changes
        in a later release cannot change the meaning of an approved policy.
        """
        content: dict[str, Any] = msgspec.to_builtins(self.spec)
        return content

    @property
    def hash(self) -> str:
        """Identity of the content: sha256 of its canonical JSON, in hex."""
        canonical = json.dumps(
            {"kind": self.kind, "name": self.name, "spec": self.content},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    def mistake(self, detail: str, *path: str | int) -> Mistake:
        """Return a mistake at `path` of this document."""
        return Mistake(self.file, self.source.line_of(*path), detail)


def read(files: Sequence[SourceFile]) -> tuple[list[Document], list[Mistake]]:
    """Return the documents that hold by themselves, and every mistake in the others."""
    found: list[Document] = []
    mistakes: list[Mistake] = []
    for file in files:
        sources, broken = located_documents(file.text, file.name)
        mistakes.extend(broken)
        for source in sources:
            document, wrong = _document(source, file.name)
            mistakes.extend(wrong)
            if document is not None:
                found.append(document)
    mistakes.extend(_repeated(found))
    return found, sorted(set(mistakes))


def _document(source: Located, file: str) -> tuple[Document | None, list[Mistake]]:
    findings = list(check(source, _Envelope, "document"))
    kind = source.value.get("kind") if isinstance(source.value, dict) else None
    if isinstance(kind, str) and kind not in SPECS:
        detail = f"unknown kind {kind!r}{suggestion(kind, list(SPECS))}"
        findings.append((source.line_of("kind"), detail))
    elif isinstance(kind, str) and "spec" in source.members:
        findings.extend(check(source.members["spec"], SPECS[kind], "spec"))
    if findings:
        return None, [Mistake(file, line, detail) for line, detail in findings]
    envelope = msgspec.convert(source.value, _Envelope)
    spec = msgspec.convert(envelope.spec, SPECS[envelope.kind])
    return Document(envelope.kind, envelope.metadata.name, spec, file, source), []


def _repeated(found: Sequence[Document]) -> list[Mistake]:
    seen: dict[tuple[str, str], Document] = {}
    mistakes = []
    for one in found:
        first = seen.setdefault((one.kind, one.name), one)
        if first is not one:
            where = f"{first.file}:{first.source.line}"
            mistakes.append(one.mistake(f"{one.kind} {one.name} is already at {where}"))
    return mistakes
