-- Requests for access to a record (45 CFR 164.524): on one recording, or on a patient and so on
-- each of the patient's recordings, later ones too. While one is open, nothing that it covers is
-- deleted. It meets deletions as a legal hold does.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.access_request (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  recording_id uuid,
  -- For a request on all of a patient's recordings only.
  patient text COLLATE "C",
  requested_by text NOT NULL CHECK (length(requested_by) BETWEEN 1 AND 256),
  received_at timestamptz(3) NOT NULL,
  due_at timestamptz(3) NOT NULL CHECK (due_at > received_at),
  opened_by text NOT NULL CHECK (length(opened_by) BETWEEN 1 AND 256),
  extended_at timestamptz(3),
  extended_by text CHECK (length(extended_by) BETWEEN 1 AND 256),
  extension_reason text CHECK (length(extension_reason) BETWEEN 1 AND 2048),
  closed_at timestamptz(3),
  closed_by text CHECK (length(closed_by) BETWEEN 1 AND 256),
  outcome text CHECK (outcome IN ('provided', 'denied', 'withdrawn')),
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id),
  FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject (tenant, patient),
  CHECK (num_nonnulls(recording_id, patient) = 1),
  CHECK (num_nulls(extended_at, extended_by, extension_reason) IN (0, 3)),
  CHECK (num_nulls(closed_at, closed_by, outcome) IN (0, 3))
);
CREATE INDEX access_request_recording ON medzen.access_request (tenant, recording_id) WHERE recording_id IS NOT NULL;
CREATE INDEX access_request_patient ON medzen.access_request (tenant, patient) WHERE patient IS NOT NULL;
CREATE INDEX access_request_open ON medzen.access_request (tenant, due_at, id) WHERE closed_at IS NULL;

ALTER TABLE medzen.access_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY admins ON medzen.access_request FOR SELECT USING (tenant = (SELECT medzen.admin_tenant()));

-- A request is extended once and closed once, and otherwise stays what it was.
CREATE FUNCTION medzen.guard_access_request() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF old.closed_at IS NOT NULL
    OR (old.extended_at IS NOT NULL AND (new.extended_at, new.extended_by, new.extension_reason, new.due_at)
      IS DISTINCT FROM (old.extended_at, old.extended_by, old.extension_reason, old.due_at))
    OR (new.extended_at IS NULL AND new.due_at <> old.due_at)
    OR (new.id, new.recording_id, new.patient, new.requested_by, new.received_at, new.opened_by, new.tenant)
      IS DISTINCT FROM (old.id, old.recording_id, old.patient, old.requested_by, old.received_at, old.opened_by, old.tenant) THEN
    PERFORM medzen.fail('invalid_input', 'An access request is extended once, closed once, and does not change otherwise');
  END IF;
  RETURN new;
END $$;
CREATE TRIGGER access_request_guard BEFORE UPDATE ON medzen.access_request
  FOR EACH ROW EXECUTE FUNCTION medzen.guard_access_request();
CREATE TRIGGER access_request_no_delete BEFORE DELETE OR TRUNCATE ON medzen.access_request
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.access_request_json(q medzen.access_request) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_strip_nulls(jsonb_build_object(
  'id', q.id,
  'target', CASE WHEN q.patient IS NULL
    THEN jsonb_build_object('recordingId', q.recording_id)
    ELSE jsonb_build_object('patient', q.patient) END,
  'requestedBy', q.requested_by,
  'receivedAt', medzen.format_instant(q.received_at),
  'dueAt', medzen.format_instant(q.due_at),
  'openedBy', q.opened_by,
  'extension', CASE WHEN q.extended_at IS NOT NULL THEN jsonb_build_object(
    'at', medzen.format_instant(q.extended_at), 'by', q.extended_by, 'reason', q.extension_reason) END,
  'closed', CASE WHEN q.closed_at IS NOT NULL THEN jsonb_build_object(
    'at', medzen.format_instant(q.closed_at), 'by', q.closed_by, 'outcome', q.outcome) END));

