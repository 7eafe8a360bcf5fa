-- Retention: facts about a patient from which rules count, and the decisions made from them.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.retention_fact (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  patient text COLLATE "C" NOT NULL,
  -- The patient's revision that this fact made.
  revision integer NOT NULL CHECK (revision >= 1),
  type text NOT NULL CHECK (type IN
    ('treatment', 'discharge', 'therapy_ended', 'birth', 'death', 'claim_opened', 'claim_closed', 'void')),
  -- A calendar date in the fact's own zone, never an instant.
  date date NOT NULL CHECK (date BETWEEN '1900-01-01' AND '9000-12-31'),
  zone text NOT NULL CHECK (length(zone) BETWEEN 1 AND 64),
  -- The mistaken fact that this one takes back. Nothing is ever removed: a fact is void while a fact that voids it stands.
  voids uuid,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, patient, revision),
  FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject (tenant, patient),
  FOREIGN KEY (tenant, voids) REFERENCES medzen.retention_fact (tenant, id),
  CHECK (type <> 'void' OR voids IS NOT NULL),
  CHECK (voids <> id)
);
CREATE INDEX retention_fact_voids ON medzen.retention_fact (tenant, patient, revision) WHERE voids IS NOT NULL;

ALTER TABLE medzen.retention_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY retention_fact_admin ON medzen.retention_fact FOR SELECT USING (medzen.is_system_admin());
CREATE TRIGGER retention_fact_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.retention_fact
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- Lists the void facts of a patient. A correction stands unless a later one voids it, so the latest
-- is looked at first.
CREATE FUNCTION medzen.void_facts(p_tenant text, p_patient text, p_voiding uuid DEFAULT NULL) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_void uuid[] := array_remove(ARRAY[p_voiding], NULL);
  v_fact record;
BEGIN
  FOR v_fact IN
    SELECT f.id, f.voids FROM medzen.retention_fact f
    WHERE f.tenant = p_tenant AND f.patient = p_patient AND f.voids IS NOT NULL
    ORDER BY f.revision DESC
  LOOP
    IF v_fact.id <> ALL (v_void) THEN
      v_void := v_void || v_fact.voids;
    END IF;
  END LOOP;
  RETURN v_void;
END $$;

