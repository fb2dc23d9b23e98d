-- REAPER's functions for projects, tracks, items and takes. They get and return objects; `calls` turns them into
-- handles.

local calls = require("calls")
local contract = require("contract")
local handles = require("handles")
local meter = require("meter")
local projects = require("project")
local violations = require("violations")

local api = {}

local CURRENT = -1
local LAST = math.maxinteger
local PEAKS_COMMAND = 40047
local refresh_prevented = 0

calls.set_front(function() return projects.front end)

--- How often redrawing is prevented; 0 when a tick ends.
function api.refresh_prevented() return refresh_prevented end

local reaper = {}
api.reaper = reaper

local function touch(object, group) projects.touch(projects.project_of(object), group) end

local function nth(list, index) return index >= 0 and list[index + 1] or nil end

-- projects

function reaper.EnumProjects(index)
  local project = index == CURRENT and projects.front or nth(projects.tabs, index)
  if not project then return nil end
  return handles.of("project", project), project.path or ""
end

function reaper.GetProjectPathEx(project) return project.media_folder end

function reaper.GetProjectStateChangeCount(project) return project.changes end

function reaper.GetCursorPositionEx(project) return project.cursor_s end

function reaper.GetPlayStateEx(project) return project.transport and 1 or 0 end

function reaper.GetPlayPosition2Ex(project)
  local transport = project.transport
  return transport and transport.position_s + (meter.now_s() - transport.since_s) * transport.rate or project.cursor_s
end

function reaper.Master_GetPlayRate(project) return project.transport and project.transport.rate or 1.0 end

function reaper.ValidatePtr2(project, pointer, ctype)
  if not handles.is_handle(pointer) then violations.raise("ValidatePtr2: %s is no pointer", tostring(pointer)) end
  if not handles.is_ctype(ctype) then violations.raise("ValidatePtr2 does not know the type %s", ctype) end
  local object = handles.valid(pointer, ctype)
  if not object then return false end
  if ctype == "ReaProject*" then return true end
  if ctype == "PCM_source*" or ctype == "TrackEnvelope*" then return true end
  return projects.project_of(object) == project
end

function reaper.UpdateArrange() end

function reaper.PreventUIRefresh(count)
  refresh_prevented = refresh_prevented + count
  if refresh_prevented < 0 then violations.raise("PreventUIRefresh was released more often than it was asked for") end
end

reaper.Undo_BeginBlock2 = projects.begin_block
reaper.Undo_EndBlock2 = projects.end_block
reaper.Undo_CanUndo2 = projects.can_undo
function reaper.Undo_DoUndo2(project) return projects.undo(project) and 1 or 0 end

function reaper.Main_OnCommandEx(command)
  if command ~= PEAKS_COMMAND then violations.raise("the action %d is not known to be harmless", command) end
  if projects.open_block() then violations.raise("an action was run inside an undo block") end
end

-- tracks

function reaper.CountTracks(project) return #project.tracks end

function reaper.GetTrack(project, index) return nth(project.tracks, index) end

function reaper.GetTrackGUID(track) return track.guid end

local function place_of(list, object)
  for i, each in ipairs(list) do
    if each == object then return i end
  end
end

function reaper.GetTrackName(track)
  if track.name ~= "" then return true, track.name end
  return true, "Track " .. place_of(track.project.tracks, track)
end

