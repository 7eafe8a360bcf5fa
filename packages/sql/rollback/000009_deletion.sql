SELECT medzen.begin_rollback('000009_deletion');

DROP FUNCTION medzen.finish_deletion;
DROP FUNCTION medzen.begin_deletion;
DROP FUNCTION medzen.claim_expired;

DELETE FROM medzen.permission WHERE function IN ('claim_expired', 'begin_deletion', 'finish_deletion');
