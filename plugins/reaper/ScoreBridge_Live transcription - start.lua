-- @description ScoreBridge: Live transcription: start
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Starts hearing what ReaStream sends; the notes go to REAPER's virtual keyboard as they are played.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function() require("scorebridge.live").start() end)
