// OpenAI's own client, unchanged, talking to a gateway.
// node drive.mjs FOLDER URL: FOLDER is where the client is installed; prints what it saw as JSON.
import { createRequire } from "node:module";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const [, , folder, url] = process.argv;
const require = createRequire(`${folder}/package.json`);
const OpenAI = require("openai").default;

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-ann" });
const endpoint = "/v1/chat/completions";
const request = (number) =>
  JSON.stringify({ custom_id: `request-${number}`, method: "POST", url: endpoint, body: { messages: [{ content: `question ${number}` }] } });
const content = Array.from({ length: 30 }, (_, number) => request(number)).join("\n");

async function wait(id) {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (["completed", "failed", "cancelled", "expired"].includes(batch.status)) return batch;
    await pause(50);
  }
}

async function refused(call) {
  try {
    await call();
    return null;
  } catch (error) {
    const { status, code, param, type } = error;
    return { status, code, param, type };
  }
}

async function read(id) {
  if (!id) return [];
  const text = await (await client.files.content(id)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const scratch = mkdtempSync(join(tmpdir(), "openai-js-"));
const path = join(scratch, "requests.jsonl");
writeFileSync(path, content);
const file = await client.files.create({ file: createReadStream(path), purpose: "batch" });
rmSync(scratch, { recursive: true });

const same = (await (await client.files.content(file.id)).text()) === content;
const created = await client.batches.create({ input_file_id: file.id, endpoint, completion_window: "24h", metadata: { team: "b" } });
const ended = await wait(created.id);
const ids = [];
for await (const one of client.files.list({ limit: 1 })) ids.push(one.id);
console.log(
  JSON.stringify({
    file,
    same,
    created,
    ended,
    output: await read(ended.output_file_id),
    errors: await read(ended.error_file_id),
    tooLate: await refused(() => client.batches.cancel(created.id)),
    paged: [ids.length, new Set(ids).size, ids.includes(file.id)],
    deleted: (await client.files.del(file.id)).deleted,
    gone: await refused(() => client.files.retrieve(file.id)),
  }),
);
