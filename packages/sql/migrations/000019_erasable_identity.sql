-- Identities that can be erased: where the log names a person it holds a pseudonym, and what that stands for is kept here, apart. The library
-- and triggers write every event through append_events, which does it: so all agree on what is switched on.
--
-- A pseudonym is an HMAC under 32 random bytes made for this one value. Once value and salt are gone, no guess can be confirmed, while
-- every leaf, proof and copy of the log stays what it was.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- what is kept

-- The kinds whose identities become pseudonyms from now on; none at first. See keep_erasable.
CREATE TABLE medzen.erasable_kind (
  kind text COLLATE "C" PRIMARY KEY CHECK (kind IN ('patient', 'user', 'name', 'ip', 'recipient')),
  since timestamptz NOT NULL
);
ALTER TABLE medzen.erasable_kind ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.erasable_kind
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- Not unique by value: a value that two transactions meet at the same time gets a pseudonym from each. A unique index would let the one wait
-- until the other's host commits, for ever when it is the same host that waits for both; and a deadlock is one transaction further.
CREATE TABLE medzen.erasable_identity (
  tenant text COLLATE "C" NOT NULL,
  pseudonym text COLLATE "C" NOT NULL CHECK (pseudonym ~ '^erasable:v1:[A-Za-z0-9_-]{43}$'),
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('patient', 'user', 'name', 'ip', 'recipient')),
  value text COLLATE "C" NOT NULL CHECK (value <> ''),
  -- With it, who may read the value can show that a pseudonym in the log is this value's.
  salt bytea NOT NULL CHECK (octet_length(salt) = 32),
  made_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, pseudonym)
);
CREATE INDEX erasable_identity_value ON medzen.erasable_identity (tenant, kind, medzen.index_key(value));
-- The planner keeps samples of what stands in a column: not of these, which would outlive an erasure. And what is erased is vacuumed soon.
ALTER TABLE medzen.erasable_identity ALTER COLUMN value SET STATISTICS 0, ALTER COLUMN salt SET STATISTICS 0;
ALTER INDEX medzen.erasable_identity_value ALTER COLUMN 3 SET STATISTICS 0;
ALTER TABLE medzen.erasable_identity SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE medzen.erasable_identity ENABLE ROW LEVEL SECURITY;

-- An identity never changes, and goes only together with the event that says so.
CREATE FUNCTION medzen.guard_identity() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (
    SELECT FROM medzen.audit_event e
    WHERE e.tenant = OLD.tenant AND e.action = 'identity.erase' AND e.target_type = 'identity' AND e.xid = pg_current_xact_id_if_assigned()
  ) THEN
    RETURN OLD;
  END IF;
  PERFORM medzen.fail('forbidden', format('%s of %s is not allowed: erase_identity() erases', TG_OP, TG_TABLE_NAME));
END
$$;
CREATE TRIGGER guard_identity BEFORE UPDATE OR DELETE ON medzen.erasable_identity
  FOR EACH ROW EXECUTE FUNCTION medzen.guard_identity();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.erasable_identity
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- ---- the switch
-- For the owner: names the kinds to keep erasable from now on, and no others; without any it is off. Recorded as config.change. Events that
-- are there already keep what they say. Waits for transactions that have looked at the switch, so that none of them commits an event in clear
-- once it is on; other writers meanwhile wait behind, hence five seconds at most. Refused while a table is audited by statement: audit_rows and the hash in the event name patients.
CREATE FUNCTION medzen.keep_erasable(VARIADIC p_kinds text[] DEFAULT '{}') RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_table text;
BEGIN
  IF NOT p_kinds <@ ARRAY['patient', 'user', 'name', 'ip', 'recipient'] OR array_position(p_kinds, NULL) IS NOT NULL THEN
    PERFORM medzen.fail('invalid_input', 'The kinds are patient, user, name, ip and recipient');
  END IF;
  SELECT min(t.tgrelid::regclass::text) INTO v_table
  FROM pg_trigger t
  WHERE t.tgfoid = 'medzen.audit_change'::regproc AND split_part(encode(t.tgargs, 'escape'), '\000', 2) = 'statement';
  IF 'patient' = ANY (p_kinds) AND v_table IS NOT NULL THEN
    PERFORM medzen.fail('invalid_configuration',
      format('%s is audited by statement, which keeps patients in clear: call audit_table with granularity patient', v_table));
  END IF;
  LOCK TABLE medzen.erasable_kind IN ACCESS EXCLUSIVE MODE;
  DELETE FROM medzen.erasable_kind k WHERE k.kind <> ALL (p_kinds);
  INSERT INTO medzen.erasable_kind (kind, since) SELECT DISTINCT k, medzen.now() FROM unnest(p_kinds) k ON CONFLICT DO NOTHING;
  PERFORM medzen.record_event('config.change', 'update', p_target_type => 'erasable_identity',
    p_detail => jsonb_build_object('kinds', to_jsonb(p_kinds)));
  RETURN (SELECT count(*) FROM medzen.erasable_kind);
END
$$;

CREATE FUNCTION medzen.erasable_kinds() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(k.kind ORDER BY k.kind), '[]') FROM medzen.erasable_kind k
$$;

-- Refuses rows of a table audited by statement that would name patients in clear.
CREATE FUNCTION medzen.refuse_clear_rows() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM medzen.erasable_kind k WHERE k.kind = 'patient') THEN
    PERFORM medzen.fail('invalid_configuration',
      'A table audited by statement keeps patients in clear: call audit_table with granularity patient');
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER refuse_clear_rows BEFORE INSERT ON medzen.audit_rows
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_clear_rows();

