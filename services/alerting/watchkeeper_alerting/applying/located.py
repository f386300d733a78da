"""YAML text as plain values that know their line.

PyYAML's own constructor forgets where a value stood and lets a repeated key win in
silence; an operator who mistypes a limit must be told the line, so values are built here
from the composed nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_MAX_NODES = 50_000  # aliases can multiply; nobody writes an object this large by hand


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong in a file.

    Parameters
    ----------
    file, line
        Where; lines count from 1.
    detail
        What was wrong and what to write instead.
    """

    file: str
    line: int
    detail: str

    def __str__(self) -> str:
        """Return `file:line: detail`, as compilers do and editors understand."""
        return f"{self.file}:{self.line}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Located:
    """A plain value with the line that it starts on, and the same for all that it holds.

    Parameters
    ----------
    value
        What YAML says: dict, list, str, int, float, bool, None or a date.
    line
        From 1. A mapping's member has the line of its key.
    members
        By key for a mapping, by index for a list.
    """

    value: Any
    line: int
    members: dict[Any, Located] = field(default_factory=dict)

    def line_of(self, *path: str | int) -> int:
        """Return the line of the value at `path`, or of the deepest part that exists."""
        here = self
        for part in path:
            if part not in here.members:
                break
            here = here.members[part]
        return here.line


class _Builder:
    """Builds the documents of one file and collects what is wrong with them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self._loader = yaml.SafeLoader("")
        self._nodes = 0

    def build(self, node: yaml.Node, line: int) -> Located:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _TooLarge
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, line)
        if isinstance(node, yaml.SequenceNode):
            items = [self.build(item, _line(item)) for item in node.value]
            return Located([item.value for item in items], line, dict(enumerate(items)))
        return Located(self._scalar(node, line), line)

    def _mapping(self, node: yaml.MappingNode, line: int) -> Located:
        members: dict[Any, Located] = {}
        for key_node, value_node in node.value:
            key, at = self._scalar(key_node, _line(key_node)), _line(key_node)
            if key in members:
                self.mistakes.append(Mistake(self.file, at, f"the key {key!r} is here twice"))
                continue
            members[key] = self.build(value_node, at)
        return Located({key: member.value for key, member in members.items()}, line, members)

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            self.mistakes.append(Mistake(self.file, line, "a key must be a plain text"))
            return f"<line {line}>"
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self.mistakes.append(Mistake(self.file, line, f"{node.value!r}: {error}"))
            return None


class _TooLarge(Exception):
    """Stops the building; never leaves this file."""


def documents(text: str, file: str) -> tuple[list[Located], list[Mistake]]:
    """Return the YAML documents of `text` and what is wrong with its form.

    Empty documents (between two `---`) are left out. After a mistake in the YAML itself
    nothing below it can be read, so that mistake is the last one.
    """
    builder = _Builder(file)
    found: list[Located] = []
    try:
        found.extend(builder.build(node, _line(node)) for node in _nodes(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        detail = f"this is not YAML: {error.problem or error.context}"
        builder.mistakes.append(Mistake(file, mark.line + 1 if mark else 1, detail))
    except yaml.YAMLError as error:  # such as a character that YAML does not allow
        builder.mistakes.append(Mistake(file, 1, f"this is not YAML: {error}"))
    except (_TooLarge, RecursionError):
        builder.mistakes.append(Mistake(file, 1, f"more than {_MAX_NODES} values; split the file"))
    return [one for one in found if one.value is not None], builder.mistakes


def _nodes(text: str) -> Iterator[yaml.Node]:
    nodes: Iterator[yaml.Node] = yaml.compose_all(text, yaml.SafeLoader)
    return nodes


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
