"""What every table is declared with: the metadata, names of constraints, kinds of columns."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# SQLite never looks at a length, and would copy a whole table to forget one.
SEGMENT = sa.Text().with_variant(sa.String(255), "sqlite")


def table(name: str, owner: str, *items: sa.schema.SchemaItem) -> sa.Table:
    """Declare a table and the one service that writes it."""
    return sa.Table(name, metadata, *items, info={"owner": owner})
