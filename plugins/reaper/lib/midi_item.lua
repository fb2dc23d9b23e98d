-- What a MIDI item plays, in seconds from its start: loops unrolled, muted notes left out, cut at the item's edges.

local json = require("scorebridge.json")
local midi_events = require("scorebridge.midi_events")
local slices = require("scorebridge.slices")
local takes = require("scorebridge.takes")
local tempo_map = require("scorebridge.tempo_map")

local midi_item = {}

local MOST_REPEATS = 10000
local MOST_ATTEMPTS = 3
local SHORTEST_S = 0.001
local FIRST_CHANNEL_MODE_MESSAGE = 120 -- all notes off and its kin end the source, they are not played

local function found_take(project, guid)
  local take, item = takes.find(project, guid)
  if not take then error("The item was deleted while its notes were being read.", 0) end
  return take, item
end

--- The take's ticks: where the item begins and ends, and how often its source is repeated in between.
local function span_of(take, facts, source_ticks)
  local first = reaper.MIDI_GetPPQPosFromProjTime(take, facts.position_s)
  local last = reaper.MIDI_GetPPQPosFromProjTime(take, facts.position_s + facts.length_s)
  local from, to = 0, 0
  if facts.looped and source_ticks > 0 then
    from, to = first // source_ticks, math.ceil(last / source_ticks) - 1
  end
  return { first = first, last = last, from = from, to = math.min(to, from + MOST_REPEATS) }
end

--- Calls `visit(event, tick)` for each event of each repeat.
local function each_played(events, span, source_ticks, visit)
  for repeated = span.from, span.to do
    for _, event in ipairs(events) do
      visit(event, event.tick + repeated * source_ticks)
      slices.pause()
    end
  end
end

--- Seconds from the item's start for ticks of the take, which is found again in each tick of the host.
local function clock_of(project, guid, position_s)
  local take, found_in
  return function(tick)
    if found_in ~= slices.step_number then
      take, found_in = found_take(project, guid), slices.step_number
    end
    return reaper.MIDI_GetProjTimeFromPPQPos(take, tick) - position_s
  end
end

local function played_notes(events, span, source_ticks, clock, transpose)
  local notes = json.array()
  local written = midi_events.notes(events, source_ticks, slices.pause)
  each_played(written, span, source_ticks, function(note, tick)
    local last = math.min(note.last_tick - note.tick + tick, span.last)
    local pitch = note.pitch + transpose
    if not note.muted and tick >= span.first - 0.5 and tick < span.last and pitch >= 0 and pitch <= 127 then
      local onset_s = math.max(0.0, clock(tick))
      notes[#notes + 1] = { onset = onset_s, offset = math.max(clock(last), onset_s + SHORTEST_S), pitch = pitch,
        velocity = note.velocity, channel = note.channel, track = 0 }
    end
  end)
  return notes
end

--- Controllers, programs and bends; the last of each before the item's start holds from its start.
local function played_changes(events, span, source_ticks, clock, add)
  local before = {}
  each_played(events, span, source_ticks, function(event, tick)
    local status = event.status
    local change = status == midi_events.PROGRAM or status == midi_events.BEND
      or status == midi_events.CONTROL and event.first < FIRST_CHANNEL_MODE_MESSAGE
    if not change or event.muted or tick >= span.last then return end
    if tick < span.first then
      local number = status == midi_events.CONTROL and event.first or 0
      before[status << 16 | event.channel << 8 | number] = event
    else
      add(event, math.max(0.0, clock(tick)))
    end
  end)
  for _, event in pairs(before) do add(event, 0.0) end
end

local function document_of(project, guid, packed, facts)
  local events, source_ticks = midi_events.unpack(packed, slices.pause)
  local span = span_of(found_take(project, guid), facts, source_ticks)
  local clock = clock_of(project, guid, facts.position_s)
  local document = { format = "events", version = 1, tracks = json.array({ "" }), controls = json.array(),
    programs = json.array(), pitch_bends = json.array() }
  document.notes = played_notes(events, span, source_ticks, clock, facts.transpose)
  played_changes(events, span, source_ticks, clock, function(event, time_s)
    if event.status == midi_events.PROGRAM then
      table.insert(document.programs, { time = time_s, program = event.first, channel = event.channel })
    elseif event.status == midi_events.BEND then
      local value = (event.second << 7 | event.first) - 8192
      table.insert(document.pitch_bends, { time = time_s, value = value, channel = event.channel })
    else
      table.insert(document.controls,
        { time = time_s, number = event.first, value = event.second, channel = event.channel })
    end
  end)
  document.tempo_map = tempo_map.between(project, facts.position_s, facts.position_s + facts.length_s,
    facts.position_s)
  return document
end

local function snapshot(project, guid)
  local take, item = found_take(project, guid)
  local _, packed = reaper.MIDI_GetAllEvts(take)
  local facts = takes.facts(item, take)
  facts.transpose = math.floor(reaper.GetMediaItemTakeInfo_Value(take, "D_PITCH") + 0.5)
  return packed, facts
end

--- What the item plays, as the protocol's events document, and facts of the take. Sliced work.
-- Nothing is written into the take: items that share (pool) their notes stay as they are.
function midi_item.read(project, guid)
  for _ = 1, MOST_ATTEMPTS do
    local packed, facts = snapshot(project, guid)
    local document = document_of(project, guid, packed, facts)
    local packed_now, facts_now = snapshot(project, guid)
    if packed_now == packed and facts_now.position_s == facts.position_s then return document, facts end
  end
  error("The item was edited again and again while its notes were being read.", 0)
end

return midi_item
