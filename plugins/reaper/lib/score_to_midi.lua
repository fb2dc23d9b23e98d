-- A score image (or a score) to MIDI: its beats on the project's beats, from the edit cursor or the picture's place on.

local insert = require("scorebridge.insert")
local json = require("scorebridge.json")
local slices = require("scorebridge.slices")
local takes = require("scorebridge.takes")
local tempo_map = require("scorebridge.tempo_map")
local to_midi = require("scorebridge.to_midi")

local score_to_midi = { name = "score_to_midi", title = "Score image to MIDI", purpose = "score" }

local DEFAULT_POINTS = { { 0.0, 0.0 }, { 0.5, 1.0 } }

function score_to_midi.request(task)
  return { kind = "submit", source = { kind = "path", path = task.subject.file }, target = json.array({ "events" }),
    options = task.options }
end

--- Project time of a moment of the score: so many quarter notes after where the score begins.
local function clock_of(document, project, start_s)
  local points = json.field(document.tempo_map, "points")
  if not points or #points < 2 then points = DEFAULT_POINTS end
  local score_start = tempo_map.quarter_at(points, 0.0)
  local project_start = reaper.TimeMap2_timeToQN(project, start_s)
  return function(time_s)
    local quarter = tempo_map.quarter_at(points, time_s) - score_start
    return reaper.TimeMap2_QNToTime(project, project_start + quarter)
  end
end

--- The notes of each of the document's tracks that has any, in project time. Sliced work.
local function contents(document, project, start_s)
  local time_of = clock_of(document, project, start_s)
  local by_track, order = {}, {}
  local last_s = start_s
  for _, note in ipairs(document.notes) do
    local content = by_track[note.track]
    if not content then
      content = { notes = {}, controls = {}, bends = {}, start_s = start_s, channels = {},
        name = document.tracks[note.track + 1] or "" }
      by_track[note.track] = content
      order[#order + 1] = note.track
    end
    local offset_s = time_of(note.offset)
    last_s = math.max(last_s, offset_s)
    content.channels[note.channel] = true
    table.insert(content.notes, { onset_s = time_of(note.onset), offset_s = offset_s, pitch = note.pitch,
      velocity = note.velocity, channel = note.channel })
    slices.pause()
  end
  table.sort(order)
  local list = {}
  for i, track in ipairs(order) do
    local content = by_track[track]
    content.end_s = last_s
    for _, control in ipairs(document.controls or {}) do
      if content.channels[control.channel] then
        control.time_s = time_of(control.time)
        if control.time_s < last_s then table.insert(content.controls, control) end
      end
      slices.pause()
    end
    list[i] = content
  end
  return list
end

--- Insert the score's notes: an item for each of its parts, each on a track of its own.
function score_to_midi.finish(task, state)
  local subject = task.subject
  if not takes.project_is_open(subject.project) then
    error("The project was closed meanwhile: the notes were left out.", 0)
  end
  local document = to_midi.document(state)
  local parts, last_track = {}, nil
  for i, content in ipairs(contents(document, subject.project, subject.position_s)) do
    local purpose = content.name ~= "" and content.name or "part " .. i
    local part = { name = subject.name, prepared = insert.prepare_midi(subject.project, content) }
    part.track = function()
      last_track = task.tracks:new_track(subject.project, subject.track, purpose, last_track)
      return last_track
    end
    parts[#parts + 1] = part
  end
  if #parts == 0 then return task:note("No notes were found.") end
  slices.wait()
  if not takes.project_is_open(subject.project) then
    error("The project was closed meanwhile: the notes were left out.", 0)
  end
  insert.midi(subject.project, "ScoreBridge: " .. subject.name .. " to MIDI", parts)
end

function score_to_midi.choices() return {} end

function score_to_midi.is_there(task) return takes.project_is_open(task.subject.project) end

return score_to_midi
