import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** One address before the parts of a project. */
export interface Gateway {
  readonly url: string;
  close(): void;
}

/** Of one connection, or of the body as it came on it: not handed on. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'host',
  'keep-alive',
  'transfer-encoding',
]);

/**
 * A STAND-IN for Supabase's gateway: it hands requests on by the beginning of their path, and wants a key in `apikey` (or, of a function,
 * `authorization`) from whoever brings no link and is no provider. It knows of no other rule of the real one's.
 *
 * @param routes - by the beginning of the path: where to hand on, and what is taken off the path
 */
export async function startGateway(
  routes: () => Readonly<Record<string, { readonly to: string; readonly strip: string }>>,
): Promise<Gateway> {
  const server = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const path = request.url ?? '/';
      const [, route] = Object.entries(routes()).find(([begin]) => path.startsWith(begin)) ?? [];
      if (route === undefined) return void response.writeHead(404).end('{"message":"no Route matched"}');
      if (path.startsWith('/rest/') && request.headers.apikey === undefined)
        return void response.writeHead(401).end('{"message":"No API key found in request"}');
      const { method = 'GET' } = request;
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !hopByHop.has(name)),
      ) as Record<string, string>; // those that are lists are not sent here
      const body = method === 'GET' || method === 'HEAD' ? null : await buffer(request);
      const init = { method, headers, body, redirect: 'manual' as const };
      const answer = await fetch(route.to + path.slice(route.strip.length), init);
      const kept = Object.fromEntries([...answer.headers].filter(([name]) => !hopByHop.has(name)));
      response.writeHead(answer.status, kept).end(Buffer.from(await answer.arrayBuffer()));
    };
    pass().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
