SELECT medzen.begin_rollback('000017_audit_reads', 'review', 'tail_cursor');

DELETE FROM medzen.select_permission WHERE relation IN ('review', 'tail_cursor');

DROP FUNCTION medzen.move_cursor;
DROP FUNCTION medzen.read_cursor;
DROP TABLE medzen.tail_cursor;
DROP FUNCTION medzen.sign_review;
DROP FUNCTION medzen.list_reviews;
DROP FUNCTION medzen.queue_reviews;
DROP FUNCTION medzen.review_json;
DROP TABLE medzen.review;
DROP FUNCTION medzen.refuse_review_change;
DROP FUNCTION medzen.summarize_access;

DELETE FROM medzen.permission WHERE function IN ('summarize_access', 'queue_reviews', 'list_reviews', 'sign_review', 'read_cursor', 'move_cursor');