-- audit_table calls it last, and hears of it here rather than at the first write.
CREATE OR REPLACE FUNCTION medzen.note_audited(p_table regclass, p_detail jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_detail ->> 'granularity' = 'statement' AND EXISTS (SELECT FROM medzen.erasable_kind k WHERE k.kind = 'patient') THEN
    PERFORM medzen.fail('invalid_configuration',
      'A table audited by statement keeps patients in clear: call audit_table with granularity patient');
  END IF;
  RETURN medzen.record_event('config.change', 'execute', p_target_type => 'audit_table', p_target_id => medzen.table_name(p_table),
    p_detail => p_detail);
END
$$;

-- ---- pseudonyms

-- The 32 bytes of a key, each combined (XOR) with one byte: eight of them at a time.
CREATE FUNCTION medzen.pad_key(p_key bytea, p_pad bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN int8send(('x' || encode(substring(p_key FROM 1 FOR 8), 'hex'))::bit(64)::bigint # p_pad)
  || int8send(('x' || encode(substring(p_key FROM 9 FOR 8), 'hex'))::bit(64)::bigint # p_pad)
  || int8send(('x' || encode(substring(p_key FROM 17 FOR 8), 'hex'))::bit(64)::bigint # p_pad)
  || int8send(('x' || encode(substring(p_key FROM 25 FOR 8), 'hex'))::bit(64)::bigint # p_pad);

-- RFC 2104, for keys of 32 bytes. Every name that is shown and every event that is written asks, so it is planned into what asks.
CREATE FUNCTION medzen.hmac_sha256(p_key bytea, p_data bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(p_key) = 32 THEN sha256(
  medzen.pad_key(p_key, 6655295901103053916) || '\x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c'::bytea
  || sha256(medzen.pad_key(p_key, 3906369333256140342)
    || '\x3636363636363636363636363636363636363636363636363636363636363636'::bytea || p_data)) END;

-- Same as the library's pseudonymOf.
CREATE FUNCTION medzen.pseudonym_of(p_salt bytea, p_tenant text, p_kind text, p_value text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'erasable:v1:' || translate(rtrim(encode(medzen.hmac_sha256(p_salt,
  convert_to(E'medzen.erasable.v1\n' || p_kind || E'\n' || p_tenant || E'\n' || p_value, 'UTF8')), 'base64'), '='), '+/', '-_');

-- True when the pseudonym was made of this identity. Any other identity was altered: nobody is shown,
-- found or written by it.
CREATE FUNCTION medzen.is_proved(i medzen.erasable_identity) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(i.pseudonym = medzen.pseudonym_of(i.salt, i.tenant, i.kind, i.value), false);

-- The pseudonyms of an identity, the one to use first. In PL/pgSQL, which keeps the plan: every event of the log asks.
CREATE FUNCTION medzen.pseudonyms_of(p_tenant text, p_kind text, p_value text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN ARRAY(
    SELECT i.pseudonym FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.kind = p_kind AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
      AND medzen.is_proved(i)
    ORDER BY i.pseudonym);
END
$$;

-- Search keys of a value: the value itself, and its pseudonyms under these kinds.
CREATE FUNCTION medzen.identity_keys(p_tenant text, p_value text, VARIADIC p_kinds text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY[medzen.index_key(p_value)] || array_agg(i.pseudonym ORDER BY i.pseudonym) FROM medzen.erasable_identity i
  WHERE i.tenant = p_tenant AND i.kind = ANY (p_kinds) AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
    AND medzen.is_proved(i)
$$;

-- Resolves a text: to itself, when it is not a pseudonym of this tenant, is an erased one, or one
-- whose identity is not proved.
CREATE FUNCTION medzen.reveal(p_tenant text, p_text text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((SELECT i.value FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.pseudonym = p_text AND medzen.is_proved(i)), p_text)
$$;

-- ---- events
-- The bytes of an event are rewritten where an identity stands and nowhere else: json, unlike jsonb, gives the text of a value as it was
-- written. One that is not put together again to the same text is not canonical, and refused.

-- The pseudonym to put for a value. p_how: look gives NULL when it is new, make makes it, mask gives an asterisk.
CREATE FUNCTION medzen.put_pseudonym(p_tenant text, p_kind text, p_value text, p_how text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
-- The plan is kept from when the table may have been empty.
SET enable_seqscan = off
AS $$
DECLARE
  v_pseudonym text;
  v_salt bytea;
BEGIN
  IF p_how = 'mask' THEN
    RETURN '*';
  END IF;
  -- Not LIMIT 1, for which all might be read in the order of pseudonyms.
  v_pseudonym := (ARRAY(
    SELECT i.pseudonym FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.kind = p_kind AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
      AND medzen.is_proved(i)
    ORDER BY i.pseudonym))[1];
  IF v_pseudonym IS NULL AND p_how = 'make' THEN
    v_salt := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    v_pseudonym := medzen.pseudonym_of(v_salt, p_tenant, p_kind, p_value);
    INSERT INTO medzen.erasable_identity (tenant, pseudonym, kind, value, salt, made_at)
    VALUES (p_tenant, v_pseudonym, p_kind, p_value, v_salt, medzen.now());
  END IF;
  RETURN v_pseudonym;
END
$$;

-- An object with pseudonyms in place of these members, where their kind is on; p_parts is the text of others that were rewritten before.
-- What looks like a pseudonym gets one of its own whatever is on, else an event could be put under another person's. NULL when put_pseudonym
-- gives none. p_hidden stands for NUL.
CREATE FUNCTION medzen.put_pseudonyms(
  p_tenant text, p_object json, p_kinds jsonb, p_on text[], p_parts jsonb, p_hidden text, p_how text
) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_member record;
  v_name text;
  v_kind text;
  v_value text;
  v_pseudonym text;
  v_plain text := '';
  v_put text := '';
BEGIN
  FOR v_member IN SELECT m.key, m.value FROM json_each(p_object) m LOOP
    v_name := ',' || to_json(v_member.key)::text || ':';
    v_plain := v_plain || v_name || v_member.value::text;
    v_kind := NULL;
    v_value := NULL;
    IF p_kinds ? v_member.key AND json_typeof(v_member.value) = 'string' AND v_member.value::text <> '""' THEN
      v_kind := p_kinds ->> v_member.key;
      v_value := v_member.value #>> '{}';
      IF p_hidden IS NOT NULL THEN
        -- A NUL becomes the replacement character, as in the columns: text cannot hold it. What only looked like one comes back.
        v_value := replace(replace(v_value, ('"' || p_hidden || '"')::json #>> '{}', U&'\FFFD'), p_hidden, '\u0000');
      END IF;
    END IF;
    IF v_kind = ANY (p_on) OR v_value ~ '^erasable:v1:[A-Za-z0-9_-]{43}$' THEN
      v_pseudonym := medzen.put_pseudonym(p_tenant, v_kind, v_value, p_how);
      IF v_pseudonym IS NULL THEN
        RETURN NULL;
      END IF;
      v_put := v_put || v_name || '"' || v_pseudonym || '"';
    ELSE
      v_put := v_put || v_name || coalesce(p_parts ->> v_member.key, v_member.value::text);
    END IF;
  END LOOP;
  IF '{' || substr(v_plain, 2) || '}' <> p_object::text THEN
    PERFORM medzen.fail('invalid_input', 'An audit event is not canonical JSON');
  END IF;
  RETURN '{' || substr(v_put, 2) || '}';
END
$$;

-- Same as pseudonymize_event, in a third of the time, for most events: without escapes, where each
-- identity stands once behind the text that canonical JSON has before it. NULL where it does not
-- apply: no identity is touched unless the event that comes out says so.
CREATE FUNCTION medzen.pseudonymize_plain(p_tenant text, p_line text, p_kinds text[], p_how text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_line text := p_line;
  v_event jsonb;
  v_place text[];
  v_path text[];
  v_kind text;
  v_value text;
  v_put text;
BEGIN
  IF strpos(p_line, chr(92)) > 0 OR strpos(p_line, '"disclosure":') > 0 OR strpos(p_line, '"erasable:v1:') > 0 OR left(p_line, 1) <> '{' THEN
    RETURN NULL;
  END IF;
  v_event := p_line::jsonb;
  FOREACH v_place SLICE 1 IN ARRAY ARRAY[
    ['actor', 'id', 'user', ',"actor":{"id":"', ',"actor":'], ['actor', 'name', 'name', ',"name":"', ',"name":'],
    ['actor', 'onBehalfOf', 'user', ',"onBehalfOf":"', ',"onBehalfOf":'], ['source', 'ip', 'ip', ',"source":{"ip":"', ',"source":'],
    ['target', 'id', '', ',"target":{"id":"', ',"target":'], ['patient', NULL, 'patient', ',"patient":"', ',"patient":']
  ] LOOP
    v_path := array_remove(v_place[1:2], NULL);
    v_value := v_event #>> v_path;
    v_kind := v_place[3];
    IF v_value IS NULL OR v_value = '' THEN
      CONTINUE;
    ELSIF v_place[1] = 'target' THEN
      -- The patient comes last, and is still in clear here.
      v_kind := CASE WHEN v_event #>> '{target,type}' = 'user' THEN 'user'
        WHEN v_event #>> '{target,type}' = 'patient' OR v_value = v_event ->> 'patient' THEN 'patient' END;
    ELSIF v_place[4] = ',"actor":{"id":"' AND v_event #>> '{actor,type}' IS DISTINCT FROM 'user' THEN
      CONTINUE;
    END IF;
    CONTINUE WHEN v_kind = ANY (p_kinds) IS NOT TRUE;
    -- Once, with this value or another.
    IF split_part(v_line, v_place[5], 2) = '' OR split_part(v_line, v_place[5], 3) <> ''
       OR strpos(v_line, v_place[4] || v_value || '"') = 0 THEN
      RETURN NULL;
    END IF;
    v_put := medzen.put_pseudonym(p_tenant, v_kind, v_value, p_how);
    IF v_put IS NULL THEN
      RETURN NULL;
    END IF;
    v_line := replace(v_line, v_place[4] || v_value || '"', v_place[4] || v_put || '"');
    v_event := jsonb_set(v_event, v_path, to_jsonb(v_put));
  END LOOP;
  RETURN CASE WHEN v_line::jsonb = v_event THEN v_line END;
END
$$;

-- The text of an event with pseudonyms in place of the identities of these kinds. What each names is said in the library, at ErasableKind.
CREATE FUNCTION medzen.pseudonymize_event(p_tenant text, p_line text, p_kinds text[], p_how text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_line text := p_line;
  v_hidden text;
  v_event json;
  v_parts jsonb := '{}';
  v_part record;
  v_text text;
BEGIN
  v_text := medzen.pseudonymize_plain(p_tenant, p_line, p_kinds, p_how);
  IF v_text IS NOT NULL THEN
    RETURN v_text;
  END IF;
  IF strpos(p_line, '\u0000') > 0 THEN
    -- No function of Postgres takes a NUL out of json: an escape that the text does not hold stands for it meanwhile.
    SELECT min(h.escape) INTO v_hidden FROM (SELECT '\ue' || lpad(to_hex(n), 3, '0') AS escape FROM generate_series(0, 255) n) h
    WHERE strpos(p_line, h.escape) = 0 AND strpos(p_line, ('"' || h.escape || '"')::json #>> '{}') = 0;
    IF v_hidden IS NULL THEN
      PERFORM medzen.fail('invalid_input', 'An audit event holds what cannot be told from a NUL');
    END IF;
    v_line := replace(p_line, '\u0000', v_hidden);
  END IF;
  v_event := v_line::json;
  FOR v_part IN
    SELECT p.name, v_event #> p.path AS object, p.kinds
    FROM (VALUES
      ('actor', '{actor}'::text[], '{"onBehalfOf": "user", "name": "name"}'::jsonb
        || CASE WHEN v_event #>> '{actor,type}' = 'user' THEN '{"id": "user"}' ELSE '{}' END::jsonb),
      ('target', '{target}', CASE
        WHEN v_event #>> '{target,type}' = 'user' THEN '{"id": "user"}'::jsonb
        WHEN v_event #>> '{target,type}' = 'patient' OR v_event #>> '{target,id}' = v_event ->> 'patient' THEN '{"id": "patient"}'
        ELSE '{}' END),
      ('source', '{source}', '{"ip": "ip"}'),
      ('recipient', '{disclosure,recipient}', '{"name": "recipient", "address": "recipient"}'),
      ('disclosure', '{disclosure}', '{}'),
      ('', '{}', '{"patient": "patient"}')) AS p (name, path, kinds)
  LOOP
    CONTINUE WHEN json_typeof(v_part.object) IS DISTINCT FROM 'object';
    -- Only what lies in this object is put into it: no name occurs on two levels.
    v_text := medzen.put_pseudonyms(p_tenant, v_part.object, v_part.kinds, p_kinds, CASE v_part.name
      WHEN 'disclosure' THEN jsonb_build_object('recipient', v_parts -> 'recipient') WHEN '' THEN v_parts - 'recipient' ELSE '{}' END,
      v_hidden, p_how);
    IF v_text IS NULL THEN
      RETURN NULL;
    END IF;
    v_parts := v_parts || jsonb_build_object(v_part.name, v_text);
  END LOOP;
  IF v_text IS NULL OR NOT v_parts ? '' THEN
    PERFORM medzen.fail('invalid_input', 'The line is not an audit event (one JSON object)');
  END IF;
  RETURN CASE WHEN v_hidden IS NULL THEN v_text ELSE replace(v_text, v_hidden, '\u0000') END;
END
$$;

-- Texts at the places of identities, in a fixed order.
CREATE FUNCTION medzen.identity_texts(p_line text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY[e ->> 'patient', e #>> '{actor,id}', e #>> '{actor,onBehalfOf}', e #>> '{actor,name}', e #>> '{target,id}', e #>> '{source,ip}',
    e #>> '{disclosure,recipient,name}', e #>> '{disclosure,recipient,address}']
  FROM (SELECT replace(p_line, '\u0000', '\ufffd')::jsonb AS e) x
$$;

-- True when a given event, in clear or not, could have become the stored one: the same except for
-- identities, and no pseudonym names a different person. For an erased identity this cannot be
-- checked; the nonce, which is the same, only its writer knew.
CREATE OR REPLACE FUNCTION medzen.is_same_event(p_tenant text, p_stored bytea, p_given text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_all CONSTANT text[] := ARRAY['patient', 'user', 'name', 'ip', 'recipient'];
  v_stored text;
BEGIN
  IF p_stored = convert_to(p_given, 'UTF8') THEN
    RETURN true;
  END IF;
  v_stored := convert_from(p_stored, 'UTF8');
  RETURN medzen.pseudonymize_event(p_tenant, v_stored, v_all, 'mask') = medzen.pseudonymize_event(p_tenant, p_given, v_all, 'mask')
    AND NOT EXISTS (
      SELECT FROM unnest(medzen.identity_texts(v_stored), medzen.identity_texts(p_given)) AS t (kept, said)
      LEFT JOIN medzen.erasable_identity i ON i.tenant = p_tenant AND i.pseudonym = t.kept AND medzen.is_proved(i)
      WHERE t.kept IS DISTINCT FROM t.said AND CASE WHEN i.pseudonym IS NULL
        THEN coalesce(t.kept !~ '^erasable:v1:[A-Za-z0-9_-]{43}$', true) ELSE t.said IS DISTINCT FROM i.value END
        -- Another pseudonym of the same value, or that before the switch: concurrent writers may
        -- not know of each other.
        AND medzen.reveal(p_tenant, t.said) IS DISTINCT FROM coalesce(i.value, t.kept));
EXCEPTION
  WHEN data_exception OR SQLSTATE 'MZ001' THEN RETURN false; -- damaged, or no event
END
$$;

-- ---- writing
-- The function of this name so far goes on under another, which nobody may call.

ALTER FUNCTION medzen.append_events(text, text[], text) RENAME TO append_written_events;
ALTER FUNCTION medzen.search_events(text, int, text, text, text, text[], text[], text[], text, text, text, text) RENAME TO search_written_events;
DO $$
DECLARE
  v_grant record;
BEGIN
  FOR v_grant IN
    SELECT p.oid::regprocedure AS function, r.rolname FROM pg_proc p, aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
    WHERE p.pronamespace = 'medzen'::regnamespace AND p.proname IN ('append_written_events', 'search_written_events') AND r.oid <> p.proowner
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', v_grant.function, v_grant.rolname);
  END LOOP;
END
$$;

-- Same as append_events once something is to be erasable. Blind, it does not look whether an event
-- is there: what reads the end of the log fails in a SERIALIZABLE transaction with concurrent
-- writers.
CREATE FUNCTION medzen.append_pseudonymized(p_tenant text, p_ids text[], p_bodies text, p_kinds text[], p_blind boolean) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_lines text[] := string_to_array(p_bodies, E'\n');
  v_line text;
  v_stored bytea;
  v_some boolean := false;
  v_at int;
BEGIN
  IF NOT p_blind THEN
    -- True when one of them may exist already: between the least id and the greatest, so that no
    -- other partition is asked.
    SELECT EXISTS (
      SELECT FROM medzen.audit_event e WHERE e.id BETWEEN b.least AND b.greatest AND e.id = ANY (p_ids::uuid[]))
    INTO v_some
    FROM (SELECT min(i.id COLLATE "C")::uuid AS least, max(i.id COLLATE "C")::uuid AS greatest FROM unnest(p_ids) AS i (id)) b;
  END IF;
  -- In order of id, as they are inserted.
  FOR v_at IN SELECT i.at FROM unnest(p_ids) WITH ORDINALITY AS i (id, at) ORDER BY i.id COLLATE "C" LOOP
    FOR v_try IN 1 .. 2 LOOP
      v_stored := NULL;
      v_line := NULL;
      IF v_some OR v_try = 2 AND NOT p_blind THEN
        SELECT e.body INTO v_stored FROM medzen.audit_event e WHERE e.id = p_ids[v_at]::uuid AND e.tenant = p_tenant;
      END IF;
      IF v_stored IS NOT NULL THEN
        -- A different event stays as it is given, and is found to conflict.
        v_line := CASE WHEN medzen.is_same_event(p_tenant, v_stored, v_lines[v_at]) THEN convert_from(v_stored, 'UTF8') ELSE v_lines[v_at] END;
      ELSIF p_kinds IS NULL AND strpos(v_lines[v_at], 'erasable:v1:') = 0 THEN
        v_line := v_lines[v_at];
      ELSE
        v_line := medzen.pseudonymize_event(p_tenant, v_lines[v_at], coalesce(p_kinds, '{}'), CASE v_try WHEN 1 THEN 'look' ELSE 'make' END);
      END IF;
      EXIT WHEN v_line IS NOT NULL;
      -- A new person. A retry of the same event, at the same time, must not make a pseudonym of its
      -- own for him: it waits here, and then finds the event.
      PERFORM pg_advisory_xact_lock(hashtextextended('medzen.erasable_identity ' || p_ids[v_at], 0));
    END LOOP;
    IF octet_length(v_line) > 65535 THEN
      PERFORM medzen.fail('invalid_input', 'An audit event with its pseudonyms is too large');
    END IF;
    v_lines[v_at] := v_line;
  END LOOP;
  RETURN medzen.append_written_events(p_tenant, p_ids, array_to_string(v_lines, E'\n'));
END
$$;

-- Appends all events or none, with pseudonyms in place of what is to be erasable. `p_bodies` is their bodies joined by line feeds, which
-- canonical JSON never contains. An event that is there already counts as appended when it is the same, whatever pseudonyms it has.
CREATE FUNCTION medzen.append_events(p_tenant text, p_ids text[], p_bodies text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_kinds text[];
BEGIN
  IF NOT (EXISTS (SELECT FROM medzen.erasable_kind) OR EXISTS (SELECT FROM medzen.erasable_identity)) THEN
    RETURN medzen.append_written_events(p_tenant, p_ids, p_bodies);
  END IF;
  SELECT array_agg(k.kind) INTO v_kinds FROM medzen.erasable_kind k;
  PERFORM medzen.check_tenant(p_tenant);
  IF cardinality(p_ids) BETWEEN 1 AND 1000 IS NOT TRUE
    OR cardinality(string_to_array(p_bodies, E'\n')) IS DISTINCT FROM cardinality(p_ids) THEN
    PERFORM medzen.fail('invalid_input', 'events must be 1 to 1000, each of one line');
  END IF;
  IF current_setting('transaction_isolation') = 'serializable' THEN
    BEGIN
      RETURN medzen.append_pseudonymized(p_tenant, p_ids, p_bodies, v_kinds, true);
    EXCEPTION
      WHEN SQLSTATE 'MZ010' THEN NULL; -- one is there already, under other pseudonyms perhaps: only its text can tell
    END;
  END IF;
  RETURN medzen.append_pseudonymized(p_tenant, p_ids, p_bodies, v_kinds, false);
END
$$;

-- ---- searching and reporting

-- True when the log records that a pseudonym was erased: as the target of an erasure, or among the
-- others of the same identity.
CREATE FUNCTION medzen.is_erased(p_tenant text, p_pseudonym text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM medzen.audit_event e
    WHERE e.target_id = p_pseudonym AND e.tenant = p_tenant AND e.action = 'identity.erase' AND e.outcome = 'success')
  OR EXISTS (
    SELECT FROM medzen.audit_event e
    WHERE e.action = 'identity.erase' AND e.tenant = p_tenant AND e.outcome = 'success'
      AND position('"pseudonyms":['::bytea IN e.body) > 0
      AND convert_from(e.body, 'UTF8')::jsonb #> '{detail,pseudonyms}' ? p_pseudonym)
$$;

-- The texts in an event that are pseudonyms, where an identity may stand. The bytes may be damaged, and no event.
CREATE FUNCTION medzen.pseudonyms_in(p_body bytea) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF position('"erasable:v1:'::bytea IN p_body) > 0 THEN
    RETURN QUERY SELECT DISTINCT t FROM unnest(medzen.identity_texts(convert_from(p_body, 'UTF8'))) t
      WHERE t ~ '^erasable:v1:[A-Za-z0-9_-]{43}$';
  END IF;
EXCEPTION
  WHEN data_exception THEN RETURN;
END
$$;

-- Identities of the pseudonyms in an event, as a JSON object: of each one kind, value and salt, by
-- which the reader proves it; true for one that was erased; null where no identity is known. NULL
-- when there is none.
CREATE FUNCTION medzen.identities_in(p_tenant text, p_body bytea) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT json_object_agg(x.pseudonym, CASE
    WHEN i.pseudonym IS NOT NULL THEN json_build_object('kind', i.kind, 'value', i.value, 'salt', encode(i.salt, 'hex'))
    WHEN medzen.is_erased(p_tenant, x.pseudonym) THEN 'true'::json END)::text
  FROM medzen.pseudonyms_in(p_body) AS x (pseudonym)
  LEFT JOIN medzen.erasable_identity i ON i.tenant = p_tenant AND i.pseudonym = x.pseudonym
  HAVING count(*) > 0
$$;

-- The pseudonyms in an event without a known identity, with a space between them; NULL when all are
-- known. Erased ones are among them: a verifier of the log looks for the event that says so.
CREATE OR REPLACE FUNCTION medzen.unknown_identities(p_tenant text, p_body bytea) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(x.pseudonym, ' ' ORDER BY x.pseudonym) FROM medzen.pseudonyms_in(p_body) AS x (pseudonym)
  WHERE NOT EXISTS (SELECT FROM medzen.erasable_identity i WHERE i.tenant = p_tenant AND i.pseudonym = x.pseudonym)
$$;

-- One tenant's events, newest first, from the one before `p_before` on. What is NULL does not restrict. Identities are given in clear, and
-- found under each of their pseudonyms too; what those in a body stand for stands beside it.
CREATE FUNCTION medzen.search_events(
  p_tenant text, p_limit int, p_before text DEFAULT NULL, p_patient text DEFAULT NULL, p_actor text DEFAULT NULL,
  p_actions text[] DEFAULT NULL, p_outcomes text[] DEFAULT NULL, p_purposes text[] DEFAULT NULL, p_target_type text DEFAULT NULL,
  p_target_id text DEFAULT NULL, p_from text DEFAULT NULL, p_to text DEFAULT NULL
) RETURNS TABLE (id text, body bytea, identities text, rows text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM medzen.erasable_kind) AND NOT EXISTS (SELECT FROM medzen.erasable_identity i WHERE i.tenant = p_tenant) THEN
    -- Pseudonyms without any identity are shown as they are, too: someone may have removed them
    -- all.
    RETURN QUERY SELECT s.id, s.body, medzen.identities_in(p_tenant, s.body), medzen.rows_state(s.id::uuid, s.body) FROM medzen.search_written_events(p_tenant, p_limit, p_before, p_patient, p_actor,
      p_actions, p_outcomes, p_purposes, p_target_type, p_target_id, p_from, p_to) s;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT f.id, f.body, medzen.identities_in(p_tenant, f.body), medzen.rows_state(f.id::uuid, f.body)
    FROM (
      SELECT s.id, s.body
      FROM unnest(medzen.identity_keys(p_tenant, p_patient, 'patient')) AS p (key),
        unnest(medzen.identity_keys(p_tenant, p_actor, 'user')) AS a (key),
        unnest(medzen.identity_keys(p_tenant, p_target_id, 'patient', 'user')) AS t (key),
        medzen.search_written_events(p_tenant, p_limit, p_before, p.key, a.key, p_actions, p_outcomes, p_purposes, p_target_type, t.key,
          p_from, p_to) s
      ORDER BY s.id COLLATE "C" DESC LIMIT p_limit) f
    ORDER BY f.id COLLATE "C" DESC;
END
$$;

CREATE OR REPLACE FUNCTION medzen.summarize_access(p_tenant text, p_from timestamptz, p_to timestamptz, p_limit int)
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
    ), known AS MATERIALIZED (
      -- Each is proved once, however many events name it.
      SELECT i.pseudonym, i.value FROM medzen.erasable_identity i
      WHERE i.tenant = $1 AND i.kind IN ('user', 'patient') AND medzen.is_proved(i)
        AND i.pseudonym IN (SELECT x.actor FROM access x UNION SELECT x.patient FROM access x)
    )
    SELECT to_char(a.month, 'YYYY-MM'), a.actor, (count(*) FILTER (WHERE a.outcome = 'success'))::text,
      (count(DISTINCT a.patient) FILTER (WHERE a.outcome = 'success'))::text,
      (count(DISTINCT a.target_type) FILTER (WHERE a.outcome = 'success'))::text,
      (count(*) FILTER (WHERE a.outcome <> 'success'))::text,
      coalesce(to_json((array_agg(DISTINCT a.target_type ORDER BY a.target_type)
        FILTER (WHERE a.outcome = 'success' AND a.target_type IS NOT NULL))[1:100])::text, '[]')
    FROM (
      SELECT date_trunc('month', x.at AT TIME ZONE 'UTC') AS month, coalesce(u.value, x.actor) AS actor,
        coalesce(p.value, x.patient) AS patient, x.target_type, x.outcome
      FROM access x
      LEFT JOIN known u ON u.pseudonym = x.actor
      LEFT JOIN known p ON p.pseudonym = x.patient
    ) a
    GROUP BY a.month, a.actor
    ORDER BY a.month DESC, count(*) FILTER (WHERE a.outcome = 'success') DESC, a.actor
    LIMIT $4
  $query$
  USING p_tenant, p_from, p_to, p_limit, medzen.uuid_floor(p_from - interval '1 minute'), medzen.uuid_floor(p_to + interval '1 minute');
END
$$;

-- An event for those who may read it: with clear values in place of pseudonyms, but of erased identities.
CREATE OR REPLACE FUNCTION medzen.open_event(p_body bytea) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_event jsonb;
  v_path text[];
  v_value text;
BEGIN
  v_event := replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb; -- damaged bytes are caught only here
  IF position('erasable:v1:'::bytea IN p_body) > 0 THEN
    FOR v_path IN SELECT string_to_array(p, ',') FROM unnest(ARRAY['actor,id', 'actor,onBehalfOf', 'actor,name', 'source,ip',
      'disclosure,recipient,name', 'disclosure,recipient,address', 'target,id', 'patient']) p
    LOOP
      CONTINUE WHEN v_path = '{target,id}' AND NOT (coalesce(v_event #>> '{target,type}', '') IN ('patient', 'user')
        OR coalesce(v_event #>> '{target,id}' = v_event ->> 'patient', false));
      v_value := medzen.reveal(v_event ->> 'tenant', v_event #>> v_path);
      IF v_value <> v_event #>> v_path THEN
        v_event := jsonb_set(v_event, v_path, to_jsonb(v_value));
      END IF;
    END LOOP;
  END IF;
  RETURN v_event;
EXCEPTION
  WHEN data_exception THEN RETURN NULL;
END
$$;

-- ---- the review queue
-- It holds pseudonyms where the log does, and shows what they stand for.

CREATE FUNCTION medzen.known_pseudonym(p_tenant text, p_kind text, p_text text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN p_text ~ '^erasable:v1:[A-Za-z0-9_-]{43}$' THEN p_text
    ELSE coalesce((medzen.pseudonyms_of(p_tenant, p_kind, p_text))[1], p_text) END
$$;

CREATE FUNCTION medzen.pseudonymize_review() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.actor := medzen.known_pseudonym(NEW.tenant, 'user', NEW.actor);
    NEW.patient := medzen.known_pseudonym(NEW.tenant, 'patient', NEW.patient);
  END IF;
  -- A finding is the log's, and may hold pseudonyms; who signs is given in clear.
  NEW.signed_by := coalesce((medzen.pseudonyms_of(NEW.tenant, 'user', NEW.signed_by))[1], NEW.signed_by);
  RETURN NEW;
END
$$;
CREATE TRIGGER pseudonymize BEFORE INSERT OR UPDATE ON medzen.review
  FOR EACH ROW EXECUTE FUNCTION medzen.pseudonymize_review();

CREATE OR REPLACE FUNCTION medzen.review_json(r medzen.review) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN jsonb_strip_nulls(jsonb_build_object(
  'id', r.id,
  'rule', r.rule,
  'eventId', r.event_id,
  'leafIndex', r.leaf_index::text,
  'at', medzen.format_instant(r.at),
  'actor', medzen.reveal(r.tenant, r.actor),
  'patient', medzen.reveal(r.tenant, r.patient),
  'queuedAt', medzen.format_instant(r.queued_at),
  'signed', CASE WHEN r.signed_at IS NOT NULL THEN jsonb_build_object('at', medzen.format_instant(r.signed_at),
    'by', medzen.reveal(r.tenant, r.signed_by), 'outcome', r.outcome, 'note', r.note) END))
  || CASE WHEN r.detail IS NULL THEN '{}' ELSE jsonb_build_object('detail', r.detail) END;

-- Records that the event's actor has looked at it. Once, and with the event in one transaction.
CREATE OR REPLACE FUNCTION medzen.sign_review(
  p_tenant text, p_id text, p_outcome text, p_note text, p_own boolean, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_review medzen.review;
  v_event jsonb;
BEGIN
  BEGIN
    v_event := replace(convert_from(p_event_body, 'UTF8'), '\u0000', '\ufffd')::jsonb; -- as it was given: not what a pseudonym stands for
  EXCEPTION
    WHEN data_exception THEN NULL; -- no event
  END;
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
  IF v_event #>> '{actor,id}' = medzen.reveal(p_tenant, v_review.actor) AND p_own IS NOT TRUE THEN
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

-- ---- reading and erasing

CREATE FUNCTION medzen.find_pseudonyms(p_tenant text, p_kind text, p_value text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(to_jsonb(medzen.pseudonyms_of(p_tenant, p_kind, p_value)), '[]')
$$;

CREATE FUNCTION medzen.reveal_identities(p_tenant text, p_pseudonyms text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF cardinality(p_pseudonyms) > 10000 THEN
    PERFORM medzen.fail('invalid_input', 'At most 10000 pseudonyms are revealed at a time');
  END IF;
  -- With what proves them: the reader believes no value without.
  RETURN (
    SELECT coalesce(jsonb_object_agg(i.pseudonym, jsonb_build_object('kind', i.kind, 'value', i.value, 'salt', encode(i.salt, 'hex'))), '{}')
    FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.pseudonym = ANY (p_pseudonyms));
END
$$;

-- True when an event names one of the pseudonyms; a refused erasure does not name the identity that
-- it would erase. In canonical JSON the target comes after all that may.
CREATE FUNCTION medzen.names_identity(p_body bytea, p_pseudonyms text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM (SELECT n AS pseudonym, position(convert_to(n, 'UTF8') IN p_body) AS at FROM unnest(p_pseudonyms) n OFFSET 0) f
    WHERE f.at > 0
      AND f.at <> position(convert_to(',"target":{"id":"' || f.pseudonym || '","type":"identity"}', 'UTF8') IN p_body) + 17)
$$;

-- True when a hold covers the patient or the recording of an event that names one of the
-- pseudonyms.
CREATE FUNCTION medzen.is_identity_held(p_tenant text, p_kind text, p_value text, p_pseudonyms text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM medzen.legal_hold h
    WHERE h.tenant = p_tenant AND h.released_at IS NULL AND (
      p_kind = 'patient' AND (medzen.index_key(h.patient) = medzen.index_key(p_value) OR EXISTS (
        SELECT FROM medzen.recording r WHERE r.tenant = h.tenant AND r.id = h.recording_id AND r.patient = p_value))
      OR EXISTS (
        SELECT FROM medzen.audit_event e
        WHERE e.tenant = p_tenant AND e.patient = ANY (medzen.identity_keys(p_tenant, medzen.index_key(h.patient), 'patient')
            || medzen.identity_keys(p_tenant, h.patient, 'patient'))
          AND medzen.names_identity(e.body, p_pseudonyms))
      OR EXISTS (
        SELECT FROM medzen.audit_event e
        WHERE e.tenant = p_tenant AND e.target_id = h.recording_id::text AND medzen.names_identity(e.body, p_pseudonyms))))
$$;

-- Removes an identity with all its salts, together with the event that records it. Kept for six years after the last event that names it,
-- unless told otherwise: what is kept by 45 CFR 164.316(b)(2)(i) and what 164.528 has to account for should say who. Looks through the bodies
-- of all the tenant's events: it is rare, and some kinds have no index.
CREATE FUNCTION medzen.erase_identity(
  p_tenant text, p_kind text, p_value text, p_despite_retention boolean, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_event jsonb := replace(convert_from(p_event_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
  v_all text[];
  v_until timestamptz;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF v_event ->> 'tenant' IS DISTINCT FROM p_tenant OR v_event ->> 'action' IS DISTINCT FROM 'identity.erase'
     OR v_event #>> '{target,type}' IS DISTINCT FROM 'identity' THEN
    PERFORM medzen.fail('invalid_input', 'event must have action ''identity.erase'' and target.type ''identity''');
  END IF;
  IF coalesce(v_event ->> 'reason', '') !~ '[^[:space:]]' OR strpos(v_event ->> 'reason', p_value) > 0 THEN
    PERFORM medzen.fail('invalid_input', 'event.reason must not be blank and must not contain the value to erase');
  END IF;
  -- Nobody places a hold between the look and the erasure. Who erases at the same time waits at the rows, and then finds none.
  LOCK TABLE medzen.legal_hold IN SHARE MODE;
  SELECT array_agg(f.pseudonym) INTO v_all FROM (
    SELECT i.pseudonym FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.kind = p_kind AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
    ORDER BY i.pseudonym FOR UPDATE) f;
  IF v_all IS NULL THEN
    RETURN jsonb_build_object('status', 'absent');
  -- Each erased pseudonym is named, so that a verifier of the log finds why its identity is
  -- unknown.
  ELSIF v_event #>> '{target,id}' = ANY (v_all) IS NOT TRUE OR NOT array_remove(v_all, v_event #>> '{target,id}')
      <@ ARRAY(SELECT jsonb_array_elements_text(coalesce(v_event #> '{detail,pseudonyms}', '[]'))) THEN
    PERFORM medzen.fail('conflict', 'The event must name every pseudonym of the identity: one as its target, all in detail.pseudonyms');
  ELSIF medzen.is_identity_held(p_tenant, p_kind, p_value, v_all) THEN
    RETURN jsonb_build_object('status', 'held');
  END IF;
  IF p_despite_retention IS NOT TRUE THEN
    SELECT medzen.audit_kept_until(max(greatest(e.at, e.written_at)), 6) INTO v_until FROM medzen.audit_event e
    WHERE e.tenant = p_tenant AND medzen.names_identity(e.body, v_all);
    IF v_until > medzen.now() THEN
      RETURN jsonb_build_object('status', 'too_young', 'keptUntil', medzen.format_instant(v_until));
    END IF;
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  DELETE FROM medzen.erasable_identity i WHERE i.tenant = p_tenant AND i.pseudonym = ANY (v_all);
  RETURN jsonb_build_object('status', 'erased');
END
$$;

-- ---- purge
-- A hold on a patient keeps the events that hold one of the patient's pseudonyms, too.

ALTER FUNCTION medzen.is_archive_held(bigint, bigint) RENAME TO is_archive_held_by_name;
CREATE FUNCTION medzen.is_archive_held(p_first bigint, p_end bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT medzen.is_archive_held_by_name(p_first, p_end) OR EXISTS (
    SELECT FROM medzen.legal_hold h
    JOIN medzen.erasable_identity i ON i.tenant = h.tenant AND i.kind = 'patient'
      AND medzen.index_key(i.value) = medzen.index_key(h.patient)
    WHERE h.released_at IS NULL AND EXISTS (
      SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id
      WHERE e.tenant = h.tenant AND e.patient = i.pseudonym AND l.leaf_index >= p_first AND l.leaf_index < p_end))
$$;

-- ---- what no leaf accounts for
-- Rows beside the log that nothing sealed explains, some at a time. A place is a table and the last row that was looked at; each call looks at so
-- many rows, and says where the next one goes on. Everything by the snapshot of one call: what is being sequenced meanwhile is no stray.

-- Events that are neither in the tree nor in the queue.
CREATE FUNCTION medzen.stray_events(p_after uuid, p_limit int, OUT last text, OUT found jsonb) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH page AS MATERIALIZED (
    SELECT e.id FROM medzen.audit_event e WHERE p_after IS NULL OR e.id > p_after ORDER BY e.id LIMIT p_limit
  )
  SELECT (SELECT p.id::text FROM page p ORDER BY p.id DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'event', 'eventId', p.id) ORDER BY p.id) FROM page p
      WHERE NOT EXISTS (SELECT FROM medzen.audit_leaf l WHERE l.event_id = p.id
          AND l.leaf_index >= 0 AND l.leaf_index < (SELECT h.size FROM medzen.audit_head h))
        AND NOT EXISTS (SELECT FROM medzen.audit_pending q WHERE q.event_id = p.id))
$$;

-- Leaves past the end of the tree, or before its beginning.
CREATE FUNCTION medzen.stray_leaves(p_limit int) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_agg(jsonb_build_object('kind', 'leaf', 'index', l.leaf_index::text, 'eventId', l.event_id)) FROM (
    (SELECT a.* FROM medzen.audit_leaf a WHERE a.leaf_index < 0 ORDER BY a.leaf_index LIMIT p_limit)
    UNION ALL
    (SELECT a.* FROM medzen.audit_leaf a WHERE a.leaf_index >= (SELECT coalesce(max(h.size), 0) FROM medzen.audit_head h)
      ORDER BY a.leaf_index LIMIT p_limit)) l
$$;

-- Rows of bulk writes whose event has no hash of them, or is not there.
CREATE FUNCTION medzen.stray_rows(p_after uuid, p_limit int, OUT last text, OUT found jsonb) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH page AS MATERIALIZED (
    SELECT r.event_id FROM medzen.audit_rows r WHERE p_after IS NULL OR r.event_id > p_after ORDER BY r.event_id LIMIT p_limit
  )
  SELECT (SELECT p.event_id::text FROM page p ORDER BY p.event_id DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'rows', 'eventId', p.event_id) ORDER BY p.event_id) FROM page p
      LEFT JOIN medzen.audit_event e ON e.id = p.event_id WHERE e.id IS NULL OR medzen.rows_state(e.id, e.body) = 'unbound')
$$;

-- Identities that do not give their pseudonym, and such as the log says were erased.
CREATE FUNCTION medzen.stray_identities(p_tenant text, p_pseudonym text, p_limit int, OUT last text, OUT found jsonb) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH page AS MATERIALIZED (
    SELECT i.tenant, i.pseudonym, medzen.is_proved(i) AS proved FROM medzen.erasable_identity i
    WHERE p_tenant IS NULL OR (i.tenant, i.pseudonym) > (p_tenant, p_pseudonym) ORDER BY i.tenant, i.pseudonym LIMIT p_limit
  ), erased AS MATERIALIZED (
    SELECT e.tenant, e.target_id AS pseudonym FROM medzen.audit_event e
    WHERE e.action = 'identity.erase' AND e.outcome = 'success' AND EXISTS (SELECT FROM page)
    UNION
    SELECT e.tenant, n.value FROM medzen.audit_event e,
      jsonb_array_elements_text(convert_from(e.body, 'UTF8')::jsonb #> '{detail,pseudonyms}') AS n (value)
    WHERE e.action = 'identity.erase' AND e.outcome = 'success' AND position('"pseudonyms":['::bytea IN e.body) > 0 AND EXISTS (SELECT FROM page)
  )
  SELECT (SELECT p.tenant || ' ' || p.pseudonym FROM page p ORDER BY p.tenant DESC, p.pseudonym DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', CASE WHEN s.restored THEN 'restored' ELSE 'identity' END,
        'tenant', s.tenant, 'pseudonym', s.pseudonym) ORDER BY s.tenant, s.pseudonym)
      FROM (SELECT p.*, (p.tenant, p.pseudonym) IN (SELECT d.tenant, d.pseudonym FROM erased d) AS restored FROM page p) s
      WHERE NOT s.proved OR s.restored)
$$;

-- Ranges that the archive's rows call purged and no event of the tree does, that overlap, or leave a gap.
CREATE FUNCTION medzen.stray_archives(p_after bigint, p_limit int, OUT last text, OUT found jsonb) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH page AS MATERIALIZED (
    SELECT m.* FROM medzen.archive_manifest m WHERE m.first_leaf > p_after ORDER BY m.first_leaf LIMIT p_limit
  )
  SELECT (SELECT p.first_leaf::text FROM page p ORDER BY p.first_leaf DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'archive', 'index', p.first_leaf::text) ORDER BY p.first_leaf) FROM page p
      WHERE p.first_leaf <> 0 AND NOT EXISTS (SELECT FROM medzen.archive_manifest b WHERE b.end_leaf = p.first_leaf)
        OR p.end_leaf > (SELECT h.size FROM medzen.audit_head h)
        OR p.purged_at IS NOT NULL
          -- The event of a purge waits for its leaf, for a while.
          AND NOT EXISTS (SELECT FROM medzen.audit_pending q WHERE q.event_id = p.purge_event)
          AND NOT EXISTS (
            SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id AND l.leaf_index >= p.end_leaf
            WHERE e.id = p.purge_event AND medzen.is_purge_of(e.body, p.first_leaf, p.end_leaf, p.manifest_sha256)))
$$;

-- True when a sign-off's event says this outcome and note.
CREATE FUNCTION medzen.says_review(p_body bytea, p_outcome text, p_note text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_event jsonb := replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
BEGIN
  RETURN (v_event #>> '{detail,outcome}', v_event ->> 'reason') IS NOT DISTINCT FROM (p_outcome, p_note);
EXCEPTION
  WHEN data_exception THEN RETURN true; -- damaged, which its hash shows
END
$$;

-- True when a person in the queue can be the person of an event: the one may hold a pseudonym where the other is in clear. For
-- an erased identity this cannot be checked.
CREATE FUNCTION medzen.is_same_person(p_tenant text, p_queued text, p_said text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT medzen.index_key(p_queued) IS NOT DISTINCT FROM p_said
    OR medzen.reveal(p_tenant, p_queued) IS NOT DISTINCT FROM medzen.reveal(p_tenant, p_said)
    OR coalesce(p_queued ~ '^erasable:v1:[A-Za-z0-9_-]{43}$' AND medzen.is_erased(p_tenant, p_queued), false)
$$;

-- Findings of the review that are about another event than they say, or that nobody signed as they say.
CREATE FUNCTION medzen.stray_reviews(p_tenant text, p_id text, p_limit int, OUT last text, OUT found jsonb) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH page AS MATERIALIZED (
    SELECT r.* FROM medzen.review r WHERE p_tenant IS NULL OR (r.tenant, r.id) > (p_tenant, p_id) ORDER BY r.tenant, r.id LIMIT p_limit
  )
  SELECT (SELECT p.tenant || ' ' || p.id FROM page p ORDER BY p.tenant DESC, p.id DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'review', 'tenant', p.tenant, 'id', p.id) ORDER BY p.tenant, p.id) FROM page p
      LEFT JOIN medzen.audit_leaf l ON l.leaf_index = p.leaf_index
      LEFT JOIN medzen.audit_event e ON e.id = p.event_id
      LEFT JOIN medzen.audit_event s ON s.id = p.sign_event
      WHERE l.event_id IS DISTINCT FROM p.event_id
        -- A purged event can no longer be compared.
        OR e.id IS NOT NULL AND NOT (e.tenant = p.tenant AND date_trunc('milliseconds', e.at) = date_trunc('milliseconds', p.at)
          AND medzen.is_same_person(p.tenant, p.actor, e.actor) AND medzen.is_same_person(p.tenant, p.patient, e.patient))
        OR p.signed_at IS NOT NULL AND CASE WHEN s.id IS NULL
          THEN NOT EXISTS (SELECT FROM medzen.audit_leaf g WHERE g.event_id = p.sign_event)
          ELSE NOT (s.tenant = p.tenant AND s.action = 'audit.review' AND s.outcome = 'success' AND s.target_type = 'review' AND s.target_id = p.id
            AND medzen.is_same_person(p.tenant, p.signed_by, s.actor) AND medzen.says_review(s.body, p.outcome, p.note)) END)
$$;

-- Checkpoints that do not say their own size and root, or a size that the tree does not have; and cosignatures that are not what their line says.
CREATE FUNCTION medzen.stray_checkpoints(p_after bigint, p_limit int, OUT last text, OUT found jsonb) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH page AS MATERIALIZED (
    SELECT c.* FROM medzen.audit_checkpoint c WHERE c.size > p_after ORDER BY c.size LIMIT p_limit
  )
  SELECT (SELECT p.size::text FROM page p ORDER BY p.size DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'checkpoint', 'index', p.size::text) ORDER BY p.size) FROM page p
      WHERE p.size > (SELECT h.size FROM medzen.audit_head h)
        OR split_part(p.checkpoint, E'\n', 2) <> p.size::text
        OR split_part(p.checkpoint, E'\n', 3) <> encode(p.root, 'base64')
        OR p.size = (SELECT h.size FROM medzen.audit_head h) AND p.checkpoint IS DISTINCT FROM (SELECT h.checkpoint FROM medzen.audit_head h)
        OR EXISTS (SELECT FROM medzen.audit_cosignature s WHERE s.size = p.size
          AND (s.name, s.key_id) IS DISTINCT FROM ((medzen.cosignature_key(s.line)).name, (medzen.cosignature_key(s.line)).key_id)))
$$;

-- One call's share of all of them. p_after is what the call before gave; the answer has none at the end.
CREATE FUNCTION medzen.read_strays(p_after text, p_limit int) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_stages CONSTANT text[] := ARRAY['leaf', 'archive', 'checkpoint', 'identity', 'review', 'rows', 'event'];
  v_stage text := coalesce(split_part(p_after, ' ', 1), 'leaf');
  v_from text := nullif(split_part(p_after, ' ', 2), '');
  v_more text := nullif(split_part(p_after, ' ', 3), '');
  v_last text;
  v_found jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 OR v_stage <> ALL (v_stages) THEN
    PERFORM medzen.fail('invalid_input', 'Strays are looked for among 1 to 10000 rows at a time, from a place that an earlier call gave');
  END IF;
  CASE v_stage
    WHEN 'leaf' THEN v_found := medzen.stray_leaves(least(p_limit, 1000));
    WHEN 'archive' THEN SELECT * INTO v_last, v_found FROM medzen.stray_archives(coalesce(v_from::bigint, -1), p_limit);
    WHEN 'checkpoint' THEN SELECT * INTO v_last, v_found FROM medzen.stray_checkpoints(coalesce(v_from::bigint, -1), p_limit);
    WHEN 'identity' THEN SELECT * INTO v_last, v_found FROM medzen.stray_identities(v_from, v_more, p_limit);
    WHEN 'review' THEN SELECT * INTO v_last, v_found FROM medzen.stray_reviews(v_from, v_more, p_limit);
    WHEN 'rows' THEN SELECT * INTO v_last, v_found FROM medzen.stray_rows(v_from::uuid, p_limit);
    WHEN 'event' THEN SELECT * INTO v_last, v_found FROM medzen.stray_events(v_from::uuid, p_limit);
  END CASE;
  v_stage := CASE WHEN v_last IS NOT NULL THEN v_stage ELSE v_stages[array_position(v_stages, v_stage) + 1] END;
  RETURN jsonb_build_object('strays', coalesce(v_found, '[]'))
    || CASE WHEN v_stage IS NULL THEN '{}' ELSE jsonb_build_object('next', concat_ws(' ', v_stage, v_last)) END;
END
$$;

SELECT medzen.permit('medzen_sequencer', 'read_strays');
SELECT medzen.permit('medzen_auditor', 'read_strays');
SELECT medzen.permit('medzen_app', 'erasable_kinds', 'find_pseudonyms', 'reveal_identities', 'erase_identity');
SELECT medzen.permit('medzen_auditor', 'erasable_kinds', 'find_pseudonyms', 'reveal_identities');
-- For the review of the log, whose rules look at people and not at pseudonyms.
SELECT medzen.permit('medzen_sequencer', 'reveal_identities');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000019_erasable_identity', 'f0959d2068b850670433ef55b4bde3792980fad232523e4448d03b67ea0f51c3', false);
