// Another server with one actor, Alice, by Fedify (https://fedify.dev): it signs, verifies and reads by its own code.
// The tests have it do things by POST to /control/…, with JSON.
//
//   node peer.mjs PORT

import { createServer } from "node:http";

import { createFederation, MemoryKvStore } from "@fedify/fedify/federation";
import { generateCryptoKeyPair } from "@fedify/fedify/sig";
import * as vocab from "@fedify/fedify/vocab";

// Node.js 20 lacks what a library of Fedify's writes keys with.
ArrayBuffer.prototype.transfer ??= function (size = this.byteLength) {
  const moved = new ArrayBuffer(size);
  new Uint8Array(moved).set(new Uint8Array(this).subarray(0, size));
  return moved;
};

const port = Number(process.argv[2]);
const origin = `http://127.0.0.1:${port}`;
const alice = { identifier: "alice" };
const keys = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];
const received = [];

const federation = createFederation({ kv: new MemoryKvStore(), allowPrivateAddress: true });

federation
  .setActorDispatcher("/users/{identifier}", async (context, identifier) => {
    if (identifier !== alice.identifier) return null;
    const pairs = await context.getActorKeyPairs(identifier);
    return new vocab.Person({
      id: context.getActorUri(identifier),
      preferredUsername: identifier,
      name: "Alice",
      inbox: context.getInboxUri(identifier),
      endpoints: new vocab.Endpoints({ sharedInbox: context.getInboxUri() }),
      publicKey: pairs[0].cryptographicKey,
      assertionMethods: pairs.map((pair) => pair.multikey),
    });
  })
  .setKeyPairsDispatcher((_context, identifier) => (identifier === alice.identifier ? keys : []));

// Only what Fedify has verified comes here.
const listeners = federation.setInboxListeners("/users/{identifier}/inbox", "/inbox");
for (const type of [vocab.Accept, vocab.Create, vocab.Update, vocab.Delete, vocab.Announce]) {
  listeners.on(type, async (_context, activity) => {
    const object = await activity.getObject({ suppressError: true });
    const told = object instanceof vocab.Activity ? await object.getObject({ suppressError: true }) : object;
    received.push({
      type: activity.constructor.name,
      actor: activity.actorId?.href,
      object: object?.constructor.name,
      about: told?.constructor.name,
      id: told?.id?.href ?? activity.objectId?.href,
      name: told?.name?.toString(),
    });
  });
}

const doings = {
  /** Follow whoever has that id, or whom that page is about. */
  async follow({ who }) {
    const context = federation.createContext(new URL(origin), undefined);
    const found = await context.lookupObject(who);
    if (found == null) throw new Error(`nobody is ${who}`);
    const id = new URL(`${origin}/follows/${crypto.randomUUID()}`);
    const follow = new vocab.Follow({ id, actor: context.getActorUri("alice"), object: found.id });
    await context.sendActivity(alice, found, follow, { immediate: true });
    return { id: found.id.href, type: found.constructor.name, url: found.url?.href };
  },

  /** Create, update or delete a resource that links a file, or another kind of thing. */
  async tell({ who, type, path, name, file, kind = "Document" }) {
    const context = federation.createContext(new URL(origin), undefined);
    const actor = context.getActorUri("alice");
    const id = new URL(`${origin}/resources/${path}`);
    const page = new vocab.Link({ href: new URL(`${origin}/pages/${path}`), mediaType: "text/html" });
    const hosted = file ? new vocab.Link({ href: new URL(file), mediaType: "application/vnd.moodle.backup" }) : null;
    const object =
      type === "Delete"
        ? new vocab.Tombstone({ id })
        : new vocab[kind]({ id, name, attribution: actor, to: vocab.PUBLIC_COLLECTION, urls: hosted ? [page, hosted] : [page] });
    const activity = new vocab[type]({
      id: new URL(`${origin}/activities/${crypto.randomUUID()}`),
      actor,
      to: vocab.PUBLIC_COLLECTION,
      object,
    });
    await context.sendActivity(alice, await context.lookupObject(who), activity, { immediate: true });
    return { id: id.href, page: page.href.href };
  },

  async received() {
    return received;
  },
};

createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const url = new URL(request.url, origin);
  try {
    const doing = url.pathname.startsWith("/control/") && doings[url.pathname.slice("/control/".length)];
    if (doing) {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(await doing(JSON.parse(body))));
      return;
    }
    const { method, headers } = request;
    const whole = new Request(url, { method, headers, body: body.length ? body : undefined });
    const answer = await federation.fetch(whole, { contextData: undefined });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    response.writeHead(500).end(String(error?.stack ?? error));
  }
}).listen(port, "127.0.0.1");
