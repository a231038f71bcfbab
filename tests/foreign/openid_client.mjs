// Runs one step of an operator's server built on openid-client: input as JSON on stdin, result as JSON on stdout.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

import { Issuer, custom } from 'openid-client';

const input = JSON.parse(readFileSync(0, 'utf8'));
const [ca, cert, key] = [input.ca, input.certificate, input.private_key].map((path) => readFileSync(path));
const fields = { org_code: input.org_code };

const issuer = new Issuer({
  issuer: input.gateway,
  authorization_endpoint: `${input.gateway}/oauth/2.0/authorize`,
  token_endpoint: `${input.gateway}/oauth/2.0/token`,
  revocation_endpoint: `${input.gateway}/oauth/2.0/revoke`,
});
const client = new issuer.Client({
  client_id: input.client_id,
  client_secret: input.client_secret,
  redirect_uris: [input.callback],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_post',
});
client[custom.http_options] = (_, options) => ({
  ca,
  cert,
  key,
  headers: { ...options.headers, 'x-api-tran-id': input.tran_id },
});

const get = (url, headers) =>
  new Promise((resolve, reject) => {
    request(url, { ca, cert, key, headers }, (response) => resolve(response.resume())).on('error', reject).end();
  });

const steps = {
  authorize: async () => {
    const url = client.authorizationUrl({ ...fields, app_scheme: input.app_scheme, state: input.state });
    const response = await get(url, { 'x-api-tran-id': input.tran_id, 'x-user-ci': input.ci });
    return response.headers.location;
  },
  redeem: () =>
    client.oauthCallback(
      input.callback,
      client.callbackParams(input.callback_url),
      { state: input.state },
      { exchangeBody: fields },
    ),
  refresh: () => client.refresh(input.refresh_token, { exchangeBody: fields }),
  revoke: async () => (await client.revoke(input.access_token, undefined, { revokeBody: fields })) ?? '',
  call: async () => {
    const headers = { 'x-api-type': 'user-refresh' };
    const response = await client.requestResource(input.url, input.access_token, { headers });
    return JSON.parse(response.body);
  },
};
process.stdout.write(JSON.stringify(await steps[input.step]()));
