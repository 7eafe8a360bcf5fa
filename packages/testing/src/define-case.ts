import type { Clock, Scope } from '@medzen/core';
import type { Capability, ContractCase } from './contract.ts';
import { createSamples, type Samples } from './samples.ts';

/** What the context of every store suite has. */
interface Tenants {
  readonly scope: Scope;
  readonly otherScope: Scope;
  readonly clock: Clock;
}

/** Builders of data of either tenant, beside what the context offers. */
export interface CaseSamples {
  readonly mine: Samples;
  readonly theirs: Samples;
}

/** Defines one case of a suite. */
export type DefineCase<Context> = (
  id: string,
  title: string,
  run: (tools: Context & CaseSamples) => Promise<void>,
  requires?: readonly Capability[],
) => ContractCase<Context>;

/**
 * Makes the function that defines a suite's cases.
 *
 * @param suite - what every id starts with
 */
export function caseDefiner<Context extends Tenants>(suite: string): DefineCase<Context> {
  return (id, title, run, requires = []) => ({
    id: `${suite}.${id}`,
    title,
    requires,
    run: (context) =>
      run({
        ...context,
        mine: createSamples({ scope: context.scope, clock: context.clock }),
        theirs: createSamples({ scope: context.otherScope, clock: context.clock }),
      }),
  });
}
