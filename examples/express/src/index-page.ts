/** One thing to try, with the command that tries it. */
export interface Try {
  readonly title: string;
  /** A curl line; may hold a token of the local issuer, so it is given only where the app serves the demo. */
  readonly curl?: string;
}

/** The start page: what there is, as plain HTML that needs neither style nor script (its CSP allows none). */
export function indexPage(title: string, tries: readonly Try[]): string {
  const items = tries.map(
    ({ title, curl }) => `<dt>${escapeHtml(title)}</dt>${curl ? `<dd><pre>${escapeHtml(curl)}</pre></dd>` : ''}`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<title>${escapeHtml(title)}</title></head>`,
    `<body><h1>${escapeHtml(title)}</h1><dl>`,
    ...items,
    '</dl></body></html>',
  ].join('\n');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
