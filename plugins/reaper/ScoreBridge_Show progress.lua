-- @description ScoreBridge: Show progress
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Shows the jobs that were sent without a window, and inserts what is ready.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function() require("scorebridge.running").show_progress() end)
