-- Whatever view of people a host put in place of directory goes with it.
SELECT medzen.begin_rollback('000013_access');

DO $$
DECLARE
  v_grant record;
BEGIN
  FOR v_grant IN
    SELECT p.role, p.relation, c.relkind <> 'v' AS is_table FROM medzen.select_permission p
    JOIN pg_roles r ON r.rolname = p.role
    JOIN pg_class c ON c.relname = p.relation AND c.relnamespace = 'medzen'::regnamespace
  LOOP
    EXECUTE format('REVOKE SELECT ON medzen.%I FROM %I', v_grant.relation, v_grant.role);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION medzen.now, medzen.uuid_floor FROM %I', v_grant.role);
    IF v_grant.is_table THEN
      EXECUTE format('DROP POLICY IF EXISTS %I ON medzen.%I', v_grant.role, v_grant.relation);
    END IF;
  END LOOP;
END
$$;

DROP VIEW medzen.recordings_pending_deletion;
DROP VIEW medzen.monthly_phi_access;
DROP VIEW medzen.directory;
DROP FUNCTION medzen.apply_permissions;
DROP FUNCTION medzen.apply_select_permissions;
ALTER FUNCTION medzen.apply_function_permissions() RENAME TO apply_permissions;
DROP FUNCTION medzen.permit_select;
DROP TABLE medzen.select_permission;
DROP TRIGGER refuse_truncate ON medzen.migration;
DROP TRIGGER refuse_truncate ON medzen.permission;
DROP TRIGGER refuse_truncate ON medzen.audit_pending;
DROP TRIGGER refuse_truncate ON medzen.rate_limit;
DROP TRIGGER refuse_truncate ON medzen.consent_session;
DROP TRIGGER refuse_truncate ON medzen.retention_subject;
DROP TRIGGER refuse_truncate ON medzen.postponed;
DROP TRIGGER refuse_truncate ON medzen.removed_version;
DROP TRIGGER refuse_truncate ON medzen.webhook_seen;
DROP POLICY visible ON medzen.recording;
DROP POLICY visible ON medzen.recording_participant;
DROP POLICY visible ON medzen.consent;
DROP POLICY admins ON medzen.consent_session;
DROP POLICY admins ON medzen.retention_subject;
DROP POLICY admins ON medzen.retention_fact;
DROP POLICY admins ON medzen.retention_warning;
DROP POLICY admins ON medzen.postponed;
DROP POLICY admins ON medzen.removed_version;
DROP POLICY admins ON medzen.legal_hold;
DROP POLICY auditors ON medzen.audit_event;
DROP POLICY auditors ON medzen.audit_leaf;
DROP POLICY auditors ON medzen.audit_rows;
DROP POLICY auditors ON medzen.audit_head;
DROP POLICY auditors ON medzen.audit_tile;
DROP POLICY auditors ON medzen.audit_checkpoint;
DROP FUNCTION medzen.visible_consents;
DROP INDEX medzen.consent_of;
DROP FUNCTION medzen.visible_recordings;
DROP FUNCTION medzen.auditor_tenant;
DROP FUNCTION medzen.admin_tenant;

CREATE POLICY consent_own ON medzen.consent FOR SELECT USING (participant = medzen.current_subject());
CREATE POLICY consent_admin ON medzen.consent FOR SELECT USING (medzen.is_system_admin());
CREATE POLICY recording_participants ON medzen.recording FOR SELECT USING (EXISTS (
  SELECT FROM medzen.recording_participant p
  WHERE p.tenant = recording.tenant AND p.recording_id = recording.id AND p.participant = medzen.current_subject()));
CREATE POLICY recording_participant_self ON medzen.recording_participant FOR SELECT
  USING (participant = medzen.current_subject());
CREATE POLICY recording_admin ON medzen.recording FOR SELECT USING (medzen.is_system_admin());
CREATE POLICY recording_participant_admin ON medzen.recording_participant FOR SELECT USING (medzen.is_system_admin());
CREATE POLICY retention_fact_admin ON medzen.retention_fact FOR SELECT USING (medzen.is_system_admin());
CREATE POLICY legal_hold_admin ON medzen.legal_hold FOR SELECT USING (medzen.is_system_admin());

-- What a role may call by that list too, it gets back.
SELECT medzen.apply_permissions();