-- The name of a zone, not one of the abbreviations and POSIX rules that Postgres takes for zones too.
CREATE FUNCTION medzen.is_zone(p_zone text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_zone ~ '^[A-Za-z][A-Za-z_-]*(/[A-Za-z][A-Za-z_-]*){1,2}$' OR p_zone ~ '^Etc/GMT[+-]?[0-9]{1,2}$' THEN
    PERFORM medzen.now() AT TIME ZONE p_zone;
    RETURN true;
  END IF;
  RETURN p_zone = 'UTC' OR EXISTS (SELECT FROM pg_timezone_names z WHERE lower(z.name) = lower(p_zone));
EXCEPTION
  WHEN invalid_parameter_value THEN RETURN false;
END $$;

-- Repeats the checks that a client must make before it calls, for one that did not. The caller has
-- locked the patient's subject.
CREATE FUNCTION medzen.check_fact(
  p_tenant text, p_patient text, p_type text, p_date date, p_zone text, p_voids uuid
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_void uuid[];
BEGIN
  IF NOT coalesce(medzen.is_zone(p_zone), false) THEN
    PERFORM medzen.fail('invalid_input', 'zone must name an IANA time zone, such as America/New_York');
  END IF;
  IF NOT coalesce(p_date BETWEEN '1900-01-01' AND '9000-12-31', false)
    OR p_date > (medzen.now() AT TIME ZONE p_zone)::date + 1 THEN
    PERFORM medzen.fail('invalid_input',
      'date must be from 1900-01-01 to one day after today; note what is still to come on the day it happens');
  END IF;
  IF p_type = 'void' AND p_voids IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'voids must name the fact that was a mistake');
  END IF;
  IF p_voids IS NOT NULL THEN
    IF NOT EXISTS (
      SELECT FROM medzen.retention_fact f WHERE f.tenant = p_tenant AND f.id = p_voids AND f.patient = p_patient) THEN
      PERFORM medzen.fail('invalid_input', 'voids must name a fact of this patient; explain lists them with their ids');
    END IF;
    IF p_voids = ANY (medzen.void_facts(p_tenant, p_patient)) THEN
      PERFORM medzen.fail('conflict', 'voids must name a fact that stands; this one is void already');
    END IF;
  END IF;
  IF p_type IN ('birth', 'death') THEN
    v_void := medzen.void_facts(p_tenant, p_patient, p_voids);
    IF p_type = 'birth' AND EXISTS (
      SELECT FROM medzen.retention_fact f
      WHERE f.tenant = p_tenant AND f.patient = p_patient AND f.id <> ALL (v_void) AND f.date < p_date
        AND f.type IN ('treatment', 'discharge', 'therapy_ended', 'death')) THEN
      PERFORM medzen.fail('invalid_input',
        'date of a birth must not be after care or a death that was noted; if that fact is the mistake, void it first');
    END IF;
    IF p_type = 'death' AND EXISTS (
      SELECT FROM medzen.retention_fact f
      WHERE f.tenant = p_tenant AND f.patient = p_patient AND f.id <> ALL (v_void) AND f.date > p_date
        AND f.type = 'birth') THEN
      PERFORM medzen.fail('invalid_input',
        'date of a death must not be before the birth that was noted; if that fact is the mistake, void it first');
    END IF;
  END IF;
END $$;

CREATE FUNCTION medzen.note_fact(
  p_tenant text,
  p_id uuid,
  p_patient text,
  p_type text,
  p_date date,
  p_zone text,
  p_event_id text,
  p_event_body bytea,
  p_voids uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_old medzen.retention_fact;
  v_revision integer;
BEGIN
  INSERT INTO medzen.retention_subject (tenant, patient) VALUES (p_tenant, p_patient) ON CONFLICT DO NOTHING;
  SELECT s.revision INTO v_revision FROM medzen.retention_subject s
  WHERE s.tenant = p_tenant AND s.patient = p_patient FOR NO KEY UPDATE;

  SELECT * INTO v_old FROM medzen.retention_fact f WHERE f.tenant = p_tenant AND f.id = p_id;
  IF found THEN
    IF (v_old.patient, v_old.type, v_old.date, v_old.zone, v_old.voids)
      IS DISTINCT FROM (p_patient, p_type, p_date, p_zone, p_voids) THEN
      PERFORM medzen.fail('conflict', 'A fact with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated', 'revision', v_revision);
  END IF;

  PERFORM medzen.check_fact(p_tenant, p_patient, p_type, p_date, p_zone, p_voids);
  v_revision := v_revision + 1;
  BEGIN
    INSERT INTO medzen.retention_fact (tenant, id, patient, revision, type, date, zone, voids)
    VALUES (p_tenant, p_id, p_patient, v_revision, p_type, p_date, p_zone, p_voids);
  EXCEPTION WHEN unique_violation THEN
    -- The same id for another patient, a moment ago: this patient is locked.
    PERFORM medzen.fail('conflict', 'A fact with this id has other content');
  END;
  UPDATE medzen.retention_subject s SET revision = v_revision WHERE s.tenant = p_tenant AND s.patient = p_patient;

  -- In order of id, as everyone locks them. From here no decision on them is of the present facts.
  PERFORM FROM medzen.recording r
  WHERE r.tenant = p_tenant AND r.patient = p_patient AND r.state <> 'deleted'
  ORDER BY r.id FOR NO KEY UPDATE;
  UPDATE medzen.recording r SET subject_revision = v_revision
  WHERE r.tenant = p_tenant AND r.patient = p_patient AND r.state <> 'deleted';
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'noted', 'revision', v_revision);
END $$;

-- One statement, so that the facts are exactly those of the revision.
CREATE FUNCTION medzen.list_facts(p_tenant text, p_patient text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_build_object(
    'revision', coalesce((
      SELECT s.revision FROM medzen.retention_subject s WHERE s.tenant = p_tenant AND s.patient = p_patient), 0),
    'facts', coalesce((
      SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'id', f.id, 'patient', f.patient, 'type', f.type, 'date', to_char(f.date, 'YYYY-MM-DD'), 'zone', f.zone,
        'voids', f.voids))
        ORDER BY f.revision)
      FROM medzen.retention_fact f WHERE f.tenant = p_tenant AND f.patient = p_patient), '[]'));
END;

-- Three index scans, each in its index's order: rules before the present ones (none at all is ''), rules after them, and
-- moved facts.
CREATE FUNCTION medzen.list_stale_decisions(p_tenant text, p_rules_version text, p_limit integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_result jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY r.id), '[]') INTO v_result
  FROM medzen.recording r
  WHERE r.tenant = p_tenant AND r.id = ANY (ARRAY(
    SELECT stale.id FROM (
      (SELECT q.id FROM medzen.recording q
       WHERE q.tenant = p_tenant AND q.state <> 'deleted' AND coalesce(q.rules_version, '') < p_rules_version
       ORDER BY coalesce(q.rules_version, ''), q.id
       LIMIT p_limit)
      UNION
      (SELECT q.id FROM medzen.recording q
       WHERE q.tenant = p_tenant AND q.state <> 'deleted' AND coalesce(q.rules_version, '') > p_rules_version
       ORDER BY coalesce(q.rules_version, ''), q.id
       LIMIT p_limit)
      UNION
      (SELECT q.id FROM medzen.recording q
       WHERE q.tenant = p_tenant AND q.state <> 'deleted' AND q.facts_revision <> q.subject_revision
       ORDER BY q.id
       LIMIT p_limit)) stale
    LIMIT p_limit));
  RETURN v_result;
