-- Who may read which rows: the second lock, behind the grants. No person's role is granted a table of this schema; people read through
-- functions, which write their own event. Should a host grant a table all the same, these policies show each person what is theirs.
--
-- They only ever open reading: with no policy for writing, row security refuses every write of a role that does not own the tables. Each
-- compares a column with what a function says once a query, so that a person's rows are looked up in an index and not searched
-- for. Each function says NULL when the connection speaks for nobody, and nothing equals NULL.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- whose rows

-- The tenant of which the subject may see every row.
CREATE FUNCTION medzen.admin_tenant() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN medzen.current_subject() IS NOT NULL AND medzen.is_system_admin() THEN medzen.current_tenant() END
$$;

-- The tenant whose audit log the subject may read.
CREATE FUNCTION medzen.auditor_tenant() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN medzen.current_subject() IS NOT NULL AND (medzen.is_auditor() OR medzen.is_system_admin())
    THEN medzen.current_tenant() END
$$;

-- The recordings that the subject may see: those that they take part in, or all of the tenant. One list for both, since a policy
-- with an OR in it could not be looked up in an index. It reads past the policies of recording_participant, which ask it.
CREATE FUNCTION medzen.visible_recordings() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN medzen.admin_tenant() IS NULL
    THEN ARRAY(
      SELECT p.recording_id FROM medzen.recording_participant p
      WHERE p.tenant = medzen.current_tenant() AND p.participant = medzen.current_subject())
    ELSE ARRAY(SELECT r.id FROM medzen.recording r WHERE r.tenant = medzen.admin_tenant()) END
$$;

CREATE INDEX consent_of ON medzen.consent (tenant, participant, at, id);

-- The same for records of consent: the subject's own.
CREATE FUNCTION medzen.visible_consents() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN medzen.admin_tenant() IS NULL
    THEN ARRAY(
      SELECT c.id FROM medzen.consent c
      WHERE c.tenant = medzen.current_tenant() AND c.participant = medzen.current_subject())
    ELSE ARRAY(SELECT c.id FROM medzen.consent c WHERE c.tenant = medzen.admin_tenant()) END
$$;

-- ---- policies

DROP POLICY consent_own ON medzen.consent;
DROP POLICY consent_admin ON medzen.consent;
DROP POLICY recording_participants ON medzen.recording;
DROP POLICY recording_admin ON medzen.recording;
DROP POLICY recording_participant_self ON medzen.recording_participant;
DROP POLICY recording_participant_admin ON medzen.recording_participant;
DROP POLICY retention_fact_admin ON medzen.retention_fact;
DROP POLICY legal_hold_admin ON medzen.legal_hold;

CREATE POLICY visible ON medzen.recording FOR SELECT
  USING (tenant = (SELECT medzen.current_tenant()) AND id = ANY ((SELECT medzen.visible_recordings())::uuid[]));
CREATE POLICY visible ON medzen.recording_participant FOR SELECT
  USING (tenant = (SELECT medzen.current_tenant()) AND recording_id = ANY ((SELECT medzen.visible_recordings())::uuid[]));
CREATE POLICY visible ON medzen.consent FOR SELECT
  USING (tenant = (SELECT medzen.current_tenant()) AND id = ANY ((SELECT medzen.visible_consents())::uuid[]));
CREATE POLICY admins ON medzen.consent_session FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY admins ON medzen.retention_subject FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY admins ON medzen.retention_fact FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY admins ON medzen.retention_warning FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY admins ON medzen.postponed FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY admins ON medzen.removed_version FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY admins ON medzen.legal_hold FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));
CREATE POLICY auditors ON medzen.audit_event FOR SELECT USING (tenant = (SELECT medzen.auditor_tenant()));
-- The tree is one for all tenants. Its hashes and signatures say nothing of anybody; what hangs on an event shows to whom the event does.
CREATE POLICY auditors ON medzen.audit_leaf FOR SELECT
  USING (EXISTS (SELECT FROM medzen.audit_event e WHERE e.id = event_id));
CREATE POLICY auditors ON medzen.audit_rows FOR SELECT
  USING (EXISTS (SELECT FROM medzen.audit_event e WHERE e.id = event_id));
CREATE POLICY auditors ON medzen.audit_head FOR SELECT USING ((SELECT medzen.auditor_tenant()) IS NOT NULL);
CREATE POLICY auditors ON medzen.audit_tile FOR SELECT USING ((SELECT medzen.auditor_tenant()) IS NOT NULL);
CREATE POLICY auditors ON medzen.audit_checkpoint FOR SELECT USING ((SELECT medzen.auditor_tenant()) IS NOT NULL);

