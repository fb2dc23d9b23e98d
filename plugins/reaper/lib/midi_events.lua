-- MIDI events as REAPER packs them (`MIDI_GetAllEvts`): little-endian distance in ticks, flags, length, message.

local midi_events = {}

midi_events.NOTE_OFF, midi_events.NOTE_ON = 0x80, 0x90
midi_events.CONTROL, midi_events.PROGRAM, midi_events.BEND = 0xB0, 0xC0, 0xE0

local MUTED = 2
local RUN = 4096 -- elements that `table.sort` may order at once without holding the host up

--- The events of a packed text: tick, whether muted, status (without channel), channel, two data bytes.
function midi_events.unpack(packed, pause)
  local events, tick, position = {}, 0, 1
  while position <= #packed do
    local distance, flags, message
    distance, flags, message, position = string.unpack("<i4Bs4", packed, position)
    tick = tick + distance
    if #message >= 2 and message:byte(1) >= 0x80 and message:byte(1) < 0xF0 then
      local status, first, second = message:byte(1, 3)
      events[#events + 1] = { tick = tick, muted = flags & MUTED ~= 0, status = status & 0xF0, channel = status & 0x0F,
        first = first, second = second or 0 }
    end
    pause()
  end
  return events, tick -- the last one marks the end of the source
end

--- One packed event.
function midi_events.pack(distance, message) return string.pack("<i4Bs4", distance, 0, message) end

--- Notes of events: pairs of note-on and note-off, first in first out; a note without an end lasts to `last_tick`.
function midi_events.notes(events, last_tick, pause)
  local notes, open = {}, {}
  for _, event in ipairs(events) do
    local key = event.channel << 7 | event.first
    if event.status == midi_events.NOTE_ON and event.second > 0 then
      local note = { tick = event.tick, last_tick = last_tick, pitch = event.first, velocity = event.second,
        channel = event.channel, muted = event.muted }
      notes[#notes + 1] = note
      open[key] = open[key] or {}
      table.insert(open[key], note)
    elseif event.status == midi_events.NOTE_ON or event.status == midi_events.NOTE_OFF then
      local waiting = open[key]
      if waiting and waiting[1] then table.remove(waiting, 1).last_tick = event.tick end
    end
    pause()
  end
  return notes
end

local function merge(from, to, first, middle, last, pause)
  local i, j = first, middle
  for k = first, last - 1 do
    if i < middle and (j >= last or from[i] <= from[j]) then
      to[k], i = from[i], i + 1
    else
      to[k], j = from[j], j + 1
    end
    if k % 256 == 0 then pause() end
  end
end

--- Numbers in rising order, sorted in slices.
function midi_events.sorted(numbers, pause)
  local count, runs = #numbers, {}
  for first = 1, count, RUN do
    local run = table.move(numbers, first, math.min(first + RUN - 1, count), 1, {})
    table.sort(run)
    table.move(run, 1, #run, first, runs)
    pause()
  end
  local width = RUN
  while width < count do
    local merged = {}
    for first = 1, count, 2 * width do
      merge(runs, merged, first, math.min(first + width, count + 1), math.min(first + 2 * width, count + 1), pause)
    end
    runs, width = merged, 2 * width
  end
  return runs
end

return midi_events
