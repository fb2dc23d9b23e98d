// Note values: which lengths can be written as one note, and how others are put together.

var LONGEST_WHOLES = 8; // a maxima
var SHORTEST_DENOMINATOR = 512;
var MOST_DOTS = 2;

// All note values in ticks, longest first: [{ticks, z, n}], z/n in whole notes.
function table(division) {
    var values = [];
    for (var denominator = 1 / LONGEST_WHOLES; denominator <= SHORTEST_DENOMINATOR; denominator *= 2) {
        for (var dots = 0; dots <= MOST_DOTS; dots++) {
            var z = (1 << (dots + 1)) - 1;
            var n = denominator * (1 << dots);
            while (n < 1) {
                z *= 2;
                n *= 2;
            }
            values.push({ ticks: (4 * division * z) / n, z: z, n: n });
        }
    }
    return values.sort(function (a, b) { return b.ticks - a.ticks; });
}

// The note value nearest to so many ticks.
function nearest(ticks, values) {
    var best = values[0];
    for (var i = 1; i < values.length; i++) {
        if (Math.abs(values[i].ticks - ticks) < Math.abs(best.ticks - ticks)) {
            best = values[i];
        }
    }
    return best;
}

// Note values that together last so many ticks, longest first; what is shorter than the shortest is left out.
function parts(ticks, values) {
    var single = nearest(ticks, values);
    if (Math.abs(single.ticks - ticks) < 1) {
        return [single];
    }
    var found = [];
    var left = ticks;
    for (var i = 0; i < values.length && left >= 1; i++) {
        if (values[i].ticks <= left + 1e-6) {
            found.push(values[i]);
            left -= values[i].ticks;
        }
    }
    return found;
}