function reaper.InsertTrackInProject(project, index)
  projects.touch(project, "tracks")
  projects.new_track(project, math.max(0, math.min(index, #project.tracks)) + 1)
end

local function selected_tracks(project)
  local list = {}
  for _, track in ipairs(project.tracks) do
    if track.values.I_SELECTED ~= 0 then list[#list + 1] = track end
  end
  return list
end

function reaper.GetSelectedTrack(project, index) return nth(selected_tracks(project), index) end

-- numbers and texts of tracks, items and takes

local function known(table_of, name, where)
  if table_of[name] == nil then violations.raise("%s does not know %s", where, name) end
end

local computed = {
  IP_TRACKNUMBER = function(track) return place_of(track.project.tracks, track) end,
}

local function getter(where, table_of)
  return function(object, name)
    known(table_of, name, where)
    if computed[name] then return computed[name](object) end
    return object.values[name]
  end
end

local POSITIVE = { D_PLAYRATE = true, D_LENGTH = true }
local SELECTION = { B_UISEL = true, I_SELECTED = true } -- not part of what undo brings back

local function setter(where, table_of, group)
  return function(object, name, value)
    known(table_of, name, where)
    if not table_of[name] then violations.raise("%s: %s can only be read", where, name) end
    if POSITIVE[name] and value <= 0 then violations.raise("%s: %s cannot be %g", where, name, value) end
    if not SELECTION[name] then touch(object, group) end
    object.values[name] = value
    return true
  end
end

local function texts(where, table_of, group, fields)
  return function(object, name, value, set)
    if not name:match("^P_EXT:.") then known(table_of, name, where) end
    local field = fields[name] or name
    if set then
      if table_of[name] == false then violations.raise("%s: %s can only be read", where, name) end
      touch(object, group)
      object[field] = value
      return true, value
    end
    return object[field] ~= nil, object[field] or ""
  end
end

reaper.GetMediaTrackInfo_Value = getter("GetMediaTrackInfo_Value", contract.track_values)
reaper.GetMediaItemInfo_Value = getter("GetMediaItemInfo_Value", contract.item_values)
reaper.GetMediaItemTakeInfo_Value = getter("GetMediaItemTakeInfo_Value", contract.take_values)
reaper.SetMediaItemInfo_Value = setter("SetMediaItemInfo_Value", contract.item_values, "items")
reaper.GetSetMediaTrackInfo_String =
  texts("GetSetMediaTrackInfo_String", contract.track_texts, "tracks", { P_NAME = "name", GUID = "guid" })
reaper.GetSetMediaItemTakeInfo_String =
  texts("GetSetMediaItemTakeInfo_String", contract.take_texts, "items", { P_NAME = "name", GUID = "guid" })

-- items

local function items_of(project, wanted)
  local list = {}
  for _, track in ipairs(project.tracks) do
    for _, item in ipairs(track.items) do
      if not wanted or wanted(item) then list[#list + 1] = item end
    end
  end
  return list
end

local function is_selected(item) return item.values.B_UISEL ~= 0 end

function reaper.CountSelectedMediaItems(project) return #items_of(project, is_selected) end

function reaper.GetSelectedMediaItem(project, index) return nth(items_of(project, is_selected), index) end

function reaper.GetMediaItem_Track(item) return item.track end

function reaper.AddMediaItemToTrack(track)
  touch(track, "items")
  return projects.new_item(track)
end

-- takes

function reaper.GetActiveTake(item) return nth(item.takes, math.tointeger(item.values.I_CURTAKE) or LAST) end

function reaper.SetActiveTake(take)
  touch(take, "items")
  take.item.values.I_CURTAKE = place_of(take.item.takes, take) - 1
end

function reaper.AddTakeToMediaItem(item)
  touch(item, "items")
  return projects.new_take(item)
end

function reaper.GetMediaItemTakeByGUID(project, guid)
  for _, item in ipairs(items_of(project)) do
    for _, take in ipairs(item.takes) do
      if take.guid == guid then return take end
    end
  end
end

function reaper.GetMediaItemTake_Item(take) return take.item end

function reaper.GetMediaItemTake_Source(take) return take.source end

function reaper.SetMediaItemTake_Source(take, source)
  touch(take, "items")
  if source.owned then violations.raise("SetMediaItemTake_Source: the source is another take's") end
  source.owned = true
  take.source = source
  return true
end

function reaper.GetTakeName(take) return take.name end

function reaper.TakeIsMIDI(take) return take.source ~= nil and take.source.midi ~= nil end

function reaper.TakeFX_GetCount(take) return take.fx end

function reaper.GetTakeNumStretchMarkers(take) return #take.stretch_markers end

function reaper.GetTakeEnvelopeByName(take, name)
  if not take.envelopes[name] then return nil end
  return { points = take.envelopes[name] }
end

function reaper.CountEnvelopePoints(envelope) return envelope.points end

return api
