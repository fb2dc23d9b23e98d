// Opens MusicXML files in MuseScore 4's engine and writes them out again.
//
//     node open_scores.mjs MODULES < pairs.json
//
// MODULES is the folder that `npm ci` filled; pairs.json is [[source, target], …]. Says [{source, measures}, …].
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

const opened = [];
for (const [source, target] of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const score = await WebMscore.load("musicxml", fs.readFileSync(source), [], false);
    try {
        fs.writeFileSync(target, await score.saveXml());
        const metadata = await score.metadata();
        opened.push({ source, measures: metadata.measures });
    } finally {
        score.destroy();
    }
}
fs.writeFileSync(1, JSON.stringify(opened) + "\n");
process.exit(0);
