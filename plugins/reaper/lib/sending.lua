-- What of an item is sent: a clip of its file where that is what it plays, else its sound or notes written to a file of
-- our own. The project's tempo map goes with every job.

local files = require("scorebridge.files")
local json = require("scorebridge.json")
local midi_item = require("scorebridge.midi_item")
local rendering = require("scorebridge.rendering")
local slices = require("scorebridge.slices")
local take_time = require("scorebridge.take_time")
local takes = require("scorebridge.takes")
local tempo_map = require("scorebridge.tempo_map")

local sending = {}

local READABLE = { wav = true, wave = true, rf64 = true, bwf = true, flac = true, ogg = true, oga = true, opus = true,
  mp3 = true, aif = true, aiff = true, aifc = true }

local function write(path, content)
  local written, problem = files.write(path, content)
  if not written then error(problem, 0) end
end

--- The tempo map of the stretch that an item covers, on its own time axis.
function sending.tempo_map(project, facts)
  return tempo_map.between(project, facts.position_s, facts.position_s + facts.length_s, facts.position_s)
end

--- An audio item as a source. Sliced work.
-- @param path_of function from a file name's ending to a path of our own
-- @param on_progress called while its sound is written
-- @return the source and the facts that tell where its times lie; nil where it was deleted meanwhile
function sending.audio(project, guid, path_of, on_progress)
  local take, item = takes.find(project, guid)
  if not take then return nil end
  local facts = takes.facts(item, take)
  if take_time.needs_rendering(facts) or not READABLE[files.ending(facts.file)] or not files.exists(facts.file) then
    local path = path_of("wav")
    facts = rendering.write(project, guid, path, on_progress)
    return facts and { kind = "path", path = path }, facts
  end
  local source = take_time.clip(facts)
  source.kind, source.path = "path", facts.file
  return source, facts
end

--- A MIDI item as a source. Sliced work; see `sending.audio`.
function sending.midi(project, guid, path_of)
  local document, facts = midi_item.read(project, guid)
  if #document.notes == 0 then error("It plays no notes.", 0) end
  local path = path_of("events.json")
  write(path, json.encode(document, slices.pause))
  return { kind = "path", path = path }, facts
end

return sending
