SELECT medzen.begin_rollback('000008_legal_hold', 'legal_hold');

DROP FUNCTION medzen.list_tenant_holds;
DROP FUNCTION medzen.list_holds;
DROP FUNCTION medzen.release_hold;
DROP FUNCTION medzen.count_hold;
DROP FUNCTION medzen.place_hold;
DROP FUNCTION medzen.repeated_hold;
DROP FUNCTION medzen.beyond_recall_of;
DROP FUNCTION medzen.legal_hold_json;
DROP TABLE medzen.legal_hold;
DROP FUNCTION medzen.guard_legal_hold;

DELETE FROM medzen.permission WHERE function IN ('place_hold', 'release_hold', 'list_holds', 'list_tenant_holds');
