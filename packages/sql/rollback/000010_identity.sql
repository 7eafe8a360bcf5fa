SELECT medzen.begin_rollback('000010_identity');

DROP FUNCTION medzen.record_event;
DROP FUNCTION medzen.current_draft;
DROP FUNCTION medzen.jcs_event;
DROP FUNCTION medzen.check_draft;
DROP FUNCTION medzen.random_nonce;
DROP FUNCTION medzen.uuid_at;
DROP FUNCTION medzen.jcs;
DROP FUNCTION medzen.jcs_sort_key;
DROP FUNCTION medzen.jcs_number;
DROP FUNCTION medzen.current_source;
DROP FUNCTION medzen.forwarded_ip;
DROP FUNCTION medzen.trusted_hops;
DROP FUNCTION medzen.current_actor;
DROP FUNCTION medzen.text_of;
DROP FUNCTION medzen.role_names;
DROP FUNCTION medzen.event_id_text;
DROP FUNCTION medzen.utf16_cut;
DROP FUNCTION medzen.utf16_length;
DROP FUNCTION medzen.current_tenant;
DROP FUNCTION medzen.current_context;

DELETE FROM medzen.permission WHERE function IN ('current_tenant');
