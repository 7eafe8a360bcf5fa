-- The roles stay: they belong to the cluster, and other databases may use them.
SELECT medzen.begin_rollback('000001_foundation');

DROP FUNCTION medzen.is_auditor;
DROP FUNCTION medzen.current_subject;
DROP FUNCTION medzen.read_setting;
DROP FUNCTION medzen.check_tenant;
DROP FUNCTION medzen.fail;
DROP FUNCTION medzen.format_instant;
DROP FUNCTION medzen.now;
DROP FUNCTION medzen.read_installation;
DROP FUNCTION medzen.read_migrations;
DROP FUNCTION medzen.begin_rollback;
DROP FUNCTION medzen.permit;
DROP FUNCTION medzen.apply_permissions;
DROP TABLE medzen.permission;
DROP TABLE medzen.migration;
DROP SCHEMA medzen_api;
DROP SCHEMA medzen;
