import type pg from 'pg';

/** Three calls: `a` and `b` of one tenant, `c` of another one, in which the patient and the provider of `a` take part by the same subjects. */
const calls = ['a', 'b', 'c'] as const;

/**
 * Puts rows about each call into every table that holds any, as the tables' owner.
 *
 * @param owner - a connection as the owner, with nothing in the tables
 */
export async function fillTables(owner: pg.Client): Promise<void> {
  // A host says who its auditors and admins are.
  for (const [name, role] of [
    ['is_auditor', 'auditor'],
    ['is_system_admin', 'admin'],
  ])
    await owner.query(`CREATE OR REPLACE FUNCTION medzen.${name}() RETURNS boolean LANGUAGE sql STABLE
      SET search_path = pg_catalog, pg_temp AS $$ SELECT medzen.read_setting('request.jwt.claims') ->> 'app_role' = '${role}' $$`);
  for (const call of calls) {
    const tenant = call === 'c' ? 'other' : 'default';
    const [patient, provider] = call === 'b' ? ['p2', 'd2'] : ['p1', 'd1'];
    const id = `00000000-0000-7000-8000-00000000000${call}`;
    await owner.query(`
      INSERT INTO medzen.consent_session (tenant, session_id, records) VALUES ('${tenant}', '${call}', 2);
      INSERT INTO medzen.retention_subject (tenant, patient) VALUES ('${tenant}', '${patient}');
      INSERT INTO medzen.recording (tenant, id, session_id, patient, provider, provider_ref, state, state_at, started_at,
        object_prefix, jurisdiction, provider_class, zone, rules_version, facts_revision, decided_at, retain_until, grace_until, rule_ids)
      VALUES ('${tenant}', '${id}', '${call}', '${patient}', 'twilio', 'ref', 'archived', '2020-01-01', '2019-01-01',
        'prefix', 'US-GA', 'psychologist', 'UTC', '1', 0, '2020-01-01', '2020-01-02', '2020-03-01', '{}');
      INSERT INTO medzen.retention_fact VALUES ('${tenant}', '${id}', '${patient}', 1, 'birth', '1980-01-01', 'UTC');
      INSERT INTO medzen.retention_warning VALUES ('${tenant}', '${id}', '2020-03-01', '${id}');
      INSERT INTO medzen.access_request (tenant, id, recording_id, requested_by, received_at, due_at, opened_by)
      VALUES ('${tenant}', '${id}', '${id}', '${patient}', '2020-01-01', '2020-01-31', 'x');
      INSERT INTO medzen.postponed VALUES ('${tenant}', '${id}', 'warning', 1, 'unreachable', '2020-01-02');
      INSERT INTO medzen.removed_version VALUES ('${tenant}', '${id}', 'version', 1);
      INSERT INTO medzen.webhook_seen (tenant, recording_id, dedupe_key) VALUES ('${tenant}', '${id}', '${call}');
      INSERT INTO medzen.legal_hold (tenant, id, recording_id, matter, reason, placed_by, placed_at)
      VALUES ('${tenant}', '${call}', '${id}', 'matter', 'reason', 'x', '2020-01-01');
      INSERT INTO medzen.rate_limit VALUES ('${tenant}', '${call}', 1);
      INSERT INTO medzen.audit_event (id, tenant, at, actor, patient, action, outcome, target_type, target_id, stray, written_at, body)
      VALUES ('${id}', '${tenant}', now(), '${provider}', '${patient}', 'recording.view', 'success', 'recording', '${id}', true, now(), '');
      INSERT INTO medzen.audit_pending (event_id, written_at) VALUES ('${id}', now());
      INSERT INTO medzen.audit_leaf VALUES (ascii('${call}'), '${id}');
      INSERT INTO medzen.review (tenant, id, rule, event_id, leaf_index, at, actor, patient, queued_at)
      VALUES ('${tenant}', repeat('0', 63) || '${call}', 'break-glass', '${id}', ascii('${call}'), now(), '${provider}', '${patient}', now());
      INSERT INTO medzen.erasable_identity
      VALUES ('${tenant}', 'erasable:v1:' || repeat('-', 42) || '${call}', 'patient', '${patient}', sha256(''), now());
      INSERT INTO medzen.audit_rows VALUES ('${id}', '{1}', '{${patient}}')`);
    for (const [position, person] of [patient, provider].entries())
      await owner.query(`
        INSERT INTO medzen.recording_participant
        VALUES ('${tenant}', '${id}', '${person}', '2019-01-01', ${position + 1}, '${position === 0 ? 'patient' : 'provider'}');
        INSERT INTO medzen.consent SELECT '${tenant}', gen_random_uuid(), '${call}', ${position + 1}, '${person}', 'given', true,
          true, true, true, '1', repeat('0', 64), 'en', 'click', NULL, NULL, NULL, '2019-01-01'`);
  }
  await owner.query(`
    INSERT INTO medzen.audit_tile VALUES (0, 0, sha256(''));
    INSERT INTO medzen.archive_manifest VALUES (0, 1, now(), gen_random_uuid(), now());
    INSERT INTO medzen.erasable_kind VALUES ('name', now());
    INSERT INTO medzen.tail_cursor VALUES ('siem', 1, now());
    INSERT INTO medzen.audit_checkpoint VALUES (1, sha256(''), 'checkpoint', now());
    INSERT INTO medzen.audit_cosignature VALUES (1, 'witness', '\\x00000000', 'line', now())`);
}
