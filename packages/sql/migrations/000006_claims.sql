-- Claims: which worker works on which recording. A claim is a lease on the database's clock and a fencing token from a
-- sequence; only the holder of the newest token can finish. What failed waits longer each time, so that it starves nobody.

SET LOCAL search_path = pg_catalog, pg_temp;

CREATE FUNCTION medzen.claim_backoff(p_attempts integer) RETURNS INTERVAL
LANGUAGE sql IMMUTABLE
RETURN least(make_interval(mins => least(p_attempts, 38) * least(p_attempts, 38)), INTERVAL '1 day');

-- The clock on which leases run, for a worker to compare with its own before it deletes.
CREATE FUNCTION medzen.read_clock() RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN to_jsonb(medzen.format_instant(medzen.now()));

CREATE FUNCTION medzen.check_claim_options(p_limit integer, p_lease_ms integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 1000');
  END IF;
  IF p_lease_ms IS NULL OR p_lease_ms NOT BETWEEN 1000 AND 3600000 THEN
    PERFORM medzen.fail('invalid_input', 'p_lease_ms must be from 1 second to 1 hour');
  END IF;
END $$;

-- Writes the claims. The caller has locked the rows, and keeps its order.
CREATE FUNCTION medzen.take_claims(p_tenant text, p_ids uuid[], p_lease_ms integer) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_lease INTERVAL := make_interval(secs => p_lease_ms / 1000.0);
  v_result jsonb;
BEGIN
  WITH taken AS (
    UPDATE medzen.recording r SET
      claim_token = nextval('medzen.claim_token'),
      claim_until = v_now + v_lease,
      claim_attempts = r.claim_attempts + 1,
      claim_after = v_now + v_lease + medzen.claim_backoff(r.claim_attempts + 1)
    WHERE r.tenant = p_tenant AND r.id = ANY (p_ids)
    RETURNING r.*
  )
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'recording', medzen.recording_json(t::medzen.recording),
    'token', t.claim_token::text,
    'attempts', t.claim_attempts) ORDER BY array_position(p_ids, t.id)), '[]')
  INTO v_result
  FROM taken t;
  RETURN v_result;
END $$;

-- By id, the back-off is passed over (a person asks for it); a lease never is.
CREATE FUNCTION medzen.claim_transfers(
  p_tenant text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_ids uuid[];
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  IF p_id IS NULL THEN
    SELECT array_agg(due.id ORDER BY due.turn, due.id) INTO v_ids FROM (
      SELECT r.id, greatest(r.state_at, r.claim_after) AS turn FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.state = 'uploading' AND r.claim_after <= v_now
      ORDER BY greatest(r.state_at, r.claim_after), r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED) due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND r.state = 'uploading'
        AND (r.claim_until IS NULL OR r.claim_until <= v_now)
      FOR NO KEY UPDATE SKIP LOCKED) due;
  END IF;
  RETURN medzen.take_claims(p_tenant, coalesce(v_ids, '{}'), p_lease_ms);
END $$;

