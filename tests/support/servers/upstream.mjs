// An upstream on Node's own http server. Writes its port on a line, and ends with its standard input.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

const LARGE = Buffer.alloc(3 << 20, "0123456789abcdef");
let connections = 0;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function digest(request, slowly) {
  const hash = createHash("sha256");
  for await (const part of request) {
    hash.update(part);
    if (slowly) await pause(2);
  }
  return hash.digest("hex");
}

async function answer(request, response) {
  const url = new URL(request.url, "http://node");
  const json = (value) => Buffer.from(JSON.stringify(value));
  response.setHeader("content-type", "application/json");
  response.setHeader("x-token", url.searchParams.get("token") ?? "");
  response.setHeader("x-connection", String(request.socket.number));
  switch (url.pathname) {
    case "/users/chunked":
      response.write('{"way": ');
      await pause(1);
      response.write('"chunked"');
      return response.end("}");
    case "/users/gzip":
      response.setHeader("content-encoding", "gzip");
      return response.end(gzipSync(json({ way: "gzip" })));
    case "/users/large":
      response.setHeader("content-type", "text/plain");
      return response.end(LARGE);
    case "/users/none":
      return response.writeHead(204).end();
    case "/users/unchanged":
      return response.writeHead(304).end();
    case "/users/upload":
      return response.end(json({ digest: await digest(request, false) }));
    case "/users/slow-upload":
      return response.end(json({ digest: await digest(request, true) }));
    default: {
      const body = json({ way: "length" });
      response.setHeader("content-length", body.length);
      return response.end(body);
    }
  }
}

const server = createServer({ keepAliveTimeout: 60_000 }, answer);
server.on("connection", (socket) => { socket.number = ++connections; });
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
