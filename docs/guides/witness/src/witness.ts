// A witness: node src/witness.ts. Behind a proxy that speaks TLS. Its settings are four variables of the environment:
//   WITNESS_NAME    its name in signatures, such as compliance.example/w1
//   WITNESS_SEED    the Ed25519 seed, 32 random bytes in base64 (openssl rand -base64 32); used for nothing else
//   WITNESS_FOLDER  its memory; never restored from a copy
//   WITNESS_LOGS    the verifier keys of the logs it looks after, separated by spaces; the old and the new one of a log that changed its own
import { createServer, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { createCosigner, createWitness } from '@medzen/audit';
import { fileWitnessStore } from '@medzen/audit/node';

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`Set ${name}`);
  return value;
};

const store = await fileWitnessStore(setting('WITNESS_FOLDER'));
// The name of a log's key is its origin; one that has changed its key has two.
const keys = Map.groupBy(setting('WITNESS_LOGS').trim().split(/\s+/), (key) => key.split('+')[0] ?? '');
const witness = createWitness({
  cosigner: createCosigner({
    name: setting('WITNESS_NAME'),
    privateKey: new Uint8Array(Buffer.from(setting('WITNESS_SEED'), 'base64')),
  }),
  logs: [...keys].map(([origin, verifierKeys]) => ({ origin, verifierKeys })),
  store,
  logger: console,
});

/** @throws for a path or a method that no request can have */
function requestOf(incoming: IncomingMessage): Request {
  const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  return new Request(new URL(incoming.url ?? '/', 'http://witness'), {
    method: incoming.method ?? 'GET',
    body: hasBody ? Readable.toWeb(incoming) : null,
    duplex: 'half',
  } as RequestInit); // of the DOM, which knows neither Node's stream nor `duplex`
}

const server = createServer(async (incoming, outgoing) => {
  try {
    const response = await witness.fetch(requestOf(incoming));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(await response.text());
  } catch {
    outgoing.writeHead(400).end();
  }
});
server.requestTimeout = 10_000;
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : address;
  process.stdout.write(`listening on ${port}\nverifier key: ${witness.verifierKey}\n`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => server.close(() => void store.close().then(() => process.exit(0))));
