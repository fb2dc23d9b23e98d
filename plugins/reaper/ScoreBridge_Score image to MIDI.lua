-- @description ScoreBridge: Score image to MIDI
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Makes MIDI items from a picture of a score or from MusicXML: a selected picture item, or a file.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

local function chosen_file(project)
  local taken, path = reaper.GetUserFileNameForRead("", "Score image (PNG, JPEG, TIFF, PDF) or MusicXML", "")
  if not taken then return {} end
  local track = reaper.GetSelectedTrack(project, 0)
  return { {
    project = project,
    file = path,
    name = require("scorebridge.files").stem(path),
    track = track and reaper.GetTrackGUID(track),
    position_s = reaper.GetCursorPositionEx(project),
    notes = {},
  } }
end

run(function()
  local project = reaper.EnumProjects(-1)
  local subjects = require("scorebridge.selection").pictures(project)
  if #subjects == 0 then subjects = chosen_file(project) end
  if #subjects > 0 then require("scorebridge.running").batch(require("scorebridge.score_to_midi"), subjects, {}) end
end)
