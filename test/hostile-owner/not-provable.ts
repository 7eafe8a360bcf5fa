/** Cells that no tool finds, by table and change (or column), and why. A cell that is found must not stand here. */
export const notProvable: Readonly<Record<string, string>> = {
  'audit_event: xid':
    'Which transaction wrote it: orders a batch before it is sealed, and nothing after. The order of the leaves is sealed.',
  'audit_event: written_at':
    'When the database took it: no event says that. It may only lengthen what the event’s own time says, for the month of the archive and for retention.',
  'audit_pending: written_at': 'Tells the lag of events that wait for their leaf; they are not tamper-evident yet.',
  'audit_head: pending_from':
    'Where the search for the next batch begins. Set too far, events stay without a leaf: the verdict counts them as unsequenced.',
  'audit_head: server_started':
    'Tells whether the note of where to search holds; without it the search begins at the start.',
  'audit_head: noted_by': 'Tells whether the note of where to search holds; without it the search begins at the start.',
  'audit_tile: insert': 'Outside the tree: nobody reads it.',
  'audit_checkpoint: delete':
    'A superseded checkpoint: that of the head proves all before it, and a reader who kept this one still compares.',
  'audit_checkpoint: written_at': 'When the row was written: no signature covers it, and nobody reads it.',
  'audit_cosignature: delete':
    'A cosignature adds a witness to what the log signed. Who relies on one asks for it: `medzen-verify --witnesses`.',
  'audit_cosignature: size':
    'A cosignature under another checkpoint does not hold there, as a verifier with the witness’s key sees; and it is missing from its own, as if deleted.',
  'audit_cosignature: added_at': 'When the row was written: the signature holds its own time.',
  'archive_manifest: newest_at':
    'Of a range that was purged: what was purged is judged by what is sealed. Of one that was not, the guards look at each event again.',
  'archive_manifest: greatest_id': 'Spares a look for purged ids; the leaves themselves say which were purged.',
  'archive_manifest: begun_at': 'No event says it, and nothing follows from it.',
  'archive_manifest: archived_at': 'No event says it; the archive itself holds what was archived.',
  'archive_manifest: purged_at': 'The event of the purge says when.',
  'archive_manifest: purged_by': 'Opens the guards in the transaction of the purge, and means nothing after.',
  'erasable_identity: made_at': 'Nobody reads it.',
  'erasable_kind: since': 'Nobody reads it: the event of the switch says when.',
  'erasable_kind: swap kind': 'The kinds are the same as before.',
  'review: insert':
    'A finding is what a rule made of a sealed event; the rule’s verdict itself is not sealed. It is about an event that says the same.',
  'review: delete':
    'The queue is derived: a scan under another name finds it again. Its sign-off stays in the log, as an event.',
  'review: rule': 'A finding is what a rule made of a sealed event; the rule’s verdict itself is not sealed.',
  'review: detail': 'A finding is what a rule made of a sealed event; the rule’s verdict itself is not sealed.',
  'review: queued_at': 'No event says it.',
  'review: update signed_at': 'The event of the sign-off says when.',
  'tail_cursor: insert': 'Nobody follows by that name.',
  'tail_cursor: delete': 'The follower begins again, and ships everything twice.',
  'tail_cursor: name': 'The follower begins again, and ships everything twice.',
  'tail_cursor: leaf_index':
    'Set forward, a follower misses events. Each batch says from which leaf to which it goes: its receiver sees the gap.',
  'tail_cursor: moved_at': 'Nobody reads it.',
  'audit_event: rewrite an event that waits for its leaf':
    'Until it has a leaf, an event is immutable to the application and not yet tamper-evident. The sequencer’s interval bounds that time.',
  'audit_event, audit_pending: remove an event that waits for its leaf':
    'Until it has a leaf, an event is immutable to the application and not yet tamper-evident. The sequencer’s interval bounds that time.',
};

const state =
  'State, not evidence: each change of it committed with an event, and the events are proved. The state is not compared with them.';
const forgotten = 'Forgotten by design: what it knows ends within hours or days.';
const settings =
  'Settings: `doctor` compares the rights, definitions and jobs that come of them with those of the migrations.';

/** Tables that hold no evidence, and why. */
export const noEvidence: Readonly<Record<string, string>> = {
  access_request: state,
  consent: state,
  consent_session: state,
  legal_hold: state,
  recording: state,
  recording_participant: state,
  retention_fact: state,
  retention_subject: state,
  retention_warning: state,
  removed_version: 'State of a deletion that is under way. Its counts end in the tombstone, whose event is proved.',
  postponed: 'State of a queue: when it tries a recording again.',
  rate_limit: forgotten,
  webhook_seen: forgotten,
  job: settings,
  migration: settings,
  permission: settings,
  select_permission: settings,
  test_clock: 'Only where the migrations for tests are installed, which `doctor` calls critical.',
};
