import { buildApiReference } from './api-reference.ts';

await buildApiReference();
console.log('docs/api/index.html');
