-- Putting results into the project, each in one undo step, where their source lies now.

local midi_writing = require("scorebridge.midi_writing")
local takes = require("scorebridge.takes")
local undo = require("scorebridge.undo")

local insert = {}

local BUILD_MISSING_PEAKS = 40047

local function name_take(take, name) reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", name, true) end

--- A new MIDI item on a track.
local function new_midi_item(track, content)
  local item = reaper.CreateNewMIDIItemInProj(track, content.start_s, content.end_s, false)
  if not item then error("REAPER did not make a MIDI item.", 0) end
  return reaper.GetActiveTake(item)
end

--- A new MIDI take in an item that is there, which becomes its active one.
local function new_midi_take(item)
  local take = reaper.AddTakeToMediaItem(item)
  reaper.SetMediaItemTake_Source(take, reaper.PCM_Source_CreateFromType("MIDI"))
  reaper.SetActiveTake(take)
  return take
end

--- Insert notes into the project. Within one tick.
-- @param parts list of {track = function that finds or makes the track, or nil for a take; item; prepared; name}
function insert.midi(project, description, parts)
  undo.block(project, description, function()
    for _, part in ipairs(parts) do
      local take = part.item and new_midi_take(part.item) or new_midi_item(part.track(), part.prepared.content)
      name_take(take, part.name)
      midi_writing.write(take, part.prepared)
    end
  end)
end

--- Insert an audio file on a track, its start at `position_s`. Within one tick.
-- @param find_track function that finds or makes the track
function insert.audio(project, description, find_track, path, position_s, name)
  undo.block(project, description, function()
    local source = reaper.PCM_Source_CreateFromFile(path)
    if not source then error("REAPER cannot read " .. path .. ".", 0) end
    local length_s = reaper.GetMediaSourceLength(source)
    local item = reaper.AddMediaItemToTrack(find_track())
    local take = reaper.AddTakeToMediaItem(item)
    reaper.SetMediaItemTake_Source(take, source)
    name_take(take, name)
    reaper.SetMediaItemInfo_Value(item, "D_POSITION", position_s)
    reaper.SetMediaItemInfo_Value(item, "D_LENGTH", length_s)
    reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
  end)
  reaper.Main_OnCommandEx(BUILD_MISSING_PEAKS, 0, project)
end

--- Prepare notes for insertion. Sliced work; see `midi_writing.prepare`.
insert.prepare_midi = midi_writing.prepare

--- Find a take again; see `takes.find`.
insert.find = takes.find

return insert
