// An FCM on Node's http2 as it comes: a line in the journal for each request, then its answer.
"use strict";

const { openSync, readFileSync, writeSync } = require("node:fs");
const http2 = require("node:http2");

const [port, chain, key, journal, latency, setting] = process.argv.slice(2);
const { mostRequests, idleMilliseconds } = JSON.parse(setting); // of one connection, if set
const lines = openSync(journal, "a");
let accepted = 0;

const server = http2.createSecureServer({ cert: readFileSync(chain), key: readFileSync(key) });
server.on("session", (session) => {
  let requests = 0;
  session.on("stream", () => ++requests === mostRequests && session.close());
  if (idleMilliseconds) session.setTimeout(idleMilliseconds, () => session.close());
});
server.on("stream", (stream) => {
  const pieces = [];
  stream.on("error", (error) => console.error("stream:", error.message));
  stream.on("data", (piece) => pieces.push(piece));
  stream.on("end", () => {
    const { token } = JSON.parse(Buffer.concat(pieces)).message;
    writeSync(lines, JSON.stringify({ token, verdict: "accepted" }) + "\n");
    const name = `projects/radiotalk-emulator/messages/${++accepted}`;
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200, "content-type": "application/json; charset=UTF-8" });
      stream.end(JSON.stringify({ name }));
    }, Number(latency));
  });
});
server.on("sessionError", (error) => console.error("session:", error.message));
server.listen(Number(port), "127.0.0.1");
