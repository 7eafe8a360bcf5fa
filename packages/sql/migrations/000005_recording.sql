-- Recordings: the row of each, who takes part, and the moves it may make.
--
-- Lock order, everywhere: consent_session, retention_subject, recording (by id), legal_hold, then the audit event.

SET LOCAL search_path = pg_catalog, pg_temp;

-- One row a patient: what its recordings' retention depends on besides themselves. Every start, fact and patient-wide hold
-- updates it, so that none of them can pass another, not even under REPEATABLE READ.
CREATE TABLE medzen.retention_subject (
  tenant text COLLATE "C" NOT NULL CHECK (tenant ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  patient text COLLATE "C" NOT NULL CHECK (length(patient) BETWEEN 1 AND 256),
  -- Number of recorded facts.
  revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0),
  -- Active holds on the patient as a whole.
  holds integer NOT NULL DEFAULT 0 CHECK (holds >= 0),
  -- Open access requests of the patient as a whole.
  requests integer NOT NULL DEFAULT 0 CHECK (requests >= 0),
  recordings integer NOT NULL DEFAULT 0 CHECK (recordings >= 0),
  PRIMARY KEY (tenant, patient)
);

CREATE SEQUENCE medzen.claim_token AS bigint;

CREATE TABLE medzen.recording (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  session_id text COLLATE "C" NOT NULL CHECK (length(session_id) BETWEEN 1 AND 256),
  patient text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL CHECK (length(provider) BETWEEN 1 AND 64),
  provider_ref text COLLATE "C" NOT NULL CHECK (length(provider_ref) BETWEEN 1 AND 512),
  state text COLLATE "C" NOT NULL CHECK (state IN
    ('starting', 'recording', 'processing', 'uploading', 'available', 'archived', 'deleting', 'deleted', 'failed')),
  state_at timestamptz(3) NOT NULL,
  started_at timestamptz(3) NOT NULL,
  -- When the capture began, by the provider, where that contradicts started_at.
  captured_at timestamptz(3),
  ended_at timestamptz(3),
  duration_seconds double precision CHECK (duration_seconds >= 0),
  media jsonb CHECK (jsonb_typeof(media) = 'object'),
  object jsonb CHECK (jsonb_typeof(object) = 'object'),
  object_prefix text NOT NULL CHECK (length(object_prefix) BETWEEN 1 AND 1024),
  -- The store and bucket, and the last reading of a lock there.
  storage jsonb CHECK (jsonb_typeof(storage) = 'object' AND length(storage ->> 'store') BETWEEN 1 AND 64
    AND length(storage ->> 'bucket') BETWEEN 1 AND 512),
  object_lock jsonb CHECK (jsonb_typeof(object_lock) = 'object'),
  -- The deletion in progress: why, by whom, from where; and whether the provider was asked.
  deletion jsonb CHECK (jsonb_typeof(deletion) = 'object'),
  provider_account text COLLATE "C" CHECK (length(provider_account) BETWEEN 1 AND 256),
  jurisdiction text NOT NULL,
  provider_class text NOT NULL,
  zone text NOT NULL,
  -- A floor under whatever the rules say. Moves later only.
  keep_until timestamptz(3),
  keep_reason text CHECK (length(keep_reason) BETWEEN 1 AND 2048),
  failure jsonb CHECK (jsonb_typeof(failure) = 'object' AND length(failure ->> 'code') BETWEEN 1 AND 128),
  -- A participant took consent back while it ran: when, and by which record.
  stop_requested_at timestamptz(3),
  stop_consent uuid,
  tombstone jsonb CHECK (jsonb_typeof(tombstone) = 'object'),
  views integer NOT NULL DEFAULT 0 CHECK (views >= 0),
  downloads integer NOT NULL DEFAULT 0 CHECK (downloads >= 0),
  revision integer NOT NULL DEFAULT 1 CHECK (revision >= 1),

  -- The last decision on its retention.
  rules_version text COLLATE "C" CHECK (rules_version <> ''),
  facts_revision integer CHECK (facts_revision >= 0),
  decided_at timestamptz(3),
  retain_until timestamptz(3),
  warn_at timestamptz(3),
  grace_until timestamptz(3),
  rule_ids text[],
  -- Reason why the decision has no dates.
  undated text COLLATE "C" CHECK (undated IN ('unknown', 'claim', 'unjudged')),

  -- Kept here as well as in retention_subject and legal_hold, so that the queues below are plain index scans.
  subject_revision integer NOT NULL DEFAULT 0,
  hold_count integer NOT NULL DEFAULT 0 CHECK (hold_count >= 0),
  request_count integer NOT NULL DEFAULT 0 CHECK (request_count >= 0),
  -- Versions that the object store was asked to remove, and their bytes: the rows of removed_version.
  removed_versions integer NOT NULL DEFAULT 0 CHECK (removed_versions >= 0),
  removed_bytes bigint NOT NULL DEFAULT 0 CHECK (removed_bytes >= 0),
  -- Nothing is deleted before it: the end of the grace, or of the notice, when the warning of that end went out late. NULL until it did.
  deletable_at timestamptz(3),

  -- The claim of a worker: fencing token, end of the lease, and when the row may be claimed next.
  claim_token bigint,
  claim_until timestamptz,
  claim_attempts integer NOT NULL DEFAULT 0 CHECK (claim_attempts >= 0),
  claim_after timestamptz NOT NULL DEFAULT '-infinity',

  -- When the provider is to be asked about it: a queue of its own, so that no stop waits for a question. During a question, the end of
  -- its lease. NULL: not before it has moved.
  look_after timestamptz,
  look_token bigint,
  look_attempts integer NOT NULL DEFAULT 0 CHECK (look_attempts >= 0),

  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject (tenant, patient),
  CHECK ((state = 'deleted') = (tombstone IS NOT NULL)),
  CHECK (state <> 'deleted' OR (media IS NULL AND object IS NULL)),
  CHECK ((state = 'deleting') = (deletion IS NOT NULL)),
  CHECK (num_nulls(rules_version, facts_revision, decided_at, rule_ids) IN (0, 4)),
  CHECK (num_nulls(retain_until, warn_at, grace_until) = 3 OR rules_version IS NOT NULL),
  CHECK (undated IS NULL OR rules_version IS NOT NULL AND retain_until IS NULL),
  CHECK (num_nulls(keep_until, keep_reason) IN (0, 2)),
  CHECK (num_nulls(claim_token, claim_until) IN (0, 2)),
  CHECK (num_nulls(stop_requested_at, stop_consent) IN (0, 2))
);

