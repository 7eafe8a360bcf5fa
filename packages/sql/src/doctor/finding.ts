/**
 * Severity of a finding. `critical`: PHI can be read or the log changed past the rules, or the library refuses to work. `warning`: it will
 * come to that, or something of medzen is not as it was installed. `info`: to know.
 */
export type Severity = 'critical' | 'warning' | 'info';

/** Something that is wrong, dangerous or worth knowing, and what to do. */
export interface Finding {
  /** Stable, for scripts: `grant.public`, `trigger.disabled`, … */
  readonly id: string;
  readonly severity: Severity;
  /** What it is about: an object, a role. */
  readonly object: string;
  readonly message: string;
  /** SQL for the owner, or what to do. Absent where there is nothing to do. */
  readonly remedy?: string;
}

/** What an examination gives. */
export interface DoctorReport {
  readonly findings: readonly Finding[];
  /** What the role that looked has no right to see. */
  readonly unexamined: readonly string[];
  /** Facts for the reader of the findings. */
  readonly facts: {
    readonly serverVersion: string;
    readonly schema: string;
    readonly owner?: string;
    /** Logins that are members, by group. */
    readonly members: Readonly<Record<string, readonly string[]>>;
  };
}
