-- Who acts, for whom, from where and why, as the connection's settings tell; and events made in SQL, byte for byte as the library
-- seals them.
--
-- Two settings of the host's own code, for the transaction: medzen.actor (the subject, as text) and medzen.context, a JSON object
-- {tenant?, actor?: {id?, type?, role? | roles?, name?, onBehalfOf?}, purpose?, reason?, source?}. Two of PostgREST:
-- request.jwt.claims, which it has verified, and request.headers, which it has not. Whoever may send SQL of their own may
-- set any of them: they tell apart the people behind a service, and do not restrain the service.
--
-- What is too long for an event is cut (names, reasons, user agents) or stands as its hash (ids): a write of the host does not fail on it.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE FUNCTION medzen.current_context() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT medzen.read_setting('medzen.context') $$;

-- NULL when the claims or the context name something that is no tenant: policies then match nothing and events are refused,
-- where falling back to 'default' could show another tenant's rows. So too when there are claims that Postgres cannot read, as it cannot a
-- number past its bounds: what a person has written into their own profile must not make them nobody, whose writes have no name.
-- A host may replace this function.
CREATE FUNCTION medzen.current_tenant() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_claims jsonb := medzen.read_setting('request.jwt.claims');
  v_tenant jsonb := coalesce(
    nullif(v_claims -> 'tenant', 'null'), nullif(v_claims -> 'tenant_id', 'null'),
    nullif(v_claims #> '{app_metadata,tenant}', 'null'), nullif(medzen.current_context() -> 'tenant', 'null'), '"default"');
BEGIN
  IF v_claims IS NULL AND btrim(current_setting('request.jwt.claims', true)) NOT IN ('', 'null') THEN
    RETURN NULL;
  END IF;
  RETURN CASE WHEN jsonb_typeof(v_tenant) = 'string' AND v_tenant #>> '{}' ~ '^[a-z0-9][a-z0-9_-]{0,63}$' THEN v_tenant #>> '{}' END;
END
$$;

-- ---- lengths, as the library counts them: in UTF-16 code units

CREATE FUNCTION medzen.utf16_length(p_text text) RETURNS int
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN length(p_text) + length(regexp_replace(p_text, '[^\U00010000-\U0010FFFF]', '', 'g'));

-- The first so many code units; the replacement character in place of half a pair, as sealEvent has it.
CREATE FUNCTION medzen.utf16_cut(p_text text, p_units int) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_text text := p_text;
BEGIN
  IF octet_length(v_text) <= p_units THEN
    RETURN v_text;
  END IF;
  v_text := left(v_text, p_units);
  WHILE medzen.utf16_length(v_text) > p_units + 1 LOOP
    v_text := left(v_text, -greatest(1, (medzen.utf16_length(v_text) - p_units) / 2));
  END LOOP;
  -- One too many: half a pair, if it is one.
  IF medzen.utf16_length(v_text) = p_units + 1 THEN
    v_text := left(v_text, -1) || CASE WHEN medzen.utf16_length(right(v_text, 1)) = 2 THEN U&'\FFFD' ELSE '' END;
  END IF;
  RETURN v_text;
END
$$;

-- An id within an event's bound; one past it stands as its hash, which still tells one from another.
CREATE FUNCTION medzen.event_id_text(p_id text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF octet_length(p_id) <= 256 OR medzen.utf16_length(p_id) <= 256 THEN
    RETURN nullif(p_id, '');
  END IF;
  RETURN 'sha256:' || encode(sha256(convert_to(p_id, 'UTF8')), 'hex');
END
$$;

-- ---- who

-- Role names in a claim: one text, or an array.
CREATE FUNCTION medzen.role_names(p_claim jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT array_agg(e.item #>> '{}' ORDER BY e.at) FROM jsonb_array_elements(
    CASE jsonb_typeof(p_claim) WHEN 'array' THEN p_claim WHEN 'string' THEN jsonb_build_array(p_claim) ELSE '[]' END
  ) WITH ORDINALITY AS e (item, at)
  WHERE jsonb_typeof(e.item) = 'string' AND e.item <> '""'
$$;

-- A text of an object; NULL when the member is no text, or an empty one.
CREATE FUNCTION medzen.text_of(p_object jsonb, p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(p_object -> p_name) = 'string' THEN nullif(p_object ->> p_name, '') END;

-- The person whom verified claims name, with the roles that the library reads from them; else whom the host's code named; else the
-- database's login, which the connection could not choose. For functions of this schema: who calls is not this function's caller.
CREATE FUNCTION medzen.current_actor() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_claims jsonb := medzen.read_setting('request.jwt.claims');
  v_said jsonb := medzen.current_context() -> 'actor';
  v_named text := coalesce(nullif(current_setting('medzen.actor', true), ''), medzen.text_of(v_said, 'id'));
  v_id text := coalesce(medzen.text_of(v_claims, 'sub'), v_named);
  v_type text := 'user';
  v_roles text[];
BEGIN
  IF v_id IS NULL THEN
    -- Not current_user, which is the owner of this schema here.
    v_id := session_user;
    v_type := 'service';
    v_roles := ARRAY[nullif(current_setting('role', true), 'none')];
    v_said := NULL;
  ELSIF v_id = v_named AND coalesce(v_said ->> 'id', v_id) = v_id THEN
    v_type := coalesce(substring(medzen.text_of(v_said, 'type') FROM '^(?:user|service|system)$'), v_type);
    v_roles := medzen.role_names(v_said -> 'role') || medzen.role_names(v_said -> 'roles');
  ELSE
    v_said := NULL; -- of somebody else
  END IF;
  IF v_id = medzen.text_of(v_claims, 'sub') THEN
    v_roles := v_roles || medzen.role_names(v_claims -> 'roles') || medzen.role_names(v_claims -> 'role')
      || medzen.role_names(v_claims -> 'cognito:groups') || medzen.role_names(v_claims #> '{realm_access,roles}')
      || medzen.role_names(v_claims #> '{app_metadata,roles}') || medzen.role_names(v_claims #> '{app_metadata,role}');
  END IF;
  v_roles := nullif(array_remove(v_roles, NULL), '{}');
  IF cardinality(v_roles) > 1 THEN
    SELECT array_agg(r.name ORDER BY r.at) INTO v_roles
    FROM (SELECT n.name, min(n.at) AS at FROM unnest(v_roles) WITH ORDINALITY AS n (name, at) GROUP BY 1) r;
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'id', medzen.event_id_text(v_id),
    'type', v_type,
    'role', medzen.utf16_cut(array_to_string(v_roles, ','), 256),
    'onBehalfOf', medzen.event_id_text(medzen.text_of(v_said, 'onBehalfOf')),
    'name', medzen.utf16_cut(medzen.text_of(v_said, 'name'), 256)));
END
$$;

-- ---- from where

-- How many proxies of the host's own stand before PostgREST and append to X-Forwarded-For. A host may replace this function.
CREATE FUNCTION medzen.trusted_hops() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1;

-- The address that so many places from the right of X-Forwarded-For stands: what stands further left, the client may have written
-- itself. Fewer entries than hops mean that the request came another way: then no address is believed. Without port, brackets and
-- zone; IPv4 within IPv6 as IPv4. NULL when it is no address.
CREATE FUNCTION medzen.forwarded_ip(p_header text, p_hops int) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_item text;
BEGIN
  v_item := btrim(split_part(p_header, ',', -p_hops), E' \t');
  v_item := coalesce(
    substring(v_item FROM '^\[([^\]]*)\](?::\d{1,5})?$'),
    substring(v_item FROM '^(\d[\d.]*):\d{1,5}$'),
    v_item);
  v_item := split_part(v_item, '%', 1);
  IF length(v_item) > 64 OR v_item !~ '^((0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$' THEN
    RETURN NULL;
  END IF;
  v_item := host(v_item::inet);
  v_item := coalesce(substring(v_item FROM '^::ffff:(\d+\.\d+\.\d+\.\d+)$'), v_item);
  RETURN CASE WHEN v_item NOT IN ('0.0.0.0', '::') THEN v_item END;
EXCEPTION
  WHEN data_exception THEN RETURN NULL;
END
$$;

-- What the host's code says of the source, member by member, before what PostgREST's headers say. Headers are the client's word,
-- except for the address.
CREATE FUNCTION medzen.current_source() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_said jsonb := medzen.current_context() -> 'source';
  v_headers jsonb := medzen.read_setting('request.headers');
BEGIN
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'ip', coalesce(medzen.event_id_text(medzen.text_of(v_said, 'ip')),
      medzen.forwarded_ip(medzen.text_of(v_headers, 'x-forwarded-for'), medzen.trusted_hops())),
    'userAgent', medzen.utf16_cut(coalesce(medzen.text_of(v_said, 'userAgent'), medzen.text_of(v_headers, 'user-agent')), 512),
    'sessionId', medzen.event_id_text(coalesce(medzen.text_of(v_said, 'sessionId'),
      medzen.text_of(medzen.read_setting('request.jwt.claims'), 'session_id'))),
    'requestId', medzen.event_id_text(coalesce(medzen.text_of(v_said, 'requestId'), medzen.text_of(v_headers, 'x-request-id'))),
    'traceId', medzen.event_id_text(coalesce(medzen.text_of(v_said, 'traceId'),
      substring(medzen.text_of(v_headers, 'traceparent') FROM '^[0-9a-f]{2}-([0-9a-f]{32})-')))));
END
$$;

-- ---- canonical JSON (RFC 8785)

-- A number as ECMAScript writes it.
CREATE FUNCTION medzen.jcs_number(p_number numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1
AS $$
DECLARE
  v_double float8;
  v_text text;
  -- The number is 0.<digits> times ten to the power of v_point.
  v_digits text;
  v_point int;
  v_shorter numeric;
  v_found boolean := true;
BEGIN
  IF abs(p_number) <= 9007199254740992 AND p_number = trunc(p_number) THEN
    RETURN p_number::bigint::text;
  END IF;
  BEGIN
    v_double := abs(p_number)::float8;
  EXCEPTION
    WHEN numeric_value_out_of_range THEN
      IF abs(p_number) < 1 THEN
        RETURN '0'; -- nearer to zero than to any double
      END IF;
      PERFORM medzen.fail('invalid_input', 'Cannot write canonical JSON: a number is not finite');
  END;
  v_text := split_part(v_double::text, 'e', 1);
  v_digits := replace(v_text, '.', '');
  v_point := length(split_part(v_text, '.', 1)) + coalesce(nullif(split_part(v_double::text, 'e', 2), ''), '0')::int;
  v_point := v_point - (length(v_digits) - length(ltrim(v_digits, '0')));
  v_digits := btrim(v_digits, '0');
  -- Postgres does not take a decimal that lies exactly between two doubles, ECMAScript does when it reads back as this one. Only
  -- numbers of this size have such a decimal with fewer digits.
  WHILE v_found AND length(v_digits) > 1 AND v_point BETWEEN 15 AND 45 LOOP
    v_found := false;
    FOR v_up IN 0 .. 1 LOOP
      v_shorter := left(v_digits, -1)::numeric + v_up;
      IF (v_shorter::text || 'e' || (v_point - length(v_digits) + 1))::float8 = v_double THEN
        v_point := v_point + length(v_shorter::text) - (length(v_digits) - 1);
        v_digits := rtrim(v_shorter::text, '0');
        v_found := true;
        EXIT;
      END IF;
    END LOOP;
  END LOOP;
  RETURN CASE WHEN p_number < 0 THEN '-' ELSE '' END || CASE
    WHEN v_point BETWEEN length(v_digits) AND 21 THEN v_digits || repeat('0', v_point - length(v_digits))
    WHEN v_point BETWEEN 1 AND 21 THEN left(v_digits, v_point) || '.' || substr(v_digits, v_point + 1)
    WHEN v_point BETWEEN -5 AND 0 THEN '0.' || repeat('0', -v_point) || v_digits
    ELSE left(v_digits, 1) || CASE WHEN length(v_digits) > 1 THEN '.' || substr(v_digits, 2) ELSE '' END
      || 'e' || CASE WHEN v_point > 0 THEN '+' ELSE '' END || (v_point - 1)
  END;
END
$$;

-- Bytes of UTF-8 sort as code points do; canonical JSON sorts by UTF-16 code units, where what lies past the basic plane stands before
-- U+E000. A prefix puts U+E000 to U+FFFF behind.
CREATE FUNCTION medzen.jcs_sort_key(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_name ~ U&'[\E000-\+10FFFF]' THEN
  regexp_replace(replace(p_name, U&'\+10FFFF', U&'\+10FFFF\0001'), U&'([\E000-\FFFF])', U&'\+10FFFF' || '\1', 'g')
  ELSE p_name END;

-- The canonical text of a value: what the library's canonicalize writes for the same value.
CREATE FUNCTION medzen.jcs(p_value jsonb, p_depth int DEFAULT 0) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_depth > 128 THEN
    PERFORM medzen.fail('invalid_input', 'Cannot write canonical JSON: nested too deeply');
  END IF;
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      RETURN (SELECT '{' || coalesce(string_agg(to_jsonb(m.key)::text || ':' || CASE jsonb_typeof(m.value) WHEN 'string' THEN m.value::text
        ELSE medzen.jcs(m.value, p_depth + 1) END, ','
        ORDER BY medzen.jcs_sort_key(m.key) COLLATE "C"), '') || '}' FROM jsonb_each(p_value) m);
    WHEN 'array' THEN
      RETURN (SELECT '[' || coalesce(string_agg(medzen.jcs(i.value, p_depth + 1), ',' ORDER BY i.at), '') || ']'
        FROM jsonb_array_elements(p_value) WITH ORDINALITY AS i (value, at));
    WHEN 'number' THEN
      RETURN medzen.jcs_number((p_value #>> '{}')::numeric);
    ELSE
      RETURN p_value::text; -- Postgres escapes as ECMAScript does
  END CASE;
END
$$;

-- ---- events

-- A UUIDv7 of the instant.
CREATE FUNCTION medzen.uuid_at(p_at timestamptz) RETURNS text
LANGUAGE sql VOLATILE PARALLEL SAFE
-- The least UUIDv7 of the instant gives the time, a random UUID the rest: of that only version and variant are fixed.
RETURN left(medzen.uuid_floor(p_at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16);

-- 16 random bytes in hexadecimal. A random UUID has six fixed bits, so only digits that are free of them are taken, from two.
CREATE FUNCTION medzen.random_nonce() RETURNS text
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN right(gen_random_uuid()::text, 12) || right(gen_random_uuid()::text, 12) || left(gen_random_uuid()::text, 8);

-- What sealEvent refuses in a draft is refused here.
CREATE FUNCTION medzen.check_draft(p_draft jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_wrong text := CASE
    WHEN jsonb_typeof(p_draft -> 'action') IS DISTINCT FROM 'string' OR length(p_draft ->> 'action') > 128
      OR p_draft ->> 'action' !~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$' THEN 'action'
    WHEN p_draft ->> 'kind' IN ('create', 'read', 'update', 'delete', 'execute') IS NOT TRUE THEN 'kind'
    WHEN p_draft ->> 'outcome' IN ('success', 'denied', 'failed') IS NOT TRUE THEN 'outcome'
    WHEN jsonb_typeof(p_draft #> '{actor,id}') IS DISTINCT FROM 'string'
      OR medzen.utf16_length(p_draft #>> '{actor,id}') NOT BETWEEN 1 AND 256
      OR p_draft #>> '{actor,type}' IN ('user', 'service', 'system') IS NOT TRUE THEN 'actor'
    WHEN jsonb_typeof(p_draft -> 'source') IS DISTINCT FROM 'object' THEN 'source'
    WHEN p_draft ->> 'purpose' IN ('ETREAT', 'BTG') AND (p_draft ->> 'reason' ~
      '[^\u0009-\u000d\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') IS NOT TRUE
      OR medzen.utf16_length(p_draft ->> 'reason') > 2048 THEN 'reason'
    END;
BEGIN
  IF v_wrong IS NOT NULL THEN
    PERFORM medzen.fail('invalid_input', 'An audit event has no valid ' || v_wrong);
  END IF;
END
$$;

-- Completes a draft and writes its bytes, as sealEvent does. The draft says everything but v, id, at and nonce.
CREATE FUNCTION medzen.jcs_event(p_draft jsonb, OUT id text, OUT body bytea)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_at timestamptz := medzen.now();
BEGIN
  PERFORM medzen.check_draft(p_draft);
  id := medzen.uuid_at(v_at);
  body := convert_to(medzen.jcs(
    CASE WHEN p_draft #> '{source,userAgent}' IS NULL THEN p_draft
      ELSE jsonb_set(p_draft, '{source,userAgent}', to_jsonb(medzen.utf16_cut(p_draft #>> '{source,userAgent}', 512))) END
    || jsonb_build_object('v', 1, 'id', id, 'at', medzen.format_instant(v_at), 'nonce', medzen.random_nonce())), 'UTF8');
  IF octet_length(body) > 65535 THEN
    PERFORM medzen.fail('invalid_input', 'An audit event exceeds 65535 bytes');
  END IF;
END
$$;

-- What the settings say of an event: tenant, actor, source, purpose and reason. A purpose left out is TREAT where a patient is concerned.
-- Urgent access without a reason is refused, as it is everywhere.
CREATE FUNCTION medzen.current_draft(p_patient boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_context jsonb := medzen.current_context();
  v_tenant text := medzen.current_tenant();
BEGIN
  IF v_tenant IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'The claims cannot be read, or they or the context name a tenant that is none');
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'tenant', v_tenant,
    'actor', medzen.current_actor(),
    'source', medzen.current_source(),
    'purpose', coalesce(medzen.event_id_text(medzen.text_of(v_context, 'purpose')), CASE WHEN p_patient THEN 'TREAT' END),
    'reason', medzen.utf16_cut(medzen.text_of(v_context, 'reason'), 2048)));
END
$$;

-- Writes one event in the caller's transaction and returns its id. For functions of this schema, which decide what happened; who, from
-- where and why is never an argument. A patient or target id too long for an index stands as its hash, by which searches find it.
-- p_purpose holds where the settings say none, for what is not treatment.
CREATE FUNCTION medzen.record_event(
  p_action text, p_kind text, p_outcome text DEFAULT 'success', p_patient text DEFAULT NULL, p_target_type text DEFAULT NULL,
  p_target_id text DEFAULT NULL, p_fields text[] DEFAULT NULL, p_detail jsonb DEFAULT NULL, p_purpose text DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_draft jsonb := medzen.current_draft(p_patient IS NOT NULL)
    || CASE WHEN p_purpose IS NULL OR medzen.text_of(medzen.current_context(), 'purpose') IS NOT NULL THEN '{}'
      ELSE jsonb_build_object('purpose', p_purpose) END
    || jsonb_build_object('action', p_action, 'kind', p_kind, 'outcome', p_outcome)
    || CASE WHEN p_patient IS NULL THEN '{}' ELSE jsonb_build_object('patient', medzen.index_key(p_patient)) END
    || CASE WHEN p_target_type IS NULL AND p_target_id IS NULL THEN '{}' ELSE jsonb_build_object('target', jsonb_strip_nulls(
      jsonb_build_object('type', medzen.event_id_text(p_target_type), 'id', medzen.index_key(p_target_id)))) END
    || CASE WHEN p_fields IS NULL THEN '{}' ELSE jsonb_build_object('fields', to_jsonb(p_fields)) END
    || CASE WHEN p_detail IS NULL THEN '{}' ELSE jsonb_build_object('detail', p_detail) END;
  v_event record;
BEGIN
  v_event := medzen.jcs_event(v_draft);
  PERFORM medzen.write_event(v_draft ->> 'tenant', v_event.id, v_event.body);
  RETURN v_event.id;
END
$$;

SELECT medzen.permit('medzen_app', 'current_tenant');
SELECT medzen.permit('medzen_auditor', 'current_tenant');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000010_identity', '1164319094ef3b46efe364bc4286c4d6d773d88a546b0cfd6bd66d310180380d', false);
