-- The roles of Radiotalk in PostgreSQL: what web and worker may do, each no more than it needs.
--
-- Run it after each `manage.py migrate`, and before the web and the workers of the release are
-- started (docs/operations.md, "Roles of the database"):
--
--     psql --file deploy/postgresql/roles.sql DATABASE
--
-- as a superuser the first time, since it makes roles; afterwards radiotalk_owner may run it, too.
-- It is one transaction, and done again it changes nothing. Passwords are set by hand: \password.

\set ON_ERROR_STOP on

BEGIN;

-- As a migration does: whoever waits for a lock has others wait behind.
SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = public;
SET LOCAL client_min_messages = error;

-- --- The roles ----------------------------------------------------------------------------------

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['radiotalk_owner', 'radiotalk_web', 'radiotalk_worker'] LOOP
        IF to_regrole(role) IS NULL THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
    END LOOP;
END
$$;

-- radiotalk_owner owns all; migrations run as it. Nobody else makes anything.
GRANT USAGE, CREATE ON SCHEMA public TO radiotalk_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, radiotalk_web, radiotalk_worker;
GRANT USAGE ON SCHEMA public TO radiotalk_web, radiotalk_worker;

DO $$
DECLARE
    what record;
BEGIN
    FOR what IN
        SELECT 'TABLE ' || oid::regclass AS name, relowner AS owner FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        UNION ALL
        SELECT 'FUNCTION ' || oid::regprocedure, proowner FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prorettype = 'trigger'::regtype
    LOOP
        IF what.owner <> 'radiotalk_owner'::regrole THEN
            EXECUTE format('ALTER %s OWNER TO radiotalk_owner', what.name);
        END IF;
    END LOOP;
END
$$;

-- --- What they may do with each table -----------------------------------------------------------

