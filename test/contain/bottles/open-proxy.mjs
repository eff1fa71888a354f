// A proxy that holds nobody to anything, in egress's place in a deliberately open bottle: whatever is asked for is
// fetched, whatever is written in Host is believed, and its own pages are open to all.
import { createServer, connect } from "node:net";

const port = 8080;

// Whatever it is asked, it goes on: a proxy that is down holds everything.
process.on("uncaughtException", () => {});

createServer((client) => {
  client.on("error", () => client.destroy());
  let head = Buffer.alloc(0);
  client.on("data", function read(data) {
    head = Buffer.concat([head, data]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    client.off("data", read);
    try {
      serve(client, head, end);
    } catch {
      client.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    }
  });
}).listen(port);

function serve(client, head, end) {
  const [method, target] = head.subarray(0, head.indexOf("\r\n")).toString("latin1").split(" ");
  if (method === "CONNECT") {
    // As naive proxies do: what stands before an @ or after a NUL is nothing, a dot at the end neither.
    const authority = target.split("@").at(-1).split("\0")[0];
    const [host, to = "443"] = split(authority);
    return join(client, decoded(host), Number(to), head.subarray(end + 4), "HTTP/1.1 200 OK\r\n\r\n");
  }
  if (/^https?:\/\//i.test(target)) {
    const url = new URL(target.replace(/\0.*$/, ""));
    const request = Buffer.concat([Buffer.from(`${method} ${target.replace(/^https?:\/\/[^/]*/i, "") || "/"} HTTP/1.1`), head.subarray(head.indexOf("\r\n"))]);
    return join(client, url.hostname.replace(/^\[|\]$/g, ""), Number(url.port || 80), request, "");
  }
  const fetched = /^\/fetch\?url=(.*)$/.exec(target);
  if (fetched) return void fetch(decodeURIComponent(fetched[1])).then(async (answer) => page(client, await answer.text()), () => page(client, ""));
  page(client, "metrics: all of them\n");
}

function split(authority) {
  const ipv6 = /^\[(.*)\]:(\d+)$/.exec(authority);
  return ipv6 ? [ipv6[1], ipv6[2]] : authority.split(":");
}

function decoded(host) {
  try {
    return decodeURIComponent(new URL(`http://${host}/`).hostname).replace(/^\[|\]$|\.$/g, "");
  } catch {
    return host;
  }
}

function join(client, host, to, first, greeting) {
  const server = connect({ host, port: to });
  server.on("error", () => client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"));
  server.on("connect", () => {
    client.write(greeting);
    server.write(first);
    client.pipe(server).pipe(client);
  });
  client.on("close", () => server.destroy());
}

function page(client, text) {
  client.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`);
}
