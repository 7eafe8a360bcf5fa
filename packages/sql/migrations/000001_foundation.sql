-- The schema, its ledger, its clock, its roles and the one way to refuse.
--
-- The word medzen on its own stands for the schema, and in medzen_api, the one that people call; an installer that uses another
-- name replaces it in both. This file is real SQL and can be run as it is. Its last lines write its id and checksum to the ledger,
-- whoever runs it.

-- Expressions bind their operators when they are made: to those of Postgres only, whoever may make others in another schema.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA IF NOT EXISTS medzen;

-- The owner of a schema may drop its objects and put others in their place.
DO $$
DECLARE
  v_schema text;
BEGIN
  FOR v_schema IN
    SELECT n.nspname FROM pg_namespace n
    WHERE n.oid IN (to_regnamespace('medzen'), to_regnamespace('medzen_api')) AND pg_get_userbyid(n.nspowner) <> current_user
  LOOP
    RAISE EXCEPTION USING ERRCODE = 'MZ002', MESSAGE = format('The schema %I is there already, and of another owner', v_schema),
      HINT = format('Drop it, or ALTER SCHEMA %I OWNER TO %I', v_schema, current_user);
  END LOOP;
END
$$;

-- The functions that people call, and nothing else, ever: another owner's schema would be shut to
-- PUBLIC.
DO $$
BEGIN
  IF to_regnamespace('medzen_api') IS NULL THEN
    CREATE SCHEMA medzen_api;
  ELSIF EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('medzen_api'))
    OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace('medzen_api')) THEN
    RAISE EXCEPTION USING ERRCODE = 'MZ002', MESSAGE = 'The schema medzen_api is there already, and is not empty';
  END IF;
END
$$;

-- ---- roles
-- Groups, without login: a host grants them to the logins of its services. The owner of the schema is whoever runs the
-- migrations, and no service should be that. Where the runner may not create roles, the database's administrator
-- creates them and calls medzen.apply_permissions().

DO $$
DECLARE
  v_role text;
BEGIN
  FOREACH v_role IN ARRAY ARRAY['medzen_app', 'medzen_sequencer', 'medzen_auditor'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
    EXCEPTION
      -- There already (roles belong to the cluster, not to the database), made this moment by another installer, or not ours to make.
      WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
    END;
  END LOOP;
END
$$;

-- ---- ledger

CREATE TABLE medzen.migration (
  id text PRIMARY KEY,
  -- SHA-256 of the file above its trailer, with the schema's name as the placeholder.
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  -- A library that does not know this migration must not work with the database.
  breaking boolean NOT NULL
);
ALTER TABLE medzen.migration ENABLE ROW LEVEL SECURITY;

-- The functions that each role may call: the source of every GRANT, and of the manifest that the
-- wires are driven by. A function of the people's schema is written with its schema.
CREATE TABLE medzen.permission (
  role text NOT NULL,
  function text NOT NULL,
  PRIMARY KEY (role, function)
);
ALTER TABLE medzen.permission ENABLE ROW LEVEL SECURITY;

-- Shuts everything to PUBLIC and to the roles that anybody with a browser can take on in PostgREST, then opens to each existing
-- role what it may call. The service_role of Supabase may call what services may; it does not inherit, so no GRANT of a role would
-- give it anything. Safe to repeat: after a role was made, or somebody has granted what he should not.
CREATE FUNCTION medzen.apply_permissions() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_shut text;
  v_grant record;
BEGIN
  FOR v_shut IN SELECT 'PUBLIC' UNION ALL SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA medzen, medzen_api FROM %s', v_shut);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA medzen, medzen_api FROM %s', v_shut);
    EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA medzen, medzen_api FROM %s', v_shut);
    EXECUTE format('REVOKE ALL ON SCHEMA medzen, medzen_api FROM %s', v_shut);
  END LOOP;
  FOR v_grant IN
    SELECT r.rolname AS role, f.pronamespace::regnamespace::text AS schema,
      string_agg(DISTINCT f.oid::regprocedure::text, ', ') AS signatures
    FROM medzen.permission p
    JOIN pg_roles r ON r.rolname = p.role OR r.rolname = 'service_role' AND p.role IN ('medzen_app', 'medzen_sequencer')
    JOIN pg_proc f ON f.pronamespace = 'medzen'::regnamespace AND f.proname = p.function
      OR f.pronamespace = 'medzen_api'::regnamespace AND 'medzen_api.' || f.proname = p.function
    GROUP BY 1, 2
    ORDER BY 1, 2
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', v_grant.schema, v_grant.role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_grant.signatures, v_grant.role);
  END LOOP;
