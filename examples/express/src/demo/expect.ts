/** Ends the demo: something was not as the story says. */
function fail(message: string): never {
  throw new Error(message);
}

/** Checks what a step claims, before it is told. */
export function expect(holds: boolean, message: string): asserts holds {
  if (!holds) fail(message);
}

/** Checks that two values are the same, and says both when they are not. */
export function expectEqual(actual: unknown, expected: string | number | boolean | undefined, what: string): void {
  if (actual !== expected) fail(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}
