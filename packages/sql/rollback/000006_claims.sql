SELECT medzen.begin_rollback('000006_claims');

DROP FUNCTION medzen.release_reconciliation;
DROP FUNCTION medzen.claim_reconciliations;
DROP FUNCTION medzen.renew_claim;
DROP FUNCTION medzen.release_claim;
DROP FUNCTION medzen.claim_stops;
DROP FUNCTION medzen.claim_transfers;
DROP FUNCTION medzen.take_claims;
DROP FUNCTION medzen.check_claim_options;
DROP FUNCTION medzen.read_clock;
DROP FUNCTION medzen.claim_backoff;

DELETE FROM medzen.permission WHERE function IN ('read_clock', 'claim_transfers', 'claim_stops', 'claim_reconciliations',
  'release_reconciliation', 'renew_claim', 'release_claim');
