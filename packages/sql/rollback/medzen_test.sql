-- The real clock again: for a database in service that got the one for tests.
SELECT medzen.begin_rollback('medzen_test');

CREATE OR REPLACE FUNCTION medzen.now() RETURNS timestamptz
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN pg_catalog.clock_timestamp();

DROP FUNCTION medzen.set_test_clock;
DROP TABLE medzen.test_clock;

DELETE FROM medzen.permission WHERE function = 'set_test_clock';
