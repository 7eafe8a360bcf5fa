-- The archive of the log, its purge after retention, and what holds the log back.
--
-- Ranges of leaves, one after the other and without a gap, are written to an object store by the archiver (@medzen/audit), read back and
-- verified, and only then noted here. Events of a noted range may be purged once each of them has been kept for its years. What stays for good:
-- their leaves, the tiles, the checkpoints, the row here, and the event that says who purged.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- archive

CREATE TABLE medzen.archive_manifest (
  first_leaf bigint PRIMARY KEY CHECK (first_leaf >= 0),
  -- One past the last.
  end_leaf bigint NOT NULL UNIQUE CHECK (end_leaf > first_leaf),
  -- The latest instant of its events: what they say themselves, or when they were written if that is later.
  newest_at timestamptz NOT NULL,
  greatest_id uuid NOT NULL,
  begun_at timestamptz NOT NULL,
  -- SHA-256 of the manifest's bytes in the object store, set once everything was read back.
  manifest_sha256 bytea CHECK (octet_length(manifest_sha256) = 32),
  archived_at timestamptz,
  purge_event uuid,
  purged_at timestamptz,
  -- The transaction in which the guards let the events of this range go.
  purged_by xid8,
  CHECK (num_nulls(manifest_sha256, archived_at) IN (0, 2)),
  CHECK (num_nulls(purge_event, purged_at, purged_by) IN (0, 3)),
  CHECK (purged_at IS NULL OR archived_at IS NOT NULL)
);
-- At most one range is in progress: the next caller continues it.
CREATE UNIQUE INDEX archive_manifest_begun ON medzen.archive_manifest ((true)) WHERE archived_at IS NULL;
CREATE INDEX archive_manifest_purged ON medzen.archive_manifest (greatest_id) WHERE purged_at IS NOT NULL;
ALTER TABLE medzen.archive_manifest ENABLE ROW LEVEL SECURITY;
CREATE POLICY auditors ON medzen.archive_manifest FOR SELECT USING ((SELECT medzen.auditor_tenant()) IS NOT NULL);
SELECT medzen.permit_select('medzen_auditor', 'archive_manifest');

-- From when on an event need not be kept: calendar years later in UTC; on the day after where the year has no such day.
CREATE FUNCTION medzen.audit_kept_until(p_at timestamptz, p_years int) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ((p_at AT TIME ZONE 'UTC') + make_interval(years => p_years) + CASE
  WHEN extract(day FROM (p_at AT TIME ZONE 'UTC') + make_interval(years => p_years)) = extract(day FROM p_at AT TIME ZONE 'UTC')
    THEN interval '0' ELSE interval '1 day' END) AT TIME ZONE 'UTC';