-- Row security does not see TRUNCATE. The owner can disable these, as he can drop the table.
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.migration FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.permission FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.audit_pending FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.rate_limit FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.consent_session FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.retention_subject FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.postponed FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.removed_version FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.webhook_seen FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- ---- what roles of the database may read

-- Which role may read which relation, all of it or these columns: the source of the grants, and of the policies that let the role
-- see every tenant's rows.
CREATE TABLE medzen.select_permission (
  role text NOT NULL,
  relation text NOT NULL,
  columns text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (role, relation)
);
ALTER TABLE medzen.select_permission ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.select_permission
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- Notes that a role may read some columns of a relation, all when none is named; granted by the trailer of the migration. Not for
-- people: they read through functions of medzen_api, which write their own event.
CREATE FUNCTION medzen.permit_select(p_role text, p_relation text, VARIADIC p_columns text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_role IN ('public', 'anon', 'authenticated') THEN
    PERFORM medzen.fail('invalid_configuration', 'People read through functions of medzen_api, and nobody unknown reads');
  END IF;
  INSERT INTO medzen.select_permission AS p (role, relation, columns) VALUES (p_role, p_relation, p_columns)
  ON CONFLICT (role, relation) DO UPDATE SET columns = CASE WHEN '{}' IN (p.columns, excluded.columns) THEN '{}'
    ELSE ARRAY(SELECT DISTINCT c FROM unnest(p.columns || excluded.columns) c ORDER BY 1) END;
END
$$;

-- Grants what is noted above to the roles that exist, and what policies and views ask. Safe to repeat.
CREATE FUNCTION medzen.apply_select_permissions() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_grant record;
BEGIN
  FOR v_grant IN
    SELECT p.role, p.relation, p.columns, c.relrowsecurity AS guarded, y.polname AS policy
    FROM medzen.select_permission p
    JOIN pg_roles r ON r.rolname = p.role
    JOIN pg_class c ON c.relname = p.relation AND c.relnamespace = 'medzen'::regnamespace
    LEFT JOIN pg_policy y ON y.polrelid = c.oid AND y.polname = p.role
    ORDER BY 1, 2
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA medzen TO %I', v_grant.role);
    EXECUTE format('GRANT SELECT %s ON medzen.%I TO %I',
      (SELECT '(' || string_agg(quote_ident(c), ', ') || ')' FROM unnest(v_grant.columns) c), v_grant.relation, v_grant.role);
    IF v_grant.guarded AND v_grant.policy IS NULL THEN
      EXECUTE format('CREATE POLICY %I ON medzen.%I FOR SELECT TO %1$I USING (true)', v_grant.role, v_grant.relation);
    END IF;
  END LOOP;
  -- Policies and views ask their functions in the name of the reader.
  FOR v_grant IN
    SELECT DISTINCT r.rolname AS role, f.oid::regprocedure::text AS signature
    FROM medzen.select_permission p
    JOIN pg_roles r ON r.rolname = p.role
    JOIN pg_proc f ON f.pronamespace = 'medzen'::regnamespace AND f.proname IN ('current_tenant', 'admin_tenant', 'auditor_tenant',
      'visible_recordings', 'visible_consents', 'now', 'uuid_floor')
    ORDER BY 1, 2
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_grant.signature, v_grant.role);
  END LOOP;
END
$$;

-- What the trailer of each migration calls does both from here on.
ALTER FUNCTION medzen.apply_permissions() RENAME TO apply_function_permissions;
CREATE FUNCTION medzen.apply_permissions() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  PERFORM medzen.apply_function_permissions();
  PERFORM medzen.apply_select_permissions();
END
$$;

-- ---- views
-- All with the rights and rows of the reader (security_invoker).

-- Who people are, for reports. Empty, until the host replaces it by a view of its own with these columns (CREATE OR REPLACE VIEW). The
-- host's view decides who sees whom: say security_invoker = false when its readers have no rights on the host's tables.
CREATE VIEW medzen.directory WITH (security_invoker = true) AS
SELECT NULL::text AS subject, NULL::text AS id, NULL::text AS role, NULL::text AS email, NULL::timestamptz AS created_at WHERE false;

