// Ties, which no version lets a plugin make: copies of a tied note bring theirs along, and are joined to the next note
// when the score ties a note across a barline.

.import "layout.js" as Layout
.import "values.js" as Values

var TEMPLATE_PITCH = 60;

// A source of tied notes, in a track and two measures that hold nothing: {note, join}; null where there is no room.
//
// note()  a new note with a tie that does not lead anywhere yet.
// join()  leads all ties to the next note of their pitch, and takes the template away again.
function template(api, score, seeker, measures, usedTracks, values) {
    var spot = freeSpot(api, score, measures, usedTracks);
    if (!spot) {
        return null;
    }
    var crossing = crossingValue(measures[spot.index], values, api.division);
    write(seeker, measures[spot.index], spot.track, crossing);
    var chord = chordAt(api, measures[spot.index], spot.track);
    if (!chord) {
        return null;
    }
    return {
        note: function () { return chord.notes[0].clone(); },
        join: function () {
            seeker.restart();
            write(seeker, measures[spot.index], spot.track, crossing);
            empty(api, [measures[spot.index], measures[spot.index + 1]], spot.track);
        }
    };
}

function freeSpot(api, score, measures, usedTracks) {
    for (var index = 0; index + 1 < measures.length; index++) {
        for (var track = score.ntracks - 1; track > 0; track--) {
            if (track % Layout.VOICES && !usedTracks[track] && isEmpty(api, measures[index], track) &&
                isEmpty(api, measures[index + 1], track)) {
                return { index: index, track: track };
            }
        }
    }
    return null;
}

function isEmpty(api, measure, track) {
    return chordAt(api, measure, track) === null;
}

// The first chord or rest of a track in a measure.
function chordAt(api, measure, track) {
    var found = null;
    Layout.visit(api, measure.measure, [track], function (segment, element) { found = found || element; });
    return found;
}

// The shortest undotted note that is longer than the measure.
function crossingValue(measure, values) {
    var best = values[0];
    for (var i = 0; i < values.length; i++) {
        if (values[i].ticks > measure.end - measure.start && values[i].ticks < best.ticks) {
            best = values[i];
        }
    }
    return best;
}

function write(seeker, measure, track, value) {
    seeker.seek(measure.start, track);
    seeker.cursor.setDuration(value.z, value.n);
    seeker.cursor.addNote(TEMPLATE_PITCH);
}

function empty(api, measures, track) {
    for (var pass = 0; pass < 2; pass++) { // chords become rests, rests go
        for (var i = 0; i < measures.length; i++) {
            var doomed = [];
            Layout.visit(api, measures[i].measure, [track], function (segment, element) { doomed.push(element); });
            for (var k = 0; k < doomed.length; k++) {
                api.removeElement(doomed[k]);
            }
        }
    }
}
