SELECT medzen.begin_rollback('000003_rate_limit');

DROP FUNCTION medzen.cleanup_rate_limits;
DROP FUNCTION medzen.consume_limits;
DROP FUNCTION medzen.consume_several;
DROP FUNCTION medzen.take_limit;
DROP FUNCTION medzen.limit_decision;
DROP FUNCTION medzen.limit_cost;
DROP FUNCTION medzen.limit_room;
DROP FUNCTION medzen.limit_unit;
DROP FUNCTION medzen.now_ns;
DROP TABLE medzen.rate_limit;

DELETE FROM medzen.permission WHERE function IN ('consume_limits', 'cleanup_rate_limits');
