import { parseArgs } from 'node:util';
import { type WireName, wireNames } from './wires.ts';

/** What the demo was asked for. */
export interface DemoArguments {
  readonly wire: WireName;
  /** Leaves an app running in the end. */
  readonly serve: boolean;
}

const usage = `Usage: npm run demo -- [--wire ${wireNames.join('|')}] [--serve]`;

/**
 * Reads the command line.
 *
 * @param args - without node and the script
 * @returns the arguments; or, as a text, what is wrong with them and how it is done
 */
export function readArguments(args: readonly string[]): DemoArguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { wire: { type: 'string', default: 'pglite' }, serve: { type: 'boolean', default: false } },
    });
    const wire = wireNames.find((name) => name === values.wire);
    if (wire === undefined) return `No such wire: ${values.wire}\n${usage}`;
    return { wire, serve: values.serve };
  } catch (error) {
    const [said] = String(error instanceof Error ? error.message : error).split(/\.\s|\n/);
    return `${said}\n${usage}\nOptions stand after \`--\`: what comes before it, npm keeps for itself.`;
  }
}
