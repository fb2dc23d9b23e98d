// Paths and addresses of files on Linux, macOS and Windows. ES5; QML and node load it.

// The path that a file's address stands for: "file:///C:/a%20b" is "C:/a b".
function pathOf(address) {
    var text = String(address);
    if (text.indexOf("file:") !== 0) {
        return text;
    }
    text = decodeURIComponent(text.replace(/^file:(\/\/)?/, ""));
    return (/^\/[A-Za-z]:/).test(text) ? text.slice(1) : text;
}

// The address of a file's path.
function addressOf(path) {
    var slashed = path.replace(/\\/g, "/");
    var encoded = encodeURI(slashed).replace(/#/g, "%23").replace(/\?/g, "%3F");
    return (slashed.charAt(0) === "/" ? "file://" : "file:///") + encoded;
}

// The folder that a file lies in.
function folderOf(path) {
    return path.replace(/[\/\\][^\/\\]*$/, "") || "/";
}

// A file's name without its folder.
function nameOf(path) {
    return path.replace(/^.*[\/\\]/, "");
}

// What a person typed or dropped, as a whole path: addresses, quotes and ~ are understood.
function typedPath(text, home) {
    var path = String(text).replace(/^\s+|\s+$/g, "").replace(/^"(.*)"$|^'(.*)'$/, "$1$2");
    path = pathOf(path);
    return path === "~" || path.indexOf("~/") === 0 ? home + path.slice(1) : path;
}

// Filters of a file picker: [["wav", "mp3"] and a title] as pickers write them.
function pickerFilters(title, endings) {
    var patterns = endings.map(function (ending) { return "*." + ending; });
    return endings.length ? [title + " (" + patterns.join(" ") + ")", qsTr("All files") + " (*)"] : [qsTr("All files") + " (*)"];
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = {
        pathOf: pathOf, addressOf: addressOf, folderOf: folderOf, nameOf: nameOf,
        typedPath: typedPath, pickerFilters: pickerFilters
    };
}
