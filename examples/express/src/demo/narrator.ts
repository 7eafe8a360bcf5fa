/** Tells the story: chapters, and one short line a step. */
export interface Narrator {
  title(text: string): void;
  chapter(text: string): void;
  /** A step that went as it should, with its real values. */
  step(what: string, value?: string): void;
  /** A further line without a mark. */
  note(text: string): void;
  failure(text: string): void;
}

/** Where the lines go. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

const width = 100;
const column = 47;

/**
 * A narrator that writes plain text of at most 100 columns, and colour only where a person watches.
 *
 * @param output - `process.stdout`, say
 * @param plain - no colour even on a terminal (`NO_COLOR`)
 */
export function narrator(output: Output, plain = false): Narrator {
  const colour = output.isTTY === true && !plain;
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string): unknown => output.write(`${text}\n`);
  let chapters = 0;
  return {
    title: (text) => line(paint(1, text)),
    chapter: (text) => line(`\n${paint(1, `${++chapters}. ${text}`)}`),
    step: (what, value = '') => {
      for (const [index, part] of rows(what, value).entries()) line(`   ${index === 0 ? paint(32, '✓') : ' '} ${part}`);
    },
    note: (text) => line(`     ${paint(2, text)}`),
    failure: (text) => line(`   ${paint(31, '✗')} ${text}`),
  };
}

/** What and value side by side; the value beneath when both do not fit. */
function rows(what: string, value: string): readonly string[] {
  if (value === '') return [what];
  const side = `${what.padEnd(column)}  ${value}`;
  return side.length <= width - 5 ? [side] : [what, `    ${value}`];
}
