-- Rate limits: the generic cell rate algorithm (ITU-T I.371, virtual scheduling), one timestamp a key.

SET LOCAL search_path = pg_catalog, pg_temp;

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

-- One request in nanoseconds: what a unit takes, what the whole burst takes, what the request takes.
CREATE FUNCTION medzen.limit_unit(p_request jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(1, div((p_request ->> 'periodMs')::numeric * 1000000, (p_request ->> 'rate')::numeric))::bigint;

CREATE FUNCTION medzen.limit_room(p_request jsonb, p_unit bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN floor((p_request ->> 'burst')::numeric * p_unit)::bigint;

CREATE FUNCTION medzen.limit_cost(p_request jsonb, p_unit bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ceil((p_request ->> 'cost')::numeric * p_unit)::bigint;

-- What one key's timestamp means for one request. `p_ahead`: how far it lies ahead of now, the cost included when `p_spent`.
CREATE FUNCTION medzen.limit_decision(p_ahead bigint, p_spent boolean, p_unit bigint, p_room bigint, p_cost bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object(
  'allowed', p_spent OR p_ahead + p_cost <= p_room,
  'remaining', greatest(0, (p_room - p_ahead) / p_unit),
  'retryAfterMs', CASE WHEN p_spent THEN 0 ELSE greatest(0, (p_ahead + p_cost - p_room + 999999) / 1000000) END,
  'resetMs', (p_ahead + 999999) / 1000000);

-- Takes the cost of one request from its key, or nothing when it does not fit. Returns how far the timestamp then lies ahead.
--
-- A timestamp is never taken to lie further ahead than a whole burst: a clock that was set back, or a policy made stricter, must not
-- shut a key out for longer.
CREATE FUNCTION medzen.take_limit(p_tenant text, p_key text, p_now bigint, p_room bigint, p_cost bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_tat bigint;
BEGIN
  INSERT INTO medzen.rate_limit AS l (tenant, key, tat)
  VALUES (p_tenant, p_key, p_now + p_cost)
  ON CONFLICT (tenant, key) DO UPDATE
    SET tat = p_now + least(greatest(l.tat - p_now, 0), p_room) + p_cost
    WHERE least(greatest(l.tat - p_now, 0), p_room) + p_cost <= p_room
  RETURNING l.tat INTO v_tat;
  RETURN v_tat - p_now;
END
$$;

-- Several requests: all or none.
CREATE FUNCTION medzen.consume_several(p_tenant text, p_requests jsonb, p_now bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_request record;
  v_passed text[];
  v_ahead bigint;
  v_all boolean;
  v_result jsonb;
BEGIN
  LOOP
    SELECT jsonb_agg(medzen.limit_decision(a.ahead, false, u.unit, n.room, n.cost) ORDER BY r.at),
      bool_and(a.ahead + n.cost <= n.room)
    INTO v_result, v_all
    FROM jsonb_array_elements(p_requests) WITH ORDINALITY AS r (e, at)
    CROSS JOIN LATERAL (SELECT medzen.limit_unit(r.e) AS unit) u
    CROSS JOIN LATERAL (SELECT medzen.limit_room(r.e, u.unit) AS room, medzen.limit_cost(r.e, u.unit) AS cost) n
    LEFT JOIN medzen.rate_limit l ON l.tenant = p_tenant AND l.key = r.e ->> 'key'
    CROSS JOIN LATERAL (SELECT least(greatest(coalesce(l.tat, 0) - p_now, 0), n.room) AS ahead) a;
    EXIT WHEN NOT v_all;

    v_passed := '{}';
    -- In order of key, so that callers with keys in common never deadlock.
    FOR v_request IN
      SELECT r.at, r.e ->> 'key' AS key, u.unit, medzen.limit_room(r.e, u.unit) AS room, medzen.limit_cost(r.e, u.unit) AS cost
      FROM jsonb_array_elements(p_requests) WITH ORDINALITY AS r (e, at)
      CROSS JOIN LATERAL (SELECT medzen.limit_unit(r.e) AS unit) u
      ORDER BY r.e ->> 'key' COLLATE "C"
    LOOP
      v_ahead := medzen.take_limit(p_tenant, v_request.key, p_now, v_request.room, v_request.cost);
      v_all := v_ahead IS NOT NULL;
      EXIT WHEN NOT v_all; -- somebody was faster since the look
      v_passed := v_passed || v_request.key;
      v_result := jsonb_set(v_result, ARRAY[(v_request.at - 1)::text],
        medzen.limit_decision(v_ahead, true, v_request.unit, v_request.room, v_request.cost));
    END LOOP;
    EXIT WHEN v_all;

    -- Give back what was taken, while the rows are still locked, and look again.
    UPDATE medzen.rate_limit l SET tat = l.tat - medzen.limit_cost(r.e, medzen.limit_unit(r.e))
    FROM jsonb_array_elements(p_requests) r (e)
    WHERE l.tenant = p_tenant AND l.key = r.e ->> 'key' AND l.key = ANY (v_passed);
  END LOOP;
  RETURN v_result;
END
$$;

-- Decides on all requests at one instant: `[{key, rate, periodMs, burst, cost}]` in, decisions in the same order out. Unless
-- every one is allowed, nothing moves.
--
-- Looks first, without a lock: as a timestamp only grows while it matters, what is refused now is refused for certain. So the crowd
-- at a limit that is reached neither waits for a row nor writes.
CREATE FUNCTION medzen.consume_limits(p_tenant text, p_requests jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_now bigint := medzen.now_ns();
  v_key text := p_requests -> 0 ->> 'key';
  v_unit bigint;
  v_room bigint;
  v_cost bigint;
  v_ahead bigint;
BEGIN
  PERFORM medzen.check_tenant(p_tenant);
  IF jsonb_array_length(p_requests) NOT BETWEEN 1 AND 16 THEN
    PERFORM medzen.fail('invalid_input', 'Rate limit: one call takes 1 to 16 policies');
  END IF;
  IF jsonb_array_length(p_requests) > 1 THEN
    RETURN medzen.consume_several(p_tenant, p_requests, v_now);
  END IF;

  v_unit := medzen.limit_unit(p_requests -> 0);
  v_room := medzen.limit_room(p_requests -> 0, v_unit);
  v_cost := medzen.limit_cost(p_requests -> 0, v_unit);
  -- Twice at most: once refused with the row in hand, the second look sees why.
  FOR v_look IN 1 .. 2 LOOP
    v_ahead := least(v_room, greatest(0, (
      SELECT l.tat FROM medzen.rate_limit l WHERE l.tenant = p_tenant AND l.key = v_key) - v_now));
    IF v_look = 2 OR v_ahead + v_cost > v_room THEN
      RETURN jsonb_build_array(medzen.limit_decision(greatest(v_ahead, v_room - v_cost + 1), false, v_unit, v_room, v_cost));
    END IF;
    v_ahead := medzen.take_limit(p_tenant, v_key, v_now, v_room, v_cost);
    IF v_ahead IS NOT NULL THEN
      RETURN jsonb_build_array(medzen.limit_decision(v_ahead, true, v_unit, v_room, v_cost));
    END IF;
  END LOOP;
END
$$;

-- Drops keys whose burst is whole again, at most so many; rows in use are left for the next time. Returns how many went.
CREATE FUNCTION medzen.cleanup_rate_limits(p_limit int) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
  v_now bigint := medzen.now_ns();
  v_gone int;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100000 THEN
    PERFORM medzen.fail('invalid_input', 'p_limit must be from 1 to 100000');
  END IF;
  -- MATERIALIZED: on the inner side of a join, the LIMIT would start anew for each outer row.
  WITH due AS MATERIALIZED (
    SELECT o.tenant, o.key FROM medzen.rate_limit o WHERE o.tat <= v_now LIMIT p_limit FOR UPDATE SKIP LOCKED
  )
  DELETE FROM medzen.rate_limit l
  USING due o
  WHERE l.tenant = o.tenant AND l.key = o.key AND l.tat <= v_now;
  GET DIAGNOSTICS v_gone = ROW_COUNT;
  RETURN to_jsonb(v_gone);
END
$$;

SELECT medzen.permit('medzen_app', 'consume_limits', 'cleanup_rate_limits');

-- ---- trailer: written by scripts/generate-sql.ts; do not edit below
SELECT medzen.apply_permissions();
INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('000003_rate_limit', '961c28acf758c79bef11e5e87dcfcac83cecee8469cf875ab4d09a71331d86d4', false);
