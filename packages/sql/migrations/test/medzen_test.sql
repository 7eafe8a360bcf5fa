-- A clock that tests and the demo can move. Never for a database in service: a role that may call set_test_clock moves every
-- lease, limit and replay window. Its row in the ledger gives it away.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TABLE medzen.test_clock (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  -- Added to the real clock; or, when frozen_at is set, not used.
  shift interval NOT NULL DEFAULT '0',
  frozen_at timestamptz
);
ALTER TABLE medzen.test_clock ENABLE ROW LEVEL SECURITY;
INSERT INTO medzen.test_clock DEFAULT VALUES;

CREATE OR REPLACE FUNCTION medzen.now() RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(frozen_at, clock_timestamp() + shift) FROM medzen.test_clock
$$;

-- Sets the clock to an instant (RFC 3339 text), from which it runs on, or stands still when frozen. NULL: the real clock again.
CREATE FUNCTION medzen.set_test_clock(p_at text, p_frozen boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  UPDATE medzen.test_clock SET
    shift = CASE WHEN p_at IS NULL THEN interval '0' ELSE p_at::timestamptz - clock_timestamp() END,
    frozen_at = CASE WHEN p_frozen THEN p_at::timestamptz END;
  RETURN to_jsonb(medzen.format_instant(medzen.now()));
END
$$;

SELECT medzen.permit('medzen_app', 'set_test_clock');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('medzen_test', '2f0cf81596898740b515dddfbb49a0cb4cdaecb16288bfd5168771dc3a05ffb2', false);
