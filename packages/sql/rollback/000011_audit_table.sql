-- Tables of the host's that are audited stop it: call medzen.unaudit_table on each first.
SELECT medzen.begin_rollback('000011_audit_table', 'audit_rows');

DROP FUNCTION medzen.unaudit_table;
DROP FUNCTION medzen.audit_table;
DROP FUNCTION medzen.note_audited;
DROP FUNCTION medzen.audit_change;
DROP FUNCTION medzen.change_events;
DROP FUNCTION medzen.table_name;
DROP FUNCTION medzen.audit_query;
DROP FUNCTION medzen.audit_row_query;
DROP FUNCTION medzen.refuse_unaudited;
DROP FUNCTION medzen.audited_columns;
DROP FUNCTION medzen.text_expression;
DROP FUNCTION medzen.rows_state;
DROP FUNCTION medzen.rows_hash;
DROP FUNCTION medzen.text_array_bytes;
DROP TABLE medzen.audit_rows;
