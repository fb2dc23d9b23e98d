-- REAPER's functions for MIDI takes. Ticks follow the project's tempo map from the start of the take's source on.

local projects = require("project")
local violations = require("violations")

local reaper = {}

local END_OF_SOURCE = "\xB0\x7B\x00"
local MUTED_OR_SELECTED = 3

local function midi_of(take, where)
  if not (take.source and take.source.midi) then violations.raise("%s: the take is not MIDI", where) end
  return take.source.midi
end

local function timeline_of(take) return take.item.track.project.timeline end

--- Position in quarter notes of the take's tick 0.
local function first_quarter(take)
  local starts_s = take.item.values.D_POSITION - take.values.D_STARTOFFS / take.values.D_PLAYRATE
  return timeline_of(take):quarter(starts_s)
end

local function tick_of_quarter(take, quarter, where)
  local ticks_per_quarter = midi_of(take, where).ticks_per_quarter
  return (quarter - first_quarter(take)) * take.values.D_PLAYRATE * ticks_per_quarter
end

local function quarter_of_tick(take, tick, where)
  local ticks_per_quarter = midi_of(take, where).ticks_per_quarter
  return first_quarter(take) + tick / ticks_per_quarter / take.values.D_PLAYRATE
end

function reaper.MIDI_GetPPQPosFromProjTime(take, time_s)
  return tick_of_quarter(take, timeline_of(take):quarter(time_s), "MIDI_GetPPQPosFromProjTime")
end

function reaper.MIDI_GetProjTimeFromPPQPos(take, tick)
  return timeline_of(take):time(quarter_of_tick(take, tick, "MIDI_GetProjTimeFromPPQPos"))
end

function reaper.MIDI_GetPPQPosFromProjQN(take, quarter)
  return tick_of_quarter(take, quarter, "MIDI_GetPPQPosFromProjQN")
end

function reaper.MIDI_GetProjQNFromPPQPos(take, tick)
  return quarter_of_tick(take, tick, "MIDI_GetProjQNFromPPQPos")
end

function reaper.CreateNewMIDIItemInProj(track, starts, ends, in_quarters)
  projects.touch(track.project, "items")
  local timeline = track.project.timeline
  if in_quarters then starts, ends = timeline:time(starts), timeline:time(ends) end
  if ends <= starts then violations.raise("CreateNewMIDIItemInProj: the item would have no length") end
  local item = projects.new_item(track)
  item.values.D_POSITION, item.values.D_LENGTH = starts, ends - starts
  local ticks_per_quarter = track.project.ticks_per_quarter
  local ticks = (timeline:quarter(ends) - timeline:quarter(starts)) * ticks_per_quarter
  projects.new_take(item).source = { type = "MIDI", owned = true, midi = { events = {},
    last_tick = math.floor(ticks + 0.5), ticks_per_quarter = ticks_per_quarter } }
  return item
end

function reaper.MIDI_GetAllEvts(take)
  local midi = midi_of(take, "MIDI_GetAllEvts")
  local parts, last = {}, 0
  for i, event in ipairs(midi.events) do
    parts[i] = string.pack("<i4Bs4", event.tick - last, event.flags, event.message)
    last = event.tick
  end
  parts[#parts + 1] = string.pack("<i4Bs4", math.max(0, midi.last_tick - last), 0, END_OF_SOURCE)
  return true, table.concat(parts)
end

local LENGTHS = { [0x8] = 3, [0x9] = 3, [0xA] = 3, [0xB] = 3, [0xC] = 2, [0xD] = 2, [0xE] = 3 }

local function check_message(message)
  local status = message:byte(1) or 0
  if status >= 0xF0 or #message == 0 then return end
  if LENGTHS[status >> 4] ~= #message then violations.raise("MIDI_SetAllEvts: a message of the wrong length") end
  for i = 2, #message do
    if message:byte(i) > 127 then violations.raise("MIDI_SetAllEvts: a data byte above 127") end
  end
  if status >> 4 == 0x9 and message:byte(3) == 0 then
    violations.raise("MIDI_SetAllEvts: a note-on without velocity ends a note that did not begin")
  end
end

local function check_pairs(events)
  local open = {}
  for _, event in ipairs(events) do
    local status = event.message:byte(1)
    local kind, key = status >> 4, (status & 15) << 7 | (event.message:byte(2) or 0)
    if kind == 0x9 then
      open[key] = (open[key] or 0) + 1
    elseif kind == 0x8 then
      open[key] = (open[key] or 0) - 1
      if open[key] < 0 then violations.raise("MIDI_SetAllEvts: a note ends that did not begin") end
    end
  end
  for _, count in pairs(open) do
    if count ~= 0 then violations.raise("MIDI_SetAllEvts: a note does not end") end
  end
end

function reaper.MIDI_SetAllEvts(take, packed)
  local midi = midi_of(take, "MIDI_SetAllEvts")
  projects.touch(take.item.track.project, "items")
  local events, tick, position = {}, 0, 1
  while position <= #packed do
    local well, distance, flags, message, after = pcall(string.unpack, "<i4Bs4", packed, position)
    if not well then violations.raise("MIDI_SetAllEvts: the events are cut off") end
    if distance < 0 then violations.raise("MIDI_SetAllEvts: an event lies before the one before it") end
    tick, position = tick + distance, after
    check_message(message)
    events[#events + 1] = { tick = tick, flags = flags & MUTED_OR_SELECTED, message = message }
  end
  local final = table.remove(events)
  if not final or final.message ~= END_OF_SOURCE then
    violations.raise("MIDI_SetAllEvts: the last event does not mark the end of the source")
  end
  check_pairs(events)
  midi.events, midi.last_tick = events, tick
  take.unsorted = true
  return true
end

function reaper.MIDI_Sort(take)
  midi_of(take, "MIDI_Sort")
  take.unsorted = nil
end

--- Notes of a take: `start_tick`, `end_tick`, `pitch`, `velocity`, `channel`, `muted`.
function reaper.notes_of(midi)
  local notes, open = {}, {}
  for _, event in ipairs(midi.events) do
    local status, pitch, velocity = event.message:byte(1, 3)
    local key = (status & 15) << 7 | (pitch or 0)
    if status >> 4 == 0x9 then
      local note = { start_tick = event.tick, pitch = pitch, velocity = velocity, channel = status & 15,
        muted = event.flags & 2 ~= 0 }
      notes[#notes + 1] = note
      open[key] = open[key] or {}
      table.insert(open[key], note)
    elseif status >> 4 == 0x8 and open[key] and open[key][1] then
      table.remove(open[key], 1).end_tick = event.tick
    end
  end
  return notes
end

return reaper
