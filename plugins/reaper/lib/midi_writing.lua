-- Putting notes into a new MIDI take: packed in slices beforehand, written at once.
--
-- Where a time lies in ticks is REAPER's to say: `TimeMap2_timeToQN` beforehand, when there is no take yet, and
-- `MIDI_GetPPQPosFromProjTime` of the take itself to check it. Where the two differ, the take's own answer is used.

local midi_events = require("scorebridge.midi_events")
local slices = require("scorebridge.slices")

local midi_writing = {}

local CHECKED = 16 -- events whose place is compared
local NEAR_TICKS = 1.0
local OFF, CHANGE, ON = 0, 1, 2 -- what comes first on one tick

-- An event's place, what comes first there, and its number in one integer that sorts.
local INDEX_BITS, ORDER_BITS = 22, 2
local FIRST_TICK = 1 << 30 -- keeps places before the item's start positive

local ticks_per_quarter = 960 -- REAPER's setting for new items; learnt from the first take when it is another

local function event(time_s, order, message) return { time_s = time_s, order = order, message = message } end

--- Messages of what is to be written: notes {onset_s, offset_s, pitch, velocity, channel}, `controls` and `bends`.
local function messages_of(content)
  local events = {}
  for _, note in ipairs(content.notes) do
    local on = event(note.onset_s, ON, string.char(0x90 | note.channel, note.pitch, note.velocity))
    events[#events + 1] = on
    events[#events + 1] = event(note.offset_s, OFF, string.char(0x80 | note.channel, note.pitch, 64))
    events[#events].starts = on
    slices.pause()
  end
  for _, control in ipairs(content.controls) do
    events[#events + 1] = event(control.time_s, CHANGE,
      string.char(0xB0 | control.channel, control.number, control.value))
    slices.pause()
  end
  for _, bend in ipairs(content.bends) do
    local value = bend.value + 8192
    events[#events + 1] = event(bend.time_s, CHANGE, string.char(0xE0 | bend.channel, value & 127, value >> 7))
    slices.pause()
  end
  return events
end

--- Place the events by `tick_of` (project time to ticks from the item's start) and pack them in order.
local function packed(events, tick_of, end_s, pause)
  local keys = {}
  for i, each in ipairs(events) do
    each.tick = math.floor(tick_of(each.time_s) + 0.5)
    if each.starts then each.tick = math.max(each.tick, each.starts.tick + 1) end
    keys[i] = (each.tick + FIRST_TICK) << (INDEX_BITS + ORDER_BITS) | each.order << INDEX_BITS | i
    pause()
  end
  local parts, last = {}, 0
  for i, key in ipairs(midi_events.sorted(keys, pause)) do
    local each = events[key & ((1 << INDEX_BITS) - 1)]
    parts[i] = midi_events.pack(each.tick - last, each.message)
    last = each.tick
    pause()
  end
  local final = math.max(math.floor(tick_of(end_s) + 0.5), last)
  parts[#parts + 1] = midi_events.pack(final - last, "\xB0\x7B\x00") -- the end of the source
  return table.concat(parts)
end

local function tick_of_project(project, start_s)
  local first_quarter = reaper.TimeMap2_timeToQN(project, start_s)
  return function(time_s) return (reaper.TimeMap2_timeToQN(project, time_s) - first_quarter) * ticks_per_quarter end
end

--- Pack what is to be written. Sliced work.
-- @param content `notes`, `controls`, `bends` in project time, and the item's `start_s` and `end_s`
function midi_writing.prepare(project, content)
  local events = messages_of(content)
  return {
    events = events,
    content = content,
    ticks_per_quarter = ticks_per_quarter,
    packed = packed(events, tick_of_project(project, content.start_s), content.end_s, slices.pause),
  }
end

local function ticks_per_quarter_of(take)
  local quarter = reaper.MIDI_GetProjQNFromPPQPos(take, 0)
  return reaper.MIDI_GetPPQPosFromProjQN(take, quarter + 1)
end

local function lies_where_the_take_says(take, prepared)
  if math.abs(ticks_per_quarter_of(take) - prepared.ticks_per_quarter) > 0.01 then return false end
  local events = prepared.events
  local step = math.max(1, #events // CHECKED)
  for i = 1, #events, step do
    local there = reaper.MIDI_GetPPQPosFromProjTime(take, events[i].time_s)
    -- A note of no length was given a tick, and is not in its place.
    if not events[i].starts and math.abs(there - events[i].tick) > NEAR_TICKS then return false end
  end
  return true
end

--- Write what was prepared into a new take. Within one tick.
function midi_writing.write(take, prepared)
  local text = prepared.packed
  if not lies_where_the_take_says(take, prepared) then
    ticks_per_quarter = ticks_per_quarter_of(take)
    text = packed(prepared.events, function(time_s) return reaper.MIDI_GetPPQPosFromProjTime(take, time_s) end,
      prepared.content.end_s, function() end)
  end
  if not reaper.MIDI_SetAllEvts(take, text) then error("REAPER did not take the notes.", 0) end
  reaper.MIDI_Sort(take)
end

return midi_writing
