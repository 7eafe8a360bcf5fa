SELECT medzen.begin_rollback('000009_deletion');

DROP FUNCTION medzen.finish_deletion;
DROP FUNCTION medzen.cancel_deletion;
DROP FUNCTION medzen.note_lock;
DROP FUNCTION medzen.note_removal;
DROP FUNCTION medzen.begin_deletion;
DROP FUNCTION medzen.claim_expired;
DROP TABLE medzen.removed_version;

DELETE FROM medzen.permission WHERE function IN ('claim_expired', 'begin_deletion', 'note_removal', 'note_lock', 'cancel_deletion',
  'finish_deletion');
