-- What the index held stays in audit_rows; searches by patient find only what names the patient again.
SELECT medzen.begin_rollback('000018_rows_of_patients');

CREATE OR REPLACE FUNCTION medzen.is_archive_held(p_first bigint, p_end bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM medzen.legal_hold h
    WHERE h.released_at IS NULL AND EXISTS (
      SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id
      WHERE e.tenant = h.tenant AND l.leaf_index >= p_first AND l.leaf_index < p_end
        AND (e.patient = medzen.index_key(h.patient) OR e.target_id = h.recording_id::text)))
$$;

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
  v_branch text := 'SELECT e.id, e.body FROM medzen.audit_event e WHERE %s ORDER BY e.id DESC LIMIT $2';
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1001');
  END IF;
  IF p_before IS NOT NULL THEN v_where := v_where || ' AND e.id < $3'; END IF;
  IF p_patient IS NOT NULL THEN v_where := v_where || ' AND e.patient = $4'; END IF;
  IF p_actor IS NOT NULL THEN v_where := v_where || ' AND e.actor = $5'; END IF;
  v_where := v_where || medzen.one_of('e.action', '$6', p_actions) || medzen.one_of('e.outcome', '$7', p_outcomes)
    || medzen.one_of('e.purpose', '$8', p_purposes);
  IF p_target_type IS NOT NULL THEN v_where := v_where || ' AND e.target_type = $9'; END IF;
  IF p_target_id IS NOT NULL THEN v_where := v_where || ' AND e.target_id = $10'; END IF;
  IF p_from IS NOT NULL THEN v_where := v_where || ' AND e.at >= $11'; END IF;
  IF p_to IS NOT NULL THEN v_where := v_where || ' AND e.at < $12'; END IF;
  IF p_from IS NULL AND p_to IS NULL THEN
    v_branch := format(v_branch, v_where);
  ELSE
    -- Except for strays, the id tells the time to within a minute: a range of the index, and of the partitions.
    v_branch := format('SELECT * FROM ((%s) UNION ALL (%s)) u ORDER BY 1 DESC LIMIT $2',
      format(v_branch, v_where || ' AND NOT e.stray'
        || CASE WHEN p_from IS NULL THEN '' ELSE ' AND e.id >= $13' END
        || CASE WHEN p_to IS NULL THEN '' ELSE ' AND e.id <= $14' END),
      format(v_branch, v_where || ' AND e.stray'));
  END IF;
  RETURN QUERY EXECUTE format('SELECT r.id::text, r.body FROM (%s) r ORDER BY r.id DESC', v_branch)
  USING p_tenant, p_limit, p_before::uuid, medzen.index_key(p_patient), medzen.index_key(p_actor), medzen.index_keys(p_actions),
    medzen.index_keys(p_outcomes), medzen.index_keys(p_purposes), medzen.index_key(p_target_type), medzen.index_key(p_target_id),
    p_from::timestamptz, p_to::timestamptz,
    medzen.uuid_floor(p_from::timestamptz - interval '1 minute'), medzen.uuid_floor(p_to::timestamptz + interval '1 minute');
END
$$;

ALTER TABLE medzen.audit_rows RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold);
DROP INDEX medzen.audit_rows_patients;
DROP FUNCTION medzen.patient_hashes;