CREATE UNIQUE INDEX recording_live_session ON medzen.recording (tenant, session_id)
  WHERE state IN ('starting', 'recording');
CREATE UNIQUE INDEX recording_live_provider ON medzen.recording (tenant, provider, provider_ref)
  WHERE state IN ('starting', 'recording');
CREATE INDEX recording_by_start ON medzen.recording (tenant, started_at, id);
CREATE INDEX recording_by_session ON medzen.recording (tenant, session_id, started_at, id);
CREATE INDEX recording_by_patient ON medzen.recording (tenant, patient, started_at, id);
CREATE INDEX recording_by_state ON medzen.recording (tenant, state, started_at, id);
CREATE INDEX recording_by_provider ON medzen.recording (tenant, provider, provider_ref, started_at, id);
CREATE INDEX recording_by_failure ON medzen.recording (tenant, (failure ->> 'code'), started_at, id)
  WHERE failure IS NOT NULL;

-- The queues. Each holds only what waits in it.
CREATE INDEX recording_stops ON medzen.recording (tenant, stop_requested_at, id)
  WHERE stop_requested_at IS NOT NULL
    AND (state IN ('starting', 'recording') OR state = 'failed' AND ended_at IS NULL AND media IS NULL);
CREATE INDEX recording_transfers ON medzen.recording (tenant, (greatest(state_at, claim_after)), id) WHERE state = 'uploading';
CREATE INDEX recording_looks ON medzen.recording (tenant, look_after, id) WHERE look_after IS NOT NULL;
CREATE INDEX recording_rules ON medzen.recording (tenant, (coalesce(rules_version, '')), id)
  WHERE state <> 'deleted';
CREATE INDEX recording_facts ON medzen.recording (tenant, id)
  WHERE state <> 'deleted' AND facts_revision <> subject_revision;
CREATE INDEX recording_undecided ON medzen.recording (tenant, started_at, id)
  WHERE state NOT IN ('deleting', 'deleted') AND undated IN ('unknown', 'unjudged');
CREATE INDEX recording_warnings ON medzen.recording (tenant, warn_at, id)
  WHERE state NOT IN ('deleting', 'deleted') AND deletable_at IS NULL;
CREATE INDEX recording_archives ON medzen.recording (tenant, rules_version, retain_until, id)
  WHERE state = 'available' AND facts_revision = subject_revision;
-- In order of the deadline, or of the end of the back-off when that is later: rows that fail do not stand before all others.
CREATE INDEX recording_expired ON medzen.recording (tenant, rules_version, (greatest(deletable_at, claim_after)), id)
  WHERE state IN ('available', 'archived', 'failed') AND hold_count = 0 AND request_count = 0
    AND facts_revision = subject_revision AND deletable_at IS NOT NULL;
