-- @description ScoreBridge: Live transcription: keep the last 30 seconds
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Writes the last half minute as a MIDI item; the transcription goes on.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function() require("scorebridge.live").say("keep") end)
