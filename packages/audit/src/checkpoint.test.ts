import { fromBase64, isMedzenError, sha256, systemClock, toBase64, toHex } from '@medzen/core';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSignedByLog, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { cosign, createCosigner } from './cosigner.ts';
import { createSigner, type Signer } from './signer.ts';
import { unsupportedAmong } from './verifier-key.ts';

const origin = 'example.org/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const other = createSigner({ origin: 'witness.example', privateKey: new Uint8Array(32).fill(8) });
const root = sha256(Uint8Array.of(1));
const text = await signCheckpoint({ origin, size: 42, root }, signer);

/** A note over any body, signed as it stands: what a careless or hostile signer could make. */
async function note(body: string, by: Signer = signer, name: string = by.origin): Promise<string> {
  const [, id] = by.verifierKey.split('+');
  const payload = [...(id?.match(/../g) ?? []).map((hex) => Number.parseInt(hex, 16))];
  const signature = await by.sign(new TextEncoder().encode(body));
  return `${body}\n— ${name} ${toBase64(Uint8Array.of(...payload, ...signature))}\n`;
}

describe('createSigner', () => {
  it('derives key and key id as the Go note package does for its example key', () => {
    // PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz of golang.org/x/mod/sumdb/note
    const privateKey = fromBase64('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz').slice(1);
    const peter = createSigner({ origin: 'PeterNeumann', privateKey });
    expect(peter.verifierKey).toBe('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  });

  it('signs the bytes that the Go note package signs', async () => {
    const privateKey = fromBase64('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz').slice(1);
    const peter = createSigner({ origin: 'PeterNeumann', privateKey });
    const body =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    expect(await note(body, peter)).toBe(
      `${body}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`,
    );
  });

  it('signs text beyond ASCII as UTF-8', async () => {
    const zero = createSigner({ origin: 'Señor-0', privateKey: new Uint8Array(32) });
    expect(zero.verifierKey).toBe('Señor-0+2b9e7c9d+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop');
    const checkpoint = await signCheckpoint({ origin: 'Señor-0', size: 1, root }, zero);
    expect(await openCheckpoint(checkpoint, [zero.verifierKey])).toMatchObject({ ok: true, origin: 'Señor-0' });
  });

  it('refuses a name that a note cannot carry, and a seed of another length', () => {
    const privateKey = new Uint8Array(32);
    for (const bad of ['', 'a b', 'a+b', 'a\nb', 'a\u00a0b', 'a\u2028b', 'a\u0085b', 'a\tb', 'a\u0000b', '\ud800'])
      expect(() => createSigner({ origin: bad, privateKey })).toThrow(expect.toSatisfy(isMedzenError));
    for (const length of [0, 31, 33, 64])
      expect(() => createSigner({ origin, privateKey: new Uint8Array(length) })).toThrow(
        expect.toSatisfy(isMedzenError),
      );
  });

  it('keeps its own copy of the seed and shows it to nobody', async () => {
    const seed = new Uint8Array(32).fill(5);
    const made = createSigner({ origin, privateKey: seed });
    seed.fill(0);
    expect(
      await openCheckpoint(await signCheckpoint({ origin, size: 1, root }, made), [made.verifierKey]),
    ).toMatchObject({
      ok: true,
    });
    expect(JSON.stringify(made)).toBe(JSON.stringify({ origin, verifierKey: made.verifierKey }));
  });
});

describe('signCheckpoint', () => {
  it('writes origin, size, root, an empty line and one signature line', () => {
    const [first, second, third, empty, signature, end] = text.split('\n');
    expect([first, second, third, empty, end]).toEqual([origin, '42', toBase64(root), '', '']);
    expect(signature).toMatch(/^\u2014 example\.org\/audit [A-Za-z0-9+/]{90}[A-Za-z0-9+/=]{2}$/);
  });

  it('refuses what is no tree head, another origin, and a signer that gives no signature', async () => {
    const refused = { code: 'invalid_input' };
    await expect(signCheckpoint({ origin: 'another', size: 1, root }, signer)).rejects.toMatchObject(refused);
    for (const size of [-1, 0.5, Number.NaN, 2 ** 53])
      await expect(signCheckpoint({ origin, size, root }, signer)).rejects.toMatchObject(refused);
    await expect(signCheckpoint({ origin, size: 1, root: new Uint8Array(31) }, signer)).rejects.toMatchObject(refused);
    const mute: Signer = { ...signer, sign: async () => new Uint8Array(63) };
    await expect(signCheckpoint({ origin, size: 1, root }, mute)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('openCheckpoint', () => {
  it('gives back what was signed, at every size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.maxSafeNat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), async (size, hash) => {
        const opened = await openCheckpoint(await signCheckpoint({ origin, size, root: hash }, signer), [
          signer.verifierKey,
        ]);
        expect(opened).toMatchObject({ ok: true, origin, size });
        expect(opened.ok && toHex(opened.root)).toBe(toHex(hash));
      }),
      { numRuns: 30 },
    );
  });

  it('opens checkpoints that the Go checksum database signed, whose origin is not its key name', async () => {
    const key = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';
    const found = [
      'go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n— sum.golang.org Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n',
      'go.sum database tree\n65209736\n5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=\n\n— sum.golang.org Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/R3cVtYspg3dxXABkGZZKdsQ8=\n',
    ];
    for (const [i, checkpoint] of found.entries())
      expect(await openCheckpoint(checkpoint, [key])).toMatchObject({
        ok: true,
        origin: 'go.sum database tree',
        size: [6_476_701, 65_209_736][i],
        signatures: [{ name: 'sum.golang.org', keyId: '033de0ae', verifierKey: key }],
      });
    const opened = await openCheckpoint(found[0] ?? '', [key]);
    if (!opened.ok) throw new Error(opened.reason);
    expect(isSignedByLog(opened)).toBe(false);
    expect(isSignedByLog(opened, { origin: 'go.sum database tree' })).toBe(true);
    expect(isSignedByLog(opened, { origin: 'sum.golang.org' })).toBe(false);
  });

  it('is not taken for the expected log’s when a witness alone signed it, nor when its own log is another one', async () => {
    const cosigner = createCosigner({ name: 'w.example', privateKey: new Uint8Array(32).fill(9) });
    const cosigned = `${text}${await cosign(text.slice(0, text.indexOf('\n\n') + 1), cosigner, systemClock)}`;
    const alone = await openCheckpoint(cosigned, [cosigner.verifierKey]);
    expect(alone.ok && !isSignedByLog(alone, { origin })).toBe(true);
    const both = await openCheckpoint(cosigned, [cosigner.verifierKey, signer.verifierKey]);
    expect(both.ok && isSignedByLog(both, { origin }) && !isSignedByLog(both, { origin: 'another.example' })).toBe(
      true,
    );
  });

  it('is not taken for the expected log’s when another’s key signed it, and the log’s own is given too', async () => {
    const both = [signer.verifierKey, other.verifierKey];
    const forged = await openCheckpoint(await note(text.slice(0, text.indexOf('\n\n') + 1), other), both);
    if (!forged.ok) throw new Error(forged.reason);
    expect(isSignedByLog(forged, { origin, verifierKeys: both })).toBe(false);
    expect(isSignedByLog(forged, { origin, verifierKeys: [other.verifierKey] })).toBe(true);
    const genuine = await openCheckpoint(text, both);
    expect(genuine.ok && isSignedByLog(genuine, { origin, verifierKeys: both })).toBe(true);
    const witness = createCosigner({ name: origin, privateKey: new Uint8Array(32).fill(9) }); // of a log's name, and no log's
    expect(isSignedByLog(forged, { origin, verifierKeys: [witness.verifierKey, other.verifierKey] })).toBe(true);
  });

  it('refuses a text with any character changed, or means the same by it', async () => {
    const good = await openCheckpoint(text, [signer.verifierKey]);
    expect(good.ok).toBe(true);
    for (let i = 0; i < text.length; i++)
      for (const with_ of [String.fromCharCode(text.charCodeAt(i) ^ 1), 'A', '0', '\n', ' ', '+', '='])
        if (with_ !== text[i]) {
          const opened = await openCheckpoint(text.slice(0, i) + with_ + text.slice(i + 1), [signer.verifierKey]);
          expect(opened.ok, `character ${i} as ${JSON.stringify(with_)}`).toBe(false);
        }
  });

  it('refuses a text with anything put in, taken out, cut off or appended', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length),
        fc.nat(4),
        fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('\n', '\n\n', '\r', ' ', '\u0000', '— x AAAAAAA=\n')),
        async (place, removed, inserted) => {
          const changed = text.slice(0, place) + inserted + text.slice(place + removed);
          const opened = await openCheckpoint(changed, [signer.verifierKey]);
          // Lines of unknown keys may be added after ours: the format says to ignore them.
          if (opened.ok) expect(opened).toMatchObject({ origin, size: 42, root });
          else expect(changed).not.toBe(text);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('says why it refuses', async () => {
    const reason = async (input: string, keys: readonly string[] = [signer.verifierKey]): Promise<unknown> => {
      const opened = await openCheckpoint(input, keys);
      return opened.ok ? 'ok' : opened.reason;
    };
    expect(await reason(text, [other.verifierKey])).toBe('unknown_key');
    expect(await reason(text, [])).toBe('unknown_key');
    expect(await reason(text, ['nonsense'])).toBe('bad_verifier_key');
    expect(await reason(text.replace('42', '43'))).toBe('bad_signature');
    expect(await reason('')).toBe('malformed');
    expect(await reason(text.replace(signer.origin, 'other'), [signer.verifierKey])).toBe('bad_signature');
    const impostor = createSigner({ origin, privateKey: new Uint8Array(32).fill(9) });
    expect(await reason(await signCheckpoint({ origin, size: 42, root }, impostor))).toBe('unknown_key');
  });

  it('refuses bodies that are no tree head, however well they are signed', async () => {
    const r = toBase64(root);
    const bodies = [
      `${origin}\n042\n${r}\n`,
      `${origin}\n+42\n${r}\n`,
      `${origin}\n-1\n${r}\n`,
      `${origin}\n4e1\n${r}\n`,
      `${origin}\n4 2\n${r}\n`,
      `${origin}\n\n${r}\n`,
      `${origin}\n9007199254740992\n${r}\n`,
      `${origin}\n99999999999999999999\n${r}\n`,
      `\n42\n${r}\n`,
      `${origin}\n42\n${r.slice(0, -1)}\n`,
      `${origin}\n42\n${r.replace(/.=$/, 'B=')}\n`,
      `${origin}\n42\n${toBase64(root.slice(1))}\n`,
      `${origin}\n42\n\n`,
      `${origin}\n42\n`,
      `${origin}\n`,
      `${origin}\n42\n${r}\n\nextension after an empty line\n`,
      `${origin}\n42\n${r}\r\n`,
      `${origin}\n42\n${r}\nextension\u0001\n`,
      `${origin}\t\n42\n${r}\n`,
      `\ufeff\u0000\n42\n${r}\n`,
    ];
    for (const body of bodies)
      expect(await openCheckpoint(await note(body), [signer.verifierKey]), JSON.stringify(body)).toEqual({
        ok: false,
        reason: 'malformed',
      });
  });

  it('tolerates extension lines, ignores unknown signatures and gives all known ones', async () => {
    const body = `${origin}\n42\n${toBase64(root)}\nextension one\nextension two\n`;
    const both = `${(await note(body)) + (await note(body, other)).slice(body.length + 1)}— stranger AAAAAAAA\n`;
    const opened = await openCheckpoint(both, [other.verifierKey, signer.verifierKey]);
    expect(opened.ok && opened.signatures.map(({ name }) => name)).toEqual([origin, 'witness.example']);
    expect(await openCheckpoint(both, [other.verifierKey])).toMatchObject({
      ok: true,
      signatures: [{ name: 'witness.example' }],
    });
  });

  it('refuses a note on which one known key fails, although another holds', async () => {
    const body = `${origin}\n42\n${toBase64(root)}\n`;
    const forged = (await note('something else\n', other)).slice('something else\n\n'.length);
    expect(await openCheckpoint((await note(body)) + forged, [signer.verifierKey, other.verifierKey])).toEqual({
      ok: false,
      reason: 'bad_signature',
    });
    expect(await openCheckpoint((await note(body)) + forged, [signer.verifierKey])).toMatchObject({ ok: true });
  });

  it('accepts one signature repeated, and 16 signatures, but not a hundred and one', async () => {
    const line = text.slice(text.lastIndexOf('\n\n') + 2);
    for (const [times, ok] of [
      [2, true],
      [16, true],
      [100, true],
      [101, false],
    ] as const)
      expect((await openCheckpoint(text + line.repeat(times - 1), [signer.verifierKey])).ok).toBe(ok);
  });

  it('does not confuse the name of one key with the id of another', async () => {
    const body = `${origin}\n42\n${toBase64(root)}\n`;
    expect(await openCheckpoint(await note(body, other, origin), [signer.verifierKey, other.verifierKey])).toEqual({
      ok: false,
      reason: 'unknown_key',
    });
  });

  it('passes over keys of a kind that is not supported, and says so where there is no other', async () => {
    // As C2SP tlog-cosignature makes the key of an ML-DSA-44 witness: type 0x06, 1312 bytes.
    const typed = Uint8Array.of(0x06, ...new Uint8Array(1312).fill(9));
    const keyId = toHex(sha256(new TextEncoder().encode('remora.example\n'), typed).slice(0, 4));
    const strange = `remora.example+${keyId}+${toBase64(typed)}`;
    const line = `\u2014 remora.example ${toBase64(new Uint8Array(2432).fill(3))}\n`;
    expect(await openCheckpoint(text + line, [strange, signer.verifierKey])).toMatchObject({
      ok: true,
      signatures: [{ verifierKey: signer.verifierKey }],
    });
    expect(await openCheckpoint(text, [strange])).toEqual({ ok: false, reason: 'bad_verifier_key' });
    expect(unsupportedAmong([strange, signer.verifierKey])).toMatchObject([{ name: 'remora.example', algorithm: 6 }]);
    expect(await openCheckpoint(text, [strange.replace(keyId, '00000000')])).toEqual({
      ok: false,
      reason: 'bad_verifier_key',
    });
  });

  it('refuses a signature that is not canonical', async () => {
    // S + L verifies the same equation; RFC 8032 demands S < L.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const [body = '', line = ''] = text.split('\n\n');
    const payload = fromBase64(line.trimEnd().split(' ')[2] ?? '');
    const s = payload.slice(36).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n) + order;
    for (let i = 0; i < 32; i++) payload[36 + i] = Number((s >> BigInt(8 * i)) & 255n);
    const malleable = `${body}\n\n— ${origin} ${toBase64(payload)}\n`;
    expect(malleable.length).toBe(text.length);
    expect(await openCheckpoint(malleable, [signer.verifierKey])).toEqual({ ok: false, reason: 'bad_signature' });
  });

  it('refuses a key of small order, by which anything would verify', async () => {
    const point = new Uint8Array(32);
    point[0] = 1; // the neutral element
    const id = sha256(new TextEncoder().encode(`${origin}\n`), Uint8Array.of(1), point).slice(0, 4);
    const key = `${origin}+${toHex(id)}+${toBase64(Uint8Array.of(1, ...point))}`;
    const body = `${origin}\n42\n${toBase64(root)}\n`;
    const signature = new Uint8Array(64);
    signature[0] = 1; // R neutral, S zero: 0·B = R + k·A for every k
    const forged = `${body}\n— ${origin} ${toBase64(Uint8Array.of(...id, ...signature))}\n`;
    expect(ed25519.verify(signature, new TextEncoder().encode(body), point, { zip215: true })).toBe(true);
    expect(await openCheckpoint(forged, [key])).toEqual({ ok: false, reason: 'bad_signature' });
  });

  it('refuses verifier keys with any character changed or cut', async () => {
    const key = signer.verifierKey;
    for (let i = 0; i < key.length; i++) {
      const changed = key.slice(0, i) + String.fromCharCode(key.charCodeAt(i) + 1) + key.slice(i + 1);
      for (const bad of [changed, key.slice(0, i), key.slice(i + 1), key.slice(0, i) + key.slice(i + 1)])
        expect(await openCheckpoint(text, [bad])).toEqual({ ok: false, reason: 'bad_verifier_key' });
    }
    for (const bad of [
      'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
      'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    ])
      expect(await openCheckpoint(text, [bad])).toEqual({ ok: false, reason: 'bad_verifier_key' });
  });

  it('never throws, whatever it is given, and never works long', async () => {
    const open = openCheckpoint as (text: unknown, keys: unknown) => Promise<{ ok: boolean }>; // hostile on purpose
    const line = text.slice(text.lastIndexOf('\n\n') + 2);
    const inputs = [undefined, null, 1, {}, [], '\n\n', '\n', '— \n', '\ud800\n\n— a b\n', 'x'.repeat(10_000_000)];
    for (const input of [...inputs, text + line.repeat(100_000), `${'\n'.repeat(100_000)}— a AAAAAAAA\n`])
      expect((await open(input, [signer.verifierKey])).ok).toBe(false);
    for (const keys of [undefined, null, 'x', [null], [1], [{}], {}]) expect((await open(text, keys)).ok).toBe(false);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.array(fc.string()), async (input, keys) => {
        expect((await open(input, [signer.verifierKey, ...keys])).ok).toBe(false);
      }),
    );
  });
});
