import { type Examiner, may } from './examination.ts';
import type { Finding } from './finding.ts';

/** Checks that the recurring jobs are scheduled, where the scheduler is visible. */
export const examineJobs: Examiner = async (examination) => {
  const { owner, read, under, skip } = examination;
  const [cron] = await read(`
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') AS here,
      CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN nullif(current_setting('cron.database_name', true), '') END AS home`);
  if (cron?.here !== true)
    return [
      {
        id: 'jobs.elsewhere',
        severity: 'info',
        object: 'pg_cron',
        message:
          typeof cron?.home === 'string'
            ? `pg_cron lives in the database ${cron.home}; whether it runs the jobs of this one cannot be seen from here`
            : 'pg_cron is not installed: another scheduler has to run the jobs',
        remedy: under('SELECT schedule, command FROM medzen.job WHERE enabled; -- run as the owner of the schema'),
      },
    ];
  // The list shows its reader only jobs of his own, unless he is a superuser; ours run as the owner.
  const [reader] = await read(
    'SELECT current_user::text AS name, rolsuper AS super FROM pg_roles WHERE rolname = current_user',
  );
  if (reader?.super !== true && reader?.name !== owner) {
    skip('which jobs pg_cron runs');
    return [];
  }
  if (!(await may(examination, 'table', 'medzen.job')) || !(await may(examination, 'table', 'cron.job'))) {
    skip('which jobs pg_cron runs');
    return [];
  }
  const missing = await read(`
    SELECT j.name FROM medzen.job j
    WHERE j.enabled AND NOT EXISTS (
      SELECT FROM cron.job c WHERE c.jobname = 'medzen' || '_' || j.name AND c.active AND c.database = current_database())
    ORDER BY 1`);
  if (missing.length === 0) return [];
  return [
    {
      id: 'jobs.unscheduled',
      severity: 'warning',
      object: under('medzen.job'),
      message: `pg_cron does not run ${missing.map(({ name }) => name).join(', ')}`,
      remedy: under('SELECT * FROM medzen.schedule_jobs();'),
    } satisfies Finding,
  ];
};
