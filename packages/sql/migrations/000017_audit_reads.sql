-- Reading the log: who saw how much in a month, what must be reviewed, and how far those who follow
-- the log have come.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- the monthly summary

-- Access to what concerns patients, by month (UTC) and actor; the latest month first, and in it the
-- actor with the most accesses.
CREATE FUNCTION medzen.summarize_access(p_tenant text, p_from timestamptz, p_to timestamptz, p_limit int)
RETURNS TABLE (month text, actor text, accesses text, patients text, target_types text, refused text, tables text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF num_nulls(p_from, p_to, p_limit) > 0 OR p_limit NOT BETWEEN 1 AND 100001 THEN
    PERFORM medzen.fail('invalid_input', 'p_from, p_to and p_limit (1 to 100001) are required');
  END IF;
  -- Executed, so that the planner sees the span and opens no other partition. All but strays are found by their ids.
  RETURN QUERY EXECUTE $query$
    WITH access AS (
      SELECT e.at, e.actor, e.patient, e.target_type, e.outcome FROM medzen.audit_event e
      WHERE e.tenant = $1 AND e.id >= $5 AND e.id <= $6
        AND NOT e.stray AND e.patient IS NOT NULL AND e.at >= $2 AND e.at < $3
      UNION ALL
      SELECT e.at, e.actor, e.patient, e.target_type, e.outcome FROM medzen.audit_event e
      WHERE e.tenant = $1 AND e.stray AND e.patient IS NOT NULL AND e.at >= $2 AND e.at < $3
    )
    SELECT to_char(a.month, 'YYYY-MM'), a.actor, (count(*) FILTER (WHERE a.outcome = 'success'))::text,
      (count(DISTINCT a.patient) FILTER (WHERE a.outcome = 'success'))::text,
      (count(DISTINCT a.target_type) FILTER (WHERE a.outcome = 'success'))::text,
      (count(*) FILTER (WHERE a.outcome <> 'success'))::text,
      coalesce(to_json((array_agg(DISTINCT a.target_type ORDER BY a.target_type)
        FILTER (WHERE a.outcome = 'success' AND a.target_type IS NOT NULL))[1:100])::text, '[]')
    FROM (SELECT date_trunc('month', x.at AT TIME ZONE 'UTC') AS month, x.* FROM access x) a
    GROUP BY a.month, a.actor
    ORDER BY a.month DESC, count(*) FILTER (WHERE a.outcome = 'success') DESC, a.actor
    LIMIT $4
  $query$
  USING p_tenant, p_from, p_to, p_limit, medzen.uuid_floor(p_from - interval '1 minute'), medzen.uuid_floor(p_to + interval '1 minute');
END
$$;

-- ---- the review queue

-- Findings of a rule in the log, until a reviewer has signed them off. The id is made from what was
-- found, so that two who look, or one who looks twice, queue it once. No foreign key to the event:
-- that may be purged, and this stays.
CREATE TABLE medzen.review (
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL CHECK (id ~ '^[0-9a-f]{64}$'),
  rule text COLLATE "C" NOT NULL,
  event_id uuid NOT NULL,
  leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
  at timestamptz NOT NULL,
  actor text COLLATE "C" NOT NULL,
  patient text COLLATE "C",
  detail jsonb,
  queued_at timestamptz NOT NULL,
  -- All of these, or none.
  signed_at timestamptz,
  signed_by text COLLATE "C",
  outcome text COLLATE "C" CHECK (outcome IN ('appropriate', 'violation', 'inconclusive')),
  note text,
  sign_event uuid,
  PRIMARY KEY (tenant, id),
  CHECK (num_nulls(signed_at, signed_by, outcome, sign_event) IN (0, 4)),
  CHECK (note IS NULL OR signed_at IS NOT NULL)
);
CREATE INDEX review_order ON medzen.review (tenant, leaf_index, id);
CREATE INDEX review_open ON medzen.review (tenant, leaf_index, id) WHERE signed_at IS NULL;
ALTER TABLE medzen.review ENABLE ROW LEVEL SECURITY;
CREATE POLICY auditors ON medzen.review FOR SELECT USING (tenant = (SELECT medzen.auditor_tenant()));

-- What is signed stays as it is, and nothing leaves the queue.
CREATE FUNCTION medzen.refuse_review_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.signed_at IS NULL AND (NEW.tenant, NEW.id, NEW.rule, NEW.event_id, NEW.leaf_index, NEW.at, NEW.actor,
      NEW.patient, NEW.detail, NEW.queued_at) IS NOT DISTINCT FROM (OLD.tenant, OLD.id, OLD.rule, OLD.event_id, OLD.leaf_index,
      OLD.at, OLD.actor, OLD.patient, OLD.detail, OLD.queued_at) THEN
    RETURN NEW;
  END IF;
  PERFORM medzen.fail('forbidden', format('%s of review is not allowed but to sign off', TG_OP));
END
$$;
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON medzen.review
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_review_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.review FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.review_json(r medzen.review) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN jsonb_strip_nulls(jsonb_build_object(
  'id', r.id,
  'rule', r.rule,
  'eventId', r.event_id,
  'leafIndex', r.leaf_index::text,
  'at', medzen.format_instant(r.at),
  'actor', r.actor,
  'patient', r.patient,
  'queuedAt', medzen.format_instant(r.queued_at),
  'signed', CASE WHEN r.signed_at IS NOT NULL THEN jsonb_build_object('at', medzen.format_instant(r.signed_at), 'by', r.signed_by,
    'outcome', r.outcome, 'note', r.note) END))
  || CASE WHEN r.detail IS NULL THEN '{}' ELSE jsonb_build_object('detail', r.detail) END;

-- Puts what is not there yet into the queue: an array of findings. In order of id, so that two at once wait for each other.
CREATE FUNCTION medzen.queue_reviews(p_tenant text, p_findings jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_added int;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF jsonb_typeof(p_findings) IS DISTINCT FROM 'array' OR jsonb_array_length(p_findings) NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'p_findings must hold 1 to 1000 findings');
  END IF;
  -- Postgres also takes 'yesterday' for an instant.
  IF EXISTS (SELECT FROM jsonb_array_elements(p_findings) f WHERE f.value ->> 'at' NOT LIKE '____-__-__T__:__:__.___Z') THEN
    PERFORM medzen.fail('invalid_input', 'Each finding needs id, rule, eventId, leafIndex, actor and at (YYYY-MM-DDTHH:MM:SS.mmmZ)');
  END IF;
  INSERT INTO medzen.review (tenant, id, rule, event_id, leaf_index, at, actor, patient, detail, queued_at)
  SELECT p_tenant, f.value ->> 'id', f.value ->> 'rule', (f.value ->> 'eventId')::uuid, (f.value ->> 'leafIndex')::bigint,
    (f.value ->> 'at')::timestamptz, f.value ->> 'actor', f.value ->> 'patient', f.value -> 'detail', medzen.now()
  FROM jsonb_array_elements(p_findings) f
  ORDER BY f.value ->> 'id'
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_added = ROW_COUNT;
  RETURN jsonb_build_object('queued', v_added);
EXCEPTION
  WHEN check_violation OR not_null_violation OR data_exception THEN
    PERFORM medzen.fail('invalid_input', 'Each finding needs id, rule, eventId, leafIndex, actor and at (YYYY-MM-DDTHH:MM:SS.mmmZ)');
END
$$;

-- In the order of the log, from the one after p_after and p_after_id on.
CREATE FUNCTION medzen.list_reviews(
  p_tenant text, p_limit int, p_state text DEFAULT 'open', p_rule text DEFAULT NULL, p_after text DEFAULT NULL,
  p_after_id text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_found jsonb;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 OR p_state IS NULL OR p_state NOT IN ('open', 'signed', 'all') THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1001 and p_state ''open'', ''signed'' or ''all''');
  END IF;
  -- Written out for each call, so that the planner sees whether the index of what is open will do.
  EXECUTE format(
    'SELECT coalesce(jsonb_agg(medzen.review_json(q) ORDER BY q.leaf_index, q.id), ''[]'') FROM (
      SELECT r.* FROM medzen.review r WHERE r.tenant = $1 %s %s %s ORDER BY r.leaf_index, r.id LIMIT $2) q',
    CASE p_state WHEN 'open' THEN 'AND r.signed_at IS NULL' WHEN 'signed' THEN 'AND r.signed_at IS NOT NULL' ELSE '' END,
    CASE WHEN p_rule IS NULL THEN '' ELSE 'AND r.rule = $3' END,
    CASE WHEN p_after IS NULL THEN '' ELSE 'AND (r.leaf_index, r.id) > ($4, $5)' END)
  INTO v_found
  USING p_tenant, p_limit, p_rule, p_after::bigint, p_after_id;
  RETURN v_found;
END
$$;

-- Records that the event's actor has looked at it. Once, and with the event in one transaction.
CREATE FUNCTION medzen.sign_review(
  p_tenant text, p_id text, p_outcome text, p_note text, p_own boolean, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_review medzen.review;
  v_event jsonb := medzen.open_event(p_event_body);
BEGIN
  IF v_event #>> '{target,type}' IS DISTINCT FROM 'review' OR v_event #>> '{target,id}' IS DISTINCT FROM p_id THEN
    PERFORM medzen.fail('invalid_input', 'The event is about something else than this review');
  END IF;
  IF p_outcome IS NULL OR p_outcome NOT IN ('appropriate', 'violation', 'inconclusive') OR medzen.utf16_length(p_note) > 2048 THEN
    PERFORM medzen.fail('invalid_input', 'p_outcome must be ''appropriate'', ''violation'' or ''inconclusive'', and p_note at most 2048 characters');
  END IF;
  SELECT * INTO v_review FROM medzen.review r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'missing');
  END IF;
  IF v_review.signed_at IS NOT NULL THEN
    RETURN jsonb_build_object(
      'status', CASE WHEN v_review.sign_event::text = p_event_id THEN 'repeated' ELSE 'taken' END,
      'review', medzen.review_json(v_review));
  END IF;
  IF v_event #>> '{actor,id}' = v_review.actor AND p_own IS NOT TRUE THEN
    RETURN jsonb_build_object('status', 'own');
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  UPDATE medzen.review r SET
    signed_at = medzen.now(),
    signed_by = v_event #>> '{actor,id}',
    outcome = p_outcome,
    note = p_note,
    sign_event = p_event_id::uuid
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING * INTO v_review;
  RETURN jsonb_build_object('status', 'signed', 'review', medzen.review_json(v_review));
END
$$;

-- ---- followers of the log

-- Up to which leaf each of those who follow the log has done its work. The log is one for all tenants, and so are these.
CREATE TABLE medzen.tail_cursor (
  name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,127}$'),
  leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
  moved_at timestamptz NOT NULL
);
ALTER TABLE medzen.tail_cursor ENABLE ROW LEVEL SECURITY;
CREATE POLICY auditors ON medzen.tail_cursor FOR SELECT USING ((SELECT medzen.auditor_tenant()) IS NOT NULL);
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.tail_cursor FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.read_cursor(p_name text) RETURNS TABLE (leaf_index text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((SELECT c.leaf_index FROM medzen.tail_cursor c WHERE c.name = p_name), 0)::text
$$;

-- Compares and swaps. A cursor that was never moved is at 0.
CREATE FUNCTION medzen.move_cursor(p_name text, p_from text, p_to text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_name IS NULL OR p_name !~ '^[a-z0-9][a-z0-9._-]{0,127}$' THEN
    PERFORM medzen.fail('invalid_input', 'p_name must be 1 to 128 characters of a-z, 0-9, ''.'', ''_'', ''-'' and start with a letter or digit');
  END IF;
  IF p_to::bigint NOT BETWEEN 0 AND (SELECT h.size FROM medzen.audit_head h) THEN
    PERFORM medzen.fail('invalid_input', 'p_from and p_to must be from 0 to the size of the log');
  END IF;
  INSERT INTO medzen.tail_cursor (name, leaf_index, moved_at) VALUES (p_name, 0, medzen.now()) ON CONFLICT DO NOTHING;
  UPDATE medzen.tail_cursor c SET leaf_index = p_to::bigint, moved_at = medzen.now()
  WHERE c.name = p_name AND c.leaf_index = p_from::bigint;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'moved' ELSE 'conflict' END);
END
$$;

SELECT medzen.permit('medzen_app', 'summarize_access', 'list_reviews', 'sign_review');
SELECT medzen.permit('medzen_sequencer', 'queue_reviews', 'read_cursor', 'move_cursor');
SELECT medzen.permit('medzen_auditor', 'summarize_access', 'list_reviews', 'read_cursor');
SELECT medzen.permit_select('medzen_auditor', 'review');
SELECT medzen.permit_select('medzen_auditor', 'tail_cursor');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000017_audit_reads', '80afdcd2987ee5e4198b137add652ca8c758ed43d429e484604988bf300196b4', false);
