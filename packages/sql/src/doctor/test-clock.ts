import { definitionOf } from '../cli/definition.ts';
import { migrations } from '../migrations.generated.ts';
import type { Examiner } from './examination.ts';

/** The clock that tests move is not there. */
export const examineTestClock: Examiner = async ({ testClock, under }) => {
  if (!testClock) return [];
  const real = definitionOf(migrations, 'function', 'medzen.now') ?? '';
  return [
    {
      id: 'clock.test',
      severity: 'critical',
      object: under('medzen.test_clock'),
      message:
        'The clock for tests is installed: whoever may call set_test_clock moves every lease, limit and replay window',
      remedy: under(
        [
          'DROP FUNCTION medzen.set_test_clock(text, boolean);',
          real,
          'DROP TABLE medzen.test_clock;',
          "DELETE FROM medzen.permission WHERE function = 'set_test_clock';",
          "DELETE FROM medzen.migration WHERE id = 'medzen_test';",
        ].join('\n'),
      ),
    },
  ];
};
