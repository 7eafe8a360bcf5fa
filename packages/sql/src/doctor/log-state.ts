import { type Examiner, may } from './examination.ts';
import type { Finding } from './finding.ts';

/** An event without a leaf for longer than this is late. The sequencer's own rhythm is a second. */
const lateMs = 60_000;
/** Partitions are made six months ahead; with fewer than these left, nothing makes them any more. */
const monthsAhead = 2;

/** The log is sequenced, and has its partitions. */
export const examineLog: Examiner = async (examination) => {
  const { read, under, skip, standby } = examination;
  const findings: Finding[] = [];
  const months = await read(`
    SELECT to_char(m AT TIME ZONE 'UTC', 'YYYY_MM') AS month
    FROM generate_series(date_trunc('month', pg_catalog.now(), 'UTC'), pg_catalog.now() + interval '${monthsAhead} months', interval '1 month') m
    WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'medzen' AND c.relname = 'audit_event_' || to_char(m AT TIME ZONE 'UTC', 'YYYY_MM')) ORDER BY 1`);
  let blocked = false;
  if (await may(examination, 'table', 'medzen.audit_event_default')) {
    const [held] = await read(`
      SELECT count(*)::int AS events, coalesce(bool_or(d.id >= medzen.uuid_floor(date_trunc('month', pg_catalog.now(), 'UTC'))), false) AS coming
      FROM (SELECT id FROM medzen.audit_event_default ORDER BY id DESC LIMIT 10001) d`);
    const events = Number(held?.events);
    blocked = held?.coming === true;
    if (events > 0)
      findings.push({
        id: 'partition.default',
        severity: blocked ? 'warning' : 'info',
        object: under('medzen.audit_event_default'),
        message: `${events > 10_000 ? 'More than 10000' : events} events lie outside the monthly partitions${
          blocked
            ? ', some of a month whose partition can no longer be made beside them'
            : '; they are searched and proved like any other'
        }`,
        ...(blocked ? { remedy: under(moveOut) } : {}),
      });
  } else skip('the default partition of the log');
  if (months.length > 0 && !blocked)
    findings.push({
      id: 'partition.missing',
      severity: 'warning',
      object: under('medzen.audit_event'),
      message: `The log has no partition for ${months.map(({ month }) => String(month).replace('_', '-')).join(', ')}`,
      remedy: under('SELECT medzen.make_audit_partitions(); -- and schedule it, monthly at the least'),
    });

  if (await may(examination, 'function', 'medzen.audit_lag()')) {
    const [lag] = await read('SELECT * FROM medzen.audit_lag()');
    const late = Number(lag?.oldest_ms);
    if (Number(lag?.lost) > 0)
      findings.push({
        id: 'log.lost',
        severity: 'critical',
        object: under('medzen.audit_pending'),
        message: `${lag?.lost} events are queued for the log but gone from it`,
        remedy: 'Somebody with the rights of the owner removed them. Restore them from a backup, and look who it was',
      });
    else if (late > lateMs)
      findings.push({
        id: 'log.lag',
        severity: 'warning',
        object: under('medzen.audit_pending'),
        message: `${lag?.more === true ? 'More than ' : ''}${lag?.pending} events wait for the sequencer, the oldest for ${Math.round(late / 1000)} s`,
        remedy: 'Run the sequencer (@medzen/audit: createSequencer), as a login that is a member of medzen_sequencer',
      });
    for (const [what, holder] of [
      ['Its events are not in the log before it ends', 'writer'],
      ['While it is open, the queue of the log is not cleaned up and gets slower', 'oldest'],
    ] as const) {
      if (lag?.[holder] !== true) continue;
      const ms = Number(lag[holder === 'writer' ? 'writer_ms' : 'oldest_open_ms'] ?? Number.NaN);
      if (ms <= lateMs) continue;
      const prepared = lag[`${holder}_prepared`] === true;
      findings.push({
        id: `log.${holder}`,
        severity: 'warning',
        object: prepared ? 'a prepared transaction' : `the session of process ${lag[`${holder}_pid`]}`,
        message: `It has been in a transaction ${Number.isNaN(ms) ? 'for long' : `for ${Math.round(ms / 1000)} s`}${
          lag[`${holder}_elsewhere`] === true ? ', in another database of the server' : ''
        }. ${what}`,
        remedy: prepared
          ? 'SELECT gid, database, owner FROM pg_prepared_xacts ORDER BY prepared; and COMMIT PREPARED or ROLLBACK PREPARED it'
          : `Ask whose it is; to end it: SELECT pg_terminate_backend(${lag[`${holder}_pid`]})`,
      });
    }
  } else skip("the sequencer's lag");

  if (await may(examination, 'function', 'medzen.erasable_kinds()')) {
    const [kept] = await read(
      "SELECT string_agg(k, ', ') AS kinds FROM jsonb_array_elements_text(medzen.erasable_kinds()) k",
    );
    if (typeof kept?.kinds === 'string')
      findings.push({
        id: 'log.erasable',
        severity: 'info',
        object: under('medzen.erasable_kind'),
        message: `The log holds pseudonyms, which can be erased, in place of: ${kept.kinds}`,
      });
  } else skip('which identities can be erased');

  if (
    !standby &&
    (await may(examination, 'table', 'medzen.rate_limit')) &&
    (await may(examination, 'table', 'medzen.audit_event'))
  ) {
    const [limits] = await read(`
      SELECT pg_postmaster_start_time() > pg_catalog.now() - interval '1 day' AND NOT EXISTS (SELECT FROM medzen.rate_limit)
        AND EXISTS (SELECT FROM medzen.audit_event WHERE written_at < pg_postmaster_start_time()) AS reset`);
    if (limits?.reset === true)
      findings.push({
        id: 'limits.reset',
        severity: 'info',
        object: under('medzen.rate_limit'),
        message:
          'The server started within a day and the rate limits are empty: a crash or fail-over forgives every limit once',
      });
  }
  return findings;
};

/** Takes the default partition off, empties it, makes the months, and writes the events back as they were. */
const moveOut = `DO $$ -- locks the log while it runs
BEGIN
  ALTER TABLE medzen.audit_event DETACH PARTITION medzen.audit_event_default;
  CREATE TEMP TABLE moving ON COMMIT DROP AS SELECT * FROM medzen.audit_event_default;
  ALTER TABLE medzen.audit_event_default DISABLE TRIGGER refuse_change;
  TRUNCATE medzen.audit_event_default;
  ALTER TABLE medzen.audit_event_default ENABLE TRIGGER refuse_change;
  PERFORM medzen.make_audit_partitions();
  ALTER TABLE medzen.audit_event ATTACH PARTITION medzen.audit_event_default DEFAULT;
  INSERT INTO medzen.audit_event (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, xid, written_at, body)
  SELECT id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, xid, written_at, body FROM moving;
END $$;`;
