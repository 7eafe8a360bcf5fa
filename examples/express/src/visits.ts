import type { RecordingParticipant, RetentionClass } from '@medzen/core';

/** What the host knows of an appointment. Medzen keeps no appointments: it is told what a recording needs of one. */
export interface Visit {
  readonly tenant: string;
  readonly id: string;
  readonly patient: string;
  readonly participants: readonly RecordingParticipant[];
  /** The video room at Twilio. */
  readonly roomSid: string;
  /** Which law keeps the recording: that of the provider's licence. */
  readonly retentionClass: RetentionClass;
}

/** The host's own look-up. A real one reads the host's table. */
export interface Visits {
  find(tenant: string, id: string): Visit | undefined;
  /** Whether the person has, or had, a visit with the patient. */
  treats(tenant: string, person: string, patient: string): boolean;
}

/** The visits of a fixed list. */
export function visitsOf(list: readonly Visit[]): Visits {
  const byId = new Map(list.map((visit) => [`${visit.tenant}/${visit.id}`, visit]));
  return {
    find: (tenant, id) => byId.get(`${tenant}/${id}`),
    treats: (tenant, person, patient) =>
      list.some(
        (visit) =>
          visit.tenant === tenant && visit.patient === patient && visit.participants.some(({ id }) => id === person),
      ),
  };
}
