// Pushes the events of a file (one a line) in batches, with nothing but Node 18 or newer.
//
//     YANGGUANG_API_KEY=yg_... node push.mjs orders.ndjson
//
// Environment: YANGGUANG_API_KEY (needed), YANGGUANG_URL (http://127.0.0.1:8080 if not set).
// Prints each event that was refused, with the reason and the place; ends with status 1 if there was any.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const { YANGGUANG_API_KEY: key, YANGGUANG_URL: url = "http://127.0.0.1:8080" } = process.env;
const batchSize = 500;
const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/x-ndjson" };

// Sends events until there is an answer about each of them. The same request may be sent again: events count once.
async function push(events) {
  for (let attempt = 0; ; attempt++) {
    let pause = Math.min(2 ** attempt, 60) * (0.5 + Math.random() / 2);
    try {
      const signal = AbortSignal.timeout(30_000);
      const answer = await fetch(`${url}/v1/events`, { method: "POST", headers, body: events.join("\n"), signal });
      if ([202, 207, 422].includes(answer.status)) return (await answer.json()).results;
      if (![408, 429, 500, 502, 503, 504].includes(answer.status)) {
        console.error(`answered ${answer.status}: ${await answer.text()}`);
        process.exit(1);
      }
      pause = Number(answer.headers.get("Retry-After") ?? pause);
      console.error(`answered ${answer.status}, again in ${pause.toFixed(1)} s`);
    } catch (error) {
      console.error(`${error.cause?.code ?? error.name}, again in ${pause.toFixed(1)} s`);
    }
    await sleep(pause * 1000);
  }
}

const lines = (await readFile(process.argv[2], "utf8")).split("\n").filter((line) => line.trim());
let refused = 0;
for (let start = 0; start < lines.length; start += batchSize) {
  for (const { status, index, id, reason, detail } of await push(lines.slice(start, start + batchSize))) {
    if (status === "accepted") continue;
    refused += 1;
    console.log(`line ${start + index + 1} (${id ?? "no id"}) is refused: ${reason} ${detail}`);
  }
}
console.log(`${lines.length - refused} accepted, ${refused} refused`);
process.exitCode = refused ? 1 : 0;
