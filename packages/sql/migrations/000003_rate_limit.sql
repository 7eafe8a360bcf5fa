-- Rate limits: the generic cell rate algorithm (ITU-T I.371, virtual scheduling), one timestamp a key.

-- UNLOGGED: a crash of the server forgives everybody once, and nobody waits for the disk. Room in the pages, and no index on
-- `tat`, so that an update stays in its page and touches no index.
CREATE UNLOGGED TABLE medzen.rate_limit (
  tenant text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- Theoretical arrival time, in nanoseconds since 1970: when the whole burst is free again. Whole numbers, so that nothing drifts.
  tat bigint NOT NULL,
  PRIMARY KEY (tenant, key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE medzen.rate_limit ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION medzen.now_ns() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN (extract(epoch FROM medzen.now()) * 1000000)::bigint * 1000;

-- The requests as nanoseconds: what one unit takes, what the whole burst takes, what this request takes.
CREATE FUNCTION medzen.read_limit_requests(p_requests jsonb)
RETURNS TABLE (at bigint, key text, unit bigint, room bigint, cost bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.at, r.e ->> 'key', u.unit, floor((r.e ->> 'burst')::numeric * u.unit)::bigint,
    ceil((r.e ->> 'cost')::numeric * u.unit)::bigint
  FROM jsonb_array_elements(p_requests) WITH ORDINALITY AS r (e, at),
  LATERAL (
    SELECT greatest(1, floor((r.e ->> 'periodMs')::numeric * 1000000 / (r.e ->> 'rate')::numeric))::bigint AS unit
  ) u
$$;

-- What one key's timestamp means for one request. `p_ahead`: how far it lies ahead of now, the cost included when `p_spent`.
CREATE FUNCTION medzen.limit_decision(p_ahead bigint, p_spent boolean, p_unit bigint, p_room bigint, p_cost bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object(
  'allowed', p_spent OR p_ahead + p_cost <= p_room,
  'remaining', greatest(0, (p_room - p_ahead) / p_unit),
  'retryAfterMs', CASE WHEN p_spent THEN 0 ELSE greatest(0, (p_ahead + p_cost - p_room + 999999) / 1000000) END,
  'resetMs', (p_ahead + 999999) / 1000000);

-- Decides on all requests at one instant: `[{key, rate, periodMs, burst, cost}]` in, decisions in the same order out. Unless
-- every one is allowed, nothing moves.
--
-- Locks are taken in order of key, so that callers with keys in common never deadlock. A timestamp is never taken to lie further
-- ahead than a whole burst: a clock that was set back, or a policy made stricter, must not shut a key out for longer.
CREATE FUNCTION medzen.consume_limits(p_tenant text, p_requests jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_now bigint;
  v_request record;
  v_passed text[];
  v_tat bigint;
  v_all boolean;
  v_result jsonb;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF jsonb_array_length(p_requests) NOT BETWEEN 1 AND 16 THEN
    PERFORM medzen.fail('invalid_input', 'A rate limit takes 1 to 16 policies');
  END IF;
  v_now := medzen.now_ns();
  LOOP
    -- Look first, without a lock: as a timestamp only grows while it matters, what is refused now is refused for certain. So the crowd
    -- at a limit that is reached neither waits for a row nor writes.
    SELECT jsonb_agg(medzen.limit_decision(a.ahead, false, r.unit, r.room, r.cost) ORDER BY r.at),
      bool_and(a.ahead + r.cost <= r.room)
    INTO v_result, v_all
    FROM medzen.read_limit_requests(p_requests) r
    LEFT JOIN medzen.rate_limit l ON l.tenant = p_tenant AND l.key = r.key
    CROSS JOIN LATERAL (SELECT least(greatest(coalesce(l.tat, 0) - v_now, 0), r.room) AS ahead) a;
    EXIT WHEN NOT v_all;

    v_passed := '{}';
    FOR v_request IN SELECT * FROM medzen.read_limit_requests(p_requests) r ORDER BY r.key COLLATE "C" LOOP
      INSERT INTO medzen.rate_limit AS l (tenant, key, tat)
      VALUES (p_tenant, v_request.key, v_now + v_request.cost)
      ON CONFLICT (tenant, key) DO UPDATE
        SET tat = v_now + least(greatest(l.tat - v_now, 0), v_request.room) + v_request.cost
        WHERE least(greatest(l.tat - v_now, 0), v_request.room) + v_request.cost <= v_request.room
      RETURNING l.tat INTO v_tat;
      v_all := v_tat IS NOT NULL;
      EXIT WHEN NOT v_all; -- somebody was faster since the look
      v_passed := v_passed || v_request.key;
      v_result := jsonb_set(v_result, ARRAY[(v_request.at - 1)::text],
        medzen.limit_decision(v_tat - v_now, true, v_request.unit, v_request.room, v_request.cost));
    END LOOP;
    EXIT WHEN v_all;

    -- Give back what was taken; the rows are still locked.
    UPDATE medzen.rate_limit l SET tat = l.tat - r.cost
    FROM medzen.read_limit_requests(p_requests) r
    WHERE l.tenant = p_tenant AND l.key = r.key AND r.key = ANY (v_passed);
  END LOOP;
  RETURN v_result;
END
$$;

-- Drops keys whose burst is whole again, at most so many; rows in use are left for the next time. Returns how many went.
CREATE FUNCTION medzen.cleanup_rate_limits(p_limit int) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_now bigint := medzen.now_ns();
  v_gone int;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100000 THEN
    PERFORM medzen.fail('invalid_input', 'A clean-up drops 1 to 100000 keys');
  END IF;
  DELETE FROM medzen.rate_limit l
  USING (
    SELECT o.tenant, o.key FROM medzen.rate_limit o WHERE o.tat <= v_now LIMIT p_limit FOR UPDATE SKIP LOCKED
  ) o
  WHERE l.tenant = o.tenant AND l.key = o.key AND l.tat <= v_now;
  GET DIAGNOSTICS v_gone = ROW_COUNT;
  RETURN to_jsonb(v_gone);
END
$$;

SELECT medzen.permit('medzen_app', 'consume_limits', 'cleanup_rate_limits');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000003_rate_limit', 'ef6a7da8c662b8009c2d274c8b3b567e663feae84b0bd886e1c633916d4da856', false);
