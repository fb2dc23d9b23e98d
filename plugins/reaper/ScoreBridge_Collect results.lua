-- @description ScoreBridge: Collect results
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about Inserts the results that are there. REAPER's OSC device runs it when a job is done: see the README.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

local PATIENCE_S = 5 -- word of an end may come before the answer's file

--- Remember under which name REAPER knows this action, so that word of a job's end can call it.
local function remember_command()
  local command = select(4, reaper.get_action_context())
  local name = reaper.ReverseNamedCommandLookup(command)
  if name and name ~= "" then reaper.SetExtState("ScoreBridge", "collect_command", "_" .. name, true) end
end

run(function()
  remember_command()
  require("scorebridge.running").collect(PATIENCE_S)
end)