CREATE INDEX recording_deleting ON medzen.recording (tenant, (greatest(grace_until, claim_after)), id) WHERE state = 'deleting';
CREATE INDEX recording_retrying ON medzen.recording (tenant, claim_after)
  WHERE claim_attempts > 0 AND state IN ('available', 'archived', 'failed', 'deleting');

CREATE TABLE medzen.recording_participant (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  participant text COLLATE "C" NOT NULL CHECK (length(participant) BETWEEN 1 AND 256),
  -- The recording's, so that a person's list is one index scan.
  started_at timestamptz(3) NOT NULL,
  position integer NOT NULL CHECK (position >= 1),
  role text NOT NULL CHECK (role IN ('patient', 'provider', 'guest')),
  location text CHECK (length(location) BETWEEN 1 AND 64),
  PRIMARY KEY (tenant, recording_id, participant),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id)
);
CREATE INDEX recording_participant_of ON medzen.recording_participant (tenant, participant, started_at, recording_id);

-- Notifications of a provider that changed something, so that the same one changes nothing again.
CREATE TABLE medzen.webhook_seen (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  dedupe_key text COLLATE "C" NOT NULL CHECK (length(dedupe_key) BETWEEN 1 AND 512),
  seen_at timestamptz NOT NULL DEFAULT medzen.now(),
  PRIMARY KEY (tenant, recording_id, dedupe_key),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id)
);

-- Rows that a queue leaves alone for now, because the last attempt failed.
CREATE TABLE medzen.postponed (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  queue text COLLATE "C" NOT NULL CHECK (queue IN ('warning', 'archive', 'discard')),
  attempts integer NOT NULL CHECK (attempts >= 1),
  code text NOT NULL CHECK (length(code) BETWEEN 1 AND 128),
  -- By the clock of those who ask the queue.
  until timestamptz NOT NULL,
  PRIMARY KEY (tenant, recording_id, queue),
  FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording (tenant, id)
);
CREATE INDEX postponed_until ON medzen.postponed (tenant, queue, until);

-- Allowed next states of a state: the library's recordingTransitions, with which a test compares
-- it.
CREATE FUNCTION medzen.next_states(p_state text) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN CASE p_state
  WHEN 'starting' THEN ARRAY['recording', 'processing', 'uploading', 'failed']
  WHEN 'recording' THEN ARRAY['processing', 'uploading', 'failed']
  WHEN 'processing' THEN ARRAY['uploading', 'failed']
  WHEN 'uploading' THEN ARRAY['available', 'failed']
  WHEN 'available' THEN ARRAY['archived', 'deleting']
  WHEN 'archived' THEN ARRAY['available', 'deleting']
  WHEN 'deleting' THEN ARRAY['deleted', 'available', 'archived', 'failed']
  WHEN 'deleted' THEN ARRAY[]::text[]
  WHEN 'failed' THEN ARRAY['recording', 'processing', 'uploading', 'deleting']
END;

-- Time after a move until the provider is asked for the first time: the library's firstLookMs, with
-- which a test compares it. NULL: never.
CREATE FUNCTION medzen.first_look(p_state text) RETURNS INTERVAL
LANGUAGE sql IMMUTABLE
RETURN CASE p_state
  WHEN 'starting' THEN INTERVAL '1 minute'
  WHEN 'recording' THEN INTERVAL '10 minutes'
  WHEN 'processing' THEN INTERVAL '1 minute'
  WHEN 'uploading' THEN INTERVAL '7 days'
  WHEN 'failed' THEN INTERVAL '1 minute'
END;

ALTER TABLE medzen.retention_subject ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.recording ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.recording_participant ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.webhook_seen ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.postponed ENABLE ROW LEVEL SECURITY;
CREATE POLICY recording_participants ON medzen.recording FOR SELECT USING (EXISTS (
  SELECT FROM medzen.recording_participant p
  WHERE p.tenant = recording.tenant AND p.recording_id = recording.id AND p.participant = medzen.current_subject()));
CREATE POLICY recording_participant_self ON medzen.recording_participant FOR SELECT
  USING (participant = medzen.current_subject());
CREATE POLICY recording_admin ON medzen.recording FOR SELECT USING (medzen.is_system_admin());
CREATE POLICY recording_participant_admin ON medzen.recording_participant FOR SELECT USING (medzen.is_system_admin());

