// Opens a MusicXML file in MuseScore 4's engine and writes it out again.
//
//     node open_score.mjs MODULES SOURCE TARGET
//
// MODULES is the folder that `npm ci` filled. One score a process: the engine fails at times when it opens another.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The engine is older than these parts of Node.js: it would look for its files on the net, and set what cannot be set.
delete globalThis.fetch;
Object.defineProperty(globalThis, "navigator", { value: {}, writable: true, configurable: true });

const require = createRequire(path.join(path.resolve(process.argv[2]), "package.json"));
const { default: WebMscore } = await import(pathToFileURL(require.resolve("webmscore")).href);
await WebMscore.ready;

const [source, target] = process.argv.slice(3);
const score = await WebMscore.load("musicxml", fs.readFileSync(source), [], false);
fs.writeFileSync(target, await score.saveXml());
process.exit(0);
