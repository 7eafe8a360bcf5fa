-- Written by scripts/schema-dump.ts from the catalog of a Postgres 18; do not edit.

-- ---- Tables

CREATE TABLE medzen.access_request (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  recording_id uuid,
  patient text COLLATE "C",
  requested_by text NOT NULL,
  received_at timestamp(3) with time zone NOT NULL,
  due_at timestamp(3) with time zone NOT NULL,
  opened_by text NOT NULL,
  extended_at timestamp(3) with time zone,
  extended_by text,
  extension_reason text,
  closed_at timestamp(3) with time zone,
  closed_by text,
  outcome text,
  CONSTRAINT access_request_check CHECK ((due_at > received_at)),
  CONSTRAINT access_request_check1 CHECK ((num_nonnulls(recording_id, patient) = 1)),
  CONSTRAINT access_request_check2 CHECK ((num_nulls(extended_at, extended_by, extension_reason) = ANY (ARRAY[0, 3]))),
  CONSTRAINT access_request_check3 CHECK ((num_nulls(closed_at, closed_by, outcome) = ANY (ARRAY[0, 3]))),
  CONSTRAINT access_request_closed_by_check CHECK (((length(closed_by) >= 1) AND (length(closed_by) <= 256))),
  CONSTRAINT access_request_extended_by_check CHECK (((length(extended_by) >= 1) AND (length(extended_by) <= 256))),
  CONSTRAINT access_request_extension_reason_check CHECK (((length(extension_reason) >= 1) AND (length(extension_reason) <= 2048))),
  CONSTRAINT access_request_opened_by_check CHECK (((length(opened_by) >= 1) AND (length(opened_by) <= 256))),
  CONSTRAINT access_request_outcome_check CHECK ((outcome = ANY (ARRAY['provided'::text, 'denied'::text, 'withdrawn'::text]))),
  CONSTRAINT access_request_pkey PRIMARY KEY (tenant, id),
  CONSTRAINT access_request_requested_by_check CHECK (((length(requested_by) >= 1) AND (length(requested_by) <= 256))),
  CONSTRAINT access_request_tenant_patient_fkey FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject(tenant, patient),
  CONSTRAINT access_request_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.access_request ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.archive_manifest (
  first_leaf bigint NOT NULL,
  end_leaf bigint NOT NULL,
  newest_at timestamp with time zone NOT NULL,
  greatest_id uuid NOT NULL,
  begun_at timestamp with time zone NOT NULL,
  manifest_sha256 bytea,
  archived_at timestamp with time zone,
  purge_event uuid,
  purged_at timestamp with time zone,
  purged_by xid8,
  CONSTRAINT archive_manifest_check CHECK ((end_leaf > first_leaf)),
  CONSTRAINT archive_manifest_check1 CHECK ((num_nulls(manifest_sha256, archived_at) = ANY (ARRAY[0, 2]))),
  CONSTRAINT archive_manifest_check2 CHECK ((num_nulls(purge_event, purged_at, purged_by) = ANY (ARRAY[0, 3]))),
  CONSTRAINT archive_manifest_check3 CHECK (((purged_at IS NULL) OR (archived_at IS NOT NULL))),
  CONSTRAINT archive_manifest_end_leaf_key UNIQUE (end_leaf),
  CONSTRAINT archive_manifest_first_leaf_check CHECK ((first_leaf >= 0)),
  CONSTRAINT archive_manifest_manifest_sha256_check CHECK ((octet_length(manifest_sha256) = 32)),
  CONSTRAINT archive_manifest_pkey PRIMARY KEY (first_leaf)
);
ALTER TABLE medzen.archive_manifest ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_checkpoint (
  size bigint NOT NULL,
  root bytea NOT NULL,
  checkpoint text NOT NULL,
  written_at timestamp with time zone NOT NULL,
  CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (size)
);
ALTER TABLE medzen.audit_checkpoint ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_cosignature (
  size bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  key_id bytea NOT NULL,
  line text NOT NULL,
  added_at timestamp with time zone NOT NULL,
  CONSTRAINT audit_cosignature_key_id_check CHECK ((octet_length(key_id) = 4)),
  CONSTRAINT audit_cosignature_pkey PRIMARY KEY (size, name, key_id),
  CONSTRAINT audit_cosignature_size_fkey FOREIGN KEY (size) REFERENCES medzen.audit_checkpoint(size)
);
ALTER TABLE medzen.audit_cosignature ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_event (
  id uuid NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  at timestamp with time zone NOT NULL,
  actor text COLLATE "C" NOT NULL,
  patient text COLLATE "C",
  action text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  purpose text COLLATE "C",
  target_type text COLLATE "C",
  target_id text COLLATE "C",
  stray boolean NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  written_at timestamp with time zone NOT NULL,
  body bytea NOT NULL,
  leaf_hash bytea GENERATED ALWAYS AS (sha256(('\x00'::bytea || body))) STORED,
  CONSTRAINT audit_event_body_check CHECK ((octet_length(body) <= 65535)),
  CONSTRAINT audit_event_pkey PRIMARY KEY (id)
) PARTITION BY RANGE (id);
ALTER TABLE medzen.audit_event ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_event_default (
  id uuid NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  at timestamp with time zone NOT NULL,
  actor text COLLATE "C" NOT NULL,
  patient text COLLATE "C",
  action text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  purpose text COLLATE "C",
  target_type text COLLATE "C",
  target_id text COLLATE "C",
  stray boolean NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  written_at timestamp with time zone NOT NULL,
  body bytea NOT NULL,
  leaf_hash bytea GENERATED ALWAYS AS (sha256(('\x00'::bytea || body))) STORED,
  CONSTRAINT audit_event_body_check CHECK ((octet_length(body) <= 65535)),
  CONSTRAINT audit_event_default_pkey PRIMARY KEY (id)
) DEFAULT;
ALTER TABLE medzen.audit_event_default ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_head (
  singleton boolean NOT NULL DEFAULT true,
  size bigint NOT NULL,
  root bytea NOT NULL,
  checkpoint text,
  pending_from xid8 NOT NULL DEFAULT '0'::xid8,
  server_started timestamp with time zone,
  noted_by xid8,
  CONSTRAINT audit_head_pkey PRIMARY KEY (singleton),
  CONSTRAINT audit_head_root_check CHECK ((octet_length(root) = 32)),
  CONSTRAINT audit_head_singleton_check CHECK (singleton)
);
ALTER TABLE medzen.audit_head ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_leaf (
  leaf_index bigint NOT NULL,
  event_id uuid NOT NULL,
  CONSTRAINT audit_leaf_event_id_key UNIQUE (event_id),
  CONSTRAINT audit_leaf_pkey PRIMARY KEY (leaf_index)
);
ALTER TABLE medzen.audit_leaf ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_pending (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id uuid NOT NULL,
  written_at timestamp with time zone NOT NULL,
  CONSTRAINT audit_pending_pkey PRIMARY KEY (xid, event_id)
) WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=20000);
ALTER TABLE medzen.audit_pending ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_rows (
  event_id uuid NOT NULL,
  row_ids text[] NOT NULL,
  patients text[] NOT NULL,
  CONSTRAINT audit_rows_pkey PRIMARY KEY (event_id)
) WITH (autovacuum_vacuum_insert_scale_factor=0, autovacuum_vacuum_insert_threshold=50);
ALTER TABLE medzen.audit_rows ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.audit_tile (
  level integer NOT NULL,
  index bigint NOT NULL,
  hashes bytea NOT NULL,
  CONSTRAINT audit_tile_hashes_check CHECK ((((octet_length(hashes) >= 32) AND (octet_length(hashes) <= 8192)) AND ((octet_length(hashes) % 32) = 0))),
  CONSTRAINT audit_tile_index_check CHECK ((index >= 0)),
  CONSTRAINT audit_tile_level_check CHECK (((level >= 0) AND (level <= 63))),
  CONSTRAINT audit_tile_pkey PRIMARY KEY (level, index)
);
ALTER TABLE medzen.audit_tile ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.consent (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  ordinal integer NOT NULL,
  participant text COLLATE "C" NOT NULL,
  decision text NOT NULL,
  acknowledged_recording boolean NOT NULL,
  acknowledged_storage boolean NOT NULL,
  acknowledged_access boolean NOT NULL,
  acknowledged_retention boolean NOT NULL,
  text_version text NOT NULL,
  text_sha256 text NOT NULL,
  language text NOT NULL,
  method text NOT NULL,
  location text,
  ip text,
  user_agent text,
  at timestamp(3) with time zone NOT NULL,
  CONSTRAINT consent_decision_check CHECK ((decision = ANY (ARRAY['given'::text, 'withdrawn'::text]))),
  CONSTRAINT consent_ip_check CHECK ((length(ip) <= 64)),
  CONSTRAINT consent_language_check CHECK (((length(language) >= 1) AND (length(language) <= 64))),
  CONSTRAINT consent_location_check CHECK (((length(location) >= 1) AND (length(location) <= 64))),
  CONSTRAINT consent_method_check CHECK ((method = ANY (ARRAY['click'::text, 'written'::text, 'verbal'::text, 'signature'::text]))),
  CONSTRAINT consent_ordinal_check CHECK ((ordinal >= 1)),
  CONSTRAINT consent_participant_check CHECK (((length(participant) >= 1) AND (length(participant) <= 256))),
  CONSTRAINT consent_pkey PRIMARY KEY (tenant, id),
  CONSTRAINT consent_tenant_session_id_fkey FOREIGN KEY (tenant, session_id) REFERENCES medzen.consent_session(tenant, session_id),
  CONSTRAINT consent_tenant_session_id_ordinal_key UNIQUE (tenant, session_id, ordinal),
  CONSTRAINT consent_text_sha256_check CHECK ((text_sha256 ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT consent_text_version_check CHECK (((length(text_version) >= 1) AND (length(text_version) <= 256))),
  CONSTRAINT consent_user_agent_check CHECK ((length(user_agent) <= 16384))
);
ALTER TABLE medzen.consent ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.consent_session (
  tenant text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  records integer NOT NULL DEFAULT 0,
  CONSTRAINT consent_session_pkey PRIMARY KEY (tenant, session_id),
  CONSTRAINT consent_session_records_check CHECK ((records >= 0)),
  CONSTRAINT consent_session_session_id_check CHECK (((length(session_id) >= 1) AND (length(session_id) <= 256))),
  CONSTRAINT consent_session_tenant_check CHECK ((tenant ~ '^[a-z0-9][a-z0-9_-]{0,63}$'::text))
);
ALTER TABLE medzen.consent_session ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.erasable_identity (
  tenant text COLLATE "C" NOT NULL,
  pseudonym text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  salt bytea NOT NULL,
  made_at timestamp with time zone NOT NULL,
  CONSTRAINT erasable_identity_kind_check CHECK ((kind = ANY (ARRAY['patient'::text, 'user'::text, 'name'::text, 'ip'::text, 'recipient'::text]))),
  CONSTRAINT erasable_identity_pkey PRIMARY KEY (tenant, pseudonym),
  CONSTRAINT erasable_identity_pseudonym_check CHECK ((pseudonym ~ '^erasable:v1:[A-Za-z0-9_-]{43}$'::text)),
  CONSTRAINT erasable_identity_salt_check CHECK ((octet_length(salt) = 32)),
  CONSTRAINT erasable_identity_value_check CHECK ((value <> ''::text))
) WITH (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0);
ALTER TABLE medzen.erasable_identity ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.erasable_kind (
  kind text COLLATE "C" NOT NULL,
  since timestamp with time zone NOT NULL,
  CONSTRAINT erasable_kind_kind_check CHECK ((kind = ANY (ARRAY['patient'::text, 'user'::text, 'name'::text, 'ip'::text, 'recipient'::text]))),
  CONSTRAINT erasable_kind_pkey PRIMARY KEY (kind)
);
ALTER TABLE medzen.erasable_kind ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.job (
  name text COLLATE "C" NOT NULL,
  schedule text NOT NULL,
  command text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  CONSTRAINT job_command_check CHECK ((command <> ''::text)),
  CONSTRAINT job_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
  CONSTRAINT job_pkey PRIMARY KEY (name),
  CONSTRAINT job_schedule_check CHECK ((schedule <> ''::text))
);
ALTER TABLE medzen.job ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.legal_hold (
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  recording_id uuid,
  patient text COLLATE "C",
  matter text NOT NULL,
  reason text NOT NULL,
  placed_by text NOT NULL,
  placed_at timestamp(3) with time zone NOT NULL,
  released_by text,
  released_at timestamp(3) with time zone,
  CONSTRAINT legal_hold_check CHECK ((num_nonnulls(recording_id, patient) = 1)),
  CONSTRAINT legal_hold_check1 CHECK ((num_nulls(released_by, released_at) = ANY (ARRAY[0, 2]))),
  CONSTRAINT legal_hold_id_check CHECK (((length(id) >= 1) AND (length(id) <= 128))),
  CONSTRAINT legal_hold_matter_check CHECK (((length(matter) >= 1) AND (length(matter) <= 512))),
  CONSTRAINT legal_hold_pkey PRIMARY KEY (tenant, id),
  CONSTRAINT legal_hold_placed_by_check CHECK (((length(placed_by) >= 1) AND (length(placed_by) <= 256))),
  CONSTRAINT legal_hold_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 2048))),
  CONSTRAINT legal_hold_released_by_check CHECK (((length(released_by) >= 1) AND (length(released_by) <= 256))),
  CONSTRAINT legal_hold_tenant_patient_fkey FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject(tenant, patient),
  CONSTRAINT legal_hold_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.legal_hold ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.migration (
  id text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  breaking boolean NOT NULL,
  CONSTRAINT migration_pkey PRIMARY KEY (id)
);
ALTER TABLE medzen.migration ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.permission (
  role text NOT NULL,
  function text NOT NULL,
  CONSTRAINT permission_pkey PRIMARY KEY (role, function)
);
ALTER TABLE medzen.permission ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.postponed (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  queue text COLLATE "C" NOT NULL,
  attempts integer NOT NULL,
  code text NOT NULL,
  until timestamp with time zone NOT NULL,
  CONSTRAINT postponed_attempts_check CHECK ((attempts >= 1)),
  CONSTRAINT postponed_code_check CHECK (((length(code) >= 1) AND (length(code) <= 128))),
  CONSTRAINT postponed_pkey PRIMARY KEY (tenant, recording_id, queue),
  CONSTRAINT postponed_queue_check CHECK ((queue = ANY (ARRAY['warning'::text, 'archive'::text, 'discard'::text]))),
  CONSTRAINT postponed_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.postponed ENABLE ROW LEVEL SECURITY;
CREATE UNLOGGED TABLE medzen.rate_limit (
  tenant text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  tat bigint NOT NULL,
  CONSTRAINT rate_limit_pkey PRIMARY KEY (tenant, key)
) WITH (fillfactor=50, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE medzen.rate_limit ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.recording (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  patient text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  provider_ref text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  state_at timestamp(3) with time zone NOT NULL,
  started_at timestamp(3) with time zone NOT NULL,
  captured_at timestamp(3) with time zone,
  ended_at timestamp(3) with time zone,
  duration_seconds double precision,
  media jsonb,
  object jsonb,
  object_prefix text NOT NULL,
  storage jsonb,
  object_lock jsonb,
  deletion jsonb,
  provider_account text COLLATE "C",
  jurisdiction text NOT NULL,
  provider_class text NOT NULL,
  zone text NOT NULL,
  keep_until timestamp(3) with time zone,
  keep_reason text,
  failure jsonb,
  stop_requested_at timestamp(3) with time zone,
  stop_consent uuid,
  tombstone jsonb,
  views integer NOT NULL DEFAULT 0,
  downloads integer NOT NULL DEFAULT 0,
  revision integer NOT NULL DEFAULT 1,
  rules_version text COLLATE "C",
  facts_revision integer,
  decided_at timestamp(3) with time zone,
  retain_until timestamp(3) with time zone,
  warn_at timestamp(3) with time zone,
  grace_until timestamp(3) with time zone,
  rule_ids text[],
  undated text COLLATE "C",
  subject_revision integer NOT NULL DEFAULT 0,
  hold_count integer NOT NULL DEFAULT 0,
  request_count integer NOT NULL DEFAULT 0,
  removed_versions integer NOT NULL DEFAULT 0,
  removed_bytes bigint NOT NULL DEFAULT 0,
  deletable_at timestamp(3) with time zone,
  claim_token bigint,
  claim_until timestamp with time zone,
  claim_attempts integer NOT NULL DEFAULT 0,
  claim_after timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone,
  look_after timestamp with time zone,
  look_token bigint,
  look_attempts integer NOT NULL DEFAULT 0,
  CONSTRAINT recording_check CHECK (((state = 'deleted'::text) = (tombstone IS NOT NULL))),
  CONSTRAINT recording_check1 CHECK (((state <> 'deleted'::text) OR ((media IS NULL) AND (object IS NULL)))),
  CONSTRAINT recording_check2 CHECK (((state = 'deleting'::text) = (deletion IS NOT NULL))),
  CONSTRAINT recording_check3 CHECK ((num_nulls(rules_version, facts_revision, decided_at, rule_ids) = ANY (ARRAY[0, 4]))),
  CONSTRAINT recording_check4 CHECK (((num_nulls(retain_until, warn_at, grace_until) = 3) OR (rules_version IS NOT NULL))),
  CONSTRAINT recording_check5 CHECK (((undated IS NULL) OR ((rules_version IS NOT NULL) AND (retain_until IS NULL)))),
  CONSTRAINT recording_check6 CHECK ((num_nulls(keep_until, keep_reason) = ANY (ARRAY[0, 2]))),
  CONSTRAINT recording_check7 CHECK ((num_nulls(claim_token, claim_until) = ANY (ARRAY[0, 2]))),
  CONSTRAINT recording_check8 CHECK ((num_nulls(stop_requested_at, stop_consent) = ANY (ARRAY[0, 2]))),
  CONSTRAINT recording_claim_attempts_check CHECK ((claim_attempts >= 0)),
  CONSTRAINT recording_deletion_check CHECK ((jsonb_typeof(deletion) = 'object'::text)),
  CONSTRAINT recording_downloads_check CHECK ((downloads >= 0)),
  CONSTRAINT recording_duration_seconds_check CHECK ((duration_seconds >= (0)::double precision)),
  CONSTRAINT recording_facts_revision_check CHECK ((facts_revision >= 0)),
  CONSTRAINT recording_failure_check CHECK (((jsonb_typeof(failure) = 'object'::text) AND ((length((failure ->> 'code'::text)) >= 1) AND (length((failure ->> 'code'::text)) <= 128)))),
  CONSTRAINT recording_hold_count_check CHECK ((hold_count >= 0)),
  CONSTRAINT recording_keep_reason_check CHECK (((length(keep_reason) >= 1) AND (length(keep_reason) <= 2048))),
  CONSTRAINT recording_look_attempts_check CHECK ((look_attempts >= 0)),
  CONSTRAINT recording_media_check CHECK ((jsonb_typeof(media) = 'object'::text)),
  CONSTRAINT recording_object_check CHECK ((jsonb_typeof(object) = 'object'::text)),
  CONSTRAINT recording_object_lock_check CHECK ((jsonb_typeof(object_lock) = 'object'::text)),
  CONSTRAINT recording_object_prefix_check CHECK (((length(object_prefix) >= 1) AND (length(object_prefix) <= 1024))),
  CONSTRAINT recording_pkey PRIMARY KEY (tenant, id),
  CONSTRAINT recording_provider_account_check CHECK (((length(provider_account) >= 1) AND (length(provider_account) <= 256))),
  CONSTRAINT recording_provider_check CHECK (((length(provider) >= 1) AND (length(provider) <= 64))),
  CONSTRAINT recording_provider_ref_check CHECK (((length(provider_ref) >= 1) AND (length(provider_ref) <= 512))),
  CONSTRAINT recording_removed_bytes_check CHECK ((removed_bytes >= 0)),
  CONSTRAINT recording_removed_versions_check CHECK ((removed_versions >= 0)),
  CONSTRAINT recording_request_count_check CHECK ((request_count >= 0)),
  CONSTRAINT recording_revision_check CHECK ((revision >= 1)),
  CONSTRAINT recording_rules_version_check CHECK ((rules_version <> ''::text)),
  CONSTRAINT recording_session_id_check CHECK (((length(session_id) >= 1) AND (length(session_id) <= 256))),
  CONSTRAINT recording_state_check CHECK ((state = ANY (ARRAY['starting'::text, 'recording'::text, 'processing'::text, 'uploading'::text, 'available'::text, 'archived'::text, 'deleting'::text, 'deleted'::text, 'failed'::text]))),
  CONSTRAINT recording_storage_check CHECK (((jsonb_typeof(storage) = 'object'::text) AND ((length((storage ->> 'store'::text)) >= 1) AND (length((storage ->> 'store'::text)) <= 64)) AND ((length((storage ->> 'bucket'::text)) >= 1) AND (length((storage ->> 'bucket'::text)) <= 512)))),
  CONSTRAINT recording_tenant_patient_fkey FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject(tenant, patient),
  CONSTRAINT recording_tombstone_check CHECK ((jsonb_typeof(tombstone) = 'object'::text)),
  CONSTRAINT recording_undated_check CHECK ((undated = ANY (ARRAY['unknown'::text, 'claim'::text, 'unjudged'::text]))),
  CONSTRAINT recording_views_check CHECK ((views >= 0))
);
ALTER TABLE medzen.recording ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.recording_participant (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  participant text COLLATE "C" NOT NULL,
  started_at timestamp(3) with time zone NOT NULL,
  position integer NOT NULL,
  role text NOT NULL,
  location text,
  CONSTRAINT recording_participant_location_check CHECK (((length(location) >= 1) AND (length(location) <= 64))),
  CONSTRAINT recording_participant_participant_check CHECK (((length(participant) >= 1) AND (length(participant) <= 256))),
  CONSTRAINT recording_participant_pkey PRIMARY KEY (tenant, recording_id, participant),
  CONSTRAINT recording_participant_position_check CHECK (("position" >= 1)),
  CONSTRAINT recording_participant_role_check CHECK ((role = ANY (ARRAY['patient'::text, 'provider'::text, 'guest'::text]))),
  CONSTRAINT recording_participant_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.recording_participant ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.removed_version (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  ref text COLLATE "C" NOT NULL,
  size bigint NOT NULL,
  CONSTRAINT removed_version_pkey PRIMARY KEY (tenant, recording_id, ref),
  CONSTRAINT removed_version_ref_check CHECK (((length(ref) >= 1) AND (length(ref) <= 128))),
  CONSTRAINT removed_version_size_check CHECK ((size >= 0)),
  CONSTRAINT removed_version_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.removed_version ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.retention_fact (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  patient text COLLATE "C" NOT NULL,
  revision integer NOT NULL,
  type text NOT NULL,
  date date NOT NULL,
  zone text NOT NULL,
  voids uuid,
  CONSTRAINT retention_fact_check CHECK (((type <> 'void'::text) OR (voids IS NOT NULL))),
  CONSTRAINT retention_fact_check1 CHECK ((voids <> id)),
  CONSTRAINT retention_fact_date_check CHECK (((date >= '1900-01-01'::date) AND (date <= '9000-12-31'::date))),
  CONSTRAINT retention_fact_pkey PRIMARY KEY (tenant, id),
  CONSTRAINT retention_fact_revision_check CHECK ((revision >= 1)),
  CONSTRAINT retention_fact_tenant_patient_fkey FOREIGN KEY (tenant, patient) REFERENCES medzen.retention_subject(tenant, patient),
  CONSTRAINT retention_fact_tenant_patient_revision_key UNIQUE (tenant, patient, revision),
  CONSTRAINT retention_fact_tenant_voids_fkey FOREIGN KEY (tenant, voids) REFERENCES medzen.retention_fact(tenant, id),
  CONSTRAINT retention_fact_type_check CHECK ((type = ANY (ARRAY['treatment'::text, 'discharge'::text, 'therapy_ended'::text, 'birth'::text, 'death'::text, 'claim_opened'::text, 'claim_closed'::text, 'void'::text]))),
  CONSTRAINT retention_fact_zone_check CHECK (((length(zone) >= 1) AND (length(zone) <= 64)))
);
ALTER TABLE medzen.retention_fact ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.retention_subject (
  tenant text COLLATE "C" NOT NULL,
  patient text COLLATE "C" NOT NULL,
  revision integer NOT NULL DEFAULT 0,
  holds integer NOT NULL DEFAULT 0,
  requests integer NOT NULL DEFAULT 0,
  recordings integer NOT NULL DEFAULT 0,
  CONSTRAINT retention_subject_holds_check CHECK ((holds >= 0)),
  CONSTRAINT retention_subject_patient_check CHECK (((length(patient) >= 1) AND (length(patient) <= 256))),
  CONSTRAINT retention_subject_pkey PRIMARY KEY (tenant, patient),
  CONSTRAINT retention_subject_recordings_check CHECK ((recordings >= 0)),
  CONSTRAINT retention_subject_requests_check CHECK ((requests >= 0)),
  CONSTRAINT retention_subject_revision_check CHECK ((revision >= 0)),
  CONSTRAINT retention_subject_tenant_check CHECK ((tenant ~ '^[a-z0-9][a-z0-9_-]{0,63}$'::text))
);
ALTER TABLE medzen.retention_subject ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.retention_warning (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  deadline timestamp(3) with time zone NOT NULL,
  event_id text NOT NULL,
  at timestamp(3) with time zone NOT NULL DEFAULT medzen.now(),
  CONSTRAINT retention_warning_pkey PRIMARY KEY (tenant, recording_id, deadline, event_id),
  CONSTRAINT retention_warning_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.retention_warning ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.review (
  tenant text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  rule text COLLATE "C" NOT NULL,
  event_id uuid NOT NULL,
  leaf_index bigint NOT NULL,
  at timestamp with time zone NOT NULL,
  actor text COLLATE "C" NOT NULL,
  patient text COLLATE "C",
  detail jsonb,
  queued_at timestamp with time zone NOT NULL,
  signed_at timestamp with time zone,
  signed_by text COLLATE "C",
  outcome text COLLATE "C",
  note text,
  sign_event uuid,
  CONSTRAINT review_check CHECK ((num_nulls(signed_at, signed_by, outcome, sign_event) = ANY (ARRAY[0, 4]))),
  CONSTRAINT review_check1 CHECK (((note IS NULL) OR (signed_at IS NOT NULL))),
  CONSTRAINT review_id_check CHECK ((id ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT review_leaf_index_check CHECK ((leaf_index >= 0)),
  CONSTRAINT review_outcome_check CHECK ((outcome = ANY (ARRAY['appropriate'::text, 'violation'::text, 'inconclusive'::text]))),
  CONSTRAINT review_pkey PRIMARY KEY (tenant, id)
);
ALTER TABLE medzen.review ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.select_permission (
  role text NOT NULL,
  relation text NOT NULL,
  columns text[] NOT NULL DEFAULT '{}'::text[],
  CONSTRAINT select_permission_pkey PRIMARY KEY (role, relation)
);
ALTER TABLE medzen.select_permission ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.tail_cursor (
  name text COLLATE "C" NOT NULL,
  leaf_index bigint NOT NULL,
  moved_at timestamp with time zone NOT NULL,
  CONSTRAINT tail_cursor_leaf_index_check CHECK ((leaf_index >= 0)),
  CONSTRAINT tail_cursor_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9._-]{0,127}$'::text)),
  CONSTRAINT tail_cursor_pkey PRIMARY KEY (name)
);
ALTER TABLE medzen.tail_cursor ENABLE ROW LEVEL SECURITY;
CREATE TABLE medzen.webhook_seen (
  tenant text COLLATE "C" NOT NULL,
  recording_id uuid NOT NULL,
  dedupe_key text COLLATE "C" NOT NULL,
  seen_at timestamp with time zone NOT NULL DEFAULT medzen.now(),
  CONSTRAINT webhook_seen_dedupe_key_check CHECK (((length(dedupe_key) >= 1) AND (length(dedupe_key) <= 512))),
  CONSTRAINT webhook_seen_pkey PRIMARY KEY (tenant, recording_id, dedupe_key),
  CONSTRAINT webhook_seen_tenant_recording_id_fkey FOREIGN KEY (tenant, recording_id) REFERENCES medzen.recording(tenant, id)
);
ALTER TABLE medzen.webhook_seen ENABLE ROW LEVEL SECURITY;

-- ---- Indexes

CREATE INDEX access_request_open ON medzen.access_request USING btree (tenant, due_at, id) WHERE (closed_at IS NULL);
CREATE INDEX access_request_patient ON medzen.access_request USING btree (tenant, patient) WHERE (patient IS NOT NULL);
CREATE INDEX access_request_recording ON medzen.access_request USING btree (tenant, recording_id) WHERE (recording_id IS NOT NULL);
CREATE UNIQUE INDEX archive_manifest_begun ON medzen.archive_manifest USING btree ((true)) WHERE (archived_at IS NULL);
CREATE INDEX archive_manifest_purged ON medzen.archive_manifest USING btree (greatest_id) WHERE (purged_at IS NOT NULL);
CREATE INDEX audit_event_action ON ONLY medzen.audit_event USING btree (action, id);
CREATE INDEX audit_event_actor ON ONLY medzen.audit_event USING btree (actor, id);
CREATE INDEX audit_event_patient ON ONLY medzen.audit_event USING btree (patient, id) WHERE (patient IS NOT NULL);
CREATE INDEX audit_event_purpose ON ONLY medzen.audit_event USING btree (purpose, id) WHERE (purpose = ANY (ARRAY['BTG'::text, 'ETREAT'::text]));
CREATE INDEX audit_event_refused ON ONLY medzen.audit_event USING btree (outcome, id) WHERE (outcome <> 'success'::text);
CREATE INDEX audit_event_stray ON ONLY medzen.audit_event USING btree (tenant, id) WHERE stray;
CREATE INDEX audit_event_target ON ONLY medzen.audit_event USING btree (target_id, id) WHERE (target_id IS NOT NULL);
CREATE INDEX audit_event_tenant ON ONLY medzen.audit_event USING btree (tenant, id);
CREATE INDEX audit_rows_patients ON medzen.audit_rows USING gin (medzen.patient_hashes(patients)) WITH (gin_pending_list_limit='65536');
CREATE INDEX consent_latest ON medzen.consent USING btree (tenant, session_id, participant, ordinal DESC);
CREATE INDEX consent_of ON medzen.consent USING btree (tenant, participant, at, id);
CREATE INDEX erasable_identity_value ON medzen.erasable_identity USING btree (tenant, kind, medzen.index_key(value));
CREATE INDEX legal_hold_active ON medzen.legal_hold USING btree (tenant, placed_at, id) WHERE (released_at IS NULL);
CREATE INDEX legal_hold_by_place ON medzen.legal_hold USING btree (tenant, placed_at, id);
CREATE INDEX legal_hold_matter ON medzen.legal_hold USING btree (tenant, matter, placed_at, id);
CREATE INDEX legal_hold_patient ON medzen.legal_hold USING btree (tenant, patient) WHERE (patient IS NOT NULL);
CREATE INDEX legal_hold_recording ON medzen.legal_hold USING btree (tenant, recording_id) WHERE (recording_id IS NOT NULL);
CREATE INDEX postponed_until ON medzen.postponed USING btree (tenant, queue, until);
CREATE INDEX recording_archives ON medzen.recording USING btree (tenant, rules_version, retain_until, id) WHERE ((state = 'available'::text) AND (facts_revision = subject_revision));
CREATE INDEX recording_by_failure ON medzen.recording USING btree (tenant, ((failure ->> 'code'::text)), started_at, id) WHERE (failure IS NOT NULL);
CREATE INDEX recording_by_patient ON medzen.recording USING btree (tenant, patient, started_at, id);
CREATE INDEX recording_by_provider ON medzen.recording USING btree (tenant, provider, provider_ref, started_at, id);
CREATE INDEX recording_by_session ON medzen.recording USING btree (tenant, session_id, started_at, id);
CREATE INDEX recording_by_start ON medzen.recording USING btree (tenant, started_at, id);
CREATE INDEX recording_by_state ON medzen.recording USING btree (tenant, state, started_at, id);
CREATE INDEX recording_deleting ON medzen.recording USING btree (tenant, GREATEST(grace_until, claim_after), id) WHERE (state = 'deleting'::text);
CREATE INDEX recording_expired ON medzen.recording USING btree (tenant, rules_version, GREATEST(deletable_at, claim_after), id) WHERE ((state = ANY (ARRAY['available'::text, 'archived'::text, 'failed'::text])) AND (hold_count = 0) AND (request_count = 0) AND (facts_revision = subject_revision) AND (deletable_at IS NOT NULL));
CREATE INDEX recording_facts ON medzen.recording USING btree (tenant, id) WHERE ((state <> 'deleted'::text) AND (facts_revision <> subject_revision));
CREATE UNIQUE INDEX recording_live_provider ON medzen.recording USING btree (tenant, provider, provider_ref) WHERE (state = ANY (ARRAY['starting'::text, 'recording'::text]));
CREATE UNIQUE INDEX recording_live_session ON medzen.recording USING btree (tenant, session_id) WHERE (state = ANY (ARRAY['starting'::text, 'recording'::text]));
CREATE INDEX recording_looks ON medzen.recording USING btree (tenant, look_after, id) WHERE (look_after IS NOT NULL);
CREATE INDEX recording_participant_of ON medzen.recording_participant USING btree (tenant, participant, started_at, recording_id);
CREATE INDEX recording_pending_deletion ON medzen.recording USING btree (tenant, (
CASE
    WHEN (state = 'deleting'::text) THEN state_at
    ELSE retain_until
END), id) WHERE ((state = 'deleting'::text) OR ((state = ANY (ARRAY['available'::text, 'archived'::text, 'failed'::text])) AND (retain_until IS NOT NULL)));
CREATE INDEX recording_retrying ON medzen.recording USING btree (tenant, claim_after) WHERE ((claim_attempts > 0) AND (state = ANY (ARRAY['available'::text, 'archived'::text, 'failed'::text, 'deleting'::text])));
CREATE INDEX recording_rules ON medzen.recording USING btree (tenant, COALESCE(rules_version, ''::text), id) WHERE (state <> 'deleted'::text);
CREATE INDEX recording_stops ON medzen.recording USING btree (tenant, stop_requested_at, id) WHERE ((stop_requested_at IS NOT NULL) AND ((state = ANY (ARRAY['starting'::text, 'recording'::text])) OR ((state = 'failed'::text) AND (ended_at IS NULL) AND (media IS NULL))));
CREATE INDEX recording_transfers ON medzen.recording USING btree (tenant, GREATEST(state_at, claim_after), id) WHERE (state = 'uploading'::text);
CREATE INDEX recording_undecided ON medzen.recording USING btree (tenant, started_at, id) WHERE ((state <> ALL (ARRAY['deleting'::text, 'deleted'::text])) AND (undated = ANY (ARRAY['unknown'::text, 'unjudged'::text])));
CREATE INDEX recording_warnings ON medzen.recording USING btree (tenant, warn_at, id) WHERE ((state <> ALL (ARRAY['deleting'::text, 'deleted'::text])) AND (deletable_at IS NULL));
CREATE INDEX retention_fact_voids ON medzen.retention_fact USING btree (tenant, patient, revision) WHERE (voids IS NOT NULL);
CREATE INDEX review_open ON medzen.review USING btree (tenant, leaf_index, id) WHERE (signed_at IS NULL);
CREATE INDEX review_order ON medzen.review USING btree (tenant, leaf_index, id);

-- ---- Triggers

CREATE TRIGGER access_request_guard BEFORE UPDATE ON medzen.access_request FOR EACH ROW EXECUTE FUNCTION medzen.guard_access_request();
CREATE TRIGGER access_request_no_delete BEFORE DELETE OR TRUNCATE ON medzen.access_request FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER guard_archive BEFORE UPDATE ON medzen.archive_manifest FOR EACH ROW EXECUTE FUNCTION medzen.guard_archive();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON medzen.archive_manifest FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE DELETE OR UPDATE ON medzen.audit_checkpoint FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.audit_cosignature FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.audit_event FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE DELETE OR UPDATE ON medzen.audit_event FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.audit_event_default FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON medzen.audit_head FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE DELETE OR UPDATE ON medzen.audit_leaf FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.audit_pending FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.audit_rows FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_clear_rows BEFORE INSERT ON medzen.audit_rows FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_clear_rows();
CREATE TRIGGER refuse_row_change BEFORE DELETE OR UPDATE ON medzen.audit_rows FOR EACH ROW EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON medzen.audit_tile FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_row_change BEFORE UPDATE ON medzen.audit_tile FOR EACH ROW EXECUTE FUNCTION medzen.refuse_tile_change();
CREATE TRIGGER consent_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.consent FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER consent_stops_recording AFTER INSERT ON medzen.consent FOR EACH ROW WHEN ((new.decision = 'withdrawn'::text)) EXECUTE FUNCTION medzen.request_stops();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.consent_session FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER guard_identity BEFORE DELETE OR UPDATE ON medzen.erasable_identity FOR EACH ROW EXECUTE FUNCTION medzen.guard_identity();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.erasable_identity FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.erasable_kind FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.job FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER legal_hold_guard BEFORE UPDATE ON medzen.legal_hold FOR EACH ROW EXECUTE FUNCTION medzen.guard_legal_hold();
CREATE TRIGGER legal_hold_no_delete BEFORE DELETE OR TRUNCATE ON medzen.legal_hold FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.migration FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.permission FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.postponed FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.rate_limit FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER recording_guard BEFORE UPDATE ON medzen.recording FOR EACH ROW EXECUTE FUNCTION medzen.guard_recording();
CREATE TRIGGER recording_no_delete BEFORE DELETE OR TRUNCATE ON medzen.recording FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER recording_participant_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.recording_participant FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.removed_version FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER retention_fact_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.retention_fact FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.retention_subject FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER retention_warning_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON medzen.retention_warning FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER pseudonymize BEFORE INSERT OR UPDATE ON medzen.review FOR EACH ROW EXECUTE FUNCTION medzen.pseudonymize_review();
CREATE TRIGGER refuse_row_change BEFORE DELETE OR UPDATE ON medzen.review FOR EACH ROW EXECUTE FUNCTION medzen.refuse_review_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.review FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.select_permission FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.tail_cursor FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON medzen.webhook_seen FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change();

-- ---- Policies

CREATE POLICY admins ON medzen.access_request FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY auditors ON medzen.archive_manifest FOR SELECT TO {public} USING ((( SELECT medzen.auditor_tenant() AS auditor_tenant) IS NOT NULL)) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.archive_manifest FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_checkpoint FOR SELECT TO {public} USING ((( SELECT medzen.auditor_tenant() AS auditor_tenant) IS NOT NULL)) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_checkpoint FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_cosignature FOR SELECT TO {public} USING ((( SELECT medzen.auditor_tenant() AS auditor_tenant) IS NOT NULL)) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_cosignature FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_event FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.auditor_tenant() AS auditor_tenant))) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_event FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_head FOR SELECT TO {public} USING ((( SELECT medzen.auditor_tenant() AS auditor_tenant) IS NOT NULL)) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_head FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_leaf FOR SELECT TO {public} USING ((EXISTS ( SELECT
   FROM medzen.audit_event e
  WHERE (e.id = audit_leaf.event_id)))) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_leaf FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_pending FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_rows FOR SELECT TO {public} USING ((EXISTS ( SELECT
   FROM medzen.audit_event e
  WHERE (e.id = audit_rows.event_id)))) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_rows FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.audit_tile FOR SELECT TO {public} USING ((( SELECT medzen.auditor_tenant() AS auditor_tenant) IS NOT NULL)) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.audit_tile FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY visible ON medzen.consent FOR SELECT TO {public} USING (((tenant = ( SELECT medzen.current_tenant() AS current_tenant)) AND (id = ANY (( SELECT medzen.visible_consents() AS visible_consents)::uuid[])))) WITH CHECK ();
CREATE POLICY admins ON medzen.consent_session FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY admins ON medzen.legal_hold FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.legal_hold FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY admins ON medzen.postponed FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.recording FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY visible ON medzen.recording FOR SELECT TO {public} USING (((tenant = ( SELECT medzen.current_tenant() AS current_tenant)) AND (id = ANY (( SELECT medzen.visible_recordings() AS visible_recordings)::uuid[])))) WITH CHECK ();
CREATE POLICY visible ON medzen.recording_participant FOR SELECT TO {public} USING (((tenant = ( SELECT medzen.current_tenant() AS current_tenant)) AND (recording_id = ANY (( SELECT medzen.visible_recordings() AS visible_recordings)::uuid[])))) WITH CHECK ();
CREATE POLICY admins ON medzen.removed_version FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY admins ON medzen.retention_fact FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY admins ON medzen.retention_subject FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY admins ON medzen.retention_warning FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.admin_tenant() AS admin_tenant))) WITH CHECK ();
CREATE POLICY auditors ON medzen.review FOR SELECT TO {public} USING ((tenant = ( SELECT medzen.auditor_tenant() AS auditor_tenant))) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.review FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();
CREATE POLICY auditors ON medzen.tail_cursor FOR SELECT TO {public} USING ((( SELECT medzen.auditor_tenant() AS auditor_tenant) IS NOT NULL)) WITH CHECK ();
CREATE POLICY medzen_auditor ON medzen.tail_cursor FOR SELECT TO {medzen_auditor} USING (true) WITH CHECK ();