-- The answer to a request whose id is taken: opened again if it has the same target and is still open.
CREATE FUNCTION medzen.repeated_access_request(p_known medzen.access_request, p_recording_id uuid, p_patient text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_known.id IS NULL THEN
    -- Not in our snapshot: the host's transaction is REPEATABLE READ, and must begin again.
    RAISE serialization_failure USING message = 'The access request was opened by another transaction';
  END IF;
  IF (p_known.recording_id, p_known.patient) IS DISTINCT FROM (p_recording_id, p_patient) THEN
    PERFORM medzen.fail('conflict', 'An access request with this id has another target');
  END IF;
  IF p_known.closed_at IS NOT NULL THEN
    PERFORM medzen.fail('conflict', 'An access request with this id was closed');
  END IF;
  RETURN jsonb_build_object('status', 'opened', 'tooLate', medzen.beyond_recall_of(p_known.tenant, p_patient));
END $$;

-- Adds to the counts that the queues look at. The caller has locked the subject; its recordings are locked here, in order of id.
CREATE FUNCTION medzen.count_access_request(p_tenant text, p_recording_id uuid, p_patient text, p_by integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_recording_id IS NOT NULL THEN
    UPDATE medzen.recording r SET request_count = r.request_count + p_by
    WHERE r.tenant = p_tenant AND r.id = p_recording_id;
  ELSE
    UPDATE medzen.retention_subject s SET requests = s.requests + p_by WHERE s.tenant = p_tenant AND s.patient = p_patient;
    PERFORM FROM medzen.recording r
    WHERE r.tenant = p_tenant AND r.patient = p_patient
    ORDER BY r.id FOR NO KEY UPDATE;
    UPDATE medzen.recording r SET request_count = r.request_count + p_by
    WHERE r.tenant = p_tenant AND r.patient = p_patient;
  END IF;
END $$;

CREATE FUNCTION medzen.open_access_request(
  p_tenant text,
  p_id uuid,
  p_requested_by text,
  p_received_at timestamptz,
  p_due_at timestamptz,
  p_opened_by text,
  p_event_id text,
  p_event_body bytea,
  p_recording_id uuid DEFAULT NULL,
  p_patient text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_old medzen.access_request;
BEGIN
  IF num_nonnulls(p_recording_id, p_patient) <> 1 THEN
    PERFORM medzen.fail('invalid_input', 'An access request is on one recording or on one patient');
  END IF;
  SELECT * INTO v_old FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id;
  IF found THEN
    RETURN medzen.repeated_access_request(v_old, p_recording_id, p_patient);
  END IF;

  IF p_recording_id IS NULL THEN
    INSERT INTO medzen.retention_subject (tenant, patient) VALUES (p_tenant, p_patient) ON CONFLICT DO NOTHING;
    PERFORM FROM medzen.retention_subject s WHERE s.tenant = p_tenant AND s.patient = p_patient FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_recording_id FOR NO KEY UPDATE;
    IF NOT found THEN
      RETURN jsonb_build_object('status', 'not_found');
    END IF;
    IF EXISTS (
      SELECT FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_recording_id AND medzen.is_beyond_recall(r)) THEN
      RETURN jsonb_build_object('status', 'too_late', 'recordingIds', jsonb_build_array(p_recording_id));
    END IF;
  END IF;

  BEGIN
    INSERT INTO medzen.access_request (tenant, id, recording_id, patient, requested_by, received_at, due_at, opened_by)
    VALUES (p_tenant, p_id, p_recording_id, p_patient, p_requested_by, p_received_at, p_due_at, p_opened_by);
  EXCEPTION WHEN unique_violation THEN
    -- Opened a moment ago, by a retry or by another person.
    SELECT * INTO v_old FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id;
    RETURN medzen.repeated_access_request(v_old, p_recording_id, p_patient);
  END;
  PERFORM medzen.count_access_request(p_tenant, p_recording_id, p_patient, 1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'opened', 'tooLate', medzen.beyond_recall_of(p_tenant, p_patient));
END $$;

CREATE FUNCTION medzen.extend_access_request(
  p_tenant text, p_id uuid, p_at timestamptz, p_by text, p_reason text, p_due_at timestamptz, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_request medzen.access_request;
BEGIN
  SELECT * INTO v_request FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  ELSIF v_request.closed_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'closed');
  ELSIF v_request.extended_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'already_extended');
  END IF;
  UPDATE medzen.access_request q SET extended_at = p_at, extended_by = p_by, extension_reason = p_reason, due_at = p_due_at
  WHERE q.tenant = p_tenant AND q.id = p_id;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'extended');
END $$;

CREATE FUNCTION medzen.close_access_request(
  p_tenant text, p_id uuid, p_at timestamptz, p_by text, p_outcome text, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_request medzen.access_request;
BEGIN
  -- The target never changes, so it is read first and locked in the common order.
  SELECT * INTO v_request FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  PERFORM FROM medzen.retention_subject s
  WHERE s.tenant = p_tenant AND s.patient = v_request.patient FOR NO KEY UPDATE;
  PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = v_request.recording_id FOR NO KEY UPDATE;

  UPDATE medzen.access_request q SET closed_at = p_at, closed_by = p_by, outcome = p_outcome
  WHERE q.tenant = p_tenant AND q.id = p_id AND q.closed_at IS NULL;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'repeated');
  END IF;
  PERFORM medzen.count_access_request(p_tenant, v_request.recording_id, v_request.patient, -1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'closed');
END $$;

-- Open ones in order of the due date; of one id, or on one recording, closed ones too.
CREATE FUNCTION medzen.list_access_requests(
  p_tenant text,
  p_limit integer,
  p_id uuid DEFAULT NULL,
  p_recording_id uuid DEFAULT NULL,
  p_due_before timestamptz DEFAULT NULL,
  p_after timestamptz DEFAULT NULL,
  p_after_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 201 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be from 1 to 200');
  END IF;
  EXECUTE format(
    $sql$
      SELECT coalesce(jsonb_agg(medzen.access_request_json(page.q) ORDER BY (page.q).due_at, (page.q).id), '[]')
      FROM (
        SELECT q FROM medzen.access_request q
        WHERE q.tenant = $1 AND %s
          AND ($5 IS NULL OR q.due_at < $5)
          AND (q.due_at, q.id) > (coalesce($6, '-infinity'), coalesce($7, '00000000-0000-0000-0000-000000000000'::uuid))
        ORDER BY q.due_at, q.id
        LIMIT $2) page
    $sql$,
    CASE
      WHEN p_id IS NOT NULL THEN 'q.id = $3'
      WHEN p_recording_id IS NOT NULL THEN '(q.recording_id = $4 OR q.patient = (
        SELECT r.patient FROM medzen.recording r WHERE r.tenant = $1 AND r.id = $4))'
      ELSE 'q.closed_at IS NULL' END)
    INTO v_result
    USING p_tenant, p_limit, p_id, p_recording_id, p_due_before, p_after, p_after_id;
  RETURN v_result;