-- True when a deletion can no longer be canceled: the library's isBeyondRecall.
CREATE FUNCTION medzen.is_beyond_recall(r medzen.recording) RETURNS boolean
LANGUAGE sql STABLE
RETURN r.state = 'deleted' OR (r.state = 'deleting'
  AND (r.removed_versions > 0 OR coalesce((r.deletion ->> 'providerAsked')::boolean, FALSE)));

-- The last line of defence, for writers that come past the functions: no move outside the table, nothing changes a
-- tombstone, nobody moves a recording to another patient or session, and no row is deleted.
CREATE FUNCTION medzen.guard_recording() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_kept medzen.recording := old;
BEGIN
  -- A recording whose patient comes under a hold, or asks for access, later is counted there too.
  v_kept.hold_count := new.hold_count;
  v_kept.request_count := new.request_count;
  IF old.state = 'deleted' AND new IS DISTINCT FROM v_kept THEN
    PERFORM medzen.fail('invalid_transition', 'A deleted recording does not change');
  END IF;
  IF new.state <> old.state AND new.state <> ALL (medzen.next_states(old.state)) THEN
    PERFORM medzen.fail('invalid_transition', format('A recording does not go from %s to %s', old.state, new.state));
  END IF;
  IF old.state = 'deleting' AND new.state NOT IN ('deleting', 'deleted') AND medzen.is_beyond_recall(old) THEN
    PERFORM medzen.fail('invalid_transition', 'A deletion that has removed something is not taken back');
  END IF;
  IF (new.tenant, new.id, new.session_id, new.patient, new.started_at, new.object_prefix)
    IS DISTINCT FROM (old.tenant, old.id, old.session_id, old.patient, old.started_at, old.object_prefix) THEN
    PERFORM medzen.fail('invalid_input', 'A recording keeps its id, session, patient, start and prefix');
  END IF;
  IF old.keep_until IS NOT NULL AND (new.keep_until IS NULL OR new.keep_until < old.keep_until) THEN
    PERFORM medzen.fail('invalid_input', 'keep_until must not move earlier');
  END IF;
  -- After a move, an answer under way is about the earlier state.
  IF new.state <> old.state THEN
    new.look_after := CASE
      WHEN new.state = 'failed' AND (new.media IS NOT NULL OR new.object IS NOT NULL) THEN NULL
      ELSE medzen.now() + medzen.first_look(new.state) END;
    new.look_token := NULL;
    new.look_attempts := 0;
  END IF;
  RETURN new;
END $$;
CREATE TRIGGER recording_guard BEFORE UPDATE ON medzen.recording
  FOR EACH ROW EXECUTE FUNCTION medzen.guard_recording();
CREATE TRIGGER recording_no_delete BEFORE DELETE OR TRUNCATE ON medzen.recording
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER recording_participant_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.recording_participant
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.recording_json(r medzen.recording) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN jsonb_strip_nulls(jsonb_build_object(
  'id', r.id,
  'sessionId', r.session_id,
  'patient', r.patient,
  'participants', (
    SELECT coalesce(jsonb_agg(
      jsonb_build_object('id', p.participant, 'role', p.role, 'location', p.location) ORDER BY p.position), '[]')
    FROM medzen.recording_participant p
    WHERE p.tenant = r.tenant AND p.recording_id = r.id),
  'provider', r.provider,
  'providerRef', r.provider_ref,
  'state', r.state,
  'stateAt', medzen.format_instant(r.state_at),
  'startedAt', medzen.format_instant(r.started_at),
  'capturedAt', medzen.format_instant(r.captured_at),
  'endedAt', medzen.format_instant(r.ended_at),
  'durationSeconds', r.duration_seconds,
  'media', r.media,
  'object', r.object,
  'objectPrefix', r.object_prefix,
  'storage', r.storage,
  'lock', r.object_lock,
  'deletion', r.deletion || jsonb_build_object('versions', r.removed_versions, 'bytes', r.removed_bytes),
  'providerAccount', r.provider_account,
  'retentionClass', jsonb_build_object(
    'jurisdiction', r.jurisdiction, 'providerClass', r.provider_class, 'zone', r.zone),
  'keepUntil', CASE WHEN r.keep_until IS NOT NULL THEN jsonb_build_object(
    'until', medzen.format_instant(r.keep_until), 'reason', r.keep_reason) END,
  'decision', CASE WHEN r.rules_version IS NOT NULL THEN jsonb_build_object(
    'rulesVersion', r.rules_version,
    'factsRevision', r.facts_revision,
    'decidedAt', medzen.format_instant(r.decided_at),
    'retainUntil', medzen.format_instant(r.retain_until),
    'warnAt', medzen.format_instant(r.warn_at),
    'graceUntil', medzen.format_instant(r.grace_until),
    'ruleIds', to_jsonb(r.rule_ids),
    'undated', r.undated) END,
  'deletableAt', medzen.format_instant(r.deletable_at),
  'failure', r.failure,
  'stopRequest', CASE WHEN r.stop_consent IS NOT NULL THEN jsonb_build_object(
    'at', medzen.format_instant(r.stop_requested_at), 'consent', r.stop_consent) END,
  'tombstone', r.tombstone,
  'holds', r.hold_count,
  'accessRequests', r.request_count,
  'views', r.views,
  'downloads', r.downloads,
  'revision', r.revision));

