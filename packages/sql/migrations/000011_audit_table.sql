-- Writes to the host's own tables, recorded by the database: by statement triggers, because a trigger for each row multiplies the
-- time of a bulk change. Names of fields, never values. The event commits with the write or the write does not happen.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- which rows a statement touched
-- With an event for each statement, what it touched stands here, and in the event its hash: see rows_hash.

CREATE TABLE medzen.audit_rows (
  event_id uuid NOT NULL PRIMARY KEY,
  -- Primary keys, one for each row, in the order in which they were written: the value as text, or a JSON array of texts.
  row_ids text[] NOT NULL,
  -- The patients of the rows, each once.
  patients text[] NOT NULL
);
-- Random ids hardly compress, and a bulk write should not wait for the attempt.
ALTER TABLE medzen.audit_rows ALTER COLUMN row_ids SET STORAGE EXTERNAL, ALTER COLUMN patients SET STORAGE EXTERNAL;
ALTER TABLE medzen.audit_rows ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON medzen.audit_rows
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.audit_rows
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- The bytes of a list of texts as array_send gives them to a client of UTF-8, whatever the client's encoding is.
CREATE FUNCTION medzen.text_array_bytes(p_texts text[]) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN pg_client_encoding() = 'UTF8' OR cardinality(p_texts) = 0 THEN array_send(p_texts)
    ELSE int4send(1) || int4send((array_position(p_texts, NULL) IS NOT NULL)::int) || int4send(25) || int4send(cardinality(p_texts)) || int4send(1)
      || (SELECT string_agg(CASE WHEN u.t IS NULL THEN int4send(-1)
          ELSE int4send(octet_length(convert_to(u.t, 'UTF8'))) || convert_to(u.t, 'UTF8') END, ''::bytea ORDER BY u.at)
        FROM unnest(p_texts) WITH ORDINALITY AS u (t, at)) END
$$;