END $$;

-- People have from the warning to the deletion as long as was meant for them, however late it went out: in seconds, since days have
-- no length without a zone.
CREATE FUNCTION medzen.end_of_notice(
  p_warned_at timestamptz, p_warn_at timestamptz, p_grace_until timestamptz
) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN CASE WHEN p_warned_at IS NOT NULL THEN greatest(
  p_grace_until,
  p_warned_at + make_interval(secs => coalesce(extract(epoch FROM p_grace_until - p_warn_at), 0)::double precision)) END;

CREATE FUNCTION medzen.save_decision(
  p_tenant text,
  p_id uuid,
  p_rules_version text,
  p_facts_revision integer,
  p_decided_at timestamptz,
  p_rule_ids text[],
  p_event_id text,
  p_event_body bytea,
  p_retain_until timestamptz DEFAULT NULL,
  p_warn_at timestamptz DEFAULT NULL,
  p_grace_until timestamptz DEFAULT NULL,
  p_undated text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_restored boolean;
  v_before timestamptz;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_before := v_row.grace_until;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  IF v_row.state = 'deleted' OR v_row.subject_revision <> p_facts_revision THEN
    RETURN jsonb_build_object('status', 'stale');
  END IF;
  v_restored := v_row.state = 'archived' AND coalesce(p_retain_until > p_decided_at, FALSE);

  UPDATE medzen.recording r SET
    rules_version = p_rules_version,
    facts_revision = p_facts_revision,
    decided_at = p_decided_at,
    retain_until = p_retain_until,
    warn_at = p_warn_at,
    grace_until = p_grace_until,
    rule_ids = p_rule_ids,
    undated = p_undated,
    -- A deadline that moves takes back what was said of it, and is warned of anew, even should it move back.
    deletable_at = CASE WHEN r.deletable_at IS NOT NULL AND r.grace_until = p_grace_until THEN (
      SELECT medzen.end_of_notice(max(w.at), p_warn_at, p_grace_until) FROM medzen.retention_warning w
      WHERE w.tenant = p_tenant AND w.recording_id = p_id AND w.deadline = p_grace_until) END,
    state = CASE WHEN v_restored THEN 'available' ELSE r.state END,
    state_at = CASE WHEN v_restored THEN p_decided_at ELSE r.state_at END,
    revision = r.revision + 1,
    claim_token = CASE WHEN v_restored THEN NULL ELSE r.claim_token END,
    claim_until = CASE WHEN v_restored THEN NULL ELSE r.claim_until END,
    claim_attempts = CASE WHEN v_restored THEN 0 ELSE r.claim_attempts END,
    claim_after = CASE WHEN v_restored THEN '-infinity' ELSE r.claim_after END
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  IF v_row.grace_until IS DISTINCT FROM v_before THEN
    DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id AND q.queue = 'warning';
  END IF;
  IF v_restored THEN
    PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  END IF;
  RETURN jsonb_build_object(
    'status', CASE WHEN v_restored THEN 'restored' ELSE 'saved' END, 'recording', medzen.recording_json(v_row));
END $$;

CREATE TABLE medzen.retention_warning (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  -- The grace_until that was warned of.
  deadline timestamptz(3) NOT NULL,
  event_id text NOT NULL,
  -- By the database's clock: one that is behind must not shorten the notice.
  at timestamptz(3) NOT NULL DEFAULT medzen.now(),
  -- Once a time that the deadline is this one: it may move away and back.
  PRIMARY KEY (tenant, recording_id, deadline, event_id),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id)
);
ALTER TABLE medzen.retention_warning ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER retention_warning_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.retention_warning
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- Lists the warnings that are due, in order of their dates. A row that failed before takes its place by the end of its
-- postponement, behind the rows that were due before that: whatever keeps failing starves nothing.
CREATE FUNCTION medzen.list_due_warnings(p_tenant text, p_now timestamptz, p_limit integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY due.turn, due.id), '[]')
  FROM (
    (SELECT q.id, q.warn_at AS turn FROM medzen.recording q
     WHERE q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.deletable_at IS NULL
       AND q.warn_at <= p_now AND q.grace_until IS NOT NULL
       AND NOT EXISTS (
         SELECT FROM medzen.postponed p
         WHERE p.tenant = p_tenant AND p.recording_id = q.id AND p.queue = 'warning')
     ORDER BY q.warn_at, q.id
     LIMIT p_limit)
    UNION ALL
    (SELECT q.id, p.until AS turn
     FROM medzen.postponed p JOIN medzen.recording q ON q.tenant = p.tenant AND q.id = p.recording_id
     WHERE p.tenant = p_tenant AND p.queue = 'warning' AND p.until <= p_now
       AND q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.deletable_at IS NULL
       AND q.warn_at <= p_now AND q.grace_until IS NOT NULL
     ORDER BY p.until, q.id
     LIMIT p_limit)
    ORDER BY turn, id
    LIMIT p_limit) due
  JOIN medzen.recording r ON r.tenant = p_tenant AND r.id = due.id;
