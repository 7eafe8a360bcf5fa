-- A statement that touched several patients leaves one event, which names none of them: who looks for a patient's events finds it
-- through audit_rows, and a legal hold on one of them keeps it.

SET LOCAL search_path = pg_catalog, pg_temp;

-- What the index holds of a row of audit_rows: a hash of 64 bits for each patient, because a bulk write waits for it, and because a key
-- may be longer than an index entry. Two patients in 2^64 have one hash: then a report has a statement too many, and never one too few.
CREATE FUNCTION medzen.patient_hashes(p_patients text[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(SELECT hashtextextended(u COLLATE "C", 0) FROM unnest(p_patients) u);

-- A bulk write only adds to the index's list of what is to be sorted in, and vacuum sorts it in; the list is read with the index.
CREATE INDEX audit_rows_patients ON medzen.audit_rows USING gin (medzen.patient_hashes(patients)) WITH (gin_pending_list_limit = 65536);
ALTER TABLE medzen.audit_rows SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50);

-- One tenant's events, newest first, from the one before `p_before` on. What is NULL does not restrict. An event is a patient's when
-- it names the patient, and when audit_rows does for it.
CREATE OR REPLACE FUNCTION medzen.search_events(
  p_tenant text, p_limit int, p_before text DEFAULT NULL, p_patient text DEFAULT NULL, p_actor text DEFAULT NULL,
  p_actions text[] DEFAULT NULL, p_outcomes text[] DEFAULT NULL, p_purposes text[] DEFAULT NULL, p_target_type text DEFAULT NULL,
  p_target_id text DEFAULT NULL, p_from text DEFAULT NULL, p_to text DEFAULT NULL
) RETURNS TABLE (id text, body bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Written out for each call, so that the planner sees only what restricts, and with which value.
  v_where text := 'e.tenant = $1';
  v_named text := CASE WHEN p_patient IS NULL THEN '' ELSE ' AND e.patient = $4' END;
  v_span text := '';
  v_branch text := 'SELECT e.id, e.body FROM medzen.audit_event e WHERE %s ORDER BY e.id DESC LIMIT $2';
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1001');
  END IF;
  IF p_before IS NOT NULL THEN v_where := v_where || ' AND e.id < $3'; END IF;
  IF p_actor IS NOT NULL THEN v_where := v_where || ' AND e.actor = $5'; END IF;
  v_where := v_where || medzen.one_of('e.action', '$6', p_actions) || medzen.one_of('e.outcome', '$7', p_outcomes)
    || medzen.one_of('e.purpose', '$8', p_purposes);
  IF p_target_type IS NOT NULL THEN v_where := v_where || ' AND e.target_type = $9'; END IF;
  IF p_target_id IS NOT NULL THEN v_where := v_where || ' AND e.target_id = $10'; END IF;
  IF p_from IS NOT NULL THEN
    v_where := v_where || ' AND e.at >= $11';
    v_span := v_span || ' AND e.id >= $13';
  END IF;
  IF p_to IS NOT NULL THEN
    v_where := v_where || ' AND e.at < $12';
    v_span := v_span || ' AND e.id <= $14';
  END IF;
  IF v_span = '' THEN
    v_branch := format(v_branch, v_where || v_named);
  ELSE
    -- Except for strays, the id tells the time to within a minute: a range of the index, and of the partitions.
    v_branch := format('SELECT * FROM ((%s) UNION ALL (%s)) u ORDER BY 1 DESC LIMIT $2',
      format(v_branch, v_where || v_named || ' AND NOT e.stray' || v_span),
      format(v_branch, v_where || v_named || ' AND e.stray'));
  END IF;
  IF p_patient IS NOT NULL THEN
    -- Newest first through the index, each event by its id (OFFSET 0: in no other way), until there are enough. The triggers make the
    -- id of the event's time, so none of these is a stray.
    v_branch := format('SELECT * FROM ((%s) UNION ALL (
        SELECT t.event_id, f.body
        FROM (SELECT e.event_id FROM (SELECT r.event_id, r.event_id AS id FROM medzen.audit_rows r
            WHERE medzen.patient_hashes(r.patients) @> ARRAY[hashtextextended($15 COLLATE "C", 0)]) e
          WHERE true %s %s ORDER BY e.event_id DESC OFFSET 0) t
        CROSS JOIN LATERAL (SELECT e.body FROM medzen.audit_event e WHERE e.id = t.event_id AND e.patient IS NULL AND %s OFFSET 0) f
        ORDER BY t.event_id DESC LIMIT $2)) u ORDER BY 1 DESC LIMIT $2',
      v_branch, v_span, CASE WHEN p_before IS NULL THEN '' ELSE 'AND e.id < $3' END, v_where);
  END IF;
  RETURN QUERY EXECUTE format('SELECT r.id::text, r.body FROM (%s) r ORDER BY r.id DESC', v_branch)
  USING p_tenant, p_limit, p_before::uuid, medzen.index_key(p_patient), medzen.index_key(p_actor), medzen.index_keys(p_actions),
    medzen.index_keys(p_outcomes), medzen.index_keys(p_purposes), medzen.index_key(p_target_type), medzen.index_key(p_target_id),
    p_from::timestamptz, p_to::timestamptz,
    medzen.uuid_floor(p_from::timestamptz - interval '1 minute'), medzen.uuid_floor(p_to::timestamptz + interval '1 minute'), p_patient;
END
$$;

-- Whether a legal hold stands on an event of the range: on its patient, on one whose rows it touched, or on the recording that it is about.
CREATE OR REPLACE FUNCTION medzen.is_archive_held(p_first bigint, p_end bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM medzen.legal_hold h
    WHERE h.released_at IS NULL AND (EXISTS (
      SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id
      WHERE e.tenant = h.tenant AND l.leaf_index >= p_first AND l.leaf_index < p_end
        AND (e.patient = medzen.index_key(h.patient) OR e.target_id = h.recording_id::text))
    OR EXISTS (
      SELECT FROM medzen.audit_rows r JOIN medzen.audit_leaf l ON l.event_id = r.event_id JOIN medzen.audit_event e ON e.id = r.event_id
      WHERE medzen.patient_hashes(r.patients) @> ARRAY[hashtextextended(h.patient COLLATE "C", 0)]
        AND e.tenant = h.tenant AND l.leaf_index >= p_first AND l.leaf_index < p_end)))
$$;

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000018_rows_of_patients', '3b5d22f55370a966c249625fee30320bf3fca704d4671aac246caa4863f0ac59', false);
