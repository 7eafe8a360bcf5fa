-- What was purged stays purged; what says so is in the table that goes, so verification will call those events missing.
SELECT medzen.begin_rollback('000016_archive', 'archive_manifest');

DELETE FROM medzen.select_permission WHERE relation = 'archive_manifest';

DROP FUNCTION medzen.audit_lag;
CREATE FUNCTION medzen.audit_lag() RETURNS TABLE (pending text, lost text, oldest_ms text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*)::text,
    count(*) FILTER (WHERE NOT EXISTS (SELECT FROM medzen.audit_event e WHERE e.id = p.event_id))::text,
    coalesce(greatest(0, round(extract(epoch FROM medzen.now() - min(p.written_at)) * 1000)), 0)::bigint::text
  FROM medzen.audit_pending p
$$;

DROP FUNCTION medzen.oldest_transaction;
DROP FUNCTION medzen.open_ms;
DROP FUNCTION medzen.oldest_writer;
DROP FUNCTION medzen.read_leaves;
DROP FUNCTION medzen.unknown_identities;
CREATE FUNCTION medzen.read_leaves(p_from text, p_limit int)
RETURNS TABLE (leaf_index text, event_id text, body bytea, misfiled boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 OR p_from::bigint < 0 THEN
    PERFORM medzen.fail('invalid_input', 'Leaves are read 1 to 10000 at a time, from 0 on');
  END IF;
  RETURN QUERY
    SELECT l.leaf_index::text, l.event_id::text, e.body, e.id IS NOT NULL AND NOT medzen.is_filed(e)
    FROM (
      SELECT a.leaf_index, a.event_id FROM medzen.audit_leaf a
      WHERE a.leaf_index >= p_from::bigint ORDER BY a.leaf_index LIMIT p_limit
    ) l
    LEFT JOIN medzen.audit_event e ON e.id = l.event_id
    ORDER BY l.leaf_index;
END
$$;

CREATE OR REPLACE FUNCTION medzen.append_events(p_tenant text, p_ids text[], p_bodies text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_count int := cardinality(p_ids);
  v_good int;
  v_added int;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF v_count IS NULL OR v_count NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'append takes 1 to 1000 events per call');
  END IF;
  -- A line feed within a body would shift the lines against the ids, and the last would be left out unseen.
  IF split_part(p_bodies, E'\n', v_count + 1) <> '' THEN
    PERFORM medzen.fail('invalid_input', 'An audit event is one line');
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
    ON CONFLICT (id) DO NOTHING
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
    -- A retry, or a conflicting event with this id. A transaction that had it in hand has ended by now: the insert waited for it.
    SELECT count(*) INTO v_good
    FROM ROWS FROM (unnest(p_ids), string_to_table(p_bodies, E'\n')) AS i (id, line)
    JOIN medzen.audit_event e ON e.id = i.id::uuid AND e.body = convert_to(i.line, 'UTF8');
    IF v_good <> v_count THEN
      PERFORM medzen.fail('audit_conflict', 'An audit event with this id and other content exists');
    END IF;
  END IF;
  RETURN jsonb_build_object('added', v_added);
END
$$;

CREATE OR REPLACE FUNCTION medzen.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM medzen.fail('forbidden', format('%s of %s is not allowed: it is only ever added to', TG_OP, TG_TABLE_NAME));
END
$$;

DROP FUNCTION medzen.refuse_purged;
DROP FUNCTION medzen.is_same_event;
DROP FUNCTION medzen.drop_purged_partitions;
DROP FUNCTION medzen.purge_archive;
DROP FUNCTION medzen.next_event_at;
DROP FUNCTION medzen.explains_absence;
DROP FUNCTION medzen.is_purge_of;
DROP FUNCTION medzen.is_archive_held;
DROP FUNCTION medzen.finish_archive;
DROP FUNCTION medzen.read_archives;
DROP FUNCTION medzen.open_archive;
DROP FUNCTION medzen.archive_rows;
DROP TABLE medzen.archive_manifest;
DROP FUNCTION medzen.guard_archive;
DROP FUNCTION medzen.audit_kept_until;

DELETE FROM medzen.permission
WHERE function IN ('open_archive', 'finish_archive', 'read_archives', 'purge_archive');

SELECT medzen.apply_permissions();
