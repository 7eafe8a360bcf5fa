-- The audit log: events that are only ever added, and the Merkle tree over them.

SET LOCAL search_path = pg_catalog, pg_temp;

-- ---- events
-- Partitioned by the month in the event's UUIDv7, so that the one key that must be unique, the id, is the partition key.
-- `body` is the event, byte for byte as it was sealed and will be hashed; every other column is derived from it here, never by
-- a caller. Keys compare as bytes ("C"): exact, and several times cheaper than by a language's rules.

CREATE TABLE medzen.audit_event (
  id uuid NOT NULL PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  actor text COLLATE "C" NOT NULL,
  patient text COLLATE "C",
  action text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  purpose text COLLATE "C",
  target_type text COLLATE "C",
  target_id text COLLATE "C",
  -- The id's own time is more than a minute from `at`: searches by time look at these apart.
  stray boolean NOT NULL,
  -- Which events were written in one transaction.
  xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  written_at timestamptz NOT NULL,
  body bytea NOT NULL CHECK (octet_length(body) <= 65535),
  -- Computed by the database, so that a writer cannot lie about it.
  leaf_hash bytea GENERATED ALWAYS AS (sha256('\x00'::bytea || body)) STORED
) PARTITION BY RANGE (id);

CREATE INDEX audit_event_tenant ON medzen.audit_event (tenant, id);
CREATE INDEX audit_event_patient ON medzen.audit_event (patient, id) WHERE patient IS NOT NULL;
CREATE INDEX audit_event_actor ON medzen.audit_event (actor, id);
CREATE INDEX audit_event_action ON medzen.audit_event (action, id);
CREATE INDEX audit_event_target ON medzen.audit_event (target_id, id) WHERE target_id IS NOT NULL;
CREATE INDEX audit_event_refused ON medzen.audit_event (outcome, id) WHERE outcome <> 'success';
CREATE INDEX audit_event_purpose ON medzen.audit_event (purpose, id) WHERE purpose IN ('BTG', 'ETREAT');
CREATE INDEX audit_event_stray ON medzen.audit_event (tenant, id) WHERE stray;

