-- @description ScoreBridge: Settings
-- @version 0.1.0
-- @author The ScoreBridge founders
-- @link https://scorebridge.dev
-- @about What results should be like, and where they go.

local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
local run = dofile(folder .. "lib/start.lua")(folder)

--- Engines of the daemon, asked for once; the function returns them when they are known.
local function engines_of_the_daemon()
  local Client, json = require("scorebridge.client"), require("scorebridge.json")
  local client, id, engines = Client.new(nil), Client.new_id(), nil
  client:request(id, { kind = "hello" })
  return function()
    client:step()
    local state = client:state(id)
    if not state or state.phase ~= "done" then return engines end
    engines = {}
    for _, direction in ipairs(json.field(state.welcome, "directions") or {}) do
      for _, engine in ipairs(direction.engines) do
        if engine.ready then
          engines[#engines + 1] = { name = engine.name, direction = direction.source .. " → " .. direction.target }
        end
      end
    end
    client:forget(id)
    return engines
  end
end

run(function()
  reaper.set_action_options(1 | 2) -- one window is enough
  local engines = engines_of_the_daemon()
  local window = require("scorebridge.settings_window").new(engines)
  require("scorebridge.running").loop(function()
    engines()
    if window:draw() then return true end
    gfx.quit()
    return false
  end)
end)
