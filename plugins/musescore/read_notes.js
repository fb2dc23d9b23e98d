// The notes of a score as the protocol's `notes` document, read by cursor.
//
//     var reading = ReadNotes.reader(root, curScore, Selection.describe(root, curScore));
//     in a Timer: var state = reading.next(30); bar.value = state.fraction; if (state.done) { … reading.document() … }
//
// `reader(api, score, range)` -> {next, document, warnings}
//   next(budget_ms) -> {done, fraction}: works for about so long; `fraction` goes from 0 to 1.
//   document()      -> the notes document, a plain object, once `done`.
//   warnings()      -> what could not be carried, as [{code, count}].
// `readNotes(api, score, range)` -> the document, in one go.
//
// It must not run while another of the plugin's commands is open, and changes nothing in the score.
