import { type WireContext, wireEchoFunctions } from '@medzen/testing';
import type { SqlFunction } from './migration.ts';
import { sqlstates } from './sqlstate.ts';

/** The contract's test functions, as the manifest would list them. */
export const echoFunctions: Readonly<Record<string, SqlFunction>> = Object.fromEntries(
  wireEchoFunctions.map(({ name, args }) => {
    const types = Object.fromEntries(args.map((arg) => [arg.name.replace(/^p_/, ''), arg.type]));
    return [name, { migration: 'wire contract', args: types }];
  }),
);

/** What the contract asks of a wire's author. */
export const sqlstateOf: WireContext['sqlstateOf'] = (code) => sqlstates[code];
