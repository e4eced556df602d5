"""Bring a file to the schema of this version: the migrations, then the views."""

import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database

from . import SCHEMA
from .schema import migrations
from .views import definitions, fingerprint

if TYPE_CHECKING:
    from . import Store


def upgrade(store: "Store") -> None:
    """Apply what is missing in one transaction; when another process got there first, nothing is."""
    with store.writing() as db:
        migrations.apply(Database(db))
        db.execute(f"pragma user_version = {SCHEMA}")
        make_views(db)


def make_views(db: sqlite3.Connection) -> None:
    """Replace every view by today's definition."""
    for (name,) in db.execute("select name from sqlite_schema where type = 'view'").fetchall():
        db.execute(f"drop view [{name}]")
    for statement in definitions().values():
        db.execute(statement)
    db.execute("insert or replace into _meta values ('views', ?)", (fingerprint(),))