-- Access to what concerns patients, by person and month (UTC): this month and the twelve before it.
CREATE VIEW medzen.monthly_phi_access WITH (security_invoker = true) AS
WITH since AS (
  SELECT m.at, medzen.uuid_floor(m.at - interval '1 minute') AS id
  -- Months are counted on UTC's calendar, which the session's need not be: a year back from 28 February in New York is not always one.
  FROM (SELECT (date_trunc('month', medzen.now() AT TIME ZONE 'UTC') - interval '12 months') AT TIME ZONE 'UTC' AS at) m
), access AS (
  SELECT e.tenant, e.at, e.actor, e.patient, e.outcome, e.target_type FROM medzen.audit_event e
  -- All but strays are found by their ids: older partitions are not opened.
  WHERE e.id >= (SELECT s.id FROM since s)
    AND NOT e.stray AND e.patient IS NOT NULL AND e.at >= (SELECT s.at FROM since s)
  UNION ALL
  SELECT e.tenant, e.at, e.actor, e.patient, e.outcome, e.target_type FROM medzen.audit_event e
  WHERE e.stray AND e.patient IS NOT NULL AND e.at >= (SELECT s.at FROM since s)
), counted AS (
  SELECT a.tenant, date_trunc('month', a.at AT TIME ZONE 'UTC')::date AS month, a.actor,
    count(*) FILTER (WHERE a.outcome = 'success') AS accesses,
    count(DISTINCT a.patient) FILTER (WHERE a.outcome = 'success') AS patients,
    count(DISTINCT a.target_type) FILTER (WHERE a.outcome = 'success') AS target_types,
    count(*) FILTER (WHERE a.outcome <> 'success') AS refused
  FROM access a
  GROUP BY 1, 2, 3
)
SELECT c.tenant, c.month, c.actor, d.id AS directory_id, d.role, d.email, c.accesses, c.patients, c.target_types, c.refused
FROM counted c
LEFT JOIN LATERAL (
  SELECT p.id, p.role, p.email FROM medzen.directory p WHERE p.subject = c.actor ORDER BY p.created_at DESC NULLS LAST LIMIT 1) d ON true;

-- What is past its retention and not yet deleted: since when, from when on it may go, by which rules, and what stands in the way.
CREATE VIEW medzen.recordings_pending_deletion WITH (security_invoker = true) AS
SELECT r.tenant, r.id AS recording_id, r.session_id, r.patient, r.state, r.started_at, r.retain_until,
  -- At the earliest: until people were warned of the end of the grace, nobody can say.
  greatest(r.grace_until, r.deletable_at) AS deletable_from,
  CASE
    WHEN r.state = 'deleting' THEN 'deleting'
    WHEN r.hold_count > 0 THEN 'held'
    WHEN r.request_count > 0 THEN 'access requested'
    WHEN r.facts_revision <> r.subject_revision THEN 'to be decided again'
    WHEN r.deletable_at <= medzen.now() THEN 'due'
    WHEN r.grace_until <= medzen.now() AND r.deletable_at IS NULL THEN 'to be warned of'
    WHEN r.grace_until <= medzen.now() THEN 'in notice'
    ELSE 'in grace'
  END AS status,
  r.deletable_at IS NOT NULL AS warned, r.rule_ids, r.rules_version, r.decided_at, r.hold_count,
  ARRAY(
    SELECT h.matter FROM medzen.legal_hold h
    WHERE h.tenant = r.tenant AND (h.recording_id = r.id OR h.patient = r.patient) AND h.released_at IS NULL
    ORDER BY h.placed_at, h.id) AS hold_matters
FROM medzen.recording r
WHERE r.state = 'deleting' OR (r.state IN ('available', 'archived', 'failed') AND r.retain_until <= medzen.now());

SELECT medzen.permit_select('medzen_auditor', r) FROM unnest(ARRAY['audit_event', 'audit_rows', 'audit_leaf', 'audit_tile', 'audit_checkpoint',
  'audit_head', 'audit_pending', 'directory', 'monthly_phi_access', 'recordings_pending_deletion']) r;
-- What the view of these reads, and not where the media lies.
SELECT medzen.permit_select('medzen_auditor', 'recording', 'tenant', 'id', 'session_id', 'patient', 'state', 'started_at',
  'retain_until', 'grace_until', 'deletable_at', 'rule_ids', 'rules_version', 'decided_at', 'facts_revision', 'subject_revision', 'hold_count', 'request_count');
SELECT medzen.permit_select('medzen_auditor', 'legal_hold', 'tenant', 'id', 'recording_id', 'patient', 'matter', 'placed_at',
  'released_at');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000013_access', 'c54021ad4ba3e1da3670b58427c747488dcaf15693aaa195fdc5852fe7762435', false);
