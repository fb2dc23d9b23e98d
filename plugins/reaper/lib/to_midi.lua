-- Audio items to MIDI: what is asked, and where the notes go.

local files = require("scorebridge.files")
local insert = require("scorebridge.insert")
local json = require("scorebridge.json")
local sending = require("scorebridge.sending")
local settings = require("scorebridge.settings")
local slices = require("scorebridge.slices")
local take_time = require("scorebridge.take_time")
local takes = require("scorebridge.takes")
local undo = require("scorebridge.undo")

local to_midi = { name = "to_midi", title = "Transcribe items to MIDI", purpose = "midi" }

local EVEN_VELOCITY = 96
local MIDDLE_C = 60
local MOST_ATTEMPTS = 3
local EDGE_S = 0.002 -- a note this little before the item's edge belongs to it

--- What to ask for. Sliced work.
function to_midi.request(task)
  local subject = task.subject
  local source, facts = sending.audio(subject.project, subject.take, task.path_of, task.on_progress)
  if not source then error("The item was deleted before it was sent.", 0) end
  task.sent = facts
  local options = task.options
  options.tempo_map = sending.tempo_map(subject.project, facts)
  return { kind = "submit", source = source, target = json.array({ "events" }), options = options }
end

--- The answer's document.
function to_midi.document(state)
  for _, artefact in ipairs(state.artefacts or {}) do
    if artefact.format == "events" then
      local content, problem = files.read(artefact.path)
      if not content then error("The result cannot be read: " .. problem, 0) end
      return json.decode(content, slices.pause)
    end
  end
  error("The answer holds no notes.", 0)
end

--- The document's notes, controllers and bends within the item, in project time.
local function content_within(document, now, time_of, even)
  local start_s, end_s = now.position_s, now.position_s + now.length_s
  local content = { notes = {}, controls = {}, bends = {}, start_s = start_s, end_s = end_s }
  for _, note in ipairs(document.notes) do
    local onset_s, offset_s = time_of(note.onset), math.min(time_of(note.offset), end_s)
    if onset_s >= start_s - EDGE_S and onset_s < end_s then
      onset_s = math.max(onset_s, start_s)
      content.notes[#content.notes + 1] = { onset_s = onset_s, offset_s = math.max(offset_s, onset_s),
        pitch = note.pitch, velocity = even and EVEN_VELOCITY or note.velocity, channel = note.channel }
    end
    slices.pause()
  end
  local function changes(from, to)
    for _, change in ipairs(from or {}) do
      local time_s = time_of(change.time)
      if time_s >= start_s - EDGE_S and time_s < end_s then
        change.time_s = math.max(time_s, start_s)
        to[#to + 1] = change
      end
      slices.pause()
    end
  end
  changes(document.controls, content.controls)
  changes(document.pitch_bends, content.bends)
  return content
end

--- The content's parts above and below a pitch; controllers go to both.
local function split(content, pitch)
  local function part() return setmetatable({ notes = {} }, { __index = content }) end
  local upper, lower = part(), part()
  for _, note in ipairs(content.notes) do table.insert((note.pitch >= pitch and upper or lower).notes, note) end
  return upper, lower
end

--- Prepared parts, each with its purpose; sliced work.
local function prepared_parts(task, document, now)
  local project = task.subject.project
  local function time_of(result_s) return take_time.project_time_of_result(task.sent, now, result_s) end
  local content = content_within(document, now, time_of, not task.choices.keep_velocities)
  if #content.notes == 0 then return {} end
  if not task.choices.split_tracks then
    return { { purpose = "MIDI", prepared = insert.prepare_midi(project, content) } }
  end
  local parts = {}
  local upper, lower = split(content, task.choices.split_point or MIDDLE_C)
  for _, each in ipairs({ { "MIDI, upper", upper }, { "MIDI, lower", lower } }) do
    if #each[2].notes > 0 then
      parts[#parts + 1] = { purpose = each[1], prepared = insert.prepare_midi(project, each[2]) }
    end
  end
  return parts
end

--- Where the parts go, as `insert.midi` has it.
local function with_places(task, parts, item)
  local subject, choices = task.subject, task.choices
  local destination = #parts > 1 and choices.destination == "take" and "new_track" or choices.destination
  if destination == "take" and takes.is_locked(item) then
    destination = "new_track"
    task:note("The item is locked: its notes went to a new track.")
  end
  local last_track
  for _, part in ipairs(parts) do
    part.name = subject.name
    if destination == "take" then
      part.item = item
    elseif destination == "same_track" and #parts == 1 then
      part.track = function() return reaper.GetMediaItem_Track(item) end
    else
      part.track = function()
        last_track = task.tracks:new_track(subject.project, subject.track, part.purpose, last_track)
        return last_track
      end
    end
  end
  return parts
end

local function same(a, b)
  for key, value in pairs(a) do
    if b[key] ~= value then return false end
  end
  return true
end

--- Insert the answer where the item lies now. Sliced work up to the last moment; the insertion is one tick.
function to_midi.finish(task, state)
  local subject = task.subject
  local document = to_midi.document(state)
  for _ = 1, MOST_ATTEMPTS do
    local take, item = takes.find(subject.project, subject.take)
    if not take then error("The item was deleted meanwhile: its notes were left out.", 0) end
    local now, count = takes.facts(item, take), undo.changes_of_others(subject.project)
    local parts = prepared_parts(task, document, now)
    if #parts == 0 then return task:note("No notes were found.") end
    slices.wait() -- the insertion has a tick of its own
    take, item = takes.find(subject.project, subject.take)
    if take and same(now, takes.facts(item, take))
      and count == undo.changes_of_others(subject.project) then
      return insert.midi(subject.project, "ScoreBridge: transcribe " .. subject.name .. " to MIDI",
        with_places(task, parts, item))
    end
  end
  error("The project was changed again and again while the notes were being prepared.", 0)
end

--- What of the settings is decided when the action starts.
function to_midi.choices()
  local pitch = settings.get("split_point")
  return { destination = settings.get("destination"), keep_velocities = settings.get("keep_velocities"),
    split_tracks = settings.get("split_tracks"), split_point = pitch ~= "" and pitch or nil }
end

--- Whether its item is still there.
function to_midi.is_there(task) return takes.find(task.subject.project, task.subject.take) ~= nil end

return to_midi