-- The recording that stands in the way of a start: one of the same id, or a live one of the session or of the provider's
-- reference.
CREATE FUNCTION medzen.recording_in_the_way(
  p_tenant text, p_id uuid, p_session_id text, p_provider text, p_provider_ref text
) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT medzen.recording_json(r)
  FROM medzen.recording r
  WHERE r.tenant = p_tenant AND (
    r.id = p_id
    OR (r.session_id = p_session_id AND r.state IN ('starting', 'recording'))
    OR (r.provider = p_provider AND r.provider_ref = p_provider_ref AND r.state IN ('starting', 'recording')))
  ORDER BY r.id = p_id DESC, r.session_id = p_session_id DESC
  LIMIT 1;
END;

-- A floor must not be a mistake for ever: it can move later, never earlier.
CREATE FUNCTION medzen.check_keep(p_until timestamptz, p_reason text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF num_nulls(p_until, p_reason) = 1 OR p_until > medzen.now() + INTERVAL '100 years' OR p_until = '-infinity'
    OR length(p_reason) NOT BETWEEN 1 AND 2048 THEN
    PERFORM medzen.fail('invalid_input',
      'keepUntil.until must be at most 100 years from now and have a reason; to keep longer, extend it later');
  END IF;
END $$;

CREATE FUNCTION medzen.start_recording(
  p_tenant text,
  p_id uuid,
  p_session_id text,
  p_patient text,
  p_participants jsonb,
  p_provider text,
  p_provider_ref text,
  p_started_at timestamptz,
  p_object_prefix text,
  p_jurisdiction text,
  p_provider_class text,
  p_zone text,
  p_consent_of text[],
  p_event_id text,
  p_event_body bytea,
  p_keep_until timestamptz DEFAULT NULL,
  p_keep_reason text DEFAULT NULL,
  p_storage jsonb DEFAULT NULL,
  p_provider_account text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_taken jsonb;
  v_missing text[];
  v_subject medzen.retention_subject;
  v_row medzen.recording;
BEGIN
  PERFORM medzen.check_keep(p_keep_until, p_keep_reason);
  v_taken := medzen.recording_in_the_way(p_tenant, p_id, p_session_id, p_provider, p_provider_ref);
  IF v_taken IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'already_recording', 'recording', v_taken);
  END IF;

  -- Written, not only locked: a withdrawal under REPEATABLE READ that does not see this recording must fail, or nothing would stop it.
  -- Made where nobody has spoken yet, so that the first who does waits for it.
  INSERT INTO medzen.consent_session AS s (tenant, session_id) VALUES (p_tenant, p_session_id)
  ON CONFLICT (tenant, session_id) DO UPDATE SET records = s.records;
  SELECT array_agg(u.participant ORDER BY u.position) INTO v_missing
  FROM unnest(p_consent_of) WITH ORDINALITY u(participant, position)
  WHERE NOT EXISTS (
    SELECT FROM medzen.latest_consents(p_tenant, p_session_id) c
    WHERE c.participant = u.participant AND c.decision = 'given' AND c.acknowledged_recording
      AND c.acknowledged_storage AND c.acknowledged_access AND c.acknowledged_retention);
  IF v_missing IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'consent_required', 'missing', to_jsonb(v_missing));
  END IF;

  BEGIN
    INSERT INTO medzen.retention_subject AS s (tenant, patient, recordings) VALUES (p_tenant, p_patient, 1)
    ON CONFLICT (tenant, patient) DO UPDATE SET recordings = s.recordings + 1
    RETURNING s.* INTO v_subject;
    INSERT INTO medzen.recording (tenant, id, session_id, patient, provider, provider_ref, state, state_at, started_at,
      object_prefix, jurisdiction, provider_class, zone, keep_until, keep_reason, subject_revision, hold_count, request_count,
      storage, provider_account, look_after)
    VALUES (p_tenant, p_id, p_session_id, p_patient, p_provider, p_provider_ref, 'starting', p_started_at,
      p_started_at, p_object_prefix, p_jurisdiction, p_provider_class, p_zone, p_keep_until, p_keep_reason,
      v_subject.revision, v_subject.holds, v_subject.requests, p_storage, p_provider_account,
      medzen.now() + medzen.first_look('starting'))
    RETURNING * INTO v_row;
  EXCEPTION WHEN unique_violation THEN
    -- Somebody else started it a moment ago; leaving this block took our own rows back.
    v_taken := medzen.recording_in_the_way(p_tenant, p_id, p_session_id, p_provider, p_provider_ref);
    IF v_taken IS NULL THEN
      -- Not in our snapshot: the host's transaction is REPEATABLE READ, and must begin again.
      RAISE serialization_failure USING message = 'The session was changed by another transaction';
    END IF;
    RETURN jsonb_build_object('status', 'already_recording', 'recording', v_taken);
  END;

  INSERT INTO medzen.recording_participant (tenant, recording_id, participant, started_at, position, role, location)
  SELECT p_tenant, p_id, e.value ->> 'id', p_started_at, e.position, e.value ->> 'role', e.value ->> 'location'
  FROM jsonb_array_elements(p_participants) WITH ORDINALITY e(value, position);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'started', 'recording', medzen.recording_json(v_row));
