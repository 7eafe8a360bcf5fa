import { sha256, toHex } from '@medzen/core';
import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { short } from './words.ts';

const minuteMs = 60_000;

/** Who may see it sees it, for an hour; nobody else does. */
export async function playback({ world, tell }: Story, id: string): Promise<void> {
  const { client, people, clip, clock } = world;
  tell.chapter('The patient watches it; a stranger does not');

  const link = await client.call('GET', `/recordings/${id}/playback`, { as: people.patient });
  expectEqual(link.status, 200, 'Playback for the patient');
  const url = link.text('url');
  tell.step('the patient gets a link', `200, until ${link.text('expiresAt').slice(11, 19)} UTC`);

  const media = await client.send(url);
  expectEqual(media.status, 200, 'The media behind the link');
  expectEqual(toHex(sha256(media.bytes)), toHex(sha256(clip)), 'SHA-256 of what is played');
  expectEqual(media.headers.get('content-type') ?? '', 'video/mp4', 'The content type');
  tell.step('it plays', `200 ${media.bytes.length} bytes, sha256 ${short(toHex(sha256(media.bytes)))}`);

  const part = await client.send(url, { headers: { range: 'bytes=1000-1999' } });
  expectEqual(part.status, 206, 'A range of it');
  expectEqual(toHex(part.bytes), toHex(clip.subarray(1000, 2000)), 'The bytes of the range');
  tell.step('the player may seek', `206 content-range: ${part.headers.get('content-range')}`);

  const stranger = await client.call('GET', `/recordings/${id}/playback`, { as: people.stranger });
  expectEqual(stranger.status, 403, 'Playback for a provider who was not in the visit');
  tell.step('a provider who was not in the visit', `403 ${stranger.text('code')}`);

  const altered = await client.send(alter(url));
  expect(altered.status === 403, `An altered link was answered ${altered.status}`);
  tell.step('the link with one character changed', '403, no longer a link of ours');

  await world.moveTo(new Date(clock.now().getTime() + 61 * minuteMs));
  const late = await client.send(url);
  expect(late.status === 403, `An expired link was answered ${late.status}`);
  tell.step('the same link 61 minutes later (clock moved)', '403, its hour is over');
}

/** Changes the last character of the signature, and nothing else. */
function alter(url: string): string {
  return url.slice(0, -1) + (url.endsWith('0') ? '1' : '0');
}
