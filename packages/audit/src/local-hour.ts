import { MedzenError } from '@medzen/core';

/** A moment of a week, as a clock on the wall shows it. */
export interface LocalHour {
  /** 0 for Sunday. */
  readonly weekday: number;
  /** 0 up to 24, exclusive; half past nine is 9.5. */
  readonly hour: number;
}

const weekdays: readonly string[] = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** @param zone - IANA name. @throws MedzenError `invalid_configuration` for an unknown one */
export function hourIn(zone: string): (instant: Date) => LocalHour {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US-u-nu-latn', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  } catch (cause) {
    throw new MedzenError('invalid_configuration', "Time zone must be an IANA name such as 'America/New_York'", {
      cause,
    });
  }
  return (instant) => {
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
    for (const { type, value } of format.formatToParts(instant)) part[type] = value;
    return { weekday: weekdays.indexOf(part.weekday ?? ''), hour: Number(part.hour) + Number(part.minute) / 60 };
  };
}