-- ---- Views

CREATE VIEW medzen.directory WITH (security_invoker=true) AS
 SELECT NULL::text AS subject,
    NULL::text AS id,
    NULL::text AS role,
    NULL::text AS email,
    NULL::timestamp with time zone AS created_at
  WHERE false;
CREATE VIEW medzen.monthly_phi_access WITH (security_invoker=true) AS
 WITH since AS (
         SELECT m.at,
            medzen.uuid_floor((m.at - '00:01:00'::interval)) AS id
           FROM ( SELECT ((date_trunc('month'::text, (medzen.now() AT TIME ZONE 'UTC'::text)) - '1 year'::interval) AT TIME ZONE 'UTC'::text) AS at) m
        ), access AS (
         SELECT e.tenant,
            e.at,
            e.actor,
            e.patient,
            e.outcome,
            e.target_type
           FROM medzen.audit_event e
          WHERE ((e.id >= ( SELECT s.id
                   FROM since s)) AND (NOT e.stray) AND (e.patient IS NOT NULL) AND (e.at >= ( SELECT s.at
                   FROM since s)))
        UNION ALL
         SELECT e.tenant,
            e.at,
            e.actor,
            e.patient,
            e.outcome,
            e.target_type
           FROM medzen.audit_event e
          WHERE (e.stray AND (e.patient IS NOT NULL) AND (e.at >= ( SELECT s.at
                   FROM since s)))
        ), counted AS (
         SELECT a.tenant,
            (date_trunc('month'::text, (a.at AT TIME ZONE 'UTC'::text)))::date AS month,
            a.actor,
            count(*) FILTER (WHERE (a.outcome = 'success'::text)) AS accesses,
            count(DISTINCT a.patient) FILTER (WHERE (a.outcome = 'success'::text)) AS patients,
            count(DISTINCT a.target_type) FILTER (WHERE (a.outcome = 'success'::text)) AS target_types,
            count(*) FILTER (WHERE (a.outcome <> 'success'::text)) AS refused
           FROM access a
          GROUP BY a.tenant, ((date_trunc('month'::text, (a.at AT TIME ZONE 'UTC'::text)))::date), a.actor
        )
 SELECT c.tenant,
    c.month,
    c.actor,
    d.id AS directory_id,
    d.role,
    d.email,
    c.accesses,
    c.patients,
    c.target_types,
    c.refused
   FROM (counted c
     LEFT JOIN LATERAL ( SELECT p.id,
            p.role,
            p.email
           FROM medzen.directory p
          WHERE (p.subject = c.actor)
          ORDER BY p.created_at DESC NULLS LAST
         LIMIT 1) d ON (true));
CREATE VIEW medzen.recordings_pending_deletion WITH (security_invoker=true) AS
 SELECT tenant,
    id AS recording_id,
    session_id,
    patient,
    state,
    started_at,
    retain_until,
    GREATEST(grace_until, deletable_at) AS deletable_from,
        CASE
            WHEN (state = 'deleting'::text) THEN 'deleting'::text
            WHEN (hold_count > 0) THEN 'held'::text
            WHEN (request_count > 0) THEN 'access requested'::text
            WHEN (facts_revision <> subject_revision) THEN 'to be decided again'::text
            WHEN (deletable_at <= medzen.now()) THEN 'due'::text
            WHEN ((grace_until <= medzen.now()) AND (deletable_at IS NULL)) THEN 'to be warned of'::text
            WHEN (grace_until <= medzen.now()) THEN 'in notice'::text
            ELSE 'in grace'::text
        END AS status,
    (deletable_at IS NOT NULL) AS warned,
    rule_ids,
    rules_version,
    decided_at,
    hold_count,
    ARRAY( SELECT h.matter
           FROM medzen.legal_hold h
          WHERE ((h.tenant = r.tenant) AND ((h.recording_id = r.id) OR (h.patient = r.patient)) AND (h.released_at IS NULL))
          ORDER BY h.placed_at, h.id) AS hold_matters
   FROM medzen.recording r
  WHERE ((state = 'deleting'::text) OR ((state = ANY (ARRAY['available'::text, 'archived'::text, 'failed'::text])) AND (retain_until <= medzen.now())));

-- ---- Functions

CREATE OR REPLACE FUNCTION medzen.access_request_for_person(q medzen.access_request)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'id', q.id,
    'recordingId', q.recording_id,
    'receivedAt', medzen.format_instant(q.received_at),
    'dueAt', medzen.format_instant(q.due_at),
    'extensionReason', q.extension_reason,
    'closedAt', medzen.format_instant(q.closed_at),
    'outcome', q.outcome))
$function$;

CREATE OR REPLACE FUNCTION medzen.access_request_json(q medzen.access_request)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
RETURN jsonb_strip_nulls(jsonb_build_object('id', (q).id, 'target', CASE WHEN ((q).patient IS NULL) THEN jsonb_build_object('recordingId', (q).recording_id) ELSE jsonb_build_object('patient', (q).patient) END, 'requestedBy', (q).requested_by, 'receivedAt', medzen.format_instant((q).received_at), 'dueAt', medzen.format_instant((q).due_at), 'openedBy', (q).opened_by, 'extension', CASE WHEN ((q).extended_at IS NOT NULL) THEN jsonb_build_object('at', medzen.format_instant((q).extended_at), 'by', (q).extended_by, 'reason', (q).extension_reason) ELSE NULL::jsonb END, 'closed', CASE WHEN ((q).closed_at IS NOT NULL) THEN jsonb_build_object('at', medzen.format_instant((q).closed_at), 'by', (q).closed_by, 'outcome', (q).outcome) ELSE NULL::jsonb END));

CREATE OR REPLACE FUNCTION medzen.add_cosignature(p_size text, p_line text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_key record;
BEGIN
  SELECT * INTO v_key FROM medzen.cosignature_key(p_line);
  IF v_key.key_id IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'line must be a C2SP signature line (''— <name> <base64>'')');
  END IF;
  -- One after another, so that the count below holds.
  PERFORM FROM medzen.audit_checkpoint c WHERE c.size = p_size::bigint FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'unknown');
  END IF;
  IF EXISTS (
    SELECT FROM medzen.audit_cosignature s
    WHERE s.size = p_size::bigint AND s.name = v_key.name AND s.key_id = v_key.key_id) THEN
    RETURN jsonb_build_object('status', 'repeated');
  END IF;
  IF (SELECT count(*) FROM medzen.audit_cosignature s WHERE s.size = p_size::bigint) >= 64 THEN
    PERFORM medzen.fail('invalid_input', 'A checkpoint carries at most 64 cosignatures');
  END IF;
  IF (SELECT medzen.utf16_length(c.checkpoint || medzen.cosignatures(c.size) || p_line) FROM medzen.audit_checkpoint c
      WHERE c.size = p_size::bigint) > 131072 THEN
    PERFORM medzen.fail('invalid_input', 'The checkpoint would be longer than readers look at');
  END IF;
  INSERT INTO medzen.audit_cosignature (size, name, key_id, line, added_at)
  VALUES (p_size::bigint, v_key.name, v_key.key_id, p_line, medzen.now());
  RETURN jsonb_build_object('status', 'added');
END
$function$;

CREATE OR REPLACE FUNCTION medzen.admin_tenant()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN medzen.current_subject() IS NOT NULL AND medzen.is_system_admin() THEN medzen.current_tenant() END
$function$;

