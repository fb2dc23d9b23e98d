-- Audio and MIDI items to notation: MusicXML beside the project, opened if wished.

local command = require("scorebridge.command")
local files = require("scorebridge.files")
local home = require("scorebridge.home")
local json = require("scorebridge.json")
local sending = require("scorebridge.sending")
local settings = require("scorebridge.settings")
local takes = require("scorebridge.takes")

local to_notation = { name = "to_notation", title = "Transcribe items to notation", purpose = "notation" }

--- What to ask for. Sliced work.
function to_notation.request(task)
  local subject = task.subject
  local send = subject.midi and sending.midi or sending.audio
  local source, facts = send(subject.project, subject.take, task.path_of, task.on_progress)
  if not source then error("The item was deleted before it was sent.", 0) end
  task.sent = facts
  local options = task.options
  options.tempo_map = sending.tempo_map(subject.project, facts)
  options.title = subject.name
  return { kind = "submit", source = source, target = json.array({ "musicxml" }), options = options }
end

--- Copy the results to a lasting place; returns the first one's path. Sliced work.
function to_notation.keep(task, state, kind)
  local folder, problem = home.results_folder(task.subject.project, kind)
  if not folder then error(problem, 0) end
  local first
  for _, artefact in ipairs(state.artefacts or {}) do
    local path = files.free_path(folder, files.safe_name(task.subject.name, "ScoreBridge"), artefact.format)
    local copied, why = files.copy(artefact.path, path)
    if not copied then error("The result could not be stored: " .. why, 0) end
    first = first or path
  end
  if not first then error("The answer holds no file.", 0) end
  return first
end

--- Store the score, and open it.
function to_notation.finish(task, state)
  local path = to_notation.keep(task, state, "notation")
  task:note("Stored as " .. path)
  if not task.choices.open_notation then return end
  local opened, problem = command.open(path, task.choices.notation_program)
  if not opened then task:note("It could not be opened: " .. problem) end
end

function to_notation.choices()
  return { open_notation = settings.get("open_notation"), notation_program = settings.get("notation_program") }
end

function to_notation.is_there(task) return takes.find(task.subject.project, task.subject.take) ~= nil end

return to_notation
