// Sends a signed request to Sluice: node sign.mjs METHOD PATH [BODY [IDEMPOTENCY-KEY]]
//
// SLUICE_URL says where to; SIGNING_KEYID and SIGNING_KEY who signs (the id and key of POST /api/v1/keys, or builtin and
// API_SIGNATURE_SECRET).  docs/identity.md has the form.
import { createHash, createHmac, randomBytes } from 'node:crypto';

// The headers that sign this request.
export function sign(method, url, keyid, key, body = '', idempotencyKey) {
  const at = new URL(url); // its host is in lower case, without the scheme's own port
  const headers = {};
  const covered = [['@method', method], ['@authority', at.host], ['@path', at.pathname], ['@query', at.search || '?']];
  if (method !== 'GET' && method !== 'HEAD') {
    headers['Content-Digest'] = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
    covered.push(['content-digest', headers['Content-Digest']]);
    if (idempotencyKey !== undefined) {
      headers['Idempotency-Key'] = idempotencyKey;
      covered.push(['idempotency-key', idempotencyKey]);
    }
  }
  const params = `(${covered.map(([name]) => `"${name}"`).join(' ')});created=${Math.floor(Date.now() / 1000)}`
    + `;nonce="${randomBytes(16).toString('hex')}";keyid="${keyid}";alg="hmac-sha256"`;
  const base = [...covered, ['@signature-params', params]].map(([name, value]) => `"${name}": ${value}`).join('\n');
  headers['Signature-Input'] = `sig1=${params}`;
  headers.Signature = `sig1=:${createHmac('sha256', key).update(base).digest('base64')}:`;
  return headers;
}

const [method, path, body, idempotencyKey] = process.argv.slice(2);
const url = process.env.SLUICE_URL + path;
const headers = sign(method, url, process.env.SIGNING_KEYID, process.env.SIGNING_KEY, body, idempotencyKey);
if (body) headers['Content-Type'] = 'application/json';
const answer = await fetch(url, { method, headers, body });
const text = await answer.text();
if (answer.ok) {
  process.stdout.write(text);
} else {
  console.error(`${answer.status}: ${text}`);
  process.exitCode = 1;
}
