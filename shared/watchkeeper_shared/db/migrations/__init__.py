"""The schema, revision by revision, for both databases; carried inside the package."""

from watchkeeper_shared.db.migrations.schema import check, upgrade

__all__ = ["check", "upgrade"]
