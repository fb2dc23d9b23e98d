-- The tracks that results go to: one new track below each source track, shared by all items of a batch.

local takes = require("scorebridge.takes")

local Tracks = {}
Tracks.__index = Tracks

--- Remembers which tracks were made, by GUID: handles die between ticks.
-- @param made earlier memory, from `memory`
function Tracks.new(made) return setmetatable({ made = made or {} }, Tracks) end

--- What is to be remembered when this script ends and another goes on.
function Tracks:memory() return self.made end

--- Insert a track in this project, whichever tab is in front.
local function insert_track(project, index)
  reaper.InsertTrackInProject(project, index, 0)
  return reaper.GetTrack(project, index)
end

local function index_below(project, track)
  if not track then return reaper.CountTracks(project) end
  return math.tointeger(reaper.GetMediaTrackInfo_Value(track, "IP_TRACKNUMBER"))
end

--- The new track for results of a source track; made where there is none yet, or where it was deleted or undone.
-- @param source_guid GUID of the source track, or nil
-- @param purpose tells several new tracks of one source track apart, and ends their names
-- @param below a track that this one goes below, where not the source track
function Tracks:new_track(project, source_guid, purpose, below)
  local key = (source_guid or "") .. purpose
  local track = self.made[key] and takes.find_track(project, self.made[key])
  if track then return track end
  local source = source_guid and takes.find_track(project, source_guid)
  track = insert_track(project, index_below(project, below or source))
  local name = source and select(2, reaper.GetTrackName(source)) or "ScoreBridge"
  reaper.GetSetMediaTrackInfo_String(track, "P_NAME", name .. " " .. purpose, true)
  self.made[key] = reaper.GetTrackGUID(track)
  return track
end

return Tracks
