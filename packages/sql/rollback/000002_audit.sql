SELECT medzen.begin_rollback('000002_audit', 'audit_event', 'audit_leaf', 'audit_tile', 'audit_checkpoint');

DROP FUNCTION medzen.requeue_events;
DROP FUNCTION medzen.audit_lag;
DROP FUNCTION medzen.read_checkpoints;
DROP FUNCTION medzen.leaf_of;
DROP FUNCTION medzen.read_leaves;
DROP FUNCTION medzen.is_filed;
DROP FUNCTION medzen.read_tile;
DROP FUNCTION medzen.commit_rebase;
DROP FUNCTION medzen.commit_batch;
DROP FUNCTION medzen.read_batch;
DROP FUNCTION medzen.pending_from;
DROP FUNCTION medzen.read_head;
DROP FUNCTION medzen.search_events;
DROP FUNCTION medzen.one_of;
DROP FUNCTION medzen.write_event;
DROP FUNCTION medzen.append_events;
DROP FUNCTION medzen.derive_events;
DROP FUNCTION medzen.index_keys;
DROP FUNCTION medzen.index_key;
DROP FUNCTION medzen.make_audit_partitions;
DROP FUNCTION medzen.guard_audit_partition;
DROP FUNCTION medzen.uuid_floor;
DROP TABLE medzen.audit_checkpoint;
DROP TABLE medzen.audit_tile;
DROP TABLE medzen.audit_leaf;
DROP TABLE medzen.audit_head;
DROP TABLE medzen.audit_pending;
DROP TABLE medzen.audit_event;
DROP FUNCTION medzen.refuse_tile_change;
DROP FUNCTION medzen.refuse_change;

DELETE FROM medzen.permission WHERE function IN ('append_events', 'search_events', 'read_head', 'read_batch',
  'commit_batch', 'commit_rebase', 'read_tile', 'read_leaves', 'leaf_of', 'read_checkpoints', 'audit_lag');
