SELECT medzen.begin_rollback('000015_cosignature', 'audit_cosignature');

DELETE FROM medzen.select_permission WHERE relation = 'audit_cosignature';

CREATE OR REPLACE FUNCTION medzen.read_head() RETURNS TABLE (size text, root bytea, checkpoint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT h.size::text, h.root, h.checkpoint FROM medzen.audit_head h
$$;

CREATE OR REPLACE FUNCTION medzen.read_checkpoints(p_after_size text, p_limit int) RETURNS TABLE (size text, checkpoint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'Checkpoints are read 1 to 1000 at a time');
  END IF;
  RETURN QUERY
    SELECT c.size::text, c.checkpoint FROM medzen.audit_checkpoint c
    WHERE c.size > p_after_size::bigint ORDER BY c.size LIMIT p_limit;
END
$$;

DROP FUNCTION medzen.cosignatures;
DROP FUNCTION medzen.add_cosignature;
DROP FUNCTION medzen.cosignature_key;
DROP TABLE medzen.audit_cosignature;

DELETE FROM medzen.permission WHERE function IN ('add_cosignature');
