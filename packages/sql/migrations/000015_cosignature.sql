-- Cosignatures of witnesses on checkpoints. In a table of their own, because a checkpoint itself never changes.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.audit_cosignature (
  size bigint NOT NULL REFERENCES medzen.audit_checkpoint (size),
  name text COLLATE "C" NOT NULL,
  -- The first 4 bytes of what the line encodes: with the name, they tell one key from another.
  key_id bytea NOT NULL CHECK (octet_length(key_id) = 4),
  line text NOT NULL,
  added_at timestamptz NOT NULL,
  PRIMARY KEY (size, name, key_id)
);
ALTER TABLE medzen.audit_cosignature ENABLE ROW LEVEL SECURITY;
CREATE POLICY auditors ON medzen.audit_cosignature FOR SELECT USING ((SELECT medzen.auditor_tenant()) IS NOT NULL);
SELECT medzen.permit_select('medzen_auditor', 'audit_cosignature');
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.audit_cosignature
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- What a line says it is signed with; NULL for what is no signature line of C2SP signed-note. As strict as a reader is: of one line that is
-- none it refuses the whole checkpoint. No white space of Unicode's in a name, no plus, nothing below the space.
CREATE FUNCTION medzen.cosignature_key(p_line text, OUT name text, OUT key_id bytea) RETURNS record
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_payload text;
BEGIN
  IF medzen.utf16_length(p_line) > 8192 OR medzen.utf16_length(split_part(p_line, ' ', 2)) > 1024 OR p_line COLLATE "C" !~
    '^\u2014 [^+\u0001-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+ [A-Za-z0-9+/]+={0,2}\n$' THEN
    RETURN;
  END IF;
  v_payload := rtrim(split_part(p_line, ' ', 3), E'\n');
  -- In canonical form only: nothing in it may be read in two ways.
  IF octet_length(decode(v_payload, 'base64')) < 5
    OR translate(encode(decode(v_payload, 'base64'), 'base64'), E'\n', '') <> v_payload THEN
    RETURN;
  END IF;
  name := split_part(p_line, ' ', 2);
  key_id := substring(decode(v_payload, 'base64') FOR 4);
EXCEPTION
  WHEN invalid_parameter_value THEN RETURN; -- base64 of no whole number of bytes
END
$$;

-- Keeps the first cosignature of each key on a committed checkpoint.
CREATE FUNCTION medzen.add_cosignature(p_size text, p_line text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_key record;
BEGIN
  SELECT * INTO v_key FROM medzen.cosignature_key(p_line);
  IF v_key.key_id IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'line must be a C2SP signature line (''— <name> <base64>'')');
  END IF;
  -- One after another, so that the count below holds.
  PERFORM FROM medzen.audit_checkpoint c WHERE c.size = p_size::bigint FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'unknown');
  END IF;
  IF EXISTS (
    SELECT FROM medzen.audit_cosignature s
    WHERE s.size = p_size::bigint AND s.name = v_key.name AND s.key_id = v_key.key_id) THEN
    RETURN jsonb_build_object('status', 'repeated');
  END IF;
  IF (SELECT count(*) FROM medzen.audit_cosignature s WHERE s.size = p_size::bigint) >= 64 THEN
    PERFORM medzen.fail('invalid_input', 'A checkpoint carries at most 64 cosignatures');
  END IF;
  IF (SELECT medzen.utf16_length(c.checkpoint || medzen.cosignatures(c.size) || p_line) FROM medzen.audit_checkpoint c
      WHERE c.size = p_size::bigint) > 131072 THEN
    PERFORM medzen.fail('invalid_input', 'The checkpoint would be longer than readers look at');
  END IF;
  INSERT INTO medzen.audit_cosignature (size, name, key_id, line, added_at)
  VALUES (p_size::bigint, v_key.name, v_key.key_id, p_line, medzen.now());
  RETURN jsonb_build_object('status', 'added');
END
$$;

-- The signature lines that were added to a checkpoint, to be written under it.
CREATE FUNCTION medzen.cosignatures(p_size bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(string_agg(s.line, '' ORDER BY s.name, s.key_id), '')
  FROM medzen.audit_cosignature s WHERE s.size = p_size
$$;

CREATE OR REPLACE FUNCTION medzen.read_head() RETURNS TABLE (size text, root bytea, checkpoint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT h.size::text, h.root, h.checkpoint || medzen.cosignatures(h.size) FROM medzen.audit_head h
$$;

CREATE OR REPLACE FUNCTION medzen.read_checkpoints(p_after_size text, p_limit int) RETURNS TABLE (size text, checkpoint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'Checkpoints are read 1 to 1000 at a time');
  END IF;
  RETURN QUERY
    SELECT c.size::text, c.checkpoint || medzen.cosignatures(c.size) FROM medzen.audit_checkpoint c
    WHERE c.size > p_after_size::bigint ORDER BY c.size LIMIT p_limit;
END
$$;

SELECT medzen.permit('medzen_sequencer', 'add_cosignature');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000015_cosignature', 'c4cacf1a4311ac101ef1fea2940978c358217de7ee175e4b666d0868e01e9b98', false);
