import { at, holds, rejects, same } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import type { LogStoreContext } from '../store-context.ts';
import { appended, commitOf, committed, define } from './log-commit.ts';

/** A signature line: a key's name, its id in the first 4 bytes (`idByte` four times), then the signature. */
function line(name: string, idByte: number, signature: number): string {
  const payload = Uint8Array.from({ length: 76 }, (_, i) => (i < 4 ? idByte : signature));
  return `\u2014 ${name} ${btoa(String.fromCharCode(...payload))}\n`;
}

/** What a store does with cosignatures. It verifies none: whoever adds them has. */
export const cosignCases: readonly ContractCase<LogStoreContext>[] = [
  define('cosign.shows', 'shows cosignatures under their checkpoint, wherever it is read', async (tools) => {
    const { log } = tools.stores;
    const events = await committed(tools, 2);
    const { checkpoint } = commitOf([], events);
    const [one, two] = [line('w1.example', 1, 7), line('w2.example', 2, 8)];
    same(await log.addCosignature(2, two), { status: 'added' }, 'the first');
    same(await log.addCosignature(2, one), { status: 'added' }, 'the second');
    const whole = `${checkpoint}${one}${two}`;
    same((await log.head()).checkpoint, whole, 'head');
    same(await log.checkpoints(0, 10), [{ size: 2, checkpoint: whole }], 'checkpoints');
  }),

  define(
    'cosign.own_size',
    'keeps the cosignatures of each checkpoint apart, also of one that is the head no more',
    async (tools) => {
      const { log } = tools.stores;
      const first = await committed(tools, 1);
      const more = await appended(tools, 1);
      const next = commitOf(first, more);
      await log.commitBatch(next);
      const late = line('w1.example', 1, 7);
      same(await log.addCosignature(1, late), { status: 'added' }, 'on the earlier one');
      same((await log.head()).checkpoint, next.checkpoint, 'head');
      const [earlier, last] = await log.checkpoints(0, 10);
      same(earlier?.checkpoint, `${commitOf([], first).checkpoint}${late}`, 'the earlier one');
      same(last?.checkpoint, next.checkpoint, 'the last one');
    },
  ),

  define('cosign.once', 'keeps the first cosignature of a key, and one of each key', async (tools) => {
    const { log } = tools.stores;
    await committed(tools, 1);
    const kept = line('w1.example', 1, 7);
    const rotated = line('w1.example', 3, 7);
    await log.addCosignature(1, kept);
    same(await log.addCosignature(1, kept), { status: 'repeated' }, 'a retry');
    same(await log.addCosignature(1, line('w1.example', 1, 9)), { status: 'repeated' }, 'another of the same key');
    same(await log.addCosignature(1, rotated), { status: 'added' }, 'of another key of that name');
    const { checkpoint } = at(await log.checkpoints(0, 1), 0, 'checkpoint');
    holds(checkpoint.endsWith(`${kept}${rotated}`), 'the lines are not the two that were to stay');
  }),

  define('cosign.unknown', 'adds nothing where no checkpoint is', async (tools) => {
    const { log } = tools.stores;
    await committed(tools, 2);
    for (const size of [0, 1, 3])
      same(await log.addCosignature(size, line('w1.example', 1, 7)), { status: 'unknown' }, `size ${size}`);
    same((await log.checkpoints(0, 10)).length, 1, 'checkpoints');
  }),

  define('cosign.invalid', 'takes signature lines only, and not without end', async (tools) => {
    const { log } = tools.stores;
    const events = await committed(tools, 1);
    const good = line('w1.example', 1, 7);
    for (const text of [
      '',
      '\n',
      good.slice(0, -1),
      `${good}${good}`,
      good.replace('\u2014', '-'),
      '\u2014 w1 AAAA\n',
      `\n${good}`,
      // What the name of a key may not hold, and a reader would refuse the whole checkpoint for.
      ...[...'\u0000\t\u001f\u0085\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000+ '].map((sign) =>
        line(`w${sign}1`, 1, 7),
      ),
      line('w\ud8001', 1, 7),
      line('w\udc00', 1, 7),
      line('', 1, 7),
      line('x'.repeat(1025), 1, 7),
      line('\ud83d\udd11'.repeat(513), 1, 7),
    ])
      await rejects(log.addCosignature(1, text), 'invalid_input', JSON.stringify(text.slice(0, 20)));
    await rejects(log.addCosignature(1, line('x'.repeat(8200), 1, 7)), 'invalid_input', 'a line without end');
    same((await log.head()).checkpoint, commitOf([], events).checkpoint, 'head');
    const odd = ['w\u00e4.example', '\u007f', '\ud83d\udd11'.repeat(512), '\u200b'];
    for (const name of odd)
      same(await log.addCosignature(1, line(name, 1, 7)), { status: 'added' }, 'a name beyond ASCII');
    for (let i = 0; i < 64 - odd.length; i++) await log.addCosignature(1, line(`w${i}.example`, 1, 7));
    await rejects(log.addCosignature(1, line('w64.example', 1, 7)), 'invalid_input', 'the 65th');
    same(await log.addCosignature(1, line('w3.example', 1, 7)), { status: 'repeated' }, 'a retry of one of the 64');
  }),

  define('cosign.readable', 'takes no more than a reader of the whole checkpoint looks at', async (tools) => {
    const { log } = tools.stores;
    await committed(tools, 1);
    const long = (i: number): string => `\u2014 w${i}.example ${btoa('x'.repeat(6000))}\n`; // 8017 of 131 072 characters
    for (let i = 0; i < 16; i++) await log.addCosignature(1, long(i));
    await rejects(log.addCosignature(1, long(16)), 'invalid_input', 'past what is read');
    same(await log.addCosignature(1, line('w17.example', 1, 7)), { status: 'added' }, 'what still fits');
    holds(((await log.head()).checkpoint ?? '').length <= 131_072, 'the checkpoint is longer than what is read');
  }),
];
