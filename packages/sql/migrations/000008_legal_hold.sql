-- Legal holds: on one recording, or on a patient and so on every recording of theirs, later ones too.
--
-- A hold and the note of what a deletion removes first both lock the recording's row; whichever comes second sees the first. So either
-- the hold stands and nothing is deleted, or the hold is told that it came too late.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.legal_hold (
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
  recording_id uuid,
  -- Of a patient-wide hold only.
  patient text COLLATE "C",
  matter text NOT NULL CHECK (length(matter) BETWEEN 1 AND 512),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2048),
  placed_by text NOT NULL CHECK (length(placed_by) BETWEEN 1 AND 256),
  placed_at timestamptz(3) NOT NULL,
  released_by text CHECK (length(released_by) BETWEEN 1 AND 256),
  released_at timestamptz(3),
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id),
  FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject (tenant, patient),
  CHECK (num_nonnulls(recording_id, patient) = 1),
  CHECK (num_nulls(released_by, released_at) IN (0, 2))
);
CREATE INDEX legal_hold_recording ON medzen.legal_hold (tenant, recording_id) WHERE recording_id IS NOT NULL;
CREATE INDEX legal_hold_patient ON medzen.legal_hold (tenant, patient) WHERE patient IS NOT NULL;
-- The tenant's list, and those that stand.
CREATE INDEX legal_hold_by_place ON medzen.legal_hold (tenant, placed_at, id);
CREATE INDEX legal_hold_active ON medzen.legal_hold (tenant, placed_at, id) WHERE released_at IS NULL;
CREATE INDEX legal_hold_matter ON medzen.legal_hold (tenant, matter, placed_at, id);

ALTER TABLE medzen.legal_hold ENABLE ROW LEVEL SECURITY;
CREATE POLICY legal_hold_admin ON medzen.legal_hold FOR SELECT USING (medzen.is_system_admin());

-- A hold is released once, and otherwise stays what it was.
CREATE FUNCTION medzen.guard_legal_hold() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF old.released_at IS NOT NULL
    OR to_jsonb(new) - '{released_by,released_at}'::text[] <> to_jsonb(old) - '{released_by,released_at}'::text[] THEN
    PERFORM medzen.fail('invalid_input', 'A legal hold is released once and does not change otherwise');
  END IF;
  RETURN new;
END $$;
CREATE TRIGGER legal_hold_guard BEFORE UPDATE ON medzen.legal_hold
  FOR EACH ROW EXECUTE FUNCTION medzen.guard_legal_hold();
CREATE TRIGGER legal_hold_no_delete BEFORE DELETE OR TRUNCATE ON medzen.legal_hold
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.legal_hold_json(h medzen.legal_hold) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_strip_nulls(jsonb_build_object(
  'id', h.id,
  'target', CASE WHEN h.patient IS NULL
    THEN jsonb_build_object('recordingId', h.recording_id)
    ELSE jsonb_build_object('patient', h.patient) END,
  'matter', h.matter,
  'reason', h.reason,
  'placedBy', h.placed_by,
  'placedAt', medzen.format_instant(h.placed_at),
  'releasedBy', h.released_by,
  'releasedAt', medzen.format_instant(h.released_at)));

-- A patient's recordings that are being deleted and can no longer be kept, at most 1000.
CREATE FUNCTION medzen.beyond_recall_of(p_tenant text, p_patient text) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(r.id ORDER BY r.id), '[]')
  FROM (
    SELECT q.id FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.patient = p_patient AND q.state = 'deleting' AND medzen.is_beyond_recall(q)
    ORDER BY q.id
    LIMIT 1000) r;
END;

