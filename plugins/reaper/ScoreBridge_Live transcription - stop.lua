-- @description ScoreBridge: Live transcription: stop
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Ends it, and writes what was heard as a MIDI item at its project time.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function() require("scorebridge.live").say("stop") end)
