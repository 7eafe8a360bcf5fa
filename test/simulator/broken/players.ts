import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Order } from '../run-simulations.ts';
import type { SimulationReport } from '../simulate.ts';

/** Processes that play worlds, each one world at a time. */
export interface Players {
  /** Plays a world as soon as a process is free. */
  play(order: Order): Promise<SimulationReport>;
  end(): Promise<void>;
}

interface Player {
  play(order: Order): Promise<SimulationReport>;
  end(): Promise<void>;
}

export function startPlayers(processes: number): Players {
  const players = Array.from({ length: processes }, startPlayer);
  const free = [...players];
  const waiting: ((player: Player) => void)[] = [];
  const take = (): Promise<Player> => {
    const player = free.pop();
    return player === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(player);
  };
  const giveBack = (player: Player): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(player);
    else next(player);
  };
  return {
    play: async (order) => {
      const player = await take();
      try {
        return await player.play(order);
      } finally {
        giveBack(player);
      }
    },
    end: async () => {
      await Promise.all(players.map((player) => player.end()));
    },
  };
}

function startPlayer(): Player {
  const child = fork(fileURLToPath(new URL('../player.ts', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    play: (order) =>
      new Promise((resolve, reject) => {
        const fail = (code: number | null): void => reject(new Error(`A player ended with ${code}`));
        child.once('exit', fail);
        child.once('message', (message) => {
          child.off('exit', fail);
          resolve(message as SimulationReport); // what a player sends
        });
        child.send(order);
      }),
    end: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