END $$;

-- ---- for people

-- The part of a request that a person may see: not who opened or extended it.
CREATE FUNCTION medzen.access_request_for_person(q medzen.access_request) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'id', q.id,
    'recordingId', q.recording_id,
    'receivedAt', medzen.format_instant(q.received_at),
    'dueAt', medzen.format_instant(q.due_at),
    'extensionReason', q.extension_reason,
    'closedAt', medzen.format_instant(q.closed_at),
    'outcome', q.outcome))
$$;

-- Asks for access to one's own recording. While the request is open nothing of the recording is deleted; it is due after 30 days, as in
-- accessRequestDays. With the id of an earlier call, that request again.
CREATE FUNCTION medzen_api.request_access(p_recording_id uuid, p_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_person text := medzen.current_person();
  v_tenant text := medzen.current_tenant();
  v_id uuid := coalesce(p_id, gen_random_uuid());
  v_now timestamptz := medzen.now();
  v_due timestamptz := v_now + interval '30 days';
  v_known boolean;
  v_patient text;
  v_event record;
  v_status text;
  v_request medzen.access_request;
BEGIN
  PERFORM medzen.check_text(v_person, 'The subject');
  SELECT r.patient INTO v_patient FROM medzen.recording r WHERE r.tenant = v_tenant AND r.id = p_recording_id;
  IF NOT EXISTS (
    SELECT FROM medzen.recording_participant p
    WHERE p.tenant = v_tenant AND p.recording_id = p_recording_id AND p.participant = v_person AND p.role = 'patient') THEN
    RETURN medzen.refuse_person('access_request.open', 'create', v_patient, 'recording', p_recording_id::text, 'PATRQT');
  END IF;
  v_known := EXISTS (SELECT FROM medzen.access_request q WHERE q.tenant = v_tenant AND q.id = v_id);
  v_event := medzen.jcs_event(medzen.current_draft(TRUE) || jsonb_build_object(
    'action', 'access_request.open', 'kind', 'create', 'outcome', 'success', 'purpose', 'PATRQT',
    'patient', medzen.index_key(v_patient),
    'target', jsonb_build_object('type', 'recording', 'id', p_recording_id),
    'detail', jsonb_build_object('request', v_id, 'dueAt', medzen.format_instant(v_due))));
  v_status := medzen.open_access_request(v_tenant, v_id, v_person, v_now, v_due, v_person, v_event.id, v_event.body, p_recording_id)
    ->> 'status';
  IF v_status <> 'opened' THEN
    PERFORM medzen.record_event('access_request.open', 'create', 'failed', v_patient, 'recording', p_recording_id::text, NULL,
      jsonb_build_object('code', v_status), 'PATRQT');
    RETURN jsonb_build_object('status', v_status);
  END IF;
  SELECT * INTO v_request FROM medzen.access_request q WHERE q.tenant = v_tenant AND q.id = v_id;
  RETURN jsonb_build_object('status', CASE WHEN v_known THEN 'repeated' ELSE 'opened' END,
    'request', medzen.access_request_for_person(v_request));
END
$$;

-- The requests on a patient's own recordings, and on all of them, closed ones too: the latest 200, newest first.
CREATE FUNCTION medzen_api.list_my_access_requests() RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_person text := medzen.current_person();
  v_tenant text := medzen.current_tenant();
  v_patient text := medzen.person_as_patient();
  v_requests jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(medzen.access_request_for_person(page.q) ORDER BY (page.q).received_at DESC, (page.q).id DESC), '[]')
  INTO v_requests
  FROM (
    SELECT q FROM (
      SELECT a AS q FROM medzen.recording_participant p
      JOIN medzen.access_request a ON a.tenant = p.tenant AND a.recording_id = p.recording_id
      WHERE p.tenant = v_tenant AND p.participant = v_person AND p.role = 'patient'
      UNION ALL
      SELECT a AS q FROM medzen.access_request a WHERE a.tenant = v_tenant AND a.patient = v_patient) own
    ORDER BY (q).received_at DESC, (q).id DESC
    LIMIT 200) page;
  PERFORM medzen.record_event('access_request.list', 'read', 'success', v_patient,
    p_detail => jsonb_build_object('count', jsonb_array_length(v_requests)), p_purpose => 'PATRQT');
  RETURN jsonb_build_object('status', 'ok', 'requests', v_requests);
END
$$;

SELECT medzen.permit('authenticated', 'medzen_api.request_access', 'medzen_api.list_my_access_requests');
SELECT medzen.permit('medzen_app', 'open_access_request', 'extend_access_request', 'close_access_request', 'list_access_requests');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000020_access_request', '51e2ee27f8a20d93d216fd53c6bb8092e9bc942d40fd8b1ba281a772d138504f', false);
