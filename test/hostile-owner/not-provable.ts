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
    'A superseded checkpoint: that of the head proves all before it, and whoever kept this one still compares.',
  'audit_checkpoint: written_at': 'When the row was written: no signature covers it, and nobody reads it.',
  'audit_cosignature: delete':
    'A cosignature adds a witness to what the log signed. Who relies on one asks for it: `medzen-verify --witnesses`.',
  'audit_cosignature: size':
    'A cosignature under another checkpoint does not hold there, as whoever gives the witness’s key sees; and it is missing from its own, as if deleted.',
  'audit_cosignature: added_at': 'When the row was written: the signature holds its own time.',
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
  consent: state,
  consent_session: state,
  legal_hold: state,
  recording: state,
  recording_participant: state,
  retention_fact: state,
  retention_subject: state,
  retention_warning: state,
  rate_limit: forgotten,
  webhook_seen: forgotten,
  job: settings,
  migration: settings,
  permission: settings,
  select_permission: settings,
  test_clock: 'Only where the migrations for tests are installed, which `doctor` calls critical.',
};
