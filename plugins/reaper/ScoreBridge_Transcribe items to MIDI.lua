-- @description ScoreBridge: Transcribe items to MIDI
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Makes a MIDI item under each selected audio item, aligned on the project's tempo map.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function()
  require("scorebridge.running").on_selection(require("scorebridge.to_midi"), { audio = true },
    "Select the audio items that are to become MIDI, then run this action again.")
end)
