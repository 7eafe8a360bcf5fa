-- What people may call, from a browser through PostgREST: functions of medzen_api, each of which takes the person from the verified
-- token and writes its own event. None has an argument that could name who asks, or whose tenant: docs/decisions/0009.
--
-- The event stands in the same transaction as the read, and PostgREST sends the answer after the commit: no event, no answer. So all
-- of them are VOLATILE, and PostgREST, which runs GET in a read-only transaction, answers that with 405. A refusal is an answer
-- too, {"status": "forbidden"}: raised, it would take its own event back.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- what a host may replace

-- The host's id of the patient that the current subject is; NULL for other subjects.
CREATE FUNCTION medzen.current_patient() RETURNS text
LANGUAGE sql STABLE
RETURN medzen.current_subject();

-- ---- for the functions of people

-- The person who asks: the first thing that every function of people looks at.
--
-- What would let an answer out while its event is undone is refused before anything is read. PostgREST, where db-tx-end allows it,
-- rolls back on request. And what a caller puts around the function runs in its statement: a filter that leaves nothing, or a cast
-- of the answer to a number, makes the request fail, with a message that quotes what was to be cast. PostgREST's statement has
-- neither word when it is asked for the function alone.
CREATE FUNCTION medzen.current_person() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_subject text := medzen.current_subject();
BEGIN
  -- Supabase gives a subject, and the role of those who are signed in, to anonymous sign-ins too.
  IF v_subject IS NULL OR medzen.read_setting('request.jwt.claims') -> 'is_anonymous' = 'true' THEN
    PERFORM medzen.fail('unauthenticated', 'Not signed in: the token has no subject, or is anonymous');
  END IF;
  IF medzen.current_tenant() IS NULL THEN
    PERFORM medzen.fail('unauthenticated', 'The token must name a valid tenant');
  END IF;
  IF medzen.read_setting('request.headers') ->> 'prefer' ~* 'tx\s*=\s*rollback' THEN
    PERFORM medzen.fail('invalid_input', 'Remove ''Prefer: tx=rollback'': reads are recorded and cannot be rolled back');
  END IF;
  IF current_query() ~* '\m(cast|where)\M' THEN
    PERFORM medzen.fail('invalid_input', 'To be called without filters and casts');
  END IF;
  RETURN v_subject;
END
$$;

-- The patient of an event about a person's own statement, when they ask as a patient.
CREATE FUNCTION medzen.person_as_patient() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN 'patient' = ANY (string_to_array(medzen.current_actor() ->> 'role', ',')) THEN medzen.current_patient() END
$$;

