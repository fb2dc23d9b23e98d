-- @description ScoreBridge: Doctor
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Looks at every part and says how to mend what does not work.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

run(function() require("scorebridge.doctor").run() end)
