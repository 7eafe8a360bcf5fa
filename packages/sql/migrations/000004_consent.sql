-- Consent: what each participant of a session said, record upon record; none is ever changed.
--
-- Start of a recording and a withdrawal must not pass one another. Both lock the session's row in consent_session: a
-- record updates it, and so does a start. So a start sees every consent committed before it, or waits, and a withdrawal every
-- start; and under REPEATABLE READ, where waiting would still show an old snapshot, Postgres refuses with a serialisation failure.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- for all tables from here on

-- Whether the current subject may see every row of the tables below, where the host lets people read them at all.
-- Nobody, until the host replaces this function.
CREATE FUNCTION medzen.is_system_admin() RETURNS boolean
LANGUAGE sql STABLE
RETURN false;

-- ---- consent

-- Keys compare as bytes ("C"), here as everywhere: exact, and cheaper than by a language's rules.
CREATE TABLE medzen.consent_session (
  tenant text COLLATE "C" NOT NULL CHECK (tenant ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
  session_id text COLLATE "C" NOT NULL CHECK (length(session_id) BETWEEN 1 AND 256),
  records integer NOT NULL DEFAULT 0 CHECK (records >= 0),
  PRIMARY KEY (tenant, session_id)
);

CREATE TABLE medzen.consent (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  -- Order of commit within a session: taken under the session's lock. Clocks of two servers do not decide who came last.
  ordinal integer NOT NULL CHECK (ordinal >= 1),
  participant text COLLATE "C" NOT NULL CHECK (length(participant) BETWEEN 1 AND 256),
  decision text NOT NULL CHECK (decision IN ('given', 'withdrawn')),
  acknowledged_recording boolean NOT NULL,
  acknowledged_storage boolean NOT NULL,
  acknowledged_access boolean NOT NULL,
  acknowledged_retention boolean NOT NULL,
  text_version text NOT NULL CHECK (length(text_version) BETWEEN 1 AND 256),
  text_sha256 text NOT NULL CHECK (text_sha256 ~ '^[0-9a-f]{64}$'),
  language text NOT NULL CHECK (length(language) BETWEEN 1 AND 64),
  method text NOT NULL CHECK (method IN ('click', 'written', 'verbal', 'signature')),
  location text CHECK (length(location) BETWEEN 1 AND 64),
  ip text CHECK (length(ip) <= 64),
  user_agent text CHECK (length(user_agent) <= 16384),
  at timestamptz(3) NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, session_id, ordinal),
  FOREIGN KEY (tenant, session_id) REFERENCES medzen.consent_session (tenant, session_id)
);

CREATE INDEX consent_latest ON medzen.consent (tenant, session_id, participant, ordinal DESC);

ALTER TABLE medzen.consent_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.consent ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_own ON medzen.consent FOR SELECT USING (participant = medzen.current_subject());
CREATE POLICY consent_admin ON medzen.consent FOR SELECT USING (medzen.is_system_admin());

CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.consent
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

CREATE FUNCTION medzen.consent_json(c medzen.consent) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN jsonb_strip_nulls(jsonb_build_object(
  'id', c.id,
  'sessionId', c.session_id,
  'participant', c.participant,
  'decision', c.decision,
  'acknowledgements', jsonb_build_object(
    'recording', c.acknowledged_recording,
    'storage', c.acknowledged_storage,
    'access', c.acknowledged_access,
    'retention', c.acknowledged_retention),
  'textVersion', c.text_version,
  'textSha256', c.text_sha256,
  'language', c.language,
  'method', c.method,
  'location', c.location,
  'ip', c.ip,
  'userAgent', c.user_agent,
  'at', medzen.format_instant(c.at)));

-- The latest record of each participant of a session.
CREATE FUNCTION medzen.latest_consents(p_tenant text, p_session_id text) RETURNS SETOF medzen.consent
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT DISTINCT ON (c.participant) c.*
  FROM medzen.consent c
  WHERE c.tenant = p_tenant AND c.session_id = p_session_id
  ORDER BY c.participant, c.ordinal DESC;
END;

CREATE FUNCTION medzen.record_consent(
  p_tenant text,
  p_id uuid,
  p_session_id text,
  p_participant text,
  p_decision text,
  p_acknowledged_recording boolean,
  p_acknowledged_storage boolean,
  p_acknowledged_access boolean,
  p_acknowledged_retention boolean,
  p_text_version text,
  p_text_sha256 text,
  p_language text,
  p_method text,
  p_at timestamptz,
  p_event_id text,
  p_event_body bytea,
  p_location text DEFAULT NULL,
  p_ip text DEFAULT NULL,
  p_user_agent text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_new medzen.consent;
  v_old medzen.consent;
BEGIN
  INSERT INTO medzen.consent_session (tenant, session_id) VALUES (p_tenant, p_session_id) ON CONFLICT DO NOTHING;
  PERFORM FROM medzen.consent_session s WHERE s.tenant = p_tenant AND s.session_id = p_session_id FOR NO KEY UPDATE;

  v_new := ROW(p_tenant, p_id, p_session_id, NULL, p_participant, p_decision, p_acknowledged_recording,
    p_acknowledged_storage, p_acknowledged_access, p_acknowledged_retention, p_text_version, p_text_sha256, p_language,
    p_method, p_location, p_ip, p_user_agent, p_at);

  SELECT * INTO v_old FROM medzen.consent c WHERE c.tenant = p_tenant AND c.id = p_id;
  IF found THEN
    v_new.ordinal := v_old.ordinal;
    IF v_new IS DISTINCT FROM v_old THEN
      PERFORM medzen.fail('conflict', 'A consent record with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated');
  END IF;

  UPDATE medzen.consent_session s SET records = s.records + 1
  WHERE s.tenant = p_tenant AND s.session_id = p_session_id
  RETURNING s.records INTO v_new.ordinal;

  BEGIN
    INSERT INTO medzen.consent VALUES (v_new.*);
  EXCEPTION WHEN unique_violation THEN
    -- Only the same id in another session gets here: this session is locked.
    PERFORM medzen.fail('conflict', 'A consent record with this id has other content');
  END;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'recorded');
END $$;

CREATE FUNCTION medzen.list_consents(p_tenant text, p_session_id text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(medzen.consent_json(c) ORDER BY c.participant), '[]')
  FROM medzen.latest_consents(p_tenant, p_session_id) c;
END;

SELECT medzen.permit('medzen_app', 'record_consent', 'list_consents');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000004_consent', 'bc6ba8384fafd9c4d0db3a4d9f3e85866c6b01b4b30db7c300dfbf5795f65437', false);
