-- Where a moment of a take's source lies in the project, and what of a take can be sent as a file's clip.
-- Everything here is plain arithmetic on a table of facts about a take; `takes.facts` gathers them.

local take_time = {}

local CLOSE_S = 1e-6

-- Facts: `position_s` and `length_s` of the item; `start_offset_s` and `playrate` of the take; `source_length_s`;
-- `file`; `section_offset_s` (0 without a section); `reversed`; `looped`, `stretched`, `pitched`, `resampled`,
-- `channel_mode`.

--- Project time at which a moment of the source (after its section, before its file) is played.
function take_time.project_time(facts, source_s)
  return facts.position_s + (source_s - facts.start_offset_s) / facts.playrate
end

--- Moment of the source that is played at a project time.
function take_time.source_time(facts, project_s)
  return facts.start_offset_s + (project_s - facts.position_s) * facts.playrate
end

--- Moment of the file for a moment of the source: a section begins within its file, and may be played backwards.
function take_time.file_time(facts, source_s)
  if facts.reversed then return facts.section_offset_s + facts.source_length_s - source_s end
  return facts.section_offset_s + source_s
end

--- Moment of the source for a moment of the file.
function take_time.source_time_of_file(facts, file_s)
  if facts.reversed then return facts.section_offset_s + facts.source_length_s - file_s end
  return file_s - facts.section_offset_s
end

--- Why the take's sound has to be written to a file of its own before it is sent, as a word; nil: the file will do.
function take_time.needs_rendering(facts)
  if not facts.file then return "no file" end
  if facts.reversed then return "reversed" end
  if facts.stretched then return "stretch markers" end
  if facts.pitched then return "pitch" end
  if facts.resampled then return "play rate changes its pitch" end
  if facts.channel_mode >= 3 then return "one channel" end
  if facts.start_offset_s < -CLOSE_S then return "silence before its source" end
  local last_s = take_time.source_time(facts, facts.position_s + facts.length_s)
  if facts.looped and last_s > facts.source_length_s + CLOSE_S then return "looped" end
  if facts.start_offset_s >= facts.source_length_s then return "nothing of its source" end
  return nil
end

--- The clip of the file that the item plays, as the protocol's path source has it.
function take_time.clip(facts)
  local last_s = take_time.source_time(facts, facts.position_s + facts.length_s)
  local length_s = math.min(last_s, facts.source_length_s) - facts.start_offset_s
  return {
    offset = math.max(0, take_time.file_time(facts, facts.start_offset_s)),
    duration = length_s,
    playrate = facts.playrate,
  }
end

local PLACE_ONLY = { reversed = true, looped = true, ["stretch markers"] = true }

--- Project time now of a moment of the answer.
-- The item may have been moved, trimmed or given another rate since it was sent: each note stays with its sound. Where
-- the source's time does not run evenly (reversed, looped, stretched) only the item's place counts.
-- @param sent facts as they were when it was sent; `rendered` is what `needs_rendering` said then
-- @param now facts as they are
-- @param result_s seconds in the answer, from the start of what was sent
function take_time.project_time_of_result(sent, now, result_s)
  if PLACE_ONLY[sent.rendered] or now.reversed or now.stretched then return now.position_s + result_s end
  return take_time.project_time(now, sent.start_offset_s + result_s * sent.playrate)
end

return take_time
