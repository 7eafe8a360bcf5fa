// Written by scripts/generate-sql.ts; do not edit.
import type { SqlFunction } from './migration.ts';

/** Every function that a wire may call: who defines it, its arguments in order, without `p_`, and what it gives. */
export const manifest: Readonly<Record<string, SqlFunction>> = {
  add_cosignature: { migration: '000015_cosignature', args: { size: 'text', line: 'text' }, returns: 'jsonb' },
  append_events: { migration: '000002_audit', args: { tenant: 'text', ids: 'text[]', bodies: 'text' }, returns: 'jsonb' },
  audit_lag: { migration: '000002_audit', args: {}, returns: { pending: 'text', lost: 'text', oldest_ms: 'text' } },
  begin_deletion: { migration: '000009_deletion', args: { tenant: 'text', id: 'uuid', token: 'text', facts_revision: 'integer', rules_version: 'text', now: 'timestamp with time zone', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
  change_recording: { migration: '000005_recording', args: { tenant: 'text', id: 'uuid', expected_revision: 'integer', at: 'timestamp with time zone', event_id: 'text', event_body: 'bytea', to: 'text', ended_at: 'timestamp with time zone', duration_seconds: 'double precision', media: 'jsonb', object: 'jsonb', failure: 'jsonb', clear_failure: 'boolean', token: 'text', dedupe_key: 'text' }, returns: 'jsonb' },
  claim_expired: { migration: '000009_deletion', args: { tenant: 'text', now: 'timestamp with time zone', rules_version: 'text', limit: 'integer', lease_ms: 'integer', id: 'uuid' }, returns: 'jsonb' },
  claim_transfers: { migration: '000006_claims', args: { tenant: 'text', limit: 'integer', lease_ms: 'integer', id: 'uuid' }, returns: 'jsonb' },
  cleanup_rate_limits: { migration: '000003_rate_limit', args: { limit: 'integer' }, returns: 'jsonb' },
  commit_batch: { migration: '000002_audit', args: { expected_size: 'text', expected_root: 'bytea', event_ids: 'text[]', leaf_hashes: 'bytea', tile_keys: 'text[]', tile_hashes: 'bytea[]', root: 'bytea', checkpoint: 'text' }, returns: 'jsonb' },
  consume_limits: { migration: '000003_rate_limit', args: { tenant: 'text', requests: 'jsonb' }, returns: 'jsonb' },
  current_subject: { migration: '000001_foundation', args: {}, returns: 'text' },
  current_tenant: { migration: '000010_identity', args: {}, returns: 'text' },
  find_recording: { migration: '000005_recording', args: { tenant: 'text', provider: 'text', provider_ref: 'text' }, returns: 'jsonb' },
  finish_deletion: { migration: '000009_deletion', args: { tenant: 'text', id: 'uuid', token: 'text', tombstone: 'jsonb', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
  get_recording: { migration: '000005_recording', args: { tenant: 'text', id: 'uuid' }, returns: 'jsonb' },
  leaf_of: { migration: '000002_audit', args: { event_id: 'text' }, returns: { leaf_index: 'text' } },
  list_consents: { migration: '000004_consent', args: { tenant: 'text', session_id: 'text' }, returns: 'jsonb' },
  list_due_archives: { migration: '000007_retention', args: { tenant: 'text', now: 'timestamp with time zone', rules_version: 'text', limit: 'integer' }, returns: 'jsonb' },
  list_due_warnings: { migration: '000007_retention', args: { tenant: 'text', now: 'timestamp with time zone', limit: 'integer' }, returns: 'jsonb' },
  list_facts: { migration: '000007_retention', args: { tenant: 'text', patient: 'text' }, returns: 'jsonb' },
  list_holds: { migration: '000008_legal_hold', args: { tenant: 'text', recording_id: 'uuid' }, returns: 'jsonb' },
  list_recordings: { migration: '000005_recording', args: { tenant: 'text', limit: 'integer', session_id: 'text', patient: 'text', state: 'text', participant: 'text', failure_code: 'text', before: 'timestamp with time zone', before_id: 'uuid' }, returns: 'jsonb' },
  list_stale_decisions: { migration: '000007_retention', args: { tenant: 'text', rules_version: 'text', limit: 'integer' }, returns: 'jsonb' },
  list_stuck: { migration: '000006_claims', args: { tenant: 'text', before: 'timestamp with time zone', limit: 'integer' }, returns: 'jsonb' },
  note_access: { migration: '000005_recording', args: { tenant: 'text', id: 'uuid', kind: 'text', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
  note_fact: { migration: '000007_retention', args: { tenant: 'text', id: 'uuid', patient: 'text', type: 'text', date: 'date', zone: 'text', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
  place_hold: { migration: '000008_legal_hold', args: { tenant: 'text', id: 'text', matter: 'text', reason: 'text', placed_by: 'text', placed_at: 'timestamp with time zone', event_id: 'text', event_body: 'bytea', recording_id: 'uuid', patient: 'text' }, returns: 'jsonb' },
  read_batch: { migration: '000002_audit', args: { limit: 'integer' }, returns: { id: 'text', body: 'bytea' } },
  read_checkpoints: { migration: '000015_cosignature', args: { after_size: 'text', limit: 'integer' }, returns: { size: 'text', checkpoint: 'text' } },
  read_clock: { migration: '000006_claims', args: {}, returns: 'jsonb' },
  read_head: { migration: '000015_cosignature', args: {}, returns: { size: 'text', root: 'bytea', checkpoint: 'text' } },
  read_leaves: { migration: '000002_audit', args: { from: 'text', limit: 'integer' }, returns: { leaf_index: 'text', event_id: 'text', body: 'bytea', misfiled: 'boolean' } },
  read_migrations: { migration: '000001_foundation', args: {}, returns: { id: 'text', checksum: 'text', breaking: 'boolean' } },
  read_tile: { migration: '000002_audit', args: { level: 'integer', index: 'text' }, returns: { hashes: 'bytea' } },
  record_consent: { migration: '000004_consent', args: { tenant: 'text', id: 'uuid', session_id: 'text', participant: 'text', decision: 'text', acknowledged_recording: 'boolean', acknowledged_storage: 'boolean', acknowledged_access: 'boolean', acknowledged_retention: 'boolean', text_version: 'text', text_sha256: 'text', language: 'text', method: 'text', at: 'timestamp with time zone', event_id: 'text', event_body: 'bytea', location: 'text', ip: 'text', user_agent: 'text' }, returns: 'jsonb' },
  record_warning: { migration: '000007_retention', args: { tenant: 'text', id: 'uuid', deadline: 'timestamp with time zone', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
  release_claim: { migration: '000006_claims', args: { tenant: 'text', id: 'uuid', token: 'text', failure_code: 'text' }, returns: 'jsonb' },
  release_hold: { migration: '000008_legal_hold', args: { tenant: 'text', id: 'text', released_by: 'text', released_at: 'timestamp with time zone', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
  save_decision: { migration: '000007_retention', args: { tenant: 'text', id: 'uuid', rules_version: 'text', facts_revision: 'integer', decided_at: 'timestamp with time zone', rule_ids: 'text[]', event_id: 'text', event_body: 'bytea', retain_until: 'timestamp with time zone', warn_at: 'timestamp with time zone', grace_until: 'timestamp with time zone' }, returns: 'jsonb' },
  search_events: { migration: '000002_audit', args: { tenant: 'text', limit: 'integer', before: 'text', patient: 'text', actor: 'text', action: 'text', outcome: 'text', purpose: 'text', target_type: 'text', target_id: 'text', from: 'text', to: 'text' }, returns: { id: 'text', body: 'bytea' } },
  set_test_clock: { migration: 'medzen_test', args: { at: 'text', frozen: 'boolean' }, returns: 'jsonb' },
  start_recording: { migration: '000005_recording', args: { tenant: 'text', id: 'uuid', session_id: 'text', patient: 'text', participants: 'jsonb', provider: 'text', provider_ref: 'text', started_at: 'timestamp with time zone', object_prefix: 'text', jurisdiction: 'text', provider_class: 'text', zone: 'text', consent_of: 'text[]', event_id: 'text', event_body: 'bytea' }, returns: 'jsonb' },
};

/** Every function that a person may call, in the schema of {@link peopleSchema}. No wire calls these: each speaks for one person. */
export const peopleManifest: Readonly<Record<string, SqlFunction>> = {
};
