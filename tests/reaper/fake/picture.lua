-- A project as plain tables, for tests to look at, and as JSON.

local midi = require("midi_functions")

local picture = {}

local OBJECT = {} -- metatable of tables that are objects even when they are empty

--- Mark a table as an object.
function picture.object(value) return setmetatable(value, OBJECT) end

local function notes_of(take)
  local item = take.item
  local notes = {}
  for i, note in ipairs(midi.notes_of(take.source.midi)) do
    note.onset_s = midi.MIDI_GetProjTimeFromPPQPos(take, note.start_tick)
    note.offset_s = midi.MIDI_GetProjTimeFromPPQPos(take, note.end_tick or note.start_tick)
    note.in_item = note.onset_s >= item.values.D_POSITION - 1e-3
      and note.onset_s < item.values.D_POSITION + item.values.D_LENGTH
    notes[i] = note
  end
  return notes
end

local function controls_of(take)
  local controls = {}
  for _, event in ipairs(take.source.midi.events) do
    local status, number, value = event.message:byte(1, 3)
    if status >> 4 == 0xB or status >> 4 == 0xE then
      controls[#controls + 1] = { kind = status >> 4 == 0xB and "control" or "bend", channel = status & 15,
        time_s = midi.MIDI_GetProjTimeFromPPQPos(take, event.tick), tick = event.tick, number = number, value = value }
    end
  end
  return controls
end

local function source_of(source)
  if not source then return nil end
  return { type = source.type, file = source.file, length_s = source.length_s, offset_s = source.offset_s,
    reversed = source.reversed, parent = source_of(source.parent) }
end

local function values_of(values)
  local copy = {}
  for name, value in pairs(values) do copy[name] = value end
  return picture.object(copy)
end

local function take_of(take)
  local drawn = { guid = take.guid, name = take.name, values = values_of(take.values), source = source_of(take.source),
    midi = take.source ~= nil and take.source.midi ~= nil }
  if drawn.midi then
    drawn.notes, drawn.controls, drawn.last_tick = notes_of(take), controls_of(take), take.source.midi.last_tick
  end
  return drawn
end

local function mapped(list, draw)
  local drawn = {}
  for i, each in ipairs(list) do drawn[i] = draw(each) end
  return drawn
end

local function item_of(item)
  return { guid = item.guid, notes = item.notes, position_s = item.values.D_POSITION,
    length_s = item.values.D_LENGTH, values = values_of(item.values), takes = mapped(item.takes, take_of) }
end

local function track_of(track)
  return { guid = track.guid, name = track.name, values = values_of(track.values),
    items = mapped(track.items, item_of) }
end

--- All of a project.
function picture.of(project)
  local points = {}
  for i, point in ipairs(project.undo_points) do points[i] = point.description end
  return { path = project.path, tracks = mapped(project.tracks, track_of), grid = project.grid,
    undo_points = points, changes = project.changes,
    marker_times_s = mapped(project.timeline.markers, function(marker) return marker.time_s end) }
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127]', function(character)
    return ESCAPES[character] or ("\\u%04x"):format(character:byte())
  end) .. '"'
end

local function number(value)
  if math.type(value) == "integer" then return tostring(value) end
  assert(value == value and value ~= math.huge and value ~= -math.huge, "JSON has no such number")
  return ("%.17g"):format(value)
end

--- JSON of a value. A table without entries is a list unless it was marked.
function picture.json(value)
  local kind = type(value)
  if kind == "table" then
    local parts = {}
    if getmetatable(value) ~= OBJECT and (value[1] ~= nil or next(value) == nil) then
      for i, each in ipairs(value) do parts[i] = picture.json(each) end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    for key, each in pairs(value) do parts[#parts + 1] = quoted(tostring(key)) .. ":" .. picture.json(each) end
    return "{" .. table.concat(parts, ",") .. "}"
  end
  if kind == "number" then return number(value) end
  if kind == "string" then return quoted(value) end
  if kind == "nil" then return "null" end
  return tostring(value)
end

return picture
