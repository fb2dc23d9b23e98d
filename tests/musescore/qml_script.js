// Loads the plugin's scripts in node as QML does: `.import "x.js" as X` names another script, and every function and
// variable at the top of a script can be used from outside.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const PLUGIN = path.join(__dirname, "..", "..", "plugins", "musescore");
const loaded = new Map();

function load(name) {
    if (loaded.has(name)) {
        return loaded.get(name);
    }
    const file = path.join(PLUGIN, name);
    const source = fs.readFileSync(file, "utf8");
    const imports = [...source.matchAll(/^\.import "(.+?)" as (\w+)$/gm)];
    const names = [...source.matchAll(/^(?:function|var) (\w+)/gm)].map((match) => match[1]);
    const body = source.replace(/^\.(import|pragma) .*$/gm, "");
    const wrapped = `(function (${imports.map((match) => match[2]).join(", ")}) { "use strict"; ${body}
        return { ${names.join(", ")} }; })`;
    const script = vm.runInThisContext(wrapped, { filename: file })(...imports.map((match) => load(match[1])));
    loaded.set(name, script);
    return script;
}

module.exports = { load };
