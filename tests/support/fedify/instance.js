/*
 * An instance with one person, Alice, and the actor of the instance itself. All that is ActivityPub about it is
 * Fedify's: keys, signatures and their checks, JSON-LD, WebFinger, NodeInfo, inboxes and outboxes. Nothing of
 * the service under test is used here.
 *
 * When it listens it prints one line of JSON: where it is, and where it takes commands. A command is a POST
 * with JSON; the answer is JSON, with the status 500 and the trace as text when it fails.
 *
 * Environment: SIGNATURES is the kind that it signs with first, and the only one that it takes.
 */
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import {
  Accept,
  Activity,
  Announce,
  Application,
  Collection,
  Create,
  Delete,
  Document,
  Endpoints,
  Follow,
  Link,
  MemoryKvStore,
  Person,
  PUBLIC_COLLECTION,
  Tombstone,
  Undo,
  Update,
  createFederation,
  generateCryptoKeyPair,
} from "@fedify/fedify";

const RFC_9421 = "rfc9421";
const SERVER_ACTOR = "https://www.w3.org/ns/activitystreams#Application"; // FEP-2677
const ACTORS = { instance: Application, alice: Person };

const signatures = process.env.SIGNATURES ?? RFC_9421;
const keys = {};
for (const identifier of Object.keys(ACTORS)) {
  keys[identifier] = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];
}

/* What there is: id in the path -> {kind, name, summary, file, members, isPublic} */
const things = new Map();
/* Id of an actor of ours -> id of who follows it -> {id, inboxId, endpoints}, as Fedify's recipients are. */
const followers = new Map(Object.keys(ACTORS).map((identifier) => [identifier, new Map()]));
/* Activities that came to an inbox and passed Fedify's checks, in order. */
const received = [];
/* Every POST to others with the status that was answered, in order. */
const sent = [];

const plainFetch = globalThis.fetch;
globalThis.fetch = async (...given) => {
  const request = new Request(...given);
  const { method, url } = request;
  const kind = request.headers.has("Signature-Input") ? RFC_9421 : "draft-cavage-http-signatures-12";
  const response = await plainFetch(request);
  if (method === "POST") sent.push({ url, kind, status: response.status });
  return response;
};

// ActivityPub

const federation = createFederation({
  kv: new MemoryKvStore(),
  firstKnock: signatures,
  allowPrivateAddress: true,
});

federation
  .setActorDispatcher("/actors/{identifier}", async (ctx, identifier) => {
    if (!(identifier in ACTORS)) return null;
    const pairs = await ctx.getActorKeyPairs(identifier);
    return new ACTORS[identifier]({
      id: ctx.getActorUri(identifier),
      preferredUsername: identifier,
      name: identifier === "alice" ? "Alice" : "An instance",
      inbox: ctx.getInboxUri(identifier),
      outbox: ctx.getOutboxUri(identifier),
      followers: ctx.getFollowersUri(identifier),
      endpoints: new Endpoints({ sharedInbox: ctx.getInboxUri() }),
      publicKey: pairs[0].cryptographicKey,
      assertionMethods: pairs.map((pair) => pair.multikey),
    });
  })
  .setKeyPairsDispatcher((_ctx, identifier) => keys[identifier] ?? []);

federation.setFollowersDispatcher("/actors/{identifier}/followers", (_ctx, identifier) => ({
  items: [...followers.get(identifier).values()],
}));

/* What is public, told of by id: whoever reads it has to read the things themselves. */
federation
  .setOutboxDispatcher("/actors/{identifier}/outbox", (ctx, identifier, cursor) => {
    if (cursor == null) return null;
    const listed = identifier === "instance" ? [...things.values()].filter((thing) => thing.isPublic) : [];
    return {
      items: listed.map(
        (thing) =>
          new Announce({
            id: new URL(`#announces/${thing.id}`, ctx.getActorUri("instance")),
            actor: ctx.getActorUri("instance"),
            object: uriOf(ctx, thing),
            to: PUBLIC_COLLECTION,
          }),
      ),
      nextCursor: null,
    };
  })
  .setFirstCursor(() => "0");

federation.setObjectDispatcher(Document, "/resources/{id}", (ctx, { id }) => shown(ctx, "resource", id));
federation.setObjectDispatcher(Collection, "/collections/{id}", (ctx, { id }) => shown(ctx, "collection", id));

federation.setNodeInfoDispatcher("/nodeinfo/2.1", () => ({
  software: { name: "fedify-instance", version: { major: 1, minor: 0, patch: 0 } },
  protocols: ["activitypub"],
  usage: { users: { total: 1 }, localPosts: things.size, localComments: 0 },
}));

federation
  .setInboxListeners("/actors/{identifier}/inbox", "/inbox")
  .on(Follow, async (ctx, follow) => {
    const followed = ctx.parseUri(follow.objectId);
    const follower = await follow.getActor(ctx);
    if (followed?.type !== "actor" || follower == null) return;
    const { id, inboxId, endpoints } = follower;
    followers.get(followed.identifier).set(id.href, { id, inboxId, endpoints });
    await ctx.sendActivity(
      { identifier: followed.identifier },
      follower,
      new Accept({ id: newId(ctx), actor: follow.objectId, object: follow }),
    );
  })
  .on(Activity, async (ctx, activity) => received.push(await described(ctx, activity)))
  .onError((_ctx, error) => console.error(error));

async function described(ctx, activity) {
  // What is accepted is a Follow of ours. Of anything else Fedify believes only what is at home where it is said.
  const crossOrigin = activity instanceof Accept ? "trust" : "ignore";
  const { documentLoader, contextLoader } = ctx;
  const object = await activity.getObject({ documentLoader, contextLoader, crossOrigin });
  const found = { type: activity.constructor.name, actor: activity.actorId.href, object: await summed(object) };
  if (object instanceof Activity) found.inner = await described(ctx, object);
  return found;
}

