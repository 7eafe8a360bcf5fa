SELECT medzen.begin_rollback('000004_consent', 'consent');

DROP FUNCTION medzen.list_consents;
DROP FUNCTION medzen.record_consent;
DROP FUNCTION medzen.latest_consents;
DROP FUNCTION medzen.consent_json;
DROP TABLE medzen.consent;
DROP TABLE medzen.consent_session;
DROP FUNCTION medzen.is_system_admin;

DELETE FROM medzen.permission WHERE function IN ('record_consent', 'list_consents');
