// The form of a task's options, made from `welcome.options` (a JSON schema): names, defaults and ranges are the daemon's.
//
// `fields(schema, names, engines)` -> [{name, label, about, kind, initial, isOptional, isWhole, least, most,
//   isAboveLeast, isBelowMost, choices}]: kind is "choice", "toggle", "number" or "text"; names that the daemon does not
//   know are left out.
// `chosen(fields, entered)` -> {options, problem}: only what differs from the default is sent; `problem` is a sentence.
// ES5; QML and node load it.

// Words for people; an option that is not here is shown under the daemon's own name.
function words() {
    return {
        engine: [qsTr("Engine"), qsTr("The best one by measurement, or one of your choice")],
        instrument: [qsTr("Instrument"), qsTr("A General MIDI name such as piano or violin, or a program number")],
        quantise: [qsTr("Finest note value"), qsTr("“auto” chooses for each beat; a t stands for triplets")],
        quantise_strength: [qsTr("Pull to the grid"), qsTr("0 leaves notes as played, 1 moves them onto the grid")],
        onset_threshold: [qsTr("Onset threshold"), qsTr("How sure a note's beginning must be; higher finds fewer notes")],
        frame_threshold: [qsTr("Frame threshold"), qsTr("How sure it must be that a note still sounds")],
        minimum_note: [qsTr("Shortest note (ms)"), qsTr("Shorter ones are left out")],
        pitch_bends: [qsTr("Pitch bends"), qsTr("Report bends and vibrato")],
        pedal: [qsTr("Pedal"), qsTr("keys: as a controller; sounding: notes last as long as they sound")],
        last_measures: [qsTr("Last measures"), qsTr("How many measures of what was played are kept; empty keeps eight")],
        split_point: [qsTr("Split point"), qsTr("MIDI pitch from which notes go to the upper staff; empty follows the hands")],
        swing: [qsTr("Swing"), qsTr("Length of the first of two eighths: 0.5 is straight, 0.67 a triplet")],
        deadpan: [qsTr("Exactly as written"), qsTr("No expression: plain lengths and loudness")],
        soundfont: [qsTr("SoundFont"), qsTr("Path of an .sf2 or .sf3 file; empty: the installed one")],
        loudness: [qsTr("Loudness (LUFS)"), qsTr("−14 is as loud as streaming services play, −23 as broadcasts")],
        sample_rate: [qsTr("Sample rate (Hz)"), ""],
        title: [qsTr("Title"), ""],
        seed: [qsTr("Seed"), ""]
    };
}

function fields(schema, names, engines) {
    var properties = (schema && schema.properties) || {};
    var made = [];
    if (engines && engines.length && properties.engine) {
        made.push(engineField(engines));
    }
    names.forEach(function (name) {
        var field = properties[name] ? fieldOf(name, properties[name]) : null;
        if (field) {
            made.push(field);
        }
    });
    return made;
}

function engineField(engines) {
    var field = labelled("engine", "choice", null);
    field.isOptional = true;
    field.choices = [{ value: null, text: qsTr("the best measured") }].concat(engines.map(function (engine) {
        return { value: engine.name, text: engine.name };
    }));
    return field;
}

function labelled(name, kind, initial) {
    var word = words()[name] || [name.replace(/_/g, " "), ""];
    return {
        name: name, label: word[0], about: word[1], kind: kind, initial: initial === undefined ? null : initial,
        isOptional: false, isWhole: false, least: null, most: null, isAboveLeast: false, isBelowMost: false, choices: []
    };
}

function fieldOf(name, property) {
    var shape = property;
    var isOptional = false;
    (property.anyOf || []).forEach(function (alternative) {
        if (alternative.type === "null") {
            isOptional = true;
        } else {
            shape = alternative;
        }
    });
    var kinds = { boolean: "toggle", number: "number", integer: "number", string: "text" };
    var kind = shape["enum"] ? "choice" : kinds[shape.type];
    if (!kind) {
        return null; // an object such as the tempo map has no field of its own
    }
    var field = labelled(name, kind, property["default"]);
    field.isOptional = isOptional;
    field.isWhole = shape.type === "integer";
    field.isAboveLeast = shape.exclusiveMinimum !== undefined;
    field.isBelowMost = shape.exclusiveMaximum !== undefined;
    field.least = field.isAboveLeast ? shape.exclusiveMinimum : numberOr(shape.minimum);
    field.most = field.isBelowMost ? shape.exclusiveMaximum : numberOr(shape.maximum);
    field.choices = (shape["enum"] || []).map(function (value) { return { value: value, text: String(value) }; });
    return field;
}

function numberOr(value) {
    return value === undefined ? null : value;
}

// What a field shows before it is touched.
function initialText(field) {
    return field.initial === null ? "" : String(field.initial);
}

// The range of a number in words, for beside the field: "0.5 – 0.75".
function rangeText(field) {
    if (field.kind !== "number" || (field.least === null && field.most === null)) {
        return "";
    }
    if (field.most === null) {
        return qsTr("at least %1").arg(field.least);
    }
    return field.least === null ? qsTr("at most %1").arg(field.most) : field.least + " – " + field.most;
}

function chosen(fieldList, entered) {
    var options = {};
    for (var i = 0; i < fieldList.length; i++) {
        var field = fieldList[i];
        if (entered[field.name] === undefined) {
            continue;
        }
        var read = valueOf(field, entered[field.name]);
        if (read.problem) {
            return { options: {}, problem: read.problem };
        }
        if (read.value !== field.initial) {
            options[field.name] = read.value;
        }
    }
    return { options: options, problem: "" };
}

function valueOf(field, entered) {
    if (field.kind === "toggle" || field.kind === "choice") {
        return { value: entered };
    }
    var text = String(entered).replace(/^\s+|\s+$/g, "");
    if (text === "") {
        return { value: field.isOptional || field.kind === "number" ? field.initial : "" };
    }
    return field.kind === "text" ? { value: text } : numberOf(field, text.replace("−", "-").replace(",", "."));
}

function numberOf(field, text) {
    var value = Number(text);
    if (isNaN(value) || (field.isWhole && value !== Math.floor(value))) {
        var wanted = field.isWhole ? qsTr("%1 must be a whole number.") : qsTr("%1 must be a number.");
        return { problem: wanted.arg(field.label) };
    }
    var isLow = field.least !== null && (field.isAboveLeast ? value <= field.least : value < field.least);
    var isHigh = field.most !== null && (field.isBelowMost ? value >= field.most : value > field.most);
    if (isLow || isHigh) {
        return { problem: qsTr("%1 is out of range (%2).").arg(field.label).arg(rangeText(field)) };
    }
    return { value: value };
}

if (typeof module !== "undefined") {
    require("./qt_words.js");
    module.exports = { fields: fields, initialText: initialText, rangeText: rangeText, chosen: chosen };
}
