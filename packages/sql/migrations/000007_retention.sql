-- Retention: facts about a patient from which rules count, and the decisions made from them.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.retention_fact (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  patient text COLLATE "C" NOT NULL,
  -- The patient's revision that this fact made.
  revision integer NOT NULL CHECK (revision >= 1),
  type text NOT NULL CHECK (type IN
    ('treatment', 'discharge', 'therapy_ended', 'birth', 'death', 'claim_opened', 'claim_closed')),
  -- A calendar date in the fact's own zone, never an instant.
  date date NOT NULL,
  zone text NOT NULL CHECK (length(zone) BETWEEN 1 AND 64),
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, patient, revision),
  FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject (tenant, patient)
);

ALTER TABLE medzen.retention_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY retention_fact_admin ON medzen.retention_fact FOR SELECT USING (medzen.is_system_admin());
CREATE TRIGGER retention_fact_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.retention_fact
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.note_fact(
  p_tenant text,
  p_id uuid,
  p_patient text,
  p_type text,
  p_date date,
  p_zone text,
  p_event_id text,
  p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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
    IF (v_old.patient, v_old.type, v_old.date, v_old.zone) IS DISTINCT FROM (p_patient, p_type, p_date, p_zone) THEN
      PERFORM medzen.fail('conflict', 'A fact with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated', 'revision', v_revision);
  END IF;

  v_revision := v_revision + 1;
  BEGIN
    INSERT INTO medzen.retention_fact (tenant, id, patient, revision, type, date, zone)
    VALUES (p_tenant, p_id, p_patient, v_revision, p_type, p_date, p_zone);
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
      SELECT jsonb_agg(jsonb_build_object(
        'id', f.id, 'patient', f.patient, 'type', f.type, 'date', to_char(f.date, 'YYYY-MM-DD'), 'zone', f.zone)
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
  p_grace_until timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_row medzen.recording;
  v_restored boolean;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
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

CREATE FUNCTION medzen.list_due_warnings(p_tenant text, p_now timestamptz, p_limit integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY r.warn_at, r.id), '[]')
  FROM (
    SELECT q.* FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.deletable_at IS NULL
      AND q.warn_at <= p_now AND q.grace_until IS NOT NULL
    ORDER BY q.warn_at, q.id
    LIMIT p_limit) r;
END;

CREATE FUNCTION medzen.record_warning(
  p_tenant text, p_id uuid, p_deadline timestamptz, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'recorded');
END $$;

CREATE FUNCTION medzen.list_due_archives(
  p_tenant text, p_now timestamptz, p_rules_version text, p_limit integer
) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY r.retain_until, r.id), '[]')
  FROM (
    SELECT q.* FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.state = 'available' AND q.facts_revision = q.subject_revision
      AND q.rules_version = p_rules_version AND q.retain_until <= p_now
    ORDER BY q.retain_until, q.id
    LIMIT p_limit) r;
END;

SELECT medzen.permit('medzen_app', 'note_fact', 'list_facts', 'list_stale_decisions', 'save_decision',
  'list_due_warnings', 'record_warning', 'list_due_archives');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000007_retention', 'b356b14a60dc719179789abaceebb329e6be0f3019a880bbfbd556c8e8f18fa3', false);
