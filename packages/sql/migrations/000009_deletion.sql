-- Deletion: claim what is due, commit the intent, and after the objects are gone and that is proved, the tombstone.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE FUNCTION medzen.claim_expired(
  p_tenant text, p_now timestamptz, p_rules_version text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_clock timestamptz := medzen.now();
  v_ids uuid[];
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  IF p_id IS NULL THEN
    -- Two index scans, each in order of the deadline. What the merge leaves over is unlocked a moment later.
    WITH unfinished AS MATERIALIZED (
      SELECT r.id, r.grace_until AS deadline FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state = 'deleting' AND r.claim_after <= v_clock
      ORDER BY r.grace_until NULLS FIRST, r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    ), expired AS MATERIALIZED (
      SELECT r.id, r.deletable_at AS deadline FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state IN ('available', 'archived', 'failed') AND r.hold_count = 0
        AND r.facts_revision = r.subject_revision AND r.rules_version = p_rules_version
        AND r.deletable_at <= p_now AND r.claim_after <= v_clock AND (r.keep_until IS NULL OR r.keep_until <= p_now)
      ORDER BY r.deletable_at, r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    ), due AS (
      SELECT * FROM unfinished UNION ALL SELECT * FROM expired ORDER BY deadline NULLS FIRST, id LIMIT p_limit
    )
    SELECT array_agg(due.id ORDER BY due.deadline NULLS FIRST, due.id) INTO v_ids FROM due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND (r.claim_until IS NULL OR r.claim_until <= v_clock) AND (
        r.state = 'deleting'
        OR (r.state IN ('available', 'archived', 'failed') AND r.hold_count = 0
          AND r.facts_revision = r.subject_revision AND r.rules_version = p_rules_version AND r.deletable_at <= p_now
          AND (r.keep_until IS NULL OR r.keep_until <= p_now)))
      FOR NO KEY UPDATE SKIP LOCKED) due;
  END IF;
  RETURN medzen.take_claims(p_tenant, coalesce(v_ids, '{}'), p_lease_ms);
END $$;

CREATE FUNCTION medzen.begin_deletion(
  p_tenant text,
  p_id uuid,
  p_token text,
  p_facts_revision integer,
  p_rules_version text,
  p_now timestamptz,
  p_event_id text,
  p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  -- A fact or a hold, on the patient too, updates this very row before it commits: what we read here is what stands.
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.state = 'deleting' THEN 'begun'
    WHEN v_row.hold_count > 0 THEN 'held'
    WHEN v_row.rules_version IS DISTINCT FROM p_rules_version
      OR v_row.facts_revision IS DISTINCT FROM p_facts_revision
      OR v_row.facts_revision IS DISTINCT FROM v_row.subject_revision THEN 'stale'
    WHEN v_row.state NOT IN ('available', 'archived', 'failed')
      OR v_row.deletable_at IS NULL OR v_row.deletable_at > p_now OR v_row.keep_until > p_now THEN 'not_due'
  END;
  IF v_status = 'begun' THEN
    RETURN jsonb_build_object('status', 'begun', 'recording', medzen.recording_json(v_row));
  ELSIF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;

  UPDATE medzen.recording r SET state = 'deleting', state_at = p_now, revision = r.revision + 1
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'begun', 'recording', medzen.recording_json(v_row));
END $$;

CREATE FUNCTION medzen.finish_deletion(
  p_tenant text, p_id uuid, p_token text, p_tombstone jsonb, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.state = 'deleted' THEN 'already_deleted'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;
  IF v_row.state <> 'deleting' THEN
    PERFORM medzen.fail('invalid_transition', 'The deletion was not begun');
  END IF;

  UPDATE medzen.recording r SET
    state = 'deleted',
    state_at = (p_tombstone ->> 'deletedAt')::timestamptz,
    tombstone = p_tombstone,
    media = NULL,
    object = NULL,
    revision = r.revision + 1,
    claim_token = NULL,
    claim_until = NULL,
    claim_attempts = 0,
    claim_after = '-infinity'
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'finished', 'recording', medzen.recording_json(v_row));
END $$;

SELECT medzen.permit('medzen_app', 'claim_expired', 'begin_deletion', 'finish_deletion');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000009_deletion', 'f650b81412dc1fd9447a3d8e57650cd86b2a5b60c6f1337ac48b5d5669b55675', false);
