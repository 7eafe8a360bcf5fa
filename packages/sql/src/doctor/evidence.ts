import { type Examiner, may } from './examination.ts';
import type { Finding } from './finding.ts';

/** Rows looked at in one call, and calls for each kind: an examination is bounded, a verification is not. */
const [rowsAtOnce, calls] = [2000, 5];
/** Leaves looked at, the newest. */
const newestLeaves = 5000;

const words: Readonly<Record<string, string>> = {
  event: 'events stand beside the log: they have no leaf and do not wait for one, and searches show them',
  leaf: 'leaves lie outside the tree: their events will never be sealed',
  rows: 'lists of rows stand beside the log: no event carries their hash',
  identity: 'identities do not give their pseudonym: the person they name was changed',
  restored: 'identities are there again although the log says that they were erased',
  review: 'findings of the review are not what the log says',
  archive: 'ranges of the archive are not what the log says of them',
  checkpoint: 'stored checkpoints, or cosignatures, are not what their row says',
};

/**
 * Checks that the tables beside the log match the log, as far as a bounded look can tell: some thousand rows of each
 * kind, and the newest leaves. Only `verifyLog` (@medzen/audit) looks at all, and proves it.
 */
export const examineEvidence: Examiner = async (examination) => {
  const { read, under, skip } = examination;
  const findings: Finding[] = [];
  const found = (id: string, object: string, message: string): void => {
    findings.push({
      id: `evidence.${id}`,
      severity: 'critical',
      object: under(object),
      message,
      remedy:
        'The database was changed with the rights of the owner. Run verifyLog (@medzen/audit) against a checkpoint held elsewhere, and look who it was',
    });
  };

  if (await may(examination, 'function', 'medzen.read_strays(text, int)')) {
    const strays = new Map<string, number>();
    // The newest month of events; of all else what comes first.
    const starts = [
      ...['leaf', 'archive', 'checkpoint', 'identity', 'review', 'rows'],
      "event ' || medzen.uuid_floor(pg_catalog.now() - interval '31 days') || '",
    ];
    for (const start of starts) {
      const [stage = ''] = start.split(' ');
      let after = `'${start}'`;
      for (let call = 0; call < calls; call++) {
        const [row] = await read(
          `SELECT (s ->> 'next') AS next, (SELECT coalesce(jsonb_agg(x.value ->> 'kind'), '[]') FROM jsonb_array_elements(s -> 'strays') x)::text AS kinds
           FROM medzen.read_strays(${after}, ${rowsAtOnce}) s`,
        );
        for (const kind of JSON.parse(String(row?.kinds)) as readonly string[]) // written by the query above
          strays.set(kind, (strays.get(kind) ?? 0) + 1);
        const next = row?.next;
        if (typeof next !== 'string' || next.split(' ')[0] !== stage) break;
        after = `'${next.replaceAll("'", "''")}'`;
      }
    }
    for (const [kind, count] of strays) found(kind, 'medzen', `${count} ${words[kind] ?? 'rows stand beside the log'}`);
  } else skip('what stands beside the log');

  if (await may(examination, 'function', 'medzen.read_leaves(text, int)')) {
    const [newest] = await read(`
      SELECT count(*) FILTER (WHERE l.misfiled)::int AS misfiled, count(*) FILTER (WHERE l.body IS NULL AND NOT l.purged)::int AS missing,
        count(*) FILTER (WHERE l.rows IS NOT NULL)::int AS rows, count(*) FILTER (WHERE l.unerased)::int AS unknown
      FROM (
        SELECT r.*, EXISTS (
          SELECT FROM unnest(string_to_array(r.unknown, ' ')) p
          WHERE NOT medzen.is_erased(convert_from(r.body, 'UTF8')::jsonb ->> 'tenant', p)) AS unerased
        FROM medzen.read_leaves(
          (SELECT greatest(0, coalesce(max(h.size), 0) - ${newestLeaves}) FROM medzen.audit_head h)::text, ${newestLeaves}) r) l`);
    const among = `of the newest ${newestLeaves} events of the log`;
    if (Number(newest?.misfiled) > 0)
      found('misfiled', 'medzen.audit_event', `${newest?.misfiled} ${among} are filed as others than they say`);
    if (Number(newest?.missing) > 0)
      found('missing', 'medzen.audit_event', `${newest?.missing} ${among} are missing, and no sealed purge says why`);
    if (Number(newest?.rows) > 0)
      found('rows', 'medzen.audit_rows', `${newest?.rows} ${among} do not have the rows that they carry the hash of`);
    if (Number(newest?.unknown) > 0)
      found(
        'unknown',
        'medzen.erasable_identity',
        `${newest?.unknown} ${among} name an identity that is missing and was not erased`,
      );
  } else skip('the newest leaves of the log');

  if (await may(examination, 'table', 'medzen.audit_head')) {
    const [head] = await read(`
      SELECT count(*)::int AS heads, (SELECT count(*)::int FROM medzen.audit_head h WHERE h.size > 0 AND NOT EXISTS (
        SELECT FROM medzen.audit_checkpoint c WHERE c.size = h.size AND c.root = h.root AND c.checkpoint = h.checkpoint)) AS others,
        (SELECT count(*)::int FROM medzen.audit_head h WHERE h.size <> (SELECT count(*) FROM medzen.audit_leaf l
          WHERE l.leaf_index >= h.size - 1000 AND l.leaf_index < h.size) + greatest(h.size - 1000, 0)) AS gaps
      FROM medzen.audit_head`);
    if (Number(head?.heads) !== 1)
      found('head', 'medzen.audit_head', `The log has ${head?.heads} heads, where it has one`);
    if (Number(head?.others) > 0)
      found('head', 'medzen.audit_head', 'The head of the log is not what the checkpoint of its size says');
    if (Number(head?.gaps) > 0)
      found('leaf', 'medzen.audit_leaf', 'Some of the last 1000 leaves of the log are missing');
  } else skip('the head of the log');

  if (
    (await may(examination, 'table', 'medzen.erasable_kind')) &&
    (await may(examination, 'table', 'medzen.audit_event'))
  ) {
    const [switched] = await read(`
      SELECT (SELECT coalesce(jsonb_agg(k.kind ORDER BY k.kind), '[]') FROM medzen.erasable_kind k) <> coalesce((
        SELECT (SELECT coalesce(jsonb_agg(x.value ORDER BY x.value), '[]') FROM jsonb_array_elements_text(
          convert_from(e.body, 'UTF8')::jsonb #> '{detail,kinds}') x)
        FROM medzen.audit_event e WHERE e.action = 'config.change' AND e.target_type = 'erasable_identity' ORDER BY e.id DESC LIMIT 1), '[]') AS otherwise`);
    if (switched?.otherwise === true)
      found(
        'kinds',
        'medzen.erasable_kind',
        'Other kinds of identities are erasable than the log says: nobody called keep_erasable()',
      );
  } else skip('which kinds of identities the log calls erasable');
  return findings;
};
