// Microsoft's own client for Graph, unchanged, talking to a gateway.
// node drive.mjs FOLDER URL: FOLDER is where the client is installed; prints what it saw as JSON.
import { createRequire } from "node:module";

const [, , folder, url] = process.argv;
const require = createRequire(`${folder}/package.json`);
const { BatchRequestContent, BatchResponseContent, Client } = require("@microsoft/microsoft-graph-client");

const client = Client.init({ baseUrl: `${url}/`, authProvider: (done) => done(null, "a-token") });

const json = (method, path, body) =>
  new Request(`${url}/v1.0${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const get = (path) => new Request(`${url}/v1.0${path}`, { method: "GET" });

async function batch(steps) {
  const content = new BatchRequestContent(steps);
  const answer = await client.api("/$batch").post(await content.getContent());
  const responses = new BatchResponseContent(answer);
  const seen = {};
  for (const [id, response] of responses.getResponses()) {
    const type = response.headers.get("Content-Type");
    const body = (type ?? "").includes("json") ? await response.json() : await response.text();
    seen[id] = { status: response.status, type, body };
  }
  return seen;
}

async function refused(content) {
  try {
    await client.api("/$batch").post(content);
    return null;
  } catch (error) {
    return { status: error.statusCode, code: error.code, message: error.message, requestId: error.requestId, date: error.date };
  }
}

const serial = new BatchRequestContent();
serial.addRequest({ id: "create", request: json("POST", "/users", { name: "Ann" }) });
serial.addRequest({ id: "note", request: json("POST", "/notes", { about: "$create/id", price: "$10" }) });
serial.addRequest({ id: "read", request: get("/users/42") });
serial.addDependency("note");
serial.addDependency("read");

console.log(
  JSON.stringify({
    parallel: await batch([
      { id: "1", request: get("/users/1?$select=id,name") },
      { id: "2", request: get("/users/text") },
      { id: "3", request: get("/users/picture") },
      { id: "4", request: get("/users/problem") },
      { id: "5", request: new Request(`${url}/v1.0/users/1`, { method: "DELETE" }) },
    ]),
    serial: await batch([...serial.requests.values()]),
    failed: await batch([
      { id: "1", request: get("/users/missing") },
      { id: "2", dependsOn: ["1"], request: json("PATCH", "/users/1", { name: "Bea" }) },
    ]),
    refused: await refused({ requests: [{ id: "1", method: "GET", url: "http://elsewhere.example/users/1" }] }),
  }),
);
