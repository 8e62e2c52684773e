// Verifies a token offline with npm's jose 5.10.0, by the keys that the server publishes.
//
//     … | node verify_token.mjs
//
// Takes what `oauth_client.py fetch` prints from standard input. Must lie beside the `node_modules` that has `jose`.

import { readFileSync } from "node:fs";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const { metadata, token, client_id } = JSON.parse(readFileSync(0, "utf8"));
const issuer = metadata.issuer;
const options = { issuer, audience: issuer, typ: "at+jwt", algorithms: ["EdDSA"], requiredClaims: ["sub", "jti", "exp"] };
const keysAt = (uri) => createRemoteJWKSet(new URL(uri), { timeoutDuration: 10_000 });
const keys = keysAt(metadata.jwks_uri);

const fail = (what) => {
  console.error(`verify_token.mjs: ${what}`);
  process.exit(1);
};

const refused = async (what, token, keys, options) => {
  try {
    await jwtVerify(token, keys, options);
  } catch (error) {
    if (error instanceof errors.JOSEError) return;
    throw error;
  }
  fail(`${what} was let through`);
};

try {
  const { payload } = await jwtVerify(token, keys, options);
  if (payload.sub !== client_id || payload.env !== "sandbox") fail("`sub` or `env` is not the token's");

  const [head, claims, signature] = token.split(".");
  const swapped = signature.startsWith("A") ? "B" : "A";
  await refused("a wrong signature", `${head}.${claims}.${swapped}${signature.slice(1)}`, keys, options);
  await refused("another audience", token, keys, { ...options, audience: issuer.replace("/sandbox", "/live") });
  await refused("the keys of another environment", token, keysAt(metadata.jwks_uri.replace("/sandbox.", "/live.")), options);
  console.error("verify_token.mjs: the token was verified by its key set, and by no other");
} catch (error) {
  // The message might hold a part of the token.
  fail(error.code ?? error.name);
}
