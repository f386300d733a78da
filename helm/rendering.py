# ruff: noqa: INP001 - a script, run by its path
"""Lint and render the chart the way Helm does, and say the result as JSON.

Run with the Python of the environment that has `helm-python-sdk` (see
`watchkeeper_shared.testing.charts`), never with the product's:

    python helm/rendering.py helm/watchkeeper '{"database": {"existingSecret": "db"}}'

It stands alone because that environment has none of our packages.
"""

import importlib
import json
import sys
from typing import Any

_ERROR = 3  # Helm's scale: 1 is information, 2 a warning, 3 an error


def main(chart: str, values: str) -> dict[str, Any]:
    """Return lint messages and the rendered templates, or the refusal in Helm's words."""
    helm = importlib.import_module("helm_python")
    given = json.loads(values)
    try:
        messages = helm.lint(chart, given, strict=True)
        with helm.Chart.load(chart) as loaded:
            rendered = loaded.render(given, name="release", namespace="watch")
    except helm.HelmError as refusal:
        return {"refused": str(refusal)}
    return {"lint": messages, "rendered": rendered}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:3]), sys.stdout)
