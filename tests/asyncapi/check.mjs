// Reads an AsyncAPI document from standard input and prints what the official parser finds wrong with it, as JSON.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const found = diagnostics.map(({ code, severity, message, path }) => ({ code, severity, message, path: path.join("/") }));
console.log(JSON.stringify({ parsed: document !== undefined, diagnostics: found }));
