// What Qt adds to JavaScript, for node: `qsTr` and `"%1".arg(value)`. QML brings its own and never loads this file.

if (typeof qsTr === "undefined") {
    global.qsTr = function (text) { return text; };
    // eslint-disable-next-line no-extend-native
    String.prototype.arg = function (value) {
        var numbers = (this.match(/%\d+/g) || []).map(function (place) { return Number(place.slice(1)); });
        var least = Math.min.apply(null, numbers);
        return this.replace(new RegExp("%" + least + "(?!\\d)", "g"), String(value));
    };
}
