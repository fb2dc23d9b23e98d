// Inserting a `notes` document into a score by cursor, as one undo step.
//
//     var writing = WriteNotes.writer(root, curScore, document, Selection.place(root, curScore), {});
//     in a Timer: var state = writing.next(30); …
//
// `writer(api, score, document, place, options)` -> {next, warnings}
//   next(budget_ms) -> {done, fraction, stage}: `stage` is "preparing", then "writing", then "done". Preparing goes in
//                      slices; the call that finds the stage "writing" inserts everything at once, because a command
//                      that stays open between two ticks would be ended by whatever the user does meanwhile. So
//                      show "writing" before calling `next` again. If anything goes wrong there, the command is
//                      rolled back and `next` throws an Error: the score is as it was.
//   warnings()      -> what could not be carried, as [{code, count}].
// `writeNotes(api, score, document, place, options)` -> warnings, in one go.
//
// place   {tick, staff} as `Selection.place` gives it: the document's tick 0, and the staff of its first part.
// options {signatures: true}: also insert the document's key and time signatures and its tempo marks.