/* What Fedify makes of an object. */
async function summed(object) {
  if (object == null) return null;
  const links = (object.urls ?? []).map((url) =>
    url instanceof Link ? { href: url.href.href, mediaType: url.mediaType } : { href: url.href },
  );
  return { type: object.constructor.name, id: object.id?.href, name: object.name?.toString(), links };
}

function shown(ctx, kind, id) {
  const thing = things.get(id);
  return thing?.kind === kind && thing.isPublic ? objectOf(ctx, thing) : null;
}

function uriOf(ctx, thing) {
  return thing.kind === "resource"
    ? ctx.getObjectUri(Document, { id: thing.id })
    : ctx.getObjectUri(Collection, { id: thing.id });
}

function objectOf(ctx, thing) {
  const id = uriOf(ctx, thing);
  const page = new Link({ href: new URL(`/pages/${thing.id}`, ctx.origin), mediaType: "text/html" });
  const common = {
    id,
    name: thing.name,
    summary: thing.summary,
    attribution: ctx.getActorUri("alice"),
    to: audience(ctx, thing),
  };
  if (thing.kind === "collection") {
    return new Collection({ ...common, url: page, items: thing.members.map((uri) => new URL(uri)) });
  }
  const file = thing.file && new Link({ href: new URL(thing.file.href), mediaType: thing.file.mediaType });
  return new Document({ ...common, urls: file ? [page, file] : [page] });
}

function audience(ctx, thing) {
  return thing.isPublic ? PUBLIC_COLLECTION : ctx.getFollowersUri("alice");
}

function newId(ctx) {
  return new URL(`/activities/${randomUUID()}`, ctx.origin);
}

// Commands

const commands = {
  /* A fediverse address or any other -> what Fedify finds there. */
  async lookup({ address }, ctx) {
    return summed(await ctx.lookupObject(address));
  },

  async follow({ address }, ctx) {
    const actor = await ctx.lookupObject(address);
    const follow = new Follow({ id: newId(ctx), actor: ctx.getActorUri("alice"), object: actor.id });
    await ctx.sendActivity({ identifier: "alice" }, actor, follow);
    return { id: follow.id.href };
  },

  async unfollow({ address, id }, ctx) {
    const actor = await ctx.lookupObject(address);
    const alice = ctx.getActorUri("alice");
    const follow = new Follow({ id: new URL(id), actor: alice, object: actor.id });
    await ctx.sendActivity({ identifier: "alice" }, actor, new Undo({ id: newId(ctx), actor: alice, object: follow }));
    return {};
  },

  async publish({ kind, name, summary, file, members = [], isPublic = true }, ctx) {
    const thing = { id: randomUUID(), kind, name, summary, file, members, isPublic };
    things.set(thing.id, thing);
    await tell(ctx, Create, thing, objectOf(ctx, thing));
    const page = new URL(`/pages/${thing.id}`, ctx.origin);
    return { id: thing.id, uri: uriOf(ctx, thing).href, page: page.href };
  },

  async update({ id, ...changed }, ctx) {
    const thing = Object.assign(things.get(id), changed);
    await tell(ctx, Update, thing, objectOf(ctx, thing));
    return {};
  },

  async delete({ id }, ctx) {
    const thing = things.get(id);
    things.delete(id);
    await tell(ctx, Delete, thing, new Tombstone({ id: uriOf(ctx, thing) }));
    return {};
  },

  /* Ids of who follows the instance. */
  followers: () => [...followers.get("instance").keys()],
  received: () => received,
  sent: () => sent,
};

/* Alice tells her own followers, and those of the instance. */
async function tell(ctx, type, thing, object) {
  const activity = new type({
    id: newId(ctx),
    actor: ctx.getActorUri("alice"),
    object,
    to: audience(ctx, thing),
  });
  const recipients = new Map([...followers.get("instance"), ...followers.get("alice")]);
  await ctx.sendActivity({ identifier: "alice" }, [...recipients.values()], activity, { preferSharedInbox: true });
}

// HTTP

const origin = await listening(async (request) => {
  const isSigned = request.method === "POST";
  if (isSigned && request.headers.has("Signature-Input") !== (signatures === RFC_9421)) {
    return new Response("Another kind of signature, please.", { status: 401 });
  }
  const response = await federation.fetch(request, { contextData: undefined });
  if (new URL(request.url).pathname !== "/.well-known/nodeinfo") return response;
  const found = await response.json();
  const ctx = federation.createContext(request, undefined);
  found.links.push({ rel: SERVER_ACTOR, href: ctx.getActorUri("instance").href });
  return Response.json(found);
});

const control = await listening(async (request) => {
  const name = new URL(request.url).pathname.slice(1);
  const context = federation.createContext(new URL(origin), undefined);
  return Response.json((await commands[name](await request.json(), context)) ?? null);
});

console.log(JSON.stringify({ origin, control }));

/* A web server on loopback; where it is. */
function listening(answer) {
  const server = createServer(async (incoming, outgoing) => {
    let response;
    try {
      response = await answer(await requestOf(incoming));
    } catch (error) {
      console.error(error);
      response = new Response(String(error.stack), { status: 500 });
    }
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

async function requestOf(incoming) {
  const pieces = [];
  for await (const piece of incoming) pieces.push(piece);
  const headers = new Headers();
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at], incoming.rawHeaders[at + 1]);
  }
  const hasBody = !["GET", "HEAD"].includes(incoming.method);
  return new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method,
    headers,
    body: hasBody ? Buffer.concat(pieces) : undefined,
  });
}
