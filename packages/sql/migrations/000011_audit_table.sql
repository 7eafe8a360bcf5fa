-- Writes to the host's own tables, recorded by the database: by statement triggers, because a trigger for each row multiplies the
-- time of a bulk change. Names of fields, never values. The event commits with the write or the write does not happen.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- which rows a statement touched
-- With an event for each statement, what it touched stands here, and in the event its hash: of array_send(row_ids) and
-- array_send(patients), one behind the other.

CREATE TABLE medzen.audit_rows (
  event_id uuid NOT NULL PRIMARY KEY,
  -- Primary keys, one for each row, in the order in which they were written: the value as text, or a JSON array of texts.
  row_ids text[] NOT NULL,
  -- Whose rows they are, each once.
  patients text[] NOT NULL
);
-- Random ids hardly compress, and a bulk write should not wait for the attempt.
ALTER TABLE medzen.audit_rows ALTER COLUMN row_ids SET STORAGE EXTERNAL, ALTER COLUMN patients SET STORAGE EXTERNAL;
ALTER TABLE medzen.audit_rows ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON medzen.audit_rows
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.audit_rows
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- ---- how a column is read
-- The trigger runs with the rights of this schema's owner on types that the host defined, so it must not run casts and operators that the
-- host defined: for types of Postgres that have one form for each value, their own; else output functions and the bytes of the value,
-- which only a superuser can define.

