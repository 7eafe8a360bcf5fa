/** The rules of docs/glossary.json and CONTRIBUTING, "English". */
type Rule = 'E1' | 'E2' | 'E3' | 'E4' | 'E5' | 'E6' | 'E7';

/** One place that breaks a rule. */
export interface Finding {
  readonly rule: Rule;
  /** Relative to the root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly suggestion: string;
}

/** What kind of text it is: rules differ. `name` is an identifier, split at its capitals. */
export type TextKind = 'comment' | 'prose' | 'message' | 'name';

const stems =
  'author|recogn|organ|serial|normal|summar|pseudonym|initial|minim|final|sanit|custom|optim|priorit|anonym|util|synchron|categor|character|emphas';
const british = new RegExp(
  `\\b(?:${stems})is(?:e|es|ed|ing|ation|ations|er)\\b|\\b(?:behaviour|colour|favour|honour|neighbour)\\w*|\\b(?:enrol|enrols|enrolment|labelled|labelling|modelled|travelled|fulfil|licence|catalogue|artefact|whilst|grey|judgement|practise)\\b`,
  'i',
);
const riddles =
  /(?<!there )\b(?:is|are) none\b(?! of)|\bwho(?:m)?ever\b|\bsomebody\b|\bis no (?:list|key|token|table|verifier|person|proof|checkpoint|URL|folder|place|store)\b|\bis not absent\b|\b(?:is|are) another\b(?! \w+ (?:of|in))|\bof (?:ours|theirs)\b|\bfor want of\b|\bleavings\b|\b(?:can|cannot) be had\b|\bwhich is to say\b|\bis over\b(?! (?:a|the|an|pg|\d))/i;
const bareClause =
  /^(?:What|Who|Whose|Whom|Where|How|Whether|Of|Which|Why|Whatever|Who(?:m)?ever|That)\b(?!ever possible)/;
const nouns =
  'page|batch|claim|lease|hold|link|range|summary|witness|limit|key|body|hash|service|append|event|signer|part|rate limit|clean-up|consistency proof|erasure|purge|request|name|version|cursor|person';
const riddleMessage = new RegExp(
  `^(?:Not (?:an?|the|yours?|names|everyone|canonical|base64|hexadecimal)\\b|No (?:function|tenant|purpose|one|leaf|command|answer)\\b|Nothing\\b|Nobody\\b|Something\\b|Somebody\\b|Between |Who |What |It (?:is|was)\\b|Another (?:of|number|one)\\b|An? (?:${nouns}) (?:has|holds|lasts|names|lies|lives|stays|is (?!not)|needs (?!an?\\b)|says|signs|ticks|archives|drops|waits|takes an?\\b|takes (?:1|\\$)))`,
);

/** Longest line of prose in Markdown. */
export const maxColumns = 120;

/** Finds British spellings (E1) and banned phrases (E2). */
export function checkWords(text: string, kind: TextKind): readonly Pick<Finding, 'rule' | 'text' | 'suggestion'>[] {
  const plain = kind === 'name' ? text.replace(/([A-Z])/g, ' $1') : text;
  const spelling = british.exec(plain)?.[0];
  const phrase = kind === 'name' ? undefined : riddles.exec(plain)?.[0];
  return [
    ...(spelling === undefined
      ? []
      : [
          {
            rule: kind === 'name' ? ('E5' as const) : ('E1' as const),
            text: spelling,
            suggestion: 'use the US spelling',
          },
        ]),
    ...(phrase === undefined
      ? []
      : [{ rule: 'E2' as const, text: phrase, suggestion: 'say it straight: who does what, or what is missing' }]),
  ];
}

/** Finds a doc comment or SQL comment that begins with a bare clause (E3). */
export function checkOpening(comment: string): readonly Pick<Finding, 'rule' | 'text' | 'suggestion'>[] {
  if (!bareClause.test(comment)) return [];
  return [{ rule: 'E3', text: comment.slice(0, 80), suggestion: 'begin with a verb, or name the thing' }];
}

/** Finds an error message that does not begin with the field, the rule or the remedy (E4). */
export function checkMessage(message: string): readonly Pick<Finding, 'rule' | 'text' | 'suggestion'>[] {
  if (!riddleMessage.test(message)) return [];
  return [
    {
      rule: 'E4',
      text: message.slice(0, 80),
      suggestion: 'name the field, the rule and the remedy: "limit must be 1 to 1000"',
    },
  ];
}

/** Words that the glossary replaces by others (E7). */
export interface Glossary {
  /** From the banned word, in lower case, to the preferred one. */
  readonly terms: Readonly<Record<string, string>>;
  /** Every status that a method of a port may answer. */
  readonly statuses: readonly string[];
}

/** Finds banned words of the glossary (E7) in prose. */
export function checkTerms(
  text: string,
  { terms }: Glossary,
): readonly Pick<Finding, 'rule' | 'text' | 'suggestion'>[] {
  return Object.entries(terms).flatMap(([banned, preferred]) =>
    new RegExp(`\\b${banned}\\b`, 'i').test(text)
      ? [{ rule: 'E7' as const, text: banned, suggestion: `use "${preferred}"` }]
      : [],
  );
}
