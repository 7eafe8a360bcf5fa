-- Tables of the host's that are audited stop it: call medzen.unaudit_table on each first.
SELECT medzen.begin_rollback('000011_audit_table', 'audit_rows');

DROP FUNCTION medzen.unaudit_table;
DROP FUNCTION medzen.audit_table;
DROP FUNCTION medzen.note_audited;
DROP FUNCTION medzen.audit_change;
DROP FUNCTION medzen.table_name;
DROP FUNCTION medzen.audit_query;
DROP FUNCTION medzen.text_expression;
DROP FUNCTION medzen.is_plain_type;
DROP TABLE medzen.audit_rows;
