"""Each API token in plain text of the release before is copied, hashed: no phone is logged out.

The release before still reads its table until it is stopped, so its rows stay; `accounts.plain_tokens`
deletes them later. A copied token counts as made now: when it was used last, nobody wrote down.
"""

from datetime import timedelta
from hashlib import sha256

from django.db import migrations
from knox.crypto import hash_token
from knox.settings import CONSTANTS

from radiotalk import clock

TABLE = "authtoken_token"
PAGE = """
    SELECT token.key, token.user_id, account.password
    FROM authtoken_token token JOIN auth_user account ON account.id = token.user_id
    WHERE token.key > %s AND account.is_active
    ORDER BY token.key LIMIT 5000
"""


def copy(apps, schema_editor):
    ApiToken = apps.get_model("accounts", "ApiToken")
    now = clock.now()
    with schema_editor.connection.cursor() as cursor:
        if TABLE not in schema_editor.connection.introspection.table_names(cursor):
            return
        last = ""
        while rows := page(cursor, last):
            ApiToken._base_manager.bulk_create(
                (
                    ApiToken(
                        user_id=user_id,
                        digest=hash_token(key),
                        token_key=key[: CONSTANTS.TOKEN_KEY_LENGTH],
                        fingerprint=sha256(password.encode()).hexdigest(),
                        created=now,
                        expiry=now + timedelta(days=90),
                    )
                    for key, user_id, password in rows
                ),
                ignore_conflicts=True,  # the migration may have been stopped half-way
            )
            last = rows[-1][0]


def page(cursor, last):
    cursor.execute(PAGE, [last])
    return cursor.fetchall()


class Migration(migrations.Migration):
    atomic = False  # a page is a transaction: millions of tokens are not one

    dependencies = [("accounts", "0002_api_tokens")]

    operations = [migrations.RunPython(copy, migrations.RunPython.noop)]