-- Committed events that have no leaf yet. A copy, for speed: what counts is that no leaf row exists.
CREATE TABLE medzen.audit_pending (
  -- The event's own.
  xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  event_id uuid NOT NULL,
  written_at timestamptz NOT NULL,
  PRIMARY KEY (xid, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- ---- tree

-- The state of the tree: one row, which whoever commits a batch locks and compares.
CREATE TABLE medzen.audit_head (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  size bigint NOT NULL,
  root bytea NOT NULL CHECK (octet_length(root) = 32),
  checkpoint text,
  -- Nothing is pending below this transaction, so a search for the next batch need not pass what was there before.
  -- Transaction ids mean nothing on another server, nor among rows that come from one: the note counts only as long as this server
  -- runs and this very row is the one that was noted. A dump brings another row, even back to the server that it came from.
  pending_from xid8 NOT NULL DEFAULT '0',
  server_started timestamptz,
  noted_by xid8
);
INSERT INTO medzen.audit_head (size, root) VALUES (0, sha256(''));

CREATE TABLE medzen.audit_leaf (
  leaf_index bigint PRIMARY KEY,
  event_id uuid NOT NULL UNIQUE
);

CREATE TABLE medzen.audit_tile (
  level int NOT NULL CHECK (level BETWEEN 0 AND 63),
  index bigint NOT NULL CHECK (index >= 0),
  hashes bytea NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
  PRIMARY KEY (level, index)
);

CREATE TABLE medzen.audit_checkpoint (
  size bigint PRIMARY KEY,
  root bytea NOT NULL,
  checkpoint text NOT NULL,
  written_at timestamptz NOT NULL
);

ALTER TABLE medzen.audit_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.audit_pending ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.audit_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.audit_leaf ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.audit_tile ENABLE ROW LEVEL SECURITY;
ALTER TABLE medzen.audit_checkpoint ENABLE ROW LEVEL SECURITY;

-- ---- nothing is changed or removed
-- No role but the owner has a right to, and the owner is stopped by triggers: by row, because only those reach the partitions,
-- and by statement, because only those see TRUNCATE. The owner can still disable a trigger; a checkpoint kept elsewhere shows it.

CREATE FUNCTION medzen.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM medzen.fail('forbidden', format('%s of %s is not allowed: it is only ever added to', TG_OP, TG_TABLE_NAME));
END
$$;

-- A tile at the right edge of the tree grows; whatever it held stays.
CREATE FUNCTION medzen.refuse_tile_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF (NEW.level, NEW.index) <> (OLD.level, OLD.index)
     OR substring(NEW.hashes FOR octet_length(OLD.hashes)) <> OLD.hashes THEN
    PERFORM medzen.fail('checkpoint_inconsistent', 'A tile of the log cannot change');
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON medzen.audit_event
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON medzen.audit_leaf
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON medzen.audit_checkpoint
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE UPDATE ON medzen.audit_tile
  FOR EACH ROW EXECUTE FUNCTION medzen.refuse_tile_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.audit_leaf
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.audit_checkpoint
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON medzen.audit_tile
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON medzen.audit_head
  FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- ---- partitions

-- The least UUIDv7 of an instant. Immutable throughout and not STRICT, so that it is planned into the statement that uses it: called as
-- a function it takes ten times as long.
CREATE FUNCTION medzen.uuid_floor(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_at < '1970-01-01T00:00:00Z' THEN '00000000-0000-0000-0000-000000000000'::uuid
  ELSE rpad(lpad(to_hex(floor(extract(epoch FROM p_at AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid END;

-- Statement triggers are not inherited: each partition gets its own.
CREATE FUNCTION medzen.guard_audit_partition(p_partition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  EXECUTE format('ALTER TABLE medzen.%I ENABLE ROW LEVEL SECURITY', p_partition);
  EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.%I
    FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change()', p_partition);
END
$$;

CREATE TABLE medzen.audit_event_default PARTITION OF medzen.audit_event DEFAULT;
SELECT medzen.guard_audit_partition('audit_event_default');

-- Makes the partition of this month and of the following ones, where they are missing. For the owner: installers call it, and a
-- scheduler may. A month that came before its partition stays in the default one, which works as well but cannot be purged as a whole.
-- Two at once wait for each other. A new partition locks the log as a whole: whoever waits for that makes every writer wait behind, so
-- behind a transaction that is not done with the log in two seconds the months to come are left for the next time; this month and the
-- next one are not to be left, and fail. Returns how many were made.
CREATE FUNCTION medzen.make_audit_partitions(p_months int DEFAULT 6) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1min'
AS $$
DECLARE
  v_month timestamptz := date_trunc('month', medzen.now(), 'UTC');
  v_next timestamptz;
  v_name text;
  v_made int := 0;
BEGIN
  -- A lock on a table, which a stranger cannot hold, as he could an advisory one.
  LOCK TABLE medzen.migration IN SHARE UPDATE EXCLUSIVE MODE;
  PERFORM set_config('lock_timeout', '2s', true); -- until the function ends, which has a setting of its own
  FOR v_at IN 0 .. p_months LOOP
    v_next := date_trunc('month', v_month + interval '32 days', 'UTC');
    v_name := 'audit_event_' || to_char(v_month AT TIME ZONE 'UTC', 'YYYY_MM');
    IF to_regclass(format('medzen.%I', v_name)) IS NULL THEN
      BEGIN
        EXECUTE format('CREATE TABLE medzen.%I PARTITION OF medzen.audit_event FOR VALUES FROM (%L) TO (%L)',
          v_name, medzen.uuid_floor(v_month), medzen.uuid_floor(v_next));
        PERFORM medzen.guard_audit_partition(v_name);
        v_made := v_made + 1;
      EXCEPTION
        WHEN check_violation THEN NULL; -- the default partition holds events of that month
        WHEN lock_not_available THEN
          IF v_at <= 1 THEN
            RAISE;
          END IF;
          RETURN v_made;
      END;
    END IF;
    v_month := v_next;
  END LOOP;
  RETURN v_made;
END
$$;
SELECT medzen.make_audit_partitions();

-- ---- writing

-- What an index holds of a text that a client may have chosen: itself, or its hash when an index entry could not hold it.
CREATE FUNCTION medzen.index_key(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(p_text) <= 2000 THEN p_text
  ELSE 'sha256:' || encode(sha256(convert_to(p_text, 'UTF8')), 'hex') END;

-- The same of several.
CREATE FUNCTION medzen.index_keys(p_texts text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT medzen.index_key(u) FROM unnest(p_texts) u);

-- Reads the bodies, one a line, and derives the columns. Whatever is not an event of this tenant and id is left out: the
-- caller counts. So is one that does not write its id as canonical JSON does, because whoever verifies the log looks for that
-- text, and would take the event for altered. In order of id, so that two writers with events in common wait for each other instead of deadlocking.
CREATE FUNCTION medzen.derive_events(p_tenant text, p_ids text[], p_bodies text)
RETURNS TABLE (
  id uuid, tenant text, at timestamptz, actor text, patient text, action text, outcome text, purpose text,
  target_type text, target_id text, stray boolean, body bytea
)
-- In PL/pgSQL, which keeps the plan; a function in SQL is planned again for every call before Postgres 18.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT r.id, p_tenant, r.at,
    CASE WHEN r.long THEN medzen.index_key(r.actor) ELSE r.actor END,
    CASE WHEN r.long THEN medzen.index_key(r.patient) ELSE r.patient END,
    CASE WHEN r.long THEN medzen.index_key(r.action) ELSE r.action END,
    CASE WHEN r.long THEN medzen.index_key(r.outcome) ELSE r.outcome END,
    CASE WHEN r.long THEN medzen.index_key(r.purpose) ELSE r.purpose END,
    CASE WHEN r.long THEN medzen.index_key(r.target_type) ELSE r.target_type END,
    CASE WHEN r.long THEN medzen.index_key(r.target_id) ELSE r.target_id END,
    -- Well within the minute there is no need to look closer.
    CASE WHEN r.ms - extract(epoch FROM r.at) * 1000 BETWEEN -59000 AND 59000 THEN false
      ELSE r.id NOT BETWEEN medzen.uuid_floor(r.at - interval '1 minute') AND medzen.uuid_floor(r.at + interval '1 minute') END,
    r.body
  FROM (
    SELECT g.id::uuid AS id, (g.e ->> 'at')::timestamptz AS at,
      g.e #>> '{actor,id}' AS actor, g.e ->> 'patient' AS patient, g.e ->> 'action' AS action, g.e ->> 'outcome' AS outcome,
      g.e ->> 'purpose' AS purpose, g.e #>> '{target,type}' AS target_type, g.e #>> '{target,id}' AS target_id,
      octet_length(g.line) > 2000 AS long, convert_to(g.line, 'UTF8') AS body,
      ('x' || left(translate(g.id, '-', ''), 12))::bit(48)::bigint AS ms
    FROM (
      SELECT i.id, i.line,
        -- jsonb cannot hold a NUL; the derived columns show it as the replacement character.
        replace(i.line, '\u0000', '\ufffd')::jsonb AS e
      FROM ROWS FROM (unnest(p_ids), string_to_table(p_bodies, E'\n')) AS i (id, line)
      OFFSET 0 -- parsed once, and kept nowhere
    ) g
    WHERE g.e ->> 'tenant' = p_tenant AND g.e ->> 'id' = g.id AND g.e -> 'v' = '1'
      AND g.e ->> 'at' LIKE '____-__-__T__:__:__.___Z' AND octet_length(g.line) <= 65535
      AND g.id::uuid::text = g.id AND strpos(g.line, ',"id":"' || g.id || '"') > 0
    OFFSET 0
  ) r
  WHERE r.actor IS NOT NULL AND r.action IS NOT NULL AND r.outcome IS NOT NULL
  ORDER BY r.id;
END
$$;

-- Appends all events or none. `p_bodies` is their bodies joined by line feeds, which canonical JSON never contains.
-- An event that is there already with the same body counts as appended.
CREATE FUNCTION medzen.append_events(p_tenant text, p_ids text[], p_bodies text) RETURNS jsonb
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

-- For other functions: one event in the transaction of the change that it records.
CREATE FUNCTION medzen.write_event(p_tenant text, p_event_id text, p_event_body bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  PERFORM medzen.append_events(p_tenant, ARRAY[p_event_id], convert_from(p_event_body, 'UTF8'));
END
$$;

-- ---- searching

-- The condition that a column has one of some values: written as an equality for one, which an index gives in the order of its next column.
CREATE FUNCTION medzen.one_of(p_column text, p_place text, p_values text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_values IS NULL THEN
    RETURN '';
  ELSIF cardinality(p_values) NOT BETWEEN 1 AND 100 OR array_position(p_values, NULL) IS NOT NULL THEN
    PERFORM medzen.fail('invalid_input', 'A search is for 1 to 100 values');
  END IF;
  RETURN CASE cardinality(p_values) WHEN 1 THEN format(' AND %s = (%s)[1]', p_column, p_place)
    ELSE format(' AND %s = ANY (%s)', p_column, p_place) END;
END
$$;

-- One tenant's events, newest first, from the one before `p_before` on. What is NULL does not restrict; of several values one must match.
CREATE FUNCTION medzen.search_events(
  p_tenant text, p_limit int, p_before text DEFAULT NULL, p_patient text DEFAULT NULL, p_actor text DEFAULT NULL,
  p_actions text[] DEFAULT NULL, p_outcomes text[] DEFAULT NULL, p_purposes text[] DEFAULT NULL, p_target_type text DEFAULT NULL,
  p_target_id text DEFAULT NULL, p_from text DEFAULT NULL, p_to text DEFAULT NULL
) RETURNS TABLE (id text, body bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Written out for each call, so that the planner sees only what restricts, and with which value.
  v_where text := 'e.tenant = $1';
  v_branch text := 'SELECT e.id, e.body FROM medzen.audit_event e WHERE %s ORDER BY e.id DESC LIMIT $2';
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1001');
  END IF;
  IF p_before IS NOT NULL THEN v_where := v_where || ' AND e.id < $3'; END IF;
  IF p_patient IS NOT NULL THEN v_where := v_where || ' AND e.patient = $4'; END IF;
  IF p_actor IS NOT NULL THEN v_where := v_where || ' AND e.actor = $5'; END IF;
  v_where := v_where || medzen.one_of('e.action', '$6', p_actions) || medzen.one_of('e.outcome', '$7', p_outcomes)
    || medzen.one_of('e.purpose', '$8', p_purposes);
  IF p_target_type IS NOT NULL THEN v_where := v_where || ' AND e.target_type = $9'; END IF;
  IF p_target_id IS NOT NULL THEN v_where := v_where || ' AND e.target_id = $10'; END IF;
  IF p_from IS NOT NULL THEN v_where := v_where || ' AND e.at >= $11'; END IF;
  IF p_to IS NOT NULL THEN v_where := v_where || ' AND e.at < $12'; END IF;
  IF p_from IS NULL AND p_to IS NULL THEN
    v_branch := format(v_branch, v_where);
  ELSE
    -- Except for strays, the id tells the time to within a minute: a range of the index, and of the partitions.
    v_branch := format('SELECT * FROM ((%s) UNION ALL (%s)) u ORDER BY 1 DESC LIMIT $2',
      format(v_branch, v_where || ' AND NOT e.stray'
        || CASE WHEN p_from IS NULL THEN '' ELSE ' AND e.id >= $13' END
        || CASE WHEN p_to IS NULL THEN '' ELSE ' AND e.id <= $14' END),
      format(v_branch, v_where || ' AND e.stray'));
  END IF;
  RETURN QUERY EXECUTE format('SELECT r.id::text, r.body FROM (%s) r ORDER BY r.id DESC', v_branch)
  USING p_tenant, p_limit, p_before::uuid, medzen.index_key(p_patient), medzen.index_key(p_actor), medzen.index_keys(p_actions),
    medzen.index_keys(p_outcomes), medzen.index_keys(p_purposes), medzen.index_key(p_target_type), medzen.index_key(p_target_id),
    p_from::timestamptz, p_to::timestamptz,
    medzen.uuid_floor(p_from::timestamptz - interval '1 minute'), medzen.uuid_floor(p_to::timestamptz + interval '1 minute');
END
$$;

-- ---- sequencing

CREATE FUNCTION medzen.read_head() RETURNS TABLE (size text, root bytea, checkpoint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT h.size::text, h.root, h.checkpoint FROM medzen.audit_head h
$$;

-- From which transaction on events may be pending. Zero when the noted one may be of another server's counting. A row's `xmin` is the
-- transaction that wrote it, and nothing can give it another's.
CREATE FUNCTION medzen.pending_from() RETURNS xid8
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN h.server_started = pg_postmaster_start_time() AND h.xmin = h.noted_by::xid
    THEN h.pending_from ELSE '0'::xid8 END
  FROM medzen.audit_head h
$$;

-- Committed events without a leaf, by transaction and then by id. A transaction that commits late shows its events then.
CREATE FUNCTION medzen.read_batch(p_limit int) RETURNS TABLE (id text, body bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- The batch drives; whatever the statistics say, the tables of millions are only ever looked up in.
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 10000');
  END IF;
  RETURN QUERY
    SELECT p.event_id::text, e.body
    FROM (
      SELECT q.xid, q.event_id FROM medzen.audit_pending q
      WHERE q.xid >= (SELECT medzen.pending_from()) AND EXISTS (SELECT FROM medzen.audit_event f WHERE f.id = q.event_id)
      ORDER BY q.xid, q.event_id LIMIT p_limit
    ) p
    JOIN medzen.audit_event e ON e.id = p.event_id
    ORDER BY p.xid, p.event_id;
END
$$;

-- Compares the head and swaps it. `p_leaf_hashes` is the hashes one after the other, 32 bytes each; a tile's key is
-- `level/index`.
CREATE FUNCTION medzen.commit_batch(
  p_expected_size text, p_expected_root bytea, p_event_ids text[], p_leaf_hashes bytea,
  p_tile_keys text[], p_tile_hashes bytea[], p_root bytea, p_checkpoint text
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  v_head medzen.audit_head%ROWTYPE;
  v_ids uuid[] := p_event_ids::uuid[];
  v_count int := cardinality(p_event_ids);
  v_hashes bytea;
  v_xids xid8[];
BEGIN
  -- Whoever comes second waits here, and then sees the first one's head.
  SELECT * INTO v_head FROM medzen.audit_head FOR UPDATE;
  IF v_head.size <> p_expected_size::bigint OR v_head.root <> p_expected_root THEN
    RETURN jsonb_build_object('status', 'conflict');
  END IF;
  IF v_count IS NULL OR v_count NOT BETWEEN 1 AND 10000 OR octet_length(p_leaf_hashes) <> 32 * v_count
     OR cardinality(p_tile_keys) <> cardinality(p_tile_hashes) THEN
    PERFORM medzen.fail('invalid_input', 'A batch takes 1 to 10000 events with one leaf hash each');
  END IF;
  SELECT string_agg(e.leaf_hash, ''::bytea ORDER BY i.at), array_agg(e.xid ORDER BY i.at) INTO v_hashes, v_xids
  FROM unnest(v_ids) WITH ORDINALITY AS i (id, at)
  JOIN medzen.audit_event e ON e.id = i.id;
  IF v_hashes IS DISTINCT FROM p_leaf_hashes THEN
    PERFORM medzen.fail('invalid_input', 'An event of the batch does not exist, or has another leaf hash');
  END IF;

  BEGIN
    INSERT INTO medzen.audit_leaf (leaf_index, event_id)
    SELECT v_head.size + i.at - 1, i.id FROM unnest(v_ids) WITH ORDINALITY AS i (id, at) ORDER BY i.at;
  EXCEPTION
    WHEN unique_violation THEN
      IF (SELECT count(DISTINCT i.id) FROM unnest(v_ids) i (id)) < v_count THEN
        PERFORM medzen.fail('invalid_input', 'p_event_ids must not contain duplicates');
      END IF;
      RETURN jsonb_build_object('status', 'conflict');
  END;
  INSERT INTO medzen.audit_tile AS t (level, index, hashes)
  SELECT split_part(k.key, '/', 1)::int, split_part(k.key, '/', 2)::bigint, k.hashes
  FROM unnest(p_tile_keys, p_tile_hashes) AS k (key, hashes)
  ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes;
  INSERT INTO medzen.audit_checkpoint (size, root, checkpoint, written_at)
  VALUES (v_head.size + v_count, p_root, p_checkpoint, medzen.now());
  DELETE FROM medzen.audit_pending p
  USING unnest(v_xids, v_ids) AS i (xid, id)
  WHERE p.xid = i.xid AND p.event_id = i.id;
  UPDATE medzen.audit_head h SET
    size = h.size + v_count,
    root = p_root,
    checkpoint = p_checkpoint,
    -- Below the oldest transaction that is still at work, everything has been committed or undone; below the first that is
    -- pending, everything has its leaf. Both by the snapshot of this one statement.
    pending_from = least(
      (SELECT p.xid FROM medzen.audit_pending p WHERE p.xid >= (SELECT medzen.pending_from())
       ORDER BY p.xid, p.event_id LIMIT 1),
      pg_snapshot_xmin(pg_current_snapshot())),
    server_started = pg_postmaster_start_time(),
    noted_by = pg_current_xact_id();
  RETURN jsonb_build_object('status', 'committed');
END
$$;

-- Writes the event that records a rebase and makes it the next leaf, under the first checkpoint of the new origin: never the one without
-- the other. The second one waits for the head and finds it moved.
CREATE FUNCTION medzen.commit_rebase(
  p_tenant text, p_event_id text, p_event_body bytea, p_expected_size text, p_expected_root bytea, p_leaf_hashes bytea,
  p_tile_keys text[], p_tile_hashes bytea[], p_root bytea, p_checkpoint text
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  -- By a service, whose id never becomes a pseudonym: the leaf is signed as it was given.
  IF (convert_from(p_event_body, 'UTF8')::jsonb @> '{"action": "audit.rebase", "actor": {"type": "service"}}') IS NOT TRUE THEN
    PERFORM medzen.fail('invalid_input', 'A rebase is recorded by an event of action audit.rebase, by a service');
  END IF;
  PERFORM FROM medzen.audit_head h WHERE h.size = p_expected_size::bigint AND h.root = p_expected_root FOR UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'conflict');
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN medzen.commit_batch(p_expected_size, p_expected_root, ARRAY[p_event_id], p_leaf_hashes, p_tile_keys, p_tile_hashes, p_root,
    p_checkpoint);
END
$$;

CREATE FUNCTION medzen.read_tile(p_level int, p_index text) RETURNS TABLE (hashes bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.hashes FROM medzen.audit_tile t WHERE t.level = p_level AND t.index = p_index::bigint
$$;

-- Leaves with their bodies as they are now, NULL where the event is missing.
-- Whether searches find an event by what its body says. A body that cannot be read is damaged, which its hash shows: then there is no
-- more to say here.
CREATE FUNCTION medzen.is_filed(p_event medzen.audit_event) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_said jsonb;
  v_at timestamptz;
BEGIN
  v_said := replace(convert_from(p_event.body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
  v_at := (v_said ->> 'at')::timestamptz;
  RETURN (p_event.tenant, p_event.at, p_event.actor, p_event.patient, p_event.action, p_event.outcome, p_event.purpose,
      p_event.target_type, p_event.target_id, p_event.stray)
    IS NOT DISTINCT FROM (v_said ->> 'tenant', v_at, medzen.index_key(v_said #>> '{actor,id}'),
      medzen.index_key(v_said ->> 'patient'), medzen.index_key(v_said ->> 'action'), medzen.index_key(v_said ->> 'outcome'),
      medzen.index_key(v_said ->> 'purpose'), medzen.index_key(v_said #>> '{target,type}'),
      medzen.index_key(v_said #>> '{target,id}'),
      p_event.id NOT BETWEEN medzen.uuid_floor(v_at - interval '1 minute') AND medzen.uuid_floor(v_at + interval '1 minute'));
EXCEPTION
  WHEN OTHERS THEN RETURN true;
END
$$;

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

CREATE FUNCTION medzen.leaf_of(p_event_id text) RETURNS TABLE (leaf_index text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.leaf_index::text FROM medzen.audit_leaf l WHERE l.event_id = p_event_id::uuid
$$;

CREATE FUNCTION medzen.read_checkpoints(p_after_size text, p_limit int) RETURNS TABLE (size text, checkpoint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'Checkpoints are read 1 to 1000 at a time');
  END IF;
  RETURN QUERY
    SELECT c.size::text, c.checkpoint FROM medzen.audit_checkpoint c
    WHERE c.size > p_after_size::bigint ORDER BY c.size LIMIT p_limit;
END
$$;

CREATE FUNCTION medzen.audit_lag() RETURNS TABLE (pending text, lost text, oldest_ms text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*)::text,
    count(*) FILTER (WHERE NOT EXISTS (SELECT FROM medzen.audit_event e WHERE e.id = p.event_id))::text,
    coalesce(greatest(0, round(extract(epoch FROM medzen.now() - min(p.written_at)) * 1000)), 0)::bigint::text
  FROM medzen.audit_pending p
$$;

-- For the owner: queues again what has neither a leaf nor a place in the queue. Returns how many.
CREATE FUNCTION medzen.requeue_events() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
  WITH queued AS (
    INSERT INTO medzen.audit_pending (xid, event_id, written_at)
    SELECT e.xid, e.id, e.written_at FROM medzen.audit_event e
    WHERE NOT EXISTS (SELECT FROM medzen.audit_leaf l WHERE l.event_id = e.id)
      AND NOT EXISTS (SELECT FROM medzen.audit_pending p WHERE p.event_id = e.id)
    RETURNING 1
  ), reset AS (
    -- Their transactions lie back: look from the beginning again.
    UPDATE medzen.audit_head SET pending_from = '0' WHERE EXISTS (SELECT FROM queued)
  )
  SELECT count(*) FROM queued
$$;

SELECT medzen.permit('medzen_app', 'append_events', 'search_events');
SELECT medzen.permit('medzen_sequencer', 'read_head', 'read_batch', 'commit_batch', 'commit_rebase', 'read_tile', 'read_leaves', 'leaf_of',
  'read_checkpoints', 'audit_lag');
SELECT medzen.permit('medzen_auditor', 'search_events', 'read_head', 'read_tile', 'read_leaves', 'leaf_of', 'read_checkpoints',
  'audit_lag');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000002_audit', 'a329c8f6dd1178b656fbf5eb1c8e9cc83dd78d21ccbdbad4427933be039c14cd', false);
