import { connect } from 'node:net';

/** Speaks HTTP by hand: says what no HTTP client would. */
export interface RawConnection {
  write(text: string): void;
  /** Everything that came until the other side closed, or until nothing came for a while. */
  answer(quietMs?: number): Promise<string>;
  /** Until the text has come. */
  until(text: string): Promise<string>;
}

/** Connects to a server on loopback. */
export function rawConnection(baseUrl: string): RawConnection {
  const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
  let received = '';
  let ended = false;
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.on('close', () => {
    ended = true;
  });
  socket.on('error', () => undefined); // a reset is an answer too
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    write: (text) => {
      if (!ended) socket.write(text);
    },
    answer: async (quietMs = 3000) => {
      for (let waited = 0; !ended && waited < quietMs && !complete(received); waited += 20) await pause(20);
      socket.destroy();
      return received;
    },
    until: async (text) => {
      while (!ended && !received.includes(text)) await pause(20);
      return received;
    },
  };
}

/** Whether a whole answer with a stated length, or in chunks, is there. */
function complete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const [, length] = /content-length: (\d+)/i.exec(text.slice(0, end)) ?? [];
  if (length !== undefined) return Buffer.byteLength(text.slice(end + 4)) >= Number(length);
  return text.endsWith('0\r\n\r\n');
}
