-- The items that the user selected, as what can be worked on later: GUIDs, names and what to say about them.

local files = require("scorebridge.files")
local takes = require("scorebridge.takes")

local selection = {}

--- Calls `visit(item)` for each selected item of the project.
local function each_selected(project, visit)
  for i = 0, reaper.CountSelectedMediaItems(project) - 1 do visit(reaper.GetSelectedMediaItem(project, i)) end
end

--- What to know about a take that is worked on.
local function subject_of(project, item, take)
  local track = reaper.GetMediaItem_Track(item)
  local subject = {
    project = project,
    take = takes.guid(take),
    track = reaper.GetTrackGUID(track),
    name = takes.name(take),
    midi = reaper.TakeIsMIDI(take),
    locked = takes.is_locked(item),
    notes = {},
  }
  if takes.is_muted(item) then subject.notes[#subject.notes + 1] = "The item is muted." end
  if subject.midi then return subject end
  if reaper.TakeFX_GetCount(take) > 0 then
    subject.notes[#subject.notes + 1] = "Its take effects were left out: what is heard without them was sent."
  end
  return subject
end

local PICTURES = { png = true, jpg = true, jpeg = true, tif = true, tiff = true, bmp = true, webp = true, pdf = true }

--- Whether a file name is a score image's.
function selection.is_picture(path) return PICTURES[files.ending(path)] == true end

--- Why an item's active take cannot be used, or nil.
local function refusal(take, wanted)
  if not take then return "It is empty." end
  if reaper.TakeIsMIDI(take) then
    return not wanted.midi and "It is a MIDI item already." or nil
  end
  if not wanted.audio then return "It is not a MIDI item." end
  local source = reaper.GetMediaItemTake_Source(take)
  local length_s, in_quarters = reaper.GetMediaSourceLength(source)
  if in_quarters or length_s <= 0 then return "Its file is missing or holds no sound." end
  return nil
end

--- The selected items whose active take is wanted, and sentences about those that are not.
-- @param wanted {audio = true} or {midi = true} or both
function selection.items(project, wanted)
  local subjects, refused = {}, {}
  each_selected(project, function(item)
    local take = reaper.GetActiveTake(item)
    local why = refusal(take, wanted)
    if why then
      refused[#refused + 1] = { name = take and takes.name(take) or "Empty item", why = why }
    else
      subjects[#subjects + 1] = subject_of(project, item, take)
    end
  end)
  return subjects, refused
end

--- The selected items that show a picture: its file and the item's place.
function selection.pictures(project)
  local found = {}
  each_selected(project, function(item)
    local take = reaper.GetActiveTake(item)
    local file = take and takes.facts(item, take).file
    if file and selection.is_picture(file) then
      found[#found + 1] = { project = project, file = file, name = files.stem(file), notes = {},
        track = reaper.GetTrackGUID(reaper.GetMediaItem_Track(item)),
        position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION") }
    end
  end)
  return found
end

return selection