-- The answer to a hold whose id is taken: placed again if it has the same target and still holds.
CREATE FUNCTION medzen.repeated_hold(p_known medzen.legal_hold, p_recording_id uuid, p_patient text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_known.id IS NULL THEN
    -- Not in our snapshot: the host's transaction is REPEATABLE READ, and must begin again.
    RAISE serialization_failure USING message = 'The hold was placed by another transaction';
  END IF;
  IF (p_known.recording_id, p_known.patient) IS DISTINCT FROM (p_recording_id, p_patient) THEN
    PERFORM medzen.fail('conflict', 'A hold with this id has another target');
  END IF;
  IF p_known.released_at IS NOT NULL THEN
    PERFORM medzen.fail('conflict', 'A hold with this id was released');
  END IF;
  RETURN jsonb_build_object('status', 'placed', 'tooLate', medzen.beyond_recall_of(p_known.tenant, p_patient));
END $$;

CREATE FUNCTION medzen.place_hold(
  p_tenant text,
  p_id text,
  p_matter text,
  p_reason text,
  p_placed_by text,
  p_placed_at timestamptz,
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
  v_old medzen.legal_hold;
BEGIN
  IF num_nonnulls(p_recording_id, p_patient) <> 1 THEN
    PERFORM medzen.fail('invalid_input', 'Set exactly one of p_recording_id and p_patient');
  END IF;
  SELECT * INTO v_old FROM medzen.legal_hold h WHERE h.tenant = p_tenant AND h.id = p_id;
  IF found THEN
    RETURN medzen.repeated_hold(v_old, p_recording_id, p_patient);
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
    INSERT INTO medzen.legal_hold (tenant, id, recording_id, patient, matter, reason, placed_by, placed_at)
    VALUES (p_tenant, p_id, p_recording_id, p_patient, p_matter, p_reason, p_placed_by, p_placed_at);
  EXCEPTION WHEN unique_violation THEN
    -- Placed a moment ago, by a retry or by somebody else.
    SELECT * INTO v_old FROM medzen.legal_hold h WHERE h.tenant = p_tenant AND h.id = p_id;
    RETURN medzen.repeated_hold(v_old, p_recording_id, p_patient);
  END;
  PERFORM medzen.count_hold(p_tenant, p_recording_id, p_patient, 1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'placed', 'tooLate', medzen.beyond_recall_of(p_tenant, p_patient));
END $$;

-- Adds to the counts that the queues look at. The caller has locked the
-- subject; its recordings are locked here, in order of id, as everyone does.
CREATE FUNCTION medzen.count_hold(p_tenant text, p_recording_id uuid, p_patient text, p_by integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_recording_id IS NOT NULL THEN
    UPDATE medzen.recording r SET hold_count = r.hold_count + p_by
    WHERE r.tenant = p_tenant AND r.id = p_recording_id;
  ELSE
    UPDATE medzen.retention_subject s SET holds = s.holds + p_by WHERE s.tenant = p_tenant AND s.patient = p_patient;
    PERFORM FROM medzen.recording r
    WHERE r.tenant = p_tenant AND r.patient = p_patient
    ORDER BY r.id FOR NO KEY UPDATE;
    UPDATE medzen.recording r SET hold_count = r.hold_count + p_by
    WHERE r.tenant = p_tenant AND r.patient = p_patient;
  END IF;
END $$;

CREATE FUNCTION medzen.release_hold(
  p_tenant text, p_id text, p_released_by text, p_released_at timestamptz, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_hold medzen.legal_hold;
BEGIN
  -- The target never changes, so it is read first and locked in the common order.
  SELECT * INTO v_hold FROM medzen.legal_hold h WHERE h.tenant = p_tenant AND h.id = p_id;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  PERFORM FROM medzen.retention_subject s
  WHERE s.tenant = p_tenant AND s.patient = v_hold.patient FOR NO KEY UPDATE;
  PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = v_hold.recording_id FOR NO KEY UPDATE;

  UPDATE medzen.legal_hold h SET released_by = p_released_by, released_at = p_released_at
  WHERE h.tenant = p_tenant AND h.id = p_id AND h.released_at IS NULL;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'already_released');
  END IF;
  PERFORM medzen.count_hold(p_tenant, v_hold.recording_id, v_hold.patient, -1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'released');
END $$;

CREATE FUNCTION medzen.list_holds(p_tenant text, p_recording_id uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.legal_hold_json(h) ORDER BY h.placed_at, h.id), '[]')
  FROM medzen.recording r
  JOIN medzen.legal_hold h ON h.tenant = r.tenant AND (h.recording_id = r.id OR h.patient = r.patient)
  WHERE r.tenant = p_tenant AND r.id = p_recording_id;
END;

-- The latest first. The plan depends on which of the filters are given, so the text is put together from these fixed pieces; values
-- only ever travel as parameters.
CREATE FUNCTION medzen.list_tenant_holds(
  p_tenant text,
  p_limit integer,
  p_active boolean DEFAULT NULL,
  p_patient text DEFAULT NULL,
  p_matter text DEFAULT NULL,
  p_before timestamptz DEFAULT NULL,
  p_before_id text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_where text := 'h.tenant = $1';
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be between 1 and 1000');
  END IF;
  v_where := v_where
    || CASE p_active WHEN true THEN ' AND h.released_at IS NULL' WHEN false THEN ' AND h.released_at IS NOT NULL' ELSE '' END
    || CASE WHEN p_patient IS NULL THEN '' ELSE ' AND (h.patient = $3 OR h.recording_id = ANY (ARRAY(
      SELECT r.id FROM medzen.recording r WHERE r.tenant = $1 AND r.patient = $3)))' END
    || CASE WHEN p_matter IS NULL THEN '' ELSE ' AND h.matter = $4' END
    || CASE WHEN p_before IS NULL THEN '' ELSE ' AND (h.placed_at, h.id) < ($5, $6)' END;
  EXECUTE format(
    $sql$
      SELECT coalesce(jsonb_agg(medzen.legal_hold_json(page.h) ORDER BY (page.h).placed_at DESC, (page.h).id DESC), '[]')
      FROM (SELECT h FROM medzen.legal_hold h WHERE %s ORDER BY h.placed_at DESC, h.id DESC LIMIT $2) page
    $sql$, v_where)
    INTO v_result
    USING p_tenant, p_limit, p_patient, p_matter, p_before, p_before_id;
  RETURN v_result;
END $$;

SELECT medzen.permit('medzen_app', 'place_hold', 'release_hold', 'list_holds', 'list_tenant_holds');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000008_legal_hold', 'ef2e9b1a9e9a15a3817993a0a659665e3c15a7f0896c40642c1fb7692a8765ee', false);
