SELECT medzen.begin_rollback('000007_retention', 'retention_fact', 'retention_warning');

DROP FUNCTION medzen.count_postponed;
DROP FUNCTION medzen.postpone_recording;
DROP FUNCTION medzen.list_due_discards;
DROP FUNCTION medzen.extend_keep;
DROP FUNCTION medzen.list_undecided;
DROP FUNCTION medzen.list_due_archives;
DROP FUNCTION medzen.record_warning;
DROP FUNCTION medzen.list_due_warnings;
DROP TABLE medzen.retention_warning;
DROP FUNCTION medzen.save_decision;
DROP FUNCTION medzen.end_of_notice;
DROP FUNCTION medzen.list_stale_decisions;
DROP FUNCTION medzen.list_facts;
DROP FUNCTION medzen.note_fact;
DROP FUNCTION medzen.check_fact;
DROP FUNCTION medzen.is_zone;
DROP FUNCTION medzen.void_facts;
DROP TABLE medzen.retention_fact;

DELETE FROM medzen.permission WHERE function IN ('note_fact', 'list_facts', 'list_stale_decisions', 'save_decision',
  'list_due_warnings', 'record_warning', 'list_due_archives', 'list_undecided', 'extend_keep', 'list_due_discards',
  'postpone_recording', 'count_postponed');