-- A table without a line here is an error: whoever adds a model decides who may do what with it.
-- Sequences need no grants (all are of identity columns), nor do foreign keys. Nobody may TRUNCATE.
DO $$
DECLARE
    line record;
    forgotten text;
    granted CONSTANT text[][] := ARRAY[
        -- Table                          what the web may                  what the worker may
        -- Accounts, sessions, tokens, second factors: the web's alone.
        ['auth_user',                     'SELECT, INSERT, UPDATE, DELETE', ''],
        ['auth_user_groups',              'SELECT, INSERT, UPDATE, DELETE', ''],
        ['auth_user_user_permissions',    'SELECT, INSERT, UPDATE, DELETE', ''],
        ['auth_group',                    'SELECT, INSERT, UPDATE, DELETE', ''],
        ['auth_group_permissions',        'SELECT, INSERT, UPDATE, DELETE', ''],
        ['accounts_apitoken',             'SELECT, INSERT, UPDATE, DELETE', ''],
        ['authtoken_token',               'SELECT, DELETE',                 ''],  -- of releases before
        ['django_session',                'SELECT, INSERT, UPDATE, DELETE', ''],
        ['mfa_authenticator',             'SELECT, INSERT, UPDATE, DELETE', ''],
        ['account_emailaddress',          'SELECT, INSERT, UPDATE, DELETE', ''],
        ['account_emailconfirmation',     'SELECT, INSERT, UPDATE, DELETE', ''],
        ['axes_accessattempt',            'SELECT, INSERT, UPDATE, DELETE', ''],
        ['axes_accessattemptexpiration',  'SELECT, INSERT, UPDATE, DELETE', ''],
        ['axes_accessfailurelog',         'SELECT, INSERT, UPDATE, DELETE', ''],
        ['axes_accesslog',                'SELECT, INSERT, UPDATE, DELETE', ''],
        -- What operators did. A trigger keeps even the owner from changing acts.
        ['accounts_act',                  'SELECT, INSERT',                 ''],
        ['django_admin_log',              'SELECT, INSERT, UPDATE, DELETE', ''],
        ['notifications_answeredform',    'SELECT, INSERT, UPDATE, DELETE', ''],
        -- The switch. How the web may go live is said further below.
        ['notifications_sendingswitch',   'SELECT, INSERT, UPDATE',         'SELECT'],
        -- Programs. The worker locks a program's row while it counts (notifications/caps.py), and
        -- PostgreSQL lets lock only who may change a column: this one means nothing to anybody.
        ['programs_program',              'SELECT, INSERT, UPDATE, DELETE', 'SELECT, UPDATE (created_at)'],
        ['programs_talk',                 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'],
        ['programs_clip',                 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'],
        -- Sending. The worker disables devices; it gives none to another listener.
        ['notifications_devicetoken',     'SELECT, INSERT, UPDATE, DELETE',
                                          'SELECT, UPDATE (disabled_at, disabled_reason)'],
        ['notifications_eraseddevice',    'SELECT, INSERT, DELETE',         ''],
        ['notifications_notification',    'SELECT, INSERT, UPDATE',         'SELECT, INSERT, UPDATE'],
        ['notifications_delivery',        'SELECT, UPDATE, DELETE',         'SELECT, INSERT, UPDATE'],
        ['notifications_batch',           'SELECT, DELETE',                 'SELECT, INSERT, UPDATE'],
        ['notifications_sendingminute',   'SELECT, DELETE',                 'SELECT, INSERT, UPDATE, DELETE'],
        ['notifications_testpush',        'SELECT, INSERT, DELETE',         'SELECT, UPDATE'],
        ['notifications_workerlease',     'SELECT',                         'SELECT, INSERT, UPDATE'],
        ['notifications_standby',         'SELECT',                         'SELECT, INSERT, UPDATE, DELETE'],
        -- What migrations write.
        ['auth_permission',               'SELECT',                         ''],
        ['django_content_type',           'SELECT',                         ''],
        ['django_migrations',             'SELECT',                         'SELECT']
    ];
BEGIN
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, radiotalk_web, radiotalk_worker;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, radiotalk_web, radiotalk_worker;

    SELECT string_agg(relname, ', ' ORDER BY relname) INTO forgotten FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
      AND relname <> ALL (granted[:][1:1]);
    IF forgotten IS NOT NULL THEN
        RAISE EXCEPTION 'No line in roles.sql says who may do what with: %', forgotten;
    END IF;

    FOR line IN
        SELECT granted[n][1] AS name, granted[n][2] AS web, granted[n][3] AS worker
        FROM generate_subscripts(granted, 1) AS n WHERE to_regclass(granted[n][1]) IS NOT NULL
    LOOP
        IF line.web <> '' THEN
            EXECUTE format('GRANT %s ON %I TO radiotalk_web', line.web, line.name);
        END IF;
        IF line.worker <> '' THEN
            EXECUTE format('GRANT %s ON %I TO radiotalk_worker', line.worker, line.name);
        END IF;
    END LOOP;
END
$$;

-- --- What rings wants an act ---------------------------------------------------------------------

-- Return whether this very transaction has kept an act (accounts/acts.py), which nobody can erase,
-- by an account that may. So whoever gets into the web's session with the database leaves in the
-- table of acts whose name they used, and when.
CREATE OR REPLACE FUNCTION has_just_acted(
    wanted_act text, wanted_about text, by_account bigint, permission text
) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Of the transaction; its savepoints have later numbers, and what they wrote has theirs.
    own CONSTANT bigint := pg_current_xact_id()::text::bigint;
    wanted CONSTANT bigint[] := ARRAY(
        SELECT id FROM public.auth_permission WHERE codename = permission);
BEGIN
    PERFORM FROM public.accounts_act AS act
    JOIN public.auth_user AS account ON account.id = act.account_id
    WHERE act.name = wanted_act AND act.about = wanted_about AND act.account_id = by_account
      AND act.at > now() - interval '1 day'  -- beyond 2^31 transactions their numbers come again
      AND CASE WHEN (act.xmin::text::bigint - own) & 4294967295 < 2147483648
          THEN pg_xact_status((own + ((act.xmin::text::bigint - own) & 4294967295))::text::xid8)
          END = 'in progress'  -- and seen: by nobody but the transaction itself
      AND account.is_active AND account.is_staff AND (
          account.is_superuser
          OR EXISTS (SELECT FROM public.auth_user_user_permissions AS given
                     WHERE given.user_id = account.id AND given.permission_id = ANY (wanted))
          OR EXISTS (SELECT FROM public.auth_user_groups AS member
                     JOIN public.auth_group_permissions AS given USING (group_id)
                     WHERE member.user_id = account.id AND given.permission_id = ANY (wanted))
      );
    RETURN FOUND;
END
$$;
ALTER FUNCTION has_just_acted(text, text, bigint, text) OWNER TO radiotalk_owner;

-- Nobody but the owner sets the switch to live, or makes live go on for longer or to more, without
-- an act of going live (notifications/operators/acts/switch.py).
CREATE OR REPLACE FUNCTION refuse_live_without_act() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role('radiotalk_owner', 'MEMBER') OR NEW.mode <> 'live' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.mode = 'live' AND OLD.live_by_id IS NOT DISTINCT FROM NEW.live_by_id
       AND coalesce(NEW.live_until, 'infinity') <= coalesce(OLD.live_until, 'infinity')
       AND coalesce(NEW.max_audience, 'infinity'::float) <= coalesce(OLD.max_audience, 'infinity'::float)
    THEN
        RETURN NEW;
    END IF;
    IF NOT public.has_just_acted('operator.live', '', NEW.live_by_id, 'go_live') THEN
        RAISE EXCEPTION 'Nobody goes live without an act of an account that may'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
ALTER FUNCTION refuse_live_without_act() OWNER TO radiotalk_owner;

-- ALWAYS: also in a session that has switched triggers off.
CREATE OR REPLACE TRIGGER no_live_without_act BEFORE INSERT OR UPDATE ON notifications_sendingswitch
    FOR EACH ROW EXECUTE FUNCTION refuse_live_without_act();
ALTER TABLE notifications_sendingswitch ENABLE ALWAYS TRIGGER no_live_without_act;

-- A test push is real in a dry run and in a pause as well, so whoever could write one would ring
-- any phone with any text: it wants an act as well (notifications/operators/test_push.py).
CREATE OR REPLACE FUNCTION refuse_test_without_act() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_has_role('radiotalk_owner', 'MEMBER') AND NOT public.has_just_acted(
        'operator.test', 'device ' || NEW.device_id, NEW.by_id, 'send_test')
    THEN
        RAISE EXCEPTION 'Nobody sends a test without an act of an account that may'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
ALTER FUNCTION refuse_test_without_act() OWNER TO radiotalk_owner;

CREATE OR REPLACE TRIGGER no_test_without_act BEFORE INSERT ON notifications_testpush
    FOR EACH ROW EXECUTE FUNCTION refuse_test_without_act();
ALTER TABLE notifications_testpush ENABLE ALWAYS TRIGGER no_test_without_act;

COMMIT;
