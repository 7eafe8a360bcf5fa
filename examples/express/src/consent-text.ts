/** What participants are shown. Its version and hash stand in every consent. */
export const consentText: { readonly version: string; readonly language: string; readonly text: string } = {
  version: '2026-11',
  language: 'en',
  text: [
    'This visit can be recorded in sound and picture. The recording is stored encrypted, in the United States.',
    'You and your provider can see it; every access is logged, and you may ask for that log.',
    'It is kept for seven years after your last treatment and then deleted, unless the law requires longer.',
    'You can withdraw at any time, and the recording stops.',
  ].join('\n'),
};