END $$;

-- A withdrawal has to stop what runs. Only a provider can do that, so what is to be stopped is marked in the transaction of the
-- withdrawal, whoever made it, and medzen.claim_stops offers it until it is done. A start commits before the withdrawal, and is seen
-- here, or sees it: both lock the session. It reaches what the person takes part in; and what runs while they take back what they had
-- given in this session, listed or not. A stranger who only knows the session stops nothing.
CREATE FUNCTION medzen.request_stops() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_given boolean := (
    SELECT c.decision = 'given' FROM medzen.consent c
    WHERE c.tenant = new.tenant AND c.session_id = new.session_id AND c.participant = new.participant AND c.ordinal < new.ordinal
    ORDER BY c.ordinal DESC
    LIMIT 1);
BEGIN
  WITH running AS MATERIALIZED (
    SELECT r.id FROM medzen.recording r
    WHERE r.tenant = new.tenant AND r.session_id = new.session_id AND r.stop_requested_at IS NULL
      AND (r.state IN ('starting', 'recording') OR r.state = 'failed' AND r.ended_at IS NULL AND r.media IS NULL)
      AND (coalesce(v_given, false) OR EXISTS (
        SELECT FROM medzen.recording_participant p
        WHERE p.tenant = r.tenant AND p.recording_id = r.id AND p.participant = new.participant))
    ORDER BY r.id
    FOR NO KEY UPDATE
  )
  UPDATE medzen.recording r SET stop_requested_at = new.at, stop_consent = new.id
  WHERE r.tenant = new.tenant AND r.id IN (SELECT id FROM running);
  RETURN NULL;
END $$;
CREATE TRIGGER consent_stops_recording AFTER INSERT ON medzen.consent
  FOR EACH ROW WHEN (new.decision = 'withdrawn') EXECUTE FUNCTION medzen.request_stops();

