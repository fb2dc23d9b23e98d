// Articulations and dynamics: MuseScore's symbols and the protocol's names.

// Protocol name -> SMuFL names of MuseScore's symbols; the first is what is inserted.
var ARTICULATIONS = {
    "accent": ["articAccentAbove", "articAccentBelow"],
    "strong-accent": ["articMarcatoAbove", "articMarcatoBelow"],
    "staccato": ["articStaccatoAbove", "articStaccatoBelow"],
    "tenuto": ["articTenutoAbove", "articTenutoBelow"],
    "detached-legato": ["articTenutoStaccatoAbove", "articTenutoStaccatoBelow"],
    "staccatissimo": ["articStaccatissimoAbove", "articStaccatissimoBelow",
        "articStaccatissimoWedgeAbove", "articStaccatissimoWedgeBelow"],
    "spiccato": ["articStaccatissimoStrokeAbove", "articStaccatissimoStrokeBelow"],
    "trill-mark": ["ornamentTrill"],
    "turn": ["ornamentTurn"],
    "inverted-turn": ["ornamentTurnInverted"],
    "mordent": ["ornamentMordent"],
    "inverted-mordent": ["ornamentShortTrill"],
    "up-bow": ["stringsUpBow"],
    "down-bow": ["stringsDownBow"]
};
// One sign that stands for two articulations.
var COMBINED = {
    "articAccentStaccatoAbove": ["accent", "staccato"], "articAccentStaccatoBelow": ["accent", "staccato"],
    "articTenutoAccentAbove": ["accent", "tenuto"], "articTenutoAccentBelow": ["accent", "tenuto"],
    "articMarcatoStaccatoAbove": ["strong-accent", "staccato"], "articMarcatoStaccatoBelow": ["strong-accent", "staccato"],
    "articMarcatoTenutoAbove": ["strong-accent", "tenuto"], "articMarcatoTenutoBelow": ["strong-accent", "tenuto"]
};
var DYNAMIC_SIGNS = { Piano: "p", Mezzo: "m", Forte: "f", Rinforzando: "r", Sforzando: "s", Z: "z", Niente: "n" };
var DYNAMIC_LETTERS = { p: "Piano", m: "Mezzo", f: "Forte", r: "Rinforzando", s: "Sforzando", z: "Z" };
var DYNAMIC_VELOCITIES = {
    pppp: 5, ppp: 16, pp: 33, p: 49, mp: 64, mf: 80, f: 96, ff: 112, fff: 126, ffff: 127,
    fp: 96, sf: 112, sfz: 112, sffz: 126, sfp: 112, rf: 112, rfz: 112, fz: 112
};

// Symbol numbers of MuseScore 3.2, whose "mordent" is the one without a stroke.
var NUMBERS_OF_3_2 = {
    articAccentAbove: 552, articAccentBelow: 553, articAccentStaccatoAbove: 554, articAccentStaccatoBelow: 555,
    articMarcatoAbove: 558, articMarcatoBelow: 559, articMarcatoStaccatoAbove: 560, articMarcatoStaccatoBelow: 561,
    articMarcatoTenutoAbove: 562, articMarcatoTenutoBelow: 563, articStaccatissimoAbove: 572,
    articStaccatissimoBelow: 573, articStaccatissimoStrokeAbove: 574, articStaccatissimoStrokeBelow: 575,
    articStaccatissimoWedgeAbove: 576, articStaccatissimoWedgeBelow: 577, articStaccatoAbove: 578,
    articStaccatoBelow: 579, articTenutoAbove: 582, articTenutoAccentAbove: 583, articTenutoAccentBelow: 584,
    articTenutoBelow: 585, articTenutoStaccatoAbove: 586, articTenutoStaccatoBelow: 587, fermataAbove: 910,
    ornamentMordent: 1868, ornamentShortTrill: 1867, ornamentTrill: 1916, ornamentTurn: 1917,
    ornamentTurnInverted: 1918, stringsDownBow: 2338, stringsUpBow: 2354
};

// Protocol names of the articulations that MuseScore's symbol stands for; none where it is another sign.
function articulationsOf(api, symbol) {
    var name = nameOf(api, symbol);
    if (name === null) {
        return [];
    }
    if (COMBINED[name]) {
        return COMBINED[name];
    }
    for (var articulation in ARTICULATIONS) {
        if (ARTICULATIONS[articulation].indexOf(name) >= 0) {
            return [articulation];
        }
    }
    return [];
}

// MuseScore's number of an articulation's symbol; null where this version has no numbers to offer.
function symbolOf(api, articulation) {
    var names = articulation === "fermata" ? ["fermataAbove"] : ARTICULATIONS[articulation];
    var table = tableOf(api);
    return names && table && table[names[0]] !== undefined ? table[names[0]] : null;
}

function nameOf(api, symbol) {
    var table = tableOf(api);
    for (var name in table) {
        if (Number(table[name]) === Number(symbol)) { // 3.x's numbers are objects
            return name;
        }
    }
    return null;
}

// From 3.5 on the names can be asked; 3.2 has numbers alone, and those of its releases are the same.
function tableOf(api) {
    if (api.SymId && api.SymId.articAccentAbove !== undefined) {
        return known(api.SymId);
    }
    return api.mscoreVersion >= 30200 && api.mscoreVersion < 30300 ? NUMBERS_OF_3_2 : null;
}

function known(symbols) {
    var table = { fermataAbove: symbols.fermataAbove };
    var name;
    for (var articulation in ARTICULATIONS) {
        for (var i = 0; i < ARTICULATIONS[articulation].length; i++) {
            name = ARTICULATIONS[articulation][i];
            table[name] = symbols[name];
        }
    }
    for (name in COMBINED) {
        table[name] = symbols[name];
    }
    return table;
}

// The letters of a dynamic ("mf") from its text, which is made of symbols or of letters.
function dynamicOf(text) {
    var letters = String(text).replace(/<sym>dynamic([A-Za-z]+)<\/sym>/g, function (whole, sign) {
        return DYNAMIC_SIGNS[sign] || sign.toLowerCase();
    });
    letters = plain(letters).replace(/\s/g, "");
    return DYNAMIC_VELOCITIES[letters] === undefined ? null : letters;
}

// The text of a dynamic, made of symbols.
function dynamicText(mark) {
    var text = "";
    for (var i = 0; i < mark.length; i++) {
        text += "<sym>dynamic" + DYNAMIC_LETTERS[mark.charAt(i)] + "</sym>";
    }
    return text;
}

// MuseScore's rich text without its tags.
function plain(text) {
    return String(text).replace(/<[^>]*>/g, "").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, "\"")
        .replace(/&apos;/g, "'").replace(/&amp;/g, "&");
}

// Plain text as MuseScore's rich text.
function rich(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