-- As claim_transfers; but a person waits for the end of the recording, so that what failed is offered again after five minutes at most.
CREATE FUNCTION medzen.claim_stops(
  p_tenant text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_ids uuid[];
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  SELECT array_agg(due.id ORDER BY due.turn, due.id) INTO v_ids FROM (
    SELECT r.id, greatest(r.stop_requested_at, again.after) AS turn
    FROM medzen.recording r
    CROSS JOIN LATERAL (
      SELECT r.claim_after - medzen.claim_backoff(r.claim_attempts)
        + least(medzen.claim_backoff(r.claim_attempts), INTERVAL '5 minutes') AS after) again
    WHERE r.tenant = p_tenant AND r.stop_requested_at IS NOT NULL
      AND (r.state IN ('starting', 'recording') OR r.state = 'failed' AND r.ended_at IS NULL AND r.media IS NULL)
      AND CASE WHEN p_id IS NULL
        THEN again.after <= v_now
        ELSE r.id = p_id AND (r.claim_until IS NULL OR r.claim_until <= v_now) END
    ORDER BY greatest(r.stop_requested_at, again.after), r.id
    LIMIT p_limit
    FOR NO KEY UPDATE OF r SKIP LOCKED) due;
  RETURN medzen.take_claims(p_tenant, coalesce(v_ids, '{}'), p_lease_ms);
END $$;

-- Gives a claim back. With a failure the row waits its back-off from now; without one it is free at once, as if not claimed.
CREATE FUNCTION medzen.release_claim(
  p_tenant text, p_id uuid, p_token text, p_failure_code text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
BEGIN
  UPDATE medzen.recording r SET
    claim_token = NULL,
    claim_until = NULL,
    claim_attempts = r.claim_attempts - CASE WHEN p_failure_code IS NULL THEN 1 ELSE 0 END,
    claim_after = CASE
      WHEN p_failure_code IS NULL THEN '-infinity'
      ELSE v_now + medzen.claim_backoff(r.claim_attempts) END
  WHERE r.tenant = p_tenant AND r.id = p_id AND r.claim_token::text = p_token;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'released' ELSE 'lease_lost' END);
END $$;

-- Lengthens a lease from now, as long as nobody else has claimed the row.
CREATE FUNCTION medzen.renew_claim(p_tenant text, p_id uuid, p_token text, p_lease_ms integer) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_until timestamptz := medzen.now() + make_interval(secs => p_lease_ms / 1000.0);
BEGIN
  PERFORM medzen.check_claim_options(1, p_lease_ms);
  UPDATE medzen.recording r SET
    claim_until = v_until,
    claim_after = v_until + medzen.claim_backoff(r.claim_attempts)
  WHERE r.tenant = p_tenant AND r.id = p_id AND r.claim_token::text = p_token;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'renewed' ELSE 'lease_lost' END);
END $$;

-- Claims the recordings whose provider is to be asked. By id, also before it is due; a lease is
-- never passed over.
CREATE FUNCTION medzen.claim_reconciliations(
  p_tenant text, p_limit integer, p_lease_ms integer, p_id uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
DECLARE
  v_now timestamptz := medzen.now();
  v_ids uuid[];
  v_result jsonb;
BEGIN
  PERFORM medzen.check_claim_options(p_limit, p_lease_ms);
  IF p_id IS NULL THEN
    SELECT array_agg(due.id ORDER BY due.look_after, due.id) INTO v_ids FROM (
      SELECT r.id, r.look_after FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.look_after IS NOT NULL AND r.look_after <= v_now
      ORDER BY r.look_after, r.id
      LIMIT p_limit
      FOR NO KEY UPDATE SKIP LOCKED) due;
  ELSE
    SELECT array_agg(due.id) INTO v_ids FROM (
      SELECT r.id FROM medzen.recording r
      WHERE r.tenant = p_tenant AND r.id = p_id AND r.look_after IS NOT NULL
        AND (r.look_token IS NULL OR r.look_after <= v_now)
      FOR NO KEY UPDATE SKIP LOCKED) due;
  END IF;
  WITH taken AS (
    UPDATE medzen.recording r SET
      look_token = nextval('medzen.claim_token'),
      look_after = v_now + make_interval(secs => p_lease_ms / 1000.0),
      look_attempts = r.look_attempts + 1
    WHERE r.tenant = p_tenant AND r.id = ANY (v_ids)
    RETURNING r.*
  )
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'recording', medzen.recording_json(t::medzen.recording),
    'token', t.look_token::text,
    'attempts', t.look_attempts) ORDER BY array_position(v_ids, t.id)), '[]')
  INTO v_result
  FROM taken t;
  RETURN v_result;
END $$;

CREATE FUNCTION medzen.release_reconciliation(
  p_tenant text, p_id uuid, p_token text, p_again_seconds integer DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $$
BEGIN
  IF p_again_seconds NOT BETWEEN 1 AND 31536000 THEN
    PERFORM medzen.fail('invalid_input', 'A provider is asked again after 1 second to 365 days');
  END IF;
  UPDATE medzen.recording r SET
    look_token = NULL,
    look_after = medzen.now() + make_interval(secs => p_again_seconds)
  WHERE r.tenant = p_tenant AND r.id = p_id AND r.look_token::text = p_token;
  RETURN jsonb_build_object('status', CASE WHEN found THEN 'released' ELSE 'lease_lost' END);
END $$;

SELECT medzen.permit('medzen_app', 'read_clock', 'claim_transfers', 'claim_stops', 'claim_reconciliations',
  'release_reconciliation', 'renew_claim', 'release_claim');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000006_claims', '88d90b5cd252c215baebc7a6d96bf0a7e3d0a105c0a5c69c4bfbca557aeca3f6', false);
