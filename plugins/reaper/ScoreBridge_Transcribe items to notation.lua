-- @description ScoreBridge: Transcribe items to notation
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Writes a score (MusicXML) of each selected audio or MIDI item, beside the project, and opens it.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function()
  require("scorebridge.running").on_selection(require("scorebridge.to_notation"), { audio = true, midi = true },
    "Select the audio or MIDI items that are to become a score, then run this action again.")
end)
