-- @description ScoreBridge: Render MIDI items to audio
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Renders each selected MIDI item with a SoundFont, to a new track at the same place.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function()
  require("scorebridge.running").on_selection(require("scorebridge.to_audio"), { midi = true },
    "Select the MIDI items that are to become audio, then run this action again.")
end)