END;

CREATE FUNCTION medzen.record_warning(
  p_tenant text, p_id uuid, p_deadline timestamptz, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_at timestamptz;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  IF v_row.grace_until IS DISTINCT FROM p_deadline OR v_row.state IN ('deleting', 'deleted') THEN
    RETURN jsonb_build_object('status', 'stale');
  END IF;
  IF v_row.deletable_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'repeated');
  END IF;
  INSERT INTO medzen.retention_warning (tenant, recording_id, deadline, event_id)
  VALUES (p_tenant, p_id, p_deadline, p_event_id)
  RETURNING at INTO v_at;
  UPDATE medzen.recording r SET deletable_at = medzen.end_of_notice(v_at, r.warn_at, r.grace_until)
  WHERE r.tenant = p_tenant AND r.id = p_id;
  DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id AND q.queue = 'warning';
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'recorded');
END $$;

-- Lists what is past its retention, in the order of list_due_warnings.
CREATE FUNCTION medzen.list_due_archives(
  p_tenant text, p_now timestamptz, p_rules_version text, p_limit integer
) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY due.turn, due.id), '[]')
  FROM (
    (SELECT q.id, q.retain_until AS turn FROM medzen.recording q
     WHERE q.tenant = p_tenant AND q.state = 'available' AND q.facts_revision = q.subject_revision
       AND q.rules_version = p_rules_version AND q.retain_until <= p_now
       AND NOT EXISTS (
         SELECT FROM medzen.postponed p
         WHERE p.tenant = p_tenant AND p.recording_id = q.id AND p.queue = 'archive')
     ORDER BY q.retain_until, q.id
     LIMIT p_limit)
    UNION ALL
    (SELECT q.id, p.until AS turn
     FROM medzen.postponed p JOIN medzen.recording q ON q.tenant = p.tenant AND q.id = p.recording_id
     WHERE p.tenant = p_tenant AND p.queue = 'archive' AND p.until <= p_now
       AND q.tenant = p_tenant AND q.state = 'available' AND q.facts_revision = q.subject_revision
       AND q.rules_version = p_rules_version AND q.retain_until <= p_now
     ORDER BY p.until, q.id
     LIMIT p_limit)
    ORDER BY turn, id
    LIMIT p_limit) due
  JOIN medzen.recording r ON r.tenant = p_tenant AND r.id = due.id;
END;

-- Lists the recordings to which no rule and no fact gives a date, oldest first. The count is of an
-- index that holds only them, and stops.
CREATE FUNCTION medzen.list_undecided(p_tenant text, p_limit integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_count integer;
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be between 1 and 1000');
  END IF;
  SELECT count(*) INTO v_count FROM (
    SELECT FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.undated IN ('unknown', 'unjudged')
    LIMIT 10000) counted;
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY r.started_at, r.id), '[]') INTO v_result
  FROM (
    SELECT q.* FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.undated IN ('unknown', 'unjudged')
    ORDER BY q.started_at, q.id
    LIMIT p_limit) r;
  RETURN jsonb_build_object('count', v_count, 'recordings', v_result);
END $$;

