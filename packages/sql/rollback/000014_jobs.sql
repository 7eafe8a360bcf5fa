-- Where pg_cron lives in another database, run there first what this lists: SELECT statement FROM medzen.job_statements(true).
SELECT medzen.begin_rollback('000014_jobs');

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
    PERFORM medzen.unschedule_jobs();
  END IF;
END
$$;

DROP FUNCTION medzen.unschedule_jobs;
DROP FUNCTION medzen.schedule_jobs;
DROP FUNCTION medzen.job_statements;
DROP FUNCTION medzen.check_pg_cron;
DROP FUNCTION medzen.job_owner;
DROP FUNCTION medzen.scheduled_name;
DROP TABLE medzen.job;
