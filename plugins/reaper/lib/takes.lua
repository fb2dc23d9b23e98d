-- What REAPER knows of an item and its take. Handles die between ticks: others keep GUIDs and ask here again.

local files = require("scorebridge.files")

local takes = {}

local LOCKED = 1

--- The take's GUID.
function takes.guid(take) return select(2, reaper.GetSetMediaItemTakeInfo_String(take, "GUID", "", false)) end

--- The take's name, or its file's.
function takes.name(take)
  local name = reaper.GetTakeName(take)
  if name and name ~= "" then return files.stem(name) end
  return "item"
end

--- Whether a project is still open.
function takes.project_is_open(project)
  return project ~= nil and reaper.ValidatePtr2(0, project, "ReaProject*")
end

--- Find a take again; nil where it, its item or its project is gone.
function takes.find(project, guid)
  if not takes.project_is_open(project) then return nil end
  local take = reaper.GetMediaItemTakeByGUID(project, guid)
  if not take or not reaper.ValidatePtr2(project, take, "MediaItem_Take*") then return nil end
  local item = reaper.GetMediaItemTake_Item(take)
  if not item or not reaper.ValidatePtr2(project, item, "MediaItem*") then return nil end
  return take, item
end

--- The source that holds the file, and what the sections around it say.
local function unwrapped(source)
  local offset_s, reversed = 0.0, false
  for _ = 1, 16 do
    local parent = reaper.GetMediaSourceParent(source)
    if not parent then break end
    local is_section, offset, _, reverse = reaper.PCM_Source_GetSectionInfo(source)
    if is_section then
      offset_s = offset_s + offset
      reversed = reversed or reverse -- twice reversed is rare, and rendering it is right in any case
    end
    source = parent
  end
  return source, offset_s, reversed
end

local function has_pitch_envelope(take)
  local envelope = reaper.GetTakeEnvelopeByName(take, "Pitch")
  return envelope ~= nil and reaper.CountEnvelopePoints(envelope) > 0
end

--- The facts that `take_time` works on, as they are now.
function takes.facts(item, take)
  local source = reaper.GetMediaItemTake_Source(take)
  local length_s, in_quarters = reaper.GetMediaSourceLength(source)
  local root, section_offset_s, reversed = unwrapped(source)
  local file = reaper.GetMediaSourceFileName(root)
  local playrate = reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
  local keeps_pitch = reaper.GetMediaItemTakeInfo_Value(take, "B_PPITCH") ~= 0
  return {
    position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION"),
    length_s = reaper.GetMediaItemInfo_Value(item, "D_LENGTH"),
    looped = reaper.GetMediaItemInfo_Value(item, "B_LOOPSRC") ~= 0,
    start_offset_s = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS"),
    playrate = playrate,
    source_length_s = in_quarters and 0.0 or length_s,
    file = file ~= "" and file or nil,
    source_type = reaper.GetMediaSourceType(root),
    section_offset_s = section_offset_s,
    reversed = reversed,
    stretched = reaper.GetTakeNumStretchMarkers(take) > 0,
    pitched = reaper.GetMediaItemTakeInfo_Value(take, "D_PITCH") ~= 0 or has_pitch_envelope(take),
    resampled = not keeps_pitch and math.abs(playrate - 1) > 1e-9,
    channel_mode = math.tointeger(reaper.GetMediaItemTakeInfo_Value(take, "I_CHANMODE")) or 0,
  }
end

--- Whether the user locked the item.
function takes.is_locked(item)
  return (math.tointeger(reaper.GetMediaItemInfo_Value(item, "C_LOCK")) or 0) & LOCKED ~= 0
end

--- Whether the item is muted.
function takes.is_muted(item) return reaper.GetMediaItemInfo_Value(item, "B_MUTE") ~= 0 end

--- The project's track with this GUID, or nil.
function takes.find_track(project, guid)
  for i = 0, reaper.CountTracks(project) - 1 do
    local track = reaper.GetTrack(project, i)
    if reaper.GetTrackGUID(track) == guid then return track end
  end
end

return takes