-- Moves the floor of one recording later. What was decided without it is dropped, with its warning: until it is decided again nothing is
-- due, and a deletion that was claimed but not begun finds its decision stale.
CREATE FUNCTION medzen.extend_keep(
  p_tenant text, p_id uuid, p_until timestamptz, p_reason text, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  PERFORM medzen.check_keep(p_until, p_reason);
  IF p_until IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'keepUntil.until must be an instant');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  v_status := CASE
    WHEN medzen.is_beyond_recall(v_row) THEN 'too_late'
    WHEN v_row.keep_until = p_until THEN 'repeated'
    WHEN v_row.keep_until > p_until THEN 'shorter'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status, 'recording', medzen.recording_json(v_row));
  END IF;
  UPDATE medzen.recording r SET
    keep_until = p_until,
    keep_reason = p_reason,
    rules_version = NULL,
    facts_revision = NULL,
    decided_at = NULL,
    retain_until = NULL,
    warn_at = NULL,
    grace_until = NULL,
    rule_ids = NULL,
    undated = NULL,
    deletable_at = NULL,
    revision = r.revision + 1
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'extended', 'recording', medzen.recording_json(v_row));
END $$;

-- Lists media that is safe with us while the provider still has its copy, by the code of the failure that says so: the
-- oldest first, in the order of list_due_warnings.
CREATE FUNCTION medzen.list_due_discards(p_tenant text, p_failure_code text, p_now timestamptz, p_limit integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY due.turn, due.id), '[]')
  FROM (
    (SELECT q.id, q.started_at AS turn FROM medzen.recording q
     WHERE q.tenant = p_tenant AND q.failure IS NOT NULL AND q.failure ->> 'code' = p_failure_code
       AND q.state IN ('available', 'archived')
       AND NOT EXISTS (
         SELECT FROM medzen.postponed p
         WHERE p.tenant = p_tenant AND p.recording_id = q.id AND p.queue = 'discard')
     ORDER BY q.started_at, q.id
     LIMIT p_limit)
    UNION ALL
    (SELECT q.id, p.until AS turn
     FROM medzen.postponed p JOIN medzen.recording q ON q.tenant = p.tenant AND q.id = p.recording_id
     WHERE p.tenant = p_tenant AND p.queue = 'discard' AND p.until <= p_now
       AND q.tenant = p_tenant AND q.failure IS NOT NULL AND q.failure ->> 'code' = p_failure_code
       AND q.state IN ('available', 'archived')
     ORDER BY p.until, q.id
     LIMIT p_limit)
    ORDER BY turn, id
    LIMIT p_limit) due
  JOIN medzen.recording r ON r.tenant = p_tenant AND r.id = due.id;
END;

-- Takes a row out of a queue for a while, each time longer.
CREATE FUNCTION medzen.postpone_recording(
  p_tenant text, p_id uuid, p_queue text, p_failure_code text, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.postponed;
BEGIN
  PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR KEY SHARE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  INSERT INTO medzen.postponed AS q (tenant, recording_id, queue, attempts, code, until)
  VALUES (p_tenant, p_id, p_queue, 1, p_failure_code, p_now + medzen.claim_backoff(1))
  ON CONFLICT (tenant, recording_id, queue) DO UPDATE SET
    attempts = q.attempts + 1,
    code = p_failure_code,
    until = p_now + medzen.claim_backoff(q.attempts + 1)
  RETURNING q.* INTO v_row;
  RETURN jsonb_build_object('status', 'postponed', 'attempts', v_row.attempts, 'until', medzen.format_instant(v_row.until));
END $$;

-- Counts the rows of each queue that wait for a later attempt, up to 1000 each.
CREATE FUNCTION medzen.count_postponed(p_tenant text, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_build_object(
    'warning', (SELECT count(*) FROM (
      SELECT FROM medzen.postponed p WHERE p.tenant = p_tenant AND p.queue = 'warning' AND p.until > p_now LIMIT 1000) w),
    'archive', (SELECT count(*) FROM (
      SELECT FROM medzen.postponed p WHERE p.tenant = p_tenant AND p.queue = 'archive' AND p.until > p_now LIMIT 1000) a),
    'discard', (SELECT count(*) FROM (
      SELECT FROM medzen.postponed p WHERE p.tenant = p_tenant AND p.queue = 'discard' AND p.until > p_now LIMIT 1000) c),
    'deletion', (SELECT count(*) FROM (
      SELECT FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.claim_attempts > 0 AND r.state IN ('available', 'archived', 'failed', 'deleting')
        AND r.claim_after > medzen.now() AND (r.claim_until IS NULL OR r.claim_until <= medzen.now())
      LIMIT 1000) d));
END;

SELECT medzen.permit('medzen_app', 'note_fact', 'list_facts', 'list_stale_decisions', 'save_decision', 'list_due_warnings', 'record_warning',
  'list_due_archives', 'list_undecided', 'extend_keep', 'list_due_discards', 'postpone_recording', 'count_postponed');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000007_retention', 'd9ae4b1fe6370eba2531794434b33de98400bb430f6a41b2c8ebabb0daaa08d0', false);
