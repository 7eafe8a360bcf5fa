import type { Examiner } from './examination.ts';
import type { Finding } from './finding.ts';

/** Row level security is on, the triggers that guard are awake, and no rule stands before them. */
export const examineProtections: Examiner = async ({ read }) => {
  const open = await read(`
    SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('medzen', 'medzen_api') AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity ORDER BY 1`);
  // Also on the host's tables, where a trigger of medzen records changes.
  const asleep = await read(`
    SELECT t.tgname AS name, t.tgrelid::regclass::text AS relation
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('D', 'R') AND (
      f.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'medzen')
      OR t.tgrelid IN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'medzen'))
    ORDER BY 2, 1`);
  const unguarded = await read(`
    SELECT i.inhrelid::regclass::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_class p ON p.oid = i.inhparent AND p.relname = 'audit_event'
    JOIN pg_namespace n ON n.oid = p.relnamespace AND n.nspname = 'medzen'
    WHERE c.relname ~ '_\\d{4}_\\d\\d$' AND NOT EXISTS (
      SELECT FROM pg_trigger t WHERE t.tgrelid = i.inhrelid AND t.tgname = 'refuse_change') ORDER BY 1`);
  const rules = await read(`
    SELECT r.rulename AS name, r.ev_class::regclass::text AS relation
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('medzen', 'medzen_api') ORDER BY 2, 1`);
  return [
    ...rules.map(
      ({ name, relation }): Finding => ({
        id: 'rule.present',
        severity: 'critical',
        object: `${relation}.${name}`,
        message: `The rule ${name} of ${relation} turns what is written into something else`,
        remedy: `DROP RULE ${name} ON ${relation};`,
      }),
    ),
    ...open.map(
      ({ name }): Finding => ({
        id: 'rls.off',
        severity: 'critical',
        object: String(name),
        message: `Row level security is off on ${name}`,
        remedy: `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;`,
      }),
    ),
    ...asleep.map(
      ({ name, relation }): Finding => ({
        id: 'trigger.disabled',
        severity: 'critical',
        object: `${relation}.${name}`,
        message: `The trigger ${name} of ${relation} is disabled`,
        remedy: `ALTER TABLE ${relation} ENABLE TRIGGER ${name};`,
      }),
    ),
    ...unguarded.map(
      ({ name }): Finding => ({
        id: 'partition.unguarded',
        severity: 'critical',
        object: String(name),
        message: `Nothing keeps the events of ${name} from being truncated`,
        remedy: `CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ${name} FOR EACH STATEMENT EXECUTE FUNCTION ${String(name).split('.')[0]}.refuse_change();`,
      }),
    ),
  ];
};
