// A witness: node src/witness.ts. Behind a proxy that speaks TLS. Its settings are four variables of the environment:
//   WITNESS_NAME    its name in signatures, such as compliance.example/w1
//   WITNESS_SEED    the Ed25519 seed, 32 random bytes in base64 (openssl rand -base64 32); used for nothing else
//   WITNESS_FOLDER  its memory; never restored from a copy
//   WITNESS_LOGS    the verifier keys of the logs it looks after, separated by spaces
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { createCosigner, createWitness } from '@medzen/audit';
import { fileWitnessStore } from '@medzen/audit/node';

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`Set ${name}`);
  return value;
};

const store = await fileWitnessStore(setting('WITNESS_FOLDER'));
const witness = createWitness({
  cosigner: createCosigner({
    name: setting('WITNESS_NAME'),
    privateKey: new Uint8Array(Buffer.from(setting('WITNESS_SEED'), 'base64')),
  }),
  // The name of a log's key is its origin.
  logs: setting('WITNESS_LOGS')
    .split(/\s+/)
    .map((key) => ({ origin: key.split('+')[0] ?? '', verifierKeys: [key] })),
  store,
  logger: console,
});

const server = createServer(async (incoming, outgoing) => {
  const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  const body = hasBody ? Readable.toWeb(incoming) : null;
  const request = new Request(new URL(incoming.url ?? '/', 'http://witness'), {
    method: incoming.method ?? 'GET',
    body,
    duplex: 'half',
  } as RequestInit); // of the DOM, which knows neither Node's stream nor `duplex`
  const response = await witness.fetch(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
});
server.requestTimeout = 10_000;
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : address;
  process.stdout.write(`listening on ${port}\nverifier key: ${witness.verifierKey}\n`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => server.close(() => void store.close().then(() => process.exit(0))));