CREATE OR REPLACE FUNCTION medzen.append_events(p_tenant text, p_ids text[], p_bodies text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_kinds text[];
BEGIN
  IF NOT (EXISTS (SELECT FROM medzen.erasable_kind) OR EXISTS (SELECT FROM medzen.erasable_identity)) THEN
    RETURN medzen.append_written_events(p_tenant, p_ids, p_bodies);
  END IF;
  SELECT array_agg(k.kind) INTO v_kinds FROM medzen.erasable_kind k;
  PERFORM medzen.check_tenant(p_tenant);
  IF cardinality(p_ids) BETWEEN 1 AND 1000 IS NOT TRUE
    OR cardinality(string_to_array(p_bodies, E'\n')) IS DISTINCT FROM cardinality(p_ids) THEN
    PERFORM medzen.fail('invalid_input', 'events must be 1 to 1000, each of one line');
  END IF;
  IF current_setting('transaction_isolation') = 'serializable' THEN
    BEGIN
      RETURN medzen.append_pseudonymized(p_tenant, p_ids, p_bodies, v_kinds, true);
    EXCEPTION
      WHEN SQLSTATE 'MZ010' THEN NULL; -- one is there already, under other pseudonyms perhaps: only its text can tell
    END;
  END IF;
  RETURN medzen.append_pseudonymized(p_tenant, p_ids, p_bodies, v_kinds, false);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.append_pseudonymized(p_tenant text, p_ids text[], p_bodies text, p_kinds text[], p_blind boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_lines text[] := string_to_array(p_bodies, E'\n');
  v_line text;
  v_stored bytea;
  v_some boolean := false;
  v_at int;
BEGIN
  IF NOT p_blind THEN
    -- True when one of them may exist already: between the least id and the greatest, so that no
    -- other partition is asked.
    SELECT EXISTS (
      SELECT FROM medzen.audit_event e WHERE e.id BETWEEN b.least AND b.greatest AND e.id = ANY (p_ids::uuid[]))
    INTO v_some
    FROM (SELECT min(i.id COLLATE "C")::uuid AS least, max(i.id COLLATE "C")::uuid AS greatest FROM unnest(p_ids) AS i (id)) b;
  END IF;
  -- In order of id, as they are inserted.
  FOR v_at IN SELECT i.at FROM unnest(p_ids) WITH ORDINALITY AS i (id, at) ORDER BY i.id COLLATE "C" LOOP
    FOR v_try IN 1 .. 2 LOOP
      v_stored := NULL;
      v_line := NULL;
      IF v_some OR v_try = 2 AND NOT p_blind THEN
        SELECT e.body INTO v_stored FROM medzen.audit_event e WHERE e.id = p_ids[v_at]::uuid AND e.tenant = p_tenant;
      END IF;
      IF v_stored IS NOT NULL THEN
        -- A different event stays as it is given, and is found to conflict.
        v_line := CASE WHEN medzen.is_same_event(p_tenant, v_stored, v_lines[v_at]) THEN convert_from(v_stored, 'UTF8') ELSE v_lines[v_at] END;
      ELSIF p_kinds IS NULL AND strpos(v_lines[v_at], 'erasable:v1:') = 0 THEN
        v_line := v_lines[v_at];
      ELSE
        v_line := medzen.pseudonymize_event(p_tenant, v_lines[v_at], coalesce(p_kinds, '{}'), CASE v_try WHEN 1 THEN 'look' ELSE 'make' END);
      END IF;
      EXIT WHEN v_line IS NOT NULL;
      -- A new person. A retry of the same event, at the same time, must not make a pseudonym of its
      -- own for him: it waits here, and then finds the event.
      PERFORM pg_advisory_xact_lock(hashtextextended('medzen.erasable_identity ' || p_ids[v_at], 0));
    END LOOP;
    IF octet_length(v_line) > 65535 THEN
      PERFORM medzen.fail('invalid_input', 'An audit event with its pseudonyms is too large');
    END IF;
    v_lines[v_at] := v_line;
  END LOOP;
  RETURN medzen.append_written_events(p_tenant, p_ids, array_to_string(v_lines, E'\n'));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.append_written_events(p_tenant text, p_ids text[], p_bodies text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.apply_function_permissions()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_shut text;
  v_grant record;
BEGIN
  FOR v_shut IN SELECT 'PUBLIC' UNION ALL SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA medzen, medzen_api FROM %s', v_shut);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA medzen, medzen_api FROM %s', v_shut);
    EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA medzen, medzen_api FROM %s', v_shut);
    EXECUTE format('REVOKE ALL ON SCHEMA medzen, medzen_api FROM %s', v_shut);
  END LOOP;
  FOR v_grant IN
    SELECT r.rolname AS role, f.pronamespace::regnamespace::text AS schema,
      string_agg(DISTINCT f.oid::regprocedure::text, ', ') AS signatures
    FROM medzen.permission p
    JOIN pg_roles r ON r.rolname = p.role OR r.rolname = 'service_role' AND p.role IN ('medzen_app', 'medzen_sequencer')
    JOIN pg_proc f ON f.pronamespace = 'medzen'::regnamespace AND f.proname = p.function
      OR f.pronamespace = 'medzen_api'::regnamespace AND 'medzen_api.' || f.proname = p.function
    GROUP BY 1, 2
    ORDER BY 1, 2
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', v_grant.schema, v_grant.role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_grant.signatures, v_grant.role);
  END LOOP;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.apply_permissions()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  PERFORM medzen.apply_function_permissions();
  PERFORM medzen.apply_select_permissions();
END
$function$;

CREATE OR REPLACE FUNCTION medzen.apply_select_permissions()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_grant record;
BEGIN
  FOR v_grant IN
    SELECT p.role, p.relation, p.columns, c.relrowsecurity AS guarded, y.polname AS policy
    FROM medzen.select_permission p
    JOIN pg_roles r ON r.rolname = p.role
    JOIN pg_class c ON c.relname = p.relation AND c.relnamespace = 'medzen'::regnamespace
    LEFT JOIN pg_policy y ON y.polrelid = c.oid AND y.polname = p.role
    ORDER BY 1, 2
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA medzen TO %I', v_grant.role);
    EXECUTE format('GRANT SELECT %s ON medzen.%I TO %I',
      (SELECT '(' || string_agg(quote_ident(c), ', ') || ')' FROM unnest(v_grant.columns) c), v_grant.relation, v_grant.role);
    IF v_grant.guarded AND v_grant.policy IS NULL THEN
      EXECUTE format('CREATE POLICY %I ON medzen.%I FOR SELECT TO %1$I USING (true)', v_grant.role, v_grant.relation);
    END IF;
  END LOOP;
  -- Policies and views ask their functions in the name of the reader.
  FOR v_grant IN
    SELECT DISTINCT r.rolname AS role, f.oid::regprocedure::text AS signature
    FROM medzen.select_permission p
    JOIN pg_roles r ON r.rolname = p.role
    JOIN pg_proc f ON f.pronamespace = 'medzen'::regnamespace AND f.proname IN ('current_tenant', 'admin_tenant', 'auditor_tenant',
      'visible_recordings', 'visible_consents', 'now', 'uuid_floor')
    ORDER BY 1, 2
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_grant.signature, v_grant.role);
  END LOOP;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.archive_rows()
 RETURNS TABLE(first_leaf text, end_leaf text, newest_at text, manifest_sha256 bytea, purge_event text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT m.first_leaf::text, m.end_leaf::text, to_char(m.newest_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    m.manifest_sha256, m.purge_event::text
  FROM medzen.archive_manifest m
$function$;

CREATE OR REPLACE FUNCTION medzen.audit_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'iso_8601'
 SET "TimeZone" TO 'UTC'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET quote_all_identifiers TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
DECLARE
  v_now timestamptz := medzen.now();
  v_instant text := medzen.format_instant(v_now);
  v_op text := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN 'table.write' ELSE 'table.delete' END;
  v_kind text := CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'UPDATE' THEN 'update' ELSE 'delete' END;
  v_draft jsonb;
  v_type text;
  v_purpose text;
  v_one boolean := false;
  v_paired boolean := true;
  v_found record;
  -- For each event: the patient, the number of rows, the key of the one, the fields.
  v_patients text[];
  v_counts bigint[];
  v_keys text[];
  v_fields text[];
  v_detail text;
  -- For a statement's one event: its values in audit_rows.
  v_row_ids text[];
  v_whose text[];
  v_listed boolean := false;
  v_erasable boolean := false;
  v_head text;
  v_id text;
  v_middle text;
  v_why text;
  v_tail text;
  v_secret bytea;
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
    v_one := NOT EXISTS (SELECT FROM new_rows OFFSET 1);
  ELSIF TG_OP <> 'TRUNCATE' THEN
    IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
    v_one := NOT EXISTS (SELECT FROM old_rows OFFSET 1);
  END IF;
  -- A row that an update sends to another partition, and that a trigger there turns away, is gone from one of the two tables only.
  IF TG_OP = 'UPDATE' AND (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = TG_RELID) THEN
    v_paired := (SELECT count(*) FROM old_rows) = (SELECT count(*) FROM new_rows);
    v_one := v_one AND v_paired;
  END IF;
  v_draft := medzen.current_draft(false) || jsonb_build_object('action', v_op, 'kind', v_kind, 'outcome', 'success');
  PERFORM medzen.check_draft(v_draft);
  v_type := medzen.table_name(TG_RELID);
  v_purpose := v_draft ->> 'purpose';

  IF TG_OP = 'TRUNCATE' THEN
    v_patients := '{NULL}';
    v_counts := '{0}';
    v_keys := '{NULL}';
    v_fields := '{""}';
    v_detail := ',"detail":{"truncated":true}';
  ELSE
    EXECUTE CASE WHEN v_one THEN medzen.audit_row_query(TG_RELID, TG_OP, TG_ARGV[0])
      ELSE medzen.audit_query(TG_RELID, TG_OP, TG_ARGV[0], TG_ARGV[1], v_paired, false) END INTO v_found;
    IF v_one THEN
      v_patients := ARRAY[v_found.patient] || CASE WHEN v_found.was IS DISTINCT FROM v_found.patient THEN ARRAY[v_found.was] ELSE '{}' END;
      v_counts := array_fill(1::bigint, ARRAY[cardinality(v_patients)]);
      v_keys := ARRAY[v_found.key] || CASE WHEN v_found.was IS DISTINCT FROM v_found.patient
        THEN ARRAY[CASE WHEN v_found.key = v_found.patient THEN v_found.was ELSE v_found.key END] ELSE '{}' END;
      v_fields := array_fill(v_found.fields, ARRAY[cardinality(v_patients)]);
    ELSIF TG_ARGV[1] = 'statement' THEN
      v_patients := v_found.patients;
      v_counts := ARRAY[v_found.n];
      v_keys := v_found.keys;
      v_fields := ARRAY[v_found.fields];
    ELSE
      IF v_found.moved THEN
        EXECUTE medzen.audit_query(TG_RELID, TG_OP, TG_ARGV[0], TG_ARGV[1], v_paired, true) INTO v_found;
      END IF;
      v_patients := v_found.patients;
      v_counts := v_found.counts;
      v_keys := v_found.keys;
      v_fields := v_found.fields;
    END IF;
  END IF;
  IF TG_ARGV[1] = 'statement' AND TG_OP <> 'TRUNCATE' THEN
    v_row_ids := CASE WHEN v_one THEN array_remove(v_keys[:1], NULL) ELSE v_keys END;
    v_whose := CASE WHEN v_one THEN array_remove(array_remove(v_patients, ''), NULL) ELSE v_patients END;
    v_listed := v_counts[1] > 1 OR cardinality(v_whose) > 1;
    IF v_listed THEN
      v_detail := ',"detail":{' || CASE WHEN TG_OP <> 'DELETE' AND v_counts[1] > 200 THEN '"compared":200,' ELSE '' END
        || '"rows":' || v_counts[1] || ',"rowsHash":"' || medzen.rows_hash(v_row_ids, v_whose) || '"}';
    END IF;
    v_patients := ARRAY[CASE WHEN cardinality(v_whose) = 1 THEN v_whose[1] END];
    v_counts := v_counts[:1];
    v_keys := v_keys[:1];
    v_fields := v_fields[:1];
  END IF;

  v_head := '{"action":' || (v_draft -> 'action')::text || ',"actor":' || medzen.jcs(v_draft -> 'actor') || ',"at":"' || v_instant || '"';
  v_id := left(medzen.uuid_floor(v_now)::text, 14) || '7';
  v_middle := '","kind":' || (v_draft -> 'kind')::text || ',"nonce":"';
  v_why := coalesce(',"reason":' || (v_draft -> 'reason')::text, '') || ',"source":' || medzen.jcs(v_draft -> 'source') || ',"target":{';
  v_tail := '"type":' || to_json(v_type)::text || '},"tenant":' || (v_draft -> 'tenant')::text || ',"v":1}';
  v_secret := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

  -- With erasable identities, append_events puts pseudonyms in their place. In a key of several
  -- columns the patient is left out.
  IF to_regclass('medzen.erasable_kind') IS NOT NULL THEN
    v_erasable := EXISTS (SELECT FROM medzen.erasable_kind) OR EXISTS (SELECT FROM medzen.erasable_identity);
  END IF;
  IF v_erasable THEN
    IF EXISTS (SELECT FROM medzen.erasable_kind k WHERE k.kind = 'patient')
       AND (SELECT i.indnkeyatts > 1 FROM pg_index i WHERE i.indrelid = TG_RELID AND i.indisprimary) THEN
      v_keys := ARRAY(
        SELECT (SELECT '[' || string_agg(CASE WHEN p.part IN (SELECT unnest(v_patients)) THEN '"*"' ELSE to_json(p.part)::text END, ','
            ORDER BY p.at) || ']'
          FROM json_array_elements_text(k.key::json) WITH ORDINALITY AS p (part, at))
        FROM unnest(v_keys) WITH ORDINALITY AS k (key, at) ORDER BY k.at);
    END IF;
    FOR v_found IN
      SELECT array_agg(e.id::text) AS ids, string_agg(e.body, E'\n') AS bodies
      FROM (
        SELECT c.id, c.body, row_number() OVER () AS at FROM medzen.change_events(v_secret, v_id, v_head, v_detail, v_middle, v_purpose,
          v_why, v_tail, v_patients, v_counts, v_keys, v_fields) c
      ) e GROUP BY (e.at - 1) / 1000
    LOOP
      PERFORM medzen.append_events(v_draft ->> 'tenant', v_found.ids, v_found.bodies);
      IF v_listed THEN
        INSERT INTO medzen.audit_rows (event_id, row_ids, patients) VALUES (v_found.ids[1]::uuid, v_row_ids, v_whose);
      END IF;
    END LOOP;
    RETURN NULL;
  END IF;
  -- Else past it: the columns are what it would read from the bodies, and no event of a new id is there already.
  WITH filed AS (
    INSERT INTO medzen.audit_event
      (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, body, written_at)
    SELECT c.id, v_draft ->> 'tenant', v_instant::timestamptz, v_draft #>> '{actor,id}', c.patient, v_op, 'success', c.purpose, v_type,
      c.target_id, false, convert_to(c.body, 'UTF8'), v_now
    FROM medzen.change_events(v_secret, v_id, v_head, v_detail, v_middle, v_purpose, v_why, v_tail, v_patients, v_counts, v_keys,
      v_fields) c
    RETURNING id
  ), listed AS (
    INSERT INTO medzen.audit_rows (event_id, row_ids, patients) SELECT f.id, v_row_ids, v_whose FROM filed f WHERE v_listed
  )
  INSERT INTO medzen.audit_pending (event_id, written_at) SELECT f.id, v_now FROM filed f;
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.audit_kept_until(p_at timestamp with time zone, p_years integer)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN ((((p_at AT TIME ZONE 'UTC'::text) + make_interval(years => p_years)) + CASE WHEN (EXTRACT(day FROM ((p_at AT TIME ZONE 'UTC'::text) + make_interval(years => p_years))) = EXTRACT(day FROM (p_at AT TIME ZONE 'UTC'::text))) THEN '00:00:00'::interval ELSE '1 day'::interval END) AT TIME ZONE 'UTC'::text);

CREATE OR REPLACE FUNCTION medzen.audit_lag()
 RETURNS TABLE(pending text, lost text, oldest_ms text, more boolean, writer boolean, writer_pid integer, writer_since text, writer_ms text, writer_prepared boolean, oldest boolean, oldest_pid integer, oldest_since text, oldest_open_ms text, oldest_prepared boolean, oldest_elsewhere boolean)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.audit_query(p_table oid, p_op text, p_patient text, p_granularity text, p_paired boolean, p_moved boolean)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
    SELECT a.*, a.told AND p_op <> 'DELETE' AND p_paired AS named FROM medzen.audited_columns(p_table) a
  )
  SELECT string_agg(format('x.%I AS c%s', a.attname, a.attnum), ', ' ORDER BY a.attnum),
    string_agg(format(CASE WHEN p_op = 'INSERT' THEN ', num_nonnulls(n.c%1$s) = 1 AS f%1$s'
      WHEN a.plain THEN ', o.c%1$s IS DISTINCT FROM n.c%1$s AS f%1$s'
      ELSE ', record_image_ne(ROW(o.c%1$s), ROW(n.c%1$s)) AS f%1$s' END, a.attnum), '' ORDER BY a.attnum) FILTER (WHERE a.named),
    string_agg(format(', bool_or(r.f%1$s) AS f%1$s', a.attnum), '' ORDER BY a.attnum) FILTER (WHERE a.named),
    string_agg(format(', CASE WHEN e.f%s THEN %L END', a.attnum, a.said), '' ORDER BY a.attnum) FILTER (WHERE a.named),
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
    PERFORM medzen.refuse_unaudited(p_table, p_patient);
  END IF;

  v_rows := format('SELECT %s AS was, %s AS patient, %s AS key%s%s FROM ', CASE WHEN p_op = 'UPDATE' AND p_paired
    THEN replace(v_patient, '(n.', '(o.') ELSE v_patient END, v_patient, v_key, v_flags, CASE WHEN NOT p_paired THEN ', n.old' END);
  v_fields := CASE WHEN v_fields IS NULL THEN '''''::text' ELSE ''',"fields":['' || array_to_string(ARRAY[NULL' || v_fields || '], '','') || '']''' END;
  v_source := CASE
    WHEN p_op = 'INSERT' THEN '(SELECT %1$s FROM new_rows x%2$s) n'
    WHEN p_op = 'DELETE' THEN '(SELECT %1$s FROM old_rows x%2$s) n'
    -- Both tables are filled row by row, so what stands at the same place is the same row, whatever became of its key.
    WHEN p_paired THEN '(SELECT row_number() OVER () AS i, %1$s FROM old_rows x%2$s) o
      JOIN (SELECT row_number() OVER () AS i, %1$s FROM new_rows x%2$s) n USING (i)'
    ELSE '(SELECT true AS old, %1$s FROM old_rows x UNION ALL SELECT false, %1$s FROM new_rows x) n' END;

  IF p_granularity = 'statement' THEN
    -- Cheap conditions are asked of all rows, their comparison of the first two hundred.
    v_all := format(CASE WHEN p_op = 'INSERT' OR p_op = 'UPDATE' AND p_paired THEN '(SELECT %1$s FROM new_rows x) n'
      ELSE '(SELECT %1$s FROM old_rows x) n' END, v_columns);
    -- OFFSET 0: each patient is turned into text, not each row.
    v_whose := format('SELECT u.id FROM (SELECT p.id::text COLLATE "C" AS id FROM (SELECT %1$s AS id FROM %2$s %3$s OFFSET 0) p OFFSET 0) u
      WHERE u.id <> ''''', coalesce(v_whose, v_patient), v_all, CASE WHEN p_op = 'UPDATE'
        THEN format('UNION SELECT %s FROM (SELECT %s FROM %s x) n', coalesce(v_whose, v_patient), v_columns,
          CASE WHEN p_paired THEN 'old_rows' ELSE 'new_rows' END) ELSE 'GROUP BY 1' END);
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
    v_rows := format('SELECT r.* FROM (%1$s) r UNION ALL SELECT r.patient, r.was, CASE WHEN r.key = r.patient THEN r.was ELSE r.key END%2$s FROM (%1$s) r
      WHERE r.was IS DISTINCT FROM r.patient', v_rows, regexp_replace(v_or, 'bool_or\((r\.f\d+)\) AS f\d+', '\1', 'g'));
  END IF;
  RETURN format('SELECT array_agg(e.patient) AS patients, array_agg(e.n) AS counts, array_agg(e.key) AS keys,
      array_agg(%s) AS fields, bool_or(e.moved) AS moved
    FROM (SELECT r.patient, %s AS n, min(r.key) AS key, bool_or(r.was IS DISTINCT FROM r.patient) AS moved%s FROM (%s) r GROUP BY 1) e',
    v_fields, CASE WHEN p_paired THEN 'count(*)' ELSE 'greatest(count(*) FILTER (WHERE r.old), count(*) FILTER (WHERE NOT r.old))' END,
    v_or, v_rows);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.audit_row_query(p_table oid, p_op text, p_patient text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_key int2[] := (SELECT (i.indkey::int2[])[0 : i.indnkeyatts - 1] FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary);
  v_part text := CASE WHEN cardinality(v_key) = 1 THEN '%s' ELSE 'to_json(%s)::text' END;
  v_fields text;
  v_patient text;
  v_was text;
  v_id text;
BEGIN
  SELECT string_agg(', CASE WHEN ' || CASE WHEN p_op = 'INSERT' THEN 'num_nonnulls(n.' || c.name || ') = 1'
      WHEN c.plain THEN 'o.' || c.name || ' IS DISTINCT FROM n.' || c.name
      ELSE 'record_image_ne(ROW(o.' || c.name || '), ROW(n.' || c.name || '))' END || ' THEN ' || quote_literal(c.said) || ' END', ''
      ORDER BY c.attnum) FILTER (WHERE c.told AND p_op <> 'DELETE'),
    max(medzen.text_expression(c.plain, 'n.' || c.name)) FILTER (WHERE c.attname = p_patient),
    max(medzen.text_expression(c.plain, 'o.' || c.name)) FILTER (WHERE c.attname = p_patient),
    string_agg(format(v_part, medzen.text_expression(c.plain, 'n.' || c.name)), ' || '','' || ' ORDER BY array_position(v_key, c.attnum))
      FILTER (WHERE c.attnum = ANY (v_key))
  INTO v_fields, v_patient, v_was, v_id
  FROM (SELECT a.*, quote_ident(a.attname) AS name FROM medzen.audited_columns(p_table) a) c;
  IF p_patient = '' THEN
    v_patient := 'NULL::text';
    v_was := v_patient;
  ELSIF v_patient IS NULL THEN
    PERFORM medzen.refuse_unaudited(p_table, p_patient);
  END IF;
  RETURN 'SELECT ' || CASE p_op WHEN 'UPDATE' THEN v_was ELSE v_patient END || ' AS was, ' || v_patient || ' AS patient, '
    || CASE WHEN v_id IS NULL THEN 'NULL::text' WHEN cardinality(v_key) = 1 THEN v_id ELSE '''['' || ' || v_id || ' || '']''' END || ' AS key, '
    || CASE WHEN v_fields IS NULL THEN '''''::text' ELSE ''',"fields":['' || array_to_string(ARRAY[NULL' || v_fields || '], '','') || '']''' END
    || ' AS fields FROM ' || CASE p_op WHEN 'INSERT' THEN 'new_rows n' WHEN 'DELETE' THEN 'old_rows n' ELSE 'old_rows o, new_rows n' END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.audit_table(p_table regclass, p_patient text, p_granularity text DEFAULT 'patient'::text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_part record;
  v_event record;
  v_parts int := 0;
BEGIN
  IF p_granularity IN ('patient', 'statement') IS NOT TRUE THEN
    PERFORM medzen.fail('invalid_input', 'The granularity is patient or statement');
  END IF;
  IF p_patient IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attname = p_patient AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v') THEN
    PERFORM medzen.fail('invalid_input', format('%s has no column %I that is stored', p_table, p_patient));
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
    -- A row that MERGE sends to another partition is shown to triggers of DELETE and INSERT, which do not fire when the MERGE only updates:
    -- it would go unrecorded. Postgres takes no MERGE into a table with a rule, whatever the rule says; this one does nothing else.
    IF v_part.relkind = 'p' THEN
      EXECUTE format('CREATE OR REPLACE RULE %I AS ON DELETE TO %s DO ALSO NOTHING', 'medzen' || '_audit_refuses_merge', v_part.name);
    END IF;
    v_parts := v_parts + 1;
  END LOOP;
  PERFORM medzen.note_audited(p_table, jsonb_strip_nulls(
    jsonb_build_object('audited', true, 'patient', p_patient, 'granularity', p_granularity)));
  RETURN v_parts;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.audited_columns(p_table oid)
 RETURNS TABLE(attnum smallint, attname name, plain boolean, told boolean, said text)
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT a.attnum,
     a.attname,
     ((a.atttypid = ANY (ARRAY[('boolean'::regtype)::oid, ('smallint'::regtype)::oid, ('integer'::regtype)::oid, ('bigint'::regtype)::oid, ('uuid'::regtype)::oid, ('text'::regtype)::oid, ('character varying'::regtype)::oid, ('date'::regtype)::oid, ('timestamp without time zone'::regtype)::oid, ('timestamp with time zone'::regtype)::oid, ('bytea'::regtype)::oid])) AND (a.attcollation < (16384)::oid)),
     (a.attgenerated = ''::"char"),
     (to_json(
         CASE
             WHEN (sum(octet_length((to_json(a.attname))::text)) OVER (ORDER BY a.attnum ROWS UNBOUNDED PRECEDING) <= 8000) THEN (a.attname)::text
             ELSE ('#'::text || a.attnum)
         END))::text AS to_json
    FROM pg_attribute a
   WHERE ((a.attrelid = audited_columns.p_table) AND (a.attnum > 0) AND (NOT a.attisdropped) AND (a.attgenerated <> 'v'::"char"));
END;

CREATE OR REPLACE FUNCTION medzen.auditor_tenant()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN medzen.current_subject() IS NOT NULL AND (medzen.is_auditor() OR medzen.is_system_admin())
    THEN medzen.current_tenant() END
$function$;

CREATE OR REPLACE FUNCTION medzen.begin_deletion(p_tenant text, p_id uuid, p_token text, p_facts_revision integer, p_rules_version text, p_now timestamp with time zone, p_by text, p_reason text, p_rule_ids text[], p_citations text[], p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  -- A fact or a hold, on the patient too, updates this very row before it commits: what we read here is what stands.
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.state = 'deleting' THEN 'begun'
    WHEN v_row.hold_count > 0 THEN 'held'
    WHEN v_row.request_count > 0 THEN 'access_requested'
    WHEN v_row.rules_version IS DISTINCT FROM p_rules_version
      OR v_row.facts_revision IS DISTINCT FROM p_facts_revision
      OR v_row.facts_revision IS DISTINCT FROM v_row.subject_revision THEN 'stale'
    WHEN v_row.state NOT IN ('available', 'archived', 'failed')
      OR v_row.deletable_at IS NULL OR v_row.deletable_at > p_now OR v_row.keep_until > p_now THEN 'not_due'
  END;
  IF v_status = 'begun' THEN
    RETURN jsonb_build_object('status', 'begun', 'recording', medzen.recording_json(v_row));
  ELSIF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;

  UPDATE medzen.recording r SET
    state = 'deleting',
    state_at = p_now,
    deletion = jsonb_build_object(
      'from', r.state,
      'basis', 'retention',
      'startedAt', medzen.format_instant(p_now),
      'startedBy', p_by,
      'reason', p_reason,
      'ruleIds', to_jsonb(p_rule_ids),
      'citations', to_jsonb(p_citations)),
    revision = r.revision + 1
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'begun', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.begin_rollback(p_id text, VARIADIC p_losing text[] DEFAULT '{}'::text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_last text;
  v_table text;
  v_rows bigint;
  v_lost text[] := '{}';
BEGIN
  -- An installer, or a service that asks what is applied, waits until this is done.
  LOCK TABLE medzen.migration IN ACCESS EXCLUSIVE MODE;
  SELECT max(m.id COLLATE "C") INTO v_last FROM medzen.migration m;
  IF v_last <> p_id THEN
    PERFORM medzen.fail('conflict', format('Migrations are undone from the last one on, which is %s', v_last));
  END IF;
  FOREACH v_table IN ARRAY p_losing LOOP
    -- The rows counted here are the rows that will be dropped.
    EXECUTE format('LOCK TABLE medzen.%I IN ACCESS EXCLUSIVE MODE', v_table);
    EXECUTE format('SELECT count(*) FROM medzen.%I', v_table) INTO v_rows;
    IF v_rows > 0 THEN
      v_lost := v_lost || format('%s (%s rows)', v_table, v_rows);
    END IF;
  END LOOP;
  IF v_lost <> '{}' AND current_setting('medzen.rollback', true) IS DISTINCT FROM 'lose data' THEN
    PERFORM medzen.fail('forbidden', format('Undoing %s would lose %s. If that is meant: SET medzen.rollback = ''lose data''',
      p_id, array_to_string(v_lost, ', ')));
  END IF;
  DELETE FROM medzen.migration m WHERE m.id = p_id;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.beyond_recall_of(p_tenant text, p_patient text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(r.id ORDER BY r.id), '[]'::jsonb) AS "coalesce"
    FROM ( SELECT q.id
            FROM medzen.recording q
           WHERE ((q.tenant = beyond_recall_of.p_tenant) AND (q.patient = beyond_recall_of.p_patient) AND (q.state = 'deleting'::text) AND medzen.is_beyond_recall(q.*))
           ORDER BY q.id
          LIMIT 1000) r;
END;

CREATE OR REPLACE FUNCTION medzen.cancel_deletion(p_tenant text, p_id uuid, p_token text, p_at timestamp with time zone, p_failure_code text, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.state <> 'deleting' THEN 'not_begun'
    WHEN medzen.is_beyond_recall(v_row) THEN 'beyond_recall'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;

  UPDATE medzen.recording r SET
    state = CASE WHEN r.deletion ->> 'from' = 'archived' AND r.retain_until > p_at THEN 'available' ELSE r.deletion ->> 'from' END,
    state_at = p_at,
    deletion = NULL,
    revision = r.revision + 1,
    claim_token = NULL,
    claim_until = NULL,
    claim_after = medzen.now() + medzen.claim_backoff(r.claim_attempts)
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'canceled', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.change_events(p_secret bytea, p_id text, p_head text, p_detail text, p_middle text, p_purpose text, p_why text, p_tail text, p_patients text[], p_counts bigint[], p_keys text[], p_fields text[])
 RETURNS TABLE(id uuid, patient text, purpose text, target_id text, body text)
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT e.id,
     e.patient,
     e.purpose,
     e.key,
     ((((((((((((change_events.p_head || COALESCE(change_events.p_detail,
         CASE
             WHEN (e.n > 1) THEN ((',"detail":{"rows":'::text || e.n) || '}'::text)
             ELSE ''::text
         END)) || e.fields) || ',"id":"'::text) || e.id) || change_events.p_middle) || "left"(e.hex, 32)) || '","outcome":"success"'::text) || COALESCE((',"patient":'::text || (to_json(e.patient))::text), ''::text)) || COALESCE((',"purpose":'::text || (to_json(e.purpose))::text), ''::text)) || change_events.p_why) || COALESCE((('"id":'::text || (to_json(e.key))::text) || ','::text), ''::text)) || change_events.p_tail)
    FROM ( SELECT r.hex,
             r.n,
             r.fields,
             r.patient,
             r.key,
             COALESCE(change_events.p_purpose,
                 CASE
                     WHEN (r.patient IS NOT NULL) THEN 'TREAT'::text
                     ELSE NULL::text
                 END) AS purpose,
             (((((((change_events.p_id || substr(r.hex, 33, 3)) || '-'::text) || translate(substr(r.hex, 36, 1), '0123456789abcdef'::text, '89ab89ab89ab89ab'::text)) || substr(r.hex, 37, 3)) || '-'::text) || substr(r.hex, 40, 12)))::uuid AS id
            FROM ( SELECT u.n,
                     u.fields,
                     encode(sha256((change_events.p_secret || int8send(u.at))), 'hex'::text) AS hex,
                         CASE
                             WHEN (octet_length(u.patient) <= 2000) THEN NULLIF(u.patient, ''::text)
                             ELSE medzen.index_key(u.patient)
                         END AS patient,
                         CASE
                             WHEN (u.n > 1) THEN NULL::text
                             WHEN (octet_length(u.key) <= 2000) THEN u.key
                             ELSE medzen.index_key(u.key)
                         END AS key
                    FROM UNNEST(change_events.p_patients, change_events.p_counts, change_events.p_keys, change_events.p_fields) WITH ORDINALITY u(patient, n, key, fields, at)
                  OFFSET 0) r
           ORDER BY (((((((change_events.p_id || substr(r.hex, 33, 3)) || '-'::text) || translate(substr(r.hex, 36, 1), '0123456789abcdef'::text, '89ab89ab89ab89ab'::text)) || substr(r.hex, 37, 3)) || '-'::text) || substr(r.hex, 40, 12)))::uuid) e;
END;

CREATE OR REPLACE FUNCTION medzen.change_recording(p_tenant text, p_id uuid, p_expected_revision integer, p_at timestamp with time zone, p_event_id text, p_event_body bytea, p_to text DEFAULT NULL::text, p_ended_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_duration_seconds double precision DEFAULT NULL::double precision, p_media jsonb DEFAULT NULL::jsonb, p_object jsonb DEFAULT NULL::jsonb, p_failure jsonb DEFAULT NULL::jsonb, p_clear_failure boolean DEFAULT false, p_token text DEFAULT NULL::text, p_dedupe_key text DEFAULT NULL::text, p_storage jsonb DEFAULT NULL::jsonb, p_lock jsonb DEFAULT NULL::jsonb, p_deletion jsonb DEFAULT NULL::jsonb, p_captured_at timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  IF (p_to IS NOT DISTINCT FROM 'deleting') <> (p_deletion IS NOT NULL) THEN
    PERFORM medzen.fail('invalid_input', 'deletion must be given with to: deleting, and only then');
  END IF;
  IF p_captured_at > medzen.now() THEN
    PERFORM medzen.fail('invalid_input', 'capturedAt must not be later than the store''s clock');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;

  v_status := CASE
    WHEN p_dedupe_key IS NOT NULL AND EXISTS (
      SELECT FROM medzen.webhook_seen w
      WHERE w.tenant = p_tenant AND w.recording_id = p_id AND w.dedupe_key = p_dedupe_key) THEN 'repeated'
    WHEN p_token IS NOT NULL AND v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.revision <> p_expected_revision THEN 'conflict'
    WHEN v_row.state = 'deleted' OR p_to = 'deleted' OR v_row.state = 'deleting' AND p_to IS NOT NULL THEN 'invalid_transition'
    -- Retention counts from it by then.
    WHEN p_captured_at IS NOT NULL AND (v_row.object IS NOT NULL OR v_row.state = 'deleting') THEN 'invalid_transition'
    -- Past no hold, no access request and no date: only what failed before anything was stored.
    WHEN p_to = 'deleting' AND (v_row.state <> 'failed' OR v_row.hold_count > 0 OR v_row.request_count > 0
      OR v_row.object IS NOT NULL OR p_object IS NOT NULL) THEN 'invalid_transition'
    WHEN p_to <> ALL (medzen.next_states(v_row.state)) THEN 'invalid_transition'
    WHEN p_to = 'recording' AND EXISTS (
      SELECT FROM medzen.recording o
      WHERE o.tenant = p_tenant AND o.id <> p_id AND o.state IN ('starting', 'recording')
        AND (o.session_id = v_row.session_id OR o.provider = v_row.provider AND o.provider_ref = v_row.provider_ref))
      THEN 'invalid_transition'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status, 'recording', medzen.recording_json(v_row));
  END IF;

  IF p_to = 'recording' AND v_row.state = 'failed' THEN
    BEGIN
      UPDATE medzen.recording r SET state = p_to WHERE r.tenant = p_tenant AND r.id = p_id;
    EXCEPTION WHEN unique_violation THEN
      -- Another of the session was started a moment ago, and we did not see it.
      RETURN jsonb_build_object('status', 'invalid_transition', 'recording', medzen.recording_json(v_row));
    END;
  END IF;
  UPDATE medzen.recording r SET
    state = coalesce(p_to, r.state),
    state_at = CASE WHEN p_to IS NULL THEN r.state_at ELSE p_at END,
    captured_at = coalesce(p_captured_at, r.captured_at),
    -- Drops the decision made from another start.
    rules_version = CASE WHEN p_captured_at IS NULL THEN r.rules_version END,
    facts_revision = CASE WHEN p_captured_at IS NULL THEN r.facts_revision END,
    decided_at = CASE WHEN p_captured_at IS NULL THEN r.decided_at END,
    retain_until = CASE WHEN p_captured_at IS NULL THEN r.retain_until END,
    warn_at = CASE WHEN p_captured_at IS NULL THEN r.warn_at END,
    grace_until = CASE WHEN p_captured_at IS NULL THEN r.grace_until END,
    rule_ids = CASE WHEN p_captured_at IS NULL THEN r.rule_ids END,
    undated = CASE WHEN p_captured_at IS NULL THEN r.undated END,
    deletable_at = CASE WHEN p_captured_at IS NULL THEN r.deletable_at END,
    ended_at = coalesce(p_ended_at, r.ended_at),
    duration_seconds = coalesce(p_duration_seconds, r.duration_seconds),
    media = coalesce(p_media, r.media),
    object = coalesce(p_object, r.object),
    storage = coalesce(p_storage, r.storage),
    object_lock = coalesce(p_lock, r.object_lock),
    deletion = CASE WHEN p_to = 'deleting' THEN jsonb_build_object(
      'from', r.state,
      'basis', 'nothing_stored',
      'startedAt', medzen.format_instant(p_at),
      'startedBy', p_deletion ->> 'by',
      'reason', p_deletion ->> 'reason',
      'ruleIds', '[]'::jsonb,
      'citations', '[]'::jsonb) ELSE r.deletion END,
    failure = CASE WHEN p_clear_failure THEN NULL ELSE coalesce(p_failure, r.failure) END,
    revision = r.revision + 1,
    -- A move ends whatever claim there was and its back-off; a worker's own change ends its claim.
    claim_token = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_token END,
    claim_until = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_until END,
    claim_attempts = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_attempts ELSE 0 END,
    claim_after = CASE WHEN p_to IS NULL AND p_token IS NULL THEN r.claim_after ELSE '-infinity' END
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  IF p_to IS NOT NULL OR p_clear_failure THEN
    DELETE FROM medzen.postponed q
    WHERE q.tenant = p_tenant AND q.recording_id = p_id
      AND (p_to IS NOT NULL AND q.queue = 'archive' OR p_clear_failure AND q.queue = 'discard');
  END IF;
  IF p_dedupe_key IS NOT NULL THEN
    INSERT INTO medzen.webhook_seen (tenant, recording_id, dedupe_key) VALUES (p_tenant, p_id, p_dedupe_key);
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'changed', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.check_claim_options(p_limit integer, p_lease_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1000');
  END IF;
  IF p_lease_ms IS NULL OR p_lease_ms NOT BETWEEN 1000 AND 3600000 THEN
    PERFORM medzen.fail('invalid_input', 'p_lease_ms must be from 1 second to 1 hour');
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION medzen.check_draft(p_draft jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_wrong text := CASE
    WHEN jsonb_typeof(p_draft -> 'action') IS DISTINCT FROM 'string' OR length(p_draft ->> 'action') > 128
      OR p_draft ->> 'action' !~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$' THEN 'action'
    WHEN p_draft ->> 'kind' IN ('create', 'read', 'update', 'delete', 'execute') IS NOT TRUE THEN 'kind'
    WHEN p_draft ->> 'outcome' IN ('success', 'denied', 'failed') IS NOT TRUE THEN 'outcome'
    WHEN jsonb_typeof(p_draft #> '{actor,id}') IS DISTINCT FROM 'string'
      OR medzen.utf16_length(p_draft #>> '{actor,id}') NOT BETWEEN 1 AND 256
      OR p_draft #>> '{actor,type}' IN ('user', 'service', 'system') IS NOT TRUE THEN 'actor'
    WHEN jsonb_typeof(p_draft -> 'source') IS DISTINCT FROM 'object' THEN 'source'
    WHEN p_draft ->> 'purpose' IN ('ETREAT', 'BTG') AND (p_draft ->> 'reason' ~
      '[^\u0009-\u000d\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]') IS NOT TRUE
      OR medzen.utf16_length(p_draft ->> 'reason') > 2048 THEN 'reason'
    END;
BEGIN
  IF v_wrong IS NOT NULL THEN
    PERFORM medzen.fail('invalid_input', 'An audit event has no valid ' || v_wrong);
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.check_fact(p_tenant text, p_patient text, p_type text, p_date date, p_zone text, p_voids uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_void uuid[];
BEGIN
  IF NOT coalesce(medzen.is_zone(p_zone), false) THEN
    PERFORM medzen.fail('invalid_input', 'zone must name an IANA time zone, such as America/New_York');
  END IF;
  IF NOT coalesce(p_date BETWEEN '1900-01-01' AND '9000-12-31', false)
    OR p_date > (medzen.now() AT TIME ZONE p_zone)::date + 1 THEN
    PERFORM medzen.fail('invalid_input',
      'date must be from 1900-01-01 to one day after today; note what is still to come on the day it happens');
  END IF;
  IF p_type = 'void' AND p_voids IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'voids must name the fact that was a mistake');
  END IF;
  IF p_voids IS NOT NULL THEN
    IF NOT EXISTS (
      SELECT FROM medzen.retention_fact f WHERE f.tenant = p_tenant AND f.id = p_voids AND f.patient = p_patient) THEN
      PERFORM medzen.fail('invalid_input', 'voids must name a fact of this patient; explain lists them with their ids');
    END IF;
    IF p_voids = ANY (medzen.void_facts(p_tenant, p_patient)) THEN
      PERFORM medzen.fail('conflict', 'voids must name a fact that stands; this one is void already');
    END IF;
  END IF;
  IF p_type IN ('birth', 'death') THEN
    v_void := medzen.void_facts(p_tenant, p_patient, p_voids);
    IF p_type = 'birth' AND EXISTS (
      SELECT FROM medzen.retention_fact f
      WHERE f.tenant = p_tenant AND f.patient = p_patient AND f.id <> ALL (v_void) AND f.date < p_date
        AND f.type IN ('treatment', 'discharge', 'therapy_ended', 'death')) THEN
      PERFORM medzen.fail('invalid_input',
        'date of a birth must not be after care or a death that was noted; if that fact is the mistake, void it first');
    END IF;
    IF p_type = 'death' AND EXISTS (
      SELECT FROM medzen.retention_fact f
      WHERE f.tenant = p_tenant AND f.patient = p_patient AND f.id <> ALL (v_void) AND f.date > p_date
        AND f.type = 'birth') THEN
      PERFORM medzen.fail('invalid_input',
        'date of a death must not be before the birth that was noted; if that fact is the mistake, void it first');
    END IF;
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION medzen.check_keep(p_until timestamp with time zone, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF num_nulls(p_until, p_reason) = 1 OR p_until > medzen.now() + INTERVAL '100 years' OR p_until = '-infinity'
    OR length(p_reason) NOT BETWEEN 1 AND 2048 THEN
    PERFORM medzen.fail('invalid_input',
      'keepUntil.until must be at most 100 years from now and have a reason; to keep longer, extend it later');
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION medzen.check_page(p_limit integer, p_cursor text, p_shape text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 200 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be from 1 to 200');
  END IF;
  IF p_cursor !~ ('^' || replace(replace(p_shape, 'instant', '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z'), 'uuid',
    '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') || '$') THEN
    PERFORM medzen.fail('invalid_input', 'cursor is not from this list; pass back the cursor of the previous page, or omit it');
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.check_pg_cron()
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.check_tenant(p_tenant text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_tenant IS NULL OR p_tenant !~ '^[a-z0-9][a-z0-9_-]{0,63}$' THEN
    PERFORM medzen.fail('invalid_input', 'p_tenant must be 1 to 64 characters of a-z, 0-9, ''_'' and ''-'', starting with a letter or digit');
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.check_text(p_value text, p_name text, p_max integer DEFAULT 256)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_value = '' OR octet_length(p_value) > 4 * p_max OR medzen.utf16_length(p_value) > p_max OR p_value ~ '[\u0001-\u001f\u007f]' THEN
    PERFORM medzen.fail('invalid_input', p_name || ' is empty, too long or not plain text');
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.claim_backoff(p_attempts integer)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
RETURN LEAST(make_interval(mins => (LEAST(p_attempts, 38) * LEAST(p_attempts, 38))), '1 day'::interval);

CREATE OR REPLACE FUNCTION medzen.claim_expired(p_tenant text, p_now timestamp with time zone, p_rules_version text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_clock timestamptz := medzen.now();
  v_ids uuid[];
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  IF p_id IS NULL THEN
    -- Two index scans, each in order of the deadline or, when that is later, of the end of the back-off. What the merge leaves over is
    -- unlocked a moment later.
    WITH unfinished AS MATERIALIZED (
      SELECT r.id, greatest(r.grace_until, r.claim_after) AS turn FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state = 'deleting' AND r.claim_after <= v_clock
      ORDER BY greatest(r.grace_until, r.claim_after), r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    ), expired AS MATERIALIZED (
      SELECT r.id, greatest(r.deletable_at, r.claim_after) AS turn FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state IN ('available', 'archived', 'failed') AND r.hold_count = 0 AND r.request_count = 0
        AND r.facts_revision = r.subject_revision AND r.rules_version = p_rules_version AND r.deletable_at IS NOT NULL
        AND r.deletable_at <= p_now AND r.claim_after <= v_clock AND (r.keep_until IS NULL OR r.keep_until <= p_now)
        AND greatest(r.deletable_at, r.claim_after) <= greatest(p_now, v_clock)
      ORDER BY greatest(r.deletable_at, r.claim_after), r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED
    ), due AS (
      SELECT * FROM unfinished UNION ALL SELECT * FROM expired ORDER BY turn, id LIMIT p_limit
    )
    SELECT array_agg(due.id ORDER BY due.turn, due.id) INTO v_ids FROM due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND (r.claim_until IS NULL OR r.claim_until <= v_clock) AND (
        r.state = 'deleting'
        OR (r.state IN ('available', 'archived', 'failed') AND r.hold_count = 0 AND r.request_count = 0
          AND r.facts_revision = r.subject_revision AND r.rules_version = p_rules_version AND r.deletable_at <= p_now
          AND (r.keep_until IS NULL OR r.keep_until <= p_now)))
      FOR NO KEY UPDATE SKIP LOCKED) due;
  END IF;
  RETURN medzen.take_claims(p_tenant, coalesce(v_ids, '{}'), p_lease_ms);
END $function$;

CREATE OR REPLACE FUNCTION medzen.claim_reconciliations(p_tenant text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now timestamptz := medzen.now();
  v_ids uuid[];
  v_result jsonb;
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  IF p_id IS NULL THEN
    SELECT array_agg(due.id ORDER BY due.look_after, due.id) INTO v_ids FROM (
      SELECT r.id, r.look_after FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.look_after IS NOT NULL AND r.look_after <= v_now
      ORDER BY r.look_after, r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED) due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND r.look_after IS NOT NULL
        AND (r.look_token IS NULL OR r.look_after <= v_now)
      FOR NO KEY UPDATE SKIP LOCKED) due;
  END IF;
  WITH taken AS (
    UPDATE medzen.recording r SET
      look_token = nextval('medzen.claim_token'),
      look_after = v_now + make_interval(secs => p_lease_ms / 1000.0),
      look_attempts = r.look_attempts + 1
    WHERE r.tenant = p_tenant AND r.id = ANY (v_ids)
    RETURNING r.*
  )
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'recording', medzen.recording_json(t::medzen.recording),
    'token', t.look_token::text,
    'attempts', t.look_attempts) ORDER BY array_position(v_ids, t.id)), '[]')
  INTO v_result
  FROM taken t;
  RETURN v_result;
END $function$;

CREATE OR REPLACE FUNCTION medzen.claim_stops(p_tenant text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now timestamptz := medzen.now();
  v_ids uuid[];
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  SELECT array_agg(due.id ORDER BY due.turn, due.id) INTO v_ids FROM (
    SELECT r.id, greatest(r.stop_requested_at, again.after) AS turn
    FROM medzen.recording r
    CROSS JOIN LATERAL (
      SELECT r.claim_after - medzen.claim_backoff(r.claim_attempts)
        + least(medzen.claim_backoff(r.claim_attempts), INTERVAL '5 minutes') AS after) again
    WHERE r.tenant = p_tenant AND r.stop_requested_at IS NOT NULL
      AND (r.state IN ('starting', 'recording') OR r.state = 'failed' AND r.ended_at IS NULL AND r.media IS NULL)
      AND CASE WHEN p_id IS NULL
        THEN again.after <= v_now
        ELSE r.id = p_id AND (r.claim_until IS NULL OR r.claim_until <= v_now) END
    ORDER BY greatest(r.stop_requested_at, again.after), r.id
    LIMIT p_limit
    FOR NO KEY UPDATE OF r SKIP LOCKED) due;
  RETURN medzen.take_claims(p_tenant, coalesce(v_ids, '{}'), p_lease_ms);
END $function$;

CREATE OR REPLACE FUNCTION medzen.claim_transfers(p_tenant text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now timestamptz := medzen.now();
  v_ids uuid[];
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  IF p_id IS NULL THEN
    SELECT array_agg(due.id ORDER BY due.turn, due.id) INTO v_ids FROM (
      SELECT r.id, greatest(r.state_at, r.claim_after) AS turn FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state = 'uploading' AND r.claim_after <= v_now
      ORDER BY greatest(r.state_at, r.claim_after), r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED) due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND r.state = 'uploading'
        AND (r.claim_until IS NULL OR r.claim_until <= v_now)
      FOR NO KEY UPDATE SKIP LOCKED) due;
  END IF;
  RETURN medzen.take_claims(p_tenant, coalesce(v_ids, '{}'), p_lease_ms);
END $function$;

CREATE OR REPLACE FUNCTION medzen.cleanup_rate_limits(p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now bigint := medzen.now_ns();
  v_gone int;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100000 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 100000');
  END IF;
  -- MATERIALIZED: on the inner side of a join, the LIMIT would start anew for each outer row.
  WITH due AS MATERIALIZED (
    SELECT o.tenant, o.key FROM medzen.rate_limit o WHERE o.tat <= v_now LIMIT p_limit FOR UPDATE SKIP LOCKED
  )
  DELETE FROM medzen.rate_limit l
  USING due o
  WHERE l.tenant = o.tenant AND l.key = o.key AND l.tat <= v_now;
  GET DIAGNOSTICS v_gone = ROW_COUNT;
  RETURN to_jsonb(v_gone);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.close_access_request(p_tenant text, p_id uuid, p_at timestamp with time zone, p_by text, p_outcome text, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_request medzen.access_request;
BEGIN
  -- The target never changes, so it is read first and locked in the common order.
  SELECT * INTO v_request FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  PERFORM FROM medzen.retention_subject s
  WHERE s.tenant = p_tenant AND s.patient = v_request.patient FOR NO KEY UPDATE;
  PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = v_request.recording_id FOR NO KEY UPDATE;

  UPDATE medzen.access_request q SET closed_at = p_at, closed_by = p_by, outcome = p_outcome
  WHERE q.tenant = p_tenant AND q.id = p_id AND q.closed_at IS NULL;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'repeated');
  END IF;
  PERFORM medzen.count_access_request(p_tenant, v_request.recording_id, v_request.patient, -1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'closed');
END $function$;

CREATE OR REPLACE FUNCTION medzen.commit_batch(p_expected_size text, p_expected_root bytea, p_event_ids text[], p_leaf_hashes bytea, p_tile_keys text[], p_tile_hashes bytea[], p_root bytea, p_checkpoint text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.commit_rebase(p_tenant text, p_event_id text, p_event_body bytea, p_expected_size text, p_expected_root bytea, p_leaf_hashes bytea, p_tile_keys text[], p_tile_hashes bytea[], p_root bytea, p_checkpoint text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.consent_json(c medzen.consent)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
RETURN jsonb_strip_nulls(jsonb_build_object('id', (c).id, 'sessionId', (c).session_id, 'participant', (c).participant, 'decision', (c).decision, 'acknowledgements', jsonb_build_object('recording', (c).acknowledged_recording, 'storage', (c).acknowledged_storage, 'access', (c).acknowledged_access, 'retention', (c).acknowledged_retention), 'textVersion', (c).text_version, 'textSha256', (c).text_sha256, 'language', (c).language, 'method', (c).method, 'location', (c).location, 'ip', (c).ip, 'userAgent', (c).user_agent, 'at', medzen.format_instant((c).at)));

CREATE OR REPLACE FUNCTION medzen.consume_limits(p_tenant text, p_requests jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now bigint := medzen.now_ns();
  v_key text := p_requests -> 0 ->> 'key';
  v_unit bigint;
  v_room bigint;
  v_cost bigint;
  v_ahead bigint;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF jsonb_array_length(p_requests) NOT BETWEEN 1 AND 16 THEN
    PERFORM medzen.fail('invalid_input', 'Rate limit: one call takes 1 to 16 policies');
  END IF;
  IF jsonb_array_length(p_requests) > 1 THEN
    RETURN medzen.consume_several(p_tenant, p_requests, v_now);
  END IF;

  v_unit := medzen.limit_unit(p_requests -> 0);
  v_room := medzen.limit_room(p_requests -> 0, v_unit);
  v_cost := medzen.limit_cost(p_requests -> 0, v_unit);
  -- Twice at most: once refused with the row in hand, the second look sees why.
  FOR v_look IN 1 .. 2 LOOP
    v_ahead := least(v_room, greatest(0, (
      SELECT l.tat FROM medzen.rate_limit l WHERE l.tenant = p_tenant AND l.key = v_key) - v_now));
    IF v_look = 2 OR v_ahead + v_cost > v_room THEN
      RETURN jsonb_build_array(medzen.limit_decision(greatest(v_ahead, v_room - v_cost + 1), false, v_unit, v_room, v_cost));
    END IF;
    v_ahead := medzen.take_limit(p_tenant, v_key, v_now, v_room, v_cost);
    IF v_ahead IS NOT NULL THEN
      RETURN jsonb_build_array(medzen.limit_decision(v_ahead, true, v_unit, v_room, v_cost));
    END IF;
  END LOOP;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.consume_several(p_tenant text, p_requests jsonb, p_now bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_request record;
  v_passed text[];
  v_ahead bigint;
  v_all boolean;
  v_result jsonb;
BEGIN
  LOOP
    SELECT jsonb_agg(medzen.limit_decision(a.ahead, false, u.unit, n.room, n.cost) ORDER BY r.at),
      bool_and(a.ahead + n.cost <= n.room)
    INTO v_result, v_all
    FROM jsonb_array_elements(p_requests) WITH ORDINALITY AS r (e, at)
    CROSS JOIN LATERAL (SELECT medzen.limit_unit(r.e) AS unit) u
    CROSS JOIN LATERAL (SELECT medzen.limit_room(r.e, u.unit) AS room, medzen.limit_cost(r.e, u.unit) AS cost) n
    LEFT JOIN medzen.rate_limit l ON l.tenant = p_tenant AND l.key = r.e ->> 'key'
    CROSS JOIN LATERAL (SELECT least(greatest(coalesce(l.tat, 0) - p_now, 0), n.room) AS ahead) a;
    EXIT WHEN NOT v_all;

    v_passed := '{}';
    -- In order of key, so that callers with keys in common never deadlock.
    FOR v_request IN
      SELECT r.at, r.e ->> 'key' AS key, u.unit, medzen.limit_room(r.e, u.unit) AS room, medzen.limit_cost(r.e, u.unit) AS cost
      FROM jsonb_array_elements(p_requests) WITH ORDINALITY AS r (e, at)
      CROSS JOIN LATERAL (SELECT medzen.limit_unit(r.e) AS unit) u
      ORDER BY r.e ->> 'key' COLLATE "C"
    LOOP
      v_ahead := medzen.take_limit(p_tenant, v_request.key, p_now, v_request.room, v_request.cost);
      v_all := v_ahead IS NOT NULL;
      EXIT WHEN NOT v_all; -- somebody was faster since the look
      v_passed := v_passed || v_request.key;
      v_result := jsonb_set(v_result, ARRAY[(v_request.at - 1)::text],
        medzen.limit_decision(v_ahead, true, v_request.unit, v_request.room, v_request.cost));
    END LOOP;
    EXIT WHEN v_all;

    -- Give back what was taken, while the rows are still locked, and look again.
    UPDATE medzen.rate_limit l SET tat = l.tat - medzen.limit_cost(r.e, medzen.limit_unit(r.e))
    FROM jsonb_array_elements(p_requests) r (e)
    WHERE l.tenant = p_tenant AND l.key = r.e ->> 'key' AND l.key = ANY (v_passed);
  END LOOP;
  RETURN v_result;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.cosignature_key(p_line text, OUT name text, OUT key_id bytea)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_payload text;
BEGIN
  IF medzen.utf16_length(p_line) > 8192 OR medzen.utf16_length(split_part(p_line, ' ', 2)) > 1024 OR p_line COLLATE "C" !~
    '^\u2014 [^+\u0001-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+ [A-Za-z0-9+/]+={0,2}\n$' THEN
    RETURN;
  END IF;
  v_payload := rtrim(split_part(p_line, ' ', 3), E'\n');
  -- In canonical form only: nothing in it may be read in two ways.
  IF octet_length(decode(v_payload, 'base64')) < 5
    OR translate(encode(decode(v_payload, 'base64'), 'base64'), E'\n', '') <> v_payload THEN
    RETURN;
  END IF;
  name := split_part(p_line, ' ', 2);
  key_id := substring(decode(v_payload, 'base64') FOR 4);
EXCEPTION
  WHEN invalid_parameter_value THEN RETURN; -- base64 of no whole number of bytes
END
$function$;

CREATE OR REPLACE FUNCTION medzen.cosignatures(p_size bigint)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(string_agg(s.line, '' ORDER BY s.name, s.key_id), '')
  FROM medzen.audit_cosignature s WHERE s.size = p_size
$function$;

CREATE OR REPLACE FUNCTION medzen.count_access_request(p_tenant text, p_recording_id uuid, p_patient text, p_by integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_recording_id IS NOT NULL THEN
    UPDATE medzen.recording r SET request_count = r.request_count + p_by
    WHERE r.tenant = p_tenant AND r.id = p_recording_id;
  ELSE
    UPDATE medzen.retention_subject s SET requests = s.requests + p_by WHERE s.tenant = p_tenant AND s.patient = p_patient;
    PERFORM FROM medzen.recording r
    WHERE r.tenant = p_tenant AND r.patient = p_patient
    ORDER BY r.id FOR NO KEY UPDATE;
    UPDATE medzen.recording r SET request_count = r.request_count + p_by
    WHERE r.tenant = p_tenant AND r.patient = p_patient;
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION medzen.count_hold(p_tenant text, p_recording_id uuid, p_patient text, p_by integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_recording_id IS NOT NULL THEN
    UPDATE medzen.recording r SET hold_count = r.hold_count + p_by
    WHERE r.tenant = p_tenant AND r.id = p_recording_id;
  ELSE
    UPDATE medzen.retention_subject s SET holds = s.holds + p_by WHERE s.tenant = p_tenant AND s.patient = p_patient;
    PERFORM FROM medzen.recording r
    WHERE r.tenant = p_tenant AND r.patient = p_patient
    ORDER BY r.id FOR NO KEY UPDATE;
    UPDATE medzen.recording r SET hold_count = r.hold_count + p_by
    WHERE r.tenant = p_tenant AND r.patient = p_patient;
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION medzen.count_postponed(p_tenant text, p_now timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT jsonb_build_object('warning', ( SELECT count(*) AS count
            FROM ( SELECT
                    FROM medzen.postponed p
                   WHERE ((p.tenant = count_postponed.p_tenant) AND (p.queue = 'warning'::text) AND (p.until > count_postponed.p_now))
                  LIMIT 1000) w), 'archive', ( SELECT count(*) AS count
            FROM ( SELECT
                    FROM medzen.postponed p
                   WHERE ((p.tenant = count_postponed.p_tenant) AND (p.queue = 'archive'::text) AND (p.until > count_postponed.p_now))
                  LIMIT 1000) a), 'discard', ( SELECT count(*) AS count
            FROM ( SELECT
                    FROM medzen.postponed p
                   WHERE ((p.tenant = count_postponed.p_tenant) AND (p.queue = 'discard'::text) AND (p.until > count_postponed.p_now))
                  LIMIT 1000) c), 'deletion', ( SELECT count(*) AS count
            FROM ( SELECT
                    FROM medzen.recording r
                   WHERE ((r.tenant = count_postponed.p_tenant) AND (r.claim_attempts > 0) AND (r.state = ANY (ARRAY['available'::text, 'archived'::text, 'failed'::text, 'deleting'::text])) AND (r.claim_after > medzen.now()) AND ((r.claim_until IS NULL) OR (r.claim_until <= medzen.now())))
                  LIMIT 1000) d)) AS jsonb_build_object;
END;

CREATE OR REPLACE FUNCTION medzen.current_actor()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_claims jsonb := medzen.read_setting('request.jwt.claims');
  v_said jsonb := medzen.current_context() -> 'actor';
  v_named text := coalesce(nullif(current_setting('medzen.actor', true), ''), medzen.text_of(v_said, 'id'));
  v_id text := coalesce(medzen.text_of(v_claims, 'sub'), v_named);
  v_type text := 'user';
  v_roles text[];
BEGIN
  IF v_id IS NULL THEN
    -- Not current_user, which is the owner of this schema here.
    v_id := session_user;
    v_type := 'service';
    v_roles := ARRAY[nullif(current_setting('role', true), 'none')];
    v_said := NULL;
  ELSIF v_id = v_named AND coalesce(v_said ->> 'id', v_id) = v_id THEN
    v_type := coalesce(substring(medzen.text_of(v_said, 'type') FROM '^(?:user|service|system)$'), v_type);
    v_roles := medzen.role_names(v_said -> 'role') || medzen.role_names(v_said -> 'roles');
  ELSE
    v_said := NULL; -- of somebody else
  END IF;
  IF v_id = medzen.text_of(v_claims, 'sub') THEN
    v_roles := v_roles || medzen.role_names(v_claims -> 'roles') || medzen.role_names(v_claims -> 'role')
      || medzen.role_names(v_claims -> 'cognito:groups') || medzen.role_names(v_claims #> '{realm_access,roles}')
      || medzen.role_names(v_claims #> '{app_metadata,roles}') || medzen.role_names(v_claims #> '{app_metadata,role}');
  END IF;
  v_roles := nullif(array_remove(v_roles, NULL), '{}');
  IF cardinality(v_roles) > 1 THEN
    SELECT array_agg(r.name ORDER BY r.at) INTO v_roles
    FROM (SELECT n.name, min(n.at) AS at FROM unnest(v_roles) WITH ORDINALITY AS n (name, at) GROUP BY 1) r;
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'id', medzen.event_id_text(v_id),
    'type', v_type,
    'role', medzen.utf16_cut(array_to_string(v_roles, ','), 256),
    'onBehalfOf', medzen.event_id_text(medzen.text_of(v_said, 'onBehalfOf')),
    'name', medzen.utf16_cut(medzen.text_of(v_said, 'name'), 256)));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.current_context()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT medzen.read_setting('medzen.context') $function$;

CREATE OR REPLACE FUNCTION medzen.current_draft(p_patient boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_context jsonb := medzen.current_context();
  v_tenant text := medzen.current_tenant();
BEGIN
  IF v_tenant IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'The claims cannot be read, or they or the context name a tenant that is none');
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'tenant', v_tenant,
    'actor', medzen.current_actor(),
    'source', medzen.current_source(),
    'purpose', coalesce(medzen.event_id_text(medzen.text_of(v_context, 'purpose')), CASE WHEN p_patient THEN 'TREAT' END),
    'reason', medzen.utf16_cut(medzen.text_of(v_context, 'reason'), 2048)));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.current_patient()
 RETURNS text
 LANGUAGE sql
 STABLE
RETURN medzen.current_subject();

CREATE OR REPLACE FUNCTION medzen.current_person()
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_subject text := medzen.current_subject();
BEGIN
  -- Supabase gives a subject, and the role of those who are signed in, to anonymous sign-ins too.
  IF v_subject IS NULL OR medzen.read_setting('request.jwt.claims') -> 'is_anonymous' = 'true' THEN
    PERFORM medzen.fail('unauthenticated', 'Not signed in: the token has no subject, or is anonymous');
  END IF;
  IF medzen.current_tenant() IS NULL THEN
    PERFORM medzen.fail('unauthenticated', 'The token must name a valid tenant');
  END IF;
  IF medzen.read_setting('request.headers') ->> 'prefer' ~* 'tx\s*=\s*rollback' THEN
    PERFORM medzen.fail('invalid_input', 'Remove ''Prefer: tx=rollback'': reads are recorded and cannot be rolled back');
  END IF;
  IF current_query() ~* '\m(cast|where)\M' THEN
    PERFORM medzen.fail('invalid_input', 'To be called without filters and casts');
  END IF;
  RETURN v_subject;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.current_source()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_said jsonb := medzen.current_context() -> 'source';
  v_headers jsonb := medzen.read_setting('request.headers');
BEGIN
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'ip', coalesce(medzen.event_id_text(medzen.text_of(v_said, 'ip')),
      medzen.forwarded_ip(medzen.text_of(v_headers, 'x-forwarded-for'), medzen.trusted_hops())),
    'userAgent', medzen.utf16_cut(coalesce(medzen.text_of(v_said, 'userAgent'), medzen.text_of(v_headers, 'user-agent')), 512),
    'sessionId', medzen.event_id_text(coalesce(medzen.text_of(v_said, 'sessionId'),
      medzen.text_of(medzen.read_setting('request.jwt.claims'), 'session_id'))),
    'requestId', medzen.event_id_text(coalesce(medzen.text_of(v_said, 'requestId'), medzen.text_of(v_headers, 'x-request-id'))),
    'traceId', medzen.event_id_text(coalesce(medzen.text_of(v_said, 'traceId'),
      substring(medzen.text_of(v_headers, 'traceparent') FROM '^[0-9a-f]{2}-([0-9a-f]{32})-')))));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.current_subject()
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_sub jsonb := medzen.read_setting('request.jwt.claims') -> 'sub';
BEGIN
  RETURN coalesce(
    CASE WHEN jsonb_typeof(v_sub) = 'string' THEN nullif(v_sub #>> '{}', '') END,
    nullif(current_setting('medzen.actor', true), ''));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.current_tenant()
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_claims jsonb := medzen.read_setting('request.jwt.claims');
  v_tenant jsonb := coalesce(
    nullif(v_claims -> 'tenant', 'null'), nullif(v_claims -> 'tenant_id', 'null'),
    nullif(v_claims #> '{app_metadata,tenant}', 'null'), nullif(medzen.current_context() -> 'tenant', 'null'), '"default"');
BEGIN
  IF v_claims IS NULL AND btrim(current_setting('request.jwt.claims', true)) NOT IN ('', 'null') THEN
    RETURN NULL;
  END IF;
  RETURN CASE WHEN jsonb_typeof(v_tenant) = 'string' AND v_tenant #>> '{}' ~ '^[a-z0-9][a-z0-9_-]{0,63}$' THEN v_tenant #>> '{}' END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.derive_events(p_tenant text, p_ids text[], p_bodies text)
 RETURNS TABLE(id uuid, tenant text, at timestamp with time zone, actor text, patient text, action text, outcome text, purpose text, target_type text, target_id text, stray boolean, body bytea)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.drop_purged_partitions()
 RETURNS TABLE(partition text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.end_of_notice(p_warned_at timestamp with time zone, p_warn_at timestamp with time zone, p_grace_until timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
RETURN CASE WHEN (p_warned_at IS NOT NULL) THEN GREATEST(p_grace_until, (p_warned_at + make_interval(secs => (COALESCE(EXTRACT(epoch FROM (p_grace_until - p_warn_at)), (0)::numeric))::double precision))) ELSE NULL::timestamp with time zone END;

CREATE OR REPLACE FUNCTION medzen.erasable_kinds()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(jsonb_agg(k.kind ORDER BY k.kind), '[]') FROM medzen.erasable_kind k
$function$;

CREATE OR REPLACE FUNCTION medzen.erase_identity(p_tenant text, p_kind text, p_value text, p_despite_retention boolean, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_event jsonb := replace(convert_from(p_event_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
  v_all text[];
  v_until timestamptz;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF v_event ->> 'tenant' IS DISTINCT FROM p_tenant OR v_event ->> 'action' IS DISTINCT FROM 'identity.erase'
     OR v_event #>> '{target,type}' IS DISTINCT FROM 'identity' THEN
    PERFORM medzen.fail('invalid_input', 'event must have action ''identity.erase'' and target.type ''identity''');
  END IF;
  IF coalesce(v_event ->> 'reason', '') !~ '[^[:space:]]' OR strpos(v_event ->> 'reason', p_value) > 0 THEN
    PERFORM medzen.fail('invalid_input', 'event.reason must not be blank and must not contain the value to erase');
  END IF;
  -- Nobody places a hold between the look and the erasure. Who erases at the same time waits at the rows, and then finds none.
  LOCK TABLE medzen.legal_hold IN SHARE MODE;
  SELECT array_agg(f.pseudonym) INTO v_all FROM (
    SELECT i.pseudonym FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.kind = p_kind AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
    ORDER BY i.pseudonym FOR UPDATE) f;
  IF v_all IS NULL THEN
    RETURN jsonb_build_object('status', 'absent');
  -- Each erased pseudonym is named, so that a verifier of the log finds why its identity is
  -- unknown.
  ELSIF v_event #>> '{target,id}' = ANY (v_all) IS NOT TRUE OR NOT array_remove(v_all, v_event #>> '{target,id}')
      <@ ARRAY(SELECT jsonb_array_elements_text(coalesce(v_event #> '{detail,pseudonyms}', '[]'))) THEN
    PERFORM medzen.fail('conflict', 'The event must name every pseudonym of the identity: one as its target, all in detail.pseudonyms');
  ELSIF medzen.is_identity_held(p_tenant, p_kind, p_value, v_all) THEN
    RETURN jsonb_build_object('status', 'held');
  END IF;
  IF p_despite_retention IS NOT TRUE THEN
    SELECT medzen.audit_kept_until(max(greatest(e.at, e.written_at)), 6) INTO v_until FROM medzen.audit_event e
    WHERE e.tenant = p_tenant AND medzen.names_identity(e.body, v_all);
    IF v_until > medzen.now() THEN
      RETURN jsonb_build_object('status', 'too_young', 'keptUntil', medzen.format_instant(v_until));
    END IF;
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  DELETE FROM medzen.erasable_identity i WHERE i.tenant = p_tenant AND i.pseudonym = ANY (v_all);
  RETURN jsonb_build_object('status', 'erased');
END
$function$;

CREATE OR REPLACE FUNCTION medzen.event_id_text(p_id text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF octet_length(p_id) <= 256 OR medzen.utf16_length(p_id) <= 256 THEN
    RETURN nullif(p_id, '');
  END IF;
  RETURN 'sha256:' || encode(sha256(convert_to(p_id, 'UTF8')), 'hex');
END
$function$;

CREATE OR REPLACE FUNCTION medzen.explains_absence(p_action text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (p_action = ANY (ARRAY['audit.purge'::text, 'audit.rebase'::text, 'identity.erase'::text]));

CREATE OR REPLACE FUNCTION medzen.extend_access_request(p_tenant text, p_id uuid, p_at timestamp with time zone, p_by text, p_reason text, p_due_at timestamp with time zone, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_request medzen.access_request;
BEGIN
  SELECT * INTO v_request FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  ELSIF v_request.closed_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'closed');
  ELSIF v_request.extended_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'already_extended');
  END IF;
  UPDATE medzen.access_request q SET extended_at = p_at, extended_by = p_by, extension_reason = p_reason, due_at = p_due_at
  WHERE q.tenant = p_tenant AND q.id = p_id;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'extended');
END $function$;

CREATE OR REPLACE FUNCTION medzen.extend_keep(p_tenant text, p_id uuid, p_until timestamp with time zone, p_reason text, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  PERFORM medzen.check_keep(p_until, p_reason);
  IF p_until IS NULL THEN
    PERFORM medzen.fail('invalid_input', 'keepUntil.until must be an instant');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  v_status := CASE
    WHEN medzen.is_beyond_recall(v_row) THEN 'too_late'
    WHEN v_row.keep_until = p_until THEN 'repeated'
    WHEN v_row.keep_until > p_until THEN 'shorter'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status, 'recording', medzen.recording_json(v_row));
  END IF;
  UPDATE medzen.recording r SET
    keep_until = p_until,
    keep_reason = p_reason,
    rules_version = NULL,
    facts_revision = NULL,
    decided_at = NULL,
    retain_until = NULL,
    warn_at = NULL,
    grace_until = NULL,
    rule_ids = NULL,
    undated = NULL,
    deletable_at = NULL,
    revision = r.revision + 1
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'extended', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.fail(p_code text, p_message text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_codes CONSTANT text[] := ARRAY[
    'invalid_input', 'invalid_configuration', 'unauthenticated', 'forbidden', 'origin_not_allowed', 'not_found', 'gone',
    'method_not_allowed', 'conflict', 'audit_conflict', 'invalid_transition', 'consent_required', 'retention_active', 'held',
    'too_late', 'body_too_large', 'unsupported_media_type', 'rate_limited', 'signature_invalid', 'checksum_mismatch',
    'lease_lost', 'checkpoint_inconsistent', 'not_available', 'store_unavailable', 'provider_unavailable', 'wire_busy',
    'migration_missing', 'migration_drift', 'internal'];
  v_at int := array_position(v_codes, p_code);
BEGIN
  IF v_at IS NULL THEN
    RAISE EXCEPTION 'medzen.fail does not know the code %', p_code;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MZ' || lpad(v_at::text, 3, '0'), MESSAGE = p_message;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.find_pseudonyms(p_tenant text, p_kind text, p_value text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(to_jsonb(medzen.pseudonyms_of(p_tenant, p_kind, p_value)), '[]')
$function$;

CREATE OR REPLACE FUNCTION medzen.find_recording(p_tenant text, p_provider text, p_provider_ref text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT medzen.recording_json(r.*) AS recording_json
    FROM medzen.recording r
   WHERE ((r.tenant = find_recording.p_tenant) AND (r.provider = find_recording.p_provider) AND (r.provider_ref = find_recording.p_provider_ref))
   ORDER BY r.started_at DESC, r.id DESC
  LIMIT 1;
END;

CREATE OR REPLACE FUNCTION medzen.finish_archive(p_first text, p_end text, p_manifest_sha256 bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.finish_deletion(p_tenant text, p_id uuid, p_token text, p_tombstone jsonb, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.state = 'deleted' THEN 'already_deleted'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;
  IF v_row.state <> 'deleting' THEN
    PERFORM medzen.fail('invalid_transition', 'The deletion was not begun');
  END IF;
  -- Nothing had to be removed, so no note of it was refused.
  IF NOT medzen.is_beyond_recall(v_row) AND v_row.hold_count + v_row.request_count > 0 THEN
    RETURN jsonb_build_object('status', CASE WHEN v_row.hold_count > 0 THEN 'held' ELSE 'access_requested' END);
  END IF;

  UPDATE medzen.recording r SET
    state = 'deleted',
    state_at = (p_tombstone ->> 'deletedAt')::timestamptz,
    tombstone = p_tombstone,
    media = NULL,
    object = NULL,
    object_lock = NULL,
    deletion = NULL,
    revision = r.revision + 1,
    claim_token = NULL,
    claim_until = NULL,
    claim_attempts = 0,
    claim_after = '-infinity'
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  DELETE FROM medzen.removed_version v WHERE v.tenant = p_tenant AND v.recording_id = p_id;
  DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'finished', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.first_look(p_state text)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
RETURN CASE p_state WHEN 'starting'::text THEN '00:01:00'::interval WHEN 'recording'::text THEN '00:10:00'::interval WHEN 'processing'::text THEN '00:01:00'::interval WHEN 'uploading'::text THEN '7 days'::interval WHEN 'failed'::text THEN '00:01:00'::interval ELSE NULL::interval END;

CREATE OR REPLACE FUNCTION medzen.format_instant(p_at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE STRICT
RETURN to_char((p_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text);

CREATE OR REPLACE FUNCTION medzen.forwarded_ip(p_header text, p_hops integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_item text;
BEGIN
  v_item := btrim(split_part(p_header, ',', -p_hops), E' \t');
  v_item := coalesce(
    substring(v_item FROM '^\[([^\]]*)\](?::\d{1,5})?$'),
    substring(v_item FROM '^(\d[\d.]*):\d{1,5}$'),
    v_item);
  v_item := split_part(v_item, '%', 1);
  IF length(v_item) > 64 OR v_item !~ '^((0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$' THEN
    RETURN NULL;
  END IF;
  v_item := host(v_item::inet);
  v_item := coalesce(substring(v_item FROM '^::ffff:(\d+\.\d+\.\d+\.\d+)$'), v_item);
  RETURN CASE WHEN v_item NOT IN ('0.0.0.0', '::') THEN v_item END;
EXCEPTION
  WHEN data_exception THEN RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.get_recording(p_tenant text, p_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT medzen.recording_json(r.*) AS recording_json
    FROM medzen.recording r
   WHERE ((r.tenant = get_recording.p_tenant) AND (r.id = get_recording.p_id));
END;

CREATE OR REPLACE FUNCTION medzen.guard_access_request()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF old.closed_at IS NOT NULL
    OR (old.extended_at IS NOT NULL AND (new.extended_at, new.extended_by, new.extension_reason, new.due_at)
      IS DISTINCT FROM (old.extended_at, old.extended_by, old.extension_reason, old.due_at))
    OR (new.extended_at IS NULL AND new.due_at <> old.due_at)
    OR (new.id, new.recording_id, new.patient, new.requested_by, new.received_at, new.opened_by, new.tenant)
      IS DISTINCT FROM (old.id, old.recording_id, old.patient, old.requested_by, old.received_at, old.opened_by, old.tenant) THEN
    PERFORM medzen.fail('invalid_input', 'An access request is extended once, closed once, and does not change otherwise');
  END IF;
  RETURN new;
END $function$;

CREATE OR REPLACE FUNCTION medzen.guard_archive()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.guard_audit_partition(p_partition text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  EXECUTE format('ALTER TABLE medzen.%I ENABLE ROW LEVEL SECURITY', p_partition);
  EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON medzen.%I
    FOR EACH STATEMENT EXECUTE FUNCTION medzen.refuse_change()', p_partition);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.guard_identity()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (
    SELECT FROM medzen.audit_event e
    WHERE e.tenant = OLD.tenant AND e.action = 'identity.erase' AND e.target_type = 'identity' AND e.xid = pg_current_xact_id_if_assigned()
  ) THEN
    RETURN OLD;
  END IF;
  PERFORM medzen.fail('forbidden', format('%s of %s is not allowed: erase_identity() erases', TG_OP, TG_TABLE_NAME));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.guard_legal_hold()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF old.released_at IS NOT NULL
    OR to_jsonb(new) - '{released_by,released_at}'::text[] <> to_jsonb(old) - '{released_by,released_at}'::text[] THEN
    PERFORM medzen.fail('invalid_input', 'A legal hold is released once and does not change otherwise');
  END IF;
  RETURN new;
END $function$;

CREATE OR REPLACE FUNCTION medzen.guard_recording()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_kept medzen.recording := old;
BEGIN
  -- A recording whose patient comes under a hold, or asks for access, later is counted there too.
  v_kept.hold_count := new.hold_count;
  v_kept.request_count := new.request_count;
  IF old.state = 'deleted' AND new IS DISTINCT FROM v_kept THEN
    PERFORM medzen.fail('invalid_transition', 'A deleted recording does not change');
  END IF;
  IF new.state <> old.state AND new.state <> ALL (medzen.next_states(old.state)) THEN
    PERFORM medzen.fail('invalid_transition', format('A recording does not go from %s to %s', old.state, new.state));
  END IF;
  IF old.state = 'deleting' AND new.state NOT IN ('deleting', 'deleted') AND medzen.is_beyond_recall(old) THEN
    PERFORM medzen.fail('invalid_transition', 'A deletion that has removed something is not taken back');
  END IF;
  IF (new.tenant, new.id, new.session_id, new.patient, new.started_at, new.object_prefix)
    IS DISTINCT FROM (old.tenant, old.id, old.session_id, old.patient, old.started_at, old.object_prefix) THEN
    PERFORM medzen.fail('invalid_input', 'A recording keeps its id, session, patient, start and prefix');
  END IF;
  IF old.keep_until IS NOT NULL AND (new.keep_until IS NULL OR new.keep_until < old.keep_until) THEN
    PERFORM medzen.fail('invalid_input', 'keep_until must not move earlier');
  END IF;
  -- After a move, an answer under way is about the earlier state.
  IF new.state <> old.state THEN
    new.look_after := CASE
      WHEN new.state = 'failed' AND (new.media IS NOT NULL OR new.object IS NOT NULL) THEN NULL
      ELSE medzen.now() + medzen.first_look(new.state) END;
    new.look_token := NULL;
    new.look_attempts := 0;
  END IF;
  RETURN new;
END $function$;

CREATE OR REPLACE FUNCTION medzen.hmac_sha256(p_key bytea, p_data bytea)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (octet_length(p_key) = 32) THEN sha256(((medzen.pad_key(p_key, '6655295901103053916'::bigint) || '\x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c'::bytea) || sha256(((medzen.pad_key(p_key, '3906369333256140342'::bigint) || '\x3636363636363636363636363636363636363636363636363636363636363636'::bytea) || p_data)))) ELSE NULL::bytea END;

CREATE OR REPLACE FUNCTION medzen.identities_in(p_tenant text, p_body bytea)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT json_object_agg(x.pseudonym, CASE
    WHEN i.pseudonym IS NOT NULL THEN json_build_object('kind', i.kind, 'value', i.value, 'salt', encode(i.salt, 'hex'))
    WHEN medzen.is_erased(p_tenant, x.pseudonym) THEN 'true'::json END)::text
  FROM medzen.pseudonyms_in(p_body) AS x (pseudonym)
  LEFT JOIN medzen.erasable_identity i ON i.tenant = p_tenant AND i.pseudonym = x.pseudonym
  HAVING count(*) > 0
$function$;

CREATE OR REPLACE FUNCTION medzen.identity_keys(p_tenant text, p_value text, VARIADIC p_kinds text[])
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT ARRAY[medzen.index_key(p_value)] || array_agg(i.pseudonym ORDER BY i.pseudonym) FROM medzen.erasable_identity i
  WHERE i.tenant = p_tenant AND i.kind = ANY (p_kinds) AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
    AND medzen.is_proved(i)
$function$;

CREATE OR REPLACE FUNCTION medzen.identity_texts(p_line text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT ARRAY[e ->> 'patient', e #>> '{actor,id}', e #>> '{actor,onBehalfOf}', e #>> '{actor,name}', e #>> '{target,id}', e #>> '{source,ip}',
    e #>> '{disclosure,recipient,name}', e #>> '{disclosure,recipient,address}']
  FROM (SELECT replace(p_line, '\u0000', '\ufffd')::jsonb AS e) x
$function$;

CREATE OR REPLACE FUNCTION medzen.index_key(p_text text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (octet_length(p_text) <= 2000) THEN p_text ELSE ('sha256:'::text || encode(sha256(convert_to(p_text, 'UTF8'::name)), 'hex'::text)) END;

CREATE OR REPLACE FUNCTION medzen.index_keys(p_texts text[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT medzen.index_key(u.u) AS index_key FROM unnest(index_keys.p_texts) u(u));

CREATE OR REPLACE FUNCTION medzen.is_archive_held(p_first bigint, p_end bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT medzen.is_archive_held_by_name(p_first, p_end) OR EXISTS (
    SELECT FROM medzen.legal_hold h
    JOIN medzen.erasable_identity i ON i.tenant = h.tenant AND i.kind = 'patient'
      AND medzen.index_key(i.value) = medzen.index_key(h.patient)
    WHERE h.released_at IS NULL AND EXISTS (
      SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id
      WHERE e.tenant = h.tenant AND e.patient = i.pseudonym AND l.leaf_index >= p_first AND l.leaf_index < p_end))
$function$;

CREATE OR REPLACE FUNCTION medzen.is_archive_held_by_name(p_first bigint, p_end bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT EXISTS (
    SELECT FROM medzen.legal_hold h
    WHERE h.released_at IS NULL AND (EXISTS (
      SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id
      WHERE e.tenant = h.tenant AND l.leaf_index >= p_first AND l.leaf_index < p_end
        AND (e.patient = medzen.index_key(h.patient) OR e.target_id = h.recording_id::text))
    OR EXISTS (
      SELECT FROM medzen.audit_rows r JOIN medzen.audit_leaf l ON l.event_id = r.event_id JOIN medzen.audit_event e ON e.id = r.event_id
      WHERE medzen.patient_hashes(r.patients) @> ARRAY[hashtextextended(h.patient COLLATE "C", 0)]
        AND e.tenant = h.tenant AND l.leaf_index >= p_first AND l.leaf_index < p_end)))
$function$;

CREATE OR REPLACE FUNCTION medzen.is_auditor()
 RETURNS boolean
 LANGUAGE sql
 STABLE
RETURN false;

CREATE OR REPLACE FUNCTION medzen.is_beyond_recall(r medzen.recording)
 RETURNS boolean
 LANGUAGE sql
 STABLE
RETURN (((r).state = 'deleted'::text) OR (((r).state = 'deleting'::text) AND (((r).removed_versions > 0) OR COALESCE((((r).deletion ->> 'providerAsked'::text))::boolean, false))));

CREATE OR REPLACE FUNCTION medzen.is_erased(p_tenant text, p_pseudonym text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT EXISTS (
    SELECT FROM medzen.audit_event e
    WHERE e.target_id = p_pseudonym AND e.tenant = p_tenant AND e.action = 'identity.erase' AND e.outcome = 'success')
  OR EXISTS (
    SELECT FROM medzen.audit_event e
    WHERE e.action = 'identity.erase' AND e.tenant = p_tenant AND e.outcome = 'success'
      AND position('"pseudonyms":['::bytea IN e.body) > 0
      AND convert_from(e.body, 'UTF8')::jsonb #> '{detail,pseudonyms}' ? p_pseudonym)
$function$;

CREATE OR REPLACE FUNCTION medzen.is_filed(p_event medzen.audit_event)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.is_identity_held(p_tenant text, p_kind text, p_value text, p_pseudonyms text[])
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT EXISTS (
    SELECT FROM medzen.legal_hold h
    WHERE h.tenant = p_tenant AND h.released_at IS NULL AND (
      p_kind = 'patient' AND (medzen.index_key(h.patient) = medzen.index_key(p_value) OR EXISTS (
        SELECT FROM medzen.recording r WHERE r.tenant = h.tenant AND r.id = h.recording_id AND r.patient = p_value))
      OR EXISTS (
        SELECT FROM medzen.audit_event e
        WHERE e.tenant = p_tenant AND e.patient = ANY (medzen.identity_keys(p_tenant, medzen.index_key(h.patient), 'patient')
            || medzen.identity_keys(p_tenant, h.patient, 'patient'))
          AND medzen.names_identity(e.body, p_pseudonyms))
      OR EXISTS (
        SELECT FROM medzen.audit_event e
        WHERE e.tenant = p_tenant AND e.target_id = h.recording_id::text AND medzen.names_identity(e.body, p_pseudonyms))))
$function$;

CREATE OR REPLACE FUNCTION medzen.is_proved(i medzen.erasable_identity)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN COALESCE(((i).pseudonym = medzen.pseudonym_of((i).salt, (i).tenant, (i).kind, (i).value)), false);

CREATE OR REPLACE FUNCTION medzen.is_purge_of(p_body bytea, p_first bigint, p_end bigint, p_manifest_sha256 bytea)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb @> jsonb_build_object(
    'action', 'audit.purge', 'kind', 'delete', 'outcome', 'success',
    'target', jsonb_build_object('type', 'audit_archive', 'id', p_first || '-' || p_end),
    'detail', jsonb_build_object('first', p_first, 'end', p_end, 'manifestSha256', encode(p_manifest_sha256, 'hex')));
EXCEPTION
  WHEN data_exception THEN RETURN false; -- damaged, or no event
END
$function$;

CREATE OR REPLACE FUNCTION medzen.is_same_event(p_tenant text, p_stored bytea, p_given text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_all CONSTANT text[] := ARRAY['patient', 'user', 'name', 'ip', 'recipient'];
  v_stored text;
BEGIN
  IF p_stored = convert_to(p_given, 'UTF8') THEN
    RETURN true;
  END IF;
  v_stored := convert_from(p_stored, 'UTF8');
  RETURN medzen.pseudonymize_event(p_tenant, v_stored, v_all, 'mask') = medzen.pseudonymize_event(p_tenant, p_given, v_all, 'mask')
    AND NOT EXISTS (
      SELECT FROM unnest(medzen.identity_texts(v_stored), medzen.identity_texts(p_given)) AS t (kept, said)
      LEFT JOIN medzen.erasable_identity i ON i.tenant = p_tenant AND i.pseudonym = t.kept AND medzen.is_proved(i)
      WHERE t.kept IS DISTINCT FROM t.said AND CASE WHEN i.pseudonym IS NULL
        THEN coalesce(t.kept !~ '^erasable:v1:[A-Za-z0-9_-]{43}$', true) ELSE t.said IS DISTINCT FROM i.value END
        -- Another pseudonym of the same value, or that before the switch: concurrent writers may
        -- not know of each other.
        AND medzen.reveal(p_tenant, t.said) IS DISTINCT FROM coalesce(i.value, t.kept));
EXCEPTION
  WHEN data_exception OR SQLSTATE 'MZ001' THEN RETURN false; -- damaged, or no event
END
$function$;

CREATE OR REPLACE FUNCTION medzen.is_same_person(p_tenant text, p_queued text, p_said text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT medzen.index_key(p_queued) IS NOT DISTINCT FROM p_said
    OR medzen.reveal(p_tenant, p_queued) IS NOT DISTINCT FROM medzen.reveal(p_tenant, p_said)
    OR coalesce(p_queued ~ '^erasable:v1:[A-Za-z0-9_-]{43}$' AND medzen.is_erased(p_tenant, p_queued), false)
$function$;

CREATE OR REPLACE FUNCTION medzen.is_system_admin()
 RETURNS boolean
 LANGUAGE sql
 STABLE
RETURN false;

CREATE OR REPLACE FUNCTION medzen.is_zone(p_zone text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_zone ~ '^[A-Za-z][A-Za-z_-]*(/[A-Za-z][A-Za-z_-]*){1,2}$' OR p_zone ~ '^Etc/GMT[+-]?[0-9]{1,2}$' THEN
    PERFORM medzen.now() AT TIME ZONE p_zone;
    RETURN true;
  END IF;
  RETURN p_zone = 'UTC' OR EXISTS (SELECT FROM pg_timezone_names z WHERE lower(z.name) = lower(p_zone));
EXCEPTION
  WHEN invalid_parameter_value THEN RETURN false;
END $function$;

CREATE OR REPLACE FUNCTION medzen.jcs(p_value jsonb, p_depth integer DEFAULT 0)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_depth > 128 THEN
    PERFORM medzen.fail('invalid_input', 'Cannot write canonical JSON: nested too deeply');
  END IF;
  CASE jsonb_typeof(p_value)
    WHEN 'object' THEN
      RETURN (SELECT '{' || coalesce(string_agg(to_jsonb(m.key)::text || ':' || CASE jsonb_typeof(m.value) WHEN 'string' THEN m.value::text
        ELSE medzen.jcs(m.value, p_depth + 1) END, ','
        ORDER BY medzen.jcs_sort_key(m.key) COLLATE "C"), '') || '}' FROM jsonb_each(p_value) m);
    WHEN 'array' THEN
      RETURN (SELECT '[' || coalesce(string_agg(medzen.jcs(i.value, p_depth + 1), ',' ORDER BY i.at), '') || ']'
        FROM jsonb_array_elements(p_value) WITH ORDINALITY AS i (value, at));
    WHEN 'number' THEN
      RETURN medzen.jcs_number((p_value #>> '{}')::numeric);
    ELSE
      RETURN p_value::text; -- Postgres escapes as ECMAScript does
  END CASE;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.jcs_event(p_draft jsonb, OUT id text, OUT body bytea)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_at timestamptz := medzen.now();
BEGIN
  PERFORM medzen.check_draft(p_draft);
  id := medzen.uuid_at(v_at);
  body := convert_to(medzen.jcs(
    CASE WHEN p_draft #> '{source,userAgent}' IS NULL THEN p_draft
      ELSE jsonb_set(p_draft, '{source,userAgent}', to_jsonb(medzen.utf16_cut(p_draft #>> '{source,userAgent}', 512))) END
    || jsonb_build_object('v', 1, 'id', id, 'at', medzen.format_instant(v_at), 'nonce', medzen.random_nonce())), 'UTF8');
  IF octet_length(body) > 65535 THEN
    PERFORM medzen.fail('invalid_input', 'An audit event exceeds 65535 bytes');
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.jcs_number(p_number numeric)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET extra_float_digits TO '1'
AS $function$
DECLARE
  v_double float8;
  v_text text;
  -- The number is 0.<digits> times ten to the power of v_point.
  v_digits text;
  v_point int;
  v_shorter numeric;
  v_found boolean := true;
BEGIN
  IF abs(p_number) <= 9007199254740992 AND p_number = trunc(p_number) THEN
    RETURN p_number::bigint::text;
  END IF;
  BEGIN
    v_double := abs(p_number)::float8;
  EXCEPTION
    WHEN numeric_value_out_of_range THEN
      IF abs(p_number) < 1 THEN
        RETURN '0'; -- nearer to zero than to any double
      END IF;
      PERFORM medzen.fail('invalid_input', 'Cannot write canonical JSON: a number is not finite');
  END;
  v_text := split_part(v_double::text, 'e', 1);
  v_digits := replace(v_text, '.', '');
  v_point := length(split_part(v_text, '.', 1)) + coalesce(nullif(split_part(v_double::text, 'e', 2), ''), '0')::int;
  v_point := v_point - (length(v_digits) - length(ltrim(v_digits, '0')));
  v_digits := btrim(v_digits, '0');
  -- Postgres does not take a decimal that lies exactly between two doubles, ECMAScript does when it reads back as this one. Only
  -- numbers of this size have such a decimal with fewer digits.
  WHILE v_found AND length(v_digits) > 1 AND v_point BETWEEN 15 AND 45 LOOP
    v_found := false;
    FOR v_up IN 0 .. 1 LOOP
      v_shorter := left(v_digits, -1)::numeric + v_up;
      IF (v_shorter::text || 'e' || (v_point - length(v_digits) + 1))::float8 = v_double THEN
        v_point := v_point + length(v_shorter::text) - (length(v_digits) - 1);
        v_digits := rtrim(v_shorter::text, '0');
        v_found := true;
        EXIT;
      END IF;
    END LOOP;
  END LOOP;
  RETURN CASE WHEN p_number < 0 THEN '-' ELSE '' END || CASE
    WHEN v_point BETWEEN length(v_digits) AND 21 THEN v_digits || repeat('0', v_point - length(v_digits))
    WHEN v_point BETWEEN 1 AND 21 THEN left(v_digits, v_point) || '.' || substr(v_digits, v_point + 1)
    WHEN v_point BETWEEN -5 AND 0 THEN '0.' || repeat('0', -v_point) || v_digits
    ELSE left(v_digits, 1) || CASE WHEN length(v_digits) > 1 THEN '.' || substr(v_digits, 2) ELSE '' END
      || 'e' || CASE WHEN v_point > 0 THEN '+' ELSE '' END || (v_point - 1)
  END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.jcs_sort_key(p_name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (p_name ~ '[-􏿿]'::text) THEN regexp_replace(replace(p_name, '􏿿'::text, '􏿿'::text), '([-￿])'::text, ('􏿿'::text || '\1'::text), 'g'::text) ELSE p_name END;

CREATE OR REPLACE FUNCTION medzen.job_owner()
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT r.rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.oid = 'medzen'::regnamespace
$function$;

CREATE OR REPLACE FUNCTION medzen.job_statements(p_remove boolean DEFAULT false)
 RETURNS TABLE(statement text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN j.enabled AND NOT p_remove
    THEN format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
      n.name, j.schedule, j.command, current_database(), medzen.job_owner())
    ELSE format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L;', n.name)
  END
  FROM medzen.job j CROSS JOIN LATERAL (SELECT medzen.scheduled_name(j.name, true) AS name) n
  ORDER BY j.name
$function$;

CREATE OR REPLACE FUNCTION medzen.keep_erasable(VARIADIC p_kinds text[] DEFAULT '{}'::text[])
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_table text;
BEGIN
  IF NOT p_kinds <@ ARRAY['patient', 'user', 'name', 'ip', 'recipient'] OR array_position(p_kinds, NULL) IS NOT NULL THEN
    PERFORM medzen.fail('invalid_input', 'The kinds are patient, user, name, ip and recipient');
  END IF;
  SELECT min(t.tgrelid::regclass::text) INTO v_table
  FROM pg_trigger t
  WHERE t.tgfoid = 'medzen.audit_change'::regproc AND split_part(encode(t.tgargs, 'escape'), '\000', 2) = 'statement';
  IF 'patient' = ANY (p_kinds) AND v_table IS NOT NULL THEN
    PERFORM medzen.fail('invalid_configuration',
      format('%s is audited by statement, which keeps patients in clear: call audit_table with granularity patient', v_table));
  END IF;
  LOCK TABLE medzen.erasable_kind IN ACCESS EXCLUSIVE MODE;
  DELETE FROM medzen.erasable_kind k WHERE k.kind <> ALL (p_kinds);
  INSERT INTO medzen.erasable_kind (kind, since) SELECT DISTINCT k, medzen.now() FROM unnest(p_kinds) k ON CONFLICT DO NOTHING;
  PERFORM medzen.record_event('config.change', 'update', p_target_type => 'erasable_identity',
    p_detail => jsonb_build_object('kinds', to_jsonb(p_kinds)));
  RETURN (SELECT count(*) FROM medzen.erasable_kind);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.known_pseudonym(p_tenant text, p_kind text, p_text text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN p_text ~ '^erasable:v1:[A-Za-z0-9_-]{43}$' THEN p_text
    ELSE coalesce((medzen.pseudonyms_of(p_tenant, p_kind, p_text))[1], p_text) END
$function$;

CREATE OR REPLACE FUNCTION medzen.latest_consents(p_tenant text, p_session_id text)
 RETURNS SETOF medzen.consent
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT DISTINCT ON (c.participant) c.tenant,
     c.id,
     c.session_id,
     c.ordinal,
     c.participant,
     c.decision,
     c.acknowledged_recording,
     c.acknowledged_storage,
     c.acknowledged_access,
     c.acknowledged_retention,
     c.text_version,
     c.text_sha256,
     c.language,
     c.method,
     c.location,
     c.ip,
     c.user_agent,
     c.at
    FROM medzen.consent c
   WHERE ((c.tenant = latest_consents.p_tenant) AND (c.session_id = latest_consents.p_session_id))
   ORDER BY c.participant, c.ordinal DESC;
END;

CREATE OR REPLACE FUNCTION medzen.leaf_of(p_event_id text)
 RETURNS TABLE(leaf_index text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT l.leaf_index::text FROM medzen.audit_leaf l WHERE l.event_id = p_event_id::uuid
$function$;

CREATE OR REPLACE FUNCTION medzen.legal_hold_json(h medzen.legal_hold)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
RETURN jsonb_strip_nulls(jsonb_build_object('id', (h).id, 'target', CASE WHEN ((h).patient IS NULL) THEN jsonb_build_object('recordingId', (h).recording_id) ELSE jsonb_build_object('patient', (h).patient) END, 'matter', (h).matter, 'reason', (h).reason, 'placedBy', (h).placed_by, 'placedAt', medzen.format_instant((h).placed_at), 'releasedBy', (h).released_by, 'releasedAt', medzen.format_instant((h).released_at)));

CREATE OR REPLACE FUNCTION medzen.limit_cost(p_request jsonb, p_unit bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (ceil((((p_request ->> 'cost'::text))::numeric * (p_unit)::numeric)))::bigint;

CREATE OR REPLACE FUNCTION medzen.limit_decision(p_ahead bigint, p_spent boolean, p_unit bigint, p_room bigint, p_cost bigint)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object('allowed', (p_spent OR ((p_ahead + p_cost) <= p_room)), 'remaining', GREATEST((0)::bigint, ((p_room - p_ahead) / p_unit)), 'retryAfterMs', CASE WHEN p_spent THEN (0)::bigint ELSE GREATEST((0)::bigint, ((((p_ahead + p_cost) - p_room) + 999999) / 1000000)) END, 'resetMs', ((p_ahead + 999999) / 1000000));

CREATE OR REPLACE FUNCTION medzen.limit_room(p_request jsonb, p_unit bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (floor((((p_request ->> 'burst'::text))::numeric * (p_unit)::numeric)))::bigint;

CREATE OR REPLACE FUNCTION medzen.limit_unit(p_request jsonb)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (GREATEST((1)::numeric, div((((p_request ->> 'periodMs'::text))::numeric * (1000000)::numeric), ((p_request ->> 'rate'::text))::numeric)))::bigint;

CREATE OR REPLACE FUNCTION medzen.list_access_requests(p_tenant text, p_limit integer, p_id uuid DEFAULT NULL::uuid, p_recording_id uuid DEFAULT NULL::uuid, p_due_before timestamp with time zone DEFAULT NULL::timestamp with time zone, p_after timestamp with time zone DEFAULT NULL::timestamp with time zone, p_after_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 201 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be from 1 to 200');
  END IF;
  EXECUTE format(
    $sql$
      SELECT coalesce(jsonb_agg(medzen.access_request_json(page.q) ORDER BY (page.q).due_at, (page.q).id), '[]')
      FROM (
        SELECT q FROM medzen.access_request q
        WHERE q.tenant = $1 AND %s
          AND ($5 IS NULL OR q.due_at < $5)
          AND (q.due_at, q.id) > (coalesce($6, '-infinity'), coalesce($7, '00000000-0000-0000-0000-000000000000'::uuid))
        ORDER BY q.due_at, q.id
        LIMIT $2) page
    $sql$,
    CASE
      WHEN p_id IS NOT NULL THEN 'q.id = $3'
      WHEN p_recording_id IS NOT NULL THEN '(q.recording_id = $4 OR q.patient = (
        SELECT r.patient FROM medzen.recording r WHERE r.tenant = $1 AND r.id = $4))'
      ELSE 'q.closed_at IS NULL' END)
    INTO v_result
    USING p_tenant, p_limit, p_id, p_recording_id, p_due_before, p_after, p_after_id;
  RETURN v_result;
END $function$;

CREATE OR REPLACE FUNCTION medzen.list_consents(p_tenant text, p_session_id text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(medzen.consent_json(c.*) ORDER BY c.participant), '[]'::jsonb) AS "coalesce"
    FROM medzen.latest_consents(list_consents.p_tenant, list_consents.p_session_id) c(tenant, id, session_id, ordinal, participant, decision, acknowledged_recording, acknowledged_storage, acknowledged_access, acknowledged_retention, text_version, text_sha256, language, method, location, ip, user_agent, at);
END;

CREATE OR REPLACE FUNCTION medzen.list_due_archives(p_tenant text, p_now timestamp with time zone, p_rules_version text, p_limit integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(medzen.recording_json(r.*) ORDER BY due.turn, due.id), '[]'::jsonb) AS "coalesce"
    FROM ((( SELECT q.id,
             q.retain_until AS turn
            FROM medzen.recording q
           WHERE ((q.tenant = list_due_archives.p_tenant) AND (q.state = 'available'::text) AND (q.facts_revision = q.subject_revision) AND (q.rules_version = list_due_archives.p_rules_version) AND (q.retain_until <= list_due_archives.p_now) AND (NOT (EXISTS ( SELECT
                    FROM medzen.postponed p
                   WHERE ((p.tenant = list_due_archives.p_tenant) AND (p.recording_id = q.id) AND (p.queue = 'archive'::text))))))
           ORDER BY q.retain_until, q.id
          LIMIT list_due_archives.p_limit)
         UNION ALL
         ( SELECT q.id,
             p.until AS turn
            FROM (medzen.postponed p
              JOIN medzen.recording q ON (((q.tenant = p.tenant) AND (q.id = p.recording_id))))
           WHERE ((p.tenant = list_due_archives.p_tenant) AND (p.queue = 'archive'::text) AND (p.until <= list_due_archives.p_now) AND (q.tenant = list_due_archives.p_tenant) AND (q.state = 'available'::text) AND (q.facts_revision = q.subject_revision) AND (q.rules_version = list_due_archives.p_rules_version) AND (q.retain_until <= list_due_archives.p_now))
           ORDER BY p.until, q.id
          LIMIT list_due_archives.p_limit)
   ORDER BY 2, 1
  LIMIT list_due_archives.p_limit) due
      JOIN medzen.recording r ON (((r.tenant = list_due_archives.p_tenant) AND (r.id = due.id))));
END;

CREATE OR REPLACE FUNCTION medzen.list_due_discards(p_tenant text, p_failure_code text, p_now timestamp with time zone, p_limit integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(medzen.recording_json(r.*) ORDER BY due.turn, due.id), '[]'::jsonb) AS "coalesce"
    FROM ((( SELECT q.id,
             q.started_at AS turn
            FROM medzen.recording q
           WHERE ((q.tenant = list_due_discards.p_tenant) AND (q.failure IS NOT NULL) AND ((q.failure ->> 'code'::text) = list_due_discards.p_failure_code) AND (q.state = ANY (ARRAY['available'::text, 'archived'::text])) AND (NOT (EXISTS ( SELECT
                    FROM medzen.postponed p
                   WHERE ((p.tenant = list_due_discards.p_tenant) AND (p.recording_id = q.id) AND (p.queue = 'discard'::text))))))
           ORDER BY q.started_at, q.id
          LIMIT list_due_discards.p_limit)
         UNION ALL
         ( SELECT q.id,
             p.until AS turn
            FROM (medzen.postponed p
              JOIN medzen.recording q ON (((q.tenant = p.tenant) AND (q.id = p.recording_id))))
           WHERE ((p.tenant = list_due_discards.p_tenant) AND (p.queue = 'discard'::text) AND (p.until <= list_due_discards.p_now) AND (q.tenant = list_due_discards.p_tenant) AND (q.failure IS NOT NULL) AND ((q.failure ->> 'code'::text) = list_due_discards.p_failure_code) AND (q.state = ANY (ARRAY['available'::text, 'archived'::text])))
           ORDER BY p.until, q.id
          LIMIT list_due_discards.p_limit)
   ORDER BY 2, 1
  LIMIT list_due_discards.p_limit) due
      JOIN medzen.recording r ON (((r.tenant = list_due_discards.p_tenant) AND (r.id = due.id))));
END;

CREATE OR REPLACE FUNCTION medzen.list_due_warnings(p_tenant text, p_now timestamp with time zone, p_limit integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(medzen.recording_json(r.*) ORDER BY due.turn, due.id), '[]'::jsonb) AS "coalesce"
    FROM ((( SELECT q.id,
             q.warn_at AS turn
            FROM medzen.recording q
           WHERE ((q.tenant = list_due_warnings.p_tenant) AND (q.state <> ALL (ARRAY['deleting'::text, 'deleted'::text])) AND (q.deletable_at IS NULL) AND (q.warn_at <= list_due_warnings.p_now) AND (q.grace_until IS NOT NULL) AND (NOT (EXISTS ( SELECT
                    FROM medzen.postponed p
                   WHERE ((p.tenant = list_due_warnings.p_tenant) AND (p.recording_id = q.id) AND (p.queue = 'warning'::text))))))
           ORDER BY q.warn_at, q.id
          LIMIT list_due_warnings.p_limit)
         UNION ALL
         ( SELECT q.id,
             p.until AS turn
            FROM (medzen.postponed p
              JOIN medzen.recording q ON (((q.tenant = p.tenant) AND (q.id = p.recording_id))))
           WHERE ((p.tenant = list_due_warnings.p_tenant) AND (p.queue = 'warning'::text) AND (p.until <= list_due_warnings.p_now) AND (q.tenant = list_due_warnings.p_tenant) AND (q.state <> ALL (ARRAY['deleting'::text, 'deleted'::text])) AND (q.deletable_at IS NULL) AND (q.warn_at <= list_due_warnings.p_now) AND (q.grace_until IS NOT NULL))
           ORDER BY p.until, q.id
          LIMIT list_due_warnings.p_limit)
   ORDER BY 2, 1
  LIMIT list_due_warnings.p_limit) due
      JOIN medzen.recording r ON (((r.tenant = list_due_warnings.p_tenant) AND (r.id = due.id))));
END;

CREATE OR REPLACE FUNCTION medzen.list_facts(p_tenant text, p_patient text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT jsonb_build_object('revision', COALESCE(( SELECT s.revision
            FROM medzen.retention_subject s
           WHERE ((s.tenant = list_facts.p_tenant) AND (s.patient = list_facts.p_patient))), 0), 'facts', COALESCE(( SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', f.id, 'patient', f.patient, 'type', f.type, 'date', to_char((f.date)::timestamp with time zone, 'YYYY-MM-DD'::text), 'zone', f.zone, 'voids', f.voids)) ORDER BY f.revision) AS jsonb_agg
            FROM medzen.retention_fact f
           WHERE ((f.tenant = list_facts.p_tenant) AND (f.patient = list_facts.p_patient))), '[]'::jsonb)) AS jsonb_build_object;
END;

CREATE OR REPLACE FUNCTION medzen.list_holds(p_tenant text, p_recording_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(medzen.legal_hold_json(h.*) ORDER BY h.placed_at, h.id), '[]'::jsonb) AS "coalesce"
    FROM (medzen.recording r
      JOIN medzen.legal_hold h ON (((h.tenant = r.tenant) AND ((h.recording_id = r.id) OR (h.patient = r.patient)))))
   WHERE ((r.tenant = list_holds.p_tenant) AND (r.id = list_holds.p_recording_id));
END;

CREATE OR REPLACE FUNCTION medzen.list_recordings(p_tenant text, p_limit integer, p_session_id text DEFAULT NULL::text, p_patient text DEFAULT NULL::text, p_state text DEFAULT NULL::text, p_participant text DEFAULT NULL::text, p_failure_code text DEFAULT NULL::text, p_before timestamp with time zone DEFAULT NULL::timestamp with time zone, p_before_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_from text := 'medzen.recording r';
  v_at text := 'r.started_at';
  v_id text := 'r.id';
  v_where text := 'r.tenant = $1';
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 201 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 201');
  END IF;
  IF p_participant IS NOT NULL THEN
    v_from := 'medzen.recording_participant p JOIN medzen.recording r ON r.tenant = p.tenant AND r.id = p.recording_id';
    v_at := 'p.started_at';
    v_id := 'p.recording_id';
    v_where := 'p.tenant = $1 AND p.participant = $6';
  END IF;
  v_where := v_where
    || CASE WHEN p_session_id IS NULL THEN '' ELSE ' AND r.session_id = $3' END
    || CASE WHEN p_patient IS NULL THEN '' ELSE ' AND r.patient = $4' END
    || CASE WHEN p_state IS NULL THEN '' ELSE ' AND r.state = $5' END
    || CASE WHEN p_failure_code IS NULL THEN '' ELSE ' AND r.failure IS NOT NULL AND r.failure ->> ''code'' = $7' END
    || CASE WHEN p_before IS NULL THEN '' ELSE format(' AND (%s, %s) < ($8, $9)', v_at, v_id) END;
  EXECUTE format(
    $sql$
      SELECT coalesce(jsonb_agg(medzen.recording_json(page.r) ORDER BY (page.r).started_at DESC, (page.r).id DESC), '[]')
      FROM (SELECT r FROM %s WHERE %s ORDER BY %s DESC, %s DESC LIMIT $2) page
    $sql$, v_from, v_where, v_at, v_id)
    INTO v_result
    USING p_tenant, p_limit, p_session_id, p_patient, p_state, p_participant, p_failure_code, p_before, p_before_id;
  RETURN v_result;
END $function$;

CREATE OR REPLACE FUNCTION medzen.list_reviews(p_tenant text, p_limit integer, p_state text DEFAULT 'open'::text, p_rule text DEFAULT NULL::text, p_after text DEFAULT NULL::text, p_after_id text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_found jsonb;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 OR p_state IS NULL OR p_state NOT IN ('open', 'signed', 'all') THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1001 and p_state ''open'', ''signed'' or ''all''');
  END IF;
  -- Written out for each call, so that the planner sees whether the index of what is open will do.
  EXECUTE format(
    'SELECT coalesce(jsonb_agg(medzen.review_json(q) ORDER BY q.leaf_index, q.id), ''[]'') FROM (
      SELECT r.* FROM medzen.review r WHERE r.tenant = $1 %s %s %s ORDER BY r.leaf_index, r.id LIMIT $2) q',
    CASE p_state WHEN 'open' THEN 'AND r.signed_at IS NULL' WHEN 'signed' THEN 'AND r.signed_at IS NOT NULL' ELSE '' END,
    CASE WHEN p_rule IS NULL THEN '' ELSE 'AND r.rule = $3' END,
    CASE WHEN p_after IS NULL THEN '' ELSE 'AND (r.leaf_index, r.id) > ($4, $5)' END)
  INTO v_found
  USING p_tenant, p_limit, p_rule, p_after::bigint, p_after_id;
  RETURN v_found;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.list_stale_decisions(p_tenant text, p_rules_version text, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_result jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY r.id), '[]') INTO v_result
  FROM medzen.recording r
  WHERE r.tenant = p_tenant AND r.id = ANY (ARRAY(
    SELECT stale.id FROM (
      (SELECT q.id FROM medzen.recording q
       WHERE q.tenant = p_tenant AND q.state <> 'deleted' AND coalesce(q.rules_version, '') < p_rules_version
       ORDER BY coalesce(q.rules_version, ''), q.id
       LIMIT p_limit)
      UNION
      (SELECT q.id FROM medzen.recording q
       WHERE q.tenant = p_tenant AND q.state <> 'deleted' AND coalesce(q.rules_version, '') > p_rules_version
       ORDER BY coalesce(q.rules_version, ''), q.id
       LIMIT p_limit)
      UNION
      (SELECT q.id FROM medzen.recording q
       WHERE q.tenant = p_tenant AND q.state <> 'deleted' AND q.facts_revision <> q.subject_revision
       ORDER BY q.id
       LIMIT p_limit)) stale
    LIMIT p_limit));
  RETURN v_result;
END $function$;

CREATE OR REPLACE FUNCTION medzen.list_tenant_holds(p_tenant text, p_limit integer, p_active boolean DEFAULT NULL::boolean, p_patient text DEFAULT NULL::text, p_matter text DEFAULT NULL::text, p_before timestamp with time zone DEFAULT NULL::timestamp with time zone, p_before_id text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_where text := 'h.tenant = $1';
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be between 1 and 1000');
  END IF;
  v_where := v_where
    || CASE p_active WHEN true THEN ' AND h.released_at IS NULL' WHEN false THEN ' AND h.released_at IS NOT NULL' ELSE '' END
    || CASE WHEN p_patient IS NULL THEN '' ELSE ' AND (h.patient = $3 OR h.recording_id = ANY (ARRAY(
      SELECT r.id FROM medzen.recording r WHERE r.tenant = $1 AND r.patient = $3)))' END
    || CASE WHEN p_matter IS NULL THEN '' ELSE ' AND h.matter = $4' END
    || CASE WHEN p_before IS NULL THEN '' ELSE ' AND (h.placed_at, h.id) < ($5, $6)' END;
  EXECUTE format(
    $sql$
      SELECT coalesce(jsonb_agg(medzen.legal_hold_json(page.h) ORDER BY (page.h).placed_at DESC, (page.h).id DESC), '[]')
      FROM (SELECT h FROM medzen.legal_hold h WHERE %s ORDER BY h.placed_at DESC, h.id DESC LIMIT $2) page
    $sql$, v_where)
    INTO v_result
    USING p_tenant, p_limit, p_patient, p_matter, p_before, p_before_id;
  RETURN v_result;
END $function$;

CREATE OR REPLACE FUNCTION medzen.list_undecided(p_tenant text, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_count integer;
  v_result jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'limit must be between 1 and 1000');
  END IF;
  SELECT count(*) INTO v_count FROM (
    SELECT FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.undated IN ('unknown', 'unjudged')
    LIMIT 10000) counted;
  SELECT coalesce(jsonb_agg(medzen.recording_json(r) ORDER BY r.started_at, r.id), '[]') INTO v_result
  FROM (
    SELECT q.* FROM medzen.recording q
    WHERE q.tenant = p_tenant AND q.state NOT IN ('deleting', 'deleted') AND q.undated IN ('unknown', 'unjudged')
    ORDER BY q.started_at, q.id
    LIMIT p_limit) r;
  RETURN jsonb_build_object('count', v_count, 'recordings', v_result);
END $function$;

CREATE OR REPLACE FUNCTION medzen.lock_consent_session(p_tenant text, p_session_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  INSERT INTO medzen.consent_session (tenant, session_id) VALUES (p_tenant, p_session_id) ON CONFLICT DO NOTHING;
  PERFORM FROM medzen.consent_session s WHERE s.tenant = p_tenant AND s.session_id = p_session_id FOR NO KEY UPDATE;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.make_audit_partitions(p_months integer DEFAULT 6)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '1min'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.move_cursor(p_name text, p_from text, p_to text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_name IS NULL OR p_name !~ '^[a-z0-9][a-z0-9._-]{0,127}$' THEN
    PERFORM medzen.fail('invalid_input', 'p_name must be 1 to 128 characters of a-z, 0-9, ''.'', ''_'', ''-'' and start with a letter or digit');
  END IF;
  IF p_to::bigint NOT BETWEEN 0 AND (SELECT h.size FROM medzen.audit_head h) THEN
    PERFORM medzen.fail('invalid_input', 'p_from and p_to must be from 0 to the size of the log');
  END IF;
  INSERT INTO medzen.tail_cursor (name, leaf_index, moved_at) VALUES (p_name, 0, medzen.now()) ON CONFLICT DO NOTHING;
  UPDATE medzen.tail_cursor c SET leaf_index = p_to::bigint, moved_at = medzen.now()
  WHERE c.name = p_name AND c.leaf_index = p_from::bigint;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'moved' ELSE 'conflict' END);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.names_identity(p_body bytea, p_pseudonyms text[])
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT EXISTS (
    SELECT FROM (SELECT n AS pseudonym, position(convert_to(n, 'UTF8') IN p_body) AS at FROM unnest(p_pseudonyms) n OFFSET 0) f
    WHERE f.at > 0
      AND f.at <> position(convert_to(',"target":{"id":"' || f.pseudonym || '","type":"identity"}', 'UTF8') IN p_body) + 17)
$function$;

CREATE OR REPLACE FUNCTION medzen.next_event_at(p_end bigint)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.next_states(p_state text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
RETURN CASE p_state WHEN 'starting'::text THEN ARRAY['recording'::text, 'processing'::text, 'uploading'::text, 'failed'::text] WHEN 'recording'::text THEN ARRAY['processing'::text, 'uploading'::text, 'failed'::text] WHEN 'processing'::text THEN ARRAY['uploading'::text, 'failed'::text] WHEN 'uploading'::text THEN ARRAY['available'::text, 'failed'::text] WHEN 'available'::text THEN ARRAY['archived'::text, 'deleting'::text] WHEN 'archived'::text THEN ARRAY['available'::text, 'deleting'::text] WHEN 'deleting'::text THEN ARRAY['deleted'::text, 'available'::text, 'archived'::text, 'failed'::text] WHEN 'deleted'::text THEN ARRAY[]::text[] WHEN 'failed'::text THEN ARRAY['recording'::text, 'processing'::text, 'uploading'::text, 'deleting'::text] ELSE NULL::text[] END;

CREATE OR REPLACE FUNCTION medzen.note_access(p_tenant text, p_id uuid, p_kind text, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '10s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_added int;
BEGIN
  IF p_kind IS NULL OR p_kind NOT IN ('view', 'download') THEN
    PERFORM medzen.fail('invalid_input', 'An access is a view or a download');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  ELSIF v_row.object IS NULL OR v_row.state NOT IN ('available', 'archived', 'deleting') OR medzen.is_beyond_recall(v_row) THEN
    RETURN jsonb_build_object('status', 'not_available', 'recording', medzen.recording_json(v_row));
  END IF;
  -- A retry finds its event there, and counts nothing.
  v_added := (medzen.append_events(p_tenant, ARRAY[p_event_id], convert_from(p_event_body, 'UTF8')) ->> 'added')::int;
  UPDATE medzen.recording r SET
    views = r.views + CASE p_kind WHEN 'view' THEN v_added ELSE 0 END,
    downloads = r.downloads + CASE p_kind WHEN 'download' THEN v_added ELSE 0 END
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  RETURN jsonb_build_object('status', 'noted', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.note_audited(p_table regclass, p_detail jsonb)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_detail ->> 'granularity' = 'statement' AND EXISTS (SELECT FROM medzen.erasable_kind k WHERE k.kind = 'patient') THEN
    PERFORM medzen.fail('invalid_configuration',
      'A table audited by statement keeps patients in clear: call audit_table with granularity patient');
  END IF;
  RETURN medzen.record_event('config.change', 'execute', p_target_type => 'audit_table', p_target_id => medzen.table_name(p_table),
    p_detail => p_detail);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.note_fact(p_tenant text, p_id uuid, p_patient text, p_type text, p_date date, p_zone text, p_event_id text, p_event_body bytea, p_voids uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_old medzen.retention_fact;
  v_revision integer;
BEGIN
  INSERT INTO medzen.retention_subject (tenant, patient) VALUES (p_tenant, p_patient) ON CONFLICT DO NOTHING;
  SELECT s.revision INTO v_revision FROM medzen.retention_subject s
  WHERE s.tenant = p_tenant AND s.patient = p_patient FOR NO KEY UPDATE;

  SELECT * INTO v_old FROM medzen.retention_fact f WHERE f.tenant = p_tenant AND f.id = p_id;
  IF found THEN
    IF (v_old.patient, v_old.type, v_old.date, v_old.zone, v_old.voids)
      IS DISTINCT FROM (p_patient, p_type, p_date, p_zone, p_voids) THEN
      PERFORM medzen.fail('conflict', 'A fact with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated', 'revision', v_revision);
  END IF;

  PERFORM medzen.check_fact(p_tenant, p_patient, p_type, p_date, p_zone, p_voids);
  v_revision := v_revision + 1;
  BEGIN
    INSERT INTO medzen.retention_fact (tenant, id, patient, revision, type, date, zone, voids)
    VALUES (p_tenant, p_id, p_patient, v_revision, p_type, p_date, p_zone, p_voids);
  EXCEPTION WHEN unique_violation THEN
    -- The same id for another patient, a moment ago: this patient is locked.
    PERFORM medzen.fail('conflict', 'A fact with this id has other content');
  END;
  UPDATE medzen.retention_subject s SET revision = v_revision WHERE s.tenant = p_tenant AND s.patient = p_patient;

  -- In order of id, as everyone locks them. From here no decision on them is of the present facts.
  PERFORM FROM medzen.recording r
  WHERE r.tenant = p_tenant AND r.patient = p_patient AND r.state <> 'deleted'
  ORDER BY r.id FOR NO KEY UPDATE;
  UPDATE medzen.recording r SET subject_revision = v_revision
  WHERE r.tenant = p_tenant AND r.patient = p_patient AND r.state <> 'deleted';
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'noted', 'revision', v_revision);
END $function$;

CREATE OR REPLACE FUNCTION medzen.note_lock(p_tenant text, p_id uuid, p_token text, p_lock jsonb DEFAULT NULL::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_token text;
BEGIN
  SELECT r.claim_token::text INTO v_token FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  ELSIF v_token IS DISTINCT FROM p_token THEN
    RETURN jsonb_build_object('status', 'lease_lost');
  END IF;
  UPDATE medzen.recording r SET object_lock = p_lock WHERE r.tenant = p_tenant AND r.id = p_id;
  RETURN jsonb_build_object('status', 'noted');
END $function$;

CREATE OR REPLACE FUNCTION medzen.note_removal(p_tenant text, p_id uuid, p_token text, p_refs text[], p_sizes text[], p_kept text[], p_provider boolean, p_facts_revision integer, p_rules_version text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_status text;
BEGIN
  IF cardinality(p_refs) > 1000 OR cardinality(p_kept) > 1000 OR cardinality(p_refs) <> cardinality(p_sizes) THEN
    PERFORM medzen.fail('invalid_input', 'removing and kept must have at most 1000 members each');
  END IF;
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_status := CASE
    WHEN NOT found THEN 'not_found'
    WHEN v_row.claim_token::text IS DISTINCT FROM p_token THEN 'lease_lost'
    WHEN v_row.state <> 'deleting' THEN 'not_begun'
    WHEN medzen.is_beyond_recall(v_row) OR NOT p_provider AND cardinality(p_refs) = 0 THEN NULL
    WHEN v_row.hold_count > 0 THEN 'held'
    WHEN v_row.request_count > 0 THEN 'access_requested'
    WHEN v_row.deletion ->> 'basis' = 'retention' AND (v_row.rules_version IS DISTINCT FROM p_rules_version
      OR v_row.facts_revision IS DISTINCT FROM p_facts_revision
      OR v_row.facts_revision IS DISTINCT FROM v_row.subject_revision
      -- A floor that was set since it began, though another worker has decided with it by now.
      OR v_row.keep_until > (v_row.deletion ->> 'startedAt')::timestamptz) THEN 'stale'
  END;
  IF v_status IS NOT NULL THEN
    RETURN jsonb_build_object('status', v_status);
  END IF;

  DELETE FROM medzen.removed_version v WHERE v.tenant = p_tenant AND v.recording_id = p_id AND v.ref = ANY (p_kept);
  INSERT INTO medzen.removed_version (tenant, recording_id, ref, size)
  SELECT p_tenant, p_id, u.ref, max(u.size::bigint) FROM unnest(p_refs, p_sizes) u(ref, size) GROUP BY u.ref
  ON CONFLICT (tenant, recording_id, ref) DO NOTHING;
  UPDATE medzen.recording r SET
    removed_versions = n.versions,
    removed_bytes = n.bytes,
    deletion = CASE WHEN p_provider THEN r.deletion || '{"providerAsked": true}' ELSE r.deletion END
  FROM (
    SELECT count(*)::integer AS versions, coalesce(sum(v.size), 0)::bigint AS bytes FROM medzen.removed_version v
    WHERE v.tenant = p_tenant AND v.recording_id = p_id) n
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  RETURN jsonb_build_object('status', 'noted', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 PARALLEL SAFE
RETURN clock_timestamp();

CREATE OR REPLACE FUNCTION medzen.now_ns()
 RETURNS bigint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((EXTRACT(epoch FROM medzen.now()) * (1000000)::numeric))::bigint * 1000);

CREATE OR REPLACE FUNCTION medzen.oldest_transaction(p_open interval)
 RETURNS TABLE(pid integer, since timestamp with time zone, prepared boolean, elsewhere boolean)
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.oldest_writer()
 RETURNS TABLE(pid integer, since timestamp with time zone, prepared boolean)
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.one_of(p_column text, p_place text, p_values text[])
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_values IS NULL THEN
    RETURN '';
  ELSIF cardinality(p_values) NOT BETWEEN 1 AND 100 OR array_position(p_values, NULL) IS NOT NULL THEN
    PERFORM medzen.fail('invalid_input', 'A search is for 1 to 100 values');
  END IF;
  RETURN CASE cardinality(p_values) WHEN 1 THEN format(' AND %s = (%s)[1]', p_column, p_place)
    ELSE format(' AND %s = ANY (%s)', p_column, p_place) END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.open_access_request(p_tenant text, p_id uuid, p_requested_by text, p_received_at timestamp with time zone, p_due_at timestamp with time zone, p_opened_by text, p_event_id text, p_event_body bytea, p_recording_id uuid DEFAULT NULL::uuid, p_patient text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_old medzen.access_request;
BEGIN
  IF num_nonnulls(p_recording_id, p_patient) <> 1 THEN
    PERFORM medzen.fail('invalid_input', 'An access request is on one recording or on one patient');
  END IF;
  SELECT * INTO v_old FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id;
  IF found THEN
    RETURN medzen.repeated_access_request(v_old, p_recording_id, p_patient);
  END IF;

  IF p_recording_id IS NULL THEN
    INSERT INTO medzen.retention_subject (tenant, patient) VALUES (p_tenant, p_patient) ON CONFLICT DO NOTHING;
    PERFORM FROM medzen.retention_subject s WHERE s.tenant = p_tenant AND s.patient = p_patient FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_recording_id FOR NO KEY UPDATE;
    IF NOT found THEN
      RETURN jsonb_build_object('status', 'not_found');
    END IF;
    IF EXISTS (
      SELECT FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_recording_id AND medzen.is_beyond_recall(r)) THEN
      RETURN jsonb_build_object('status', 'too_late', 'recordingIds', jsonb_build_array(p_recording_id));
    END IF;
  END IF;

  BEGIN
    INSERT INTO medzen.access_request (tenant, id, recording_id, patient, requested_by, received_at, due_at, opened_by)
    VALUES (p_tenant, p_id, p_recording_id, p_patient, p_requested_by, p_received_at, p_due_at, p_opened_by);
  EXCEPTION WHEN unique_violation THEN
    -- Opened a moment ago, by a retry or by another person.
    SELECT * INTO v_old FROM medzen.access_request q WHERE q.tenant = p_tenant AND q.id = p_id;
    RETURN medzen.repeated_access_request(v_old, p_recording_id, p_patient);
  END;
  PERFORM medzen.count_access_request(p_tenant, p_recording_id, p_patient, 1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'opened', 'tooLate', medzen.beyond_recall_of(p_tenant, p_patient));
END $function$;

CREATE OR REPLACE FUNCTION medzen.open_archive(p_max_leaves integer)
 RETURNS TABLE(first_leaf text, end_leaf text, newest_at text, manifest_sha256 bytea, purge_event text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.open_event(p_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_event jsonb;
  v_path text[];
  v_value text;
BEGIN
  v_event := replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb; -- damaged bytes are caught only here
  IF position('erasable:v1:'::bytea IN p_body) > 0 THEN
    FOR v_path IN SELECT string_to_array(p, ',') FROM unnest(ARRAY['actor,id', 'actor,onBehalfOf', 'actor,name', 'source,ip',
      'disclosure,recipient,name', 'disclosure,recipient,address', 'target,id', 'patient']) p
    LOOP
      CONTINUE WHEN v_path = '{target,id}' AND NOT (coalesce(v_event #>> '{target,type}', '') IN ('patient', 'user')
        OR coalesce(v_event #>> '{target,id}' = v_event ->> 'patient', false));
      v_value := medzen.reveal(v_event ->> 'tenant', v_event #>> v_path);
      IF v_value <> v_event #>> v_path THEN
        v_event := jsonb_set(v_event, v_path, to_jsonb(v_value));
      END IF;
    END LOOP;
  END IF;
  RETURN v_event;
EXCEPTION
  WHEN data_exception THEN RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.open_found(p_id text, p_body bytea, p_filters jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_event jsonb := medzen.open_event(p_body);
  -- As the log holds it: who looks for a pseudonym finds by it, too.
  v_stored jsonb;
BEGIN
  IF v_event IS NULL OR medzen.rows_state(p_id::uuid, p_body) IS NOT NULL OR v_event ->> 'id' IS DISTINCT FROM p_id
     OR v_event ->> 'tenant' IS DISTINCT FROM medzen.current_tenant() OR v_event #>> '{actor,id}' IS NULL THEN
    RETURN NULL;
  END IF;
  v_stored := replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
  RETURN CASE WHEN (
      p_filters ->> 'patient' IS NULL OR p_filters ->> 'patient' IN (v_event ->> 'patient', v_stored ->> 'patient')
        OR v_event ->> 'patient' IS NULL AND v_event #>> '{detail,rowsHash}' IS NOT NULL)
    AND (p_filters ->> 'doneBy' IS NULL OR p_filters ->> 'doneBy' IN (v_event #>> '{actor,id}', v_stored #>> '{actor,id}'))
    AND coalesce(p_filters ->> 'action' = v_event ->> 'action', p_filters ->> 'action' IS NULL)
    AND coalesce(p_filters ->> 'outcome' = v_event ->> 'outcome', p_filters ->> 'outcome' IS NULL)
    AND coalesce(p_filters ->> 'purpose' = v_event ->> 'purpose', p_filters ->> 'purpose' IS NULL)
    AND coalesce(p_filters ->> 'targetType' = v_event #>> '{target,type}', p_filters ->> 'targetType' IS NULL)
    AND (p_filters ->> 'targetId' IS NULL OR p_filters ->> 'targetId' IN (v_event #>> '{target,id}', v_stored #>> '{target,id}'))
    THEN v_event END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.open_ms(p_since timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT greatest(0, round(extract(epoch FROM clock_timestamp() - p_since) * 1000))::bigint::text
$function$;

CREATE OR REPLACE FUNCTION medzen.pad_key(p_key bytea, p_pad bigint)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (((int8send((((('x'::text || encode(SUBSTRING(p_key FROM 1 FOR 8), 'hex'::text)))::bit(64))::bigint # p_pad)) || int8send((((('x'::text || encode(SUBSTRING(p_key FROM 9 FOR 8), 'hex'::text)))::bit(64))::bigint # p_pad))) || int8send((((('x'::text || encode(SUBSTRING(p_key FROM 17 FOR 8), 'hex'::text)))::bit(64))::bigint # p_pad))) || int8send((((('x'::text || encode(SUBSTRING(p_key FROM 25 FOR 8), 'hex'::text)))::bit(64))::bigint # p_pad)));

CREATE OR REPLACE FUNCTION medzen.patient_hashes(p_patients text[])
 RETURNS bigint[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN ARRAY(SELECT hashtextextended((u.u COLLATE "C"), (0)::bigint) AS hashtextextended FROM unnest(patient_hashes.p_patients) u(u));

CREATE OR REPLACE FUNCTION medzen.pending_from()
 RETURNS xid8
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN h.server_started = pg_postmaster_start_time() AND h.xmin = h.noted_by::xid
    THEN h.pending_from ELSE '0'::xid8 END
  FROM medzen.audit_head h
$function$;

CREATE OR REPLACE FUNCTION medzen.permit(p_role text, VARIADIC p_functions text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_role IN ('anon', 'public') OR p_role = 'authenticated'
    AND EXISTS (SELECT FROM unnest(p_functions) f WHERE NOT starts_with(f, 'medzen_api.')) THEN
    PERFORM medzen.fail('invalid_configuration', 'People may call functions of medzen_api only, and nobody unknown any');
  END IF;
  INSERT INTO medzen.permission (role, function) SELECT p_role, f FROM unnest(p_functions) f ON CONFLICT DO NOTHING;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.permit_select(p_role text, p_relation text, VARIADIC p_columns text[] DEFAULT '{}'::text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_role IN ('public', 'anon', 'authenticated') THEN
    PERFORM medzen.fail('invalid_configuration', 'People read through functions of medzen_api, and nobody unknown reads');
  END IF;
  INSERT INTO medzen.select_permission AS p (role, relation, columns) VALUES (p_role, p_relation, p_columns)
  ON CONFLICT (role, relation) DO UPDATE SET columns = CASE WHEN '{}' IN (p.columns, excluded.columns) THEN '{}'
    ELSE ARRAY(SELECT DISTINCT c FROM unnest(p.columns || excluded.columns) c ORDER BY 1) END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.person_as_patient()
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN 'patient' = ANY (string_to_array(medzen.current_actor() ->> 'role', ',')) THEN medzen.current_patient() END
$function$;

CREATE OR REPLACE FUNCTION medzen.place_hold(p_tenant text, p_id text, p_matter text, p_reason text, p_placed_by text, p_placed_at timestamp with time zone, p_event_id text, p_event_body bytea, p_recording_id uuid DEFAULT NULL::uuid, p_patient text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_old medzen.legal_hold;
BEGIN
  IF num_nonnulls(p_recording_id, p_patient) <> 1 THEN
    PERFORM medzen.fail('invalid_input', 'Set exactly one of p_recording_id and p_patient');
  END IF;
  SELECT * INTO v_old FROM medzen.legal_hold h WHERE h.tenant = p_tenant AND h.id = p_id;
  IF found THEN
    RETURN medzen.repeated_hold(v_old, p_recording_id, p_patient);
  END IF;

  IF p_recording_id IS NULL THEN
    INSERT INTO medzen.retention_subject (tenant, patient) VALUES (p_tenant, p_patient) ON CONFLICT DO NOTHING;
    PERFORM FROM medzen.retention_subject s WHERE s.tenant = p_tenant AND s.patient = p_patient FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_recording_id FOR NO KEY UPDATE;
    IF NOT found THEN
      RETURN jsonb_build_object('status', 'not_found');
    END IF;
    IF EXISTS (
      SELECT FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_recording_id AND medzen.is_beyond_recall(r)) THEN
      RETURN jsonb_build_object('status', 'too_late', 'recordingIds', jsonb_build_array(p_recording_id));
    END IF;
  END IF;

  BEGIN
    INSERT INTO medzen.legal_hold (tenant, id, recording_id, patient, matter, reason, placed_by, placed_at)
    VALUES (p_tenant, p_id, p_recording_id, p_patient, p_matter, p_reason, p_placed_by, p_placed_at);
  EXCEPTION WHEN unique_violation THEN
    -- Placed a moment ago, by a retry or by somebody else.
    SELECT * INTO v_old FROM medzen.legal_hold h WHERE h.tenant = p_tenant AND h.id = p_id;
    RETURN medzen.repeated_hold(v_old, p_recording_id, p_patient);
  END;
  PERFORM medzen.count_hold(p_tenant, p_recording_id, p_patient, 1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'placed', 'tooLate', medzen.beyond_recall_of(p_tenant, p_patient));
END $function$;

CREATE OR REPLACE FUNCTION medzen.postpone_recording(p_tenant text, p_id uuid, p_queue text, p_failure_code text, p_now timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.postponed;
BEGIN
  PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR KEY SHARE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  INSERT INTO medzen.postponed AS q (tenant, recording_id, queue, attempts, code, until)
  VALUES (p_tenant, p_id, p_queue, 1, p_failure_code, p_now + medzen.claim_backoff(1))
  ON CONFLICT (tenant, recording_id, queue) DO UPDATE SET
    attempts = q.attempts + 1,
    code = p_failure_code,
    until = p_now + medzen.claim_backoff(q.attempts + 1)
  RETURNING q.* INTO v_row;
  RETURN jsonb_build_object('status', 'postponed', 'attempts', v_row.attempts, 'until', medzen.format_instant(v_row.until));
END $function$;

CREATE OR REPLACE FUNCTION medzen.pseudonym_of(p_salt bytea, p_tenant text, p_kind text, p_value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN ('erasable:v1:'::text || translate(rtrim(encode(medzen.hmac_sha256(p_salt, convert_to(((((('medzen.erasable.v1
'::text || p_kind) || '
'::text) || p_tenant) || '
'::text) || p_value), 'UTF8'::name)), 'base64'::text), '='::text), '+/'::text, '-_'::text));

CREATE OR REPLACE FUNCTION medzen.pseudonymize_event(p_tenant text, p_line text, p_kinds text[], p_how text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_line text := p_line;
  v_hidden text;
  v_event json;
  v_parts jsonb := '{}';
  v_part record;
  v_text text;
BEGIN
  v_text := medzen.pseudonymize_plain(p_tenant, p_line, p_kinds, p_how);
  IF v_text IS NOT NULL THEN
    RETURN v_text;
  END IF;
  IF strpos(p_line, '\u0000') > 0 THEN
    -- No function of Postgres takes a NUL out of json: an escape that the text does not hold stands for it meanwhile.
    SELECT min(h.escape) INTO v_hidden FROM (SELECT '\ue' || lpad(to_hex(n), 3, '0') AS escape FROM generate_series(0, 255) n) h
    WHERE strpos(p_line, h.escape) = 0 AND strpos(p_line, ('"' || h.escape || '"')::json #>> '{}') = 0;
    IF v_hidden IS NULL THEN
      PERFORM medzen.fail('invalid_input', 'An audit event holds what cannot be told from a NUL');
    END IF;
    v_line := replace(p_line, '\u0000', v_hidden);
  END IF;
  v_event := v_line::json;
  FOR v_part IN
    SELECT p.name, v_event #> p.path AS object, p.kinds
    FROM (VALUES
      ('actor', '{actor}'::text[], '{"onBehalfOf": "user", "name": "name"}'::jsonb
        || CASE WHEN v_event #>> '{actor,type}' = 'user' THEN '{"id": "user"}' ELSE '{}' END::jsonb),
      ('target', '{target}', CASE
        WHEN v_event #>> '{target,type}' = 'user' THEN '{"id": "user"}'::jsonb
        WHEN v_event #>> '{target,type}' = 'patient' OR v_event #>> '{target,id}' = v_event ->> 'patient' THEN '{"id": "patient"}'
        ELSE '{}' END),
      ('source', '{source}', '{"ip": "ip"}'),
      ('recipient', '{disclosure,recipient}', '{"name": "recipient", "address": "recipient"}'),
      ('disclosure', '{disclosure}', '{}'),
      ('', '{}', '{"patient": "patient"}')) AS p (name, path, kinds)
  LOOP
    CONTINUE WHEN json_typeof(v_part.object) IS DISTINCT FROM 'object';
    -- Only what lies in this object is put into it: no name occurs on two levels.
    v_text := medzen.put_pseudonyms(p_tenant, v_part.object, v_part.kinds, p_kinds, CASE v_part.name
      WHEN 'disclosure' THEN jsonb_build_object('recipient', v_parts -> 'recipient') WHEN '' THEN v_parts - 'recipient' ELSE '{}' END,
      v_hidden, p_how);
    IF v_text IS NULL THEN
      RETURN NULL;
    END IF;
    v_parts := v_parts || jsonb_build_object(v_part.name, v_text);
  END LOOP;
  IF v_text IS NULL OR NOT v_parts ? '' THEN
    PERFORM medzen.fail('invalid_input', 'The line is not an audit event (one JSON object)');
  END IF;
  RETURN CASE WHEN v_hidden IS NULL THEN v_text ELSE replace(v_text, v_hidden, '\u0000') END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.pseudonymize_plain(p_tenant text, p_line text, p_kinds text[], p_how text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_line text := p_line;
  v_event jsonb;
  v_place text[];
  v_path text[];
  v_kind text;
  v_value text;
  v_put text;
BEGIN
  IF strpos(p_line, chr(92)) > 0 OR strpos(p_line, '"disclosure":') > 0 OR strpos(p_line, '"erasable:v1:') > 0 OR left(p_line, 1) <> '{' THEN
    RETURN NULL;
  END IF;
  v_event := p_line::jsonb;
  FOREACH v_place SLICE 1 IN ARRAY ARRAY[
    ['actor', 'id', 'user', ',"actor":{"id":"', ',"actor":'], ['actor', 'name', 'name', ',"name":"', ',"name":'],
    ['actor', 'onBehalfOf', 'user', ',"onBehalfOf":"', ',"onBehalfOf":'], ['source', 'ip', 'ip', ',"source":{"ip":"', ',"source":'],
    ['target', 'id', '', ',"target":{"id":"', ',"target":'], ['patient', NULL, 'patient', ',"patient":"', ',"patient":']
  ] LOOP
    v_path := array_remove(v_place[1:2], NULL);
    v_value := v_event #>> v_path;
    v_kind := v_place[3];
    IF v_value IS NULL OR v_value = '' THEN
      CONTINUE;
    ELSIF v_place[1] = 'target' THEN
      -- The patient comes last, and is still in clear here.
      v_kind := CASE WHEN v_event #>> '{target,type}' = 'user' THEN 'user'
        WHEN v_event #>> '{target,type}' = 'patient' OR v_value = v_event ->> 'patient' THEN 'patient' END;
    ELSIF v_place[4] = ',"actor":{"id":"' AND v_event #>> '{actor,type}' IS DISTINCT FROM 'user' THEN
      CONTINUE;
    END IF;
    CONTINUE WHEN v_kind = ANY (p_kinds) IS NOT TRUE;
    -- Once, with this value or another.
    IF split_part(v_line, v_place[5], 2) = '' OR split_part(v_line, v_place[5], 3) <> ''
       OR strpos(v_line, v_place[4] || v_value || '"') = 0 THEN
      RETURN NULL;
    END IF;
    v_put := medzen.put_pseudonym(p_tenant, v_kind, v_value, p_how);
    IF v_put IS NULL THEN
      RETURN NULL;
    END IF;
    v_line := replace(v_line, v_place[4] || v_value || '"', v_place[4] || v_put || '"');
    v_event := jsonb_set(v_event, v_path, to_jsonb(v_put));
  END LOOP;
  RETURN CASE WHEN v_line::jsonb = v_event THEN v_line END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.pseudonymize_review()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.actor := medzen.known_pseudonym(NEW.tenant, 'user', NEW.actor);
    NEW.patient := medzen.known_pseudonym(NEW.tenant, 'patient', NEW.patient);
  END IF;
  -- A finding is the log's, and may hold pseudonyms; who signs is given in clear.
  NEW.signed_by := coalesce((medzen.pseudonyms_of(NEW.tenant, 'user', NEW.signed_by))[1], NEW.signed_by);
  RETURN NEW;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.pseudonyms_in(p_body bytea)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF position('"erasable:v1:'::bytea IN p_body) > 0 THEN
    RETURN QUERY SELECT DISTINCT t FROM unnest(medzen.identity_texts(convert_from(p_body, 'UTF8'))) t
      WHERE t ~ '^erasable:v1:[A-Za-z0-9_-]{43}$';
  END IF;
EXCEPTION
  WHEN data_exception THEN RETURN;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.pseudonyms_of(p_tenant text, p_kind text, p_value text)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN ARRAY(
    SELECT i.pseudonym FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.kind = p_kind AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
      AND medzen.is_proved(i)
    ORDER BY i.pseudonym);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.purge_archive(p_tenant text, p_first text, p_end text, p_manifest_sha256 bytea, p_years integer, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.purpose_of_person(p_patient text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT CASE WHEN p_patient = medzen.current_patient() THEN 'PATRQT' END $function$;

CREATE OR REPLACE FUNCTION medzen.put_pseudonym(p_tenant text, p_kind text, p_value text, p_how text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
  v_pseudonym text;
  v_salt bytea;
BEGIN
  IF p_how = 'mask' THEN
    RETURN '*';
  END IF;
  -- Not LIMIT 1, for which all might be read in the order of pseudonyms.
  v_pseudonym := (ARRAY(
    SELECT i.pseudonym FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.kind = p_kind AND medzen.index_key(i.value) = medzen.index_key(p_value) AND i.value = p_value
      AND medzen.is_proved(i)
    ORDER BY i.pseudonym))[1];
  IF v_pseudonym IS NULL AND p_how = 'make' THEN
    v_salt := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    v_pseudonym := medzen.pseudonym_of(v_salt, p_tenant, p_kind, p_value);
    INSERT INTO medzen.erasable_identity (tenant, pseudonym, kind, value, salt, made_at)
    VALUES (p_tenant, v_pseudonym, p_kind, p_value, v_salt, medzen.now());
  END IF;
  RETURN v_pseudonym;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.put_pseudonyms(p_tenant text, p_object json, p_kinds jsonb, p_on text[], p_parts jsonb, p_hidden text, p_how text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_member record;
  v_name text;
  v_kind text;
  v_value text;
  v_pseudonym text;
  v_plain text := '';
  v_put text := '';
BEGIN
  FOR v_member IN SELECT m.key, m.value FROM json_each(p_object) m LOOP
    v_name := ',' || to_json(v_member.key)::text || ':';
    v_plain := v_plain || v_name || v_member.value::text;
    v_kind := NULL;
    v_value := NULL;
    IF p_kinds ? v_member.key AND json_typeof(v_member.value) = 'string' AND v_member.value::text <> '""' THEN
      v_kind := p_kinds ->> v_member.key;
      v_value := v_member.value #>> '{}';
      IF p_hidden IS NOT NULL THEN
        -- A NUL becomes the replacement character, as in the columns: text cannot hold it. What only looked like one comes back.
        v_value := replace(replace(v_value, ('"' || p_hidden || '"')::json #>> '{}', U&'\FFFD'), p_hidden, '\u0000');
      END IF;
    END IF;
    IF v_kind = ANY (p_on) OR v_value ~ '^erasable:v1:[A-Za-z0-9_-]{43}$' THEN
      v_pseudonym := medzen.put_pseudonym(p_tenant, v_kind, v_value, p_how);
      IF v_pseudonym IS NULL THEN
        RETURN NULL;
      END IF;
      v_put := v_put || v_name || '"' || v_pseudonym || '"';
    ELSE
      v_put := v_put || v_name || coalesce(p_parts ->> v_member.key, v_member.value::text);
    END IF;
  END LOOP;
  IF '{' || substr(v_plain, 2) || '}' <> p_object::text THEN
    PERFORM medzen.fail('invalid_input', 'An audit event is not canonical JSON');
  END IF;
  RETURN '{' || substr(v_put, 2) || '}';
END
$function$;

CREATE OR REPLACE FUNCTION medzen.queue_reviews(p_tenant text, p_findings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_added int;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF jsonb_typeof(p_findings) IS DISTINCT FROM 'array' OR jsonb_array_length(p_findings) NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'p_findings must hold 1 to 1000 findings');
  END IF;
  -- Postgres also takes 'yesterday' for an instant.
  IF EXISTS (SELECT FROM jsonb_array_elements(p_findings) f WHERE f.value ->> 'at' NOT LIKE '____-__-__T__:__:__.___Z') THEN
    PERFORM medzen.fail('invalid_input', 'Each finding needs id, rule, eventId, leafIndex, actor and at (YYYY-MM-DDTHH:MM:SS.mmmZ)');
  END IF;
  INSERT INTO medzen.review (tenant, id, rule, event_id, leaf_index, at, actor, patient, detail, queued_at)
  SELECT p_tenant, f.value ->> 'id', f.value ->> 'rule', (f.value ->> 'eventId')::uuid, (f.value ->> 'leafIndex')::bigint,
    (f.value ->> 'at')::timestamptz, f.value ->> 'actor', f.value ->> 'patient', f.value -> 'detail', medzen.now()
  FROM jsonb_array_elements(p_findings) f
  ORDER BY f.value ->> 'id'
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_added = ROW_COUNT;
  RETURN jsonb_build_object('queued', v_added);
EXCEPTION
  WHEN check_violation OR not_null_violation OR data_exception THEN
    PERFORM medzen.fail('invalid_input', 'Each finding needs id, rule, eventId, leafIndex, actor and at (YYYY-MM-DDTHH:MM:SS.mmmZ)');
END
$function$;

CREATE OR REPLACE FUNCTION medzen.random_nonce()
 RETURNS text
 LANGUAGE sql
 PARALLEL SAFE
RETURN (("right"((gen_random_uuid())::text, 12) || "right"((gen_random_uuid())::text, 12)) || "left"((gen_random_uuid())::text, 8));

CREATE OR REPLACE FUNCTION medzen.read_archives(p_from text, p_limit integer)
 RETURNS TABLE(first_leaf text, end_leaf text, newest_at text, manifest_sha256 bytea, purge_event text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'Ranges of the archive are read 1 to 1000 at a time');
  END IF;
  RETURN QUERY
    SELECT * FROM medzen.archive_rows() r WHERE r.first_leaf::bigint >= p_from::bigint ORDER BY r.first_leaf::bigint LIMIT p_limit;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.read_batch(p_limit integer)
 RETURNS TABLE(id text, body bytea)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.read_checkpoints(p_after_size text, p_limit integer)
 RETURNS TABLE(size text, checkpoint text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'Checkpoints are read 1 to 1000 at a time');
  END IF;
  RETURN QUERY
    SELECT c.size::text, c.checkpoint || medzen.cosignatures(c.size) FROM medzen.audit_checkpoint c
    WHERE c.size > p_after_size::bigint ORDER BY c.size LIMIT p_limit;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.read_clock()
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
RETURN to_jsonb(medzen.format_instant(medzen.now()));

CREATE OR REPLACE FUNCTION medzen.read_cursor(p_name text)
 RETURNS TABLE(leaf_index text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce((SELECT c.leaf_index FROM medzen.tail_cursor c WHERE c.name = p_name), 0)::text
$function$;

CREATE OR REPLACE FUNCTION medzen.read_head()
 RETURNS TABLE(size text, root bytea, checkpoint text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT h.size::text, h.root, h.checkpoint || medzen.cosignatures(h.size) FROM medzen.audit_head h
$function$;

CREATE OR REPLACE FUNCTION medzen.read_installation()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_caller name := coalesce(nullif(current_setting('role', true), 'none'), session_user);
BEGIN
  RETURN jsonb_build_object(
    'caller', v_caller,
    'superuser', (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_caller),
    'owner', pg_has_role(v_caller, (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'medzen'), 'MEMBER'),
    'version', current_setting('server_version_num')::int,
    'standby', pg_is_in_recovery(),
    'durable', current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off',
    'clock', medzen.format_instant(clock_timestamp()),
    'lacking', (
      SELECT coalesce(jsonb_object_agg(l.role, l.functions), '{}') FROM (
        SELECT p.role, jsonb_agg(DISTINCT p.function ORDER BY p.function) AS functions
        FROM medzen.permission p
        JOIN pg_proc f ON f.pronamespace = 'medzen'::regnamespace AND f.proname = p.function
        WHERE p.role IN ('medzen_app', 'medzen_sequencer', 'medzen_auditor')
          AND NOT has_function_privilege(v_caller, f.oid, 'EXECUTE')
        GROUP BY p.role
      ) l));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.read_leaves(p_from text, p_limit integer)
 RETURNS TABLE(leaf_index text, event_id text, body bytea, misfiled boolean, purged boolean, rows text, unknown text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.read_migrations()
 RETURNS TABLE(id text, checksum text, breaking boolean)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT m.id, m.checksum, m.breaking FROM medzen.migration m ORDER BY m.id COLLATE "C"
$function$;

CREATE OR REPLACE FUNCTION medzen.read_setting(p_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_value jsonb;
BEGIN
  v_value := replace(nullif(current_setting(p_name, true), ''), '\u0000', '\ufffd');
  RETURN CASE WHEN jsonb_typeof(v_value) = 'object' THEN v_value END;
EXCEPTION
  WHEN data_exception OR program_limit_exceeded THEN RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.read_strays(p_after text, p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_stages CONSTANT text[] := ARRAY['leaf', 'archive', 'checkpoint', 'identity', 'review', 'rows', 'event'];
  v_stage text := coalesce(split_part(p_after, ' ', 1), 'leaf');
  v_from text := nullif(split_part(p_after, ' ', 2), '');
  v_more text := nullif(split_part(p_after, ' ', 3), '');
  v_last text;
  v_found jsonb;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 OR v_stage <> ALL (v_stages) THEN
    PERFORM medzen.fail('invalid_input', 'Strays are looked for among 1 to 10000 rows at a time, from a place that an earlier call gave');
  END IF;
  CASE v_stage
    WHEN 'leaf' THEN v_found := medzen.stray_leaves(least(p_limit, 1000));
    WHEN 'archive' THEN SELECT * INTO v_last, v_found FROM medzen.stray_archives(coalesce(v_from::bigint, -1), p_limit);
    WHEN 'checkpoint' THEN SELECT * INTO v_last, v_found FROM medzen.stray_checkpoints(coalesce(v_from::bigint, -1), p_limit);
    WHEN 'identity' THEN SELECT * INTO v_last, v_found FROM medzen.stray_identities(v_from, v_more, p_limit);
    WHEN 'review' THEN SELECT * INTO v_last, v_found FROM medzen.stray_reviews(v_from, v_more, p_limit);
    WHEN 'rows' THEN SELECT * INTO v_last, v_found FROM medzen.stray_rows(v_from::uuid, p_limit);
    WHEN 'event' THEN SELECT * INTO v_last, v_found FROM medzen.stray_events(v_from::uuid, p_limit);
  END CASE;
  v_stage := CASE WHEN v_last IS NOT NULL THEN v_stage ELSE v_stages[array_position(v_stages, v_stage) + 1] END;
  RETURN jsonb_build_object('strays', coalesce(v_found, '[]'))
    || CASE WHEN v_stage IS NULL THEN '{}' ELSE jsonb_build_object('next', concat_ws(' ', v_stage, v_last)) END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.read_tile(p_level integer, p_index text)
 RETURNS TABLE(hashes bytea)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT t.hashes FROM medzen.audit_tile t WHERE t.level = p_level AND t.index = p_index::bigint
$function$;

CREATE OR REPLACE FUNCTION medzen.record_consent(p_tenant text, p_id uuid, p_session_id text, p_participant text, p_decision text, p_acknowledged_recording boolean, p_acknowledged_storage boolean, p_acknowledged_access boolean, p_acknowledged_retention boolean, p_text_version text, p_text_sha256 text, p_language text, p_method text, p_at timestamp with time zone, p_event_id text, p_event_body bytea, p_location text DEFAULT NULL::text, p_ip text DEFAULT NULL::text, p_user_agent text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_new medzen.consent;
  v_old medzen.consent;
BEGIN
  INSERT INTO medzen.consent_session (tenant, session_id) VALUES (p_tenant, p_session_id) ON CONFLICT DO NOTHING;
  PERFORM FROM medzen.consent_session s WHERE s.tenant = p_tenant AND s.session_id = p_session_id FOR NO KEY UPDATE;

  v_new := ROW(p_tenant, p_id, p_session_id, NULL, p_participant, p_decision, p_acknowledged_recording,
    p_acknowledged_storage, p_acknowledged_access, p_acknowledged_retention, p_text_version, p_text_sha256, p_language,
    p_method, p_location, p_ip, p_user_agent, p_at);

  SELECT * INTO v_old FROM medzen.consent c WHERE c.tenant = p_tenant AND c.id = p_id;
  IF found THEN
    v_new.ordinal := v_old.ordinal;
    IF v_new IS DISTINCT FROM v_old THEN
      PERFORM medzen.fail('conflict', 'A consent record with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated');
  END IF;

  UPDATE medzen.consent_session s SET records = s.records + 1
  WHERE s.tenant = p_tenant AND s.session_id = p_session_id
  RETURNING s.records INTO v_new.ordinal;

  BEGIN
    INSERT INTO medzen.consent VALUES (v_new.*);
  EXCEPTION WHEN unique_violation THEN
    -- Only the same id in another session gets here: this session is locked.
    PERFORM medzen.fail('conflict', 'A consent record with this id has other content');
  END;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'recorded');
END $function$;

CREATE OR REPLACE FUNCTION medzen.record_event(p_action text, p_kind text, p_outcome text DEFAULT 'success'::text, p_patient text DEFAULT NULL::text, p_target_type text DEFAULT NULL::text, p_target_id text DEFAULT NULL::text, p_fields text[] DEFAULT NULL::text[], p_detail jsonb DEFAULT NULL::jsonb, p_purpose text DEFAULT NULL::text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_draft jsonb := medzen.current_draft(p_patient IS NOT NULL)
    || CASE WHEN p_purpose IS NULL OR medzen.text_of(medzen.current_context(), 'purpose') IS NOT NULL THEN '{}'
      ELSE jsonb_build_object('purpose', p_purpose) END
    || jsonb_build_object('action', p_action, 'kind', p_kind, 'outcome', p_outcome)
    || CASE WHEN p_patient IS NULL THEN '{}' ELSE jsonb_build_object('patient', medzen.index_key(p_patient)) END
    || CASE WHEN p_target_type IS NULL AND p_target_id IS NULL THEN '{}' ELSE jsonb_build_object('target', jsonb_strip_nulls(
      jsonb_build_object('type', medzen.event_id_text(p_target_type), 'id', medzen.index_key(p_target_id)))) END
    || CASE WHEN p_fields IS NULL THEN '{}' ELSE jsonb_build_object('fields', to_jsonb(p_fields)) END
    || CASE WHEN p_detail IS NULL THEN '{}' ELSE jsonb_build_object('detail', p_detail) END;
  v_event record;
BEGIN
  v_event := medzen.jcs_event(v_draft);
  PERFORM medzen.write_event(v_draft ->> 'tenant', v_event.id, v_event.body);
  RETURN v_event.id;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.record_listing(p_recordings jsonb, p_detail jsonb DEFAULT '{}'::jsonb, p_purpose text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_of record;
BEGIN
  FOR v_of IN
    SELECT r.value ->> 'patient' AS patient, count(*) AS count FROM jsonb_array_elements(p_recordings) r GROUP BY 1 ORDER BY 1
  LOOP
    PERFORM medzen.record_event('recording.list', 'read', p_patient => v_of.patient,
      p_detail => p_detail || jsonb_build_object('count', v_of.count),
      p_purpose => coalesce(p_purpose, medzen.purpose_of_person(v_of.patient)));
  END LOOP;
  IF p_recordings = '[]' THEN
    PERFORM medzen.record_event('recording.list', 'read', p_detail => p_detail || '{"count": 0}', p_purpose => p_purpose);
  END IF;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.record_warning(p_tenant text, p_id uuid, p_deadline timestamp with time zone, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_at timestamptz;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  IF v_row.grace_until IS DISTINCT FROM p_deadline OR v_row.state IN ('deleting', 'deleted') THEN
    RETURN jsonb_build_object('status', 'stale');
  END IF;
  IF v_row.deletable_at IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'repeated');
  END IF;
  INSERT INTO medzen.retention_warning (tenant, recording_id, deadline, event_id)
  VALUES (p_tenant, p_id, p_deadline, p_event_id)
  RETURNING at INTO v_at;
  UPDATE medzen.recording r SET deletable_at = medzen.end_of_notice(v_at, r.warn_at, r.grace_until)
  WHERE r.tenant = p_tenant AND r.id = p_id;
  DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id AND q.queue = 'warning';
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'recorded');
END $function$;

CREATE OR REPLACE FUNCTION medzen.recording_for_participant(p_recording jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'id', p_recording -> 'id',
    'sessionId', p_recording -> 'sessionId',
    'participants', (
      SELECT jsonb_agg(jsonb_build_object('id', p.value -> 'id', 'role', p.value -> 'role') ORDER BY p.position)
      FROM jsonb_array_elements(p_recording -> 'participants') WITH ORDINALITY AS p (value, position)),
    'state', p_recording -> 'state',
    'stateAt', p_recording -> 'stateAt',
    'startedAt', p_recording -> 'startedAt',
    'endedAt', p_recording -> 'endedAt',
    'durationSeconds', p_recording -> 'durationSeconds'))
$function$;

CREATE OR REPLACE FUNCTION medzen.recording_in_the_way(p_tenant text, p_id uuid, p_session_id text, p_provider text, p_provider_ref text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
BEGIN ATOMIC
 SELECT medzen.recording_json(r.*) AS recording_json
    FROM medzen.recording r
   WHERE ((r.tenant = recording_in_the_way.p_tenant) AND ((r.id = recording_in_the_way.p_id) OR ((r.session_id = recording_in_the_way.p_session_id) AND (r.state = ANY (ARRAY['starting'::text, 'recording'::text]))) OR ((r.provider = recording_in_the_way.p_provider) AND (r.provider_ref = recording_in_the_way.p_provider_ref) AND (r.state = ANY (ARRAY['starting'::text, 'recording'::text])))))
   ORDER BY (r.id = recording_in_the_way.p_id) DESC, (r.session_id = recording_in_the_way.p_session_id) DESC
  LIMIT 1;
END;

CREATE OR REPLACE FUNCTION medzen.recording_json(r medzen.recording)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
RETURN jsonb_strip_nulls(jsonb_build_object('id', (r).id, 'sessionId', (r).session_id, 'patient', (r).patient, 'participants', (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', p.participant, 'role', p.role, 'location', p.location) ORDER BY p."position"), '[]'::jsonb) AS "coalesce" FROM medzen.recording_participant p WHERE ((p.tenant = (recording_json.r).tenant) AND (p.recording_id = (recording_json.r).id))), 'provider', (r).provider, 'providerRef', (r).provider_ref, 'state', (r).state, 'stateAt', medzen.format_instant((r).state_at), 'startedAt', medzen.format_instant((r).started_at), 'capturedAt', medzen.format_instant((r).captured_at), 'endedAt', medzen.format_instant((r).ended_at), 'durationSeconds', (r).duration_seconds, 'media', (r).media, 'object', (r).object, 'objectPrefix', (r).object_prefix, 'storage', (r).storage, 'lock', (r).object_lock, 'deletion', ((r).deletion || jsonb_build_object('versions', (r).removed_versions, 'bytes', (r).removed_bytes)), 'providerAccount', (r).provider_account, 'retentionClass', jsonb_build_object('jurisdiction', (r).jurisdiction, 'providerClass', (r).provider_class, 'zone', (r).zone), 'keepUntil', CASE WHEN ((r).keep_until IS NOT NULL) THEN jsonb_build_object('until', medzen.format_instant((r).keep_until), 'reason', (r).keep_reason) ELSE NULL::jsonb END, 'decision', CASE WHEN ((r).rules_version IS NOT NULL) THEN jsonb_build_object('rulesVersion', (r).rules_version, 'factsRevision', (r).facts_revision, 'decidedAt', medzen.format_instant((r).decided_at), 'retainUntil', medzen.format_instant((r).retain_until), 'warnAt', medzen.format_instant((r).warn_at), 'graceUntil', medzen.format_instant((r).grace_until), 'ruleIds', to_jsonb((r).rule_ids), 'undated', (r).undated) ELSE NULL::jsonb END, 'deletableAt', medzen.format_instant((r).deletable_at), 'failure', (r).failure, 'stopRequest', CASE WHEN ((r).stop_consent IS NOT NULL) THEN jsonb_build_object('at', medzen.format_instant((r).stop_requested_at), 'consent', (r).stop_consent) ELSE NULL::jsonb END, 'tombstone', (r).tombstone, 'holds', (r).hold_count, 'accessRequests', (r).request_count, 'views', (r).views, 'downloads', (r).downloads, 'revision', (r).revision));

CREATE OR REPLACE FUNCTION medzen.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.refuse_clear_rows()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF EXISTS (SELECT FROM medzen.erasable_kind k WHERE k.kind = 'patient') THEN
    PERFORM medzen.fail('invalid_configuration',
      'A table audited by statement keeps patients in clear: call audit_table with granularity patient');
  END IF;
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.refuse_person(p_action text, p_kind text, p_patient text DEFAULT NULL::text, p_target_type text DEFAULT NULL::text, p_target_id text DEFAULT NULL::text, p_purpose text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  PERFORM medzen.record_event(p_action, p_kind, 'denied', p_patient, p_target_type, p_target_id, NULL, '{"code": "forbidden"}',
    p_purpose);
  RETURN '{"status": "forbidden"}';
END
$function$;

CREATE OR REPLACE FUNCTION medzen.refuse_purged(p_ids text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.refuse_review_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.signed_at IS NULL AND (NEW.tenant, NEW.id, NEW.rule, NEW.event_id, NEW.leaf_index, NEW.at, NEW.actor,
      NEW.patient, NEW.detail, NEW.queued_at) IS NOT DISTINCT FROM (OLD.tenant, OLD.id, OLD.rule, OLD.event_id, OLD.leaf_index,
      OLD.at, OLD.actor, OLD.patient, OLD.detail, OLD.queued_at) THEN
    RETURN NEW;
  END IF;
  PERFORM medzen.fail('forbidden', format('%s of review is not allowed but to sign off', TG_OP));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.refuse_tile_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF (NEW.level, NEW.index) <> (OLD.level, OLD.index)
     OR substring(NEW.hashes FOR octet_length(OLD.hashes)) <> OLD.hashes THEN
    PERFORM medzen.fail('checkpoint_inconsistent', 'A tile of the log cannot change');
  END IF;
  RETURN NEW;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.refuse_unaudited(p_table oid, p_patient text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  PERFORM medzen.fail('invalid_configuration',
    format('%s has no column %I, by which it is audited: call audit_table again', p_table::regclass, p_patient));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.release_claim(p_tenant text, p_id uuid, p_token text, p_failure_code text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now timestamptz := medzen.now();
BEGIN
  UPDATE medzen.recording r SET
    claim_token = NULL,
    claim_until = NULL,
    claim_attempts = r.claim_attempts - CASE WHEN p_failure_code IS NULL THEN 1 ELSE 0 END,
    claim_after = CASE
      WHEN p_failure_code IS NULL THEN '-infinity'
      ELSE v_now + medzen.claim_backoff(r.claim_attempts) END
  WHERE r.tenant = p_tenant AND r.id = p_id AND r.claim_token::text = p_token;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'released' ELSE 'lease_lost' END);
END $function$;

CREATE OR REPLACE FUNCTION medzen.release_hold(p_tenant text, p_id text, p_released_by text, p_released_at timestamp with time zone, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_hold medzen.legal_hold;
BEGIN
  -- The target never changes, so it is read first and locked in the common order.
  SELECT * INTO v_hold FROM medzen.legal_hold h WHERE h.tenant = p_tenant AND h.id = p_id;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  PERFORM FROM medzen.retention_subject s
  WHERE s.tenant = p_tenant AND s.patient = v_hold.patient FOR NO KEY UPDATE;
  PERFORM FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = v_hold.recording_id FOR NO KEY UPDATE;

  UPDATE medzen.legal_hold h SET released_by = p_released_by, released_at = p_released_at
  WHERE h.tenant = p_tenant AND h.id = p_id AND h.released_at IS NULL;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'already_released');
  END IF;
  PERFORM medzen.count_hold(p_tenant, v_hold.recording_id, v_hold.patient, -1);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'released');
END $function$;

CREATE OR REPLACE FUNCTION medzen.release_reconciliation(p_tenant text, p_id uuid, p_token text, p_again_seconds integer DEFAULT NULL::integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  IF p_again_seconds NOT BETWEEN 1 AND 31536000 THEN
    PERFORM medzen.fail('invalid_input', 'A provider is asked again after 1 second to 365 days');
  END IF;
  UPDATE medzen.recording r SET
    look_token = NULL,
    look_after = medzen.now() + make_interval(secs => p_again_seconds)
  WHERE r.tenant = p_tenant AND r.id = p_id AND r.look_token::text = p_token;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'released' ELSE 'lease_lost' END);
END $function$;

CREATE OR REPLACE FUNCTION medzen.renew_claim(p_tenant text, p_id uuid, p_token text, p_lease_ms integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_until timestamptz := medzen.now() + make_interval(secs => p_lease_ms / 1000.0);
BEGIN
  PERFORM medzen.check_claim_options(1, p_lease_ms);
  UPDATE medzen.recording r SET
    claim_until = v_until,
    claim_after = v_until + medzen.claim_backoff(r.claim_attempts)
  WHERE r.tenant = p_tenant AND r.id = p_id AND r.claim_token::text = p_token;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'renewed' ELSE 'lease_lost' END);
END $function$;

CREATE OR REPLACE FUNCTION medzen.repeated_access_request(p_known medzen.access_request, p_recording_id uuid, p_patient text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_known.id IS NULL THEN
    -- Not in our snapshot: the host's transaction is REPEATABLE READ, and must begin again.
    RAISE serialization_failure USING message = 'The access request was opened by another transaction';
  END IF;
  IF (p_known.recording_id, p_known.patient) IS DISTINCT FROM (p_recording_id, p_patient) THEN
    PERFORM medzen.fail('conflict', 'An access request with this id has another target');
  END IF;
  IF p_known.closed_at IS NOT NULL THEN
    PERFORM medzen.fail('conflict', 'An access request with this id was closed');
  END IF;
  RETURN jsonb_build_object('status', 'opened', 'tooLate', medzen.beyond_recall_of(p_known.tenant, p_patient));
END $function$;

CREATE OR REPLACE FUNCTION medzen.repeated_hold(p_known medzen.legal_hold, p_recording_id uuid, p_patient text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF p_known.id IS NULL THEN
    -- Not in our snapshot: the host's transaction is REPEATABLE READ, and must begin again.
    RAISE serialization_failure USING message = 'The hold was placed by another transaction';
  END IF;
  IF (p_known.recording_id, p_known.patient) IS DISTINCT FROM (p_recording_id, p_patient) THEN
    PERFORM medzen.fail('conflict', 'A hold with this id has another target');
  END IF;
  IF p_known.released_at IS NOT NULL THEN
    PERFORM medzen.fail('conflict', 'A hold with this id was released');
  END IF;
  RETURN jsonb_build_object('status', 'placed', 'tooLate', medzen.beyond_recall_of(p_known.tenant, p_patient));
END $function$;

CREATE OR REPLACE FUNCTION medzen.request_stops()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_given boolean := (
    SELECT c.decision = 'given' FROM medzen.consent c
    WHERE c.tenant = new.tenant AND c.session_id = new.session_id AND c.participant = new.participant AND c.ordinal < new.ordinal
    ORDER BY c.ordinal DESC
    LIMIT 1);
BEGIN
  WITH running AS MATERIALIZED (
    SELECT r.id FROM medzen.recording r
    WHERE r.tenant = new.tenant AND r.session_id = new.session_id AND r.stop_requested_at IS NULL
      AND (r.state IN ('starting', 'recording') OR r.state = 'failed' AND r.ended_at IS NULL AND r.media IS NULL)
      AND (coalesce(v_given, false) OR EXISTS (
        SELECT FROM medzen.recording_participant p
        WHERE p.tenant = r.tenant AND p.recording_id = r.id AND p.participant = new.participant))
    ORDER BY r.id
    FOR NO KEY UPDATE
  )
  UPDATE medzen.recording r SET stop_requested_at = new.at, stop_consent = new.id
  WHERE r.tenant = new.tenant AND r.id IN (SELECT id FROM running);
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION medzen.requeue_events()
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.reveal(p_tenant text, p_text text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce((SELECT i.value FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.pseudonym = p_text AND medzen.is_proved(i)), p_text)
$function$;

CREATE OR REPLACE FUNCTION medzen.reveal_identities(p_tenant text, p_pseudonyms text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF cardinality(p_pseudonyms) > 10000 THEN
    PERFORM medzen.fail('invalid_input', 'At most 10000 pseudonyms are revealed at a time');
  END IF;
  -- With what proves them: the reader believes no value without.
  RETURN (
    SELECT coalesce(jsonb_object_agg(i.pseudonym, jsonb_build_object('kind', i.kind, 'value', i.value, 'salt', encode(i.salt, 'hex'))), '{}')
    FROM medzen.erasable_identity i
    WHERE i.tenant = p_tenant AND i.pseudonym = ANY (p_pseudonyms));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.review_json(r medzen.review)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
RETURN (jsonb_strip_nulls(jsonb_build_object('id', (r).id, 'rule', (r).rule, 'eventId', (r).event_id, 'leafIndex', ((r).leaf_index)::text, 'at', medzen.format_instant((r).at), 'actor', medzen.reveal((r).tenant, (r).actor), 'patient', medzen.reveal((r).tenant, (r).patient), 'queuedAt', medzen.format_instant((r).queued_at), 'signed', CASE WHEN ((r).signed_at IS NOT NULL) THEN jsonb_build_object('at', medzen.format_instant((r).signed_at), 'by', medzen.reveal((r).tenant, (r).signed_by), 'outcome', (r).outcome, 'note', (r).note) ELSE NULL::jsonb END)) || CASE WHEN ((r).detail IS NULL) THEN '{}'::jsonb ELSE jsonb_build_object('detail', (r).detail) END);

CREATE OR REPLACE FUNCTION medzen.role_names(p_claim jsonb)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT array_agg(e.item #>> '{}' ORDER BY e.at) FROM jsonb_array_elements(
    CASE jsonb_typeof(p_claim) WHEN 'array' THEN p_claim WHEN 'string' THEN jsonb_build_array(p_claim) ELSE '[]' END
  ) WITH ORDINALITY AS e (item, at)
  WHERE jsonb_typeof(e.item) = 'string' AND e.item <> '""'
$function$;

CREATE OR REPLACE FUNCTION medzen.rows_hash(p_row_ids text[], p_patients text[])
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT encode(sha256(medzen.text_array_bytes(p_row_ids) || medzen.text_array_bytes(p_patients)), 'hex')
$function$;

CREATE OR REPLACE FUNCTION medzen.rows_state(p_event_id uuid, p_body bytea)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  -- As audit_change writes them, and nobody else.
  v_bound boolean := substring(p_body FOR 17) = '{"action":"table.' AND position('"rowsHash":"'::bytea IN p_body) > 0;
  v_hash text;
BEGIN
  SELECT medzen.rows_hash(r.row_ids, r.patients) INTO v_hash FROM medzen.audit_rows r WHERE r.event_id = p_event_id;
  RETURN CASE
    WHEN v_hash IS NULL THEN CASE WHEN v_bound THEN 'missing' END
    WHEN NOT v_bound THEN 'unbound'
    WHEN position(convert_to(',"rowsHash":"' || v_hash || '"}', 'UTF8') IN p_body) = 0 THEN 'altered' END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.save_decision(p_tenant text, p_id uuid, p_rules_version text, p_facts_revision integer, p_decided_at timestamp with time zone, p_rule_ids text[], p_event_id text, p_event_body bytea, p_retain_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_warn_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_grace_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_undated text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_row medzen.recording;
  v_restored boolean;
  v_before timestamptz;
BEGIN
  SELECT * INTO v_row FROM medzen.recording r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  v_before := v_row.grace_until;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'not_found');
  END IF;
  IF v_row.state = 'deleted' OR v_row.subject_revision <> p_facts_revision THEN
    RETURN jsonb_build_object('status', 'stale');
  END IF;
  v_restored := v_row.state = 'archived' AND coalesce(p_retain_until > p_decided_at, FALSE);

  UPDATE medzen.recording r SET
    rules_version = p_rules_version,
    facts_revision = p_facts_revision,
    decided_at = p_decided_at,
    retain_until = p_retain_until,
    warn_at = p_warn_at,
    grace_until = p_grace_until,
    rule_ids = p_rule_ids,
    undated = p_undated,
    -- A deadline that moves takes back what was said of it, and is warned of anew, even should it move back.
    deletable_at = CASE WHEN r.deletable_at IS NOT NULL AND r.grace_until = p_grace_until THEN (
      SELECT medzen.end_of_notice(max(w.at), p_warn_at, p_grace_until) FROM medzen.retention_warning w
      WHERE w.tenant = p_tenant AND w.recording_id = p_id AND w.deadline = p_grace_until) END,
    state = CASE WHEN v_restored THEN 'available' ELSE r.state END,
    state_at = CASE WHEN v_restored THEN p_decided_at ELSE r.state_at END,
    revision = r.revision + 1,
    claim_token = CASE WHEN v_restored THEN NULL ELSE r.claim_token END,
    claim_until = CASE WHEN v_restored THEN NULL ELSE r.claim_until END,
    claim_attempts = CASE WHEN v_restored THEN 0 ELSE r.claim_attempts END,
    claim_after = CASE WHEN v_restored THEN '-infinity' ELSE r.claim_after END
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING r.* INTO v_row;
  IF v_row.grace_until IS DISTINCT FROM v_before THEN
    DELETE FROM medzen.postponed q WHERE q.tenant = p_tenant AND q.recording_id = p_id AND q.queue = 'warning';
  END IF;
  IF v_restored THEN
    PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  END IF;
  RETURN jsonb_build_object(
    'status', CASE WHEN v_restored THEN 'restored' ELSE 'saved' END, 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.save_own_consent(p_new medzen.consent)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_new medzen.consent := p_new;
  v_old medzen.consent;
  v_patient text := medzen.person_as_patient();
  v_source jsonb := medzen.current_source();
  v_event record;
BEGIN
  v_new.tenant := medzen.current_tenant();
  v_new.participant := medzen.current_person();
  v_new.id := coalesce(v_new.id, gen_random_uuid());
  v_new.at := medzen.now();
  v_new.ip := left(v_source ->> 'ip', 64);
  v_new.user_agent := v_source ->> 'userAgent';

  PERFORM medzen.check_text(v_new.participant, 'The subject'), medzen.lock_consent_session(v_new.tenant, v_new.session_id);
  SELECT * INTO v_old FROM medzen.consent c WHERE c.tenant = v_new.tenant AND c.id = v_new.id;
  IF found THEN
    v_new.ordinal := v_old.ordinal;
    v_new.at := v_old.at;
    v_new.ip := v_old.ip;
    v_new.user_agent := v_old.user_agent;
    IF v_new IS DISTINCT FROM v_old THEN
      PERFORM medzen.fail('conflict', 'A consent record with this id has other content');
    END IF;
    RETURN jsonb_build_object('status', 'repeated', 'consent', medzen.consent_json(v_old));
  END IF;

  v_event := medzen.jcs_event(medzen.current_draft(v_patient IS NOT NULL)
    || CASE WHEN v_patient IS NULL THEN '{}' ELSE jsonb_build_object('patient', medzen.index_key(v_patient)) END
    || jsonb_build_object(
      'action', CASE v_new.decision WHEN 'given' THEN 'consent.give' ELSE 'consent.withdraw' END,
      'kind', 'create', 'outcome', 'success',
      'target', jsonb_build_object('type', 'session', 'id', v_new.session_id),
      'detail', jsonb_build_object('participant', v_new.participant, 'textVersion', v_new.text_version, 'method', v_new.method)));
  RETURN medzen.record_consent(v_new.tenant, v_new.id, v_new.session_id, v_new.participant, v_new.decision,
      v_new.acknowledged_recording, v_new.acknowledged_storage, v_new.acknowledged_access, v_new.acknowledged_retention,
      v_new.text_version, v_new.text_sha256, v_new.language, v_new.method, v_new.at, v_event.id, v_event.body,
      v_new.location, v_new.ip, v_new.user_agent)
    || jsonb_build_object('consent', medzen.consent_json(v_new));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.says_review(p_body bytea, p_outcome text, p_note text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_event jsonb := replace(convert_from(p_body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
BEGIN
  RETURN (v_event #>> '{detail,outcome}', v_event ->> 'reason') IS NOT DISTINCT FROM (p_outcome, p_note);
EXCEPTION
  WHEN data_exception THEN RETURN true; -- damaged, which its hash shows
END
$function$;

CREATE OR REPLACE FUNCTION medzen.schedule_jobs()
 RETURNS TABLE(scheduled_job text, change text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.scheduled_name(p_job text, p_elsewhere boolean)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN octet_length(n.name) <= 63 THEN n.name
    ELSE left(n.name, 46) || '_' || left(encode(sha256(convert_to(n.name, 'UTF8')), 'hex'), 16) END
  FROM (SELECT 'medzen' || '_' || p_job || CASE WHEN p_elsewhere THEN '_in_' || current_database() ELSE '' END AS name) n
$function$;

CREATE OR REPLACE FUNCTION medzen.search_events(p_tenant text, p_limit integer, p_before text DEFAULT NULL::text, p_patient text DEFAULT NULL::text, p_actor text DEFAULT NULL::text, p_actions text[] DEFAULT NULL::text[], p_outcomes text[] DEFAULT NULL::text[], p_purposes text[] DEFAULT NULL::text[], p_target_type text DEFAULT NULL::text, p_target_id text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text)
 RETURNS TABLE(id text, body bytea, identities text, rows text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF NOT EXISTS (SELECT FROM medzen.erasable_kind) AND NOT EXISTS (SELECT FROM medzen.erasable_identity i WHERE i.tenant = p_tenant) THEN
    -- Pseudonyms without any identity are shown as they are, too: someone may have removed them
    -- all.
    RETURN QUERY SELECT s.id, s.body, medzen.identities_in(p_tenant, s.body), medzen.rows_state(s.id::uuid, s.body) FROM medzen.search_written_events(p_tenant, p_limit, p_before, p_patient, p_actor,
      p_actions, p_outcomes, p_purposes, p_target_type, p_target_id, p_from, p_to) s;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT f.id, f.body, medzen.identities_in(p_tenant, f.body), medzen.rows_state(f.id::uuid, f.body)
    FROM (
      SELECT s.id, s.body
      FROM unnest(medzen.identity_keys(p_tenant, p_patient, 'patient')) AS p (key),
        unnest(medzen.identity_keys(p_tenant, p_actor, 'user')) AS a (key),
        unnest(medzen.identity_keys(p_tenant, p_target_id, 'patient', 'user')) AS t (key),
        medzen.search_written_events(p_tenant, p_limit, p_before, p.key, a.key, p_actions, p_outcomes, p_purposes, p_target_type, t.key,
          p_from, p_to) s
      ORDER BY s.id COLLATE "C" DESC LIMIT p_limit) f
    ORDER BY f.id COLLATE "C" DESC;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.search_written_events(p_tenant text, p_limit integer, p_before text DEFAULT NULL::text, p_patient text DEFAULT NULL::text, p_actor text DEFAULT NULL::text, p_actions text[] DEFAULT NULL::text[], p_outcomes text[] DEFAULT NULL::text[], p_purposes text[] DEFAULT NULL::text[], p_target_type text DEFAULT NULL::text, p_target_id text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text)
 RETURNS TABLE(id text, body bytea)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  -- Written out for each call, so that the planner sees only what restricts, and with which value.
  v_where text := 'e.tenant = $1';
  v_named text := CASE WHEN p_patient IS NULL THEN '' ELSE ' AND e.patient = $4' END;
  v_span text := '';
  v_branch text := 'SELECT e.id, e.body FROM medzen.audit_event e WHERE %s ORDER BY e.id DESC LIMIT $2';
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1001 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1001');
  END IF;
  IF p_before IS NOT NULL THEN v_where := v_where || ' AND e.id < $3'; END IF;
  IF p_actor IS NOT NULL THEN v_where := v_where || ' AND e.actor = $5'; END IF;
  v_where := v_where || medzen.one_of('e.action', '$6', p_actions) || medzen.one_of('e.outcome', '$7', p_outcomes)
    || medzen.one_of('e.purpose', '$8', p_purposes);
  IF p_target_type IS NOT NULL THEN v_where := v_where || ' AND e.target_type = $9'; END IF;
  IF p_target_id IS NOT NULL THEN v_where := v_where || ' AND e.target_id = $10'; END IF;
  IF p_from IS NOT NULL THEN
    v_where := v_where || ' AND e.at >= $11';
    v_span := v_span || ' AND e.id >= $13';
  END IF;
  IF p_to IS NOT NULL THEN
    v_where := v_where || ' AND e.at < $12';
    v_span := v_span || ' AND e.id <= $14';
  END IF;
  IF v_span = '' THEN
    v_branch := format(v_branch, v_where || v_named);
  ELSE
    -- Except for strays, the id tells the time to within a minute: a range of the index, and of the partitions.
    v_branch := format('SELECT * FROM ((%s) UNION ALL (%s)) u ORDER BY 1 DESC LIMIT $2',
      format(v_branch, v_where || v_named || ' AND NOT e.stray' || v_span),
      format(v_branch, v_where || v_named || ' AND e.stray'));
  END IF;
  IF p_patient IS NOT NULL THEN
    -- Newest first through the index, each event by its id (OFFSET 0: in no other way), until there are enough. The triggers make the
    -- id of the event's time, so none of these is a stray.
    v_branch := format('SELECT * FROM ((%s) UNION ALL (
        SELECT t.event_id, f.body
        FROM (SELECT e.event_id FROM (SELECT r.event_id, r.event_id AS id FROM medzen.audit_rows r
            WHERE medzen.patient_hashes(r.patients) @> ARRAY[hashtextextended($15 COLLATE "C", 0)]) e
          WHERE true %s %s ORDER BY e.event_id DESC OFFSET 0) t
        CROSS JOIN LATERAL (SELECT e.body FROM medzen.audit_event e WHERE e.id = t.event_id AND e.patient IS NULL AND %s OFFSET 0) f
        ORDER BY t.event_id DESC LIMIT $2)) u ORDER BY 1 DESC LIMIT $2',
      v_branch, v_span, CASE WHEN p_before IS NULL THEN '' ELSE 'AND e.id < $3' END, v_where);
  END IF;
  RETURN QUERY EXECUTE format('SELECT r.id::text, r.body FROM (%s) r ORDER BY r.id DESC', v_branch)
  USING p_tenant, p_limit, p_before::uuid, medzen.index_key(p_patient), medzen.index_key(p_actor), medzen.index_keys(p_actions),
    medzen.index_keys(p_outcomes), medzen.index_keys(p_purposes), medzen.index_key(p_target_type), medzen.index_key(p_target_id),
    p_from::timestamptz, p_to::timestamptz,
    medzen.uuid_floor(p_from::timestamptz - interval '1 minute'), medzen.uuid_floor(p_to::timestamptz + interval '1 minute'), p_patient;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.sign_review(p_tenant text, p_id text, p_outcome text, p_note text, p_own boolean, p_event_id text, p_event_body bytea)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_review medzen.review;
  v_event jsonb;
BEGIN
  BEGIN
    v_event := replace(convert_from(p_event_body, 'UTF8'), '\u0000', '\ufffd')::jsonb; -- as it was given: not what a pseudonym stands for
  EXCEPTION
    WHEN data_exception THEN NULL; -- no event
  END;
  IF v_event #>> '{target,type}' IS DISTINCT FROM 'review' OR v_event #>> '{target,id}' IS DISTINCT FROM p_id THEN
    PERFORM medzen.fail('invalid_input', 'The event is about something else than this review');
  END IF;
  IF p_outcome IS NULL OR p_outcome NOT IN ('appropriate', 'violation', 'inconclusive') OR medzen.utf16_length(p_note) > 2048 THEN
    PERFORM medzen.fail('invalid_input', 'p_outcome must be ''appropriate'', ''violation'' or ''inconclusive'', and p_note at most 2048 characters');
  END IF;
  SELECT * INTO v_review FROM medzen.review r WHERE r.tenant = p_tenant AND r.id = p_id FOR NO KEY UPDATE;
  IF NOT found THEN
    RETURN jsonb_build_object('status', 'missing');
  END IF;
  IF v_review.signed_at IS NOT NULL THEN
    RETURN jsonb_build_object(
      'status', CASE WHEN v_review.sign_event::text = p_event_id THEN 'repeated' ELSE 'taken' END,
      'review', medzen.review_json(v_review));
  END IF;
  IF v_event #>> '{actor,id}' = medzen.reveal(p_tenant, v_review.actor) AND p_own IS NOT TRUE THEN
    RETURN jsonb_build_object('status', 'own');
  END IF;
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  UPDATE medzen.review r SET
    signed_at = medzen.now(),
    signed_by = v_event #>> '{actor,id}',
    outcome = p_outcome,
    note = p_note,
    sign_event = p_event_id::uuid
  WHERE r.tenant = p_tenant AND r.id = p_id
  RETURNING * INTO v_review;
  RETURN jsonb_build_object('status', 'signed', 'review', medzen.review_json(v_review));
END
$function$;

CREATE OR REPLACE FUNCTION medzen.start_recording(p_tenant text, p_id uuid, p_session_id text, p_patient text, p_participants jsonb, p_provider text, p_provider_ref text, p_started_at timestamp with time zone, p_object_prefix text, p_jurisdiction text, p_provider_class text, p_zone text, p_consent_of text[], p_event_id text, p_event_body bytea, p_keep_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_keep_reason text DEFAULT NULL::text, p_storage jsonb DEFAULT NULL::jsonb, p_provider_account text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_taken jsonb;
  v_missing text[];
  v_subject medzen.retention_subject;
  v_row medzen.recording;
BEGIN
  PERFORM medzen.check_keep(p_keep_until, p_keep_reason);
  v_taken := medzen.recording_in_the_way(p_tenant, p_id, p_session_id, p_provider, p_provider_ref);
  IF v_taken IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'already_recording', 'recording', v_taken);
  END IF;

  -- Written, not only locked: a withdrawal under REPEATABLE READ that does not see this recording must fail, or nothing would stop it.
  -- Made where nobody has spoken yet, so that the first who does waits for it.
  INSERT INTO medzen.consent_session AS s (tenant, session_id) VALUES (p_tenant, p_session_id)
  ON CONFLICT (tenant, session_id) DO UPDATE SET records = s.records;
  SELECT array_agg(u.participant ORDER BY u.position) INTO v_missing
  FROM unnest(p_consent_of) WITH ORDINALITY u(participant, position)
  WHERE NOT EXISTS (
    SELECT FROM medzen.latest_consents(p_tenant, p_session_id) c
    WHERE c.participant = u.participant AND c.decision = 'given' AND c.acknowledged_recording
      AND c.acknowledged_storage AND c.acknowledged_access AND c.acknowledged_retention);
  IF v_missing IS NOT NULL THEN
    RETURN jsonb_build_object('status', 'consent_required', 'missing', to_jsonb(v_missing));
  END IF;

  BEGIN
    INSERT INTO medzen.retention_subject AS s (tenant, patient, recordings) VALUES (p_tenant, p_patient, 1)
    ON CONFLICT (tenant, patient) DO UPDATE SET recordings = s.recordings + 1
    RETURNING s.* INTO v_subject;
    INSERT INTO medzen.recording (tenant, id, session_id, patient, provider, provider_ref, state, state_at, started_at,
      object_prefix, jurisdiction, provider_class, zone, keep_until, keep_reason, subject_revision, hold_count, request_count,
      storage, provider_account, look_after)
    VALUES (p_tenant, p_id, p_session_id, p_patient, p_provider, p_provider_ref, 'starting', p_started_at,
      p_started_at, p_object_prefix, p_jurisdiction, p_provider_class, p_zone, p_keep_until, p_keep_reason,
      v_subject.revision, v_subject.holds, v_subject.requests, p_storage, p_provider_account,
      medzen.now() + medzen.first_look('starting'))
    RETURNING * INTO v_row;
  EXCEPTION WHEN unique_violation THEN
    -- Somebody else started it a moment ago; leaving this block took our own rows back.
    v_taken := medzen.recording_in_the_way(p_tenant, p_id, p_session_id, p_provider, p_provider_ref);
    IF v_taken IS NULL THEN
      -- Not in our snapshot: the host's transaction is REPEATABLE READ, and must begin again.
      RAISE serialization_failure USING message = 'The session was changed by another transaction';
    END IF;
    RETURN jsonb_build_object('status', 'already_recording', 'recording', v_taken);
  END;

  INSERT INTO medzen.recording_participant (tenant, recording_id, participant, started_at, position, role, location)
  SELECT p_tenant, p_id, e.value ->> 'id', p_started_at, e.position, e.value ->> 'role', e.value ->> 'location'
  FROM jsonb_array_elements(p_participants) WITH ORDINALITY e(value, position);
  PERFORM medzen.write_event(p_tenant, p_event_id, p_event_body);
  RETURN jsonb_build_object('status', 'started', 'recording', medzen.recording_json(v_row));
END $function$;

CREATE OR REPLACE FUNCTION medzen.stray_archives(p_after bigint, p_limit integer, OUT last text, OUT found jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH page AS MATERIALIZED (
    SELECT m.* FROM medzen.archive_manifest m WHERE m.first_leaf > p_after ORDER BY m.first_leaf LIMIT p_limit
  )
  SELECT (SELECT p.first_leaf::text FROM page p ORDER BY p.first_leaf DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'archive', 'index', p.first_leaf::text) ORDER BY p.first_leaf) FROM page p
      WHERE p.first_leaf <> 0 AND NOT EXISTS (SELECT FROM medzen.archive_manifest b WHERE b.end_leaf = p.first_leaf)
        OR p.end_leaf > (SELECT h.size FROM medzen.audit_head h)
        OR p.purged_at IS NOT NULL
          -- The event of a purge waits for its leaf, for a while.
          AND NOT EXISTS (SELECT FROM medzen.audit_pending q WHERE q.event_id = p.purge_event)
          AND NOT EXISTS (
            SELECT FROM medzen.audit_event e JOIN medzen.audit_leaf l ON l.event_id = e.id AND l.leaf_index >= p.end_leaf
            WHERE e.id = p.purge_event AND medzen.is_purge_of(e.body, p.first_leaf, p.end_leaf, p.manifest_sha256)))
$function$;

CREATE OR REPLACE FUNCTION medzen.stray_checkpoints(p_after bigint, p_limit integer, OUT last text, OUT found jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH page AS MATERIALIZED (
    SELECT c.* FROM medzen.audit_checkpoint c WHERE c.size > p_after ORDER BY c.size LIMIT p_limit
  )
  SELECT (SELECT p.size::text FROM page p ORDER BY p.size DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'checkpoint', 'index', p.size::text) ORDER BY p.size) FROM page p
      WHERE p.size > (SELECT h.size FROM medzen.audit_head h)
        OR split_part(p.checkpoint, E'\n', 2) <> p.size::text
        OR split_part(p.checkpoint, E'\n', 3) <> encode(p.root, 'base64')
        OR p.size = (SELECT h.size FROM medzen.audit_head h) AND p.checkpoint IS DISTINCT FROM (SELECT h.checkpoint FROM medzen.audit_head h)
        OR EXISTS (SELECT FROM medzen.audit_cosignature s WHERE s.size = p.size
          AND (s.name, s.key_id) IS DISTINCT FROM ((medzen.cosignature_key(s.line)).name, (medzen.cosignature_key(s.line)).key_id)))
$function$;

CREATE OR REPLACE FUNCTION medzen.stray_events(p_after uuid, p_limit integer, OUT last text, OUT found jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  WITH page AS MATERIALIZED (
    SELECT e.id FROM medzen.audit_event e WHERE p_after IS NULL OR e.id > p_after ORDER BY e.id LIMIT p_limit
  )
  SELECT (SELECT p.id::text FROM page p ORDER BY p.id DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'event', 'eventId', p.id) ORDER BY p.id) FROM page p
      WHERE NOT EXISTS (SELECT FROM medzen.audit_leaf l WHERE l.event_id = p.id
          AND l.leaf_index >= 0 AND l.leaf_index < (SELECT h.size FROM medzen.audit_head h))
        AND NOT EXISTS (SELECT FROM medzen.audit_pending q WHERE q.event_id = p.id))
$function$;

CREATE OR REPLACE FUNCTION medzen.stray_identities(p_tenant text, p_pseudonym text, p_limit integer, OUT last text, OUT found jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH page AS MATERIALIZED (
    SELECT i.tenant, i.pseudonym, medzen.is_proved(i) AS proved FROM medzen.erasable_identity i
    WHERE p_tenant IS NULL OR (i.tenant, i.pseudonym) > (p_tenant, p_pseudonym) ORDER BY i.tenant, i.pseudonym LIMIT p_limit
  ), erased AS MATERIALIZED (
    SELECT e.tenant, e.target_id AS pseudonym FROM medzen.audit_event e
    WHERE e.action = 'identity.erase' AND e.outcome = 'success' AND EXISTS (SELECT FROM page)
    UNION
    SELECT e.tenant, n.value FROM medzen.audit_event e,
      jsonb_array_elements_text(convert_from(e.body, 'UTF8')::jsonb #> '{detail,pseudonyms}') AS n (value)
    WHERE e.action = 'identity.erase' AND e.outcome = 'success' AND position('"pseudonyms":['::bytea IN e.body) > 0 AND EXISTS (SELECT FROM page)
  )
  SELECT (SELECT p.tenant || ' ' || p.pseudonym FROM page p ORDER BY p.tenant DESC, p.pseudonym DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', CASE WHEN s.restored THEN 'restored' ELSE 'identity' END,
        'tenant', s.tenant, 'pseudonym', s.pseudonym) ORDER BY s.tenant, s.pseudonym)
      FROM (SELECT p.*, (p.tenant, p.pseudonym) IN (SELECT d.tenant, d.pseudonym FROM erased d) AS restored FROM page p) s
      WHERE NOT s.proved OR s.restored)
$function$;

CREATE OR REPLACE FUNCTION medzen.stray_leaves(p_limit integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT jsonb_agg(jsonb_build_object('kind', 'leaf', 'index', l.leaf_index::text, 'eventId', l.event_id)) FROM (
    (SELECT a.* FROM medzen.audit_leaf a WHERE a.leaf_index < 0 ORDER BY a.leaf_index LIMIT p_limit)
    UNION ALL
    (SELECT a.* FROM medzen.audit_leaf a WHERE a.leaf_index >= (SELECT coalesce(max(h.size), 0) FROM medzen.audit_head h)
      ORDER BY a.leaf_index LIMIT p_limit)) l
$function$;

CREATE OR REPLACE FUNCTION medzen.stray_reviews(p_tenant text, p_id text, p_limit integer, OUT last text, OUT found jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH page AS MATERIALIZED (
    SELECT r.* FROM medzen.review r WHERE p_tenant IS NULL OR (r.tenant, r.id) > (p_tenant, p_id) ORDER BY r.tenant, r.id LIMIT p_limit
  )
  SELECT (SELECT p.tenant || ' ' || p.id FROM page p ORDER BY p.tenant DESC, p.id DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'review', 'tenant', p.tenant, 'id', p.id) ORDER BY p.tenant, p.id) FROM page p
      LEFT JOIN medzen.audit_leaf l ON l.leaf_index = p.leaf_index
      LEFT JOIN medzen.audit_event e ON e.id = p.event_id
      LEFT JOIN medzen.audit_event s ON s.id = p.sign_event
      WHERE l.event_id IS DISTINCT FROM p.event_id
        -- A purged event can no longer be compared.
        OR e.id IS NOT NULL AND NOT (e.tenant = p.tenant AND date_trunc('milliseconds', e.at) = date_trunc('milliseconds', p.at)
          AND medzen.is_same_person(p.tenant, p.actor, e.actor) AND medzen.is_same_person(p.tenant, p.patient, e.patient))
        OR p.signed_at IS NOT NULL AND CASE WHEN s.id IS NULL
          THEN NOT EXISTS (SELECT FROM medzen.audit_leaf g WHERE g.event_id = p.sign_event)
          ELSE NOT (s.tenant = p.tenant AND s.action = 'audit.review' AND s.outcome = 'success' AND s.target_type = 'review' AND s.target_id = p.id
            AND medzen.is_same_person(p.tenant, p.signed_by, s.actor) AND medzen.says_review(s.body, p.outcome, p.note)) END)
$function$;

CREATE OR REPLACE FUNCTION medzen.stray_rows(p_after uuid, p_limit integer, OUT last text, OUT found jsonb)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  WITH page AS MATERIALIZED (
    SELECT r.event_id FROM medzen.audit_rows r WHERE p_after IS NULL OR r.event_id > p_after ORDER BY r.event_id LIMIT p_limit
  )
  SELECT (SELECT p.event_id::text FROM page p ORDER BY p.event_id DESC LIMIT 1),
    (SELECT jsonb_agg(jsonb_build_object('kind', 'rows', 'eventId', p.event_id) ORDER BY p.event_id) FROM page p
      LEFT JOIN medzen.audit_event e ON e.id = p.event_id WHERE e.id IS NULL OR medzen.rows_state(e.id, e.body) = 'unbound')
$function$;

CREATE OR REPLACE FUNCTION medzen.summarize_access(p_tenant text, p_from timestamp with time zone, p_to timestamp with time zone, p_limit integer)
 RETURNS TABLE(month text, actor text, accesses text, patients text, target_types text, refused text, tables text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF num_nulls(p_from, p_to, p_limit) > 0 OR p_limit NOT BETWEEN 1 AND 100001 THEN
    PERFORM medzen.fail('invalid_input', 'p_from, p_to and p_limit (1 to 100001) are required');
  END IF;
  -- Executed, so that the planner sees the span and opens no other partition. All but strays are found by their ids.
  RETURN QUERY EXECUTE $query$
    WITH access AS (
      SELECT e.at, e.actor, e.patient, e.target_type, e.outcome FROM medzen.audit_event e
      WHERE e.tenant = $1 AND e.id >= $5 AND e.id <= $6
        AND NOT e.stray AND e.patient IS NOT NULL AND e.at >= $2 AND e.at < $3
      UNION ALL
      SELECT e.at, e.actor, e.patient, e.target_type, e.outcome FROM medzen.audit_event e
      WHERE e.tenant = $1 AND e.stray AND e.patient IS NOT NULL AND e.at >= $2 AND e.at < $3
    ), known AS MATERIALIZED (
      -- Each is proved once, however many events name it.
      SELECT i.pseudonym, i.value FROM medzen.erasable_identity i
      WHERE i.tenant = $1 AND i.kind IN ('user', 'patient') AND medzen.is_proved(i)
        AND i.pseudonym IN (SELECT x.actor FROM access x UNION SELECT x.patient FROM access x)
    )
    SELECT to_char(a.month, 'YYYY-MM'), a.actor, (count(*) FILTER (WHERE a.outcome = 'success'))::text,
      (count(DISTINCT a.patient) FILTER (WHERE a.outcome = 'success'))::text,
      (count(DISTINCT a.target_type) FILTER (WHERE a.outcome = 'success'))::text,
      (count(*) FILTER (WHERE a.outcome <> 'success'))::text,
      coalesce(to_json((array_agg(DISTINCT a.target_type ORDER BY a.target_type)
        FILTER (WHERE a.outcome = 'success' AND a.target_type IS NOT NULL))[1:100])::text, '[]')
    FROM (
      SELECT date_trunc('month', x.at AT TIME ZONE 'UTC') AS month, coalesce(u.value, x.actor) AS actor,
        coalesce(p.value, x.patient) AS patient, x.target_type, x.outcome
      FROM access x
      LEFT JOIN known u ON u.pseudonym = x.actor
      LEFT JOIN known p ON p.pseudonym = x.patient
    ) a
    GROUP BY a.month, a.actor
    ORDER BY a.month DESC, count(*) FILTER (WHERE a.outcome = 'success') DESC, a.actor
    LIMIT $4
  $query$
  USING p_tenant, p_from, p_to, p_limit, medzen.uuid_floor(p_from - interval '1 minute'), medzen.uuid_floor(p_to + interval '1 minute');
END
$function$;

CREATE OR REPLACE FUNCTION medzen.table_name(p_table oid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET quote_all_identifiers TO 'off'
AS $function$
  SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class t
  JOIN pg_class c ON c.oid = CASE WHEN t.relispartition THEN pg_partition_root(t.oid) ELSE t.oid END
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE t.oid = p_table
$function$;

CREATE OR REPLACE FUNCTION medzen.take_claims(p_tenant text, p_ids uuid[], p_lease_ms integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_now timestamptz := medzen.now();
  v_lease INTERVAL := make_interval(secs => p_lease_ms / 1000.0);
  v_result jsonb;
BEGIN
  WITH taken AS (
    UPDATE medzen.recording r SET
      claim_token = nextval('medzen.claim_token'),
      claim_until = v_now + v_lease,
      claim_attempts = r.claim_attempts + 1,
      claim_after = v_now + v_lease + medzen.claim_backoff(r.claim_attempts + 1)
    WHERE r.tenant = p_tenant AND r.id = ANY (p_ids)
    RETURNING r.*
  )
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'recording', medzen.recording_json(t::medzen.recording),
    'token', t.claim_token::text,
    'attempts', t.claim_attempts) ORDER BY array_position(p_ids, t.id)), '[]')
  INTO v_result
  FROM taken t;
  RETURN v_result;
END $function$;

CREATE OR REPLACE FUNCTION medzen.take_limit(p_tenant text, p_key text, p_now bigint, p_room bigint, p_cost bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_tat bigint;
BEGIN
  INSERT INTO medzen.rate_limit AS l (tenant, key, tat)
  VALUES (p_tenant, p_key, p_now + p_cost)
  ON CONFLICT (tenant, key) DO UPDATE
    SET tat = p_now + least(greatest(l.tat - p_now, 0), p_room) + p_cost
    WHERE least(greatest(l.tat - p_now, 0), p_room) + p_cost <= p_room
  RETURNING l.tat INTO v_tat;
  RETURN v_tat - p_now;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.text_array_bytes(p_texts text[])
 RETURNS bytea
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN pg_client_encoding() = 'UTF8' OR cardinality(p_texts) = 0 THEN array_send(p_texts)
    ELSE int4send(1) || int4send((array_position(p_texts, NULL) IS NOT NULL)::int) || int4send(25) || int4send(cardinality(p_texts)) || int4send(1)
      || (SELECT string_agg(CASE WHEN u.t IS NULL THEN int4send(-1)
          ELSE int4send(octet_length(convert_to(u.t, 'UTF8'))) || convert_to(u.t, 'UTF8') END, ''::bytea ORDER BY u.at)
        FROM unnest(p_texts) WITH ORDINALITY AS u (t, at)) END
$function$;

CREATE OR REPLACE FUNCTION medzen.text_expression(p_plain boolean, p_column text)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN CASE WHEN p_plain THEN format('(%s::text COLLATE "C")'::text, p_column) ELSE format('(CASE WHEN num_nonnulls(%1$s) = 1 THEN concat(%1$s) COLLATE "C" END)'::text, p_column) END;

CREATE OR REPLACE FUNCTION medzen.text_of(p_object jsonb, p_name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (jsonb_typeof((p_object -> p_name)) = 'string'::text) THEN NULLIF((p_object ->> p_name), ''::text) ELSE NULL::text END;

CREATE OR REPLACE FUNCTION medzen.trusted_hops()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN 1;

CREATE OR REPLACE FUNCTION medzen.unaudit_table(p_table regclass)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
  FOR v_trigger IN
    SELECT r.rulename, r.ev_class::regclass AS part FROM pg_rewrite r
    WHERE r.ev_class = ANY (v_parts::oid[]) AND r.rulename = 'medzen' || '_audit_refuses_merge'
  LOOP
    EXECUTE format('DROP RULE %I ON %s', v_trigger.rulename, v_trigger.part);
  END LOOP;
  IF v_parts <> '{}' THEN
    PERFORM medzen.note_audited(p_table, '{"audited":false}');
  END IF;
  RETURN cardinality(v_parts);
END
$function$;

CREATE OR REPLACE FUNCTION medzen.unknown_identities(p_tenant text, p_body bytea)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT string_agg(x.pseudonym, ' ' ORDER BY x.pseudonym) FROM medzen.pseudonyms_in(p_body) AS x (pseudonym)
  WHERE NOT EXISTS (SELECT FROM medzen.erasable_identity i WHERE i.tenant = p_tenant AND i.pseudonym = x.pseudonym)
$function$;

CREATE OR REPLACE FUNCTION medzen.unschedule_jobs()
 RETURNS TABLE(scheduled_job text, change text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION medzen.utf16_cut(p_text text, p_units integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_text text := p_text;
BEGIN
  IF octet_length(v_text) <= p_units THEN
    RETURN v_text;
  END IF;
  v_text := left(v_text, p_units);
  WHILE medzen.utf16_length(v_text) > p_units + 1 LOOP
    v_text := left(v_text, -greatest(1, (medzen.utf16_length(v_text) - p_units) / 2));
  END LOOP;
  -- One too many: half a pair, if it is one.
  IF medzen.utf16_length(v_text) = p_units + 1 THEN
    v_text := left(v_text, -1) || CASE WHEN medzen.utf16_length(right(v_text, 1)) = 2 THEN U&'\FFFD' ELSE '' END;
  END IF;
  RETURN v_text;
END
$function$;

CREATE OR REPLACE FUNCTION medzen.utf16_length(p_text text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (length(p_text) + length(regexp_replace(p_text, '[^\U00010000-\U0010FFFF]'::text, ''::text, 'g'::text)));

CREATE OR REPLACE FUNCTION medzen.uuid_at(p_at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 PARALLEL SAFE
RETURN (("left"((medzen.uuid_floor(p_at))::text, 14) || '7'::text) || substr((gen_random_uuid())::text, 16));

CREATE OR REPLACE FUNCTION medzen.uuid_floor(p_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (p_at < '1970-01-01 00:00:00+00'::timestamp with time zone) THEN '00000000-0000-0000-0000-000000000000'::uuid ELSE (rpad(lpad(to_hex((floor((EXTRACT(epoch FROM (p_at AT TIME ZONE 'UTC'::text)) * (1000)::numeric)))::bigint), 12, '0'::text), 32, '0'::text))::uuid END;

CREATE OR REPLACE FUNCTION medzen.visible_consents()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN medzen.admin_tenant() IS NULL
    THEN ARRAY(
      SELECT c.id FROM medzen.consent c
      WHERE c.tenant = medzen.current_tenant() AND c.participant = medzen.current_subject())
    ELSE ARRAY(SELECT c.id FROM medzen.consent c WHERE c.tenant = medzen.admin_tenant()) END
$function$;

CREATE OR REPLACE FUNCTION medzen.visible_recordings()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN medzen.admin_tenant() IS NULL
    THEN ARRAY(
      SELECT p.recording_id FROM medzen.recording_participant p
      WHERE p.tenant = medzen.current_tenant() AND p.participant = medzen.current_subject())
    ELSE ARRAY(SELECT r.id FROM medzen.recording r WHERE r.tenant = medzen.admin_tenant()) END
$function$;

CREATE OR REPLACE FUNCTION medzen.void_facts(p_tenant text, p_patient text, p_voiding uuid DEFAULT NULL::uuid)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_void uuid[] := array_remove(ARRAY[p_voiding], NULL);
  v_fact record;
BEGIN
  FOR v_fact IN
    SELECT f.id, f.voids FROM medzen.retention_fact f
    WHERE f.tenant = p_tenant AND f.patient = p_patient AND f.voids IS NOT NULL
    ORDER BY f.revision DESC
  LOOP
    IF v_fact.id <> ALL (v_void) THEN
      v_void := v_void || v_fact.voids;
    END IF;
  END LOOP;
  RETURN v_void;
END $function$;

CREATE OR REPLACE FUNCTION medzen.write_event(p_tenant text, p_event_id text, p_event_body bytea)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
BEGIN
  PERFORM medzen.append_events(p_tenant, ARRAY[p_event_id], convert_from(p_event_body, 'UTF8'));
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.get_my_recording(p_recording_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_person text := medzen.current_person();
  v_recording jsonb := medzen.get_recording(medzen.current_tenant(), p_recording_id);
BEGIN
  IF EXISTS (SELECT FROM jsonb_array_elements(v_recording -> 'participants') p WHERE p.value ->> 'id' = v_person) THEN
    PERFORM medzen.record_event('recording.status', 'read', 'success', v_recording ->> 'patient', 'recording', p_recording_id::text,
      NULL, jsonb_build_object('state', v_recording -> 'state'), medzen.purpose_of_person(v_recording ->> 'patient'));
    RETURN jsonb_build_object('status', 'ok', 'recording', medzen.recording_for_participant(v_recording));
  END IF;
  RETURN medzen.refuse_person('recording.status', 'read', v_recording ->> 'patient', 'recording', p_recording_id::text);
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.give_consent(p_session_id text, p_text_version text, p_text_sha256 text, p_language text, p_acknowledged_recording boolean, p_acknowledged_storage boolean, p_acknowledged_access boolean, p_acknowledged_retention boolean, p_method text DEFAULT 'click'::text, p_location text DEFAULT NULL::text, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_new medzen.consent;
BEGIN
  PERFORM medzen.current_person(), medzen.check_text(coalesce(p_session_id, ''), 'The session'),
    medzen.check_text(coalesce(p_text_version, ''), 'The version of the text'),
    medzen.check_text(coalesce(p_language, ''), 'The language', 64), medzen.check_text(p_location, 'The place', 16);
  IF p_text_sha256 !~ '^[0-9a-f]{64}$' OR p_method NOT IN ('click', 'signature')
    OR num_nulls(p_text_sha256, p_method, p_acknowledged_recording, p_acknowledged_storage, p_acknowledged_access,
      p_acknowledged_retention) > 0 THEN
    PERFORM medzen.fail('invalid_input', 'Needed: the SHA-256 of the text, click or signature, and four acknowledgements');
  END IF;
  v_new.id := p_id;
  v_new.session_id := p_session_id;
  v_new.decision := 'given';
  v_new.acknowledged_recording := p_acknowledged_recording;
  v_new.acknowledged_storage := p_acknowledged_storage;
  v_new.acknowledged_access := p_acknowledged_access;
  v_new.acknowledged_retention := p_acknowledged_retention;
  v_new.text_version := p_text_version;
  v_new.text_sha256 := p_text_sha256;
  v_new.language := p_language;
  v_new.method := p_method;
  v_new.location := p_location;
  RETURN medzen.save_own_consent(v_new);
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.list_accesses_to_me(p_limit integer DEFAULT 50, p_cursor text DEFAULT NULL::text, p_from timestamp with time zone DEFAULT NULL::timestamp with time zone, p_to timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET "DateStyle" TO 'ISO'
AS $function$
DECLARE
  v_patient text;
  v_accesses jsonb;
  v_damaged jsonb;
  v_found int;
  v_last text;
BEGIN
  PERFORM medzen.current_person();
  v_patient := medzen.current_patient();
  IF v_patient IS NULL THEN
    RETURN medzen.refuse_person('audit.report', 'read', p_purpose => 'PATRQT');
  END IF;
  PERFORM medzen.check_page(p_limit, p_cursor, 'uuid');
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'id', f.id,
      'at', f.event -> 'at',
      'actor', jsonb_build_object('id', f.event #> '{actor,id}', 'type', f.event #> '{actor,type}', 'role', f.event #> '{actor,role}',
        'name', f.event #> '{actor,name}'),
      'action', f.event -> 'action',
      'kind', f.event -> 'kind',
      'outcome', f.event -> 'outcome',
      'purpose', f.event -> 'purpose')) ORDER BY f.id DESC) FILTER (WHERE f.event IS NOT NULL AND f.place <= p_limit), '[]'),
    jsonb_agg(f.id ORDER BY f.id DESC) FILTER (WHERE f.event IS NULL AND f.place <= p_limit),
    count(*), min(f.id) FILTER (WHERE f.place <= p_limit)
  INTO v_accesses, v_damaged, v_found, v_last
  FROM (
    SELECT s.id COLLATE "C" AS id, medzen.open_found(s.id, s.body, jsonb_build_object('patient', v_patient)) AS event,
      row_number() OVER (ORDER BY s.id COLLATE "C" DESC) AS place
    FROM medzen.search_events(medzen.current_tenant(), p_limit + 1, p_cursor, p_patient => v_patient,
      p_from => p_from::text, p_to => p_to::text) s) f;
  PERFORM medzen.record_event('audit.report', 'read', p_patient => v_patient,
    p_detail => jsonb_build_object('count', jsonb_array_length(v_accesses)), p_purpose => 'PATRQT');
  RETURN jsonb_build_object('status', 'ok', 'accesses', v_accesses)
    || CASE WHEN v_damaged IS NULL THEN '{}' ELSE jsonb_build_object('damaged', v_damaged) END
    || CASE WHEN v_found > p_limit THEN jsonb_build_object('cursor', v_last) ELSE '{}' END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.list_my_access_requests()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_person text := medzen.current_person();
  v_tenant text := medzen.current_tenant();
  v_patient text := medzen.person_as_patient();
  v_requests jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(medzen.access_request_for_person(page.q) ORDER BY (page.q).received_at DESC, (page.q).id DESC), '[]')
  INTO v_requests
  FROM (
    SELECT q FROM (
      SELECT a AS q FROM medzen.recording_participant p
      JOIN medzen.access_request a ON a.tenant = p.tenant AND a.recording_id = p.recording_id
      WHERE p.tenant = v_tenant AND p.participant = v_person AND p.role = 'patient'
      UNION ALL
      SELECT a AS q FROM medzen.access_request a WHERE a.tenant = v_tenant AND a.patient = v_patient) own
    ORDER BY (q).received_at DESC, (q).id DESC
    LIMIT 200) page;
  PERFORM medzen.record_event('access_request.list', 'read', 'success', v_patient,
    p_detail => jsonb_build_object('count', jsonb_array_length(v_requests)), p_purpose => 'PATRQT');
  RETURN jsonb_build_object('status', 'ok', 'requests', v_requests);
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.list_my_consents(p_session_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_person text := medzen.current_person();
  v_consents jsonb;
BEGIN
  PERFORM medzen.check_text(coalesce(p_session_id, ''), 'The session');
  SELECT coalesce(jsonb_agg(medzen.consent_json(c) ORDER BY c.ordinal DESC), '[]') INTO v_consents
  FROM (
    SELECT q.* FROM medzen.consent q
    WHERE q.tenant = medzen.current_tenant() AND q.session_id = p_session_id AND q.participant = v_person
    ORDER BY q.ordinal DESC
    LIMIT 200) c;
  PERFORM medzen.record_event('consent.view', 'read', 'success', medzen.person_as_patient(), 'session', p_session_id, NULL,
    jsonb_build_object('count', jsonb_array_length(v_consents)));
  RETURN jsonb_build_object('status', 'ok', 'consents', v_consents);
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.list_my_recordings(p_limit integer DEFAULT 50, p_cursor text DEFAULT NULL::text, p_session_id text DEFAULT NULL::text, p_state text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_person text := medzen.current_person();
  v_found jsonb;
  v_page jsonb;
  v_last jsonb;
BEGIN
  PERFORM medzen.check_page(p_limit, p_cursor, 'instant,uuid'), medzen.check_text(p_session_id, 'The session');
  v_found := medzen.list_recordings(medzen.current_tenant(), p_limit + 1, p_session_id => p_session_id, p_state => p_state,
    p_participant => v_person, p_before => split_part(p_cursor, ',', 1)::timestamptz, p_before_id => split_part(p_cursor, ',', 2)::uuid);
  v_page := CASE WHEN jsonb_array_length(v_found) > p_limit THEN v_found - -1 ELSE v_found END;
  v_last := v_page -> -1;
  PERFORM medzen.record_listing(v_page);
  RETURN jsonb_build_object('status', 'ok', 'recordings', (
      SELECT coalesce(jsonb_agg(medzen.recording_for_participant(r.value) ORDER BY r.position), '[]')
      FROM jsonb_array_elements(v_page) WITH ORDINALITY AS r (value, position)))
    || CASE WHEN v_page = v_found THEN '{}'
      ELSE jsonb_build_object('cursor', concat_ws(',', v_last ->> 'startedAt', v_last ->> 'id')) END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.list_pending_deletions(p_limit integer DEFAULT 50, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_tenant text := medzen.current_tenant();
  v_now timestamptz := medzen.now();
  v_found jsonb;
  v_page jsonb;
BEGIN
  PERFORM medzen.current_person();
  IF medzen.is_system_admin() IS NOT TRUE THEN
    RETURN medzen.refuse_person('recording.list', 'read', p_purpose => 'HOPERAT');
  END IF;
  PERFORM medzen.check_page(p_limit, p_cursor, 'instant,uuid');
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'id', r.id,
      'sessionId', r.session_id,
      'patient', r.patient,
      'state', r.state,
      'pendingSince', medzen.format_instant(r.since),
      'graceUntil', medzen.format_instant(r.grace_until),
      'deletableAt', medzen.format_instant(r.deletable_at),
      'rulesVersion', r.rules_version,
      'ruleIds', to_jsonb(r.rule_ids),
      'holds', r.hold_count,
      'accessRequests', r.request_count)) ORDER BY r.since, r.id), '[]') INTO v_found
  FROM (
    SELECT q.*, CASE WHEN q.state = 'deleting' THEN q.state_at ELSE q.retain_until END AS since FROM medzen.recording q
    WHERE q.tenant = v_tenant AND (q.state = 'deleting' OR q.state IN ('available', 'archived', 'failed') AND q.retain_until IS NOT NULL)
      AND CASE WHEN q.state = 'deleting' THEN q.state_at ELSE q.retain_until END <= v_now
      AND (CASE WHEN q.state = 'deleting' THEN q.state_at ELSE q.retain_until END, q.id)
        > (coalesce(split_part(p_cursor, ',', 1), '-infinity')::timestamptz,
          coalesce(split_part(p_cursor, ',', 2), '00000000-0000-0000-0000-000000000000')::uuid)
    ORDER BY since, q.id
    LIMIT p_limit + 1) r;
  v_page := CASE WHEN jsonb_array_length(v_found) > p_limit THEN v_found - -1 ELSE v_found END;
  PERFORM medzen.record_listing(v_page, '{"list": "pending_deletion"}', 'HOPERAT');
  RETURN jsonb_build_object('status', 'ok', 'recordings', v_page)
    || CASE WHEN v_page = v_found THEN '{}'
      ELSE jsonb_build_object('cursor', concat_ws(',', v_page #>> '{-1,pendingSince}', v_page #>> '{-1,id}')) END;
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.list_recording_holds(p_recording_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_tenant text := medzen.current_tenant();
  v_patient text;
  v_holds jsonb;
BEGIN
  PERFORM medzen.current_person();
  SELECT r.patient INTO v_patient FROM medzen.recording r WHERE r.tenant = v_tenant AND r.id = p_recording_id;
  IF medzen.is_system_admin() IS NOT TRUE THEN
    RETURN medzen.refuse_person('hold.list', 'read', v_patient, 'recording', p_recording_id::text, 'HOPERAT');
  ELSIF v_patient IS NULL THEN
    PERFORM medzen.record_event('hold.list', 'read', 'failed', NULL, 'recording', p_recording_id::text, NULL, '{"code": "not_found"}',
      'HOPERAT');
    RETURN '{"status": "not_found"}';
  END IF;
  v_holds := medzen.list_holds(v_tenant, p_recording_id);
  PERFORM medzen.record_event('hold.list', 'read', 'success', v_patient, 'recording', p_recording_id::text, NULL,
    jsonb_build_object('count', jsonb_array_length(v_holds)), 'HOPERAT');
  RETURN jsonb_build_object('status', 'ok', 'holds', v_holds);
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.request_access(p_recording_id uuid, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_person text := medzen.current_person();
  v_tenant text := medzen.current_tenant();
  v_id uuid := coalesce(p_id, gen_random_uuid());
  v_now timestamptz := medzen.now();
  v_due timestamptz := v_now + interval '30 days';
  v_known boolean;
  v_patient text;
  v_event record;
  v_status text;
  v_request medzen.access_request;
BEGIN
  PERFORM medzen.check_text(v_person, 'The subject');
  SELECT r.patient INTO v_patient FROM medzen.recording r WHERE r.tenant = v_tenant AND r.id = p_recording_id;
  IF NOT EXISTS (
    SELECT FROM medzen.recording_participant p
    WHERE p.tenant = v_tenant AND p.recording_id = p_recording_id AND p.participant = v_person AND p.role = 'patient') THEN
    RETURN medzen.refuse_person('access_request.open', 'create', v_patient, 'recording', p_recording_id::text, 'PATRQT');
  END IF;
  v_known := EXISTS (SELECT FROM medzen.access_request q WHERE q.tenant = v_tenant AND q.id = v_id);
  v_event := medzen.jcs_event(medzen.current_draft(TRUE) || jsonb_build_object(
    'action', 'access_request.open', 'kind', 'create', 'outcome', 'success', 'purpose', 'PATRQT',
    'patient', medzen.index_key(v_patient),
    'target', jsonb_build_object('type', 'recording', 'id', p_recording_id),
    'detail', jsonb_build_object('request', v_id, 'dueAt', medzen.format_instant(v_due))));
  v_status := medzen.open_access_request(v_tenant, v_id, v_person, v_now, v_due, v_person, v_event.id, v_event.body, p_recording_id)
    ->> 'status';
  IF v_status <> 'opened' THEN
    PERFORM medzen.record_event('access_request.open', 'create', 'failed', v_patient, 'recording', p_recording_id::text, NULL,
      jsonb_build_object('code', v_status), 'PATRQT');
    RETURN jsonb_build_object('status', v_status);
  END IF;
  SELECT * INTO v_request FROM medzen.access_request q WHERE q.tenant = v_tenant AND q.id = v_id;
  RETURN jsonb_build_object('status', CASE WHEN v_known THEN 'repeated' ELSE 'opened' END,
    'request', medzen.access_request_for_person(v_request));
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.search_audit(p_limit integer DEFAULT 50, p_cursor text DEFAULT NULL::text, p_patient text DEFAULT NULL::text, p_done_by text DEFAULT NULL::text, p_action text DEFAULT NULL::text, p_outcome text DEFAULT NULL::text, p_purpose text DEFAULT NULL::text, p_target_type text DEFAULT NULL::text, p_target_id text DEFAULT NULL::text, p_from timestamp with time zone DEFAULT NULL::timestamp with time zone, p_to timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
 SET "DateStyle" TO 'ISO'
AS $function$
DECLARE
  v_filters jsonb := jsonb_strip_nulls(jsonb_build_object('patient', p_patient, 'doneBy', p_done_by, 'action', p_action,
    'outcome', p_outcome, 'purpose', p_purpose, 'targetType', p_target_type, 'targetId', p_target_id, 'from', p_from, 'to', p_to));
  v_events jsonb;
  v_damaged jsonb;
  v_found int;
  v_last text;
BEGIN
  PERFORM medzen.current_person();
  -- First, since the patient goes into the event of a refusal too.
  PERFORM medzen.check_text(f.value, f.key) FROM jsonb_each_text(v_filters) f;
  IF (medzen.is_auditor() OR medzen.is_system_admin()) IS NOT TRUE THEN
    RETURN medzen.refuse_person('audit.search', 'read', p_patient, p_purpose => 'HOPERAT');
  END IF;
  PERFORM medzen.check_page(p_limit, p_cursor, 'uuid');
  SELECT coalesce(jsonb_agg(f.event ORDER BY f.id DESC) FILTER (WHERE f.event IS NOT NULL AND f.place <= p_limit), '[]'),
    jsonb_agg(f.id ORDER BY f.id DESC) FILTER (WHERE f.event IS NULL AND f.place <= p_limit),
    count(*), min(f.id) FILTER (WHERE f.place <= p_limit)
  INTO v_events, v_damaged, v_found, v_last
  FROM (
    SELECT s.id COLLATE "C" AS id, medzen.open_found(s.id, s.body, v_filters) AS event,
      row_number() OVER (ORDER BY s.id COLLATE "C" DESC) AS place
    FROM medzen.search_events(medzen.current_tenant(), p_limit + 1, p_cursor, p_patient, p_done_by,
      CASE WHEN p_action IS NOT NULL THEN ARRAY[p_action] END, CASE WHEN p_outcome IS NOT NULL THEN ARRAY[p_outcome] END,
      CASE WHEN p_purpose IS NOT NULL THEN ARRAY[p_purpose] END,
      p_target_type, p_target_id, p_from::text, p_to::text) s) f;
  -- Records which fields were searched, but not their values: a person may have typed anything.
  PERFORM medzen.record_event('audit.search', 'read', p_patient => p_patient, p_purpose => 'HOPERAT', p_detail => jsonb_build_object(
    'count', least(v_found, p_limit), 'filters', (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(v_filters) k)));
  RETURN jsonb_strip_nulls(jsonb_build_object('damaged', v_damaged, 'cursor', CASE WHEN v_found > p_limit THEN v_last END))
    || jsonb_build_object('status', 'ok', 'events', v_events);
END
$function$;

CREATE OR REPLACE FUNCTION medzen_api.withdraw_consent(p_session_id text, p_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '5s'
AS $function$
DECLARE
  v_person text := medzen.current_person();
  v_new medzen.consent;
  v_saved jsonb;
BEGIN
  PERFORM medzen.check_text(coalesce(p_session_id, ''), 'The session');
  PERFORM medzen.lock_consent_session(medzen.current_tenant(), p_session_id);
  -- What is taken back is the last text agreed to; for a retry, the last one before the withdrawal that it repeats.
  SELECT * INTO v_new FROM medzen.consent c
  WHERE c.tenant = medzen.current_tenant() AND c.session_id = p_session_id AND c.participant = v_person
    AND NOT EXISTS (SELECT FROM medzen.consent w WHERE w.tenant = c.tenant AND w.id = p_id AND w.session_id = p_session_id
      AND w.ordinal <= c.ordinal)
  ORDER BY c.ordinal DESC LIMIT 1;
  v_new.id := p_id;
  v_new.session_id := p_session_id;
  v_new.decision := 'withdrawn';
  v_new.acknowledged_recording := false;
  v_new.acknowledged_storage := false;
  v_new.acknowledged_access := false;
  v_new.acknowledged_retention := false;
  v_new.text_version := coalesce(v_new.text_version, 'none');
  v_new.text_sha256 := coalesce(v_new.text_sha256, encode(sha256(''), 'hex'));
  v_new.language := coalesce(v_new.language, 'und');
  v_new.method := 'click';
  -- A statement of its own: the next one sees what this one marked.
  v_saved := medzen.save_own_consent(v_new);
  RETURN v_saved || jsonb_build_object('stillRecording', (
    SELECT coalesce(jsonb_agg(r.id), '[]') FROM medzen.recording r
    WHERE r.tenant = medzen.current_tenant() AND r.session_id = p_session_id AND r.state IN ('starting', 'recording')
      AND (EXISTS (SELECT FROM medzen.recording_participant p
          WHERE p.tenant = r.tenant AND p.recording_id = r.id AND p.participant = v_person)
        OR EXISTS (SELECT FROM medzen.consent c
          WHERE c.tenant = r.tenant AND c.id = r.stop_consent AND c.participant = v_person))));
END
$function$;


-- ---- Grants

GRANT EXECUTE ON FUNCTION medzen.add_cosignature TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.add_cosignature TO service_role;
GRANT EXECUTE ON FUNCTION medzen.admin_tenant TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.append_events TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.append_events TO service_role;
GRANT EXECUTE ON FUNCTION medzen.audit_lag TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.audit_lag TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.audit_lag TO service_role;
GRANT EXECUTE ON FUNCTION medzen.auditor_tenant TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.begin_deletion TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.begin_deletion TO service_role;
GRANT EXECUTE ON FUNCTION medzen.cancel_deletion TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.cancel_deletion TO service_role;
GRANT EXECUTE ON FUNCTION medzen.change_recording TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.change_recording TO service_role;
GRANT EXECUTE ON FUNCTION medzen.claim_expired TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.claim_expired TO service_role;
GRANT EXECUTE ON FUNCTION medzen.claim_reconciliations TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.claim_reconciliations TO service_role;
GRANT EXECUTE ON FUNCTION medzen.claim_stops TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.claim_stops TO service_role;
GRANT EXECUTE ON FUNCTION medzen.claim_transfers TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.claim_transfers TO service_role;
GRANT EXECUTE ON FUNCTION medzen.cleanup_rate_limits TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.cleanup_rate_limits TO service_role;
GRANT EXECUTE ON FUNCTION medzen.close_access_request TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.close_access_request TO service_role;
GRANT EXECUTE ON FUNCTION medzen.commit_batch TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.commit_batch TO service_role;
GRANT EXECUTE ON FUNCTION medzen.commit_rebase TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.commit_rebase TO service_role;
GRANT EXECUTE ON FUNCTION medzen.consume_limits TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.consume_limits TO service_role;
GRANT EXECUTE ON FUNCTION medzen.count_postponed TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.count_postponed TO service_role;
GRANT EXECUTE ON FUNCTION medzen.current_subject TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.current_subject TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.current_subject TO service_role;
GRANT EXECUTE ON FUNCTION medzen.current_tenant TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.current_tenant TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.current_tenant TO service_role;
GRANT EXECUTE ON FUNCTION medzen.erasable_kinds TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.erasable_kinds TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.erasable_kinds TO service_role;
GRANT EXECUTE ON FUNCTION medzen.erase_identity TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.erase_identity TO service_role;
GRANT EXECUTE ON FUNCTION medzen.extend_access_request TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.extend_access_request TO service_role;
GRANT EXECUTE ON FUNCTION medzen.extend_keep TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.extend_keep TO service_role;
GRANT EXECUTE ON FUNCTION medzen.find_pseudonyms TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.find_pseudonyms TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.find_pseudonyms TO service_role;
GRANT EXECUTE ON FUNCTION medzen.find_recording TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.find_recording TO service_role;
GRANT EXECUTE ON FUNCTION medzen.finish_archive TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.finish_archive TO service_role;
GRANT EXECUTE ON FUNCTION medzen.finish_deletion TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.finish_deletion TO service_role;
GRANT EXECUTE ON FUNCTION medzen.get_recording TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.get_recording TO service_role;
GRANT EXECUTE ON FUNCTION medzen.leaf_of TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.leaf_of TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.leaf_of TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_access_requests TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_access_requests TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_consents TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_consents TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_due_archives TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_due_archives TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_due_discards TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_due_discards TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_due_warnings TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_due_warnings TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_facts TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_facts TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_holds TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_holds TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_recordings TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_recordings TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_reviews TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_reviews TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.list_reviews TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_stale_decisions TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_stale_decisions TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_tenant_holds TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_tenant_holds TO service_role;
GRANT EXECUTE ON FUNCTION medzen.list_undecided TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.list_undecided TO service_role;
GRANT EXECUTE ON FUNCTION medzen.move_cursor TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.move_cursor TO service_role;
GRANT EXECUTE ON FUNCTION medzen.note_access TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.note_access TO service_role;
GRANT EXECUTE ON FUNCTION medzen.note_fact TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.note_fact TO service_role;
GRANT EXECUTE ON FUNCTION medzen.note_lock TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.note_lock TO service_role;
GRANT EXECUTE ON FUNCTION medzen.note_removal TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.note_removal TO service_role;
GRANT EXECUTE ON FUNCTION medzen.now TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.open_access_request TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.open_access_request TO service_role;
GRANT EXECUTE ON FUNCTION medzen.open_archive TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.open_archive TO service_role;
GRANT EXECUTE ON FUNCTION medzen.place_hold TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.place_hold TO service_role;
GRANT EXECUTE ON FUNCTION medzen.postpone_recording TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.postpone_recording TO service_role;
GRANT EXECUTE ON FUNCTION medzen.queue_reviews TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.queue_reviews TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_archives TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_archives TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_archives TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_batch TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_batch TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_checkpoints TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_checkpoints TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_checkpoints TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_clock TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.read_clock TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_cursor TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_cursor TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_cursor TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_head TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_head TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_head TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_installation TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.read_installation TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_installation TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_installation TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_leaves TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_leaves TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_leaves TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_migrations TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.read_migrations TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_migrations TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_migrations TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_strays TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_strays TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_strays TO service_role;
GRANT EXECUTE ON FUNCTION medzen.read_tile TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.read_tile TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.read_tile TO service_role;
GRANT EXECUTE ON FUNCTION medzen.record_consent TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.record_consent TO service_role;
GRANT EXECUTE ON FUNCTION medzen.record_warning TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.record_warning TO service_role;
GRANT EXECUTE ON FUNCTION medzen.release_claim TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.release_claim TO service_role;
GRANT EXECUTE ON FUNCTION medzen.release_hold TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.release_hold TO service_role;
GRANT EXECUTE ON FUNCTION medzen.release_reconciliation TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.release_reconciliation TO service_role;
GRANT EXECUTE ON FUNCTION medzen.renew_claim TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.renew_claim TO service_role;
GRANT EXECUTE ON FUNCTION medzen.reveal_identities TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.reveal_identities TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.reveal_identities TO medzen_sequencer;
GRANT EXECUTE ON FUNCTION medzen.reveal_identities TO service_role;
GRANT EXECUTE ON FUNCTION medzen.save_decision TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.save_decision TO service_role;
GRANT EXECUTE ON FUNCTION medzen.search_events TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.search_events TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.search_events TO service_role;
GRANT EXECUTE ON FUNCTION medzen.sign_review TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.sign_review TO service_role;
GRANT EXECUTE ON FUNCTION medzen.start_recording TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.start_recording TO service_role;
GRANT EXECUTE ON FUNCTION medzen.summarize_access TO medzen_app;
GRANT EXECUTE ON FUNCTION medzen.summarize_access TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.summarize_access TO service_role;
GRANT EXECUTE ON FUNCTION medzen.uuid_floor TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.visible_consents TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen.visible_recordings TO medzen_auditor;
GRANT EXECUTE ON FUNCTION medzen_api.get_my_recording TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.give_consent TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.list_accesses_to_me TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.list_my_access_requests TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.list_my_consents TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.list_my_recordings TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.list_pending_deletions TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.list_recording_holds TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.request_access TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.search_audit TO authenticated;
GRANT EXECUTE ON FUNCTION medzen_api.withdraw_consent TO authenticated;
GRANT USAGE ON SCHEMA medzen TO medzen_app;
GRANT USAGE ON SCHEMA medzen TO medzen_auditor;
GRANT USAGE ON SCHEMA medzen TO medzen_sequencer;
GRANT USAGE ON SCHEMA medzen TO service_role;
GRANT USAGE ON SCHEMA medzen_api TO authenticated;
GRANT SELECT ON TABLE medzen.archive_manifest TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_checkpoint TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_cosignature TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_event TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_head TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_leaf TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_pending TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_rows TO medzen_auditor;
GRANT SELECT ON TABLE medzen.audit_tile TO medzen_auditor;
GRANT SELECT ON TABLE medzen.directory TO medzen_auditor;
GRANT SELECT (id) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT (matter) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT (patient) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT (placed_at) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT (recording_id) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT (released_at) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT (tenant) ON TABLE medzen.legal_hold TO medzen_auditor;
GRANT SELECT ON TABLE medzen.monthly_phi_access TO medzen_auditor;
GRANT SELECT (decided_at) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (deletable_at) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (facts_revision) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (grace_until) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (hold_count) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (id) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (patient) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (request_count) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (retain_until) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (rule_ids) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (rules_version) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (session_id) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (started_at) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (state) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (subject_revision) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT (tenant) ON TABLE medzen.recording TO medzen_auditor;
GRANT SELECT ON TABLE medzen.recordings_pending_deletion TO medzen_auditor;
GRANT SELECT ON TABLE medzen.review TO medzen_auditor;
GRANT SELECT ON TABLE medzen.tail_cursor TO medzen_auditor;