END
$$;

-- Notes that a role may call functions; granted by the trailer of the migration, or by apply_permissions(). A host's own roles too.
CREATE FUNCTION medzen.permit(p_role text, VARIADIC p_functions text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_role IN ('anon', 'public') OR p_role = 'authenticated'
    AND EXISTS (SELECT FROM unnest(p_functions) f WHERE NOT starts_with(f, 'medzen_api.')) THEN
    PERFORM medzen.fail('invalid_configuration', 'People may call functions of medzen_api only, and nobody unknown any');
  END IF;
  INSERT INTO medzen.permission (role, function) SELECT p_role, f FROM unnest(p_functions) f ON CONFLICT DO NOTHING;
END
$$;

-- Begins to undo a migration, in the transaction that does it: rollback/ has a script for each. Refuses unless it is the last one
-- applied. Tables whose rows would be gone are named; when they hold any, the person who runs it must have said so.
CREATE FUNCTION medzen.begin_rollback(p_id text, VARIADIC p_losing text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_last text;
  v_table text;
  v_rows bigint;
  v_lost text[] := '{}';
BEGIN
  -- An installer, or a service that asks what is applied, waits until this is done.
  LOCK TABLE medzen.migration IN ACCESS EXCLUSIVE MODE;
  SELECT max(m.id COLLATE "C") INTO v_last FROM medzen.migration m;
  IF v_last <> p_id THEN
    PERFORM medzen.fail('conflict', format('Migrations are undone from the last one on, which is %s', v_last));
  END IF;
  FOREACH v_table IN ARRAY p_losing LOOP
    -- The rows counted here are the rows that will be dropped.
    EXECUTE format('LOCK TABLE medzen.%I IN ACCESS EXCLUSIVE MODE', v_table);
    EXECUTE format('SELECT count(*) FROM medzen.%I', v_table) INTO v_rows;
    IF v_rows > 0 THEN
      v_lost := v_lost || format('%s (%s rows)', v_table, v_rows);
    END IF;
  END LOOP;
  IF v_lost <> '{}' AND current_setting('medzen.rollback', true) IS DISTINCT FROM 'lose data' THEN
    PERFORM medzen.fail('forbidden', format('Undoing %s would lose %s. If that is meant: SET medzen.rollback = ''lose data''',
      p_id, array_to_string(v_lost, ', ')));
  END IF;
  DELETE FROM medzen.migration m WHERE m.id = p_id;
END
$$;

-- Lists the applied migrations for the library, which checks at run time and never migrates.
CREATE FUNCTION medzen.read_migrations() RETURNS TABLE (id text, checksum text, breaking boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT m.id, m.checksum, m.breaking FROM medzen.migration m ORDER BY m.id COLLATE "C"
$$;

-- Answers a service once, when it starts: whether its role may call the functions it needs, and
-- whether the server is fit for the log. The caller is the role that was set, as PostgREST does it,
-- or the login.
CREATE FUNCTION medzen.read_installation() RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_caller name := coalesce(nullif(current_setting('role', true), 'none'), session_user);
BEGIN
  RETURN jsonb_build_object(
    'caller', v_caller,
    'superuser', (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_caller),
    'owner', pg_has_role(v_caller, (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'medzen'), 'MEMBER'),
    'version', current_setting('server_version_num')::int,
    'standby', pg_is_in_recovery(),
    'durable', current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off',
    'clock', medzen.format_instant(clock_timestamp()),
    'lacking', (
      SELECT coalesce(jsonb_object_agg(l.role, l.functions), '{}') FROM (
        SELECT p.role, jsonb_agg(DISTINCT p.function ORDER BY p.function) AS functions
        FROM medzen.permission p
        JOIN pg_proc f ON f.pronamespace = 'medzen'::regnamespace AND f.proname = p.function
        WHERE p.role IN ('medzen_app', 'medzen_sequencer', 'medzen_auditor')
          AND NOT has_function_privilege(v_caller, f.oid, 'EXECUTE')
        GROUP BY p.role
      ) l));
END
$$;

-- ---- clock
-- Leases, limits and lag run on the database's own clock. It moves within a transaction, unlike pg_catalog.now(), so that a
-- long transaction does not carry an old instant. medzen_test, a migration for tests and the demo, replaces it.

CREATE FUNCTION medzen.now() RETURNS timestamptz
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN pg_catalog.clock_timestamp();

-- RFC 3339 in UTC with milliseconds: the form in which instants leave the database.
CREATE FUNCTION medzen.format_instant(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- ---- errors
-- One SQLSTATE of class MZ a code of the library's closed union, so that a wire turns it back without reading the message.
-- For bugs, bad input and conflicts; a refusal that has to be audited is returned as a row, because raising would undo its event.

CREATE FUNCTION medzen.fail(p_code text, p_message text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_codes CONSTANT text[] := ARRAY[
    'invalid_input', 'invalid_configuration', 'unauthenticated', 'forbidden', 'origin_not_allowed', 'not_found', 'gone',
    'method_not_allowed', 'conflict', 'audit_conflict', 'invalid_transition', 'consent_required', 'retention_active', 'held',
    'too_late', 'body_too_large', 'unsupported_media_type', 'rate_limited', 'signature_invalid', 'checksum_mismatch',
    'lease_lost', 'checkpoint_inconsistent', 'not_available', 'store_unavailable', 'provider_unavailable', 'wire_busy',
    'migration_missing', 'migration_drift', 'internal'];
  v_at int := array_position(v_codes, p_code);
BEGIN
  IF v_at IS NULL THEN
    RAISE EXCEPTION 'medzen.fail does not know the code %', p_code;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MZ' || lpad(v_at::text, 3, '0'), MESSAGE = p_message;
END
$$;

-- Port methods name their tenant; a name that no scope could have is a bug of the caller.
CREATE FUNCTION medzen.check_tenant(p_tenant text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_tenant IS NULL OR p_tenant !~ '^[a-z0-9][a-z0-9_-]{0,63}$' THEN
    PERFORM medzen.fail('invalid_input', 'p_tenant must be 1 to 64 characters of a-z, 0-9, ''_'' and ''-'', starting with a letter or digit');
  END IF;
END
$$;

-- ---- identity

-- A setting that holds a JSON object: NULL when it is absent, reads as '' (as it does once SET LOCAL has ended), or is anything
-- else, since a proxy may have put anything there. jsonb cannot hold a NUL: the replacement character stands for it.
CREATE FUNCTION medzen.read_setting(p_name text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_value jsonb;
BEGIN
  v_value := replace(nullif(current_setting(p_name, true), ''), '\u0000', '\ufffd');
  RETURN CASE WHEN jsonb_typeof(v_value) = 'object' THEN v_value END;
EXCEPTION
  WHEN data_exception OR program_limit_exceeded THEN RETURN NULL;
END
$$;

-- The subject of the person on whose behalf the connection speaks, as text: identity providers' subjects are not always UUIDs.
-- Claims that PostgREST verified come before what the host's own code set. Not the caller's rights but the caller's settings
-- count, so policies may ask. A host may replace this function.
CREATE FUNCTION medzen.current_subject() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_sub jsonb := medzen.read_setting('request.jwt.claims') -> 'sub';
BEGIN
  RETURN coalesce(
    CASE WHEN jsonb_typeof(v_sub) = 'string' THEN nullif(v_sub #>> '{}', '') END,
    nullif(current_setting('medzen.actor', true), ''));
END
$$;

-- True when the current subject may examine the log. Nobody, until the host replaces this function.
CREATE FUNCTION medzen.is_auditor() RETURNS boolean
LANGUAGE sql STABLE
RETURN false;

SELECT medzen.permit('medzen_app', 'read_migrations', 'read_installation', 'current_subject');
SELECT medzen.permit('medzen_sequencer', 'read_migrations', 'read_installation');
SELECT medzen.permit('medzen_auditor', 'read_migrations', 'read_installation', 'current_subject');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000001_foundation', '8f62d8b3785c94b235b6e90908ca743a86f3a61ec0a34a69fef5f5e57edc83d8', false);
