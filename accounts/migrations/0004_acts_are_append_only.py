"""The database itself refuses to change, delete or truncate what operators did, whoever asks.

Code only inserts acts, so the code before does not notice. ALWAYS: also for a session that has
switched triggers off (session_replication_role). Who owns the table can still drop the trigger:
the roles of web and worker own none.
"""

from typing import Any

from django.db import migrations, models

PROTECT = {
    "postgresql": [
        """
        CREATE FUNCTION refuse_to_change_acts() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'accounts_act is append-only: % is refused', TG_OP
                USING ERRCODE = 'insufficient_privilege';
        END
        $$
        """,
        """
        CREATE TRIGGER act_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts_act
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_acts()
        """,
        "ALTER TABLE accounts_act ENABLE ALWAYS TRIGGER act_is_append_only",
    ],
    "sqlite": [
        f"""
        CREATE TRIGGER act_is_append_only_{act.lower()} BEFORE {act} ON accounts_act
            BEGIN SELECT RAISE(ABORT, 'accounts_act is append-only: {act} is refused'); END
        """
        for act in ("UPDATE", "DELETE")
    ],
}
UNPROTECT = {
    "postgresql": [
        "DROP TRIGGER act_is_append_only ON accounts_act",
        "DROP FUNCTION refuse_to_change_acts()",
    ],
    "sqlite": [
        f"DROP TRIGGER act_is_append_only_{act}" for act in ("update", "delete")
    ],
}


def protect(apps: Any, schema_editor: Any) -> None:
    """Make the triggers."""
    for statement in PROTECT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def unprotect(apps: Any, schema_editor: Any) -> None:
    """Drop them."""
    for statement in UNPROTECT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_copy_plain_tokens")]

    operations = [
        migrations.AddIndex(
            model_name="act",
            index=models.Index(
                fields=["name"], name="act_by_name", opclasses=["varchar_pattern_ops"]
            ),
        ),
        migrations.RunPython(protect, unprotect),
    ]
