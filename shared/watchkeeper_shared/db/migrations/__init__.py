"""The schema, revision by revision, for both databases; carried inside the package."""

from watchkeeper_shared.db.migrations.schema import check, require, upgrade

__all__ = ["check", "require", "upgrade"]