CREATE FUNCTION medzen.get_recording(p_tenant text, p_id uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT medzen.recording_json(r) FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id;
END;

CREATE FUNCTION medzen.find_recording(p_tenant text, p_provider text, p_provider_ref text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT medzen.recording_json(r) FROM medzen.recording r
  WHERE r.tenant = p_tenant AND r.provider = p_provider AND r.provider_ref = p_provider_ref
  ORDER BY r.started_at DESC, r.id DESC
  LIMIT 1;
END;

-- Newest first. The plan depends on which of the filters are given, so the text is put together from these fixed pieces;
-- values only ever travel as parameters.
CREATE FUNCTION medzen.list_recordings(
  p_tenant text,
  p_limit integer,
  p_session_id text DEFAULT NULL,
  p_patient text DEFAULT NULL,
  p_state text DEFAULT NULL,
  p_participant text DEFAULT NULL,
  p_failure_code text DEFAULT NULL,
  p_before timestamptz DEFAULT NULL,
  p_before_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_from text := 'medzen.recording r';
  v_at text := 'r.started_at';
  v_id text := 'r.id';
  v_where text := 'r.tenant = $1';
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 201 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 201');
  END IF;
  IF p_participant IS NOT NULL THEN
    v_from := 'medzen.recording_participant p JOIN medzen.recording r ON r.tenant = p.tenant AND r.id = p.recording_id';
    v_at := 'p.started_at';
    v_id := 'p.recording_id';
    v_where := 'p.tenant = $1 AND p.participant = $6';
  END IF;
  v_where := v_where
    || CASE WHEN p_session_id IS NULL THEN '' ELSE ' AND r.session_id = $3' END
    || CASE WHEN p_patient IS NULL THEN '' ELSE ' AND r.patient = $4' END
    || CASE WHEN p_state IS NULL THEN '' ELSE ' AND r.state = $5' END
    || CASE WHEN p_failure_code IS NULL THEN '' ELSE ' AND r.failure IS NOT NULL AND r.failure ->> ''code'' = $7' END
    || CASE WHEN p_before IS NULL THEN '' ELSE format(' AND (%s, %s) < ($8, $9)', v_at, v_id) END;
  EXECUTE format(
    $sql$
      SELECT coalesce(jsonb_agg(medzen.recording_json(page.r) ORDER BY (page.r).started_at DESC, (page.r).id DESC), '[]')
      FROM (SELECT r FROM %s WHERE %s ORDER BY %s DESC, %s DESC LIMIT $2) page
    $sql$, v_from, v_where, v_at, v_id)
    INTO v_result
    USING p_tenant, p_limit, p_session_id, p_patient, p_state, p_participant, p_failure_code, p_before, p_before_id;
  RETURN v_result;
END $$;

-- Changes a row, compared and swapped on its revision. The deletion of what was stored has functions of its own, which
-- look at holds and dates.
CREATE FUNCTION medzen.change_recording(
  p_tenant text,
  p_id uuid,
  p_expected_revision integer,
  p_at timestamptz,
  p_event_id text,
  p_event_body bytea,
  p_to text DEFAULT NULL,
  p_ended_at timestamptz DEFAULT NULL,
  p_duration_seconds double precision DEFAULT NULL,
  p_media jsonb DEFAULT NULL,
  p_object jsonb DEFAULT NULL,
  p_failure jsonb DEFAULT NULL,
  p_clear_failure boolean DEFAULT FALSE,
  p_token text DEFAULT NULL,
  p_dedupe_key text DEFAULT NULL,
  p_storage jsonb DEFAULT NULL,
  p_lock jsonb DEFAULT NULL,
  p_deletion jsonb DEFAULT NULL,
  p_captured_at timestamptz DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  IF (p_to IS NOT DISTINCT FROM 'deleting') <> (p_deletion IS NOT NULL) THEN
    PERFORM medzen.fail('invalid_input', 'deletion must be given with to: deleting, and only then');
  END IF;
  IF p_captured_at > medzen.now() THEN
    PERFORM medzen.fail('invalid_input', 'capturedAt must not be later than the store''s clock');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;

  v_status := CASE
    WHEN p_dedupe_key IS NOT NULL AND EXISTS (
      SELECT FROM medzen.webhook_seen w
      WHERE w.tenant = p_tenant AND w.recording_id = p_id AND w.dedupe_key = p_dedupe_key) THEN 'repeated'
    WHEN p_token IS NOT NULL AND v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.revision <> p_expected_revision THEN 'conflict'
    WHEN v_row.state = 'deleted' OR p_to = 'deleted' OR v_row.state = 'deleting' AND p_to IS NOT NULL THEN 'invalid_transition'
    -- Retention counts from it by then.
    WHEN p_captured_at IS NOT NULL AND (v_row.object IS NOT NULL OR v_row.state = 'deleting') THEN 'invalid_transition'
    -- Past no hold, no access request and no date: only what failed before anything was stored.
    WHEN p_to = 'deleting' AND (v_row.state <> 'failed' OR v_row.hold_count > 0 OR v_row.request_count > 0
      OR v_row.object IS NOT NULL OR p_object IS NOT NULL) THEN 'invalid_transition'
    WHEN p_to <> ALL (medzen.next_states(v_row.state)) THEN 'invalid_transition'
    WHEN p_to = 'recording' AND EXISTS (
      SELECT FROM medzen.recording o
      WHERE o.tenant = p_tenant AND o.id <> p_id AND o.state IN ('starting', 'recording')
        AND (o.session_id = v_row.session_id OR o.provider = v_row.provider AND o.provider_ref = v_row.provider_ref))
      THEN 'invalid_transition'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status, 'recording', medzen.recording_json(v_row));
  END IF;

  IF p_to = 'recording' AND v_row.state = 'failed' THEN
    BEGIN
      UPDATE medzen.recording r SET state = p_to WHERE r.tenant = p_tenant AND r.id = p_id;
    EXCEPTION WHEN unique_violation THEN
      -- Another of the session was started a moment ago, and we did not see it.
      RETURN jsonb_build_object('status', 'invalid_transition', 'recording', medzen.recording_json(v_row));
    END;
  END IF;
  UPDATE medzen.recording r SET
    state = coalesce(p_to, r.state),
    state_at = CASE WHEN p_to IS NULL THEN r.state_at ELSE p_at END,
    captured_at = coalesce(p_captured_at, r.captured_at),
    -- Drops the decision made from another start.
    rules_version = CASE WHEN p_captured_at IS NULL THEN r.rules_version END,
    facts_revision = CASE WHEN p_captured_at IS NULL THEN r.facts_revision END,
    decided_at = CASE WHEN p_captured_at IS NULL THEN r.decided_at END,
    retain_until = CASE WHEN p_captured_at IS NULL THEN r.retain_until END,
    warn_at = CASE WHEN p_captured_at IS NULL THEN r.warn_at END,
    grace_until = CASE WHEN p_captured_at IS NULL THEN r.grace_until END,
    rule_ids = CASE WHEN p_captured_at IS NULL THEN r.rule_ids END,
    undated = CASE WHEN p_captured_at IS NULL THEN r.undated END,
    deletable_at = CASE WHEN p_captured_at IS NULL THEN r.deletable_at END,
    ended_at = coalesce(p_ended_at, r.ended_at),
    duration_seconds = coalesce(p_duration_seconds, r.duration_seconds),
    media = coalesce(p_media, r.media),
    object = coalesce(p_object, r.object),
    storage = coalesce(p_storage, r.storage),
    object_lock = coalesce(p_lock, r.object_lock),
    deletion = CASE WHEN p_to = 'deleting' THEN jsonb_build_object(
      'from', r.state,
      'basis', 'nothing_stored',
      'startedAt', medzen.format_instant(p_at),
      'startedBy', p_deletion ->> 'by',
      'reason', p_deletion ->> 'reason',
      'ruleIds', '[]'::jsonb,
      'citations', '[]'::jsonb) ELSE r.deletion END,
    failure = CASE WHEN p_clear_failure THEN NULL ELSE coalesce(p_failure, r.failure) END,
    revision = r.revision + 1,
    -- A move ends whatever claim there was and its back-off; a worker's own change ends its claim.
    claim_token = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_token END,
    claim_until = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_until END,
    claim_attempts = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_attempts ELSE 0 END,
    claim_after = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_after ELSE '-infinity' END
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  IF p_to IS NOT NULL OR p_clear_failure THEN
    DELETE FROM medzen.postponed q
    WHERE q.tenant = p_tenant AND q.recording_id = p_id
      AND (p_to IS NOT NULL AND q.queue = 'archive' OR p_clear_failure AND q.queue = 'discard');
  END IF;
  IF p_dedupe_key IS NOT NULL THEN
    INSERT INTO medzen.webhook_seen (tenant, recording_id, dedupe_key) VALUES (p_tenant, p_id, p_dedupe_key);
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'changed', 'recording', medzen.recording_json(v_row));
END $$;

-- Called on the root wire. The host may have this very row locked in the transaction it has open, and be waiting for us:
-- a deadlock that Postgres cannot see. The lock timeout turns it into an error.
CREATE FUNCTION medzen.note_access(
  p_tenant text,
  p_id uuid,
  p_kind text,
  p_event_id text,
  p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $$
DECLARE
  v_row medzen.recording;
  v_added int;
BEGIN
  IF p_kind IS NULL OR p_kind NOT IN ('view', 'download') THEN
    PERFORM medzen.fail('invalid_input', 'An access is a view or a download');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  ELSIF v_row.object IS NULL OR v_row.state NOT IN ('available', 'archived', 'deleting') OR medzen.is_beyond_recall(v_row) THEN
    RETURN jsonb_build_object('status', 'not_available', 'recording', medzen.recording_json(v_row));
  END IF;
  -- A retry finds its event there, and counts nothing.
  v_added := (medzen.append_events(p_tenant, ARRAY[p_event_id], convert_from(p_event_body, 'UTF8')) ->> 'added')::int;
  UPDATE medzen.recording r SET
    views = r.views + CASE p_kind WHEN 'view' THEN v_added ELSE 0 END,
    downloads = r.downloads + CASE p_kind WHEN 'download' THEN v_added ELSE 0 END
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  RETURN jsonb_build_object('status', 'noted', 'recording', medzen.recording_json(v_row));
END $$;

SELECT medzen.permit('medzen_app', 'start_recording', 'get_recording', 'find_recording', 'list_recordings',
  'change_recording', 'note_access');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000005_recording', 'c9aba7515f7887f7c46308410f637eb5d9a1b60960991e8bf6b529d9c5350490', false);