-- Hash in an event of the rows that its statement touched: SHA-256, in hexadecimal, of the bytes of
-- both lists, one behind the other.
CREATE FUNCTION medzen.rows_hash(p_row_ids text[], p_patients text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT encode(sha256(medzen.text_array_bytes(p_row_ids) || medzen.text_array_bytes(p_patients)), 'hex')
$$;

-- Fault of an event's rows: `missing`, it has a hash of rows, and there are no rows; `altered`,
-- they have another hash; `unbound`, rows are here, and it has no hash. NULL when the rows match.
CREATE FUNCTION medzen.rows_state(p_event_id uuid, p_body bytea) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- As audit_change writes them, and nobody else.
  v_bound boolean := substring(p_body FOR 17) = '{"action":"table.' AND position('"rowsHash":"'::bytea IN p_body) > 0;
  v_hash text;
BEGIN
  SELECT medzen.rows_hash(r.row_ids, r.patients) INTO v_hash FROM medzen.audit_rows r WHERE r.event_id = p_event_id;
  RETURN CASE
    WHEN v_hash IS NULL THEN CASE WHEN v_bound THEN 'missing' END
    WHEN NOT v_bound THEN 'unbound'
    WHEN position(convert_to(',"rowsHash":"' || v_hash || '"}', 'UTF8') IN p_body) = 0 THEN 'altered' END;
END
$$;

-- ---- how a column is read
-- The trigger runs with the rights of this schema's owner on types that the host defined, so it must not run casts and operators that the
-- host defined: for types of Postgres that have one form for each value, their own; else output functions and the bytes of the value,
-- which only a superuser can define.

-- An expression for the value as text; NULL for NULL.
CREATE FUNCTION medzen.text_expression(p_plain boolean, p_column text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN p_plain THEN format('(%s::text COLLATE "C")', p_column)
  ELSE format('(CASE WHEN num_nonnulls(%1$s) = 1 THEN concat(%1$s) COLLATE "C" END)', p_column) END;

-- ---- the question put to the rows of a statement
-- Written anew each time, so that a column added later is seen. No name of the host's can mean something else in it: columns of many
-- rows carry numbers, those of a single row stand behind the name of their table.

-- The columns of a table, without those that are computed only when somebody reads them: a statement's rows do not hold them. `plain`: of
-- a type of Postgres that has one form for each value. `told`: not derived from the others by the database. `said`: the name as JSON; past
-- so many bytes of names the number, because an event has a bound.
CREATE FUNCTION medzen.audited_columns(p_table oid) RETURNS TABLE (attnum int2, attname name, plain boolean, told boolean, said text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT a.attnum, a.attname,
    -- Each cast by itself: this is how Postgres writes it into a dump, so that a restored one reads the same.
    a.atttypid = ANY (ARRAY['bool'::regtype::oid, 'int2'::regtype::oid, 'int4'::regtype::oid, 'int8'::regtype::oid, 'uuid'::regtype::oid,
        'text'::regtype::oid, 'varchar'::regtype::oid, 'date'::regtype::oid, 'timestamp'::regtype::oid, 'timestamptz'::regtype::oid, 'bytea'::regtype::oid])
      AND a.attcollation < 16384, -- one of Postgres's own, for which no two texts are the same
    a.attgenerated = '',
    to_json(CASE WHEN sum(octet_length(to_json(a.attname)::text)) OVER (ORDER BY a.attnum ROWS UNBOUNDED PRECEDING) <= 8000
      THEN a.attname::text ELSE '#' || a.attnum END)::text
  FROM pg_attribute a
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v';
END;

CREATE FUNCTION medzen.refuse_unaudited(p_table oid, p_patient text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM medzen.fail('invalid_configuration',
    format('%s has no column %I, by which it is audited: call audit_table again', p_table::regclass, p_patient));
END
$$;

-- Query about a statement that touched one row: its patients before and after, its key, and its
-- fields.
CREATE FUNCTION medzen.audit_row_query(p_table oid, p_op text, p_patient text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_key int2[] := (SELECT (i.indkey::int2[])[0 : i.indnkeyatts - 1] FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary);
  v_part text := CASE WHEN cardinality(v_key) = 1 THEN '%s' ELSE 'to_json(%s)::text' END;
  v_fields text;
  v_patient text;
  v_was text;
  v_id text;
BEGIN
  SELECT string_agg(', CASE WHEN ' || CASE WHEN p_op = 'INSERT' THEN 'num_nonnulls(n.' || c.name || ') = 1'
      WHEN c.plain THEN 'o.' || c.name || ' IS DISTINCT FROM n.' || c.name
      ELSE 'record_image_ne(ROW(o.' || c.name || '), ROW(n.' || c.name || '))' END || ' THEN ' || quote_literal(c.said) || ' END', ''
      ORDER BY c.attnum) FILTER (WHERE c.told AND p_op <> 'DELETE'),
    max(medzen.text_expression(c.plain, 'n.' || c.name)) FILTER (WHERE c.attname = p_patient),
    max(medzen.text_expression(c.plain, 'o.' || c.name)) FILTER (WHERE c.attname = p_patient),
    string_agg(format(v_part, medzen.text_expression(c.plain, 'n.' || c.name)), ' || '','' || ' ORDER BY array_position(v_key, c.attnum))
      FILTER (WHERE c.attnum = ANY (v_key))
  INTO v_fields, v_patient, v_was, v_id
  FROM (SELECT a.*, quote_ident(a.attname) AS name FROM medzen.audited_columns(p_table) a) c;
  IF p_patient = '' THEN
    v_patient := 'NULL::text';
    v_was := v_patient;
  ELSIF v_patient IS NULL THEN
    PERFORM medzen.refuse_unaudited(p_table, p_patient);
  END IF;
  RETURN 'SELECT ' || CASE p_op WHEN 'UPDATE' THEN v_was ELSE v_patient END || ' AS was, ' || v_patient || ' AS patient, '
    || CASE WHEN v_id IS NULL THEN 'NULL::text' WHEN cardinality(v_key) = 1 THEN v_id ELSE '''['' || ' || v_id || ' || '']''' END || ' AS key, '
    || CASE WHEN v_fields IS NULL THEN '''''::text' ELSE ''',"fields":['' || array_to_string(ARRAY[NULL' || v_fields || '], '','') || '']''' END
    || ' AS fields FROM ' || CASE p_op WHEN 'INSERT' THEN 'new_rows n' WHEN 'DELETE' THEN 'old_rows n' ELSE 'old_rows o, new_rows n' END;
END
$$;

-- Query about more rows: for each patient, in arrays, how many, the key of one, the fields, and
-- whether rows went from one patient to another; or, for the statement as a whole, how many, all
-- keys, all patients, and the fields.
CREATE FUNCTION medzen.audit_query(p_table oid, p_op text, p_patient text, p_granularity text, p_paired boolean, p_moved boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_columns text;
  v_flags text;
  v_or text;
  v_fields text;
  v_patient text;
  v_whose text;
  v_key text;
  v_rows text;
  v_source text;
  v_all text;
BEGIN
  WITH attributes AS (
    SELECT a.*, a.told AND p_op <> 'DELETE' AND p_paired AS named FROM medzen.audited_columns(p_table) a
  )
  SELECT string_agg(format('x.%I AS c%s', a.attname, a.attnum), ', ' ORDER BY a.attnum),
    string_agg(format(CASE WHEN p_op = 'INSERT' THEN ', num_nonnulls(n.c%1$s) = 1 AS f%1$s'
      WHEN a.plain THEN ', o.c%1$s IS DISTINCT FROM n.c%1$s AS f%1$s'
      ELSE ', record_image_ne(ROW(o.c%1$s), ROW(n.c%1$s)) AS f%1$s' END, a.attnum), '' ORDER BY a.attnum) FILTER (WHERE a.named),
    string_agg(format(', bool_or(r.f%1$s) AS f%1$s', a.attnum), '' ORDER BY a.attnum) FILTER (WHERE a.named),
    string_agg(format(', CASE WHEN e.f%s THEN %L END', a.attnum, a.said), '' ORDER BY a.attnum) FILTER (WHERE a.named),
    CASE WHEN p_patient = '' THEN 'NULL::text'
      ELSE max(medzen.text_expression(a.plain, 'n.c' || a.attnum)) FILTER (WHERE a.attname = p_patient) END,
    -- Told apart by its own type, which is cheaper, where that has one form for each value.
    max('n.c' || a.attnum) FILTER (WHERE a.attname = p_patient AND a.plain),
    coalesce((
      SELECT CASE count(*) WHEN 1 THEN max(k.text)
        ELSE '''['' || ' || string_agg(format('to_json(%s)::text', k.text), ' || '','' || ' ORDER BY k.at) || ' || '']''' END
      FROM (
        SELECT medzen.text_expression(b.plain, 'n.c' || b.attnum) AS text, u.at
        FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, at), attributes b
        WHERE i.indrelid = p_table AND i.indisprimary AND u.at <= i.indnkeyatts AND b.attnum = u.attnum
      ) k HAVING count(*) > 0), 'NULL::text')
  INTO v_columns, v_flags, v_or, v_fields, v_patient, v_whose, v_key
  FROM attributes a;
  IF v_patient IS NULL THEN
    PERFORM medzen.refuse_unaudited(p_table, p_patient);
  END IF;

  v_rows := format('SELECT %s AS was, %s AS patient, %s AS key%s%s FROM ', CASE WHEN p_op = 'UPDATE' AND p_paired
    THEN replace(v_patient, '(n.', '(o.') ELSE v_patient END, v_patient, v_key, v_flags, CASE WHEN NOT p_paired THEN ', n.old' END);
  v_fields := CASE WHEN v_fields IS NULL THEN '''''::text' ELSE ''',"fields":['' || array_to_string(ARRAY[NULL' || v_fields || '], '','') || '']''' END;
  v_source := CASE
    WHEN p_op = 'INSERT' THEN '(SELECT %1$s FROM new_rows x%2$s) n'
    WHEN p_op = 'DELETE' THEN '(SELECT %1$s FROM old_rows x%2$s) n'
    -- Both tables are filled row by row, so what stands at the same place is the same row, whatever became of its key.
    WHEN p_paired THEN '(SELECT row_number() OVER () AS i, %1$s FROM old_rows x%2$s) o
      JOIN (SELECT row_number() OVER () AS i, %1$s FROM new_rows x%2$s) n USING (i)'
    ELSE '(SELECT true AS old, %1$s FROM old_rows x UNION ALL SELECT false, %1$s FROM new_rows x) n' END;

  IF p_granularity = 'statement' THEN
    -- Cheap conditions are asked of all rows, their comparison of the first two hundred.
    v_all := format(CASE WHEN p_op = 'INSERT' OR p_op = 'UPDATE' AND p_paired THEN '(SELECT %1$s FROM new_rows x) n'
      ELSE '(SELECT %1$s FROM old_rows x) n' END, v_columns);
    -- OFFSET 0: each patient is turned into text, not each row.
    v_whose := format('SELECT u.id FROM (SELECT p.id::text COLLATE "C" AS id FROM (SELECT %1$s AS id FROM %2$s %3$s OFFSET 0) p OFFSET 0) u
      WHERE u.id <> ''''', coalesce(v_whose, v_patient), v_all, CASE WHEN p_op = 'UPDATE'
        THEN format('UNION SELECT %s FROM (SELECT %s FROM %s x) n', coalesce(v_whose, v_patient), v_columns,
          CASE WHEN p_paired THEN 'old_rows' ELSE 'new_rows' END) ELSE 'GROUP BY 1' END);
    RETURN format('SELECT a.n, a.keys, ARRAY(%1$s) AS patients, %2$s AS fields
      FROM (SELECT count(*) AS n, %3$s AS keys FROM %4$s) a, (SELECT count(*) AS compared%5$s FROM (%6$s) r) e',
      CASE WHEN p_patient = '' THEN 'SELECT NULL WHERE false' ELSE v_whose END, v_fields,
      CASE WHEN v_key = 'NULL::text' THEN '''{}''::text[]' ELSE format('array_agg(%s)', v_key) END,
      v_all, v_or, v_rows || format(v_source, v_columns, ' LIMIT 200') || ' OFFSET 0');
  END IF;
  -- OFFSET 0: the columns of both sides, which may be more than a row can have, go no further.
  v_rows := v_rows || format(v_source, v_columns, '') || ' OFFSET 0';
  IF p_moved THEN
    -- A row that went from one patient to another touched both.
    v_rows := format('SELECT r.* FROM (%1$s) r UNION ALL SELECT r.patient, r.was, CASE WHEN r.key = r.patient THEN r.was ELSE r.key END%2$s FROM (%1$s) r
      WHERE r.was IS DISTINCT FROM r.patient', v_rows, regexp_replace(v_or, 'bool_or\((r\.f\d+)\) AS f\d+', '\1', 'g'));
  END IF;
  RETURN format('SELECT array_agg(e.patient) AS patients, array_agg(e.n) AS counts, array_agg(e.key) AS keys,
      array_agg(%s) AS fields, bool_or(e.moved) AS moved
    FROM (SELECT r.patient, %s AS n, min(r.key) AS key, bool_or(r.was IS DISTINCT FROM r.patient) AS moved%s FROM (%s) r GROUP BY 1) e',
    v_fields, CASE WHEN p_paired THEN 'count(*)' ELSE 'greatest(count(*) FILTER (WHERE r.old), count(*) FILTER (WHERE NOT r.old))' END,
    v_or, v_rows);
END
$$;

-- ---- the trigger

-- The events of one statement, as canonical JSON put together from parts in the order of their names: what is the same in all is written
-- once. In the order of their ids, in which the indexes grow at their end. Each takes random bytes of its own from one secret. No
-- function that is called for each event, but text that is planned into the caller's statement.
CREATE FUNCTION medzen.change_events(
  p_secret bytea, p_id text, p_head text, p_detail text, p_middle text, p_purpose text, p_why text, p_tail text,
  p_patients text[], p_counts bigint[], p_keys text[], p_fields text[]
) RETURNS TABLE (id uuid, patient text, purpose text, target_id text, body text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT e.id, e.patient, e.purpose, e.key,
    p_head || coalesce(p_detail, CASE WHEN e.n > 1 THEN ',"detail":{"rows":' || e.n || '}' ELSE '' END) || e.fields
      || ',"id":"' || e.id || p_middle || left(e.hex, 32) || '","outcome":"success"'
      || coalesce(',"patient":' || to_json(e.patient)::text, '') || coalesce(',"purpose":' || to_json(e.purpose)::text, '')
      || p_why || coalesce('"id":' || to_json(e.key)::text || ',', '') || p_tail
  FROM (
    SELECT r.hex, r.n, r.fields, r.patient, r.key, coalesce(p_purpose, CASE WHEN r.patient IS NOT NULL THEN 'TREAT' END) AS purpose,
      (p_id || substr(r.hex, 33, 3) || '-' || translate(substr(r.hex, 36, 1), '0123456789abcdef', '89ab89ab89ab89ab')
        || substr(r.hex, 37, 3) || '-' || substr(r.hex, 40, 12))::uuid AS id
    FROM (
      SELECT u.n, u.fields, encode(sha256(p_secret || int8send(u.at)), 'hex') AS hex,
        CASE WHEN octet_length(u.patient) <= 2000 THEN nullif(u.patient, '') ELSE medzen.index_key(u.patient) END AS patient,
        CASE WHEN u.n > 1 THEN NULL WHEN octet_length(u.key) <= 2000 THEN u.key ELSE medzen.index_key(u.key) END AS key
      FROM unnest(p_patients, p_counts, p_keys, p_fields) WITH ORDINALITY AS u (patient, n, key, fields, at)
      OFFSET 0
    ) r
    ORDER BY id
  ) e;
END;

-- TG_ARGV: the column that names the patient, or '', and the granularity. Dates, numbers and bytes are written in one form, whatever
-- the session prefers: they become keys. Rows are paired by their place: a merge would sort both sides again, on disk.

CREATE FUNCTION medzen.audit_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
SET datestyle = 'ISO, YMD' SET intervalstyle = 'iso_8601' SET timezone = 'UTC' SET bytea_output = 'hex' SET extra_float_digits = 1
SET quote_all_identifiers = off SET enable_mergejoin = off
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_instant text := medzen.format_instant(v_now);
  v_op text := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN 'table.write' ELSE 'table.delete' END;
  v_kind text := CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'UPDATE' THEN 'update' ELSE 'delete' END;
  v_draft jsonb;
  v_type text;
  v_purpose text;
  v_one boolean := false;
  v_paired boolean := true;
  v_found record;
  -- For each event: the patient, the number of rows, the key of the one, the fields.
  v_patients text[];
  v_counts bigint[];
  v_keys text[];
  v_fields text[];
  v_detail text;
  -- For a statement's one event: its values in audit_rows.
  v_row_ids text[];
  v_whose text[];
  v_listed boolean := false;
  v_erasable boolean := false;
  v_head text;
  v_id text;
  v_middle text;
  v_why text;
  v_tail text;
  v_secret bytea;
BEGIN
  -- Only in a trigger as audit_table makes it: in one that somebody made otherwise, who may call this, new_rows is what they call so,
  -- a view say, whose functions would run with the rights of this one.
  IF TG_LEVEL <> 'STATEMENT' OR NOT EXISTS (
    SELECT FROM pg_trigger t
    WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME
      AND t.tgoldtable IS NOT DISTINCT FROM CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN name 'old_rows' END
      AND t.tgnewtable IS NOT DISTINCT FROM CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN name 'new_rows' END) THEN
    PERFORM medzen.fail('forbidden', format('The trigger %I is none that audit_table makes', TG_NAME));
  END IF;
  -- A statement that touched no row is no event.
  IF TG_OP = 'INSERT' THEN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
    v_one := NOT EXISTS (SELECT FROM new_rows OFFSET 1);
  ELSIF TG_OP <> 'TRUNCATE' THEN
    IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
    v_one := NOT EXISTS (SELECT FROM old_rows OFFSET 1);
  END IF;
  -- A row that an update sends to another partition, and that a trigger there turns away, is gone from one of the two tables only.
  IF TG_OP = 'UPDATE' AND (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = TG_RELID) THEN
    v_paired := (SELECT count(*) FROM old_rows) = (SELECT count(*) FROM new_rows);
    v_one := v_one AND v_paired;
  END IF;
  v_draft := medzen.current_draft(false) || jsonb_build_object('action', v_op, 'kind', v_kind, 'outcome', 'success');
  PERFORM medzen.check_draft(v_draft);
  v_type := medzen.table_name(TG_RELID);
  v_purpose := v_draft ->> 'purpose';

  IF TG_OP = 'TRUNCATE' THEN
    v_patients := '{NULL}';
    v_counts := '{0}';
    v_keys := '{NULL}';
    v_fields := '{""}';
    v_detail := ',"detail":{"truncated":true}';
  ELSE
    EXECUTE CASE WHEN v_one THEN medzen.audit_row_query(TG_RELID, TG_OP, TG_ARGV[0])
      ELSE medzen.audit_query(TG_RELID, TG_OP, TG_ARGV[0], TG_ARGV[1], v_paired, false) END INTO v_found;
    IF v_one THEN
      v_patients := ARRAY[v_found.patient] || CASE WHEN v_found.was IS DISTINCT FROM v_found.patient THEN ARRAY[v_found.was] ELSE '{}' END;
      v_counts := array_fill(1::bigint, ARRAY[cardinality(v_patients)]);
      v_keys := ARRAY[v_found.key] || CASE WHEN v_found.was IS DISTINCT FROM v_found.patient
        THEN ARRAY[CASE WHEN v_found.key = v_found.patient THEN v_found.was ELSE v_found.key END] ELSE '{}' END;
      v_fields := array_fill(v_found.fields, ARRAY[cardinality(v_patients)]);
    ELSIF TG_ARGV[1] = 'statement' THEN
      v_patients := v_found.patients;
      v_counts := ARRAY[v_found.n];
      v_keys := v_found.keys;
      v_fields := ARRAY[v_found.fields];
    ELSE
      IF v_found.moved THEN
        EXECUTE medzen.audit_query(TG_RELID, TG_OP, TG_ARGV[0], TG_ARGV[1], v_paired, true) INTO v_found;
      END IF;
      v_patients := v_found.patients;
      v_counts := v_found.counts;
      v_keys := v_found.keys;
      v_fields := v_found.fields;
    END IF;
  END IF;
  IF TG_ARGV[1] = 'statement' AND TG_OP <> 'TRUNCATE' THEN
    v_row_ids := CASE WHEN v_one THEN array_remove(v_keys[:1], NULL) ELSE v_keys END;
    v_whose := CASE WHEN v_one THEN array_remove(array_remove(v_patients, ''), NULL) ELSE v_patients END;
    v_listed := v_counts[1] > 1 OR cardinality(v_whose) > 1;
    IF v_listed THEN
      v_detail := ',"detail":{' || CASE WHEN TG_OP <> 'DELETE' AND v_counts[1] > 200 THEN '"compared":200,' ELSE '' END
        || '"rows":' || v_counts[1] || ',"rowsHash":"' || medzen.rows_hash(v_row_ids, v_whose) || '"}';
    END IF;
    v_patients := ARRAY[CASE WHEN cardinality(v_whose) = 1 THEN v_whose[1] END];
    v_counts := v_counts[:1];
    v_keys := v_keys[:1];
    v_fields := v_fields[:1];
  END IF;

  v_head := '{"action":' || (v_draft -> 'action')::text || ',"actor":' || medzen.jcs(v_draft -> 'actor') || ',"at":"' || v_instant || '"';
  v_id := left(medzen.uuid_floor(v_now)::text, 14) || '7';
  v_middle := '","kind":' || (v_draft -> 'kind')::text || ',"nonce":"';
  v_why := coalesce(',"reason":' || (v_draft -> 'reason')::text, '') || ',"source":' || medzen.jcs(v_draft -> 'source') || ',"target":{';
  v_tail := '"type":' || to_json(v_type)::text || '},"tenant":' || (v_draft -> 'tenant')::text || ',"v":1}';
  v_secret := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

  -- With erasable identities, append_events puts pseudonyms in their place. In a key of several
  -- columns the patient is left out.
  IF to_regclass('medzen.erasable_kind') IS NOT NULL THEN
    v_erasable := EXISTS (SELECT FROM medzen.erasable_kind) OR EXISTS (SELECT FROM medzen.erasable_identity);
  END IF;
  IF v_erasable THEN
    IF EXISTS (SELECT FROM medzen.erasable_kind k WHERE k.kind = 'patient')
       AND (SELECT i.indnkeyatts > 1 FROM pg_index i WHERE i.indrelid = TG_RELID AND i.indisprimary) THEN
      v_keys := ARRAY(
        SELECT (SELECT '[' || string_agg(CASE WHEN p.part IN (SELECT unnest(v_patients)) THEN '"*"' ELSE to_json(p.part)::text END, ','
            ORDER BY p.at) || ']'
          FROM json_array_elements_text(k.key::json) WITH ORDINALITY AS p (part, at))
        FROM unnest(v_keys) WITH ORDINALITY AS k (key, at) ORDER BY k.at);
    END IF;
    FOR v_found IN
      SELECT array_agg(e.id::text) AS ids, string_agg(e.body, E'\n') AS bodies
      FROM (
        SELECT c.id, c.body, row_number() OVER () AS at FROM medzen.change_events(v_secret, v_id, v_head, v_detail, v_middle, v_purpose,
          v_why, v_tail, v_patients, v_counts, v_keys, v_fields) c
      ) e GROUP BY (e.at - 1) / 1000
    LOOP
      PERFORM medzen.append_events(v_draft ->> 'tenant', v_found.ids, v_found.bodies);
      IF v_listed THEN
        INSERT INTO medzen.audit_rows (event_id, row_ids, patients) VALUES (v_found.ids[1]::uuid, v_row_ids, v_whose);
      END IF;
    END LOOP;
    RETURN NULL;
  END IF;
  -- Else past it: the columns are what it would read from the bodies, and no event of a new id is there already.
  WITH filed AS (
    INSERT INTO medzen.audit_event
      (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, body, written_at)
    SELECT c.id, v_draft ->> 'tenant', v_instant::timestamptz, v_draft #>> '{actor,id}', c.patient, v_op, 'success', c.purpose, v_type,
      c.target_id, false, convert_to(c.body, 'UTF8'), v_now
    FROM medzen.change_events(v_secret, v_id, v_head, v_detail, v_middle, v_purpose, v_why, v_tail, v_patients, v_counts, v_keys,
      v_fields) c
    RETURNING id
  ), listed AS (
    INSERT INTO medzen.audit_rows (event_id, row_ids, patients) SELECT f.id, v_row_ids, v_whose FROM filed f WHERE v_listed
  )
  INSERT INTO medzen.audit_pending (event_id, written_at) SELECT f.id, v_now FROM filed f;
  RETURN NULL;
END
$$;

-- ---- switching it on and off
-- Run with the rights of whoever calls: one must be allowed to make triggers on the table. Only this schema's owner may call them, and
-- roles to which a host gives it: SELECT medzen.permit('<role>', 'audit_table', 'unaudit_table', 'audit_change', 'note_audited',
-- 'table_name', 'fail'), then medzen.apply_permissions().

-- Name of a table in events; a partition goes by the name of the whole.
CREATE FUNCTION medzen.table_name(p_table oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
  SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class t
  JOIN pg_class c ON c.oid = CASE WHEN t.relispartition THEN pg_partition_root(t.oid) ELSE t.oid END
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE t.oid = p_table
$$;

CREATE FUNCTION medzen.note_audited(p_table regclass, p_detail jsonb) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
  SELECT medzen.record_event('config.change', 'execute', p_target_type => 'audit_table', p_target_id => medzen.table_name(p_table),
    p_detail => p_detail)
$$;

-- Records every write to a table from now on. `p_patient` is the column that says whose the row is, NULL if no row is a patient's.
-- Granularity 'patient': an event for each patient whom a statement touched. 'statement': one event, with the rows in audit_rows;
-- for bulk jobs over many patients. Repeat it after partitions were added; then it returns how many tables it covers, the table
-- and those that are parts of it. A table with partitions takes no MERGE from then on, and only its owner may have it audited.
CREATE FUNCTION medzen.audit_table(p_table regclass, p_patient text, p_granularity text DEFAULT 'patient') RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_part record;
  v_event record;
  v_parts int := 0;
BEGIN
  IF p_granularity IN ('patient', 'statement') IS NOT TRUE THEN
    PERFORM medzen.fail('invalid_input', 'The granularity is patient or statement');
  END IF;
  IF p_patient IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attname = p_patient AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v') THEN
    PERFORM medzen.fail('invalid_input', format('%s has no column %I that is stored', p_table, p_patient));
  END IF;
  FOR v_part IN
    WITH RECURSIVE parts AS (
      SELECT p_table::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN parts p ON p.oid = i.inhparent
    )
    SELECT c.oid::regclass AS name, c.relkind, c.relnamespace FROM parts p JOIN pg_class c ON c.oid = p.oid
  LOOP
    IF v_part.relkind NOT IN ('r', 'p') OR v_part.relnamespace IN ('medzen'::regnamespace, 'pg_catalog'::regnamespace) THEN
      PERFORM medzen.fail('invalid_input', format('%s is no table that can be audited', v_part.name));
    END IF;
    -- Partitions too, for who writes to them past the whole; a write to the whole fires only the triggers of the whole.
    FOR v_event IN SELECT * FROM (VALUES
      ('INSERT', 'REFERENCING NEW TABLE AS new_rows'),
      ('UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
      ('DELETE', 'REFERENCING OLD TABLE AS old_rows'),
      ('TRUNCATE', '')) AS e (op, rows)
    LOOP
      EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION medzen.audit_change(%L, %L)',
        'medzen' || '_audit_' || lower(v_event.op), v_event.op, v_part.name, v_event.rows, coalesce(p_patient, ''), p_granularity);
    END LOOP;
    -- A row that MERGE sends to another partition is shown to triggers of DELETE and INSERT, which do not fire when the MERGE only updates:
    -- it would go unrecorded. Postgres takes no MERGE into a table with a rule, whatever the rule says; this one does nothing else.
    IF v_part.relkind = 'p' THEN
      EXECUTE format('CREATE OR REPLACE RULE %I AS ON DELETE TO %s DO ALSO NOTHING', 'medzen' || '_audit_refuses_merge', v_part.name);
    END IF;
    v_parts := v_parts + 1;
  END LOOP;
  PERFORM medzen.note_audited(p_table, jsonb_strip_nulls(
    jsonb_build_object('audited', true, 'patient', p_patient, 'granularity', p_granularity)));
  RETURN v_parts;
END
$$;

-- Records writes to the table no longer; that itself is recorded. Returns how many tables were covered.
CREATE FUNCTION medzen.unaudit_table(p_table regclass) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_trigger record;
  v_parts regclass[] := '{}';
BEGIN
  FOR v_trigger IN
    WITH RECURSIVE parts AS (
      SELECT p_table::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN parts p ON p.oid = i.inhparent
    )
    SELECT t.tgname, t.tgrelid::regclass AS part FROM parts p JOIN pg_trigger t ON t.tgrelid = p.oid
    WHERE t.tgfoid = 'medzen.audit_change'::regproc
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v_trigger.tgname, v_trigger.part);
    v_parts := array_remove(v_parts, v_trigger.part) || v_trigger.part;
  END LOOP;
  FOR v_trigger IN
    SELECT r.rulename, r.ev_class::regclass AS part FROM pg_rewrite r
    WHERE r.ev_class = ANY (v_parts::oid[]) AND r.rulename = 'medzen' || '_audit_refuses_merge'
  LOOP
    EXECUTE format('DROP RULE %I ON %s', v_trigger.rulename, v_trigger.part);
  END LOOP;
  IF v_parts <> '{}' THEN
    PERFORM medzen.note_audited(p_table, '{"audited":false}');
  END IF;
  RETURN cardinality(v_parts);
END
$$;

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000011_audit_table', '1b367133fdf628ce62aec07b177d3ea8e882ec9583c1e670991f8e5a9241dd33', false);