CREATE FUNCTION medzen.refuse_person(
  p_action text, p_kind text, p_patient text DEFAULT NULL, p_target_type text DEFAULT NULL, p_target_id text DEFAULT NULL,
  p_purpose text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  PERFORM medzen.record_event(p_action, p_kind, 'denied', p_patient, p_target_type, p_target_id, NULL, '{"code": "forbidden"}',
    p_purpose);
  RETURN '{"status": "forbidden"}';
END
$$;

-- Of an argument that is given: what the library's checkText refuses.
CREATE FUNCTION medzen.check_text(p_value text, p_name text, p_max int DEFAULT 256) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_value = '' OR octet_length(p_value) > 4 * p_max OR medzen.utf16_length(p_value) > p_max OR p_value ~ '[\u0001-\u001f\u007f]' THEN
    PERFORM medzen.fail('invalid_input', p_name || ' is empty, too long or not plain text');
  END IF;
END
$$;

CREATE FUNCTION medzen.check_page(p_limit int, p_cursor text, p_shape text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 200 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be from 1 to 200');
  END IF;
  IF p_cursor !~ ('^' || replace(replace(p_shape, 'instant', '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z'), 'uuid',
    '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') || '$') THEN
    PERFORM medzen.fail('invalid_input', 'cursor is not from this list; pass back the cursor of the previous page, or omit it');
  END IF;
END
$$;

-- Why a person looks at what is a patient's, when it is not for treatment: they are that patient.
CREATE FUNCTION medzen.purpose_of_person(p_patient text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN p_patient = medzen.current_patient() THEN 'PATRQT' END $$;

-- One event for each patient on a page, so that the report of any of them finds it; one without a patient for an empty page.
CREATE FUNCTION medzen.record_listing(p_recordings jsonb, p_detail jsonb DEFAULT '{}', p_purpose text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_of record;
BEGIN
  FOR v_of IN
    SELECT r.value ->> 'patient' AS patient, count(*) AS count FROM jsonb_array_elements(p_recordings) r GROUP BY 1 ORDER BY 1
  LOOP
    PERFORM medzen.record_event('recording.list', 'read', p_patient => v_of.patient,
      p_detail => p_detail || jsonb_build_object('count', v_of.count),
      p_purpose => coalesce(p_purpose, medzen.purpose_of_person(v_of.patient)));
  END LOOP;
  IF p_recordings = '[]' THEN
    PERFORM medzen.record_event('recording.list', 'read', p_detail => p_detail || '{"count": 0}', p_purpose => p_purpose);
  END IF;
END
$$;

-- The part of a recording that a participant may see: not where it lies, at which provider, what
-- failed, or who holds it.
CREATE FUNCTION medzen.recording_for_participant(p_recording jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'id', p_recording -> 'id',
    'sessionId', p_recording -> 'sessionId',
    'participants', (
      SELECT jsonb_agg(jsonb_build_object('id', p.value -> 'id', 'role', p.value -> 'role') ORDER BY p.position)
      FROM jsonb_array_elements(p_recording -> 'participants') WITH ORDINALITY AS p (value, position)),
    'state', p_recording -> 'state',
    'stateAt', p_recording -> 'stateAt',
    'startedAt', p_recording -> 'startedAt',
    'endedAt', p_recording -> 'endedAt',
    'durationSeconds', p_recording -> 'durationSeconds'))
$$;

-- An event as it was stored; NULL when its bytes are damaged.
CREATE FUNCTION medzen.open_event(p_body bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
EXCEPTION
  WHEN data_exception THEN RETURN NULL;
END
$$;

-- ---- recordings

-- Those in which the person takes part, newest first. The cursor of the last page is the next one's p_cursor.
CREATE FUNCTION medzen_api.list_my_recordings(
  p_limit int DEFAULT 50, p_cursor text DEFAULT NULL, p_session_id text DEFAULT NULL, p_state text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_person text := medzen.current_person();
  v_found jsonb;
  v_page jsonb;
  v_last jsonb;
BEGIN
  PERFORM medzen.check_page(p_limit, p_cursor, 'instant,uuid'), medzen.check_text(p_session_id, 'The session');
  v_found := medzen.list_recordings(medzen.current_tenant(), p_limit + 1, p_session_id => p_session_id, p_state => p_state,
    p_participant => v_person, p_before => split_part(p_cursor, ',', 1)::timestamptz, p_before_id => split_part(p_cursor, ',', 2)::uuid);
  v_page := CASE WHEN jsonb_array_length(v_found) > p_limit THEN v_found - -1 ELSE v_found END;
  v_last := v_page -> -1;
  PERFORM medzen.record_listing(v_page);
  RETURN jsonb_build_object('status', 'ok', 'recordings', (
      SELECT coalesce(jsonb_agg(medzen.recording_for_participant(r.value) ORDER BY r.position), '[]')
      FROM jsonb_array_elements(v_page) WITH ORDINALITY AS r (value, position)))
    || CASE WHEN v_page = v_found THEN '{}'
      ELSE jsonb_build_object('cursor', concat_ws(',', v_last ->> 'startedAt', v_last ->> 'id')) END;
END
$$;

-- Reads one recording for its participant. To others, a recording that does not exist and one of
-- other participants look the same.
CREATE FUNCTION medzen_api.get_my_recording(p_recording_id uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_person text := medzen.current_person();
  v_recording jsonb := medzen.get_recording(medzen.current_tenant(), p_recording_id);
BEGIN
  IF EXISTS (SELECT FROM jsonb_array_elements(v_recording -> 'participants') p WHERE p.value ->> 'id' = v_person) THEN
    PERFORM medzen.record_event('recording.status', 'read', 'success', v_recording ->> 'patient', 'recording', p_recording_id::text,
      NULL, jsonb_build_object('state', v_recording -> 'state'), medzen.purpose_of_person(v_recording ->> 'patient'));
    RETURN jsonb_build_object('status', 'ok', 'recording', medzen.recording_for_participant(v_recording));
  END IF;
  RETURN medzen.refuse_person('recording.status', 'read', v_recording ->> 'patient', 'recording', p_recording_id::text);
END
$$;

-- ---- consent

-- What the person has said in a session, the last word first: that one counts.
CREATE FUNCTION medzen_api.list_my_consents(p_session_id text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_person text := medzen.current_person();
  v_consents jsonb;
BEGIN
  PERFORM medzen.check_text(coalesce(p_session_id, ''), 'The session');
  SELECT coalesce(jsonb_agg(medzen.consent_json(c) ORDER BY c.ordinal DESC), '[]') INTO v_consents
  FROM (
    SELECT q.* FROM medzen.consent q
    WHERE q.tenant = medzen.current_tenant() AND q.session_id = p_session_id AND q.participant = v_person
    ORDER BY q.ordinal DESC
    LIMIT 200) c;
  PERFORM medzen.record_event('consent.view', 'read', 'success', medzen.person_as_patient(), 'session', p_session_id, NULL,
    jsonb_build_object('count', jsonb_array_length(v_consents)));
  RETURN jsonb_build_object('status', 'ok', 'consents', v_consents);
END
$$;

-- As record_consent does: who comes second sees what the first has said.
CREATE FUNCTION medzen.lock_consent_session(p_tenant text, p_session_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  INSERT INTO medzen.consent_session (tenant, session_id) VALUES (p_tenant, p_session_id) ON CONFLICT DO NOTHING;
  PERFORM FROM medzen.consent_session s WHERE s.tenant = p_tenant AND s.session_id = p_session_id FOR NO KEY UPDATE;
END
$$;

-- Records what the current person said, through record_consent. The same word under the same id is a retry, although it comes later
-- and from elsewhere: the first record stands.
CREATE FUNCTION medzen.save_own_consent(p_new medzen.consent) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_new medzen.consent := p_new;
  v_old medzen.consent;
  v_patient text := medzen.person_as_patient();
  v_source jsonb := medzen.current_source();
  v_event record;
BEGIN
  v_new.tenant := medzen.current_tenant();
  v_new.participant := medzen.current_person();
  v_new.id := coalesce(v_new.id, gen_random_uuid());
  v_new.at := medzen.now();
  v_new.ip := left(v_source ->> 'ip', 64);
  v_new.user_agent := v_source ->> 'userAgent';

  PERFORM medzen.check_text(v_new.participant, 'The subject'), medzen.lock_consent_session(v_new.tenant, v_new.session_id);
  SELECT * INTO v_old FROM medzen.consent c WHERE c.tenant = v_new.tenant AND c.id = v_new.id;
  IF found THEN
    v_new.ordinal := v_old.ordinal;
    v_new.at := v_old.at;
    v_new.ip := v_old.ip;
    v_new.user_agent := v_old.user_agent;
    IF v_new IS DISTINCT FROM v_old THEN
      PERFORM medzen.fail('conflict', 'A consent record with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated', 'consent', medzen.consent_json(v_old));
  END IF;

  v_event := medzen.jcs_event(medzen.current_draft(v_patient IS NOT NULL)
    || CASE WHEN v_patient IS NULL THEN '{}' ELSE jsonb_build_object('patient', medzen.index_key(v_patient)) END
    || jsonb_build_object(
      'action', CASE v_new.decision WHEN 'given' THEN 'consent.give' ELSE 'consent.withdraw' END,
      'kind', 'create', 'outcome', 'success',
      'target', jsonb_build_object('type', 'session', 'id', v_new.session_id),
      'detail', jsonb_build_object('participant', v_new.participant, 'textVersion', v_new.text_version, 'method', v_new.method)));
  RETURN medzen.record_consent(v_new.tenant, v_new.id, v_new.session_id, v_new.participant, v_new.decision,
      v_new.acknowledged_recording, v_new.acknowledged_storage, v_new.acknowledged_access, v_new.acknowledged_retention,
      v_new.text_version, v_new.text_sha256, v_new.language, v_new.method, v_new.at, v_event.id, v_event.body,
      v_new.location, v_new.ip, v_new.user_agent)
    || jsonb_build_object('consent', medzen.consent_json(v_new));
END
$$;

-- The person's own consent to the text that they were shown. Nobody can give it for another, so it is clicked or signed.
CREATE FUNCTION medzen_api.give_consent(
  p_session_id text, p_text_version text, p_text_sha256 text, p_language text,
  p_acknowledged_recording boolean, p_acknowledged_storage boolean, p_acknowledged_access boolean, p_acknowledged_retention boolean,
  p_method text DEFAULT 'click', p_location text DEFAULT NULL, p_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_new medzen.consent;
BEGIN
  PERFORM medzen.current_person(), medzen.check_text(coalesce(p_session_id, ''), 'The session'),
    medzen.check_text(coalesce(p_text_version, ''), 'The version of the text'),
    medzen.check_text(coalesce(p_language, ''), 'The language', 64), medzen.check_text(p_location, 'The place', 16);
  IF p_text_sha256 !~ '^[0-9a-f]{64}$' OR p_method NOT IN ('click', 'signature')
    OR num_nulls(p_text_sha256, p_method, p_acknowledged_recording, p_acknowledged_storage, p_acknowledged_access,
      p_acknowledged_retention) > 0 THEN
    PERFORM medzen.fail('invalid_input', 'Needed: the SHA-256 of the text, click or signature, and four acknowledgements');
  END IF;
  v_new.id := p_id;
  v_new.session_id := p_session_id;
  v_new.decision := 'given';
  v_new.acknowledged_recording := p_acknowledged_recording;
  v_new.acknowledged_storage := p_acknowledged_storage;
  v_new.acknowledged_access := p_acknowledged_access;
  v_new.acknowledged_retention := p_acknowledged_retention;
  v_new.text_version := p_text_version;
  v_new.text_sha256 := p_text_sha256;
  v_new.language := p_language;
  v_new.method := p_method;
  v_new.location := p_location;
  RETURN medzen.save_own_consent(v_new);
END
$$;

-- Takes it back. No recording of the session starts from then on. One that runs, and in which the person takes part or had consented to,
-- is marked to be stopped in the same transaction (medzen.request_stops): it is named in the answer, and a worker of the host has the provider stop it.
CREATE FUNCTION medzen_api.withdraw_consent(p_session_id text, p_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_person text := medzen.current_person();
  v_new medzen.consent;
  v_saved jsonb;
BEGIN
  PERFORM medzen.check_text(coalesce(p_session_id, ''), 'The session');
  PERFORM medzen.lock_consent_session(medzen.current_tenant(), p_session_id);
  -- What is taken back is the last text agreed to; for a retry, the last one before the withdrawal that it repeats.
  SELECT * INTO v_new FROM medzen.consent c
  WHERE c.tenant = medzen.current_tenant() AND c.session_id = p_session_id AND c.participant = v_person
    AND NOT EXISTS (SELECT FROM medzen.consent w WHERE w.tenant = c.tenant AND w.id = p_id AND w.session_id = p_session_id
      AND w.ordinal <= c.ordinal)
  ORDER BY c.ordinal DESC LIMIT 1;
  v_new.id := p_id;
  v_new.session_id := p_session_id;
  v_new.decision := 'withdrawn';
  v_new.acknowledged_recording := false;
  v_new.acknowledged_storage := false;
  v_new.acknowledged_access := false;
  v_new.acknowledged_retention := false;
  v_new.text_version := coalesce(v_new.text_version, 'none');
  v_new.text_sha256 := coalesce(v_new.text_sha256, encode(sha256(''), 'hex'));
  v_new.language := coalesce(v_new.language, 'und');
  v_new.method := 'click';
  -- A statement of its own: the next one sees what this one marked.
  v_saved := medzen.save_own_consent(v_new);
  RETURN v_saved || jsonb_build_object('stillRecording', (
    SELECT coalesce(jsonb_agg(r.id), '[]') FROM medzen.recording r
    WHERE r.tenant = medzen.current_tenant() AND r.session_id = p_session_id AND r.state IN ('starting', 'recording')
      AND (EXISTS (SELECT FROM medzen.recording_participant p
          WHERE p.tenant = r.tenant AND p.recording_id = r.id AND p.participant = v_person)
        OR EXISTS (SELECT FROM medzen.consent c
          WHERE c.tenant = r.tenant AND c.id = r.stop_consent AND c.participant = v_person))));
END
$$;

-- ---- the log

-- An event that a search found; NULL when its bytes are not that event of this tenant, or say something else than what was looked for: it is
-- damaged, or filed as another's. So it is when the rows of a bulk write, by which it may have been found, are not those of the event.
CREATE FUNCTION medzen.open_found(p_id text, p_body bytea, p_filters jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_event jsonb := medzen.open_event(p_body);
  -- As the log holds it: who looks for a pseudonym finds by it, too.
  v_stored jsonb;
BEGIN
  IF v_event IS NULL OR medzen.rows_state(p_id::uuid, p_body) IS NOT NULL OR v_event ->> 'id' IS DISTINCT FROM p_id
     OR v_event ->> 'tenant' IS DISTINCT FROM medzen.current_tenant() OR v_event #>> '{actor,id}' IS NULL THEN
    RETURN NULL;
  END IF;
  v_stored := replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
  RETURN CASE WHEN (
      p_filters ->> 'patient' IS NULL OR p_filters ->> 'patient' IN (v_event ->> 'patient', v_stored ->> 'patient')
        OR v_event ->> 'patient' IS NULL AND v_event #>> '{detail,rowsHash}' IS NOT NULL)
    AND (p_filters ->> 'doneBy' IS NULL OR p_filters ->> 'doneBy' IN (v_event #>> '{actor,id}', v_stored #>> '{actor,id}'))
    AND coalesce(p_filters ->> 'action' = v_event ->> 'action', p_filters ->> 'action' IS NULL)
    AND coalesce(p_filters ->> 'outcome' = v_event ->> 'outcome', p_filters ->> 'outcome' IS NULL)
    AND coalesce(p_filters ->> 'purpose' = v_event ->> 'purpose', p_filters ->> 'purpose' IS NULL)
    AND coalesce(p_filters ->> 'targetType' = v_event #>> '{target,type}', p_filters ->> 'targetType' IS NULL)
    AND (p_filters ->> 'targetId' IS NULL OR p_filters ->> 'targetId' IN (v_event #>> '{target,id}', v_stored #>> '{target,id}'))
    THEN v_event END;
END
$$;

-- Who saw my record: for patients. From where staff looked, and what they gave as a reason, is for those who examine the log.
CREATE FUNCTION medzen_api.list_accesses_to_me(
  p_limit int DEFAULT 50, p_cursor text DEFAULT NULL, p_from timestamptz DEFAULT NULL, p_to timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' SET datestyle = 'ISO'
AS $$
DECLARE
  v_patient text;
  v_accesses jsonb;
  v_damaged jsonb;
  v_found int;
  v_last text;
BEGIN
  PERFORM medzen.current_person();
  v_patient := medzen.current_patient();
  IF v_patient IS NULL THEN
    RETURN medzen.refuse_person('audit.report', 'read', p_purpose => 'PATRQT');
  END IF;
  PERFORM medzen.check_page(p_limit, p_cursor, 'uuid');
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'id', f.id,
      'at', f.event -> 'at',
      'actor', jsonb_build_object('id', f.event #> '{actor,id}', 'type', f.event #> '{actor,type}', 'role', f.event #> '{actor,role}',
        'name', f.event #> '{actor,name}'),
      'action', f.event -> 'action',
      'kind', f.event -> 'kind',
      'outcome', f.event -> 'outcome',
      'purpose', f.event -> 'purpose')) ORDER BY f.id DESC) FILTER (WHERE f.event IS NOT NULL AND f.place <= p_limit), '[]'),
    jsonb_agg(f.id ORDER BY f.id DESC) FILTER (WHERE f.event IS NULL AND f.place <= p_limit),
    count(*), min(f.id) FILTER (WHERE f.place <= p_limit)
  INTO v_accesses, v_damaged, v_found, v_last
  FROM (
    SELECT s.id COLLATE "C" AS id, medzen.open_found(s.id, s.body, jsonb_build_object('patient', v_patient)) AS event,
      row_number() OVER (ORDER BY s.id COLLATE "C" DESC) AS place
    FROM medzen.search_events(medzen.current_tenant(), p_limit + 1, p_cursor, p_patient => v_patient,
      p_from => p_from::text, p_to => p_to::text) s) f;
  PERFORM medzen.record_event('audit.report', 'read', p_patient => v_patient,
    p_detail => jsonb_build_object('count', jsonb_array_length(v_accesses)), p_purpose => 'PATRQT');
  RETURN jsonb_build_object('status', 'ok', 'accesses', v_accesses)
    || CASE WHEN v_damaged IS NULL THEN '{}' ELSE jsonb_build_object('damaged', v_damaged) END
    || CASE WHEN v_found > p_limit THEN jsonb_build_object('cursor', v_last) ELSE '{}' END;
END
$$;

-- Events of the tenant, newest first: for auditors and system admins. p_done_by restricts the search to what one person did.
CREATE FUNCTION medzen_api.search_audit(
  p_limit int DEFAULT 50, p_cursor text DEFAULT NULL, p_patient text DEFAULT NULL, p_done_by text DEFAULT NULL,
  p_action text DEFAULT NULL, p_outcome text DEFAULT NULL, p_purpose text DEFAULT NULL, p_target_type text DEFAULT NULL,
  p_target_id text DEFAULT NULL, p_from timestamptz DEFAULT NULL, p_to timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' SET datestyle = 'ISO'
AS $$
DECLARE
  v_filters jsonb := jsonb_strip_nulls(jsonb_build_object('patient', p_patient, 'doneBy', p_done_by, 'action', p_action,
    'outcome', p_outcome, 'purpose', p_purpose, 'targetType', p_target_type, 'targetId', p_target_id, 'from', p_from, 'to', p_to));
  v_events jsonb;
  v_damaged jsonb;
  v_found int;
  v_last text;
BEGIN
  PERFORM medzen.current_person();
  -- First, since the patient goes into the event of a refusal too.
  PERFORM medzen.check_text(f.value, f.key) FROM jsonb_each_text(v_filters) f;
  IF (medzen.is_auditor() OR medzen.is_system_admin()) IS NOT TRUE THEN
    RETURN medzen.refuse_person('audit.search', 'read', p_patient, p_purpose => 'HOPERAT');
  END IF;
  PERFORM medzen.check_page(p_limit, p_cursor, 'uuid');
  SELECT coalesce(jsonb_agg(f.event ORDER BY f.id DESC) FILTER (WHERE f.event IS NOT NULL AND f.place <= p_limit), '[]'),
    jsonb_agg(f.id ORDER BY f.id DESC) FILTER (WHERE f.event IS NULL AND f.place <= p_limit),
    count(*), min(f.id) FILTER (WHERE f.place <= p_limit)
  INTO v_events, v_damaged, v_found, v_last
  FROM (
    SELECT s.id COLLATE "C" AS id, medzen.open_found(s.id, s.body, v_filters) AS event,
      row_number() OVER (ORDER BY s.id COLLATE "C" DESC) AS place
    FROM medzen.search_events(medzen.current_tenant(), p_limit + 1, p_cursor, p_patient, p_done_by,
      CASE WHEN p_action IS NOT NULL THEN ARRAY[p_action] END, CASE WHEN p_outcome IS NOT NULL THEN ARRAY[p_outcome] END,
      CASE WHEN p_purpose IS NOT NULL THEN ARRAY[p_purpose] END,
      p_target_type, p_target_id, p_from::text, p_to::text) s) f;
  -- Records which fields were searched, but not their values: a person may have typed anything.
  PERFORM medzen.record_event('audit.search', 'read', p_patient => p_patient, p_purpose => 'HOPERAT', p_detail => jsonb_build_object(
    'count', least(v_found, p_limit), 'filters', (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(v_filters) k)));
  RETURN jsonb_strip_nulls(jsonb_build_object('damaged', v_damaged, 'cursor', CASE WHEN v_found > p_limit THEN v_last END))
    || jsonb_build_object('status', 'ok', 'events', v_events);
END
$$;

-- ---- for system admins

-- Holds that concern a recording: its own and its patient's, released ones too.
CREATE FUNCTION medzen_api.list_recording_holds(p_recording_id uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_tenant text := medzen.current_tenant();
  v_patient text;
  v_holds jsonb;
BEGIN
  PERFORM medzen.current_person();
  SELECT r.patient INTO v_patient FROM medzen.recording r WHERE r.tenant = v_tenant AND r.id = p_recording_id;
  IF medzen.is_system_admin() IS NOT TRUE THEN
    RETURN medzen.refuse_person('hold.list', 'read', v_patient, 'recording', p_recording_id::text, 'HOPERAT');
  ELSIF v_patient IS NULL THEN
    PERFORM medzen.record_event('hold.list', 'read', 'failed', NULL, 'recording', p_recording_id::text, NULL, '{"code": "not_found"}',
      'HOPERAT');
    RETURN '{"status": "not_found"}';
  END IF;
  v_holds := medzen.list_holds(v_tenant, p_recording_id);
  PERFORM medzen.record_event('hold.list', 'read', 'success', v_patient, 'recording', p_recording_id::text, NULL,
    jsonb_build_object('count', jsonb_array_length(v_holds)), 'HOPERAT');
  RETURN jsonb_build_object('status', 'ok', 'holds', v_holds);
END
$$;

CREATE INDEX recording_pending_deletion ON medzen.recording
  (tenant, (CASE WHEN state = 'deleting' THEN state_at ELSE retain_until END), id)
  WHERE state = 'deleting' OR state IN ('available', 'archived', 'failed') AND retain_until IS NOT NULL;

-- What is past its retention and not yet deleted, and what is being deleted: the longest waiting first.
CREATE FUNCTION medzen_api.list_pending_deletions(p_limit int DEFAULT 50, p_cursor text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_tenant text := medzen.current_tenant();
  v_now timestamptz := medzen.now();
  v_found jsonb;
  v_page jsonb;
BEGIN
  PERFORM medzen.current_person();
  IF medzen.is_system_admin() IS NOT TRUE THEN
    RETURN medzen.refuse_person('recording.list', 'read', p_purpose => 'HOPERAT');
  END IF;
  PERFORM medzen.check_page(p_limit, p_cursor, 'instant,uuid');
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'id', r.id,
      'sessionId', r.session_id,
      'patient', r.patient,
      'state', r.state,
      'pendingSince', medzen.format_instant(r.since),
      'graceUntil', medzen.format_instant(r.grace_until),
      'deletableAt', medzen.format_instant(r.deletable_at),
      'rulesVersion', r.rules_version,
      'ruleIds', to_jsonb(r.rule_ids),
      'holds', r.hold_count,
      'accessRequests', r.request_count)) ORDER BY r.since, r.id), '[]') INTO v_found
  FROM (
    SELECT q.*, CASE WHEN q.state = 'deleting' THEN q.state_at ELSE q.retain_until END AS since FROM medzen.recording q
    WHERE q.tenant = v_tenant AND (q.state = 'deleting' OR q.state IN ('available', 'archived', 'failed') AND q.retain_until IS NOT NULL)
      AND CASE WHEN q.state = 'deleting' THEN q.state_at ELSE q.retain_until END <= v_now
      AND (CASE WHEN q.state = 'deleting' THEN q.state_at ELSE q.retain_until END, q.id)
        > (coalesce(split_part(p_cursor, ',', 1), '-infinity')::timestamptz,
          coalesce(split_part(p_cursor, ',', 2), '00000000-0000-0000-0000-000000000000')::uuid)
    ORDER BY since, q.id
    LIMIT p_limit + 1) r;
  v_page := CASE WHEN jsonb_array_length(v_found) > p_limit THEN v_found - -1 ELSE v_found END;
  PERFORM medzen.record_listing(v_page, '{"list": "pending_deletion"}', 'HOPERAT');
  RETURN jsonb_build_object('status', 'ok', 'recordings', v_page)
    || CASE WHEN v_page = v_found THEN '{}'
      ELSE jsonb_build_object('cursor', concat_ws(',', v_page #>> '{-1,pendingSince}', v_page #>> '{-1,id}')) END;
END
$$;

SELECT medzen.permit('authenticated', 'medzen_api.list_my_recordings', 'medzen_api.get_my_recording', 'medzen_api.list_my_consents',
  'medzen_api.give_consent', 'medzen_api.withdraw_consent', 'medzen_api.list_accesses_to_me', 'medzen_api.search_audit',
  'medzen_api.list_recording_holds', 'medzen_api.list_pending_deletions');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000012_people_api', '0eea10eabc548781bf7f349c4625529aa505cce77976c489c356bccf25b871f4', false);