-- A row only ever goes on: begun, archived, purged. What it said stays.
CREATE FUNCTION medzen.guard_archive() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF (NEW.first_leaf, NEW.end_leaf, NEW.newest_at, NEW.greatest_id, NEW.begun_at)
      IS DISTINCT FROM (OLD.first_leaf, OLD.end_leaf, OLD.newest_at, OLD.greatest_id, OLD.begun_at)
    OR OLD.archived_at IS NOT NULL AND (NEW.manifest_sha256, NEW.archived_at) IS DISTINCT FROM (OLD.manifest_sha256, OLD.archived_at)
    OR OLD.purged_at IS NOT NULL
    OR NEW.purged_at IS NOT NULL AND medzen.audit_kept_until(NEW.newest_at, 6) > medzen.now() THEN
    PERFORM medzen.fail('forbidden', 'A range of the archive cannot change');
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER guard_archive BEFORE UPDATE ON medzen.archive_manifest FOR EACH ROW EXECUTE FUNCTION medzen.guard_archive();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON medzen.archive_manifest
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- As stores read the rows.
CREATE FUNCTION medzen.archive_rows()
RETURNS TABLE (first_leaf text, end_leaf text, newest_at text, manifest_sha256 bytea, purge_event text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT m.first_leaf::text, m.end_leaf::text, to_char(m.newest_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    m.manifest_sha256, m.purge_event::text
  FROM medzen.archive_manifest m
$$;

-- The range that is to be archived next, begun here once for all archivers; no row when there is none yet. It holds leaves of closed months
-- (UTC) only, and ends where a later month begins, so that what is purged together was written in one month, but for what came late.
CREATE FUNCTION medzen.open_archive(p_max_leaves int)
RETURNS TABLE (first_leaf text, end_leaf text, newest_at text, manifest_sha256 bytea, purge_event text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_first bigint;
  v_end bigint;
  v_month timestamptz;
BEGIN
  IF p_max_leaves IS NULL OR p_max_leaves NOT BETWEEN 1 AND 1000000 THEN
    PERFORM medzen.fail('invalid_input', 'A range of the archive holds 1 to 1000000 leaves');
  END IF;
  -- A lock on the table, which a stranger cannot hold, as he could an advisory one.
  LOCK TABLE medzen.archive_manifest IN SHARE UPDATE EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM medzen.archive_manifest m WHERE m.archived_at IS NULL) THEN
    SELECT coalesce(max(m.end_leaf), 0) INTO v_first FROM medzen.archive_manifest m;
    IF v_first >= (SELECT h.size FROM medzen.audit_head h) THEN
      RETURN;
    END IF;
    SELECT date_trunc('month', e.written_at, 'UTC') INTO v_month
    FROM medzen.audit_leaf l JOIN medzen.audit_event e ON e.id = l.event_id WHERE l.leaf_index = v_first;
    IF v_month IS NULL THEN
      PERFORM medzen.fail('checkpoint_inconsistent', 'An event that should be archived is missing');
    ELSIF v_month >= date_trunc('month', medzen.now(), 'UTC') THEN
      RETURN;
    END IF;
    SELECT coalesce(
      (SELECT l.leaf_index FROM medzen.audit_leaf l JOIN medzen.audit_event e ON e.id = l.event_id
       WHERE l.leaf_index BETWEEN v_first AND v_first + p_max_leaves - 1
         AND e.written_at >= date_trunc('month', v_month + interval '32 days', 'UTC')
       ORDER BY l.leaf_index LIMIT 1),
      least(v_first + p_max_leaves, (SELECT h.size FROM medzen.audit_head h))) INTO v_end;
    INSERT INTO medzen.archive_manifest (first_leaf, end_leaf, newest_at, greatest_id, begun_at)
    SELECT v_first, v_end, max(greatest(e.at, e.written_at)), (array_agg(e.id ORDER BY e.id DESC))[1], medzen.now()
    FROM medzen.audit_leaf l JOIN medzen.audit_event e ON e.id = l.event_id
    WHERE l.leaf_index BETWEEN v_first AND v_end - 1;
  END IF;
  RETURN QUERY SELECT * FROM medzen.archive_rows() r WHERE r.manifest_sha256 IS NULL;
END
$$;

-- The ranges from a leaf on, in their order.
CREATE FUNCTION medzen.read_archives(p_from text, p_limit int)
RETURNS TABLE (first_leaf text, end_leaf text, newest_at text, manifest_sha256 bytea, purge_event text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'Ranges of the archive are read 1 to 1000 at a time');
  END IF;
  RETURN QUERY
    SELECT * FROM medzen.archive_rows() r WHERE r.first_leaf::bigint >= p_from::bigint ORDER BY r.first_leaf::bigint LIMIT p_limit;
END
$$;

-- Notes that a range was written, read back and verified. A second caller with the same manifest is told so.
CREATE FUNCTION medzen.finish_archive(p_first text, p_end text, p_manifest_sha256 bytea) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_row medzen.archive_manifest%ROWTYPE;
BEGIN
  IF octet_length(p_manifest_sha256) IS DISTINCT FROM 32 THEN
    PERFORM medzen.fail('invalid_input', 'A SHA-256 has 32 bytes');
  END IF;
  SELECT * INTO v_row FROM medzen.archive_manifest m
  WHERE m.first_leaf = p_first::bigint AND m.end_leaf = p_end::bigint FOR UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'conflict');
  ELSIF v_row.archived_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', CASE WHEN v_row.manifest_sha256 = p_manifest_sha256 THEN 'repeated' ELSE 'conflict' END);
  END IF;
  UPDATE medzen.archive_manifest m SET manifest_sha256 = p_manifest_sha256, archived_at = medzen.now()
  WHERE m.first_leaf = v_row.first_leaf;
  RETURN jsonb_build_object('status', 'archived');
END
$$;

-- ---- purge
-- The guards themselves let events go, and only these: of a range that is being purged in this very transaction, and past six years. No
-- setting opens them, and no right of medzen_app or medzen_sequencer reaches them. The owner can disable a trigger, as he can drop the
-- table: a checkpoint kept elsewhere shows it.

CREATE OR REPLACE FUNCTION medzen.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_event uuid;
BEGIN
  IF TG_OP = 'DELETE' AND (TG_TABLE_NAME = 'audit_rows' OR TG_TABLE_NAME ~ '^audit_event(_default|_\d{4}_\d\d)?$') THEN
    IF TG_LEVEL = 'STATEMENT' THEN
      IF EXISTS (SELECT FROM medzen.archive_manifest m WHERE m.purged_by = pg_current_xact_id_if_assigned()) THEN
        RETURN NULL;
      END IF;
    ELSE
      v_event := CASE WHEN TG_TABLE_NAME = 'audit_rows' THEN to_jsonb(OLD) ->> 'event_id' ELSE to_jsonb(OLD) ->> 'id' END;
      IF EXISTS (
          SELECT FROM medzen.audit_leaf l
          JOIN medzen.archive_manifest m ON m.first_leaf <= l.leaf_index AND l.leaf_index < m.end_leaf
          WHERE l.event_id = v_event AND m.purged_by = pg_current_xact_id_if_assigned())
        AND NOT EXISTS (
          SELECT FROM medzen.audit_event e
          WHERE e.id = v_event AND medzen.audit_kept_until(greatest(e.at, e.written_at), 6) > medzen.now()) THEN
        RETURN OLD;
      END IF;
    END IF;
  END IF;
  PERFORM medzen.fail('forbidden', format('%s of %s is not allowed: it is only ever added to', TG_OP, TG_TABLE_NAME));
END
$$;

-- True when a legal hold covers an event of the range: its patient, or the recording that it is
-- about.
CREATE FUNCTION medzen.is_archive_held(p_first bigint, p_end bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM medzen.legal_hold h
    WHERE h.released_at IS NULL AND EXISTS (
      SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id
      WHERE e.tenant = h.tenant AND l.leaf_index >= p_first AND l.leaf_index < p_end
        AND (e.patient = medzen.index_key(h.patient) OR e.target_id = h.recording_id::text)))
$$;

-- True when an event records the purge of exactly this range, under this manifest, as createArchiver writes it. A verifier of the log demands
-- such an event, sealed, for every range that is gone.
CREATE FUNCTION medzen.is_purge_of(p_body bytea, p_first bigint, p_end bigint, p_manifest_sha256 bytea) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb @> jsonb_build_object(
    'action', 'audit.purge', 'kind', 'delete', 'outcome', 'success',
    'target', jsonb_build_object('type', 'audit_archive', 'id', p_first || '-' || p_end),
    'detail', jsonb_build_object('first', p_first, 'end', p_end, 'manifestSha256', encode(p_manifest_sha256, 'hex')));
EXCEPTION
  WHEN data_exception THEN RETURN false; -- damaged, or no event
END
$$;

-- Events that explain why others, or identities, are gone. They are not purged: without them nothing proves that all is well.
CREATE FUNCTION medzen.explains_absence(p_action text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_action IN ('audit.purge', 'audit.rebase', 'identity.erase');

-- When the first event behind a range happened that is there and is no purge; NULL when there is none.
CREATE FUNCTION medzen.next_event_at(p_end bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  v_from bigint := p_end;
  v_next bigint;
BEGIN
  -- Past what was purged before it, in one step for each range.
  LOOP
    SELECT m.end_leaf INTO v_next FROM medzen.archive_manifest m WHERE m.first_leaf = v_from AND m.purged_at IS NOT NULL;
    EXIT WHEN NOT found;
    v_from := v_next;
  END LOOP;
  RETURN (
    SELECT e.at FROM medzen.audit_leaf l JOIN medzen.audit_event e ON e.id = l.event_id
    WHERE l.leaf_index >= v_from AND e.action <> 'audit.purge' ORDER BY l.leaf_index LIMIT 1);
END
$$;

-- Removes the events of one archived range, and their rows in audit_rows, together with the event that records it. For the owner of
-- the tables alone: it runs with the caller's rights. Waits until the purge can be proved by what stays: the event behind the range is at most a
-- month short of its years.
CREATE FUNCTION medzen.purge_archive(
  p_tenant text, p_first text, p_end text, p_manifest_sha256 bytea, p_years int, p_event_id text, p_event_body bytea
) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  v_row medzen.archive_manifest%ROWTYPE;
  v_purged bigint;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_years IS NULL OR p_years NOT BETWEEN 6 AND 100 THEN
    PERFORM medzen.fail('invalid_input', 'Audit events are kept for 6 to 100 years');
  END IF;
  SELECT * INTO v_row FROM medzen.archive_manifest m
  WHERE m.first_leaf = p_first::bigint AND m.end_leaf = p_end::bigint FOR UPDATE;
  IF v_row.archived_at IS NULL OR v_row.manifest_sha256 IS DISTINCT FROM p_manifest_sha256 THEN
    RETURN jsonb_build_object('status', 'not_archived');
  ELSIF v_row.purged_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'repeated');
  ELSIF medzen.audit_kept_until(v_row.newest_at, p_years) > medzen.now()
    OR medzen.audit_kept_until(medzen.next_event_at(v_row.end_leaf), p_years) > medzen.now() + interval '31 days' THEN
    RETURN jsonb_build_object('status', 'too_young');
  END IF;
  -- Nobody places a hold between the look and the purge.
  LOCK TABLE medzen.legal_hold IN SHARE MODE;
  IF medzen.is_archive_held(v_row.first_leaf, v_row.end_leaf) THEN
    RETURN jsonb_build_object('status', 'held');
  END IF;
  IF NOT medzen.is_purge_of(p_event_body, v_row.first_leaf, v_row.end_leaf, v_row.manifest_sha256)
     OR (convert_from(p_event_body, 'UTF8')::jsonb #>> '{detail,years}') IS DISTINCT FROM p_years::text THEN
    PERFORM medzen.fail('invalid_input', 'The event must record this purge: action audit.purge, its range as target, and range, years and '
      'manifest in detail');
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  UPDATE medzen.archive_manifest m
  SET purge_event = p_event_id::uuid, purged_at = medzen.now(), purged_by = pg_current_xact_id()
  WHERE m.first_leaf = v_row.first_leaf;
  DELETE FROM medzen.audit_rows r USING medzen.audit_leaf l
  WHERE l.leaf_index >= v_row.first_leaf AND l.leaf_index < v_row.end_leaf AND r.event_id = l.event_id;
  DELETE FROM medzen.audit_event e USING medzen.audit_leaf l
  WHERE l.leaf_index >= v_row.first_leaf AND l.leaf_index < v_row.end_leaf AND e.id = l.event_id AND NOT medzen.explains_absence(e.action);
  GET DIAGNOSTICS v_purged = ROW_COUNT;
  IF v_purged + (SELECT count(*) FROM medzen.audit_leaf l JOIN medzen.audit_event e ON e.id = l.event_id
      WHERE l.leaf_index >= v_row.first_leaf AND l.leaf_index < v_row.end_leaf) <> v_row.end_leaf - v_row.first_leaf THEN
    PERFORM medzen.fail('checkpoint_inconsistent', 'An event that should be purged is missing already');
  END IF;
  RETURN jsonb_build_object('status', 'purged');
END
$$;

-- For the owner: drops the partitions of months that a purge has emptied. Not within the purge, because it waits for every writer. Returns
-- their names.
CREATE FUNCTION medzen.drop_purged_partitions() RETURNS TABLE (partition text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_empty boolean;
BEGIN
  FOR partition IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'medzen.audit_event'::regclass AND c.relname ~ '^audit_event_\d{4}_\d\d$'
      AND medzen.audit_kept_until(make_timestamptz(left(right(c.relname, 7), 4)::int, right(c.relname, 2)::int, 1, 0, 0, 0, 'UTC')
        + interval '32 days', 6) < medzen.now()
    ORDER BY 1
  LOOP
    EXECUTE format('LOCK TABLE ONLY medzen.audit_event, ONLY medzen.%I IN ACCESS EXCLUSIVE MODE', partition);
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM medzen.%I)', partition) INTO v_empty;
    IF v_empty THEN
      EXECUTE format('DROP TABLE medzen.%I', partition);
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;

-- An id that was purged is not free again: its event would wait for a leaf that it had long ago. Asked after the insert, which waits for
-- a purge under way.
CREATE FUNCTION medzen.refuse_purged(p_ids text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (
    SELECT FROM medzen.archive_manifest m
    WHERE m.purged_at IS NOT NULL AND m.greatest_id >= (SELECT i::uuid FROM unnest(p_ids) i ORDER BY 1 LIMIT 1)
  ) THEN
    IF EXISTS (
      SELECT FROM unnest(p_ids) i JOIN medzen.audit_leaf l ON l.event_id = i::uuid
      JOIN medzen.archive_manifest m ON m.first_leaf <= l.leaf_index AND l.leaf_index < m.end_leaf
      WHERE m.purged_at IS NOT NULL
    ) THEN
      PERFORM medzen.fail('audit_conflict', 'An audit event with this id was purged');
    END IF;
  END IF;
END
$$;

-- True when a given event is the stored one of its id.
CREATE FUNCTION medzen.is_same_event(p_tenant text, p_stored bytea, p_given text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p_stored = convert_to(p_given, 'UTF8')
$$;

-- Appends all events or none. `p_bodies` is their bodies joined by line feeds, which canonical JSON never contains.
-- An event that is there already with the same body counts as appended.
CREATE OR REPLACE FUNCTION medzen.append_events(p_tenant text, p_ids text[], p_bodies text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_count int := cardinality(p_ids);
  v_good int;
  v_added int;
  v_id text;
  v_event jsonb;
  v_at timestamptz;
  v_stray boolean := false;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF v_count IS NULL OR v_count NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'append takes 1 to 1000 events per call');
  END IF;
  -- A line feed within a body would shift the lines against the ids, and the last would be left out unseen.
  IF split_part(p_bodies, E'\n', v_count + 1) <> '' THEN
    PERFORM medzen.fail('invalid_input', 'An audit event is one line');
  END IF;

  -- One event, as most calls bring, by what derive_events does with many, in less than half the time. None of its texts is too long for
  -- an index.
  IF v_count = 1 AND octet_length(p_bodies) <= 2000 THEN
    v_id := p_ids[1];
    v_event := replace(p_bodies, '\u0000', '\ufffd')::jsonb;
    IF (v_event @> jsonb_build_object('v', 1, 'id', v_id, 'tenant', p_tenant) AND v_event ->> 'at' LIKE '____-__-__T__:__:__.___Z'
        AND v_id::uuid::text = v_id AND strpos(p_bodies, ',"id":"' || v_id || '"') > 0 AND strpos(p_bodies, E'\n') = 0
        AND v_event #>> '{actor,id}' IS NOT NULL AND v_event ->> 'action' IS NOT NULL AND v_event ->> 'outcome' IS NOT NULL
      ) IS NOT TRUE THEN
      PERFORM medzen.fail('invalid_input', 'p_bodies: a body is not an audit event, or its tenant or id differs from the call');
    END IF;
    v_at := v_event ->> 'at';
    -- Well within the minute there is no need to look closer.
    IF ('x' || left(translate(v_id, '-', ''), 12))::bit(48)::bigint - extract(epoch FROM v_at) * 1000 NOT BETWEEN -59000 AND 59000 THEN
      v_stray := v_id::uuid NOT BETWEEN medzen.uuid_floor(v_at - interval '1 minute') AND medzen.uuid_floor(v_at + interval '1 minute');
    END IF;
    INSERT INTO medzen.audit_event
      (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, body, written_at)
    VALUES (v_id::uuid, p_tenant, v_at, v_event #>> '{actor,id}', v_event ->> 'patient', v_event ->> 'action', v_event ->> 'outcome',
      v_event ->> 'purpose', v_event #>> '{target,type}', v_event #>> '{target,id}', v_stray, convert_to(p_bodies, 'UTF8'), v_now)
    -- The id is the one unique key. Naming it would have Postgres look up the ancestors of each index of the partition.
    ON CONFLICT DO NOTHING;
    IF found THEN
      INSERT INTO medzen.audit_pending (event_id, written_at) VALUES (v_id::uuid, v_now);
      PERFORM medzen.refuse_purged(p_ids);
      RETURN '{"added": 1}';
    END IF;
  END IF;

  -- Many at once are most likely all new: a plain insert is cheaper than one that expects conflicts. Not for a few, since each
  -- such block is a subtransaction, and Postgres slows down past 64 of them in one transaction of the host.
  IF v_count > 16 THEN
    BEGIN
      INSERT INTO medzen.audit_event
        (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, body, written_at)
      SELECT d.*, v_now FROM medzen.derive_events(p_tenant, p_ids, p_bodies) d;
      GET DIAGNOSTICS v_good = ROW_COUNT;
      IF v_good <> v_count THEN
        PERFORM medzen.fail('invalid_input', 'p_bodies: a body is not an audit event, or its tenant or id differs from the call');
      END IF;
      INSERT INTO medzen.audit_pending (event_id, written_at) SELECT i::uuid, v_now FROM unnest(p_ids) i;
      PERFORM medzen.refuse_purged(p_ids);
      RETURN jsonb_build_object('added', v_count);
    EXCEPTION
      WHEN unique_violation THEN NULL; -- one of them is there already
    END;
  END IF;

  WITH derived AS MATERIALIZED (
    SELECT d.* FROM medzen.derive_events(p_tenant, p_ids, p_bodies) d
  ), added AS (
    INSERT INTO medzen.audit_event
      (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, body, written_at)
    SELECT d.*, v_now FROM derived d
    ON CONFLICT DO NOTHING
    RETURNING id
  ), queued AS (
    INSERT INTO medzen.audit_pending (event_id, written_at) SELECT a.id, v_now FROM added a
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM derived), (SELECT count(*) FROM queued) INTO v_good, v_added;
  IF v_good <> v_count THEN
    PERFORM medzen.fail('invalid_input', 'p_bodies: a body is not an audit event, or its tenant or id differs from the call');
  END IF;
  IF v_added < v_count THEN
    -- A retry, or a conflicting event with this id. A transaction that had it in hand has ended by
    -- now: the insert waited for it.
    SELECT count(*) INTO v_good
    FROM ROWS FROM (unnest(p_ids), string_to_table(p_bodies, E'\n')) AS i (id, line)
    JOIN medzen.audit_event e ON e.id = i.id::uuid
    WHERE medzen.is_same_event(p_tenant, e.body, i.line);
    IF v_good <> v_count THEN
      PERFORM medzen.fail('audit_conflict', 'An audit event with this id and other content exists');
    END IF;
  END IF;
  PERFORM medzen.refuse_purged(p_ids);
  RETURN jsonb_build_object('added', v_added);
END
$$;

-- ---- reading what is left
-- Leaves with their bodies as they are now, and what does not hold of the rows that a bulk write touched. Where an event is missing, whether it
-- was purged: of a range whose purge is itself in the tree, behind the range.

-- The pseudonyms in an event for which nobody is known; none until identities can be erased.
CREATE FUNCTION medzen.unknown_identities(p_tenant text, p_body bytea) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::text
$$;

DROP FUNCTION medzen.read_leaves;
CREATE FUNCTION medzen.read_leaves(p_from text, p_limit int)
RETURNS TABLE (leaf_index text, event_id text, body bytea, misfiled boolean, purged boolean, rows text, unknown text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 OR p_from::bigint < 0 THEN
    PERFORM medzen.fail('invalid_input', 'Leaves are read 1 to 10000 at a time, from 0 on');
  END IF;
  RETURN QUERY
    WITH gone AS MATERIALIZED (
      SELECT m.first_leaf, m.end_leaf FROM medzen.archive_manifest m
      JOIN medzen.audit_leaf s ON s.event_id = m.purge_event AND s.leaf_index >= m.end_leaf
      JOIN medzen.audit_event e ON e.id = m.purge_event
      WHERE m.end_leaf > p_from::bigint AND m.first_leaf < p_from::bigint + p_limit AND m.purged_at IS NOT NULL
        AND medzen.is_purge_of(e.body, m.first_leaf, m.end_leaf, m.manifest_sha256)
    )
    SELECT l.leaf_index::text, l.event_id::text, e.body, e.id IS NOT NULL AND NOT medzen.is_filed(e),
      e.id IS NULL AND EXISTS (SELECT FROM gone g WHERE g.first_leaf <= l.leaf_index AND l.leaf_index < g.end_leaf),
      CASE WHEN e.id IS NOT NULL THEN medzen.rows_state(e.id, e.body) END, medzen.unknown_identities(e.tenant, e.body)
    FROM (
      SELECT a.leaf_index, a.event_id FROM medzen.audit_leaf a
      WHERE a.leaf_index >= p_from::bigint ORDER BY a.leaf_index LIMIT p_limit
    ) l
    LEFT JOIN medzen.audit_event e ON e.id = l.event_id
    ORDER BY l.leaf_index;
END
$$;

-- ---- what holds the log back
-- The oldest transaction that has written events and has not ended: they are not in the log before it does. Which transactions these are,
-- their locks tell anyone. Since when a session is at it, Postgres shows to its own role and to members of pg_read_all_stats: grant that to
-- the owner of the schema, else `since` is empty and the age of the transaction's id decides which is the oldest. Never its query.
CREATE FUNCTION medzen.oldest_writer() RETURNS TABLE (pid int, since timestamptz, prepared boolean)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.pid, coalesce(a.xact_start, x.prepared), l.pid IS NULL
  FROM pg_locks l
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  -- A prepared transaction has no process; it is known by its id, which it holds locked as well.
  LEFT JOIN pg_prepared_xacts x ON l.pid IS NULL AND EXISTS (
    SELECT FROM pg_locks i
    WHERE i.locktype = 'transactionid' AND i.pid IS NULL AND i.virtualtransaction = l.virtualtransaction AND i.transactionid = x.transaction)
  LEFT JOIN LATERAL (
    SELECT max(age(t.transactionid)) AS age FROM pg_locks t
    WHERE t.locktype = 'transactionid' AND t.granted AND t.virtualtransaction = l.virtualtransaction AND t.pid IS NOT DISTINCT FROM l.pid
  ) t ON true
  WHERE l.locktype = 'relation' AND l.relation = 'medzen.audit_pending'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND l.pid IS DISTINCT FROM pg_backend_pid()
  ORDER BY t.age DESC NULLS LAST
  LIMIT 1
$$;

-- Milliseconds since an instant; NULL for none.
CREATE FUNCTION medzen.open_ms(p_since timestamptz) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT greatest(0, round(extract(epoch FROM clock_timestamp() - p_since) * 1000))::bigint::text
$$;

-- The oldest transaction of the whole cluster that has been open for so long, in any database: what it might still see of the queue is not cleaned
-- away behind the sequencer, and every look at the queue passes over it. Where Postgres does not show since when a session is at it, one
-- counts that is 100000 transactions old.
CREATE FUNCTION medzen.oldest_transaction(p_open interval) RETURNS TABLE (pid int, since timestamptz, prepared boolean, elsewhere boolean)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT o.pid, o.since, o.pid IS NULL, o.datname IS DISTINCT FROM current_database()
  FROM (
    SELECT a.pid, a.xact_start AS since, a.datname, greatest(age(a.backend_xid), age(a.backend_xmin)) AS age
    FROM pg_stat_activity a
    WHERE (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL) AND a.pid <> pg_backend_pid()
      AND coalesce(a.query, '') NOT LIKE 'autovacuum:%'
    UNION ALL
    SELECT NULL, x.prepared, x.database, age(x.transaction) FROM pg_prepared_xacts x
  ) o
  WHERE o.since < clock_timestamp() - p_open OR (o.since IS NULL AND o.age > 100000)
  ORDER BY o.age DESC LIMIT 1
$$;

-- Measures the lag of the tree, counted up to 10000 events, and names the transaction that holds it
-- up.
DROP FUNCTION medzen.audit_lag;
CREATE FUNCTION medzen.audit_lag() RETURNS TABLE (
  pending text, lost text, oldest_ms text, more boolean,
  writer boolean, writer_pid int, writer_since text, writer_ms text, writer_prepared boolean,
  oldest boolean, oldest_pid int, oldest_since text, oldest_open_ms text, oldest_prepared boolean, oldest_elsewhere boolean)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- The first of the queue are looked up one by one; no plan may read the log to join with them.
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  SELECT least(q.pending, 10000)::text, q.lost::text, q.oldest_ms, q.pending > 10000,
    w.prepared IS NOT NULL, w.pid, medzen.format_instant(w.since), medzen.open_ms(w.since), w.prepared,
    t.prepared IS NOT NULL, t.pid, medzen.format_instant(t.since), medzen.open_ms(t.since), t.prepared, t.elsewhere
  FROM (
    SELECT count(*) AS pending,
      count(*) FILTER (WHERE NOT EXISTS (SELECT FROM medzen.audit_event e WHERE e.id = p.event_id)) AS lost,
      coalesce(greatest(0, round(extract(epoch FROM medzen.now() - min(p.written_at)) * 1000)), 0)::bigint::text AS oldest_ms
    FROM (SELECT f.event_id, f.written_at FROM medzen.audit_pending f ORDER BY f.xid, f.event_id LIMIT 10001) p
  ) q
  LEFT JOIN medzen.oldest_writer() w ON true
  LEFT JOIN medzen.oldest_transaction(interval '1 minute') t ON true
$$;

SELECT medzen.permit('medzen_sequencer', 'open_archive', 'finish_archive', 'read_archives');
SELECT medzen.permit('medzen_auditor', 'read_archives');
-- Not a role that is made here: the owner of the tables calls it, and it is of no use to anybody else.
SELECT medzen.permit('medzen_owner', 'purge_archive');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000016_archive', 'f1649ebd83677fd5296cd56abe784ce553f6f5ae2b3d00e001ec91d2030ba41c', false);
