-- Deletion: claim what is due, commit the intent, note what is removed before it is, and after the objects are gone and that is
-- proved, the tombstone. Until something is noted there is a way back.

SET LOCAL search_path = pg_catalog, pg_temp;

-- Versions that the object store was asked to remove from recordings in deletion, so that the
-- tombstone counts each version once, even after a crash.
CREATE TABLE medzen.removed_version (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  ref text COLLATE "C" NOT NULL CHECK (length(ref) BETWEEN 1 AND 128),
  size bigint NOT NULL CHECK (size >= 0),
  PRIMARY KEY (tenant, recording_id, ref),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id)
);
ALTER TABLE medzen.removed_version ENABLE ROW LEVEL SECURITY;

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
    -- Two index scans, each in order of the deadline or, when that is later, of the end of the back-off. What the merge leaves over is
    -- unlocked a moment later.
    WITH unfinished AS MATERIALIZED (
      SELECT r.id, greatest(r.grace_until, r.claim_after) AS turn FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state = 'deleting' AND r.claim_after <= v_clock
      ORDER BY greatest(r.grace_until, r.claim_after), r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    ), expired AS MATERIALIZED (
      SELECT r.id, greatest(r.deletable_at, r.claim_after) AS turn FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state IN ('available', 'archived', 'failed') AND r.hold_count = 0 AND r.request_count = 0
        AND r.facts_revision = r.subject_revision AND r.rules_version = p_rules_version AND r.deletable_at IS NOT NULL
        AND r.deletable_at <= p_now AND r.claim_after <= v_clock AND (r.keep_until IS NULL OR r.keep_until <= p_now)
        AND greatest(r.deletable_at, r.claim_after) <= greatest(p_now, v_clock)
      ORDER BY greatest(r.deletable_at, r.claim_after), r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    ), due AS (
      SELECT * FROM unfinished UNION ALL SELECT * FROM expired ORDER BY turn, id LIMIT p_limit
    )
    SELECT array_agg(due.id ORDER BY due.turn, due.id) INTO v_ids FROM due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND (r.claim_until IS NULL OR r.claim_until <= v_clock) AND (
        r.state = 'deleting'
        OR (r.state IN ('available', 'archived', 'failed') AND r.hold_count = 0 AND r.request_count = 0
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
  p_by text,
  p_reason text,
  p_rule_ids text[],
  p_citations text[],
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
    WHEN v_row.request_count > 0 THEN 'access_requested'
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

  UPDATE medzen.recording r SET
    state = 'deleting',
    state_at = p_now,
    deletion = jsonb_build_object(
      'from', r.state,
      'basis', 'retention',
      'startedAt', medzen.format_instant(p_now),
      'startedBy', p_by,
      'reason', p_reason,
      'ruleIds', to_jsonb(p_rule_ids),
      'citations', to_jsonb(p_citations)),
    revision = r.revision + 1
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'begun', 'recording', medzen.recording_json(v_row));
END $$;

-- Notes what is removed next. The first note decides: a fact, a hold or an access request before it stops the deletion, and none after it can.
CREATE FUNCTION medzen.note_removal(
  p_tenant text,
  p_id uuid,
  p_token text,
  p_refs text[],
  p_sizes text[],
  p_kept text[],
  p_provider boolean,
  p_facts_revision integer,
  p_rules_version text
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  IF cardinality(p_refs) > 1000 OR cardinality(p_kept) > 1000 OR cardinality(p_refs) <> cardinality(p_sizes) THEN
    PERFORM medzen.fail('invalid_input', 'removing and kept must have at most 1000 members each');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.state <> 'deleting' THEN 'not_begun'
    WHEN medzen.is_beyond_recall(v_row) OR NOT p_provider AND cardinality(p_refs) = 0 THEN NULL
    WHEN v_row.hold_count > 0 THEN 'held'
    WHEN v_row.request_count > 0 THEN 'access_requested'
    WHEN v_row.deletion ->> 'basis' = 'retention' AND (v_row.rules_version IS DISTINCT FROM p_rules_version
      OR v_row.facts_revision IS DISTINCT FROM p_facts_revision
      OR v_row.facts_revision IS DISTINCT FROM v_row.subject_revision
      -- A floor that was set since it began, though another worker has decided with it by now.
      OR v_row.keep_until > (v_row.deletion ->> 'startedAt')::timestamptz) THEN 'stale'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;

  DELETE FROM medzen.removed_version v WHERE v.tenant = p_tenant AND v.recording_id = p_id AND v.ref = ANY (p_kept);
  INSERT INTO medzen.removed_version (tenant, recording_id, ref, size)
  SELECT p_tenant, p_id, u.ref, max(u.size::bigint) FROM unnest(p_refs, p_sizes) u(ref, size) GROUP BY u.ref
  ON CONFLICT (tenant, recording_id, ref) DO NOTHING;
  UPDATE medzen.recording r SET
    removed_versions = n.versions,
    removed_bytes = n.bytes,
    deletion = CASE WHEN p_provider THEN r.deletion || '{"providerAsked": true}' ELSE r.deletion END
  FROM (
    SELECT count(*)::integer AS versions, coalesce(sum(v.size), 0)::bigint AS bytes FROM medzen.removed_version v
    WHERE v.tenant = p_tenant AND v.recording_id = p_id) n
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  RETURN jsonb_build_object('status', 'noted', 'recording', medzen.recording_json(v_row));
END $$;

-- Records the last reading of a lock in the object store.
CREATE FUNCTION medzen.note_lock(p_tenant text, p_id uuid, p_token text, p_lock jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_token text;
BEGIN
  SELECT r.claim_token::text INTO v_token FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  ELSIF v_token IS DISTINCT FROM p_token THEN
    RETURN jsonb_build_object('status', 'lease_lost');
  END IF;
  UPDATE medzen.recording r SET object_lock = p_lock WHERE r.tenant = p_tenant AND r.id = p_id;
  RETURN jsonb_build_object('status', 'noted');
END $$;

-- Takes a deletion back of which nothing was removed, and gives the claim back as release_claim does after a failure.
CREATE FUNCTION medzen.cancel_deletion(
  p_tenant text, p_id uuid, p_token text, p_at timestamptz, p_failure_code text, p_event_id text, p_event_body bytea
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
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.state <> 'deleting' THEN 'not_begun'
    WHEN medzen.is_beyond_recall(v_row) THEN 'beyond_recall'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;

  UPDATE medzen.recording r SET
    state = CASE WHEN r.deletion ->> 'from' = 'archived' AND r.retain_until > p_at THEN 'available' ELSE r.deletion ->> 'from' END,
    state_at = p_at,
    deletion = NULL,
    revision = r.revision + 1,
    claim_token = NULL,
    claim_until = NULL,
    claim_after = medzen.now() + medzen.claim_backoff(r.claim_attempts)
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'canceled', 'recording', medzen.recording_json(v_row));
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
  -- Nothing had to be removed, so no note of it was refused.
  IF NOT medzen.is_beyond_recall(v_row) AND v_row.hold_count + v_row.request_count > 0 THEN
    RETURN jsonb_build_object('status', CASE WHEN v_row.hold_count > 0 THEN 'held' ELSE 'access_requested' END);
  END IF;

  UPDATE medzen.recording r SET
    state = 'deleted',
    state_at = (p_tombstone ->> 'deletedAt')::timestamptz,
    tombstone = p_tombstone,
    media = NULL,
    object = NULL,
    object_lock = NULL,
    deletion = NULL,
    revision = r.revision + 1,
    claim_token = NULL,
    claim_until = NULL,
    claim_attempts = 0,
    claim_after = '-infinity'
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  DELETE FROM medzen.removed_version v WHERE v.tenant = p_tenant AND v.recording_id = p_id;
  DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'finished', 'recording', medzen.recording_json(v_row));
END $$;

SELECT medzen.permit('medzen_app', 'claim_expired', 'begin_deletion', 'note_removal', 'note_lock', 'cancel_deletion',
  'finish_deletion');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000009_deletion', '158fdf9a2a76c5b268e77866fba8aa3bf36512fe2fc3f3571e90537e4ef1b633', false);