CREATE FUNCTION medzen.is_plain_type(p_type oid, p_collation oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(nullif(t.typbasetype, 0), t.oid) = ANY (ARRAY['bool', 'int2', 'int4', 'int8', 'uuid', 'text', 'varchar', 'date',
      'timestamp', 'timestamptz', 'bytea']::regtype[])
    AND coalesce((SELECT c.collisdeterministic FROM pg_collation c WHERE c.oid = p_collation), true)
  FROM pg_type t WHERE t.oid = p_type
$$;

-- An expression for the value as text; NULL for NULL.
CREATE FUNCTION medzen.text_expression(p_plain boolean, p_column text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN p_plain THEN format('(%s::text COLLATE "C")', p_column)
    ELSE format('(CASE WHEN num_nonnulls(%1$s) = 1 THEN concat(%1$s) COLLATE "C" END)', p_column) END
$$;

-- ---- the question put to the rows of a statement
-- Written anew each time, so that a column added later is seen. In it the columns carry numbers, and no name of the host's can mean
-- something else.

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
    SELECT a.attnum, a.attname, medzen.is_plain_type(a.atttypid, a.attcollation) AS plain,
      -- What the database derives follows from the others; what is deleted is deleted with all its fields.
      a.attgenerated = '' AND p_op <> 'DELETE' AND p_paired AS told,
      -- Past so many bytes of names a field stands as its number, because an event has a bound.
      CASE WHEN sum(octet_length(to_json(a.attname)::text)) OVER (ORDER BY a.attnum) <= 8000 THEN a.attname::text
        ELSE '#' || a.attnum END AS said
    FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
  )
  SELECT string_agg(format('x.%I AS c%s', a.attname, a.attnum), ', ' ORDER BY a.attnum),
    string_agg(format(CASE WHEN p_op = 'INSERT' THEN ', num_nonnulls(n.c%1$s) = 1 AS f%1$s'
      WHEN a.plain THEN ', o.c%1$s IS DISTINCT FROM n.c%1$s AS f%1$s'
      ELSE ', record_image_ne(ROW(o.c%1$s), ROW(n.c%1$s)) AS f%1$s' END, a.attnum), '' ORDER BY a.attnum) FILTER (WHERE a.told),
    string_agg(format(', bool_or(r.f%1$s) AS f%1$s', a.attnum), '' ORDER BY a.attnum) FILTER (WHERE a.told),
    string_agg(format(', CASE WHEN e.f%s THEN %L END', a.attnum, to_json(a.said)::text), '' ORDER BY a.attnum) FILTER (WHERE a.told),
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
    PERFORM medzen.fail('invalid_configuration',
      format('%s has no column %I, by which it is audited: call audit_table again', p_table::regclass, p_patient));
  END IF;

  v_rows := format('SELECT %s AS was, %s AS patient, %s AS key%s FROM ', CASE WHEN p_op = 'UPDATE' AND p_paired
    THEN replace(v_patient, '(n.', '(o.') ELSE v_patient END, v_patient, v_key, v_flags);
  v_fields := CASE WHEN v_fields IS NULL THEN '''''::text' ELSE ''',"fields":['' || array_to_string(ARRAY[NULL' || v_fields || '], '','') || '']''' END;
  v_source := CASE
    WHEN p_op = 'INSERT' THEN '(SELECT %1$s FROM new_rows x%2$s) n'
    WHEN p_op = 'DELETE' THEN '(SELECT %1$s FROM old_rows x%2$s) n'
    -- Both tables are filled row by row, so what stands at the same place is the same row, whatever became of its key.
    WHEN p_paired THEN '(SELECT row_number() OVER () AS i, %1$s FROM old_rows x%2$s) o
      JOIN (SELECT row_number() OVER () AS i, %1$s FROM new_rows x%2$s) n USING (i)'
    ELSE '(SELECT %1$s FROM old_rows x UNION ALL SELECT %1$s FROM new_rows x) n' END;

  IF p_granularity = 'statement' THEN
    -- What is cheap is asked of all rows, their comparison of the first two hundred.
    v_all := format(CASE WHEN p_op = 'INSERT' THEN '(SELECT %1$s FROM new_rows x) n' WHEN p_op = 'DELETE'
      THEN '(SELECT %1$s FROM old_rows x) n' WHEN p_paired THEN '(SELECT %1$s FROM new_rows x) n' ELSE v_source END, v_columns);
    v_whose := format('SELECT p.id FROM (SELECT u.id::text COLLATE "C" AS id FROM (SELECT %1$s AS id FROM %2$s %3$s) u) p
      WHERE p.id <> ''''', coalesce(v_whose, v_patient), v_all, CASE WHEN p_op = 'UPDATE' AND p_paired
        THEN format('UNION SELECT %s FROM (SELECT %s FROM old_rows x) n', coalesce(v_whose, v_patient), v_columns) ELSE 'GROUP BY 1' END);
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
    v_rows := format('SELECT r.* FROM (%1$s) r UNION ALL SELECT r.patient, r.was, r.key%2$s FROM (%1$s) r
      WHERE r.was IS DISTINCT FROM r.patient', v_rows, regexp_replace(v_or, 'bool_or\((r\.f\d+)\) AS f\d+', '\1', 'g'));
  END IF;
  RETURN format('SELECT array_agg(nullif(e.patient, '''')) AS patients, array_agg(e.n) AS counts, array_agg(e.key) AS keys,
      array_agg(%s) AS fields, bool_or(e.moved) AS moved
    FROM (SELECT r.patient, count(*) AS n, min(r.key) AS key, bool_or(r.was IS DISTINCT FROM r.patient) AS moved%s FROM (%s) r GROUP BY 1) e',
    v_fields, v_or, v_rows);
END
$$;

-- ---- the trigger
-- TG_ARGV: the column that names the patient, or '', and the granularity. Dates, numbers and bytes are written in one form, whatever
-- the session prefers: they become keys.

CREATE FUNCTION medzen.audit_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD' SET intervalstyle = 'iso_8601' SET timezone = 'UTC' SET bytea_output = 'hex' SET extra_float_digits = 1
SET quote_all_identifiers = off
AS $$
DECLARE
  v_at timestamptz := medzen.now();
  v_draft jsonb;
  v_paired boolean := true;
  v_head text;
  v_id text;
  v_middle text;
  v_why text;
  v_tail text;
  v_secret bytea;
  v_rows record;
  v_event record;
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
  ELSIF TG_OP <> 'TRUNCATE' THEN
    IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
  END IF;
  v_draft := medzen.current_draft(false) || jsonb_build_object(
    'action', CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN 'table.write' ELSE 'table.delete' END,
    'kind', CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'UPDATE' THEN 'update' ELSE 'delete' END,
    'outcome', 'success',
    'target', jsonb_build_object('type', medzen.table_name(TG_RELID)));
  PERFORM medzen.check_draft(v_draft);

  IF TG_OP = 'TRUNCATE' THEN
    v_event := medzen.jcs_event(v_draft || '{"detail":{"truncated":true}}');
    PERFORM medzen.write_event(v_draft ->> 'tenant', v_event.id, v_event.body);
    RETURN NULL;
  END IF;

  -- A row that an update sends to another partition, and that a trigger there turns away, is gone from one of the two tables only.
  IF TG_OP = 'UPDATE' AND (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = TG_RELID) THEN
    v_paired := (SELECT count(*) FROM old_rows) = (SELECT count(*) FROM new_rows);
  END IF;
  EXECUTE medzen.audit_query(TG_RELID, TG_OP, TG_ARGV[0], TG_ARGV[1], v_paired, false) INTO v_rows;

  IF TG_ARGV[1] = 'statement' THEN
    IF cardinality(v_rows.patients) = 1 THEN
      v_draft := '{"purpose":"TREAT"}' || v_draft || jsonb_build_object('patient', medzen.index_key(v_rows.patients[1]));
    END IF;
    v_draft := v_draft || ('{' || ltrim(v_rows.fields, ',') || '}')::jsonb || CASE
      WHEN v_rows.n > 1 THEN jsonb_build_object('detail', jsonb_build_object('rows', v_rows.n, 'rowsHash',
        encode(sha256(array_send(v_rows.keys) || array_send(v_rows.patients)), 'hex'))
        || CASE WHEN TG_OP <> 'DELETE' AND v_rows.n > 200 THEN '{"compared":200}' ELSE '{}' END::jsonb)
      ELSE jsonb_build_object('target', v_draft -> 'target' || jsonb_strip_nulls(
        jsonb_build_object('id', medzen.index_key(v_rows.keys[1])))) END;
    v_event := medzen.jcs_event(v_draft);
    PERFORM medzen.write_event(v_draft ->> 'tenant', v_event.id, v_event.body);
    IF v_rows.n > 1 THEN
      INSERT INTO medzen.audit_rows (event_id, row_ids, patients) VALUES (v_event.id::uuid, v_rows.keys, v_rows.patients);
    END IF;
    RETURN NULL;
  END IF;

  IF v_rows.moved THEN
    EXECUTE medzen.audit_query(TG_RELID, TG_OP, TG_ARGV[0], TG_ARGV[1], v_paired, true) INTO v_rows;
  END IF;
  -- Canonical JSON, put together from parts in the order of their names: what is the same in all events is written once.
  v_head := '{"action":' || (v_draft -> 'action')::text || ',"actor":' || medzen.jcs(v_draft -> 'actor') || ',"at":"'
    || medzen.format_instant(v_at) || '"';
  v_id := left(medzen.uuid_floor(v_at)::text, 14) || '7';
  v_middle := '","kind":' || (v_draft -> 'kind')::text || ',"nonce":"';
  v_why := CASE WHEN v_draft ? 'reason' THEN ',"reason":' || (v_draft -> 'reason')::text ELSE '' END
    || ',"source":' || medzen.jcs(v_draft -> 'source') || ',"target":{';
  v_tail := '"type":' || (v_draft #> '{target,type}')::text || '},"tenant":' || (v_draft -> 'tenant')::text || ',"v":1}';
  -- One secret for the statement, from which each event takes random bytes of its own.
  v_secret := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
  FOR v_event IN
    WITH random AS MATERIALIZED (
      SELECT u.*, encode(sha256(v_secret || int8send(u.at)), 'hex') AS hex
      FROM unnest(v_rows.patients, v_rows.counts, v_rows.keys, v_rows.fields) WITH ORDINALITY AS u (patient, n, key, fields, at)
    ), events AS MATERIALIZED (
      SELECT r.*, v_id || substr(r.hex, 33, 3) || '-' || translate(substr(r.hex, 36, 1), '0123456789abcdef', '89ab89ab89ab89ab')
        || substr(r.hex, 37, 3) || '-' || substr(r.hex, 40, 12) AS id
      FROM random r
    )
    SELECT array_agg(e.id) AS ids, string_agg(
      v_head || CASE WHEN e.n > 1 THEN ',"detail":{"rows":' || e.n || '}' ELSE '' END || e.fields
      || ',"id":"' || e.id || v_middle || left(e.hex, 32) || '","outcome":"success"'
      || CASE WHEN e.patient IS NULL THEN coalesce(',"purpose":' || (v_draft -> 'purpose')::text, '')
        ELSE ',"patient":' || to_json(medzen.index_key(e.patient))::text
          || ',"purpose":' || coalesce(v_draft -> 'purpose', '"TREAT"')::text END
      || v_why || CASE WHEN e.n = 1 AND e.key IS NOT NULL THEN '"id":' || to_json(medzen.index_key(e.key))::text || ',' ELSE '' END
      || v_tail, E'\n') AS bodies
    FROM events e GROUP BY (e.at - 1) / 1000
  LOOP
    PERFORM medzen.append_events(v_draft ->> 'tenant', v_event.ids, v_event.bodies);
  END LOOP;
  RETURN NULL;
END
$$;

-- ---- switching it on and off
-- Run with the rights of whoever calls: one must be allowed to make triggers on the table. Only this schema's owner may call them, and
-- roles to which a host gives it: SELECT medzen.permit('<role>', 'audit_table', 'unaudit_table', 'audit_change', 'note_audited',
-- 'table_name', 'fail'), then medzen.apply_permissions().

-- How events name a table; a partition goes by the name of the whole.
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
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT medzen.record_event('config.change', 'execute', p_target_type => 'audit_table', p_target_id => medzen.table_name(p_table),
    p_detail => p_detail)
$$;

-- Records every write to a table from now on. `p_patient` is the column that says whose the row is, NULL if no row is a patient's.
-- Granularity 'patient': an event for each patient whom a statement touched. 'statement': one event, with the rows in audit_rows;
-- for bulk jobs over many patients. Repeat it after partitions were added; then it returns how many tables it covers, the table
-- and those that are parts of it.
CREATE FUNCTION medzen.audit_table(p_table regclass, p_patient text, p_granularity text DEFAULT 'patient') RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
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
    WHERE a.attrelid = p_table AND a.attname = p_patient AND a.attnum > 0 AND NOT a.attisdropped) THEN
    PERFORM medzen.fail('invalid_input', format('%s has no column %I', p_table, p_patient));
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
    v_parts := v_parts + 1;
  END LOOP;
  PERFORM medzen.note_audited(p_table, jsonb_strip_nulls(
    jsonb_build_object('audited', true, 'patient', p_patient, 'granularity', p_granularity)));
  RETURN v_parts;
END
$$;

-- Records writes to the table no longer; that itself is recorded. Returns how many tables were covered.
CREATE FUNCTION medzen.unaudit_table(p_table regclass) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
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
  IF v_parts <> '{}' THEN
    PERFORM medzen.note_audited(p_table, '{"audited":false}');
  END IF;
  RETURN cardinality(v_parts);
END
$$;

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000011_audit_table', '6fe7f209e74a7a569944492e2eb5f8b82586b743453c7eac7a43492299a6dea3', false);
