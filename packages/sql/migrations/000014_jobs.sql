-- Jobs: what has to be called from time to time, and by which timetable. Where pg_cron runs, schedule_jobs() hands them to it; where
-- it does not, any scheduler may run the commands of this table as the owner of the schema.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.job (
  name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  -- Five fields of cron, in pg_cron's time zone, which is UTC unless the host says otherwise. A host may change it, and call
  -- schedule_jobs() again.
  schedule text NOT NULL CHECK (schedule <> ''),
  command text NOT NULL CHECK (command <> ''),
  -- False takes the job off the list at the next schedule_jobs().
  enabled boolean NOT NULL DEFAULT true
);
ALTER TABLE medzen.job ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.job FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

INSERT INTO medzen.job (name, schedule, command) VALUES
  -- At most a million keys an hour; a call that finds none is cheap.
  ('cleanup_rate_limits', '7 * * * *', 'SELECT medzen.cleanup_rate_limits(100000) FROM generate_series(1, 10)'),
  ('make_audit_partitions', '23 0 * * *', 'SELECT medzen.make_audit_partitions()');

-- The name of a job on pg_cron's list, which is one for all databases: from another one than its own, with that one's name behind.
-- pg_cron keeps 63 bytes of it.
CREATE FUNCTION medzen.scheduled_name(p_job text, p_elsewhere boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN octet_length(n.name) <= 63 THEN n.name
    ELSE left(n.name, 46) || '_' || left(encode(sha256(convert_to(n.name, 'UTF8')), 'hex'), 16) END
  FROM (SELECT 'medzen' || '_' || p_job || CASE WHEN p_elsewhere THEN '_in_' || current_database() ELSE '' END AS name) n
$$;

-- The role that jobs run as: the owner of the schema and of what they work on, independent of the
-- role that schedules them.
CREATE FUNCTION medzen.job_owner() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.oid = 'medzen'::regnamespace
$$;

-- Refuses where pg_cron's list is not at hand, saying what to do instead.
CREATE FUNCTION medzen.check_pg_cron() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Which database pg_cron lives in, only a superuser may ask.
  IF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
    PERFORM medzen.fail('invalid_configuration', 'pg_cron is not in this database. Where the server loads it for this one: CREATE '
      'EXTENSION pg_cron. Where it lives in another one: run there, as a superuser, what this lists here: SELECT statement FROM '
      'medzen.job_statements(). Without it, let any scheduler run, as the owner of the schema, what this lists: SELECT schedule, '
      'command FROM medzen.job WHERE enabled');
  END IF;
  IF current_user <> medzen.job_owner() AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    PERFORM medzen.fail('forbidden', 'Jobs are put on the list by the owner of the schema, or by a superuser');
  END IF;
END
$$;

-- What brings pg_cron's list in line with the table where pg_cron lives in another database: to be run there. With true, what takes the
-- jobs off it.
CREATE FUNCTION medzen.job_statements(p_remove boolean DEFAULT false) RETURNS TABLE (statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN j.enabled AND NOT p_remove
    THEN format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
      n.name, j.schedule, j.command, current_database(), medzen.job_owner())
    ELSE format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L;', n.name)
  END
  FROM medzen.job j CROSS JOIN LATERAL (SELECT medzen.scheduled_name(j.name, true) AS name) n
  ORDER BY j.name
$$;

-- Brings pg_cron's list in line with the table: adds, updates and removes, and leaves alone what is right. Safe to repeat.
CREATE FUNCTION medzen.schedule_jobs() RETURNS TABLE (scheduled_job text, change text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_owner CONSTANT text := medzen.job_owner();
  v_job record;
  v_known record;
BEGIN
  PERFORM medzen.check_pg_cron();
  LOCK TABLE medzen.job IN SHARE UPDATE EXCLUSIVE MODE; -- two at once wait for each other
  FOR v_job IN SELECT j.*, medzen.scheduled_name(j.name, false) AS known_as FROM medzen.job j ORDER BY j.name LOOP
    scheduled_job := v_job.known_as;
    -- Removes from the list the jobs that are no longer wanted, and those that would run as another
    -- role.
    PERFORM cron.unschedule(c.jobid) FROM cron.job c
    WHERE c.jobname = v_job.known_as AND c.database = current_database() AND (NOT v_job.enabled OR c.username <> v_owner);
    change := CASE WHEN found THEN 'removed' END;
    IF v_job.enabled THEN
      SELECT c.schedule, c.command INTO v_known FROM cron.job c
      WHERE c.jobname = v_job.known_as AND c.database = current_database() AND c.username = v_owner;
      change := CASE
        WHEN NOT found THEN 'added'
        WHEN (v_known.schedule, v_known.command) = (v_job.schedule, v_job.command) THEN 'unchanged'
        ELSE 'updated' END;
      IF change = 'unchanged' THEN
        NULL;
      ELSIF current_user = v_owner THEN
        PERFORM cron.schedule(v_job.known_as, v_job.schedule, v_job.command);
      ELSE
        PERFORM cron.schedule_in_database(v_job.known_as, v_job.schedule, v_job.command, current_database(), v_owner);
      END IF;
    END IF;
    IF change IS NOT NULL THEN
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;

-- Takes the jobs of the table off pg_cron's list.
CREATE FUNCTION medzen.unschedule_jobs() RETURNS TABLE (scheduled_job text, change text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  PERFORM medzen.check_pg_cron();
  FOR scheduled_job IN SELECT medzen.scheduled_name(j.name, false) FROM medzen.job j ORDER BY j.name LOOP
    PERFORM cron.unschedule(c.jobid) FROM cron.job c WHERE c.jobname = scheduled_job AND c.database = current_database();
    change := 'removed';
    IF found THEN
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000014_jobs', '343983d9dbed3528f988d80ab7c3ad72679500f3036c4935b35854ffdfbcdfe1', false);
