// Selecting the whole score while it is read, and what was selected before again.

var MOST_KEPT = 64; // elements of a selection that are selected again

// Selects everything where marks can only be found among selected elements. Returns {release}, which undoes that.
function hold(api, score, range) {
    var selection = score.selection;
    if (!selection || !range.isWhole || api.mscoreVersion >= 40600) {
        return { release: function () { /* the user's own selection is the range, or none is needed (4.6) */ } };
    }
    var before = [];
    for (var i = 0; i < selection.elements.length && i < MOST_KEPT; i++) {
        before.push(selection.elements[i]);
    }
    api.cmd("select-all");
    return {
        release: function () {
            if (typeof selection.clear !== "function") {
                api.cmd("escape"); // before 3.5 nothing can be selected but by hand
                return;
            }
            selection.clear();
            for (var i = 0; i < before.length; i++) {
                selection.select(before[i], i > 0);
            }
        }
    };
}
